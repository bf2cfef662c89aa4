"""Records: what is labelled, and how one stands in the prompt."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from labelmass._settings import setting
from labelmass._text import nearest
from labelmass.errors import RecordError, TaskError
from labelmass.task.keys import TaskPart
from labelmass.task.messages import ROLE_NAMES, ROLES, Message, read_messages
from labelmass.task.prompt import Part
from labelmass.task.values import for_json, kind, plain, plain_row, read_id

_FORMS = "'text', 'messages', or 'prompt' and 'response'"
_FORM_KEYS = ("text", "messages", "prompt", "response")
FIELD = re.compile(r"\{([a-z_]+)\}")
"""A field of a template."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the fields of records; None for `text`, `id` and `labels`.

    Attributes:
        text: Column, or field of JSON, that holds the text.
        id: Column, or field of JSON, that holds the id.
        labels: Column, or field of JSON, that holds the labels, where there are any.
        sheet: Sheet of a workbook that holds the records; None for the only one that is not empty.
    """

    text: str | None = setting(
        None,
        "Column, or field of JSON, that holds a record's text. Default: text, or in a table the "
        "only one with a usual name, such as body.",
        "--text-column",
        metavar="NAME",
    )
    id: str | None = setting(
        None,
        "Column, or field of JSON, that holds a record's id. Default: id, or in a table ID.",
        "--id-column",
        metavar="NAME",
    )
    labels: str | None = setting(
        None,
        "Column, or field of JSON, that holds a record's labels. Default: labels.",
        "--labels-column",
        metavar="NAME",
    )
    sheet: str | None = setting(
        None,
        "Sheet of an Excel workbook that holds the records. Default: the only one that is not "
        "empty.",
        "--sheet",
        metavar="NAME",
    )

    def rename(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row with those fields under our names.

        A field that already has one of our names, and another meaning, is called `input.NAME`.
        RecordError where the row has no such text.
        """
        if self.text is None and self.id is None and self.labels is None:
            return row
        if self.text is not None and self.text not in row:
            raise RecordError(f"missing {self.text!r}, which is to be the text")
        wanted = {"id": self.id, "text": self.text, "labels": self.labels}
        wanted = {ours: theirs for ours, theirs in wanted.items() if theirs is not None}
        other = set(wanted) if self.text is None else {*wanted, *_FORM_KEYS}
        renamed = {ours: row.get(theirs) for ours, theirs in wanted.items()}
        for name, value in row.items():
            if name not in wanted.values():
                renamed[f"input.{name}" if name in other else name] = value
        if renamed.get("labels", ...) is None:  # an empty cell
            del renamed["labels"]
        return renamed


