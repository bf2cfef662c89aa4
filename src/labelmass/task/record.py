"""Records: what is labelled, and how one stands in the prompt."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from labelmass._text import nearest
from labelmass.errors import RecordError, TaskError
from labelmass.task.keys import TaskPart
from labelmass.task.prompt import Part

ROLES = ("user", "assistant", "system")
"""Who may speak in a conversation."""

_FORMS = "'text', 'messages', or 'prompt' and 'response'"
FIELD = re.compile(r"\{([a-z_]+)\}")
"""A field of a template."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `role` is one of ROLES."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to label: a text, or a conversation, or a prompt and the response to it.

    id: how results call it.
    extra: fields of the input that are none of ours, untouched.
    Raises RecordError unless exactly one of the three forms is given, and not empty.
    """

    id: str | int
    text: str | None = None
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    response: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

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
    def from_dict(cls, obj: object, line: int) -> Record:
        """The record that a line of JSON holds; its id is `line` where it has none.

        Raises RecordError naming the field.
        """
        if not isinstance(obj, Mapping):
            raise RecordError(f"the record is {_kind(obj)}, not an object with {_FORMS}")
        fields = dict(cast("Mapping[str, Any]", obj))
        name = fields.pop("id", None)
        if isinstance(name, bool) or not isinstance(name, str | int | None):
            raise RecordError(f"id is {_kind(name)}, not a text or a whole number")
        texts = {key: fields.pop(key, None) for key in ("text", "prompt", "response")}
        messages = fields.pop("messages", None)
        return cls(
            id=line if name is None or name == "" else name,
            messages=None if messages is None else tuple(_read_messages(messages)),
            extra=fields,
            **texts,
        )

    @property
    def plain(self) -> str:
        """All its texts, a line each."""
        texts = (self.text, self.prompt, self.response, *(m.content for m in self.messages or ()))
        return "\n".join(text for text in texts if text is not None)

    @property
    def digest(self) -> str:
        """16 hex digits of what the record says, whatever its id and other fields."""
        said = [self.text, self.prompt, self.response]
        said += [text for m in self.messages or () for text in (m.role, m.content)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """The record as `from_dict` reads it."""
        fields: dict[str, Any] = {"id": self.id}
        for key in ("text", "prompt", "response"):
            if getattr(self, key) is not None:
                fields[key] = getattr(self, key)
        if self.messages is not None:
            fields["messages"] = [
                {"role": message.role, "content": message.content} for message in self.messages
            ]
        return fields | dict(self.extra)


def _read_messages(value: Any) -> Iterable[Message]:
    if not isinstance(value, list):
        raise RecordError(f"messages is {_kind(value)}, not a list")
    for index, item in enumerate(cast("list[Any]", value)):
        where = f"messages[{index}]"
        if not isinstance(item, Mapping):
            raise RecordError(f"{where} is {_kind(item)}, not an object with 'role' and 'content'")
        message = cast("Mapping[str, Any]", item)
        for key in ("role", "content"):
            if message.get(key) is None:
                raise RecordError(f"missing '{where}.{key}'")
        yield Message(message["role"], message["content"])


def _check_text(text: object, key: str) -> None:
    if text is None:
        return
    if not isinstance(text, str):
        raise RecordError(f"{key} is {_kind(text)}, not a text")
    if not text.strip():
        raise RecordError(f"{key} is empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RecordError(
            f"{key} is not valid Unicode: lone surrogate U+{ord(text[error.start]):04X} "
            f"at character {error.start}"
        ) from None


def _kind(value: object) -> str:
    """What a JSON value is, in a reader's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


class RecordTemplates(TaskPart):
    """How one record stands in the prompt, by its form.

    text: for a text; `{text}` and `{last}`.
    pair: for a prompt and its response; `{prompt}`, `{response}` and `{last}`.
    conversation: for messages; `{messages}` and `{last}`.
    message, message_separator: one message of a conversation, `{role}` and `{content}`, and what
        stands between two.
    roles: what user, assistant and system are called there; `{last}` is who spoke last, so called.
    """

    text: str = "{text}"
    pair: str = "User: {prompt}\n\nAgent: {response}"
    conversation: str = "{messages}"
    message: str = "{role}: {content}"
    message_separator: str = "\n\n"
    roles: dict[Literal["user", "assistant", "system"], str] = Field(
        default_factory=lambda: {"user": "User", "assistant": "Agent", "system": "System"}
    )

    @field_validator("roles")
    @classmethod
    def _all_roles(cls, roles: dict[str, str]) -> dict[str, str]:
        missing = [role for role in ROLES if not roles.get(role)]
        if missing:
            raise TaskError(f"record.roles.{missing[0]} is missing: name {', '.join(ROLES)}")
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
        roles = {role: (Part(name, trusted=True),) for role, name in self.roles.items()}
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
    found = FIELD.findall(template)
    for name in found:
        if name not in known:
            fields = ", ".join(f"{{{each}}}" for each in known)
            raise TaskError(
                f"{key} holds the unknown field {{{name}}}{nearest(name, known)} (fields: {fields})"
            )
    for name in needs:
        if name not in found:
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
