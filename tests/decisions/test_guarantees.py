"""Guarantees against MAPIE, against enumeration, and against the truth, drawn a thousand times."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from helpers.property_tests import property_test
from labelmass.decisions import Goal, Guarantee, certify, control, majority, sequence
from labelmass.decisions.conformal_risk_control import RISKS
from labelmass.decisions.fwer import reject
from labelmass.decisions.learn_then_test import GRID, count
from labelmass.decisions.pvalues import binomial, hoeffding_bentkus
from labelmass.errors import FitError

DRAWS = 1000
PRECISION = Goal.parse("precision>=0.8")


def many(share: float) -> int:
    """Violations among `DRAWS` that no rate up to `share` would give but once in ten thousand."""
    return int(binom.ppf(0.9999, DRAWS, share))


# -- p-values and families ----------------------------------------------------------------------


def test_p_values_are_those_of_mapie() -> None:
    from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

    draw = np.random.default_rng(0)
    for binary in (True, False):
        n = draw.integers(1, 300, 200).astype(float)
        total = draw.binomial(n.astype(int), draw.random(200)) * (1 if binary else 0.77)
        whole = np.ceil(n * (total / n)) == np.ceil(total)  # MAPIE rounds up what rounding added
        n, total = n[whole], total[whole]
        assert len(n) > 150
        theirs = compute_hoeffding_bentkus_p_value(total / n, n, 0.3, binary)[:, 0]
        mine = (binomial if binary else hoeffding_bentkus)(total, n, 0.3)
        assert mine == pytest.approx(np.minimum(theirs, 1), abs=1e-12)
    assert binomial(np.zeros(1), np.zeros(1), 0.1) == 1
    assert hoeffding_bentkus(np.zeros(1), np.zeros(1), 0.1) == 1


@property_test(60)
@given(st.integers(0, 10**9), st.integers(1, 8))
def test_families_are_those_of_mapie(seed: int, m: int) -> None:
    from mapie.risk_control import control_fwer

    p = np.random.default_rng(seed).random(m) ** 3 * 0.2
    for mine, theirs in (
        (reject(p[None], 0.1), "fixed_sequence"),
        (reject(p[:, None], 0.1), "bonferroni_holm"),
        (reject(p[:, None], 0.1, fwer="bonferroni"), "bonferroni"),
    ):
        assert np.flatnonzero(mine).tolist() == sorted(control_fwer(p, 0.1, theirs))


def test_shares_of_the_error_by_hand() -> None:
    p = np.array([[0.02, 0.02, 0.02], [0.04, 0.9, 0.9]])
    assert reject(p, 0.05, fwer="bonferroni").tolist() == [[True] * 3, [False] * 3]
    assert reject(p, 0.05).tolist() == [[True] * 3, [True, False, False]]  # 0.025 + 0.025
    p = np.array([[0.03, 0.01, 0.04, 0.001]])
    assert reject(p, 0.05, starts=2).tolist() == [[False, False, False, False]]
    p = np.array([[0.03, 0.01, 0.02, 0.001]])  # begins at 0 and at 2; both shares end at 0
    assert reject(p, 0.05, starts=2).tolist() == [[True] * 4]


# -- intervals ----------------------------------------------------------------------------------


def bounded(seed: int, n: int, soft: bool) -> tuple[Any, Any, Any]:
    draw = np.random.default_rng(seed)
    low, high = np.sort(draw.random((2, n)), axis=0)
    target = draw.integers(0, 4, n) / 3 if soft else draw.integers(0, 2, n) * 1.0
    return low, high, target


@pytest.mark.parametrize("kind", ["precision", "recall", "fpr", "soft"])
@property_test(30)
@given(seed=st.integers(0, 10**9), n=st.integers(1, 7))
def test_the_worst_over_the_intervals_is_the_worst_of_all_scores(
    kind: str, seed: int, n: int
) -> None:
    low, high, target = bounded(seed, n, kind == "soft")
    kind = "precision" if kind == "soft" else kind
    at = np.array([0.2, 0.5, 0.8])
    mine = count(kind, low, high, target, at, 0.3, "x")
    exact = [np.where(ends, high, low) for ends in product([False, True], repeat=n)]
    every = [count(kind, e, e, target, at, 0.3, "x").p for e in exact]
    assert mine.p == pytest.approx(np.max(every, axis=0))


@property_test(40)
@given(st.integers(0, 10**9), st.integers(3, 7), st.sampled_from(RISKS[:2]), st.booleans())
def test_expected_risk_allows_what_every_exact_score_allows(
    seed: int, n: int, risk: str, soft: bool
) -> None:
    low, high, target = bounded(seed, n, soft)
    (mine,) = control(("x",), low[:, None], high[:, None], target[:, None], risk, 0.6)
    side = low if risk == "miss-rate" else high
    (end,) = control(("x",), side[:, None], side[:, None], target[:, None], risk, 0.6)
    assert mine == end
    if mine.threshold is None:
        return
    weight = target if risk == "miss-rate" else 1 - target
    for ends in product([False, True], repeat=n):
        e = np.where(ends, high, low)
        hit = e < mine.threshold if risk == "miss-rate" else e >= mine.threshold
        assert weight[hit].sum() + 1 <= 0.6 * (weight.sum() + 1) + 1e-12


# -- against MAPIE on the common domain ---------------------------------------------------------


def test_expected_recall_is_that_of_mapie() -> None:
    """Records with a label, one threshold for all; there a label is given above it, not at it."""
    from mapie.risk_control import MultiLabelClassificationController

    draw = np.random.default_rng(3)
    y = (draw.random((300, 4)) < 0.4) * 1
    p = (0.25 + 0.5 * y + 0.4 * draw.normal(size=y.shape)).clip(0, 1)
    some = y.any(axis=1)
    grid = np.linspace(0, 0.999, 500)
    theirs = MultiLabelClassificationController(
        lambda x: x, method="crc", target_level=0.873, predict_params=grid
    ).calibrate(p[some], y[some])
    (mine,) = control(tuple("abcd"), p, p, y * 1.0, "record-miss-rate", 1 - 0.873)
    assert mine.threshold is not None and mine.counted == some.sum() < mine.records == 300
    assert theirs.best_predict_param[0] == grid[grid < mine.threshold][-1]


@pytest.mark.filterwarnings("ignore:Fixed sequence testing requires")
@pytest.mark.parametrize(
    ("text", "risk", "level"),
    [
        ("precision>=0.7", "precision", 0.7),
        ("recall>=0.7", "recall", 0.7),
        ("fpr<=0.2", "fpr", 0.2),
    ],
)
def test_certified_thresholds_are_those_of_mapie(text: str, risk: str, level: float) -> None:
    from mapie.risk_control import BinaryClassificationController

    draw = np.random.default_rng(1)
    p = draw.random(400)
    y = (draw.random(400) < p) * 1.0
    order = np.linspace(0.05, 0.95, 60)
    order = order if risk == "recall" else order[::-1]
    for starts, fwer in ((1, "fixed_sequence"), (60, "bonferroni")):
        theirs = BinaryClassificationController(
            lambda x: np.stack([1 - x, x], axis=1), risk, level, 0.9,
            list_predict_params=order, fwer_method=fwer,
        )  # fmt: skip
        theirs.calibrate(p, y)
        one = p[:, None], p[:, None], y[:, None]
        (mine,) = certify(
            ("x",), *one, Goal.parse(text), confidence=0.9, order=order, starts=starts
        )
        pick = max if risk == "recall" else min
        valid = theirs.valid_predict_params
        assert mine.threshold is not None and len(valid) > 0
        if starts == 1:
            assert mine.threshold == pick(valid)
        else:  # a rejected threshold hands its share on, so ours certifies at least as much
            assert pick(mine.threshold, pick(valid)) == mine.threshold


# -- by hand ------------------------------------------------------------------------------------


def test_expected_miss_rate_by_hand() -> None:
    p = np.array([0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.2, 0.9])
    y = np.array([1.0] * 7 + [0.0, 0.0])
    (found,) = control(("x",), p[:, None], p[:, None], y[:, None], "miss-rate", 0.25)
    assert (found.threshold, found.errors, found.counted) == (0.3, 1, 7)  # 1 + 1 <= 0.25 * 8
    assert found.text == (
        "In expectation over 9 calibration records and a new one like them, at most 0.25 of the "
        "records with 'x' are not given it, at threshold 0.3."
    )
    (found,) = control(("x",), p[:, None], p[:, None], y[:, None], "miss-rate", 0.1)
    assert found.threshold is None and found.needed == 12  # 9 positives, of 9 records 7
    assert found.text == (
        "Not certified on 9 records: that at most 0.1 of the records with 'x' are not given it; "
        "about 12 labelled records would do."
    )
    (found,) = control(("x",), p[:, None], p[:, None], y[:, None], "fpr", 0.5)
    assert found.threshold is None and found.needed is None  # one negative of two is on top


def test_twenty_nine_right_answers_certify_nine_tenths() -> None:
    goal = Goal.parse("precision>=0.9")
    for n, certain in ((28, False), (29, True)):
        one = np.full((n, 1), 0.7)
        (found,) = certify(("x",), one, one, np.ones((n, 1)), goal, order=np.array([0.5]))
        assert (found.threshold is not None) == certain
        assert found.p_value == pytest.approx(0.9**n)
    assert found.text == (
        "With 95% confidence from 29 records, at least 0.9 of what is given 'x' is right, at "
        "threshold 0.5."
    )
    assert Guarantee.from_dict(found.to_dict()) == found


@pytest.mark.parametrize("soft", [False, True])
def test_as_many_records_as_are_said_would_do(soft: bool) -> None:
    draw = np.random.default_rng(5)
    p = draw.random((40, 2))
    y = (draw.random((40, 2)) < 0.7 + 0.3 * p) * 1.0
    y = 0.9 * y + 0.05 if soft else y
    found = certify(("a", "b"), p, p, y, PRECISION)
    assert all(g.threshold is None and g.needed and g.needed > 40 for g in found)
    for times in (1, max(g.needed or 0 for g in found) // 40 + 1):
        more = (np.tile(a, (times, 1)) for a in (p, p, y))
        again = certify(("a", "b"), *more, PRECISION)
        assert all((g.threshold is None) == (times == 1) for g in again)
    never = certify(("a", "b"), p, p, np.zeros((40, 2)), PRECISION)
    assert all(g.needed is None and "no number of records would do" in g.text for g in never)


# -- the truth, drawn a thousand times ----------------------------------------------------------

FINE = np.linspace(0, 1, 20001)


def truth(chance: Any, at: float) -> tuple[float, float]:
    """Precision at a threshold and recall, for uniform scores whose label has this chance."""
    here = chance(FINE)
    above = here[np.searchsorted(FINE, at) :]
    return float(above.mean()), float(above.sum() / here.sum())


CHANCES = (
    lambda p: 0.3 + 0.7 * p,
    lambda p: np.where(p > 0.9, 0.6, 0.85),  # the best scores are the worst
    lambda p: np.full_like(p, 0.7999),  # nowhere good enough, and only just
)


@pytest.mark.parametrize("how", ["grid", "sequence", "bonferroni"])
def test_confidence_is_kept(how: str) -> None:
    """Three labels at once: one is guaranteed too much in at most 5 % of the draws."""
    draw = np.random.default_rng(0)
    values = {(i, t): truth(c, t)[0] for i, c in enumerate(CHANCES) for t in GRID}
    wrong = some = 0
    for _ in range(DRAWS):
        p = draw.random((2, 250, 3))
        chance = np.stack([c(p[..., i]) for i, c in enumerate(CHANCES)], axis=-1)
        y = (draw.random(p.shape) < chance) * 1.0
        options: dict[str, Any] = {"fwer": "bonferroni"} if how == "bonferroni" else {}
        if how == "sequence":
            options["order"] = sequence(p[1], y[1], PRECISION, size=20)
        found = certify("abc", p[0], p[0], y[0], PRECISION, **options)
        given = [(i, g.threshold) for i, g in enumerate(found) if g.threshold is not None]
        true = (values.get(key) or truth(CHANCES[key[0]], key[1])[0] for key in given)
        wrong += any(value < PRECISION.level for value in true)
        some += found[0].threshold is not None
    assert wrong <= many(0.05)
    assert some > 0.2 * DRAWS and wrong > 0


def test_expected_risk_is_kept_for_the_exact_score() -> None:
    """Intervals around it cost threshold, never risk; without them the risk is nearly used up."""
    draw = np.random.default_rng(1)
    level, risks = 0.2, {0.0: [], 0.2: []}
    for _ in range(DRAWS):
        e = draw.random((60, 1))
        y = (draw.random((60, 1)) < CHANCES[0](e)) * 1.0
        for width, seen in risks.items():
            low, high = e - width * draw.random((60, 1)), e + width * draw.random((60, 1))
            (found,) = control("x", low, high, y, "miss-rate", level)
            seen.append(1 - truth(CHANCES[0], found.threshold or 0.0)[1])
    exact, wide = (np.array(seen) for seen in risks.values())
    slack = 4 * exact.std() / np.sqrt(DRAWS)
    assert level - 1 / 30 - slack < exact.mean() < level + slack
    assert wide.mean() < exact.mean()


def test_expected_risk_is_kept_on_shares() -> None:
    """Of annotators' votes for a label a fifth is missed, whatever the shares are."""
    draw = np.random.default_rng(2)
    p = draw.random((DRAWS, 81))
    shares = draw.binomial(3, p**2) / 3
    missed = held = 0.0
    for row, share in zip(p, shares, strict=True):
        one = row[:80, None]
        (found,) = control("x", one, one, share[:80, None], "miss-rate", 0.2)
        missed += share[80] * (row[80] < (found.threshold or 0.0))
        held += share[80]
    assert 0.15 < missed / held < 0.2 + 4 * np.sqrt(0.16 / held)


