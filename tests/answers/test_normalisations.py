"""raw, on-format and masked are three different numbers (docs/formulas.md)."""

from __future__ import annotations

import json

import pytest

from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list, json_list

TWO = ScriptedLanguageModel(
    {"": {"a": 0.5, "b": 0.5}, "a": {"<end>": 0.1, "!": 0.9}, "b": {"<end>": 1.0}}
)


@pytest.mark.parametrize(
    ("normalisation", "a", "b"),
    [("raw", 0.05, 0.5), ("on-format", 1 / 11, 10 / 11), ("masked", 0.5, 0.5)],
)
def test_the_three_differ(normalisation: str, a: float, b: float) -> None:
    kind = Normalisation(normalisation)
    tree = build_tree(TWO, comma_list(), ["a", "b"], Budget(tolerance=0.0), normalisation=kind)
    low, high = Marginals(tree, kind).intervals
    assert low[:2] == pytest.approx([a, b])
    assert high[:2] == pytest.approx([a, b])
    assert Marginals(tree).off_format == pytest.approx(0.45)


def test_nothing_on_format_is_null_and_never_a_division() -> None:
    model = ScriptedLanguageModel({"": {"!": 1.0}})
    tree = build_tree(model, comma_list(), ["a"], Budget(tolerance=0.0))
    bounds = Marginals(tree, Normalisation.ON_FORMAT).label(0)
    assert (bounds.low, bounds.high, bounds.p) == (None, None, None)


def test_unexplored_on_format_is_unknown() -> None:
    tree = build_tree(TWO, comma_list(), ["a", "b"], Budget(tolerance=0.0, max_nodes=1))
    bounds = Marginals(tree, Normalisation.ON_FORMAT).label(0)
    assert (bounds.low, bounds.high) == (0.0, 1.0)


def test_off_format_may_count_as_unknown() -> None:
    model = ScriptedLanguageModel({"": {"a": 0.6, "!": 0.4}, "a": {"<end>": 1.0}})
    tree = build_tree(model, comma_list(), ["a", "b"], Budget(tolerance=0.0))
    low, high = Marginals(tree, off_format_unknown=True).intervals
    assert (low[0], high[0]) == pytest.approx((0.6, 1.0))
    assert (low[1], high[1]) == pytest.approx((0.0, 0.4))


def test_text_after_the_closing_is_not_part_of_the_answer() -> None:
    model = ScriptedLanguageModel(
        {
            "": {'{"label": ["': 1.0},
            '{"label": ["': {"joy": 1.0},
            '{"label": ["joy': {'"]} ok': 1.0},
        }
    )
    tree = build_tree(model, json_list(), ["joy"], Budget(tolerance=0.0))
    reading = Marginals(tree)
    assert reading.ended == pytest.approx(1.0)
    assert reading.label(0).low == pytest.approx(1.0)


def test_end_inside_a_label_is_off_format() -> None:
    model = ScriptedLanguageModel(
        {"": {"jo": 1.0}, "jo": {"<end>": 0.7, "y": 0.3}, "joy": {"<end>": 1}}
    )
    reading = Marginals(build_tree(model, comma_list(), ["joy"], Budget(tolerance=0.0)))
    assert reading.off_format == pytest.approx(0.7)
    assert reading.label(0).low == pytest.approx(0.3)


def test_identities_between_sets_counts_and_labels() -> None:
    model = ScriptedLanguageModel(
        {
            "": {"a": 0.5, "b": 0.3, "none": 0.2},
            "a": {", ": 0.4, "<end>": 0.6},
            "a, ": {"b": 1.0},
            "a, b": {"<end>": 1.0},
            "b": {"<end>": 0.9, "!": 0.1},
            "none": {"<end>": 1.0},
        }
    )
    tree = build_tree(model, comma_list(), ["a", "b"], Budget(tolerance=0.0))
    reading = Marginals(tree)
    sets = sum(bounds.p or 0 for _, bounds in reading.sets())
    counts = [bounds.p or 0 for bounds in reading.counts()]
    assert sets == pytest.approx(sum(counts)) == pytest.approx(reading.ended)
    assert reading.empty is not None
    assert counts[0] == pytest.approx(reading.empty.p)
    assert reading.pair(0, 1).p == pytest.approx(0.2)
    assert dict(reading.sets())[frozenset({0, 1})].p == pytest.approx(0.2)


def test_a_saved_tree_reads_the_same() -> None:
    tree = build_tree(TWO, comma_list(), ["a", "b"])
    again = AnswerTree.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert again == tree
