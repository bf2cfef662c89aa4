"""Tasks that are only labels: what is asked, what is left open, and what demonstrations say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass import Record, Task, TaskError
from labelmass.task.default_prompt import MAX_DEMONSTRATIONS, label_demonstrations

NAMES = ["billing", "bug report", "how-to"]


def asked(task: Task) -> str:
    (turn,) = task.prompt(Record(id=1, text="The record.")).turns
    return turn.text


def test_labels_are_enough_for_a_task_and_leave_its_prompt_open() -> None:
    task = Task.from_labels(NAMES)
    assert task.label_names == tuple(NAMES)
    assert task.open_keys == ("format", "chat", "opening", "demonstrations")
    assert not task.warnings


def test_the_prompt_shows_question_labels_and_form() -> None:
    text = asked(Task.from_labels({"billing": "money matters", "how-to": ""}, "Which fit?"))
    assert text == (
        "Which fit?\n\n- billing: money matters\n- how-to\n\n"
        'Answer in this form and write nothing else: {"label": ["billing", "how-to"]}\n'
        'If no label fits: {"label": []}\n\nThe record.'
    )


@pytest.mark.parametrize(
    ("format", "question"),
    [
        ({"kind": "comma"}, "There may be none"),
        ({"kind": "comma", "empty": False}, "at least one"),
        ({"kind": "comma", "empty": False, "single": True}, "fits the text best"),
    ],
)
def test_the_question_suits_the_format(format: dict[str, object], question: str) -> None:
    task = Task.from_dict({"labels": NAMES, "format": format})
    assert question in asked(task) and not task.warnings


def test_what_is_given_is_not_open() -> None:
    task = Task.from_dict({"labels": NAMES, "format": "comma", "demonstrations": []})
    assert task.open_keys == ("chat", "opening")
    assert task.with_options(chat=False).open_keys == ("opening",)
    assert Task.from_dict({"labels": NAMES, "instruction": "{labels}"}).open_keys == ()
    assert Task.from_dict(task.to_dict()).open_keys == ()


def test_a_file_of_labels_alone_is_a_task() -> None:
    task = Task.from_toml('labels = ["billing", "how-to"]')
    assert task == Task.from_labels(["billing", "how-to"]) and task.open_keys


def test_one_text_is_no_list_of_labels() -> None:
    with pytest.raises(TaskError, match="a list of names"):
        Task.from_labels("billing, how-to")


@given(
    names=st.lists(
        st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, max_size=30, unique=True
    ),
    format=st.sampled_from(
        [
            {"kind": "json"},
            {"kind": "comma"},
            {"kind": "comma", "empty": False},
            {"kind": "comma", "empty": False, "single": True},
        ]
    ),
)
def test_demonstrations_name_the_labels_that_they_answer(
    names: list[str], format: dict[str, object]
) -> None:
    task = Task.from_dict({"labels": names, "format": format})
    examples = label_demonstrations(task.labels, task.format)
    assert 0 < len(examples) <= MAX_DEMONSTRATIONS
    for example in examples:
        words = example["text"].rstrip(".").split()
        assert [name for name in names if name in words] == example["labels"]
    assert len(task.with_keys(demonstrations=examples).prompt(Record(id=1, text="x")).turns) == (
        2 * len(examples) + 1
    )


def test_a_description_stands_for_its_label() -> None:
    task = Task.from_labels({"S1": "violent crime"})
    first = label_demonstrations(task.labels, task.format)[0]
    assert first == {"text": "My question is about violent crime.", "labels": ["S1"]}