def test_records_without_any_label_and_unknown_cells() -> None:
    p = np.array([[0.9, 0.2], [0.3, 0.8], [0.5, 0.5], [0.6, 0.1], [0.7, 0.7]])
    y = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, np.nan], [0.5, 0.5]])
    (found,) = control(("a", "b"), p, p, y, "record-miss-rate", 0.45)
    assert (found.label, found.counted, found.records, found.threshold) == ("*", 4, 5, 0.7)
    assert found.errors == 1  # of the fourth record's known labels all
    for risk in RISKS:
        empty = control(("a", "b"), p, p, np.full((5, 2), np.nan), risk, 0.4)
        assert all(g.threshold is None and g.needed is None for g in empty)
    empty = certify(("a", "b"), p, p, np.full((5, 2), np.nan), PRECISION)
    assert all(g.threshold is None and g.records == 0 for g in empty)


@pytest.mark.parametrize(
    ("goal", "options", "said"),
    [
        ("f1", {}, "cannot be guaranteed"),
        ("precision>=0.8", {"fwer": "none"}, "no family-wise control is called 'none'"),
        ("precision>=0.8", {"confidence": 95}, "confidence lies between"),
        ("recall>=0.8", {}, "label 'x': recall with confidence needs targets of 0 and 1"),
    ],
)
def test_what_cannot_be_guaranteed_is_named(goal: str, options: dict[str, Any], said: str) -> None:
    one = np.full((4, 1), 0.5)
    with pytest.raises(FitError, match=said):
        certify(("x",), one, one, one, Goal.parse(goal), **options)
    assert certify(("x",), one, one, majority(one), Goal.parse("recall>=0.8"))
    with pytest.raises(FitError, match="no expected risk is called 'f1': one of miss-rate"):
        control(("x",), one, one, one, "f1", 0.1)
    with pytest.raises(FitError, match="risk level lies between"):
        control(("x",), one, one, one, "fpr", 1.0)


@pytest.mark.parametrize("text", ["precision>=0.8", "recall>=0.8", "fpr<=0.2"])
def test_a_sequence_begins_where_it_is_surest_and_goes_for_more(text: str) -> None:
    draw = np.random.default_rng(4)
    p, goal = draw.random((200, 2)), Goal.parse(text)
    y = (draw.random((200, 2)) < p) * 1.0
    for row, one, target in zip(sequence(p, y, goal, size=9), p.T, y.T, strict=True):
        alpha = goal.level if goal.kind == "fpr" else 1 - goal.level
        every = count(goal.kind, one, one, target, one, alpha, "x").p
        first = count(goal.kind, one, one, target, row[:1], alpha, "x").p[0]
        assert first == every.min() and len(row) == 9
        assert (np.diff(row) * (1 if goal.kind == "recall" else -1) >= 0).all()
