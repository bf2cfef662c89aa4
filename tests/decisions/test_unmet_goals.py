"""A goal that is not met falls back to what keeps it; a policy file cannot lose a threshold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.decisions import (
    UNMET,
    Goal,
    Guarantee,
    LabelOutcome,
    Policy,
    Reference,
    Rule,
    apply_policy,
    certify,
    control,
    fallback,
    thresholds,
)
from labelmass.decisions.conformal_risk_control import RISKS
from labelmass.decisions.policy import KIND as POLICY
from labelmass.errors import FitError
from labelmass.files.toml import dumps

KIND, EARLIER = POLICY.mark, "labelmass policy 1"

ANY = np.array([[0.0], [5e-324], [0.3], [1.0], [np.nan]])
"""Scores from end to end, and one that is not known."""


def without(kind: str) -> Guarantee:
    """That nothing is guaranteed."""
    return Guarantee("x", kind, 0.8, 0.95, None, 448, 26.0, 9.0, 0.3, 5, 690)


def outcomes(rule: Rule) -> list[int]:
    return apply_policy(Policy({"x": rule}), ANY).outcomes[:, 0].tolist()


@pytest.mark.parametrize("kind", ["recall", "miss-rate", "record-miss-rate"])
def test_recall_that_is_not_guaranteed_goes_to_review(kind: str) -> None:
    rule = Rule.of("block", without(kind))
    assert outcomes(rule) == [LabelOutcome.REVIEW] * 5
    assert rule.when == "review on every record" and not rule.certified
    assert "about 690 labelled records would do. So it goes to review on every record." in rule.why


@pytest.mark.parametrize("kind", ["precision", "fpr"])
def test_precision_that_is_not_guaranteed_is_never_given(kind: str) -> None:
    rule = Rule.of("block", without(kind))
    assert outcomes(rule) == [*[LabelOutcome.BELOW] * 4, LabelOutcome.REVIEW]
    assert rule.when == "block never"


@pytest.mark.parametrize("kind", ["recall", "precision", "fpr", "miss-rate"])
def test_who_asks_for_another_fallback_gets_it(kind: str) -> None:
    found = {way: Rule.of("block", without(kind), way, best=0.3) for way in UNMET}
    assert outcomes(found["review"]) == [LabelOutcome.REVIEW] * 5
    assert outcomes(found["always"]) == [*[LabelOutcome.ABOVE] * 4, LabelOutcome.REVIEW]
    assert outcomes(found["never"])[:4] == [LabelOutcome.BELOW] * 4
    assert outcomes(found["best"])[:4] == [0, 0, 2, 2]
    assert found["best"].note == "0.3 is the best threshold on these records, without a guarantee"
    assert Rule.of("block", without(kind), "best") == Rule.of("block", without(kind))
    kept = replace(without(kind), threshold=0.7)
    assert {Rule.of("flag", kept, way, 0.3) for way in UNMET} == {Rule("flag", 0.7, None, kept)}
    with pytest.raises(FitError, match="falls back to review, best, always, never, not 'open'"):
        fallback(kind, "open")


GOALS = ("recall>=0.8", "precision>=0.8", "fpr<=0.1")


@property_test(60)
@given(st.integers(0, 10**9), st.sampled_from(GOALS), st.sampled_from(["none", "ltt", "crc"]))
def test_no_default_falls_open(seed: int, goal_text: str, how: str) -> None:
    """Without a guarantee, recall lets nothing pass and the others give nothing."""
    draw = np.random.default_rng(seed)
    n, goal = int(draw.integers(1, 60)), Goal.parse(goal_text)
    p = draw.random((n, 2)).round(1)
    y = (draw.random((n, 2)) < draw.choice([0.0, 0.1, 0.6, 1.0])) * 1.0
    if how == "none":
        made: Any = thresholds("ab", p, y, goal)
    elif how == "ltt":
        made = certify("ab", p, p, y, goal)
    elif goal.kind == "recall":
        made = control("ab", p, p, y, "miss-rate", 1 - goal.level)
    else:
        made = control("ab", p, p, y, "fpr", 0.1)
    policy = Policy({one.label: Rule.of("flag", one) for one in made})
    done = apply_policy(policy, np.vstack([p, np.zeros((1, 2)), np.ones((1, 2))])).outcomes
    for at, one in enumerate(made):
        if not one.met:
            wrong = LabelOutcome.BELOW if goal.kind == "recall" else LabelOutcome.ABOVE
            assert (done[:, at] != wrong).all()


def test_every_risk_has_a_default() -> None:
    assert [fallback(risk) for risk in RISKS] == ["review", "never", "review"]


# -- policy files ---------------------------------------------------------------------------------

REFERENCE = Reference.of(("x",), np.linspace(0, 1, 9)[:, None], (0.7,))
POLICY = Policy({"x": Rule("flag", 0.7)}, reference=REFERENCE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": ...}, "label 'x': a rule without 'threshold': give one, \"never\" if"),
        ({"threshold": ..., "treshold": 0.7}, "label 'x': a rule without 'threshold'"),
        (
            {"treshold": 0.6},
            "label 'x': a rule with 'treshold': its keys are action, threshold,",
        ),
        ({"threshold": float("nan")}, "label 'x': threshold is nan: a number from 0 to 1"),
        ({"threshold": float("inf")}, "label 'x': threshold is inf: a number"),
        ({"threshold": 70}, "label 'x': threshold is 70: a number"),
        ({"threshold": "0.7"}, "label 'x': threshold is '0.7': a number"),
        ({"threshold": True}, "label 'x': threshold is True: a number"),
        ({"review_from": float("nan")}, "label 'x': review_from is nan: a number"),
        ({"action": ...}, "label 'x': a rule without 'action'"),
    ],
)
@pytest.mark.parametrize("kind", [KIND, EARLIER])
def test_a_rule_that_lost_its_threshold_is_refused(
    change: dict[str, Any], said: str, kind: str
) -> None:
    data = POLICY.to_dict() | {"kind": kind}
    rule = {**data["labels"]["x"], **change}
    data["labels"] = {"x": {key: value for key, value in rule.items() if value is not ...}}
    if kind == EARLIER and change == {"threshold": ...}:  # there it was how never is written
        assert Policy.from_dict(data).rules["x"].threshold is None
        return
    if kind == EARLIER and "treshold" in change:
        said = "a rule with 'treshold'"
    with pytest.raises(FitError) as error:
        Policy.from_dict(data)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"min_verdct": 0.9}, "a policy with 'min_verdct': its keys are kind"),
        ({"straddle": ...}, "a policy without 'straddle'"),
        ({"min_verdict": float("nan")}, "min_verdict is nan"),
        ({"min_verdict": 50}, "min_verdict is 50: a number from 0 to 1"),
    ],
)
def test_a_key_that_is_misspelt_is_refused(change: dict[str, Any], said: str) -> None:
    data = {**POLICY.to_dict(), **change}
    with pytest.raises(FitError, match=said):
        Policy.from_dict({key: value for key, value in data.items() if value is not ...})


def test_a_calibrator_that_was_lost_is_that_of_the_signature() -> None:
    policy = replace(POLICY, calibrator="abc", signature={"calibrator": "abc"})
    data = policy.to_dict()
    del data["data"]["calibrator"]
    assert Policy.from_dict(data) == policy
    with pytest.raises(FitError, match="through the calibrator abc, not None"):
        apply_policy(Policy.from_dict(data), ANY[:1])


def test_a_label_that_lost_its_rule_is_refused(tmp_path: Path) -> None:
    two = np.linspace(0, 1, 18).reshape(9, 2)
    reference = Reference.of(("x", "y"), two, (0.7, None))
    policy = Policy({"x": Rule("flag", 0.7), "y": Rule("flag", None)}, reference=reference)
    data = policy.to_dict()
    assert data["labels"]["y"]["threshold"] == "never"
    del data["labels"]["y"]
    (tmp_path / "policy.toml").write_text(dumps(data))
    with pytest.raises(FitError, match=r"label 'y' .* \(its rules lack it\)"):
        Policy.load(tmp_path / "policy.toml")


def test_a_fallback_that_was_edited_no_longer_says_what_it_was() -> None:
    for way, edits in {
        "review": ({"review_from": 0.2}, {"review_from": ...}, {"threshold": 0.4}),
        "always": ({"threshold": 0.4}, {"threshold": "never"}),
        "never": ({"threshold": 0.4},),
    }.items():
        made = Rule.of("flag", without("recall"), way).to_dict()
        for edit in edits:
            data = {k: one for k, one in {**made, **edit}.items() if one not in (..., None)}
            assert Rule.from_dict(data).note == "moved by hand: no guarantee"
    never = Rule.of("flag", without("recall"), "never")
    banded = replace(never, review_from=0.3)
    assert Rule.from_dict(banded.to_dict()) == banded


@pytest.mark.parametrize("name", ["policy.json", "policy.toml"])
def test_a_fallback_is_kept_in_the_file(name: str, tmp_path: Path) -> None:
    made = {way: Rule.of("flag", without("recall"), way, 0.3) for way in UNMET}
    Policy(made).save(tmp_path / name)
    assert dict(Policy.load(tmp_path / name).rules) == made


def test_an_earlier_file_that_fell_open_goes_to_review() -> None:
    def earlier(kind: str, **more: Any) -> Rule:
        guarantee = {key: one for key, one in without(kind).to_dict().items() if one is not None}
        rule = {"action": "block", "note": "", "guarantee": guarantee, **more}
        text = json.dumps({"kind": EARLIER, "straddle": "review", "labels": {"x": rule}})
        return Policy.from_dict(json.loads(text)).rules["x"]

    assert earlier("miss-rate").everywhere and earlier("recall").review_from == 0
    assert earlier("precision") == Rule.of("block", without("precision"))
    assert earlier("recall", threshold=0.4).threshold == 0.4
    assert earlier("recall", review_from=0.2).review_from == 0.2
    assert Policy.from_dict(
        {"kind": EARLIER, "straddle": "review", "labels": {"x": {"action": "flag"}}}
    ).rules["x"] == Rule("flag", None)


def test_scores_that_rounding_put_below_zero_are_reviewed_too() -> None:
    policy = Policy({"x": Rule("flag", None, 0.0)})
    assert apply_policy(policy, np.array([[-1e-12]])).actions == ("review",)
    for wrong in (-0.1, 1.1):
        with pytest.raises(FitError, match=rf"label 'x': row 1 has the score {wrong}, which"):
            apply_policy(policy, np.array([[0.5], [wrong]]))
