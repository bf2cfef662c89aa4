"""A task: what is asked of a model, and how its answer is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import Field, ValidationError, field_validator, model_validator

from labelmass._settings import expect
from labelmass._text import canonical, nearest
from labelmass.errors import LabelMassError, RecordError, TaskError
from labelmass.files import parse_json, parse_toml, read_text, shaped
from labelmass.task.default_prompt import FORMAT, INSTRUCTION, answer_form, default_question
from labelmass.task.demonstrations import Demonstration, Demonstrations, read_demonstrations
from labelmass.task.formats import AnswerFormat
from labelmass.task.keys import (
    FORMER_KEYS,
    TaskPart,
    explain,
    format_of,
    format_table,
    with_keys,
)
from labelmass.task.labels import (
    FORMER_LABEL_KEYS,
    LABEL_PERMUTATIONS,
    Label,
    LabelEntry,
    Level,
    check_labels,
    label_line,
    ordered,
    resolve_spellings,
)
from labelmass.task.layout import chat_turns, plain_turn, under
from labelmass.task.prompt import ANSWER, Name, Part, Prompt
from labelmass.task.record import Record, RecordTemplates, check_template, fill
from labelmass.task.shipped import ShippedFiles
from labelmass.task.warnings import prompt_warnings
from labelmass.task.wording import BinaryWording, UnaryWording


class Task(TaskPart):
    """A labelling task: labels, answer format, instruction, demonstrations, and prompt layout.

    The keys are those of a task file. Every defect raises TaskError, which names the key.

    Attributes:
        name, description: For people; they change no number.
        labels: Names, or tables with name, code, description, spellings, aliases; see `Label`.
        write: Part of a label that an answer holds by default, its name or its code.
        format: A kind ("json", "comma", "guard", "polysyndeton", "custom"), or a table of `kind`
            and options, see `AnswerFormat`; `false` for empty, verdict_prefix or closing means that
            there is none.
        question: What is asked about the labels, for `{question}`; None for one that suits the
            format.
        instruction, system: Texts with the fields `{labels}` (one label a line, with descriptions),
            `{label_names}` (in one line), `{question}` and `{answer_form}` (how an answer is
            written, with an example); instruction_in puts the instruction in the first user turn or
            in the system prompt. Without an instruction, `open_keys` says what is left open.
        record: Templates of a record in the prompt, see `RecordTemplates`; a text is its `text`.
        chat: Turns for the model's chat template, or one plain text. In plain text, answer_cue
            comes between a record and its answer, and demonstration_separator after each block; it
            also ends the answer where the format has neither closing nor stop text.
        opening: "written" leaves the whole answer to the model; "given" puts format.opening in its
            mouth, or opening_text, which must leave the empty answer possible if there is one.
        label_order: Order of the labels in the prompt, or all their names in order; results keep
            the order of `labels`.
        seed: Seed of the shuffled order and of the choice of demonstrations.
        demonstrations: A list of records with `labels`, or a table, see `Demonstrations`; in a task
            file the table may name a JSONL `file`, relative to it.
        ignored: Names in data (demonstrations, gold, annotators) that stand for no label of this
            task; `*` for any text.
        unary, binary: Wording of the questions that these methods ask, see `task/wording.py`.
    """

    name: str = "labels"
    description: str = ""
    labels: tuple[LabelEntry, ...]
    write: Literal["name", "code"] = "name"
    format_table: dict[str, object] = Field(alias="format", default={"kind": FORMAT})
    question: str | None = None
    instruction: str = INSTRUCTION
    instruction_in: Literal["user", "system"] = "user"
    system: str | None = None
    record: RecordTemplates = RecordTemplates()
    chat: bool = True
    answer_cue: str = "\nAnswer:\n"
    demonstration_separator: str = Field(default="\n\n", min_length=1)
    opening: Literal["given", "written"] = "written"
    opening_text: str | None = None
    label_order: str | tuple[str, ...] = "given"
    seed: int = 0
    demonstrations: Demonstrations = Demonstrations()
    ignored: tuple[str, ...] = ()
    unary: UnaryWording = UnaryWording()
    binary: BinaryWording = BinaryWording()

    template_fields: ClassVar[tuple[str, ...]] = (
        "labels",
        "label_names",
        "question",
        "answer_form",
    )
    """Fields of an instruction."""
    is_guard: ClassVar[bool] = False
    """Whether the prompt and the answer are those that a guard model was trained on."""

    def __init__(self, **keys: Any) -> None:
        try:
            super().__init__(**keys)
        except ValidationError as error:
            raise TaskError(explain(error, self.tables())) from None

    @classmethod
    def tables(cls) -> dict[tuple[str, ...], type[TaskPart]]:
        """The models of the tables of a task file, by the keys that lead to them."""
        return _TABLES

    def __repr__(self) -> str:
        shown = len(self._shared)
        return (
            f"Task {self.name!r}: {len(self.labels)} labels, {self.format.name} answers, "
            f"{shown} demonstration{'' if shown == 1 else 's'}, hash {self.hash}"
        )

    __str__ = __repr__

    # -- checks ---------------------------------------------------------------------------------

    @field_validator("name", "description")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if "\n" in text:
            raise ValueError("must be one line")
        return text

    @field_validator("format_table", mode="before")
    @classmethod
    def _as_table(cls, value: Any) -> Any:
        return format_table(value)

    @field_validator("record", mode="before")
    @classmethod
    def _as_templates(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @field_validator("demonstrations", mode="before")
    @classmethod
    def _as_pool(cls, value: Any) -> Any:
        return {"examples": cast("Any", value)} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        _set(self, labels=resolve_spellings(self.labels, self.write))
        self._check_spellings()
        order, known = self.label_order, "', '".join(LABEL_PERMUTATIONS)
        whole = isinstance(order, tuple) and _names(order) == _names(self.label_names)
        if order not in LABEL_PERMUTATIONS and not whole:
            raise TaskError(f"label_order: must be '{known}', or every label once, not {order!r}")
        for key in ("instruction", "system"):
            check_template(getattr(self, key) or "", key, self.template_fields)
        self._check_opening()
        examples = [
            example.model_copy(update={"labels": self._named(example, f"demonstrations[{index}]")})
            for index, example in enumerate(self.demonstrations.examples)
        ]
        pool = self.demonstrations.model_copy(update={"examples": tuple(examples)})
        pool.check_enough()  # of the labels of this task
        _set(self, demonstrations=pool)
        return self

    def _check_spellings(self) -> None:
        check_labels(self.labels, self.format)

    def _check_opening(self) -> None:
        if self.opening == "written":
            if self.opening_text is not None:
                raise TaskError('opening_text needs opening = "given"')
            return
        given = self.given_opening
        if self.format.empty is not None and not self.format.write([]).startswith(given):
            raise TaskError(
                f"opening_text {given!r} shuts out the empty answer {self.format.write([])!r}: "
                f"give less, or say format.empty = false if every record has a label"
            )
        if not any(self.answer([label.name]).startswith(given) for label in self.labels):
            raise TaskError(f"opening_text {given!r} is not the beginning of any answer")

    def _named(self, example: Demonstration, where: str) -> tuple[str, ...]:
        try:
            names = self.resolve(example.labels)
            self.answer(names)
        except TaskError as error:
            raise TaskError(f"{where}.labels: {error}") from None
        return names

    # -- loading and saving ---------------------------------------------------------------------

    @classmethod
    def of(cls, task: Task | str | Path) -> Task:
        """A task as it is, or the one that a preset or a file of this name holds."""
        return task if isinstance(task, Task) else cls.load(task)

    @classmethod
    def from_labels(
        cls, labels: Sequence[str] | Mapping[str, str], question: str | None = None
    ) -> Task:
        """A task of labels alone; the prompt is chosen for the model that it is asked of.

        Args:
            labels: Names; or a mapping of names to descriptions of one line.
            question: What is asked about them, such as "Which topics does this ticket raise?".
        """
        if isinstance(labels, str):
            raise TaskError(f"labels is the text {labels!r:.60}: give a list of names")
        if isinstance(labels, Mapping):
            entries = [{"name": name, "description": text} for name, text in labels.items()]
        else:
            entries = [{"name": name} for name in labels]
        return cls(labels=entries, question=question)

    @classmethod
    def load(cls, source: str | Path) -> Task:
        """The task in a TOML file (or in the JSON of `to_dict`), or the preset of that name."""
        expect(
            "task", source, (str, Path), "a Task, the name of a preset or a task file", TaskError
        )
        path = Path(source)
        if isinstance(source, str) and source in presets():
            return cls.from_toml(_PRESETS.read(source))
        if not path.is_file():
            raise TaskError(
                f"no task {str(source)!r}: neither a file nor a preset"
                f"{nearest(str(source), presets())} (presets: {', '.join(presets())})"
            )
        try:
            text = read_text(path)
        except LabelMassError as error:
            raise TaskError(str(error)) from None
        try:
            if path.name.endswith(".json"):
                return cls.from_dict(shaped(dict[str, Any], parse_json(text)))
            return cls.from_toml(text, Path(source).parent)
        except LabelMassError as error:
            raise TaskError(f"{source}: {error}") from None

    @classmethod
    def from_toml(cls, text: str, base_dir: str | Path = ".") -> Task:
        """The task a TOML text holds; the files it names are relative to `base_dir`."""
        try:
            keys = parse_toml(text)
        except RecordError as error:
            raise TaskError(f"not TOML: {error}") from None
        return cls.from_dict(keys, base_dir)

    @classmethod
    def from_dict(cls, keys: Mapping[str, Any], base_dir: str | Path = ".") -> Task:
        """The task with these keys, as `to_dict` gives them or a task file holds them."""
        if "fields" in keys and not cls.is_guard:
            from labelmass.task.guard import Guard

            return Guard.from_dict(keys, base_dir)
        keys = dict(keys)
        table = keys.get("demonstrations")
        if isinstance(table, Mapping) and "file" in table:
            table = dict(cast("Mapping[str, Any]", table))
            if "examples" in table:
                raise TaskError("demonstrations holds both file and examples: keep one")
            file = table.pop("file")
            if not isinstance(file, str):
                raise TaskError("demonstrations.file must be the path of a JSONL file")
            table["examples"] = read_demonstrations(Path(base_dir) / file)
            keys["demonstrations"] = table
        return cls(**keys)

    def to_dict(self) -> dict[str, Any]:
        """Every key, for JSON; the demonstrations themselves are in it, so no file is needed."""
        keys = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name in ("unary", "binary"):  # as it is by default, it is not worth a word
            if getattr(self, name) == type(self).model_fields[name].default:
                del keys[name]
        return keys

    def with_keys(self, **keys: object) -> Task:
        """The same task with some keys of a task file put anew."""
        return Task(**self._given() | keys)

    def _given(self) -> dict[str, Any]:
        """The keys that were given, so that `open_keys` stay open in a task made of them."""
        return {key: value for key, value in self.to_dict().items() if key in self.given_keys}

    @cached_property
    def hash(self) -> str:
        """12 hex digits that change with anything but `name` and `description`."""
        keys = {key: value for key, value in self.to_dict().items() if key not in _DESCRIPTIVE}
        # by the keys of the first version, so that no hash changes with a word
        if "format" in keys:
            keys["format"] = with_keys(keys["format"], FORMER_KEYS)
        keys["labels"] = [with_keys(label, FORMER_LABEL_KEYS) for label in keys["labels"]]
        text = json.dumps(keys, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_options(
        self,
        *,
        k: int | None = None,
        label_order: str | Sequence[str] | None = None,
        seed: int | None = None,
        chat: bool | None = None,
        opening: str | None = None,
        demonstrations: str | Path | Sequence[Mapping[str, Any]] | None = None,
        multi_share: float | None = None,
        choice: str | None = None,
    ) -> Task:
        """The same task otherwise put; None leaves an option as it is.

        Args:
            k: Number of demonstrations.
            seed: Seed of all that is drawn, the demonstrations' own included.
            demonstrations: A JSONL file of records with `labels`, or such records, in place of the
                task's own; those that are shown to every record become the task's.
            multi_share: See `Demonstrations`.
            choice: See `Demonstrations`.
        """
        keys = self._given()
        shown: dict[str, Any] = dict(keys.get("demonstrations", {}))
        options = {"label_order": label_order, "seed": seed, "chat": chat, "opening": opening}
        keys |= {key: value for key, value in options.items() if value is not None}
        if opening == "written":
            keys.pop("opening_text", None)
        if seed is not None:
            shown.pop("seed", None)
        if demonstrations is not None:
            paths = isinstance(demonstrations, str | Path)
            shown["examples"] = (
                read_demonstrations(Path(demonstrations)) if paths else list(demonstrations)
            )
        drawn = {"k": k, "multi_share": multi_share, "choice": choice}
        shown |= {key: value for key, value in drawn.items() if value is not None}
        task = Task(**keys | ({"demonstrations": shown} if shown else {}))
        if demonstrations is None or task.demonstrations.varies:
            return task
        return Task(**task._given() | {"demonstrations": task._shared})

    # -- answers --------------------------------------------------------------------------------

    @cached_property
    def format(self) -> AnswerFormat:
        """The answer format, as answers to this task's prompts are read."""
        form = format_of(self.format_table)
        if not self.chat and form.closing is None and not form.stops:
            return replace(form, stops=(self.demonstration_separator,))
        return form

    @property
    def open_keys(self) -> tuple[str, ...]:
        """The keys of the prompt that a task without an instruction leaves to be chosen."""
        if "instruction" in self.given_keys:
            return ()
        return tuple(key for key in _PROMPT_KEYS if key not in self.given_keys)

    @property
    def given_keys(self) -> frozenset[str]:
        """The keys of a task file that were given, not left to their defaults."""
        return frozenset(
            type(self).model_fields[name].alias or name for name in self.model_fields_set
        )

    def prompt_style_for(self, model: str) -> str:
        """What signatures say of the prompt: its style, if it was chosen or is a guard's own."""
        return self.prompt_style if self.instruction == INSTRUCTION else ""

    @property
    def prompt_style(self) -> str:
        """The form of answers and what helps a model to stay in it, in words."""
        parts = [f"{self.format.name} answers", "chat" if self.chat else "plain text"]
        if self.given_opening:
            parts.append("opening given")
        count = len(self._shared)
        parts.append(f"{count} demonstration{'' if count == 1 else 's'}")
        return ", ".join(parts)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def spellings(self) -> list[list[str]]:
        """Spellings of each label in an answer; the first is written, all are read."""
        return [list(label.spellings) for label in self.labels]

    def resolve(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The names of labels given by name, code, spelling or pooled name, each once, in order.

        What `ignored` matches and the word of the empty answer (format.empty) are left out.
        """
        results = dict.fromkeys(self.resolve_all(word) for word in labels)
        return tuple(name for name in results if name is not None)

    def resolve_all(self, word: str) -> str | None:
        """The label that a name in data stands for, None for no label; TaskError if unknown."""
        name = canonical(word)
        if name not in self._indices and (
            name == self.format.empty
            or any(fnmatchcase(name, canonical(rule)) for rule in self.ignored)
        ):
            return None
        return self.labels[self._index(word)].name

    def answer(self, labels: Sequence[str]) -> str:
        """The answer that lists these labels, given by name or code, in this order."""
        return self.format.write([self.labels[self._index(name)].spellings[0] for name in labels])

    @cached_property
    def _indices(self) -> dict[str, int]:
        results: dict[str, int] = {}
        labels = list(enumerate(self.labels))
        for index, label in labels:
            results[canonical(label.name)] = index
        for index, label in labels:
            for word in (label.code, *label.spellings, *label.aliases):
                if word is not None:
                    results.setdefault(canonical(word), index)
        return results

    def _index(self, word: str) -> int:
        index = self._indices.get(canonical(word))
        if index is None:
            raise TaskError(f"no label {word!r}{nearest(word, self._indices)}")
        return index

    # -- prompts --------------------------------------------------------------------------------

    def require_one_answer(self, what: str) -> None:
        """TaskError if each label has an answer of its own, where one to all of them is needed."""
        if len(self.passes) > 1:
            raise TaskError(
                f"{what} needs one answer to all labels, and {self.name} is asked about one at a "
                "time: evaluate, calibrate and tune its scores"
            )

    @property
    def passes(self) -> Mapping[Name, Task]:
        """Tasks that are put to the model for each record, by the name of their trees."""
        return {ANSWER: self}

    @cached_property
    def levels(self) -> tuple[tuple[Level, ...], ...]:
        """Verdicts of a guard, each as its levels of risk: the label of the widest first."""
        return ()

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Warnings on what the prompt does not show the model: labels, or the form of the answer.

        See `task/warnings.py`. They change no number.
        """
        return prompt_warnings(self)

    @property
    def given_opening(self) -> str:
        """The beginning of the answer that is given to the model; "" if it writes all of it."""
        if self.opening == "written":
            return ""
        return self.format.opening if self.opening_text is None else canonical(self.opening_text)

    def prompt(self, record: Record) -> Prompt:
        """Everything the model reads before it answers for this record.

        What records share stands first.

        Raises:
            RecordError: If the record leaves too few demonstrations to draw from.
        """
        shown = self._shared
        if self.demonstrations.varies:
            shown = self.demonstrations.choose(self.seed, record)
        blocks = [
            (self.record.render(example.record), Part(self.answer(example.labels)))
            for example in shown
        ]
        asked = self.record.render(record)
        heads = self._heads_for(record)
        if self.chat:
            turns = chat_turns(*heads, blocks, asked)
        else:
            turns = plain_turn(*heads, blocks, asked, *self.joints)
        return Prompt(turns, opening=self.given_opening, chat=self.chat)

    @cached_property
    def _shared(self) -> tuple[Demonstration, ...]:
        return self.demonstrations.choose(self.seed)

    @property
    def joints(self) -> tuple[Part, Part]:
        """In plain text: what comes between a record and its answer, and after each block."""
        cue, between = self.answer_cue, self.demonstration_separator
        return Part(cue, trusted=True), Part(between, trusted=True)

    def _heads_for(self, record: Record) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return self._heads

    @cached_property
    def _heads(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        return self.heads(self.instruction)

    def heads(
        self, instruction: str, further: Mapping[str, Sequence[Part]] | None = None
    ) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        """The system prompt, and what stands before the first record.

        further: fields of the templates besides those of the task.
        """
        labels = ordered(self.labels, self.label_order, self.seed)
        lines = [label_line(label, self.write) for label in labels]
        texts: dict[str, Sequence[Part]] = {
            "labels": [Part("\n".join(lines))],
            "label_names": [Part(", ".join(label.spellings[0] for label in labels))],
            "question": [Part(self.question or default_question(self.format))],
        } | dict(further or {})
        if "answer_form" in self.template_fields:
            texts["answer_form"] = [Part(answer_form(self.format, labels))]
        system, head = fill(self.system or "", texts), fill(instruction, texts)
        if self.instruction_in == "system":
            return under(system, head), ()
        return system, head


def presets() -> dict[str, str]:
    """The names of the tasks that come with labelmass, each with its description."""
    return dict(_PRESETS.descriptions)


_PRESETS = ShippedFiles("presets")


def _names(labels: Iterable[str]) -> list[str]:
    """As names are compared, whatever their order."""
    return sorted(map(canonical, labels))


_DESCRIPTIVE = ("name", "description")

_PROMPT_KEYS = ("format", "chat", "opening", "demonstrations")
"""Keys that help a model to stay in the format."""


def _set(task: Task, **values: Any) -> None:
    """Put checked values in place while the task is being made."""
    for key, value in values.items():
        object.__setattr__(task, key, value)


_TABLES: dict[tuple[str, ...], type[TaskPart]] = {
    (): Task,
    ("labels",): Label,
    ("record",): RecordTemplates,
    ("demonstrations",): Demonstrations,
    ("demonstrations", "examples"): Demonstration,
    ("unary",): UnaryWording,
    ("binary",): BinaryWording,
}
"""The models of a task's tables, for the names of their keys."""
