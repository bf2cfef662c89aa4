"""Guard models, asked as they were trained: a profile says how one is prompted and how it answers.

A profile is a task file with further tables. It is trusted, as code is: only those that come with
labelmass, or that are named by their path, are read, never one found in a model's folder. What does
not come from it, a record or a policy, is encoded as text whatever it spells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BeforeValidator, Field, field_validator

from labelmass._text import canonical, nearest
from labelmass.errors import LabelMassError, RecordError, TaskError
from labelmass.files import parse_toml, read_text
from labelmass.task.fields import Field as AnswerField
from labelmass.task.fields import FieldFormat, Value
from labelmass.task.formats import custom
from labelmass.task.guard_tables import (
    ARGUMENTS,
    ExtraTurn,
    GuardField,
    GuardLabel,
    GuardValue,
    SelfTest,
    Side,
    VendorScore,
    named,
)
from labelmass.task.keys import TaskPart
from labelmass.task.labels import Level, check_labels
from labelmass.task.prompt import ANSWER, Name, Part, Prompt, TemplateCall, Turn
from labelmass.task.record import FIELD, Record, fill
from labelmass.task.shipped import ShippedFiles
from labelmass.task.task import Task


class Guard(Task):
    """A guard model's own task: its labels, its prompt and its answer.

    Besides the keys of a `Task` (labels, record, instruction, system, chat):

    Attributes:
        models: Hub ids of the models it is for; `*` for any text.
        licence, source: Licence of the models; where prompt and answer are published.
        verified: Hub ids of those models whose published prompt this one was compared with.
        fields: Parts of the answer, see `GuardField`; `opening_text` and `closing` stand around
            them. word_ends: the answer ends with the last value, whatever follows.
        judges: Whether it judges a prompt, a response, or both.
        turns: "record" puts the record into the user's turn by the templates of `record`; "chat"
            passes the conversation to the chat template, "last-pair" and "last" the end of it.
        leave_out: Roles whose messages the guard does not read.
        arguments: Of the chat template, see `ARGUMENTS`; a text may be `{policy}`, or `{code}`.
        wording: Where the makers publish the wording of the prompt, if it is theirs and not in the
            profile. A profile that extends it gives `record` and sets `wording = ""`.
        template_digests: 12 hex digits of the SHA-256 of each chat template that it was made for;
            none where the makers' is not public. accept_template: take another one, too.
        content: Whether messages are texts or lists of parts.
        extra_turn: A turn after the conversation.
        prefill: Text after the prompt, control tokens included.
        one_by_one: Whether each label is asked for by itself, by its policy.
        delimiters: Plain text that the prompt uses as structure, and that a record could spell.
        vendor_score: The makers' own score.
        self_test: Texts with plain verdicts.
    """

    is_guard: ClassVar[bool] = True
    template_fields: ClassVar[tuple[str, ...]] = ("labels", "label_names", "policy", "policy_name")
    """Fields of an instruction."""

    labels: tuple[Annotated[GuardLabel, BeforeValidator(named)], ...]  # pyright: ignore[reportIncompatibleVariableOverride]
    instruction: str = ""
    models: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    verified: tuple[str, ...] = ()
    fields: tuple[GuardField, ...] = Field(min_length=1)
    closing: str | None = None
    word_ends: bool = False
    judges: tuple[Side, ...] = ("prompt", "response")
    turns: Literal["record", "chat", "last-pair", "last"] = "record"
    leave_out: tuple[Literal["system", "developer", "tool"], ...] = ()
    arguments: dict[str, object] = Field(default_factory=dict[str, object])
    content: Literal["either", "text", "parts"] = "either"
    wording: str = ""
    template_digests: tuple[str, ...] = ()
    accept_template: bool = False
    extra_turn: ExtraTurn | None = None
    prefill: str = ""
    one_by_one: bool = False
    delimiters: tuple[str, ...] = ()
    vendor_score: VendorScore | None = None
    self_test: SelfTest | None = None

    def __init__(self, **keys: Any) -> None:
        super().__init__(**keys)

    # -- checks ---------------------------------------------------------------------------------

    @field_validator("labels")
    @classmethod
    def _without_text(cls, labels: tuple[GuardLabel, ...]) -> tuple[GuardLabel, ...]:
        """A label that stands in no list has no spelling but its name."""
        return tuple(
            label.model_copy(update={"spellings": (label.name,)})
            if label.values or label.policy or label.code is None
            else label
            for label in labels
        )

    @field_validator("arguments")
    @classmethod
    def _known_arguments(cls, arguments: dict[str, object]) -> dict[str, object]:
        for name in arguments:
            if name not in ARGUMENTS:
                raise ValueError(
                    f"{name} is no argument that a profile may give{nearest(name, ARGUMENTS)}"
                )
        return arguments

    @classmethod
    def tables(cls) -> dict[tuple[str, ...], type[TaskPart]]:
        return super().tables() | {
            (): cls,
            ("labels",): GuardLabel,
            ("fields",): GuardField,
            ("fields", "values"): GuardValue,
            ("extra_turn",): ExtraTurn,
            ("vendor_score",): VendorScore,
            ("self_test",): SelfTest,
        }

    def _check_spellings(self) -> None:
        for key in _NOT_OURS:
            if key in self.given_keys:
                raise TaskError(f"{key} is no key of a guard's profile")
        names = [canonical(label.name) for label in self.labels]
        if len(set(names)) < len(names):
            raise TaskError("labels: a name comes twice")
        fields = {field.name: field for field in self.fields}
        for index, label in enumerate(self.labels):
            self._check_label(f"labels[{index}]", label, fields)
        for field in self.fields:
            listed = [label for label in self.labels if self._lists(field, label)]
            if listed:
                form = custom(separators=field.separators, empty=field.none, tolerate="strict")
                check_labels(listed, form)
            elif not field.values:
                raise TaskError(f"fields: no label is listed in {field.name!r}")
        _ = self.format

    def _check_label(self, where: str, label: GuardLabel, fields: Mapping[str, GuardField]) -> None:
        for name, values in label.values.items():
            known = {value.name for value in fields[name].values} if name in fields else set[str]()
            if missing := [value for value in values if value not in known]:
                raise TaskError(f"{where}.values: {name!r} has no value {missing[0]!r}")
        if self.one_by_one:
            if not label.policy and label.code is None:
                raise TaskError(f"{where}.policy is missing: the guard judges one at a time")
        elif not label.values and not any(self._lists(f, label) for f in self.fields):
            raise TaskError(f"{where}: name the field that lists it, or the values that mean it")

    def _lists(self, field: GuardField, label: GuardLabel) -> bool:
        """True if a field lists a label."""
        if field.values or label.values or self.one_by_one:
            return False
        lists = [one.name for one in self.fields if not one.values]
        return field.name == label.field or (label.field is None and lists == [field.name])

    # -- loading --------------------------------------------------------------------------------

    @classmethod
    def of(cls, guard: Guard | str | Path) -> Guard:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A guard as it is, or the one that a profile of this name or path holds."""
        return guard if isinstance(guard, Guard) else cls.load(guard)

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """The guard in a profile that comes with labelmass, or in a TOML file.

        Raises:
            TaskError: If there is none, or naming the key that is wrong.
        """
        if isinstance(source, str) and source in guards():
            return cls.from_toml(_PROFILES.read(source))
        path = Path(source)
        if not path.is_file():
            raise TaskError(
                f"no guard {str(source)!r}: neither a file nor one of {', '.join(guards())}"
                f"{nearest(str(source), guards())}"
            )
        try:
            return cls.from_toml(read_text(path), path.parent)
        except LabelMassError as error:
            raise TaskError(f"{source}: {error}") from None

    @classmethod
    def from_toml(cls, text: str, base_dir: str | Path = ".") -> Self:
        """The guard that a TOML text holds."""
        keys = parse_toml(text)
        if (base := keys.pop("extends", None)) is not None:
            if (name := str(base)) not in guards():
                raise TaskError(f"extends: there is no guard {name!r}")
            keys = parse_toml(_PROFILES.read(name)) | keys
        return cls.from_dict(keys, base_dir)

    @classmethod
    def from_dict(cls, keys: Mapping[str, Any], base_dir: str | Path = ".") -> Self:
        """The guard with these keys, as `to_dict` gives them or a profile holds them."""
        if "extends" in keys:
            raise TaskError("extends: only a profile in a file may extend another")
        return cls(**keys)

    def to_dict(self) -> dict[str, Any]:
        """Every key, for JSON."""
        return {key: value for key, value in super().to_dict().items() if key not in _NOT_OURS}

    @classmethod
    def for_model(cls, name: str) -> Self:
        """The guard for a model of this hub id or folder; TaskError if no profile names it.

        Raises:
            TaskError: Also where several do.
        """
        known = {guard: cls.load(guard) for guard in guards()}
        fitting = [guard for guard, profile in known.items() if _is_one_of(name, profile.models)]
        if len(fitting) != 1:
            several = f"several guards are for {name!r}" if fitting else f"no guard is for {name!r}"
            raise TaskError(f"{several}: name one with --guard: {', '.join(fitting or known)}")
        return known[fitting[0]]

    def with_policies(self, policies: Mapping[str, str]) -> Guard:
        """The same guard, judging by other policies: texts by the names that results give them.

        Raises:
            TaskError: If the guard does not judge by one policy at a time.
        """
        if not self.one_by_one:
            raise TaskError(f"{self.name} judges by categories of its own, not by a policy")
        labels = [{"name": name, "policy": text} for name, text in policies.items()]
        return type(self)(**self._given() | {"labels": labels})

    def accepting_any_template(self) -> Guard:
        """The same guard, to be asked through whatever chat template the model has."""
        return type(self)(**self._given() | {"accept_template": True})

    def with_options(self, **options: Any) -> Guard:
        """The guard as it is; TaskError for an option of a prompt, which is the profile's."""
        for name, value in options.items():
            if value is not None and not (name == "k" and value == 0) and name != "seed":
                raise TaskError(f"{name}: the prompt of guard {self.name!r} is its makers'")
        return self

    # -- what is asked --------------------------------------------------------------------------

    @property
    def open_keys(self) -> tuple[str, ...]:
        return ()

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        return ()

    def is_verified_for(self, model: str) -> bool:
        """True if the prompt was compared with the published one of a model of this name."""
        return _is_one_of(model, self.verified)

    def prompt_style_for(self, model: str) -> str:
        return f"guard {self.name}{'' if self.is_verified_for(model) else ' (unverified)'}"

    @property
    def passes(self) -> Mapping[Name, Guard]:
        """Guards that are put to the model for each record: one for each policy, if there are."""
        return self._passes

    @cached_property
    def _passes(self) -> dict[Name, Guard]:
        if not self.one_by_one or len(self.labels) == 1:
            return {ANSWER: self}
        keys = self._given()
        alone = [type(self)(**keys | {"labels": [label]}) for label in keys["labels"]]
        names = [ANSWER, *((*ANSWER, label.name) for label in self.labels[1:])]
        return dict(zip(names, alone, strict=True))

    @cached_property
    def format(self) -> FieldFormat:
        """The answer format, see `FieldFormat`."""
        fields = [
            AnswerField(
                field.name,
                field.lead,
                tuple(
                    Value(
                        value.name,
                        value.spellings or (value.name,),
                        value.risk,
                        self._labels_of(field, value),
                    )
                    for value in field.values
                ),
                tuple(i for i, label in enumerate(self.labels) if self._lists(field, label)),
                field.none,
                field.separators,
                field.single,
                tuple(field.when.items()),
                field.match,
                field.optional,
            )
            for field in self.fields
        ]
        return FieldFormat(
            "fields",
            opening=self.opening_text or "",
            closing=self.closing,
            escape_json=(self.opening_text or "").lstrip().startswith("{"),
            fields=tuple(fields),
            word_ends=self.word_ends,
        )

    def _labels_of(self, field: GuardField, value: GuardValue) -> tuple[int, ...]:
        """The labels that a value means."""
        return tuple(
            index
            for index, label in enumerate(self.labels)
            if value.name in label.values.get(field.name, ())
            or (self.one_by_one and not label.values and value.risk)
        )

    def _check_opening(self) -> None:
        pass

    def resolve(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The names of labels given by name, code or alias, and of those that they imply.

        A category implies a verdict where none is given: `PII` alone is unsafe, and with
        `controversial` it is not.
        """
        named = super().resolve(labels)
        by_name = {label.name: label for label in self.labels}
        given = [by_name[name] for name in named]
        judged = any(self._is_verdict(label) for label in given)
        implied = [
            label.name
            for label in self.labels
            if any(self._means(one, label) for one in given)
            or (label.implied and not judged and any(not one.values for one in given))
        ]
        return tuple(dict.fromkeys([*named, *implied]))

    def _is_verdict(self, label: GuardLabel) -> bool:
        """True if a value that the label means is a risk."""
        return any(
            value.risk and value.name in label.values.get(field.name, ())
            for field in self.fields
            for value in field.values
        )

    def _means(self, given: GuardLabel, other: GuardLabel) -> bool:
        """True if the values of one label are among those of another."""
        return bool(given.values) and all(
            set(values) <= set(other.values.get(field, ()))
            for field, values in given.values.items()
        )

    @cached_property
    def levels(self) -> tuple[tuple[Level, ...], ...]:
        if self.one_by_one:
            return tuple((Level(label.name, label.mode),) for label in self.labels)
        chains: list[list[GuardLabel]] = []
        for label in sorted(self.labels, key=lambda label: -sum(map(len, label.values.values()))):
            if not label.values:
                continue
            for chain in chains:
                if _is_narrower(label, chain[-1]):
                    chain.append(label)
                    break
            else:
                chains.append([label])
        return tuple(tuple(Level(label.name, label.mode) for label in chain) for chain in chains)

    # -- prompts --------------------------------------------------------------------------------

    @property
    def given_opening(self) -> str:
        return ""

    def side(self, record: Record) -> Side:
        """Whether a prompt or a response is judged in a record."""
        if record.messages is not None:
            last = [
                message.role for message in record.messages if message.role not in self.leave_out
            ]
            return "response" if last[-1:] == ["assistant"] else "prompt"
        return "prompt" if record.prompt is None else "response"

    def prompt(self, record: Record) -> Prompt:
        """Everything the model reads before it answers for this record.

        Raises:
            RecordError: If the guard does not judge, or cannot be shown, such a record.
        """
        if self.wording:
            raise TaskError(
                f"the wording of {self.name}'s prompt is its makers' ({self.wording}): write a "
                f'profile with extends = "{self.name}", wording = "" and their text in [record], '
                "and name it with --guard FILE"
            )
        side = self.side(record)
        if side not in self.judges:
            judged = " and ".join(f"a {one}" for one in self.judges)
            raise RecordError(f"guard {self.name} judges {judged}, and this record is a {side}")
        if self.turns == "record":
            prompt = super().prompt(self._without_left_out(record.shown))
            turns, chat = prompt.turns, prompt.chat
        else:
            turns, chat = self._turns(record.shown), True
        fields = self._policy(side)
        if self.extra_turn is not None:
            turns = (*turns, Turn(self.extra_turn.role, fill(self.extra_turn.text, fields)))
        code = self.labels[0].code or ""
        arguments = tuple(
            (name, _with(value, fields, code)) for name, value in self.arguments.items()
        )
        call = TemplateCall(arguments, self.content, folds=False)
        return Prompt(turns, chat=chat, template=call, prefill=self.prefill)

    def _policy(self, side: Side) -> dict[str, Sequence[Part]]:
        """Fields of the policy in texts of the profile."""
        label = self.labels[0]
        text = (side == "response" and label.response_policy) or label.policy
        return {"policy": (Part(text),), "policy_name": (Part(label.name),)}

    def _heads_for(self, record: Record) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return self.heads(self.instruction, self._policy(self.side(record)))

    def _without_left_out(self, record: Record) -> Record:
        if record.messages is None:
            return record
        kept = tuple(m for m in record.messages if m.role not in self.leave_out)
        if len(kept) == len(record.messages):
            return record
        if not kept:
            raise RecordError(f"messages holds none that guard {self.name} reads")
        return Record(record.id, messages=kept)

    def _turns(self, record: Record) -> tuple[Turn, ...]:
        """The conversation as the chat template takes it."""
        if record.text is not None:
            said = [("user", record.text)]
        elif record.messages is not None:
            messages = self._without_left_out(record).messages or ()
            said = [(message.role, message.content) for message in messages]
        else:
            said = [("user", record.prompt or ""), ("assistant", record.response or "")]
        if self.turns == "last" or (self.turns == "last-pair" and said[-1][0] == "user"):
            said = said[-1:]
        elif self.turns == "last-pair":
            said = said[-2:]
            if [role for role, _ in said] != ["user", "assistant"]:
                raise RecordError(
                    f"guard {self.name} judges a response with the user's message before it, and "
                    f"the record ends with {' and '.join(role for role, _ in said)}"
                )
        return tuple(Turn(role, (Part(text),)) for role, text in said)

    def spelt_delimiters(self, record: Record) -> tuple[str, ...]:
        """Delimiters of the prompt, plain text, that the record itself spells."""
        said = record.plain
        return tuple(text for text in self.delimiters if text in said)


def _is_narrower(label: GuardLabel, other: GuardLabel) -> bool:
    """True if a label means some of the values, of the same field, that another one means."""
    if label.values.keys() != other.values.keys() or len(label.values) != 1:
        return False
    (field,) = label.values
    return set(label.values[field]) < set(other.values[field])


def _is_one_of(name: str, ids: Iterable[str]) -> bool:
    """True if a hub id, or the end of a folder's path, is among ids; `*` stands for any text."""
    ends = {name.lower(), "/".join(Path(name).parts[-2:]).lower()}
    return any(fnmatchcase(end, one.lower()) for end in ends for one in ids)


def _with(value: Any, fields: Mapping[str, Sequence[Part]], code: str) -> object:
    """An argument of a template with the fields of the policy put in.

    A code is the profile's own and stays a text, so that a template can look it up.
    """
    if value == "{code}":
        return code
    if isinstance(value, str) and FIELD.search(value):
        parts = list(fill(value, fields))
        if len(parts) != 1:
            raise TaskError(f"arguments: {value!r} must be a field and nothing else")
        return parts[0]
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {key: _with(one, fields, code) for key, one in table.items()}
    if isinstance(value, list):
        return [_with(one, fields, code) for one in cast("list[Any]", value)]
    return value


def guards() -> dict[str, str]:
    """The guards that come with labelmass, each with its description."""
    return dict(_PROFILES.descriptions)


_PROFILES = ShippedFiles("guards")

_NOT_OURS = ("format", "question", "opening", "demonstrations", "unary", "binary")
"""Keys of a task that a profile does not have."""
