"""The calibrator as an artefact: what it is fitted on, applied to, refuses and remembers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from helpers.property_tests import property_test
from labelmass.calibration import CALIBRATORS, Calibrator, HoldOut, choose, cross_fit, fit
from labelmass.calibration.curves import MIN_POSITIVES
from labelmass.calibration.model_selection import record_nll
from labelmass.errors import FitError
from labelmass.provenance import differences, fingerprint, folds

LABELS = ("joy", "fear", "rage")
IDS = [f"r{i}" for i in range(300)]
SIGNATURE: dict[str, Any] = {
    "model": "m", "fingerprint": "abc", "tokenizer": "t", "dtype": "float32", "task_hash": "x",
    "format": "json", "methods": ["any-place"], "normalisation": "raw", "tolerance": 0.01,
    "relative": None, "off_format": "not-written",
    "label_permutations": 1, "contextual_calibration": None,
}  # fmt: skip


def scored(n: int = 300, seed: int = 0, soft: bool = True) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    p = draw.beta(0.5, 1.0, (n, 3)).clip(1e-4, 1 - 1e-4)
    chance = expit(0.5 * logit(p) + np.array([0.5, -0.5, -1.0]))
    return p, draw.binomial(3, chance) / 3 if soft else (draw.random((n, 3)) < chance) * 1.0


P, H = scored()


def test_compare_to_none_with_platt() -> None:
    """P1's fit: one slope and intercept for all labels, on log p1(l) / p1(none)."""
    draw = np.random.default_rng(1)
    steps = draw.dirichlet(np.ones(4), 300)
    odds = np.log(steps[:, :3] / steps[:, 3:])
    p = steps[:, :3] / (steps[:, :3] + steps[:, 3:])
    shares = draw.binomial(3, expit(0.6 * odds - 1)) / 3
    (curve,) = fit(LABELS, IDS, p, shares, shared=True).curves
    a, b = curve.parameters["slope"], curve.parameters["intercept"]
    q = expit(a * odds + b)
    assert np.sum(q - shares) == pytest.approx(0, abs=1e-4)
    assert np.sum((q - shares) * odds) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", [*CALIBRATORS, "auto"])
@pytest.mark.parametrize("shared", [False, True])
def test_json_keeps_every_number(name: str, shared: bool, tmp_path: Path) -> None:
    cal = fit(LABELS, IDS, P, H, method=name, shared=shared, signature=SIGNATURE,
              hold_out=HoldOut(0.3, 4))  # fmt: skip
    cal.save(tmp_path / "cal.json")
    again = Calibrator.load(tmp_path / "cal.json")
    assert again == cal
    assert np.array_equal(again.apply(LABELS, P)[0], cal.apply(LABELS, P)[0])
    assert json.loads((tmp_path / "cal.json").read_text())["fitted_on"]["ids"] == cal.ids
    assert cal.records == 300 - HoldOut(0.3, 4).out(IDS).sum()


@property_test(20)
@given(st.integers(0, 10**9), st.sampled_from(list(CALIBRATORS)))
def test_ends_stay_around_the_point(seed: int, name: str) -> None:
    p, target = scored(60, seed)
    low, high = np.random.default_rng(seed).random((2, 60, 3))
    low, high = p * low, p + (1 - p) * high
    low[0] = high[1] = np.nan
    cal = fit(LABELS, IDS[:60], p, target, method=name)
    assert Calibrator.from_dict(json.loads(json.dumps(cal.to_dict()))) == cal
    kept = low.copy()
    lower, point, upper = cal.apply(LABELS, low, p, high)
    assert np.array_equal(low, kept, equal_nan=True)
    assert (lower <= point)[1:].all() and (point <= upper)[[0, *range(2, 60)]].all()
    assert np.isnan(lower[0]).all() and np.isnan(upper[1]).all() and not np.isnan(point).any()


@pytest.mark.parametrize(
    ("field", "value"),
    [("fingerprint", "abd"), ("dtype", "bfloat16"), ("methods", ["hard"]),
     ("label_permutations", 3),
     ("contextual_calibration", "batch"), ("tolerance", 0.02), ("task_hash", "y"),
     ("off_format", "unknown")],
)  # fmt: skip
def test_scores_of_another_kind_are_refused(field: str, value: object) -> None:
    cal = fit(LABELS, IDS, P, H, signature=SIGNATURE)
    other = SIGNATURE | {field: value}
    with pytest.raises(FitError, match=f"{field}: .*now"):
        cal.apply(LABELS, P, signature=other)
    assert cal.apply(LABELS, P, signature=other, force=True)
    assert list(differences(SIGNATURE, other)) == [field]


