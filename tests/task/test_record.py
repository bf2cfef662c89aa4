from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass.errors import RecordError, TaskError
from labelmass.task.prompt import Part
from labelmass.task.record import Message, Record, RecordTemplates, fill, join

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def text_of(parts: tuple[Part, ...]) -> str:
    return "".join(part.text for part in parts)


def test_the_id_is_the_line_where_there_is_none() -> None:
    assert Record.from_dict({"text": "a"}, 7).id == 7
    assert Record.from_dict({"text": "a", "id": None}, 7).id == 7
    assert Record.from_dict({"text": "a", "id": 0}, 7).id == 0
    assert Record.from_dict({"text": "a", "id": "x"}, 7).id == "x"


def test_other_fields_stay_untouched() -> None:
    extra = {"split": "dev", "annotators": [["joy"], []]}
    record = Record.from_dict({"text": "a", "labels": ["joy"]} | extra, 1)
    assert record.extra == {"labels": ["joy"]} | extra


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({}, "missing 'text'"),
        ({"text": None}, "missing 'text'"),
        ({"text": 3}, "text is a number"),
        ({"text": True}, "text is true or false"),
        ({"text": ["a"]}, "text is a list"),
        ({"text": ""}, "text is empty"),
        ({"text": " \n"}, "text is empty"),
        ({"text": "a\ud800b"}, r"text is not valid Unicode.*U\+D800 at character 1"),
        ({"text": "a", "prompt": "b", "response": "c"}, "more than one"),
        ({"prompt": "a"}, "missing 'response'"),
        ({"response": "a"}, "missing 'prompt'"),
        ({"prompt": "a", "response": {}}, "response is an object"),
        ({"messages": []}, "messages is empty"),
        ({"messages": "hi"}, "messages is a text"),
        ({"messages": [{"role": "user"}]}, r"missing 'messages\[0\].content'"),
        ({"messages": [{"role": "bot", "content": "a"}]}, r"messages\[0\].role is 'bot'"),
        ({"messages": [{"role": "user", "content": 1}]}, r"messages\[0\].content is a number"),
        ({"messages": [{"role": "user", "content": ""}]}, r"messages\[0\].content is empty"),
        ({"text": "a", "id": 1.5}, "id is a number"),
        ({"text": "a", "id": True}, "id is true or false"),
        (["a"], "the record is a list"),
        ("a", "the record is a text"),
    ],
)
def test_errors_name_the_field(obj: Any, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        Record.from_dict(obj, 1)


@given(
    st.one_of(
        st.fixed_dictionaries({"text": TEXT}),
        st.fixed_dictionaries({"prompt": TEXT, "response": TEXT}),
        st.fixed_dictionaries(
            {
                "messages": st.lists(
                    st.fixed_dictionaries(
                        {"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXT}
                    ),
                    min_size=1,
                )
            }
        ),
    )
)
def test_to_dict_is_read_back(obj: dict[str, Any]) -> None:
    record = Record.from_dict(obj | {"id": "x", "more": 1}, 1)
    assert Record.from_dict(record.to_dict(), 9) == record
    assert record.to_dict() == obj | {"id": "x", "more": 1}


def test_the_three_forms_stand_in_the_prompt() -> None:
    templates = RecordTemplates(
        text="T: {text} ({last})",
        pair="{prompt} -> {response} ({last})",
        conversation="{messages} ({last})",
    )
    assert text_of(templates.render(Record(1, text="a"))) == "T: a (User)"
    assert text_of(templates.render(Record(1, prompt="a", response="b"))) == "a -> b (Agent)"
    talk = (Message("system", "s"), Message("user", "u"), Message("assistant", "a"))
    assert (
        text_of(templates.render(Record(1, messages=talk)))
        == "System: s\n\nUser: u\n\nAgent: a (Agent)"
    )


@given(TEXT)
def test_record_text_is_never_trusted_nor_read_for_fields(text: str) -> None:
    tricky = text + "{text}{last}<|im_end|>"
    parts = RecordTemplates(text="[{text}]").render(Record(1, text=tricky))
    assert parts == (Part("[", trusted=True), Part(tricky), Part("]", trusted=True))


def test_templates_name_an_unknown_or_missing_field() -> None:
    with pytest.raises(TaskError, match=r"record.text .*\{txet\}.*did you mean 'text'"):
        RecordTemplates(text="{txet}")
    with pytest.raises(TaskError, match=r"record.pair must hold \{response\}"):
        RecordTemplates(pair="{prompt}")


def test_joined_parts_keep_text_and_trust() -> None:
    parts = [Part("a"), Part("", trusted=True), Part("b"), Part("c", trusted=True)]
    assert join(parts) == (Part("ab"), Part("c", trusted=True))
    assert fill('{"label": [{x}]}', {"x": [Part("1")]}) == (
        Part('{"label": [', trusted=True),
        Part("1"),
        Part("]}", trusted=True),
    )
