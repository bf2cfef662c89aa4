from __future__ import annotations

import pytest

from labelmass.errors import TaskError
from labelmass.task.formats import AnswerFormat, comma_list, custom, guard, json_list, polysyndeton
from labelmass.task.labels import Label, check_labels, resolve_spellings


def labels(*names: str) -> tuple[Label, ...]:
    return resolve_spellings([Label(name=name) for name in names], "name")


def test_a_label_is_written_as_its_name_or_its_code() -> None:
    label = Label(name="Hate", code="S10")
    assert resolve_spellings([label], "name")[0].spellings == ("Hate",)
    assert resolve_spellings([label], "code")[0].spellings == ("S10",)


def test_own_spellings_win() -> None:
    label = Label(name="Hate", code="S10", spellings=("hate", "hatred"))
    assert resolve_spellings([label], "code")[0].spellings == ("hate", "hatred")


def test_writing_codes_needs_codes() -> None:
    with pytest.raises(TaskError, match=r"labels\[1\].code is missing"):
        resolve_spellings([Label(name="a", code="A"), Label(name="b")], "code")


@pytest.mark.parametrize(
    ("names", "form", "message"),
    [
        ([], comma_list(), "labels is empty"),
        (["joy", ""], comma_list(), r"labels\[1\].name is empty"),
        (["joy", "  "], comma_list(), r"labels\[1\].name is empty"),
        (["joy", " fear"], comma_list(), r"labels\[1\].name is ' fear'"),
        (["joy", "a\nb"], comma_list(), r"labels\[1\].name .* one line"),
        (["joy", "fear", "joy"], comma_list(), r"labels\[2\].name is 'joy', .* labels\[0\]"),
        (["joy", "Joy"], comma_list(ignore_case=True), r"labels\[1\] \('Joy'\).*ignore_case"),
        (["none", "joy"], comma_list(), r"labels\[0\] \('none'\).*format.empty"),
        (["None"], comma_list(ignore_case=True), "format.empty"),
        (["unsafe", "hate"], guard(), "format.verdict_prefix"),
        (["salt", "pepper", "salt, pepper"], comma_list(), r"labels\[2\].*reads as a list"),
        (["a", "b", "a and the b"], polysyndeton(), r"labels\[2\].*reads as a list"),
        (["x", "x)y"], custom(item="({label}", closing=")"), r"labels\[1\].*format.closing"),
        (["a;b"], comma_list(stops=(";",)), "stop text ';'"),
    ],
)
def test_labels_that_cannot_be_used(names: list[str], form: AnswerFormat, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        check_labels(labels(*names), form)


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (["joy", "Joy"], comma_list()),  # case tells them apart
        (["S1", "S10"], guard()),  # a beginning is no defect
        (["salt", "salt, pepper"], comma_list()),  # pepper alone is no label
        (["salt", "pepper", "salt, pepper"], json_list()),  # quotation marks part them
        (["salt and pepper", "salt"], polysyndeton()),
        (["a, b", "a", "b"], comma_list(single=True)),  # no lists to mistake it for
    ],
)
def test_labels_that_can(names: list[str], form: AnswerFormat) -> None:
    check_labels(labels(*names), form)


def test_codes_and_spellings_are_checked_too() -> None:
    twice = resolve_spellings([Label(name="a", code="S1"), Label(name="b", code="S1")], "name")
    with pytest.raises(TaskError, match=r"labels\[1\].code is 'S1'"):
        check_labels(twice, comma_list())
    shared = (Label(name="a", spellings=("a", "x")), Label(name="b", spellings=("b", "x")))
    with pytest.raises(TaskError, match=r"labels\[1\].*both written 'x'"):
        check_labels(shared, comma_list())
    crossed = resolve_spellings([Label(name="a", code="b"), Label(name="b")], "name")
    with pytest.raises(TaskError, match=r"labels\[0\].code is 'b', the name of labels\[1\]"):
        check_labels(crossed, comma_list())
