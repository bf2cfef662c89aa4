"""What is read of one tree: steps, their kinds, p_r, Z_r and P(stop), by hand."""

from __future__ import annotations

import math

import pytest

from analysis.scripted_lists import LABELS, answer_of, everything, tree_of
from helpers.trees import build_tree
from labelmass.analysis import Item, Kind, read_answer
from labelmass.answers.search import Budget, Requirements
from labelmass.answers.tree import Ending
from labelmass.errors import MethodError
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list, guard, json_list


def test_two_steps_by_hand() -> None:
    tree = tree_of(
        {
            (): {"joy": 0.6, "fear": 0.2, "none": 0.1},
            ("joy",): {"anger": 0.5, "fear": 0.3, "joy": 0.1},
        },
        {("joy",): 0.3, ("joy", "anger"): 0.8},
    )
    answer = answer_of(tree, gold=["anger"], order=["fear", "joy", "anger", "pride"])
    assert answer.complete and not answer.empty
    assert answer.labels == answer.written == (0, 2)
    assert answer.order == (1, 0, 2, 3) and answer.alphabetical == (2, 1, 0, 3)
    assert answer.gold == {2}
    first, last = answer.label_steps
    assert (first.number, first.kind, first.label) == (1, Kind.INTERMEDIATE, 0)
    assert (last.number, last.kind, last.label) == (2, Kind.LAST, 2)
    assert first.p == pytest.approx([6 / 9, 2 / 9, 0, 0, 1 / 9])
    assert last.p == pytest.approx([1 / 9, 3 / 9, 5 / 9, 0, 0])
    assert first.non_label_mass == pytest.approx(0.1)
    assert first.width == pytest.approx(0)
    assert (first.stop, last.stop) == (pytest.approx(0.3), pytest.approx(0.8))
    assert first.second() == 1
    assert first.second(frozenset({1})) == 4
    assert last.second(frozenset({0, 1})) is None


def test_an_empty_answer_is_a_step_of_its_own_kind() -> None:
    answer = answer_of(tree_of({(): {"none": 0.7, "joy": 0.3}}, {}))
    (label_step,) = answer.label_steps
    assert answer.complete and answer.empty and answer.written == ()
    assert (label_step.kind, label_step.label, label_step.stop) == (Kind.EMPTY, None, None)
    assert label_step.second() == 4  # the top itself, as no label is written


def test_a_path_that_leaves_the_format_ends_in_a_lost_step() -> None:
    tree = tree_of(
        {(): {"joy": 0.9}, ("joy",): {"fear": 0.2}, ("joy", "fear"): {}}, {("joy",): 0.1}
    )
    tree_off = everything(
        ScriptedLanguageModel(
            {
                "": {"joy": 1.0},
                "joy": {", ": 1.0},
                "joy, ": {"sad": 0.6, "fear": 0.4},
                "joy, fear": {"<end>": 1.0},
            }
        ),
        comma_list(blanks="", separators=(", ",)),
        LABELS,
    )
    answer = answer_of(tree_off)
    assert answer.ending is Ending.OFF_FORMAT
    assert [label_step.kind for label_step in answer.label_steps] == [Kind.INTERMEDIATE, Kind.LOST]
    lost = answer.label_steps[1]
    assert lost.p == pytest.approx([0, 1, 0, 0, 0])
    assert lost.non_label_mass == pytest.approx(0.6)
    assert answer.following(answer.label_steps[0]) is None
    assert answer_of(tree).labels == (0, 1)


def test_nothing_to_read_where_no_label_can_come() -> None:
    model = ScriptedLanguageModel({"": {"sad": 1.0}})
    (label_step,) = answer_of(everything(model, comma_list(blanks=""), LABELS)).label_steps
    assert (
        label_step.p is None
        and label_step.kind is Kind.LOST
        and label_step.non_label_mass == pytest.approx(1)
    )


def test_a_budget_that_stops_everything_leaves_an_open_step() -> None:
    model = ScriptedLanguageModel({"": {"joy": 1.0}, "joy": {"<end>": 1.0}})
    tree = build_tree(
        model, comma_list(), list(LABELS), Budget(max_seconds=1e-9), Requirements(label_tries=None)
    )
    answer = answer_of(tree)
    (label_step,) = answer.label_steps
    assert answer.ending is Ending.CUT
    assert (label_step.kind, label_step.p, label_step.width) == (Kind.LOST, None, 1.0)
    assert label_step.non_label_mass == pytest.approx(0.5)  # anything in [0, 1]


def test_open_mass_widens_the_interval_and_is_in_no_share() -> None:
    model = ScriptedLanguageModel(
        {"": {"joy": 0.5, "fear": 0.3, "anger": 0.1}} | {one: {"<end>": 1.0} for one in LABELS},
        top_only=2,
    )
    label_step = answer_of(everything(model, comma_list(blanks=""), LABELS)).label_steps[0]
    # 0.2 of the first row did not come, and may be any label or none
    assert label_step.width == pytest.approx(0.2)
    assert label_step.p == pytest.approx([5 / 8, 3 / 8, 0, 0, 0])
    assert label_step.non_label_mass == pytest.approx(0.1)


def test_what_the_format_cannot_write_has_no_share_of_what_is_open() -> None:
    model = ScriptedLanguageModel(
        {
            "": {"joy": 1.0},
            "joy": {", ": 0.9, "<end>": 0.1},
            "joy, ": {"fear": 0.6, "anger": 0.2},
            "joy, fear": {"<end>": 1.0},
        },
        top_only=1,
    )
    fmt = comma_list(blanks="", repeats="off-format")
    first, last = answer_of(everything(model, fmt, LABELS)).label_steps
    assert last.p is not None
    assert last.p[4] == 0 and last.p[0] == 0  # none, and a label already written
    assert last.width == pytest.approx(0.4)  # what did not come may be one of the other three
    assert first.stop == pytest.approx(0.05) and first.stop_width == pytest.approx(0.1)


