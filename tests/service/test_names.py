"""Names of other services' categories: what expressions mean, and the files that come with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass.decisions import Policy, Rule, apply_policy
from labelmass.decisions.decisions import LabelOutcome
from labelmass.errors import LabelMassError
from labelmass.estimators import LabelScores
from labelmass.service.names import CATEGORIES, Names, parse_expression
from labelmass.task.guard import Guard

ROOT = Path(__file__).parents[2]
LABELS = ("a", "b c", "max(a)", "D")
shares = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)


def scores_of(ends: list[list[float]]) -> LabelScores:
    low, p, high = np.array(ends).T
    return LabelScores(LABELS, p, low, high)


@given(st.lists(shares, min_size=4, max_size=4))
def test_bounds_go_through_expressions_end_by_end(ends: list[list[float]]) -> None:
    scores = scores_of(ends)
    (la, pa, ha), (lb, pb, hb), (lc, pc, hc), _ = ends
    for text, expected in {
        "a": (pa, la, ha),
        " b c ": (pb, lb, hb),
        "max(a)": (pc, lc, hc),  # a label of that name comes first
        "max(a, b c)": (max(pa, pb), max(la, lb), max(ha, hb)),
        "min( a,b c )": (min(pa, pb), min(la, lb), min(ha, hb)),
        "not(a)": (1 - pa, 1 - ha, 1 - la),
        "max(min(a, b c), not(D))": None,
    }.items():
        value = parse_expression(text, LABELS).value(scores, None)
        if expected is not None:
            assert (value.p, value.low, value.high) == pytest.approx(expected)
        assert value.low <= value.p <= value.high and value.outcome is None


@given(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=4, max_size=4))
def test_decisions_go_through_expressions(points: list[float]) -> None:
    policy = Policy({label: Rule("flag", 0.8, review_from=0.4) for label in LABELS})
    (row,) = apply_policy(policy, np.array([points])).to_rows()
    scores = scores_of([[p, p, p] for p in points])
    order = {0.1: LabelOutcome.BELOW, 0.5: LabelOutcome.REVIEW, 0.9: LabelOutcome.ABOVE}
    a, b, *_ = points

    def outcome(text: str) -> LabelOutcome | None:
        return parse_expression(text, LABELS).value(scores, row).outcome

    assert outcome("a") == order[a]
    assert outcome("max(a, b c)") == order[max(a, b)]
    assert outcome("min(a, b c)") == order[min(a, b)]
    assert outcome("not(a)") == 2 - order[a]
    assert outcome("not(not(a))") == outcome("a")


@pytest.mark.parametrize(
    "text", ["", "e", "max()", "max(a", "a, D", "min(a, e)", "not()", "sum(a)"]
)
def test_an_expression_that_means_nothing_names_the_part(text: str) -> None:
    with pytest.raises(LabelMassError, match=r"no label is called .* \(labels: a, b c"):
        parse_expression(text, LABELS)


def test_the_names_for_llama_guard_are_of_its_labels() -> None:
    labels = Guard.load("llama-guard-3").label_names
    names = Names.load(ROOT / "deploy" / "llama-guard-3-names.toml", labels)
    assert names.openai is not None and set(names.openai) == set(CATEGORIES)
    assert [name for name, one in names.openai.items() if one is None] == ["violence/graphic"]
    assert names.perspective is not None and "TOXICITY" in names.perspective.attributes
