"""`tune`, `decide`, `drift` and `score --policy`, end to end on a scripted model."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelmass
from helpers.annotated_records import LABELS, annotated, level_model
from helpers.commands import records, run, write_lines
from labelmass.answers.search import Budget
from labelmass.calibration import Calibrator
from labelmass.decisions import Goal, Policy, Rule, certify, control, sequence, thresholds
from labelmass.errors import LabelMassError
from labelmass.provenance import fingerprint
from labelmass.scores import Scores
from labelmass.scores.read import read_scores
from labelmass.scoring.decision_step import tighter
from labelmass.targets import Targets
from labelmass.task import Task

pytestmark = pytest.mark.usefixtures("levels")

ON = ("--targets", "dev.jsonl", "-t", "mood.toml")
TUNE = ("tune", "scores.jsonl", *ON)
SURE = ("--goal", "precision>=0.7", "--guarantee", "ltt")


def scored(texts: str = "dev.jsonl", out: str = "scores.jsonl", *more: str) -> Scores:
    run("score", texts, "-t", "mood.toml", *more, "--out", out)
    return Scores.load(out, LABELS).select("any-place")


def refused(*args: str) -> str:
    result = run(*args, code=1)
    assert isinstance(result.exception, LabelMassError)
    return str(result.exception)


def gold(rows: list[dict[str, Any]] | None = None) -> np.ndarray:
    return Targets.from_records(rows or annotated(), LABELS).gold


def test_a_goal_becomes_a_policy_that_says_where_it_is_from() -> None:
    p = read_scores("scores.jsonl", LABELS).each["any-place"]
    asked = (*TUNE, "--goal", "f1", "--action", "block", "--out")
    printed = run(*asked, "policy.toml").stdout
    run(*asked, "policy.json")
    policy = Policy.load("policy.toml")
    assert policy.to_dict() == Policy.load("policy.json").to_dict()
    found = thresholds(LABELS, p.p, gold(), Goal.parse("f1"))
    assert policy.thresholds == tuple(one.value for one in found)
    assert {rule.action for rule in policy.rules.values()} == {"block"}
    assert policy.ids == fingerprint([row["id"] for row in annotated()])
    assert policy.records == 120 and policy.signature is not None
    assert policy.signature["methods"] == ["any-place"]
    assert policy.reference is not None and "off_format" in policy.reference.masses
    policy.save("again.toml")
    assert Path("again.toml").read_text() == Path("policy.toml").read_text()
    line = next(line for line in printed.splitlines() if line.startswith("fear "))
    threshold = found[1].value
    assert threshold is not None and p.low is not None
    sure = p.low[:, 1] >= threshold
    precision = f"{gold()[sure, 1].mean():.3f} of {sure.sum()}"
    recall = f"{gold()[sure, 1].sum() / gold()[:, 1].sum():.3f} of {gold()[:, 1].sum():g}"
    assert [precision, recall] == [" ".join(line.split()[i : i + 3]) for i in (2, 5)]


def test_a_guarantee_is_that_of_the_worst_within_the_bounds() -> None:
    rows = annotated(250)
    write_lines("dev.jsonl", rows)
    p = scored()
    printed = run(*TUNE, *SURE, "--confidence", "0.9", "--out", "policy.toml").stdout
    found = certify(LABELS, p.low, p.high, gold(rows), Goal.parse("precision>=0.7"), confidence=0.9)
    policy = Policy.load("policy.toml")
    assert tuple(rule.guarantee for rule in policy.rules.values()) == found
    assert policy.rules["fear"].certified and not policy.rules["joy"].certified
    assert "precision >= 0.7, 90% sure" in printed
    assert "never" in next(line for line in printed.splitlines() if line.startswith("joy "))
    text = tomllib.loads(Path("policy.toml").read_text())["labels"]["fear"]["guarantee"]["text"]
    assert text == found[1].text


def test_what_cannot_be_guaranteed_yet_says_how_many_records_would_do() -> None:
    asked = (*TUNE, "--goal", "precision>=0.75", "--guarantee", "ltt", "--out", "policy.json")
    printed = " ".join(run(*asked).stdout.split())
    needed = Policy.load("policy.json").rules["fear"].guarantee
    assert needed is not None and needed.threshold is None and needed.needed is not None
    assert f"about {needed.needed}" in printed


def guarded(positives: int = 26, n: int = 448, new: int = 112) -> np.ndarray:
    """Scores that find a rare label, joyful, badly, in a file with those of new records.

    Returns the gold of the first n.
    """
    draw = np.random.default_rng(1)
    y = (draw.random((n, 3)) < 0.4) * 1.0
    y[:, 2] = np.arange(n) < positives
    p = draw.beta(2, 3, (n + new, 3)).round(6)
    p[:n, :2] = (p[:n, :2] + y[:, :2]) / 2
    p[-1, 2] = 0.0  # the surest not to have it
    scores = [
        {"id": f"g{i}", "labels": dict(zip(LABELS, row, strict=True))}
        for i, row in enumerate(p.tolist())
    ]
    names = [[x for x, one in zip(LABELS, row, strict=True) if one] for row in y]
    write_lines(
        "dev.jsonl", [{"id": f"g{i}", "text": "t", "labels": x} for i, x in enumerate(names)]
    )
    write_lines("scores.jsonl", scores[:n])
    write_lines("new.jsonl", scores[n:])
    return y


RECALL = ("--goal", "recall>=0.8", "--guarantee", "ltt", "--out", "policy.toml")


def test_recall_that_cannot_be_guaranteed_goes_to_review_on_every_record() -> None:
    y = guarded()
    found = run(*TUNE, *RECALL)
    rule = Policy.load("policy.toml").rules["joyful"]
    assert y[:, 2].sum() == 26 and rule.guarantee is not None
    assert (rule.threshold, rule.review_from) == (None, 0) and not rule.guarantee.met
    assert rule.guarantee.needed is not None and rule.guarantee.needed > 448
    row = " ".join(found.stdout[found.stdout.index("joyful") :].split())
    assert row.startswith("joyful review all 0.000 of 26 100.0% not recall >= 0.8: about ")
    assert f"{rule.guarantee.needed} labelled records would do" in row
    last = found.stderr.splitlines()[-1]
    assert last == "no guarantee for joyful (review on every record)"
    run("decide", "new.jsonl", "--policy", "policy.toml", "--out", "decisions.jsonl")
    rows = records("decisions.jsonl")
    assert len(rows) == 112 and all("joyful" in row["review"] for row in rows)
    assert all(row["action"] == "review" for row in rows)


@pytest.mark.parametrize("way", ["review", "best", "always", "never"])
def test_what_is_not_met_is_done_as_asked_and_counts_when_strict(way: str) -> None:
    y = guarded()
    p = read_scores("scores.jsonl", LABELS).each["scores"]
    last = run(*TUNE, *RECALL, "--unmet", way, "--strict", code=2).stderr.splitlines()[-1]
    rule = Policy.load("policy.toml").rules["joyful"]
    best = thresholds(LABELS, p.p, y, Goal.parse("recall>=0.8"))[2].value
    cuts = {"review": (None, 0), "best": (best, None), "always": (0, None), "never": (None, None)}
    assert (rule.threshold, rule.review_from) == cuts[way]
    done = {
        "review": "review on every record", "best": f"given from {best:.4g}",
        "always": "flag on every record", "never": "never given",
    }  # fmt: skip
    assert last == f"no guarantee for joyful ({done[way]})"
    assert ("without a guarantee" in rule.why) == (way == "best")


def test_what_is_met_is_no_failure_when_strict() -> None:
    guarded(positives=200)
    said = run(*TUNE, "--goal", "recall>=0.5", "--strict", "--out", "policy.toml").stderr
    assert "not reached" not in said and "no guarantee" not in said
    run(*TUNE, "--goal", "recall>=0.5", *RECALL[2:], "--strict")


def test_a_label_that_nobody_has_is_said() -> None:
    guarded(positives=0)
    for goal, done in (
        ("recall>=0.8", "review on every record"),
        ("precision>=0.1", "never given"),
        ("f1", "never given"),
    ):
        said = run(*TUNE, "--goal", goal, "--strict", "--out", "policy.toml", code=2).stderr
        assert said.splitlines()[-1] == f"goal not reached for joyful ({done})"
        assert "no record here has joyful: what their rules miss is not known" in said
        assert "no record here has the label" in Policy.load("policy.toml").rules["joyful"].why
    said = run(*TUNE, "--review-budget", "0.2", "--strict", "--out", "policy.toml").stderr
    assert "no record here has joyful" in said


def test_a_budget_is_sized_without_what_goes_to_review_anyway() -> None:
    guarded()
    found = run(*TUNE, *RECALL, "--review-budget", "0.1")
    policy = Policy.load("policy.toml")
    assert policy.rules["joyful"].review_from == 0
    assert "sized without joyful: the fallback takes every record" in found.stderr
    assert "100.0% of 448 records go to review" in found.stdout
    p = read_scores("scores.jsonl", LABELS).each["scores"].p[:, :2]
    ends = [(rule.review_from, rule.threshold) for rule in list(policy.rules.values())[:2]]
    inside = [(p[:, at] >= (a or 2)) & (p[:, at] < (b or 2)) for at, (a, b) in enumerate(ends)]
    assert 0 < np.any(inside, axis=0).mean() <= 0.1
    run(*TUNE, *RECALL, "--review-risk", "0.4", "--unmet", "always")
    assert Policy.load("policy.toml").rules["joyful"].when == "flag on every record"


def test_one_guarantee_for_all_labels_falls_back_for_all_labels() -> None:
    guarded(n=4, positives=1)
    said = run(*TUNE, *RECALL, "--guarantee", "crc", "--shared", "--strict", code=2).stderr
    policy = Policy.load("policy.toml")
    assert all(rule.everywhere for rule in policy.rules.values())
    assert said.splitlines()[-1].startswith("no guarantee for joy (review on every record), fear (")


def test_expected_risks_are_controlled() -> None:
    p = read_scores("scores.jsonl", LABELS).each["any-place"]
    asked = (*TUNE, "--goal", "recall>=0.8", "--guarantee", "crc", "--out", "policy.toml")
    run(*asked)
    policy = Policy.load("policy.toml")
    ends = LABELS, p.low, p.high, gold()
    assert tuple(r.guarantee for r in policy.rules.values()) == control(*ends, "miss-rate", 0.2)
    run(*asked, "--shared")
    (whole,) = control(*ends, "record-miss-rate", 0.2)
    assert {r.guarantee for r in Policy.load("policy.toml").rules.values()} == {whole}
    run(*TUNE, "--goal", "fpr<=0.2", "--guarantee", "crc", "--out", "policy.toml")
    assert Policy.load("policy.toml").rules["fear"].guarantee == control(*ends, "fpr", 0.2)[1]


def test_an_order_from_other_records_gives_more() -> None:
    first, rest = annotated(150, seed=2, first=1000), annotated(150)
    write_lines("dev.jsonl", rest)
    write_lines("first.jsonl", first)
    write_lines("all.jsonl", [*rest, *first])
    p = scored("all.jsonl")
    goal = Goal.parse("precision>=0.7")
    run(*TUNE, *SURE, "--order-data", "first.jsonl", "--out", "policy.toml")
    order = sequence(p.p[150:], gold(first), goal)
    expected = certify(LABELS, p.low[:150], p.high[:150], gold(rest), goal, order=order)
    policy = Policy.load("policy.toml")
    assert tuple(rule.guarantee for rule in policy.rules.values()) == expected
    run(*TUNE, *SURE, "--out", "plain.toml")
    lower, plain = (one.rules["fear"].threshold for one in (policy, Policy.load("plain.toml")))
    assert lower is not None and plain is not None and lower < plain
    assert "among those to certify" in refused(
        *TUNE, *SURE, "--order-data", "all.jsonl", "--out", "x.toml"
    )


def test_a_band_goes_to_review_within_its_budget() -> None:
    p = read_scores("scores.jsonl", LABELS).each["any-place"]
    run(*TUNE, "--goal", "f1", "--review-budget", "0.2", "--out", "policy.toml")
    run(*TUNE, "--goal", "f1", "--out", "plain.toml")
    policy = Policy.load("policy.toml")
    assert policy.thresholds == Policy.load("plain.toml").thresholds
    inside = [
        (p.p[:, at] >= rule.review_from) & (p.p[:, at] < rule.threshold)
        for at, rule in enumerate(policy.rules.values())
    ]
    assert 0.1 < np.any(inside, axis=0).mean() <= 0.2
    run(*TUNE, "--review-risk", "0.1", "--out", "risk.toml")
    for at, rule in enumerate(Policy.load("risk.toml").rules.values()):
        top = np.inf if rule.threshold is None else rule.threshold
        low = top if rule.review_from is None else rule.review_from
        given, below = p.p[:, at] >= top, p.p[:, at] < low
        wrong = (1 - gold()[given, at]).sum() + gold()[below, at].sum()
        assert wrong <= 0.1 * (given | below).sum()


def test_records_that_a_calibrator_saw_guarantee_nothing() -> None:
    rows = annotated()
    run("calibrate", "scores.jsonl", *ON, "--out", "all.json")
    run("calibrate", "scores.jsonl", *ON, "--hold-out", "0.6", "--out", "cal.json")
    asked = (*TUNE, *SURE, "--out", "policy.toml")
    assert "fitted on these very records" in refused(*asked, "--calibrator", "all.json")
    note = run(*TUNE, "--goal", "f1", "--calibrator", "all.json", "--out", "x.toml").stderr
    assert "very records" in note
    note = run(*asked, "--calibrator", "cal.json").stderr
    cal, policy = Calibrator.load("cal.json"), Policy.load("policy.toml")
    assert cal.hold_out is not None
    out = cal.hold_out.out([row["id"] for row in rows])
    assert policy.records == out.sum() == 120 - cal.records
    assert f"{policy.records} records that the calibrator held out" in note
    assert policy.calibrator == cal.digest
    # decided on raw scores through it, or on scores that went through it already
    scored("dev.jsonl", "after.jsonl", "--calibrator", "cal.json")
    run("decide", "scores.jsonl", "--policy", "policy.toml", "--calibrator", "cal.json",
        "--out", "one.jsonl")  # fmt: skip
    run("decide", "after.jsonl", "--policy", "policy.toml", "--out", "other.jsonl")
    assert records("one.jsonl") == records("other.jsonl")
    assert "methods" in refused("decide", "scores.jsonl", "--policy", "policy.toml")
    # a table does not say by what scores are calibrated: those beside them are taken through it
    scored("dev.jsonl", "after.csv", "--calibrator", "cal.json")
    run("decide", "after.csv", "--policy", "policy.toml", "--calibrator", "cal.json",
        "--out", "table.jsonl")  # fmt: skip
    assert records("table.jsonl") == records("one.jsonl")
    # where the calibrator's records cannot be told, that is said
    note = run("tune", "after.jsonl", *TUNE[2:], *SURE, "--out", "x.toml").stderr
    assert "if the calibrator was fitted on other records" in note
    write_lines("dev.jsonl", rows[:100])
    note = run(*asked, "--calibrator", "cal.json").stderr
    assert "whether some of them are cannot be told" in note


def by_hand(policy: Policy, low: float, high: float, label: str) -> str:
    rule = policy.rules[label]
    sides: list[str] = []
    for score in (low, high):
        action = "allow"
        if rule.review_from is not None and score >= rule.review_from:
            action = "review"
        if rule.threshold is not None and score >= rule.threshold:
            action = rule.action
        sides.append(action)
    return sides[0] if sides[0] == sides[1] else "review"


def test_decisions_are_those_of_both_ends() -> None:
    run(*TUNE, "--goal", "f1", "--review-budget", "0.2", "--out", "policy.toml")
    write_lines("new.jsonl", [*annotated(60, seed=3, first=500), {"id": "bad"}])
    p = scored("new.jsonl", "new-scores.jsonl")
    asked = ("decide", "new-scores.jsonl", "--policy", "policy.toml", "--out")
    printed = run(*asked, "decisions.jsonl").stdout
    run(*asked, "decisions.csv")
    policy, found = Policy.load("policy.toml"), records("decisions.jsonl")
    assert p.low is not None and p.high is not None
    for at, row in enumerate(found[:60]):
        ends = zip(p.low[at], p.high[at], LABELS, strict=True)
        assert row["labels"] == {x: by_hand(policy, low, high, x) for low, high, x in ends}
        assert row["action"] == max(row["labels"].values(), key=["allow", "flag", "review"].index)
    assert found[60]["id"] == "bad" and found[60]["action"] == "review"
    with Path("decisions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"id": r["id"], "action": r["action"], **r["labels"]} for r in found]
    for action in ("allow", "flag", "review"):
        count = sum(row["action"] == action for row in found)
        assert [action, str(count)] in [line.split()[:2] for line in printed.splitlines()]


def test_scores_of_another_kind_are_not_decided() -> None:
    run(*TUNE, "--goal", "f1", "--out", "policy.toml")
    scored("dev.jsonl", "other.jsonl", "--normalise", "on-format")
    asked = ("decide", "other.jsonl", "--policy", "policy.toml")
    assert "normalisation: 'raw', now 'on-format'" in refused(*asked)
    run(*asked, "--force")
    score = ("score", "dev.jsonl", "-t", "mood.toml", "--policy", "policy.toml")
    assert "normalisation" in refused(*score, "--normalise", "on-format")
    assert "policy is for any-place, not for hard" in refused(*score, "--method", "hard")
    run("score", "dev.jsonl", "-t", "mood.toml", "--out", "scores.csv")
    note = run("decide", "scores.csv", "--policy", "policy.toml").stderr
    assert "does not say what kind" in note


def test_what_straddles_is_explored_until_it_clears(mood: Task) -> None:
    """A threshold that cuts through intervals at 0.01: the exact scores lie on one side."""
    rows = annotated(15, seed=7, first=700)
    write_lines("new.jsonl", rows)
    p = scored("new.jsonl", "plain.jsonl")
    assert p.low is not None and p.high is not None
    cuts = {x: float(p.low[at, at] * 0.4 + p.high[at, at] * 0.6) for at, x in enumerate(LABELS)}
    signature = records("plain.jsonl")[0]["signature"]
    policy = Policy({x: Rule("flag", cut) for x, cut in cuts.items()}, signature=signature)
    policy.save("policy.toml")
    run("score", "new.jsonl", "-t", "mood.toml", "--policy", "policy.toml", "--out", "out.jsonl")
    exact = labelmass.score(rows, mood, level_model(), tolerance=1e-6).to_numpy()
    explored = []
    for at, (row, plain) in enumerate(
        zip(records("out.jsonl"), records("plain.jsonl"), strict=True)
    ):
        decisions = row["decisions"]
        assert decisions["straddles"] == []
        assert decisions["given"] == [
            x for x, score in zip(LABELS, exact[at], strict=True) if score >= cuts[x]
        ]
        times = decisions["explorations"]
        explored.append(times)
        if times == 1:
            assert row["labels"] == plain["labels"]
        budget, spent = Budget(), 0
        for _ in range(times):
            (alone,) = labelmass.score([rows[at]], mood, level_model(), budget=budget)
            spent += alone.cost.tree_tokens
            budget = tighter(budget)
        assert row["cost"]["tree_tokens"] == spent
        assert (spent > plain["cost"]["tree_tokens"]) == (times > 1)
    assert min(explored[:3]) > 1 and 1 in explored


def test_saved_trees_are_not_explored_further() -> None:
    p = scored("dev.jsonl", "scores.jsonl", "--keep-trees", "trees")
    run(*TUNE, "--goal", "f1", "--out", "policy.toml")
    run("score", "trees", "--policy", "policy.toml", "--out", "read.jsonl")
    cuts = np.array([np.inf if t is None else t for t in Policy.load("policy.toml").thresholds])
    straddles = (p.low < cuts) & (p.high >= cuts)
    assert straddles.any(axis=1).sum() > 3
    for row, open_labels in zip(records("read.jsonl"), straddles, strict=True):
        decisions = row["decisions"]
        expected = [x for x, one in zip(LABELS, open_labels, strict=True) if one]
        assert decisions["straddles"] == decisions["review"] == expected
        assert decisions["explorations"] == 1


def test_exploring_stops_where_nothing_can_clear(mood: Task) -> None:
    (one,) = labelmass.score(["level 500"], mood, level_model(), tolerance=1e-9)
    never = Rule("flag", None)
    policy = Policy({"joy": never, "fear": never, "joyful": Rule("flag", one["joyful"].p)})
    (found,) = labelmass.score(["level 500"], mood, level_model(), policy=policy)
    assert found.decisions["explorations"] == 5
    assert found.decisions["straddles"] == found.decisions["review"] == ["joyful"]
    # a finer tree does not make drawn answers more
    (drawn,) = labelmass.score(["level 500"], mood, level_model(), methods=["sampling"])
    policy = Policy({"joy": never, "fear": never, "joyful": Rule("flag", drawn["joyful"].p)})
    (found,) = labelmass.score(
        ["level 500"], mood, level_model(), methods=["sampling"], policy=policy
    )
    assert found.decisions["explorations"] == 2


def test_tables_of_decided_scores_hold_the_action() -> None:
    run(*TUNE, "--goal", "f1", "--out", "policy.toml")
    run("score", "dev.jsonl", "-t", "mood.toml", "--policy", "policy.toml", "--out", "out.csv")
    with Path("out.csv").open() as file:
        actions = [row["action"] for row in csv.DictReader(file)]
    said = run("score", "dev.jsonl", "-t", "mood.toml", "--policy", "policy.toml",
               "--out", "out.jsonl").stderr  # fmt: skip
    assert actions == [row["decisions"]["action"] for row in records("out.jsonl")]
    assert f"{actions.count('flag')} flag" in said


def test_a_record_that_could_not_be_scored_goes_to_review() -> None:
    run(*TUNE, "--goal", "f1", "--out", "policy.toml")
    write_lines("new.jsonl", [{"id": "bad"}, *annotated(3)])
    asked = ("score", "new.jsonl", "-t", "mood.toml", "--policy", "policy.toml")
    run(*asked, "--out", "out.csv")
    with Path("out.csv").open() as file:
        first = next(csv.DictReader(file))
    assert first["error"] and first["action"] == "review"
    run(*asked, "--keep-trees", "trees", "--out", "out.jsonl")
    run("score", "trees", "--policy", "policy.toml", "--out", "read.jsonl")
    for name in ("out.jsonl", "read.jsonl"):
        bad, *rest = records(name)
        assert bad["decisions"] == {"action": "review"} and "error" in bad
        assert all(row["decisions"]["explorations"] for row in rest)
    run("score", "new.jsonl", "-t", "mood.toml", "--out", "plain.jsonl")
    assert "decisions" not in records("plain.jsonl")[0]


def test_drift_warns_of_other_texts_and_not_of_more_of_the_same() -> None:
    run(*TUNE, "--goal", "f1", "--out", "policy.toml")
    write_lines("same.jsonl", annotated(80, seed=8, first=1000))
    write_lines("sad.jsonl", annotated(80, seed=9, first=2000, most=400))
    asked = ("--policy", "policy.toml", "--strict")
    scored("same.jsonl", "same-scores.jsonl")
    scored("sad.jsonl", "sad-scores.jsonl")
    assert "no change beyond chance" in run("drift", "same-scores.jsonl", *asked).stdout
    said = run("drift", "sad-scores.jsonl", *asked, code=2).stdout
    for words in ("warning: joy: given to", "Kolmogorov-Smirnov distance 0.", "off-format mass 0."):
        assert words in said
    assert "warning" in run("drift", "sad-scores.jsonl", *asked[:2]).stdout
    rows = records("same-scores.jsonl")
    for row in rows:
        row["signature"]["fingerprint"] = "other"
    write_lines("other.jsonl", rows)
    assert "fingerprint is 'other', was" in run("drift", "other.jsonl", *asked, code=2).stdout


def test_what_cannot_be_tuned_is_said() -> None:
    for asked, said in (
        ([], "name a goal"),
        (["--goal", "f1", "--shared", "--guarantee", "ltt"], "not independent"),
        (["--goal", "precision>=0.9", "--guarantee", "crc"], "not controlled in expectation"),
        (["--goal", "f1", "--guarantee", "ltt"], "cannot be guaranteed"),
        (["--goal", "f1", "--review-budget", "0.1", "--review-risk", "0.1"], "one of them"),
        (["--goal", "f1", "--order-data", "dev.jsonl"], "is for the guarantee ltt"),
        (["--review-budget", "0.1", "--unmet", "never"], "needs a goal"),
    ):
        assert said in refused(*TUNE, *asked, "--out", "policy.toml")
    assert not Path("policy.toml").exists()


def test_groups_are_not_independent_and_that_is_said() -> None:
    rows = [row | {"group": f"g{i // 3}"} for i, row in enumerate(annotated())]
    write_lines("dev.jsonl", rows)
    scored()
    said = run(*TUNE, *SURE, "--out", "policy.toml").stderr
    assert "120 records stand in 40 groups" in said
    assert json.loads(json.dumps(Policy.load("policy.toml").to_dict()))["data"]["records"] == 120


@pytest.mark.parametrize("out", ["decided.jsonl", "decided.csv"])
def test_an_id_that_utf8_cannot_hold_stops_no_decision(out: str) -> None:
    labels = dict.fromkeys(LABELS, 0.5)
    Path("odd.jsonl").write_text(json.dumps({"id": "\ud800", "labels": labels}) + "\n")
    Policy({label: Rule("flag", 0.4) for label in LABELS}).save("odd.toml")
    run("decide", "odd.jsonl", "--policy", "odd.toml", "--out", out)
    assert r"\ud800" in Path(out).read_text(encoding="utf-8")