def test_a_repeat_is_written_again_and_adds_no_label() -> None:
    rows = {(): {"joy": 0.9}, ("joy",): {"joy": 0.9}, ("joy", "joy"): {"fear": 0.9}}
    answer = answer_of(tree_of(rows, {("joy",): 0.1, ("joy", "joy"): 0.1}))
    assert answer.written == (0, 0, 1) and answer.labels == (0, 1)
    assert answer.before(answer.label_steps[2]) == {0}


def test_one_token_may_write_a_label_and_the_next() -> None:
    script = {
        "": {"joy": 1.0},
        "joy": {", fear, ": 0.7, "<end>": 0.3},
        "joy, fear, ": {"anger": 1.0},
        "joy, fear, anger": {"<end>": 0.6, ", ": 0.4},
    }
    answer = answer_of(everything(ScriptedLanguageModel(script), comma_list(blanks=""), LABELS))
    assert answer.written == (0, 1, 2)
    assert [label_step.number for label_step in answer.label_steps] == [1, 3]
    assert answer.label_step(2) is None
    assert answer.label_steps[0].stop == pytest.approx(0.3)
    assert answer.following(answer.label_steps[0]) == 1


def test_one_token_may_write_a_label_the_next_and_the_end() -> None:
    script = {
        "": {'{"label": ["joy': 1.0},
        '{"label": ["joy': {'", "fear"]}': 0.7, '"]}': 0.3},
    }
    answer = answer_of(everything(ScriptedLanguageModel(script), json_list(), LABELS))
    assert answer.complete and answer.written == (0, 1)
    (label_step,) = answer.label_steps
    assert label_step.kind is Kind.INTERMEDIATE and label_step.stop == pytest.approx(0.3)


def test_a_separator_that_may_begin_the_end() -> None:
    """One label a line, an empty line at the end: after `\\n` the answer may still stop."""
    script = {
        "": {"joy": 1.0},
        "joy": {"\n": 1.0},
        "joy\n": {"\n": 0.7, "fear": 0.3},
        "joy\nfear": {"\n\n": 1.0},
    }
    fmt = comma_list(blanks="", separators=("\n",), stops=("\n\n",))
    answer = answer_of(everything(ScriptedLanguageModel(script), fmt, LABELS))
    assert answer.complete
    (label_step,) = answer.label_steps
    assert label_step.kind is Kind.LAST and label_step.stop == pytest.approx(0.7)


def test_json_and_guard_formats() -> None:
    script = {
        "": {'{"label": [': 1.0},
        '{"label": [': {'"joy': 0.75, "]}": 0.25},
        '{"label": ["joy': {'"]}': 0.4, '", "': 0.6},
        '{"label": ["joy", "': {"fear": 1.0},
        '{"label": ["joy", "fear': {'"]': 0.8, '", "': 0.2},
        '{"label": ["joy", "fear"]': {"}": 0.6},  # stopped, whatever follows
    }
    answer = answer_of(everything(ScriptedLanguageModel(script), json_list(), LABELS))
    assert [label_step.kind for label_step in answer.label_steps] == [Kind.INTERMEDIATE, Kind.LAST]
    assert [label_step.stop for label_step in answer.label_steps] == pytest.approx([0.4, 0.8])
    assert answer.label_steps[0].p == pytest.approx([0.75, 0, 0, 0, 0.25])
    script = {
        "": {"unsafe\n": 0.8, "safe": 0.2},
        "unsafe\n": {"S1": 1.0},
        "unsafe\nS1": {"0": 0.5, ",": 0.35, "<end>": 0.15},
        "unsafe\nS10": {"<end>": 0.9, ",": 0.1},
        "safe": {"<end>": 1.0},
    }
    answer = answer_of(everything(ScriptedLanguageModel(script), guard(), ["S1", "S10"]))
    (label_step,) = answer.label_steps
    assert label_step.p == pytest.approx([0.4, 0.4, 0.2])
    assert answer.labels == (1,) and label_step.stop == pytest.approx(0.9)


def test_the_first_tokens_of_a_list_are_the_same_as_those_of_a_longer_name() -> None:
    script = {
        "": {"joy": 1.0},
        "joy": {"<end>": 0.5, ", ": 0.2, "ful": 0.3},
        "joyful": {"<end>": 1.0},
    }
    answer = answer_of(
        everything(ScriptedLanguageModel(script), comma_list(blanks=""), ["joy", "joyful"])
    )
    assert answer.label_steps[0].stop == pytest.approx(0.5 / 0.7)


def test_trees_without_label_tries_are_refused() -> None:
    model = ScriptedLanguageModel({"": {"joy": 1.0}, "joy": {"<end>": 1.0}})
    tree = build_tree(model, comma_list(), list(LABELS))
    with pytest.raises(MethodError, match="--keep-trees"):
        read_answer(Item(tree, None, LABELS))


def test_the_share_of_nothing_is_null() -> None:
    from labelmass.analysis.counts import Share, Spread, plain

    assert plain({1: Share(0, 0), "s": Spread.of([])}) == {
        "1": {"share": None, "hits": 0, "of": 0},
        "s": {"n": 0, "mean": None},
    }
    spread = Spread.of([3.0, 1.0, 2.0, 4.0])
    assert (spread.n, spread.mean, spread.median) == (4, 2.5, 2.5)
    assert math.isclose(plain(spread)["q25"], 1.75)
    assert str(Share(1, 3)) == "33.3% (3)"
