"""Tasks whose prompt keeps the labels, or the form of the answer, from the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelmass
from conftest import TASK, mood_model
from helpers.property_tests import property_test
from labelmass import LabelMassWarning
from labelmass.task import Task, presets

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.toml"))
LABELS, FORM = "none of its 2 labels", "does not show how an answer is written"
SHOWN = [{"text": "It is down.", "labels": ["outage"]}, {"text": "Hi.", "labels": ["billing"]}]


def task(**keys: Any) -> Task:
    shared: dict[str, Any] = {
        "name": "tickets",
        "labels": ["billing", "outage"],
        "format": "json",
        "instruction": "Which topics does this ticket raise?",
    }
    return Task(**shared | keys)


@pytest.mark.parametrize("k", [None, 0])
@pytest.mark.parametrize("name", [*presets(), *map(str, EXAMPLES)])
def test_what_comes_with_labelmass_says_enough(name: str, k: int | None) -> None:
    assert Task.load(name).with_options(k=k).warnings == ()


def test_a_question_without_labels_or_form() -> None:
    labels, form = task().warnings
    assert LABELS in labels and "{labels}" in labels
    assert FORM in form and '{"label": ["billing", "outage"]}' in form


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ({"instruction": "Topics of {labels}?"}, [FORM]),
        ({"instruction": "Topics? {label_names}"}, [FORM]),
        ({"system": "Know {label_names}."}, [FORM]),
        ({"system": "Know {labels}.", "instruction_in": "system"}, [FORM]),
        ({"record": "Billing or outage? {text}"}, [FORM]),
        ({"instruction": 'Topics? Answer {"label": [...]}.'}, [LABELS]),
        ({"opening": "given"}, [LABELS]),
        ({"opening": "given", "instruction": "Billing, or an outage?"}, []),
        ({"demonstrations": SHOWN}, []),
        ({"demonstrations": SHOWN[:1]}, ["only 1 of its 2 labels, not 'billing'"]),
        ({"demonstrations": {"examples": SHOWN, "k": 0}}, [LABELS, FORM]),
        ({"demonstrations": {"examples": SHOWN, "k": 1, "choice": "similar"}}, []),
        ({"format": "comma"}, [LABELS, FORM]),
        ({"format": "comma", "instruction": "Topics, or none?"}, [LABELS]),
        ({"format": "comma", "instruction": "Themen {labels}, durch Kommas getrennt"}, []),
        ({"format": "comma", "instruction": "Topics? Such as billing, outage."}, []),
        ({"format": "comma", "instruction": "Topics, if any, of {labels}"}, [FORM]),
        ({"format": "polysyndeton", "instruction": "Topics of {labels}, or nothing"}, []),
        ({"format": "guard", "instruction": "Is this safe?\n{labels}"}, []),
        ({"format": {"kind": "comma", "single": True}, "instruction": "Outage? Billing?"}, []),
        ({"format": {"kind": "comma", "separators": ["\n"]}}, [LABELS, FORM]),
        ({"chat": False}, [LABELS, FORM]),
        # A plain-text prompt that says something may be for a model that was trained on it.
        ({"chat": False, "format": "comma", "instruction": "Topics, or none."}, []),
        ({"chat": False, "instruction": "Billing?"}, []),
    ],
)
def test_what_is_missing(keys: dict[str, Any], missing: list[str]) -> None:
    found = task(**keys).warnings
    assert len(found) == len(missing)
    assert all(part in warning for part, warning in zip(missing, found, strict=True))


@pytest.mark.parametrize(
    ("labels", "instruction", "shown"),
    [
        (["S1", "S10"], "S10 or not? {}", ["S10"]),
        (["a", "b"], "What does this raise, b? {}", ["b"]),
        (["喜悦", "悲伤"], "文本表达喜悦和悲伤吗？{}", ["喜悦", "悲伤"]),
        (["Joy", "Sad"], "joyful or sad? {}", ["Joy", "Sad"]),
        (["cafe\u0301", "x y"], "Caf\u00e9? {}", ["cafe\u0301"]),
    ],
)
def test_which_labels_are_shown(labels: list[str], instruction: str, shown: list[str]) -> None:
    found = task(labels=labels, instruction=instruction).warnings
    unseen = [label for label in labels if label not in shown]
    assert [all(repr(label) in one for label in unseen) for one in found] == [True] * bool(unseen)


@property_test(60)
@given(
    labels=st.lists(st.text("ab1 é", min_size=1, max_size=4), min_size=1, max_size=4, unique=True),
    kind=st.sampled_from(["json", "comma", "guard", "polysyndeton"]),
    chat=st.booleans(),
)
def test_no_warning_where_labels_and_an_answer_stand_in_the_prompt(
    labels: list[str], kind: str, chat: bool
) -> None:
    """Whatever the labels and the format, a list of the labels and one whole answer are enough."""
    try:
        made = task(labels=labels, format=kind, chat=chat, instruction="?")
    except labelmass.TaskError:
        return
    answer = made.answer(made.label_names)
    told = task(labels=labels, format=kind, chat=chat, instruction=f"{{labels}}\nSuch as {answer}")
    if len(labels) > 1 or kind != "comma":  # one name alone shows no form
        assert told.warnings == ()


def test_python_is_warned_once_and_before_scoring() -> None:
    made = task(chat=False, format="comma")
    with pytest.warns(LabelMassWarning) as caught:
        labelmass.score(["x"], made, mood_model())
    assert [LABELS in str(one.message) for one in caught] == [True, False]
    assert all("task 'tickets'" in str(one.message) for one in caught)
    assert {one.filename for one in caught} == {__file__}
    labelmass.score(["x"], Task.from_toml(TASK), mood_model())  # warnings are errors here