def test_scores_of_the_same_kind_are_not() -> None:
    cal = fit(LABELS, IDS, P, H, signature=SIGNATURE)
    finer = {"tolerance": 0.001, "relative": 0.1, "methods": ("any-place",), "model": "/m"}
    assert cal.apply(LABELS, P, signature=SIGNATURE | finer)
    with pytest.raises(FitError, match=r"relative: 0\.1, now None"):
        fit(LABELS, IDS, P, H, signature=SIGNATURE | finer).apply(LABELS, P, signature=SIGNATURE)
    with pytest.raises(FitError, match="joy, fear, rage, not fear"):
        cal.apply(("fear", "joy", "rage"), P)


def test_a_label_with_few_positives_borrows_and_says_so() -> None:
    p, target = scored(300, soft=False)
    rare = np.where(np.arange(300) < 3, 1.0, 0.0)
    target[:, 0] = rare
    cal = fit(LABELS, IDS, p, target)
    assert [curve.borrowed for curve in cal.curves] == [MIN_POSITIVES, 0, 0]
    assert cal.notes == ("joy: 3 of 300 positive, borrows 20 records' weight",)
    pooled, goal = p[:, 1:].ravel(), target[:, 1:].ravel()
    weight = np.append(np.ones(300), np.full(600, MIN_POSITIVES / 600))
    by_hand = CALIBRATORS["platt"].fit(
        np.append(p[:, 0], pooled), np.append(target[:, 0], goal), weight
    )
    assert cal.curves[0].parameters == by_hand

    target[:, 0] = np.nan
    nothing, shared = fit(LABELS, IDS, p, target), fit(LABELS, IDS, p, target, shared=True)
    assert nothing.apply(LABELS, p)[0][:, 0] == pytest.approx(
        shared.apply(LABELS, p)[0][:, 0], abs=1e-6
    )
    alone = fit(("joy",), IDS, p[:, :1], rare[:, None])
    assert alone.notes == ("joy: 3 of 300 positive, few, as it is",)


def test_unknown_cells_are_left_out() -> None:
    p, target = P.copy(), H.copy()
    p[:50, 1] = np.nan
    target[250:, 1] = np.nan
    one = fit(LABELS, IDS, p, target).curves[1]
    other = fit(("fear",), IDS[50:250], P[50:250, 1:2], H[50:250, 1:2]).curves[0]
    assert one.parameters == other.parameters and one.records == 200


@pytest.mark.parametrize("name", [*CALIBRATORS, "auto"])
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_not_known_stays_so(name: str, shared: bool) -> None:
    """No end of an interval makes a number of one that is not known, nor of another end."""
    made = fit(LABELS, IDS, P, H, method=name, shared=shared)
    ends = np.array([[0.1, 0.2, np.nan], [np.nan, 0.3, 0.4], [0.1, np.nan, 0.4], [np.nan] * 3])
    columns = np.repeat(ends[:, :, None], len(LABELS), axis=2)
    mapped = made.apply(LABELS, columns[:, 0], columns[:, 1], columns[:, 2])
    for one, before in zip(mapped, columns.swapaxes(0, 1), strict=True):
        assert np.array_equal(np.isnan(one), np.isnan(before))
    low, p, high = made.apply(LABELS, *np.array([[[0.1] * 3], [[0.2] * 3], [[0.3] * 3]]))
    assert mapped[1][:1] == pytest.approx(p) and mapped[0][:1] == pytest.approx(low)
    assert mapped[2][1:2] == pytest.approx(made.apply(LABELS, np.full((1, 3), 0.4))[0])
    assert (high >= p).all()


def test_the_score_as_it_is_needs_no_positive() -> None:
    assert fit(LABELS, IDS, P, np.zeros_like(H), method="identity").method == "identity"


def test_out_of_fold_scores_come_from_calibrators_that_have_not_seen_the_group() -> None:
    groups = [f"g{i // 3}" for i in range(300)]
    done = cross_fit(LABELS, IDS, P, H, low=P / 2, high=P, groups=groups, count=4, seed=9)
    low, p, high = done.scores
    assert np.array_equal(done.fold, folds(groups, 4, 9)) and np.array_equal(p, high)
    assert all(len({done.fold[i] for i in range(g, g + 3)}) == 1 for g in range(0, 300, 3))
    for index, calibrator in enumerate(done.calibrators):
        out = done.fold == index
        assert calibrator.ids == fingerprint([i for i, o in zip(IDS, out, strict=True) if not o])
        assert np.array_equal(p[out], calibrator.apply(LABELS, P[out])[0])
    assert (low <= p).all() and done.to_dict()["cross_fitted"] == 4