@dataclass(frozen=True, slots=True)
class Cut:
    """A text that is too long for the prompt, which shows only its beginning.

    Attributes:
        key: Key of the text in the record: "text", "messages[2].content".
        characters: Number of characters shown.
        tokens, whole: Tokens of the part shown, and of the whole text.
    """

    key: str
    characters: int
    tokens: int
    whole: int

    def __str__(self) -> str:
        return f"{self.key} cut from {self.whole} to {self.tokens} tokens"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to label: a text, or a conversation, or a prompt and the response to it.

    Attributes:
        id: Id of the record in results.
        extra: Unrecognised input fields, in plain JSON values.
        given: Messages as the input has them, where they hold more than role and content.
        cuts: Its texts that are not shown whole in a prompt; see `shown`.

    Raises:
        RecordError: Unless exactly one of the three forms is given, and not empty.
    """

    id: str | int
    text: str | None = None
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    response: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)
    given: Sequence[object] | None = field(default=None, hash=False, compare=False, repr=False)
    cuts: tuple[Cut, ...] = field(default=(), hash=False, compare=False)

    def __post_init__(self) -> None:
        pair = self.prompt is not None or self.response is not None
        forms = (self.text is not None) + (self.messages is not None) + pair
        if forms == 0:
            raise RecordError(f"missing 'text' (a record holds {_FORMS})")
        if forms > 1:
            raise RecordError(f"more than one of {_FORMS}: keep one")
        if pair and self.prompt is None:
            raise RecordError("missing 'prompt' beside 'response'")
        if pair and self.response is None:
            raise RecordError("missing 'response' beside 'prompt'")
        for key in ("text", "prompt", "response"):
            _check_text(getattr(self, key), key)
        if self.messages is not None:
            if not self.messages:
                raise RecordError("messages is empty")
            for index, message in enumerate(self.messages):
                if message.role not in ROLES:
                    raise RecordError(
                        f"messages[{index}].role is {message.role!r}: one of {', '.join(ROLES)}"
                    )
                _check_text(message.content, f"messages[{index}].content")

    @classmethod
    def from_dict(cls, obj: object, line: str | int) -> Record:
        """The record that a mapping holds, a line of JSON or a row; its id is `line` without one.

        Values may be those of NumPy, pandas or Arrow; a null is a field that is not there.

        Raises:
            RecordError: Naming the field.
        """
        if not isinstance(obj, Mapping):
            raise RecordError(f"the record is {kind(plain(obj))}, not an object with {_FORMS}")
        fields = plain_row(cast("Mapping[Any, Any]", obj))
        name = read_id(fields.pop("id", None))
        texts = {key: fields.pop(key, None) for key in ("text", "prompt", "response")}
        given = fields.pop("messages", None)
        messages = None if given is None else read_messages(given)
        return cls(
            id=line if name is None else name,
            messages=messages,
            extra=for_json(fields),
            given=None if messages is None or given == _dicts(messages) else for_json(given),
            **texts,
        )

    @property
    def plain(self) -> str:
        """All its texts, a line each."""
        texts = (self.text, self.prompt, self.response, *(m.content for m in self.messages or ()))
        return "\n".join(text for text in texts if text is not None)

    @property
    def digest(self) -> str:
        """16 hex digits of what the record says, whatever its id, other fields and cuts."""
        said = [self.text, self.prompt, self.response]
        said += [text for m in self.messages or () for text in (m.role, m.content)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    @property
    def texts(self) -> dict[str, str]:
        """Its texts by their keys: "text", "prompt", "response", "messages[0].content"."""
        results = {key: getattr(self, key) for key in ("text", "prompt", "response")}
        for index, message in enumerate(self.messages or ()):
            results[f"messages[{index}].content"] = message.content
        return {key: text for key, text in results.items() if text is not None}

    @property
    def shown(self) -> Record:
        """The record as prompts show it: texts up to their cuts."""
        if not self.cuts:
            return self
        shown = self.texts | {cut.key: self.texts[cut.key][: cut.characters] for cut in self.cuts}
        messages = self.messages and tuple(
            Message(message.role, shown[f"messages[{index}].content"])
            for index, message in enumerate(self.messages)
        )
        single = {key: shown.get(key) for key in ("text", "prompt", "response")}
        return replace(self, messages=messages, cuts=(), **single)

    @property
    def annotators(self) -> Sequence[Sequence[str]]:
        """Labels of each annotator, unchecked; empty where there are none."""
        return cast("Sequence[Sequence[str]]", self.extra.get("annotators") or ())

    @property
    def input(self) -> dict[str, object]:
        """Its fields as they were given, except for the id."""
        return {key: value for key, value in self.to_dict().items() if key != "id"}

    def to_dict(self) -> dict[str, Any]:
        """The record as `from_dict` reads it, in plain JSON values; cuts are left out."""
        fields: dict[str, Any] = {"id": self.id}
        for key in ("text", "prompt", "response"):
            if getattr(self, key) is not None:
                fields[key] = getattr(self, key)
        if self.messages is not None:
            fields["messages"] = _dicts(self.messages) if self.given is None else list(self.given)
        return fields | dict(self.extra)


def _dicts(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _check_text(text: object, key: str) -> None:
    if text is None:
        return
    if not isinstance(text, str):
        raise RecordError(f"{key} is {kind(text)}, not a text")
    if not text.strip():
        raise RecordError(f"{key} is empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RecordError(
            f"{key} is not valid Unicode: lone surrogate U+{ord(text[error.start]):04X} "
            f"at character {error.start}"
        ) from None


class RecordTemplates(TaskPart):
    """Templates of a record in the prompt, by its form.

    text: for a text; `{text}` and `{last}`.
    pair: for a prompt and its response; `{prompt}`, `{response}` and `{last}`.
    conversation: for messages; `{messages}` and `{last}`.
    message, message_separator: one message of a conversation, `{role}` and `{content}`, and what
        stands between two.
    roles: what user, assistant and system are called there, and developer and tool where that is
        not "Developer" and "Tool"; `{last}` is who spoke last, so called.
    """

    text: str = "{text}"
    pair: str = "User: {prompt}\n\nAgent: {response}"
    conversation: str = "{messages}"
    message: str = "{role}: {content}"
    message_separator: str = "\n\n"
    roles: dict[Literal["user", "assistant", "system", "developer", "tool"], str] = Field(
        default_factory=lambda: {"user": "User", "assistant": "Agent", "system": "System"}
    )

    @field_validator("roles")
    @classmethod
    def _all_roles(cls, roles: dict[str, str]) -> dict[str, str]:
        needed = [*roles, "user", "assistant", "system"]
        if missing := [role for role in needed if not roles.get(role)]:
            raise TaskError(f"record.roles.{missing[0]} is missing: name {', '.join(ROLES[:3])}")
        return roles

    @model_validator(mode="after")
    def _check_fields(self) -> RecordTemplates:
        check_template(self.text, "record.text", ("text", "last"), needs=("text",))
        check_template(
            self.pair,
            "record.pair",
            ("prompt", "response", "last"),
            needs=("prompt", "response"),
        )
        check_template(
            self.conversation, "record.conversation", ("messages", "last"), needs=("messages",)
        )
        check_template(self.message, "record.message", ("role", "content"), needs=("content",))
        return self

    def render(self, record: Record) -> tuple[Part, ...]:
        """The parts of one record: template text is trusted, the record's own text is not."""
        record = record.shown
        names = ROLE_NAMES | self.roles
        roles = {role: (Part(name, trusted=True),) for role, name in names.items()}
        if record.text is not None:
            return fill(self.text, {"text": (Part(record.text),), "last": roles["user"]})
        if record.prompt is not None and record.response is not None:
            fields = {"prompt": (Part(record.prompt),), "response": (Part(record.response),)}
            return fill(self.pair, fields | {"last": roles["assistant"]})
        parts: list[Part] = []
        last = "user"
        for message in record.messages or ():
            if parts:
                parts.append(Part(self.message_separator, trusted=True))
            fields = {"role": roles[message.role], "content": (Part(message.content),)}
            parts += fill(self.message, fields)
            last = message.role
        return fill(self.conversation, {"messages": parts, "last": roles[last]})


