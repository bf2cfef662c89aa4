"""Conversations in the shapes they come in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from labelmass.errors import RecordError, TaskError
from labelmass.task import Record, Task

CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
}


def said(*messages: Any) -> list[tuple[str, str]]:
    record = Record.from_dict({"messages": list(messages)}, 1)
    return [(message.role, message.content) for message in record.messages or ()]


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def test_parts_that_are_text_are_read() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "input_text", "text": "two"}, "three"]
    assert said(user(parts)) == [("user", "one\ntwo\nthree")]
    assert said(user([{"text": "bare"}])) == [("user", "bare")]
    refusal = {"role": "assistant", "content": None, "refusal": "No."}
    assert said(refusal) == [("assistant", "No.")]
    assert said(user([{"type": "refusal", "refusal": "No."}])) == [("user", "No.")]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (
            user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}]),
            r"messages\[0\].content\[1\] is image_url, and only text can be labelled",
        ),
        (user([{"type": "input_audio"}]), "is input_audio, and only text"),
        (user("look", images=["x.png"]), r"messages\[0\].images is not text"),
        (user([3]), r"content\[0\] is a number, not an object"),
        (user([{"type": "text", "text": None}]), r"content\[0\].text is null, not a text"),
        (user([]), r"messages\[0\].content is empty"),
        (user({"a": 1}), r"messages\[0\].content is an object, not a text"),
        ({"role": "user"}, r"missing 'messages\[0\].content'"),
        ({"content": "a"}, r"missing 'messages\[0\].role'"),
        ({"role": "narrator", "content": "a"}, "role is 'narrator': one of user, assistant"),
        ({"role": "assistant", "tool_calls": [{"id": 1}]}, r"tool_calls\[0\] has no function"),
        ({"role": "assistant", "tool_calls": "x"}, r"tool_calls is a text, not a list"),
    ],
)
def test_what_is_not_text_is_refused_by_name(message: Any, error: str) -> None:
    with pytest.raises(RecordError, match=error):
        said(message)


def test_calls_of_tools_are_said() -> None:
    short = {"name": "time", "arguments": {"zone": "é"}}
    assert said({"role": "assistant", "content": None, "tool_calls": [CALL, short]}) == [
        ("assistant", 'weather({"city": "Rome"})\ntime({"zone": "é"})')
    ]
    both = {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]}
    assert said(both) == [("assistant", 'Let me see.\nweather({"city": "Rome"})')]
    older = {"role": "assistant", "content": None, "function_call": {"name": "now"}}
    assert said(older) == [("assistant", "now()")]
    assert said(user("a", tool_calls=None)) == said(user("a", tool_calls=[])) == [("user", "a")]


def test_tools_and_developers_have_their_names_in_the_prompt() -> None:
    talk = [
        {"role": "developer", "content": "Be kind."},
        user("Weather?"),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "sunny", "tool_call_id": "c1"},
    ]
    keys = {"name": "t", "labels": ["a"], "instruction": "?", "format": "comma"}
    task = Task(**keys)
    text = task.prompt(Record.from_dict({"messages": talk}, 1)).turns[-1].text
    assert text.endswith(
        'Developer: Be kind.\n\nUser: Weather?\n\nAgent: weather({"city": "Rome"})\n\nTool: sunny'
    )
    roles = {"user": "U", "assistant": "A", "system": "S"}
    named = Task(**keys, record={"roles": roles | {"tool": "T"}})
    text = named.prompt(Record.from_dict({"messages": talk}, 1)).turns[-1].text
    assert "Developer: Be kind." in text and text.endswith("T: sunny")
    # A task that says nothing of them is the task it was.
    default = {"user": "User", "assistant": "Agent", "system": "System"}
    assert Task(**keys, record={"roles": default}).hash == task.hash
    with pytest.raises(TaskError, match=r"record\.roles\.tool is missing"):
        Task(**keys, record={"roles": roles | {"tool": ""}})


def test_arrays_and_tuples_hold_messages_too() -> None:
    talk = [user("a"), {"role": "assistant", "content": "b"}]
    plain = Record.from_dict({"messages": talk}, 1)
    for held in (np.array(talk, dtype=object), tuple(talk)):
        assert Record.from_dict({"messages": held}, 1) == plain
    parts = np.array([{"type": "text", "text": "a"}], dtype=object)
    assert said({"role": "user", "content": parts}) == [("user", "a")]


def test_messages_are_given_back_as_they_came() -> None:
    rich = [{"role": "assistant", "content": None, "tool_calls": [CALL]}]
    record = Record.from_dict({"id": "x", "messages": rich}, 1)
    assert record.to_dict() == {"id": "x", "messages": rich}
    again = Record.from_dict(json.loads(json.dumps(record.to_dict())), 1)
    assert (again, again.digest) == (record, record.digest)
    assert record.plain == 'weather({"city": "Rome"})'
