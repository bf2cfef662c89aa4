"""Each analysis on a few answers, with values worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from analysis.scripted_lists import LABELS, answer_of, everything, tree_of, writes
from labelmass.analysis import Item, Kind, Share, demo_sweep, diagnose, read_answer
from labelmass.analysis.order import kendall, label_order, order_accuracy
from labelmass.analysis.outputs import endings, multi_label, repeats
from labelmass.analysis.profile import profile
from labelmass.analysis.ranking import never_predicted, rank_consistency, second_label
from labelmass.analysis.spikiness import entropy, spikiness
from labelmass.analysis.stopping import stopping
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list, json_list

LOST = tree_of({(): {"joy": 0.8, "fear": 0.2}, ("joy",): {}}, {("joy",): 0.2})
"""Writes joy, goes on, and leaves the format."""


def test_spikiness_groups_none_and_lost_steps_apart() -> None:
    answers = [
        answer_of(tree)
        for tree in (
            writes("joy", "anger", second=["fear", "fear"], p=0.6, q=0.3),  # p: 2/3, 1/3
            writes("joy", second=["fear"], p=0.9, q=0.1),
            writes(),
            LOST,
        )
    ]
    found = spikiness(answers)
    middle, last = found.kinds[Kind.INTERMEDIATE], found.kinds[Kind.LAST]
    assert (middle.steps, last.steps) == (2, 2)
    assert found.kinds[Kind.EMPTY].steps == found.kinds[Kind.LOST].steps == 1
    assert middle.top.mean == pytest.approx((2 / 3 + 0.8) / 2)
    assert middle.gap.mean == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert last.second.mean == pytest.approx((1 / 3 + 0.1) / 2)
    assert last.non_label_mass.mean == pytest.approx((0.1 + 0.0) / 2)
    assert last.entropy.mean == pytest.approx(
        sum(p * math.log2(1 / p) for p in (2 / 3, 1 / 3, 0.9, 0.1)) / 2
    )
    empty = found.kinds[Kind.EMPTY]
    assert (empty.top.mean, empty.sole, empty.gap.n) == (1.0, 1, 0)  # nothing to set it against
    assert found.kinds[Kind.LOST].unread == 1 and found.kinds[Kind.LOST].top.n == 0
    assert sorted(found.numbers) == [1, 2]
    assert found.numbers[2][Kind.LAST].steps == 1
    assert (found.width.n, found.width.mean, found.wide) == (6, pytest.approx(1 / 6), 1)


def test_entropy_is_in_bits() -> None:
    assert entropy(np.array([0.25] * 4)) == pytest.approx(2)
    assert entropy(np.array([0.5, 0.0])) == 0  # made to sum to 1


def test_stopping_contrasts_last_and_intermediate_steps() -> None:
    answers = [
        answer_of(writes("joy", "anger")),  # tops 1, 1
        answer_of(writes("joy", second=["fear"], p=0.9, q=0.1)),  # top .9
        answer_of(writes("fear", "joy", second=["", "fear"], p=0.5, q=0.5)),  # tops 1, 1/2
        answer_of(writes()),
    ]
    found = stopping(answers)
    top = found.steps["top"]  # last 1, .9, 1/2; intermediate 1, 1
    assert (top.last.n, top.intermediate.n) == (3, 2)
    assert top.difference == pytest.approx(-0.2)
    assert top.auroc == pytest.approx((0.5 + 0.5) / 6)
    assert top.ks == pytest.approx(2 / 3)  # at .9 two last steps of three, none of the others
    assert found.steps["second"].auroc == pytest.approx(5 / 6)
    assert found.boundary.auroc == 1
    assert found.boundary.last.mean == pytest.approx(0.9)
    assert found.boundary.intermediate.mean == pytest.approx(0.2)
    filled = {b.low: (b.n, b.stopped) for b in found.bins if b.n}
    assert filled == {0.2: (2, 0.0), 0.9: (3, 1.0)}
    assert found.error == pytest.approx((3 * 0.1 + 2 * 0.2) / 5)
    assert found.brier == pytest.approx((3 * 0.01 + 2 * 0.04) / 5)
    assert found.undecided == 0
    only = stopping(answers[1:2]).steps["top"]
    assert (only.difference, only.ks, only.auroc) == (None, None, None)
    assert stopping([]).error is None


def test_rank_consistency_with_and_without_written_labels() -> None:
    answers = [
        answer_of(tree)
        for tree in (
            writes("joy", "fear", second=["fear"]),  # hit
            writes("joy", "anger", second=["fear"]),  # miss
            writes("joy", "anger", second=["none"]),  # left out
            writes("joy", "fear", "anger", second=["anger", "joy"]),  # miss; joy again: see below
            writes("joy", "joy", second=["fear"]),  # the next is a repeat
            LOST,  # next not known
            writes("joy", "anger"),  # no runner-up
        )
    ]
    found = rank_consistency(answers)
    assert found.steps == 8
    assert found.hits == Share(1, 5)
    assert (found.empty, found.unknown, found.repeats, found.unread) == (1, 1, 0, 1)
    assert found.not_top == 0
    left = rank_consistency(answers, unwritten=True)
    assert left.hits == Share(1, 3)  # joy at the second step of the fourth is left out
    assert (left.empty, left.unknown, left.repeats, left.unread) == (1, 1, 1, 2)
    same, different = left.same, left.different
    assert same.second_now.mean == same.next_now.mean == pytest.approx(2 / 9)
    assert same.second_after.mean == same.next_after.mean == pytest.approx(1)
    assert different.next_now.mean == 0 and different.next_after.n == 2
    assert different.second_after.mean == 0  # both crossed probabilities are 0


def test_the_runner_up_is_the_top_where_another_label_is_written() -> None:
    """joy is likelier in all, in two tokenisations; the likeliest token begins fear."""
    script = {
        "": {"jo": 0.25, "j": 0.3, "fear": 0.4},
        "jo": {"y": 1.0},
        "j": {"oy": 1.0},
        "joy": {"<end>": 1.0},
        "fear": {", ": 1.0},
        "fear, ": {"jo": 1.0},
        "fear, jo": {"y": 1.0},
        "fear, joy": {"<end>": 1.0},
    }
    answer = answer_of(everything(ScriptedLanguageModel(script), comma_list(blanks=""), LABELS))
    assert answer.labels == (1, 0)
    assert answer.label_steps[0].second() == 0
    found = rank_consistency([answer])
    assert (found.hits, found.not_top) == (Share(1, 1), 1)


def test_where_the_second_label_of_step_1_ends_up() -> None:
    answers = [
        answer_of(tree)
        for tree in (
            writes("joy", "fear", second=["fear"]),
            writes("joy", "anger", "fear", second=["fear"]),
            writes("joy", "joy", "fear", second=["fear"]),  # second among the distinct
            writes("joy", "anger", second=["fear"]),
            writes("joy", "anger", second=["none"]),
            writes("joy", "anger"),
            writes("joy", second=["fear"]),  # one label only
            LOST,
        )
    ]
    found = second_label(answers)
    assert found.answers == 6
    assert (found.empty, found.absent, found.unread) == (1, 1, 1)
    assert found.positions == {2: Share(2, 3), 3: Share(1, 3)}


def test_label_order_accuracy_over_all_and_over_the_same_answers() -> None:
    answers = [
        answer_of(writes("joy", "fear"), gold=["joy", "anger"]),
        answer_of(writes("joy", "fear", "anger"), gold=["fear", "anger"]),
        answer_of(writes("joy", "fear"), gold=["joy"]),  # gold has one label
        answer_of(writes("joy", "fear")),  # none known
        answer_of(writes("joy"), gold=["joy", "fear"]),  # one label written
        answer_of(LOST, gold=["joy", "fear"]),
    ]
    found = order_accuracy(answers)
    assert (found.answers, found.few_gold, found.no_gold) == (2, 1, 1)
    assert found.all == {1: Share(1, 2), 2: Share(1, 2), 3: Share(1, 1)}
    assert found.paired == {
        2: (Share(1, 2), Share(1, 2)),
        3: (Share(0, 1), Share(1, 1), Share(1, 1)),
    }


def test_alphabetical_and_prompt_order() -> None:
    order = ["joy", "fear", "anger", "pride"]
    answers = [
        answer_of(writes("anger", "fear", "joy"), order=order),
        answer_of(writes("joy", "fear"), order=order),
        answer_of(writes("joy", "anger", "fear"), order=order),
        answer_of(writes("joy"), order=order),
        answer_of(LOST, order=order),
    ]
    found = label_order(answers)
    assert (found.answers, found.fewer) == (3, 1)
    assert found.chance.mean == pytest.approx((1 / 6 + 1 / 2 + 1 / 6) / 3)
    assert found.alphabetical.ordered == Share(1, 3)
    assert found.prompt.ordered == Share(1, 3)
    assert found.alphabetical.tau.mean == pytest.approx((1 - 1 - 1 / 3) / 3)
    assert found.prompt.tau.mean == pytest.approx((-1 + 1 + 1 / 3) / 3)
    assert found.agree.mean == 0  # pride is last in both: three pairs of six are turned
    assert kendall([0, 1, 2], [2, 1, 0]) == -1


def test_the_profile_keeps_all_records_and_counts_what_was_left_out() -> None:
    answers = [
        answer_of(tree)
        for tree in (
            writes("joy", second=["fear"], p=0.6, q=0.2),
            writes("joy", second=["none"], p=0.5, q=0.5),
            tree_of({(): {"none": 0.8, "joy": 0.2}}, {}),  # top .2, no label
            tree_of(
                {(): {"joy": 0.25, "none": 0.24, "fear": 0.2, "anger": 0.2, "pride": 0.11}}, {}
            ),
            tree_of({(): {"none": 0.6, "joy": 0.4}}, {}),  # no label
            tree_of({}, {}),
        )
    ]
    found = profile(answers)
    assert [spread.n for spread in found.ranks] == [5] * 4
    assert found.ranks[0].mean == pytest.approx((0.75 + 0.5 + 0.2 + 0.25 + 0.4) / 5)
    assert found.ranks[1].mean == pytest.approx((0.25 + 0 + 0 + 0.2 + 0) / 5)
    assert (found.unread, found.low_top, found.no_label) == (1, 2, 2)
    assert found.kept[0].n == 2 and found.kept[0].mean == pytest.approx(0.625)


def test_outputs() -> None:
    trees = [writes("joy", "fear"), writes("joy", "joy"), writes("joy", "fear", "joy"), writes()]
    shown = (("joy",), ("joy", "fear"), ("fear", "joy"), ())
    answers = [
        read_answer(Item(tree, frozenset(gold), LABELS, shown))
        for tree, gold in zip([*trees, LOST], ["", LABELS, "", "", LABELS[:1]], strict=True)
    ]
    found = multi_label(answers)
    assert (found.rate, found.complete) == (Share(2, 5), Share(2, 4))
    assert found.demonstrations == Share(10, 20) and found.shown.mean == 4
    assert found.gold == Share(1, 5)
    assert found.labels == {0: 1, 1: 1, 2: 2}
    assert repeats(answers).again == Share(2, 5)
    assert repeats(answers).in_a_row == Share(1, 5)
    ends = endings(answers)
    assert (ends.complete, ends.off_format, ends.cut) == (Share(4, 5), Share(1, 5), Share(0, 5))
    assert ends.empty == Share(1, 5)


def test_an_empty_answer_that_is_not_complete_is_not_empty() -> None:
    script = {"": {'{"label": [': 1.0}, '{"label": [': {"]": 1.0}, '{"label": []': {"!": 1.0}}
    answer = answer_of(everything(ScriptedLanguageModel(script), json_list(), LABELS))
    assert answer.empty and endings([answer]).empty == Share(0, 1)


def test_a_sweep_has_a_point_for_every_run_with_demonstrations() -> None:
    def run(*several: bool, model: str = "m"):
        shown = tuple(("joy", "fear") if each else ("joy",) for each in several)
        trees = [writes("joy"), writes("joy", "fear")]
        return diagnose([Item(tree, None, LABELS, shown) for tree in trees], model)

    runs = {"none": run(), "all": run(True, True), "half": run(True, False), "b": run(model="b")}
    points = demo_sweep(runs)
    assert [(p.run, p.demonstrations, p.answers) for p in points] == [
        ("half", 0.5, Share(1, 2)),
        ("all", 1.0, Share(1, 2)),
    ]


def test_a_diagnosis_is_strict_json_and_says_why_something_is_missing() -> None:
    found = diagnose([Item(writes("joy", "fear"), None, LABELS)])
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["records"] == 1
    assert data["order_accuracy"] == {"value": None, "reason": "no record has gold labels"}
    assert "attention weights" in data["attention"]["reason"]
    assert data["spikiness"]["numbers"]["2"]["last"]["top"]["n"] == 1
    assert diagnose([]).to_dict()["records"] == 0
    gold = diagnose([Item(writes("joy", "fear"), frozenset(["joy", "pride"]), LABELS)])
    assert gold.to_dict()["order_accuracy"]["all"]["1"] == {"share": 1.0, "hits": 1, "of": 1}
    assert never_predicted([]).corrected == Share(0, 0)


def test_figures_of_next_to_nothing(tmp_path) -> None:
    from labelmass.analysis.figures import save_figures

    nothing = diagnose([Item(tree_of({}, {}), frozenset(), LABELS)], "a$b$c")
    saved = save_figures({"x$y$z": nothing}, tmp_path / "new")
    assert {path.stem for path in saved} == {"spikiness", "profile"}
    assert "x$y$z" in (tmp_path / "new" / "profile.svg").read_text()


def test_figures_show_the_numbers_of_the_diagnosis(tmp_path) -> None:
    from labelmass.analysis.figures import FIGURES, save_figures

    trees = [
        writes("joy", "fear", second=["fear", "joy"], p=0.6, q=0.3),
        writes("joy", "anger", second=["fear", "fear"], p=0.6, q=0.3),
        writes("fear", "joy", second=["joy", "fear"], p=0.7, q=0.2),
        writes("joy", second=["fear"], p=0.9, q=0.1),
    ]
    shown = [frozenset(["joy"]), frozenset(["joy", "fear"])]
    gold = frozenset(["joy", "fear"])
    runs = {
        name: diagnose([Item(tree, gold, LABELS, shown) for tree in some], model)
        for name, some, model in (("all", trees, "a"), ("one", trees[:3], "b"))
    }
    drawn = {figure.name: figure for figure in (draw(runs) for draw in FIGURES)}
    assert list(drawn) == ["spikiness", "profile", "second_label", "order_accuracy", "demo_sweep"]
    found = save_figures(runs, tmp_path)
    assert len(found) == 10

    bars = {mark.name: mark.bars for mark in drawn["second_label"].panels[0].marks
            if hasattr(mark, "bars")}  # fmt: skip
    for (name, run), each in zip(runs.items(), bars.items(), strict=True):
        positions = run.second_label.positions
        assert each[0] == f"{name} (n = {sum(share.hits for share in positions.values())})"
        assert [height for _, _, height in each[1]] == [
            positions[at].value or 0 if at in positions else 0 for at in range(2, len(each[1]) + 2)
        ]
    first, second = (mark[0] for mark in bars.values())
    assert first[1] == pytest.approx(second[0])  # two runs stand side by side

    for panel, run in zip(drawn["order_accuracy"].panels, runs.values(), strict=True):
        every = run.order_accuracy.all
        assert panel.marks[0].points == [(j, share.value) for j, share in every.items()]
        notes = [
            note for mark in panel.marks if hasattr(mark, "to_the_right") for note in mark.notes
        ]
        sizes = [shares[-1].of for shares in run.order_accuracy.paired.values()]
        assert [text for _, _, text in notes] == [f"n = {size}" for size in sizes]
    dots = [mark for mark in drawn["demo_sweep"].panels[0].marks if hasattr(mark, "hollow")]
    assert [(mark.name, list(mark.points)) for mark in dots] == [
        (point.model, [(point.demonstrations, point.answers.value)]) for point in demo_sweep(runs)
    ]
    rows = drawn["spikiness"].rows
    assert drawn["spikiness"].head[0] == "run" and {row[0] for row in rows} == set(runs)
