"""What a policy does, counted against loops and peers; what the page says of its thresholds."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

import labelmass
from conftest import TASK
from helpers import scripted_guard
from helpers.annotated_records import annotated
from helpers.commands import run as command
from helpers.property_tests import property_test
from helpers.scripted_guard import guard_records
from helpers.strict_html import data, read
from labelmass.calibration import Calibrator
from labelmass.decisions import Policy, Rule, apply_policy
from labelmass.errors import FitError, LabelMassError
from labelmass.reporting import ReportData, draw, explorers, gather, page
from labelmass.reporting.explorer import Saving
from labelmass.reporting.rates import Share, rates
from reporting.runs import make_run, named


@pytest.mark.parametrize(("part", "whole"), [(0, 5), (5, 5), (3, 17), (120, 997)])
def test_the_interval_of_a_share_is_wilsons(part: int, whole: int) -> None:
    peer = binomtest(part, whole).proportion_ci(0.95, "wilson")
    assert Share(part, whole).interval == pytest.approx((peer.low, peer.high), abs=1e-12)
    assert Share(0, 0).interval is None and Share(0, 0).value is None


SCORES = st.one_of(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.floats(0, 1))


@property_test(100)
@given(
    rows=st.lists(
        st.tuples(SCORES, SCORES, SCORES, st.sampled_from([0.0, 1.0, math.nan])), min_size=1
    ),
    cut=st.one_of(st.none(), SCORES),
    review=st.one_of(st.none(), SCORES),
    straddle=st.sampled_from(["review", "point", "low", "high"]),
)
def test_counts_are_those_of_a_loop(
    rows: list[tuple[float, float, float, float]],
    cut: float | None,
    review: float | None,
    straddle: str,
) -> None:
    if cut is not None and review is not None:
        review = min(review, cut)
    policy = Policy({"joy": Rule("block", cut, review)}, straddle)
    ends = np.array([sorted(row[:3]) for row in rows])
    gold = np.array([row[3] for row in rows])
    found = rates(policy, ends[:, 1:2], ends[:, :1], ends[:, 2:], gold[:, None])

    def outcome(score: float) -> str:
        if cut is not None and score >= cut:
            return "given"
        return "review" if review is not None and score >= review else "below"

    done: list[str] = []
    for low, p, high in ends.tolist():
        sides = [outcome(low), outcome(p), outcome(high)]
        settled = {"review": "review", "point": sides[1], "low": sides[0], "high": sides[2]}
        done.append(sides[1] if sides[0] == sides[2] else settled[straddle])
    is_given = np.array([one == "given" for one in done])
    (one,) = found.labels
    right, wrong = (int((is_given & (gold == truth)).sum()) for truth in (1, 0))
    assert one.precision == Share(right, right + wrong)
    assert one.recall == Share(right, int((gold == 1).sum()))
    assert one.false_positives == Share(wrong, int((gold == 0).sum()))
    assert one.given == Share(done.count("given"), len(done))
    assert one.review == found.review == Share(done.count("review"), len(done))
    assert found.actions == {
        "allow": done.count("below"), "flag": 0,
        "review": done.count("review"), "block": done.count("given"),
    }  # fmt: skip


# -- where the policy is from ---------------------------------------------------------------------


def tune(levels_run: Path, out: Path, *more: str, targets: str = "dev.jsonl") -> Policy:
    asked = ("--targets", str(levels_run.parent / targets), "--gold", "majority")
    goal = ("--goal", "fpr<=0.3", "--review-budget", "0.2")
    command("tune", str(levels_run / "m"), *asked, *goal, *more, "--out", str(out))
    return Policy.load(out)


def saved_to(policy: Policy, folder: Path) -> str:
    policy.save(folder / "saved.json")
    return str(folder / "saved.json")


def said(run: ReportData, policy: Policy | None, calibrator: Calibrator | None = None) -> str:
    found = explorers([run], policy, calibrator)
    root = read(page([run], [draw(run)], found))
    return next(one for one in root.all() if one.attributes.get("id") == "run1-thresholds").text


def test_the_numbers_flatter_where_the_policy_was_tuned(
    gathered: ReportData, levels_run: Path, tmp_path: Path
) -> None:
    policy = tune(levels_run, tmp_path / "p.json", "--guarantee", "ltt")
    ((one,),) = (found.values() for found in explorers([gathered], policy))
    assert one.tuned_here is True and "flatter" in said(gathered, policy)
    done = apply_policy(policy, one.scored.p, one.scored.low, one.scored.high)
    assert one.rates.actions == done.counts
    assert all(rule.guarantee and rule.guarantee.text in said(gathered, policy)
               for rule in policy.rules.values())  # fmt: skip
    rows = annotated()[:80]
    (levels_run.parent / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    other = tune(levels_run, tmp_path / "o.json", targets="some.jsonl")
    ((one,),) = (found.values() for found in explorers([gathered], other))
    assert one.tuned_here is False and "other records (80)" in said(gathered, other)
    assert "No policy was given" in said(gathered, None)


def test_without_a_policy_it_begins_where_the_comparison_stood(
    gathered: ReportData, levels_run: Path, tmp_path: Path
) -> None:
    ((one,),) = (found.values() for found in explorers([gathered]))
    assert one.policy.thresholds == (0.5, 0.5, 0.5)
    assert {rule.action for rule in one.policy.rules.values()} == {"flag"}
    command("decide", str(levels_run / "m"), "--policy", saved_to(one.policy, tmp_path))
    shown = data(read(page([gathered], [draw(gathered)], explorers([gathered]))))
    found = shown["runs"][0]["models"][0]["thresholds"]
    p = gathered.models[0].scores["any-place"]
    assert p.low is not None and p.high is not None
    for at, label in enumerate(found["labels"]):
        assert label["p"] == p.p[:, at].tolist()  # exactly
        assert label["low"] == p.low[:, at].tolist() and label["high"] == p.high[:, at].tolist()
        assert label["gold"] == gathered.targets.gold[:, at].tolist()
        for name, share in label["rates"].items():
            assert share == getattr(one.rates.labels[at], name).to_dict()
    assert found["actions"] == one.rates.actions


def test_a_policy_for_other_scores_is_refused(
    gathered: ReportData, levels_run: Path, tmp_path: Path
) -> None:
    policy = tune(levels_run, tmp_path / "p.json")
    for change, says in (
        ({"fingerprint": "other"}, "fingerprint"),
        ({"normalisation": "on-format"}, "normalisation"),
        ({"methods": ["unary"]}, "for unary, not for any-place"),
    ):
        assert policy.signature is not None
        changed = Policy.from_dict(policy.to_dict() | {"signature": {**policy.signature, **change}})
        with pytest.raises(FitError, match=says):
            explorers([gathered], changed)
        assert explorers([gathered], changed, force=True)[0]["m"].rates.actions
    swapped = Policy(dict(reversed(policy.rules.items())))
    with pytest.raises(FitError, match="for the labels"):
        explorers([gathered], swapped)


def test_scores_go_through_the_calibrator_of_the_policy(
    gathered: ReportData, levels_run: Path, tmp_path: Path
) -> None:
    dev, cal = str(levels_run.parent / "dev.jsonl"), str(tmp_path / "cal.json")
    command("calibrate", str(levels_run / "m"), "--targets", dev, "--hold-out", "0.5", "--out", cal)
    calibrator = Calibrator.load(cal)
    policy = tune(levels_run, tmp_path / "p.json", "--calibrator", cal)
    ((one,),) = (found.values() for found in explorers([gathered], policy, calibrator))
    assert one.scored.method == "calibrated:any-place"
    assert one.tuned_here is True and len(one.gold) == policy.records
    assert 30 < len(one.gold) < 90  # the half that the calibrator held out
    assert "held out" in said(gathered, policy, calibrator)
    out = str(tmp_path / "page.html")
    asked = ("report", str(levels_run), "--policy", str(tmp_path / "p.json"), "--out", out)
    result = command(*asked, code=1)
    assert isinstance(result.exception, LabelMassError)
    assert "calibrated:any-place" in str(result.exception)
    command(*asked, "--calibrator", cal)
    assert "calibrated:any-place" in Path(out).read_text(encoding="utf-8")
    command("report", str(levels_run), "--calibrator", cal, "--out", out, code=2)


def test_a_policy_is_tried_on_the_model_it_is_for(tmp_path: Path) -> None:
    models = [named("one"), named("two")]
    made = make_run(tmp_path, TASK, annotated(40), models, "--method", "any-place")
    made_run = gather(made)
    policy = explorers([made_run])[0]["two"].policy
    assert set(explorers([made_run])[0]) == {"one", "two"}
    assert set(explorers([made_run], policy)[0]) == {"two"}


@pytest.mark.parametrize("normalise", ["raw", "on-format", "masked"])
def test_a_guards_verdicts_count_as_in_decide(normalise: str, tmp_path: Path) -> None:
    rows = [
        *guard_records(60),
        scripted_guard.record("silent", safe=100, one=20, lost=0, labels=[]),
    ]
    made = make_run(
        tmp_path, scripted_guard.TASK, rows, [scripted_guard.guard_model()],
        "--method", "any-place,hard", "--normalise", normalise,
    )  # fmt: skip
    made_run = gather(made)
    ((one,),) = (found.values() for found in explorers([made_run]))
    found = one.scored.decide(one.policy)
    assert one.rates.actions == found.counts
    assert found.unreadable.any() and found.no_verdict.any()
    exact = labelmass.score(
        rows,
        scripted_guard.guard_task(),
        scripted_guard.guard_model(),
        normalise=normalise,
        policy=one.policy,
    )
    counts = Counter(result.decisions["action"] for result in exact)
    assert {action: n for action, n in found.counts.items() if n} == counts
    assert "cannot be read counts as open" in said(made_run, one.policy)
    assert "cannot be read counts as open" not in read(page([made_run], [draw(made_run)])).text


# -- how it is saved ------------------------------------------------------------------------------


def test_the_parts_of_a_file_are_those_of_a_move(levels_run: Path, tmp_path: Path) -> None:
    for more in (
        ("--guarantee", "ltt"),
        ("--goal", "recall>=0.7", "--guarantee", "crc", "--shared"),
    ):
        policy = tune(levels_run, tmp_path / "p.json", *more)
        saving = Saving.of(policy)
        whole, rules = policy.to_dict(), policy.to_dict()["labels"]
        assert {**json.loads(f"{{{saving.rest}}}"), "labels": rules} == whole
        moved = policy.move("fear", 0.123).to_dict()["labels"]
        assert json.loads(f"{{{saving.moved[1]}}}") == {"note": moved["fear"]["note"]}
        kept = {key: rules["joy"][key] for key in ("note", "guarantee")}
        assert json.loads(f"{{{saving.kept[0]}}}") == kept
        if saving.lost is None:
            assert "--shared" not in more and moved["joy"] == rules["joy"]
        else:
            assert json.loads(f"{{{saving.lost}}}") == {"note": moved["joy"]["note"]}
            assert "guarantee" not in moved["joy"]
