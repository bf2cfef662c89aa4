"""What cannot be read counts as open, and a record without a verdict is not let pass."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.decisions import LabelOutcome, Policy, Reference, Rule, apply_policy, ceiling
from labelmass.decisions.policy import STRADDLES
from labelmass.errors import FitError

RAW, ON_FORMAT = {"normalisation": "raw"}, {"normalisation": "on-format"}


@property_test(100)
@given(st.integers(0, 10**9))
def test_the_ceiling_is_what_the_label_may_be_if_all_that_is_unread_is_it(seed: int) -> None:
    """A guard's answers: safe, or unsafe and then l, another label, or what cannot be read."""
    draw = np.random.default_rng(seed)
    masses = draw.dirichlet(np.full(5, draw.choice([0.1, 1.0, 5.0])))
    safe, with_l, other, unread, off = masses
    verdict = safe + with_l + other + unread
    one = np.array([unread]), np.array([verdict])
    raw, on = np.array([[with_l]]), np.array([[with_l / verdict]])
    assert ceiling(raw, *one, RAW) == pytest.approx(min(with_l + unread, 1))
    assert ceiling(on, *one, ON_FORMAT) == pytest.approx((with_l + unread) / verdict)
    assert off >= 0 and ceiling(on, *one) == ceiling(on, *one, ON_FORMAT)  # not known: the wider


def test_what_is_not_known_is_open() -> None:
    high = np.array([[0.1]])
    nan, half, some, none = (np.array([x]) for x in (np.nan, 0.5, 0.01, 0.0))
    assert ceiling(high, nan, half, RAW) == 1.0
    assert ceiling(high, some, nan, ON_FORMAT) == 1.0
    assert ceiling(high, none, none, ON_FORMAT) == 0.1
    assert ceiling(high, some, half, RAW | {"prior": "content-free"}) == 1.0
    assert ceiling(high, none, half, RAW | {"prior": "content-free"}) == 0.1
    assert np.isnan(ceiling(high * np.nan, some, half, RAW)).all()


def outcome(rule: Rule, score: float) -> int:
    if rule.threshold is not None and score >= rule.threshold:
        return LabelOutcome.ABOVE
    if rule.review_from is not None and score >= rule.review_from:
        return LabelOutcome.REVIEW
    return LabelOutcome.BELOW


RULES = [
    Rule("block", 0.7, 0.4),
    Rule("flag", None),
    Rule("flag", 0.5),
    Rule("flag", None, 0.0),
    Rule("block", 0.0),
]


@property_test(60)
@given(st.integers(0, 10**9), st.sampled_from(list(STRADDLES)), st.sampled_from([0.0, 0.5, 1.0]))
def test_every_cell_by_the_rules(seed: int, straddle: str, least: float) -> None:
    draw = np.random.default_rng(seed)
    n, k = 8, len(RULES)
    low, p, high, top = np.sort(draw.random((4, n, k)).round(1), axis=0)
    p[0, 0] = top[1, 1] = np.nan
    verdict = draw.random(n).round(1)
    verdict[2] = np.nan
    policy = Policy(dict(zip("abcde", RULES, strict=True)), straddle, min_verdict=least)
    done = apply_policy(policy, p, low, high, ceiling=top, verdict=verdict)
    for i, j in product(range(n), range(k)):
        unread = high[i, j] if np.isnan(top[i, j]) else top[i, j]
        ends = low[i, j], p[i, j], high[i, j], unread
        one, point, other, last = (outcome(RULES[j], end) for end in ends)
        right = {"review": LabelOutcome.REVIEW, "point": point, "low": one, "high": last}[straddle]
        right = point if one == last else right
        right = LabelOutcome.REVIEW if np.isnan(p[i, j]) else right
        silent = not verdict[i] >= least
        right = LabelOutcome.REVIEW if silent and right == LabelOutcome.BELOW else right
        assert done.outcomes[i, j] == right
        known = not np.isnan(p[i, j])
        assert done.straddles[i, j] == (known and one != last)
        assert done.unreadable[i, j] == (known and one == other != last)
        assert done.no_verdict[i] == silent
    for row, unreadable in zip(done.to_rows(), done.unreadable, strict=True):
        assert row["unreadable"] == [
            x for x, is_open in zip("abcde", unreadable, strict=True) if is_open
        ]


def test_a_record_without_a_verdict_is_never_allowed() -> None:
    policy = Policy({"S1": Rule("block", 0.5), "S2": Rule("flag", None)})
    p = np.array([[0.9, 0.0], [0.1, 0.0], [0.1, 0.0], [np.nan, np.nan]])
    verdict = np.array([0.2, 0.2, 0.9, np.nan])
    done = apply_policy(policy, p, verdict=verdict)
    assert done.actions == ("block", "review", "allow", "review")
    assert [row["no_verdict"] for row in done.to_rows()] == [True, True, False, False]
    assert done.to_rows()[1]["review"] == ["S1", "S2"]
    assert apply_policy(policy, p[1:2], verdict=np.array([0.2]), ceiling=p[1:2]).actions == (
        "review",
    )
    assert apply_policy(replace(policy, min_verdict=0.0), p[1:2], verdict=verdict[1:2]).actions == (
        "allow",
    )


def test_scores_that_lost_their_verdict_are_refused() -> None:
    p = np.linspace(0, 1, 5)[:, None]
    masses = {"unreadable": np.zeros(5), "verdict": np.ones(5)}
    policy = Policy({"S1": Rule("flag", 0.5)}, reference=Reference.of(("S1",), p, (0.5,), masses))
    assert Policy.from_dict(policy.to_dict()).requires_verdict
    with pytest.raises(FitError, match="that say how much of each record gives a verdict, and"):
        apply_policy(policy, p)
    assert apply_policy(policy, p, verdict=np.ones(5)).counts["flag"] == 3
    assert apply_policy(policy, p, force=True).counts["flag"] == 3
    older = replace(policy, reference=Reference.of(("S1",), p, (0.5,)))
    assert apply_policy(older, p).counts["flag"] == 3
    with pytest.raises(FitError, match="that do not say how much of each record gives a verdict"):
        apply_policy(older, p, verdict=np.ones(5))
