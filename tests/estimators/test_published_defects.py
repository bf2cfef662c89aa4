"""The defects of the published search (docs/formulas.md): ours is right, the published is wrong.

The published rules are read with `as_published=True`; each test fails if that switch is dropped.
"""

from __future__ import annotations

import pytest

from helpers.trees import EVERYTHING, build_tree
from labelmass.answers.search import Budget
from labelmass.estimators.anyplace import any_place, any_place_pruned
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import AnswerFormat, comma_list, guard


def marginals(script: dict[str, dict[str, float]], fmt: AnswerFormat, labels: list[str]):
    tree = build_tree(ScriptedLanguageModel(script), fmt, labels, Budget(tolerance=0.0), EVERYTHING)
    return any_place(tree), any_place_pruned(tree), any_place_pruned(tree, as_published=True)


def test_a_label_is_not_credited_by_a_longer_one() -> None:
    ours, _, published = marginals(
        {
            "": {"unsafe\nS": 1.0},
            "unsafe\nS": {"1": 1.0},
            "unsafe\nS1": {"0": 0.9, "<end>": 0.1},
            "unsafe\nS10": {"<end>": 1.0},
        },
        guard(),
        ["S1", "S10"],
    )
    assert ours["S1"].p == pytest.approx(0.1)
    assert ours["S10"].p == pytest.approx(0.9)
    assert published["S1"].p == pytest.approx(1.0)


def test_a_repeat_is_not_counted_twice() -> None:
    ours, _, published = marginals(
        {
            "": {"a": 1.0},
            "a": {", ": 0.9, "<end>": 0.1},
            "a, ": {"a": 1.0},
            "a, a": {", ": 0.9, "<end>": 0.1},
            "a, a, ": {"a": 1.0},
            "a, a, a": {"<end>": 1.0},
        },
        comma_list(),
        ["a", "b"],
    )
    assert ours["a"].p == pytest.approx(1.0)
    assert published["a"].p == pytest.approx(1.0 + 0.9 + 0.81)


def test_siblings_of_a_likely_end_are_not_dropped() -> None:
    ours, pruned, published = marginals(
        {
            "": {"S1": 1.0},
            "S1": {"<end>": 0.72, ", ": 0.28},
            "S1, ": {"S3": 1.0},
            "S1, S3": {"<end>": 1.0},
        },
        comma_list(),
        ["S1", "S3"],
    )
    assert ours["S3"].p == pytest.approx(0.28)
    assert published["S3"].p == 0.0
    assert pruned["S3"].low == 0.0
    assert pruned["S3"].high == pytest.approx(0.28)  # lost, and reported as open


def test_the_third_token_is_not_the_last() -> None:
    row = {"1": 0.3, "2": 0.25, "\n": 0.2, "3": 0.15, "4": 0.1}
    script = {"": row} | {label: {"\n": 1.0} for label in "1234"}
    ours, pruned, published = marginals(
        script, comma_list(empty="\t0", stops=["\n"], blanks=""), ["1", "2", "3", "4"]
    )
    assert ours["3"].p == pytest.approx(0.15)
    assert ours["4"].p == pytest.approx(0.1)
    # a lone stop text is no answer here, so it is no end token: give the rule a real one
    script[""] = {"1": 0.3, "2": 0.25, "0": 0.2, "3": 0.15, "4": 0.1}
    fmt = comma_list(empty="", opening="", closing="0", separators=["-"], blanks="")
    script |= {label: {"0": 1.0} for label in "1234"}
    ours, pruned, published = marginals(script, fmt, ["1", "2", "3", "4"])
    assert ours["3"].p == pytest.approx(0.15)
    assert published["3"].p == 0.0
    assert published["4"].p == 0.0
    assert pruned["4"].high == pytest.approx(0.25)


def test_two_tokens_with_the_same_text_are_both_counted() -> None:
    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        return {"a": 0.5, "b": 0.1} if not path else {"<end>": 1.0}

    class Twins(ScriptedLanguageModel):
        """Id 0 and id 1 both write 'a'."""

        def distribution(self, prompt: str, path: tuple[str, ...]) -> dict[int, float]:
            return {0: 0.5, 1: 0.3, 2: 0.2} if not path else super().distribution(prompt, path)

    model = Twins(script, ["a", "a", "b"])
    tree = build_tree(model, comma_list(), ["a", "b"], Budget(tolerance=0.0), EVERYTHING)
    assert any_place(tree)["a"].p == pytest.approx(0.8)  # a dictionary by text would keep 0.3
    assert any_place(tree)["b"].p == pytest.approx(0.2)


def test_a_flat_row_is_not_lost_below_a_floor() -> None:
    labels = [f"l{i:03d}" for i in range(200)]
    script = {"": dict.fromkeys(labels, 1 / 200)} | {lab: {"<end>": 1.0} for lab in labels}
    ours, pruned, _ = marginals(script, comma_list(), labels)
    assert ours.p.sum() == pytest.approx(1.0)
    assert pruned.p.sum() == 0.0  # every one is below the floor of 0.01
    assert (pruned.high >= 1 / 200).all()