def test_a_choice_is_by_what_was_not_seen() -> None:
    choice = choose(P, H, IDS, count=5, seed=2)
    assert len(choice.candidates) == 2 * len(CALIBRATORS) - 1
    assert [c.nll for c in choice.candidates] == sorted(c.nll for c in choice.candidates)
    row = next(c for c in choice.candidates if c.method == "platt" and not c.shared)
    done = cross_fit(LABELS, IDS, P, H, count=5, seed=2, method="platt")
    assert row.nll == pytest.approx(record_nll(done.scores[0], H).mean())
    cal = fit(LABELS, IDS, P, H, method="auto", seed=2)
    assert cal.method == choice.best.method and cal.selection == choice
    assert (choice.best.method, choice.best.shared) == ("platt", False)  # as the data were made


def test_deals_depend_on_the_record_alone() -> None:
    shuffled = [IDS[i] for i in np.random.default_rng(0).permutation(300)]
    by_id = dict(zip(IDS, folds(IDS, 7, 1), strict=True))
    assert [by_id[i] for i in shuffled] == list(folds(shuffled, 7, 1))
    assert np.ptp(np.bincount(folds(IDS, 7, 1))) <= 1
    out = HoldOut(0.25, 3)
    assert list(out.out(IDS[:9])) == list(out.out(IDS)[:9])
    assert HoldOut(0.25).out(range(4000)).mean() == pytest.approx(0.25, abs=0.03)
    assert fingerprint(shuffled) == fingerprint(IDS) != fingerprint(IDS[:-1])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"target": H + 0.5}, "target .* is not in"),
        ({"target": np.full_like(H, np.nan)}, "nothing to calibrate on"),
        ({"p": P[:5]}, r"scores of shape \(5, 3\)"),
        ({"ids": ["x"] * 300}, "'x' comes twice"),
        ({"target": np.where(np.isnan(H), H, 0.0)}, "no record to fit on has joy or fear or"),
        ({"target": np.ones_like(H), "method": "auto"}, "every record to fit on has joy or"),
        ({"method": "magic"}, "no calibrator is called 'magic': one of identity"),
        ({"groups": ["g"]}, "1 groups for 300 records"),
        ({"method": "auto", "groups": ["g"] * 300}, "5 folds .* there are 1: label more"),
    ],
)
def test_what_cannot_be_fitted_is_named(change: dict[str, Any], text: str) -> None:
    options: dict[str, Any] = {"labels": LABELS, "ids": IDS, "p": P, "target": H} | change
    with pytest.raises(FitError, match=text):
        fit(**options)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"kind": "a policy"}'])
def test_what_is_no_calibrator_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "cal.json").write_text(text)
    with pytest.raises(FitError, match="calibrator"):
        Calibrator.load(tmp_path / "cal.json")
    with pytest.raises(FitError, match=r"cannot read the calibrator .*none\.json"):
        Calibrator.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("method", "key", "value", "said"),
    [
        ("platt", "slope", None, "slope must be a valid number"),
        ("platt", "slope", -1.0, "they are of no curve"),
        ("temperature", "slope", 1e308, "slope is 1e\\+308, which no fit gives"),
        ("beta", "a", "nan", "a must be a finite number"),
        ("isotonic", "x", [0.5], "x and y are not of one length"),
        ("isotonic", "y", 3, "y must be a valid list"),
        ("venn-abers", "p0", [0.5, 0.5], "x and p0 and p1 are not of one length"),
    ],
)
def test_parameters_of_no_calibrator_are_named(
    method: str, key: str, value: object, said: str
) -> None:
    data = fit(LABELS, IDS, P, H, method=method).to_dict()
    data["curves"]["joy"]["parameters"][key] = value
    with pytest.raises(FitError, match=rf"curves\.joy\.parameters: {said}"):
        Calibrator.from_dict(data)
    del data["curves"]["joy"]["parameters"][key]
    with pytest.raises(FitError, match=rf"curves\.joy\.parameters: {key} is missing"):
        Calibrator.from_dict(data)