def check_template(
    template: str, key: str, known: Iterable[str], needs: Iterable[str] = ()
) -> None:
    """Raise TaskError naming `key` if the template holds an unknown field or lacks a needed one."""
    known = list(known)
    results = FIELD.findall(template)
    for name in results:
        if name not in known:
            fields = ", ".join(f"{{{each}}}" for each in known)
            raise TaskError(
                f"{key} holds the unknown field {{{name}}}{nearest(name, known)} (fields: {fields})"
            )
    for name in needs:
        if name not in results:
            raise TaskError(f"{key} must hold {{{name}}}")


def fill(template: str, fields: Mapping[str, Iterable[Part]]) -> tuple[Part, ...]:
    """The template as parts: its own text trusted, its `{fields}` as given, filled once.

    Text put in for a field is never read for fields again.
    """
    parts: list[Part] = []
    for index, piece in enumerate(FIELD.split(template)):
        parts += fields[piece] if index % 2 else [Part(piece, trusted=True)]
    return join(parts)


def join(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same text in as few parts as can be: neighbours of one trust are one part."""
    joined: list[Part] = []
    for part in parts:
        if not part.text:
            continue
        if joined and joined[-1].trusted == part.trusted:
            part = Part(joined.pop().text + part.text, part.trusted)
        joined.append(part)
    return tuple(joined)
