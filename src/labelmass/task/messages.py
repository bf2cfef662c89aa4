"""Messages of a conversation, in the shapes that chat interfaces and datasets give them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from labelmass.errors import RecordError
from labelmass.task.values import kind

ROLE_NAMES = {
    "user": "User",
    "assistant": "Agent",
    "system": "System",
    "developer": "Developer",
    "tool": "Tool",
}
"""Who may speak in a conversation, and what they are called in a prompt by default."""

ROLES = tuple(ROLE_NAMES)

_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
"""Types of content parts that are text, and the key that holds it."""

_NOT_TEXT = ("images", "image", "videos", "video", "audio")
"""Keys of a message that hold what is not text."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `role` is one of ROLES."""

    role: str
    content: str


def read_messages(value: Any) -> tuple[Message, ...]:
    """The messages in a list of {role, content}; values are plain, see `values.plain`.

    Content is a text, or a list of parts that are text, which are joined by line ends. Calls of
    tools stand below it, a line each: `name(arguments)`; content may then be null.
    RecordError naming what is missing, or is not text: nothing that was said is left out.
    """
    if not isinstance(value, list):
        raise RecordError(f"messages is {kind(value)}, not a list")
    results: list[Message] = []
    for index, item in enumerate(cast("list[Any]", value)):
        where = f"messages[{index}]"
        if not isinstance(item, Mapping):
            raise RecordError(f"{where} is {kind(item)}, not an object with 'role' and 'content'")
        message = cast("Mapping[str, Any]", item)
        if message.get("role") is None:
            raise RecordError(f"missing '{where}.role'")
        results.append(Message(message["role"], _content(message, where)))
    return tuple(results)


def _content(message: Mapping[str, Any], where: str) -> Any:
    for key in _NOT_TEXT:
        if message.get(key):
            raise RecordError(f"{where}.{key} is not text, and only text can be labelled")
    content = message.get("content")
    if content is None:
        content = message.get("refusal")
    if isinstance(content, list):
        parts = cast("list[Any]", content)
        content = "\n".join(_part(p, f"{where}.content[{at}]") for at, p in enumerate(parts))
    calls = list(_calls(message, where))
    if not calls:
        if content is None:
            raise RecordError(f"missing '{where}.content'")
        return content
    if content is not None and not isinstance(content, str):
        raise RecordError(f"{where}.content is {kind(content)}, not a text")
    return "\n".join([content, *calls] if content else calls)


def _part(part: Any, where: str) -> str:
    """The text of a content part."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        raise RecordError(f"{where} is {kind(part)}, not an object with 'type' and 'text'")
    part = cast("Mapping[str, Any]", part)
    name = part.get("type") or ("text" if "text" in part else "without a type")
    if not isinstance(name, str):
        raise RecordError(f"{where}.type is {kind(name)}, not a text")
    if name not in _TEXTS:
        raise RecordError(f"{where} is {name}, and only text can be labelled")
    text = part.get(_TEXTS[name])
    if not isinstance(text, str):
        raise RecordError(f"{where}.{_TEXTS[name]} is {kind(text)}, not a text")
    return text


def _calls(message: Mapping[str, Any], where: str) -> Iterator[str]:
    """Each call of a tool, as `name(arguments)`."""
    calls: Any = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise RecordError(f"{where}.tool_calls is {kind(calls)}, not a list")
    if message.get("function_call"):
        calls = [*cast("list[Any]", calls), message["function_call"]]
    for at, call in enumerate(cast("list[Any]", calls)):
        if isinstance(call, Mapping):
            call = cast("Mapping[str, Any]", call)
            function = call.get("function") or call
            if isinstance(function, Mapping):
                name, given = function.get("name"), function.get("arguments")
                if isinstance(name, str):
                    if not isinstance(given, str):
                        given = "" if given is None else json.dumps(given, ensure_ascii=False)
                    yield f"{name}({given})"
                    continue
        raise RecordError(f"{where}.tool_calls[{at}] has no function with a name")
