"""Methods side by side: what is counted, compared, added, and how it is written down."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from labelmass.errors import LabelMassError
from labelmass.estimators import LabelScores
from labelmass.evaluation import METRICS, Evaluation, Threshold, evaluate
from labelmass.evaluation.baselines import cross_fitted
from labelmass.scores import Cost, Failure, Result, Scores
from labelmass.targets import Targets

LABELS = ("joy", "fear", "rage_100%")


def some_targets(n: int = 60, *, groups: bool = False, unknown: bool = True) -> Targets:
    draw = np.random.default_rng(7)
    records = []
    for at in range(n):
        people = [[x for x in LABELS if draw.random() < 0.4] for _ in range(3)]
        record = {"id": f"r{at}", "annotators": people}
        if unknown and at % 9 == 0:
            record["unknown"] = ["fear"]
        if groups:
            record["group"] = at // 4
        records.append(record)
    return Targets.from_records(records, LABELS)


def near(targets: Targets, noise: float, seed: int, *, failed: int = 0) -> Scores:
    draw = np.random.default_rng(seed)
    shares = np.nan_to_num(targets.shares, nan=0.5)
    p = np.clip(shares + draw.normal(0, noise, shares.shape), 0, 1)
    low, high = np.clip(p - 0.05, 0, 1), np.clip(p + 0.05, 0, 1)
    for side in (p, low, high):
        side[:failed] = np.nan
    return replace(
        Scores.of(targets.ids, LABELS, p, low, high), costs={"passes": np.full(len(p), 3.0)}
    )


@pytest.fixture(scope="module")
def found() -> Evaluation:
    targets = some_targets()
    methods = {
        "sharp": near(targets, 0.1, 1),
        "dull_50%": near(targets, 0.5, 2, failed=5),
        "points": Scores.of(targets.ids, LABELS, near(targets, 0.3, 3).p),
    }
    return evaluate(methods, targets, baseline="dull_50%", draws=300)


def test_constant_and_base_rate_are_always_there(found: Evaluation) -> None:
    assert list(found.methods) == ["sharp", "dull_50%", "points", "constant", "base-rate"]
    assert set(found.metrics) == {m.name for m in METRICS.values() if "multi" in m.tasks}
    for name in ("constant", "base-rate"):
        assert "other folds" in found[name].note
    targets = some_targets()
    only = evaluate({}, targets, ["l1"], draws=0)
    assert list(only.methods) == ["constant", "base-rate"]
    for name in ("constant", "base-rate"):
        with pytest.raises(LabelMassError, match=f"scores are called '{name}', which every"):
            evaluate({name: near(targets, 0.1, 1)}, targets, ["l1"], draws=0)


def test_a_score_is_the_metric_with_its_interval_range_and_counts(found: Evaluation) -> None:
    score = found["sharp"]["l1"]
    targets = some_targets()
    p = near(targets, 0.1, 1).p
    assert score.value == pytest.approx(np.nansum(np.abs(p - targets.shares)) / 60)
    assert score.low < score.value < score.high
    assert score.best < score.value < score.worst
    assert (score.items, score.cells, score.partial, score.draws) == (60, 173, 7, 300)
    assert set(score.labels) == set(LABELS) and score.skipped == ()
    assert found["points"]["l1"].best is None and found["points"].interval == "none"
    assert found["sharp"]["auc-micro"].draws == 200
    assert found["sharp"].cost == {"passes": 3.0}
    assert re.fullmatch(r"0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]", str(score))


def test_an_interval_of_a_calibration_error_holds_its_value_and_nothing_below_0() -> None:
    targets = some_targets(300)
    exact = near(targets, 0.0, 1)
    names = ["ece", "ece-pooled", "ace", "ace-pooled", "brier-reliability"]
    found = evaluate({"near": near(targets, 0.2, 1), "exact": exact}, targets, names, draws=200)
    for row in found.methods.values():
        for score in row.scores.values():
            assert 0 <= score.low <= score.value <= score.high
    methods = {"near": near(targets, 0.2, 1), "exact": exact}
    gap = evaluate(methods, targets, names, baseline="exact", draws=200)["near"].differences["ece"]
    drawn = found["near"]["ece"]  # `exact` has no error in any draw
    assert (gap.value, gap.low, gap.high) == pytest.approx((drawn.value, drawn.low, drawn.high))
    assert found["near"]["ece"].low < found["near"]["ece"].value < found["near"]["ece"].high


def test_failed_records_are_left_out_for_this_method_and_counted(found: Evaluation) -> None:
    row = found["dull_50%"]
    assert (row.items, row.failed) == (55, 5) and found["sharp"].failed == 0
    assert row["l1"].items == 55
    difference = found["sharp"].differences["l1"]
    assert difference.items == 55
    targets = some_targets()
    shared = targets.at(targets.ids[5:])
    methods = {"sharp": near(targets, 0.1, 1), "dull": near(targets, 0.5, 2)}
    again = evaluate(methods, shared, ["l1"], draws=10)
    gap = again["sharp"]["l1"].value - again["dull"]["l1"].value
    assert difference.value == pytest.approx(gap)


def test_records_nobody_predicted_have_failed_and_others_are_not_judged() -> None:
    targets = some_targets()
    whole = near(targets, 0.1, 1)
    part = Scores.of(
        ("other", *whole.ids[:40]), LABELS, np.vstack([np.full((1, 3), 0.5), whole.p[:40]])
    )
    found = evaluate({"part": part}, targets, ["l1"], draws=0)
    assert (found["part"].items, found["part"].failed) == (40, 20)
    same = evaluate({"part": whole}, targets.at(targets.ids[:40]), ["l1"], draws=0)
    assert found["part"]["l1"].value == same["part"]["l1"].value


def test_the_order_of_records_and_labels_in_predictions_does_not_matter() -> None:
    targets = some_targets()
    one = near(targets, 0.2, 4)
    rows = np.random.default_rng(0).permutation(60)
    other = Scores.of(
        tuple(one.ids[i] for i in rows),
        LABELS[::-1],
        one.p[rows][:, ::-1],
        one.low[rows][:, ::-1],
        one.high[rows][:, ::-1],
    )
    other = replace(other, costs=one.costs)
    assert (
        evaluate({"m": one}, targets, draws=50).to_dict()
        == evaluate({"m": other}, targets, draws=50).to_dict()
    )


@pytest.mark.parametrize("groups", [False, True])
def test_paired_differences_are_antisymmetric(groups: bool) -> None:
    targets = some_targets(groups=groups)
    methods = {"a": near(targets, 0.1, 1, failed=3), "b": near(targets, 0.4, 2)}
    there = evaluate(methods, targets, baseline="a", draws=200)["b"].differences
    back = evaluate(methods, targets, baseline="b", draws=200)["a"].differences
    assert there.keys() == back.keys()
    for name, one in there.items():
        other = back[name]
        assert one.value == pytest.approx(-other.value)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
        assert one.p == other.p and one.items == other.items == 57
    assert there["l1"].sure and there["l1"].low > 0 and there["l1"].p < 0.02
    assert there["example-f1"].p is not None and there["micro-f1"].p is None


def test_a_method_that_is_the_baseline_again_differs_by_nothing() -> None:
    targets = some_targets()
    same = near(targets, 0.2, 1)
    found = evaluate({"a": same, "b": same}, targets, baseline="a", draws=100)
    for one in found["b"].differences.values():
        assert one.value in (0, None) and one.low in (0, None) and one.p in (1, None)
        assert not one.sure
    assert found["a"].differences == {}


@pytest.mark.parametrize("groups", [False, True])
def test_a_baseline_is_never_fitted_on_the_record_or_group_it_is_judged_on(groups: bool) -> None:
    targets = some_targets(groups=groups)
    before = cross_fitted(targets, seed=3)
    for at in range(0, 60, 7):
        changed = targets.shares.copy()
        inside = slice(at // 4 * 4, at // 4 * 4 + 4) if groups else slice(at, at + 1)
        changed[inside] = 1 - changed[inside]
        other = Targets(
            targets.ids, LABELS, changed, targets.gold, targets.raters, targets.groups, ""
        )
        after = cross_fitted(other, seed=3)
        for name in ("constant", "base-rate"):
            assert np.array_equal(before[name].p[inside], after[name].p[inside])
            assert not np.array_equal(before[name].p, after[name].p)
    rate = before["base-rate"].p
    assert len(np.unique(rate, axis=0)) == 5
    assert rate.mean(axis=0) == pytest.approx(np.nanmean(targets.shares, axis=0), abs=0.01)
    assert before["constant"].p.mean() == pytest.approx(np.nanmean(targets.shares), abs=0.01)


def test_a_baseline_of_few_records_or_unknown_labels_is_what_can_be_known() -> None:
    records = [{"id": i, "labels": ["joy"], "unknown": ["fear"]} for i in range(2)]
    targets = Targets.from_records(records, ("joy", "fear", "rage"))
    rates = cross_fitted(targets)["base-rate"].p
    assert rates.tolist() == [[1, 0.5, 0], [1, 0.5, 0]]
    alone = evaluate({}, targets.at([0]), ["l1", "auc"], draws=20)
    assert alone["base-rate"].failed == 1 and alone["base-rate"]["l1"].value is None


def test_sets_are_made_by_a_declared_rule() -> None:
    targets = some_targets(unknown=False)
    one = near(targets, 0.2, 4)
    by_label = Threshold({"joy": 0.2, "fear": 0.5, "rage_100%": 0.9}, "dev")
    found = evaluate({"a": one, "b": one}, targets, ["hamming"], threshold={"b": by_label}, draws=0)
    for name, tau in (("a", [0.5, 0.5, 0.5]), ("b", [0.2, 0.5, 0.9])):
        wrong = ((one.p >= tau) != (targets.gold > 0)).mean()
        assert found[name]["hamming"].value == pytest.approx(wrong)
    assert "b: P >= a threshold a label, fitted on dev" in found.rules["sets"]
    assert found["b"].to_dict()["threshold"]["tau"]["joy"] == 0.2
    everywhere = evaluate({"a": one}, targets, ["hamming"], threshold=Threshold(0.7), draws=0)
    assert everywhere.rules["sets"] == "P >= 0.7"


def test_single_label_tasks_choose_the_likeliest() -> None:
    draw = np.random.default_rng(5)
    records = [{"id": i, "labels": [LABELS[draw.integers(3)]]} for i in range(50)]
    targets = Targets.from_records(records, LABELS)
    p = draw.dirichlet(np.ones(3), size=50)
    found = evaluate({"m": Scores.of(targets.ids, LABELS, p)}, targets, single=True, draws=20)
    right = (p.argmax(axis=1) == targets.gold.argmax(axis=1)).mean()
    for name in ("subset-accuracy", "micro-f1", "example-f1"):
        assert found["m"][name].value == pytest.approx(right)
    assert found["m"]["nll-single"].value == pytest.approx(-np.log(p[targets.gold > 0]).mean())
    assert found.rules["sets"] == "the likeliest label" and "nll" not in found.metrics
    tied = Threshold(None).choose(np.array([[0.4, 0.4, 0.2], [np.nan] * 3]), LABELS)
    assert tied.tolist() == [[True, False, False], [False] * 3]
    floor = Threshold(None).choose(np.array([[1e-8] * 3, [0.0] * 3, [0, 1e-8, 1e-7]]), LABELS)
    assert floor.tolist() == [[False] * 3, [False] * 3, [False, False, True]]


def test_groups_are_what_is_drawn() -> None:
    targets = some_targets(groups=True)
    found = evaluate({"m": near(targets, 0.2, 1)}, targets, ["l1"], draws=100)
    assert found.groups == 15 and "15 groups of records" in found.rules["intervals"]


def test_strict_json_holds_everything(found: Evaluation) -> None:
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["baseline"] == "dull_50%" and written["items"] == 60
    assert set(written["metrics"]["l1"]) == {"summary", "better"}
    first = written["methods"][0]
    assert first["scores"]["l1"]["value"] == found["sharp"]["l1"].value
    assert first["differences"]["l1"]["p"] == found["sharp"].differences["l1"].p
    targets = some_targets()
    empty = Targets(
        targets.ids,
        LABELS,
        targets.shares * np.nan,
        targets.gold * np.nan,
        targets.raters,
        None,
        "",
    )
    nothing = evaluate({"m": near(targets, 0.1, 1)}, empty, baseline="m", draws=20)
    written = json.loads(json.dumps(nothing.to_dict(), allow_nan=False))
    assert {s["value"] for s in written["methods"][0]["scores"].values()} == {None}
    assert "n/a" in nothing.to_markdown()


def test_csv_holds_every_number(found: Evaluation) -> None:
    lines = list(csv.DictReader(io.StringIO(found.to_csv())))
    overall = {(x["method"], x["metric"]): x for x in lines if not x["label"]}
    assert len(overall) == len(found.methods) * len(found.metrics)
    line = overall["sharp", "l1"]
    assert float(line["value"]) == found["sharp"]["l1"].value
    assert float(line["difference_p"]) == found["sharp"].differences["l1"].p
    assert overall["dull_50%", "l1"]["failed"] == "5" and line["baseline"] == "dull_50%"
    labels = {x["label"]: float(x["value"]) for x in lines if x["label"] and x["metric"] == "auc"}
    assert set(labels) == set(LABELS)


def test_markdown_and_latex_say_the_numbers_and_the_rules(found: Evaluation) -> None:
    text = found.to_markdown()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(found.methods)
    assert len({row.count("|") for row in rows}) == 1
    assert f"**{found['sharp']['l1'].value:.3f} [" in rows[2]
    assert "- gold: share of annotators >= 0.5" in text or "- gold: the labels given" in text
    assert "dull_50%: 5 of 60 records failed" in text
    latex = found.to_latex(("l1", "auc"))
    assert r"dull\_50\%" in latex and r"l1 $\downarrow$ & auc $\uparrow$ \\" in latex
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == len(found.methods)
    assert all(line.count(" & ") == 2 and line.endswith(r"\\") for line in body)
    assert rf"\textbf{{{found['sharp']['l1'].value:.3f}}}" in body[0]


def test_the_table_fits_a_terminal_and_marks_what_is_sure(found: Evaluation) -> None:
    targets = some_targets()
    named = {"max-over-generations": near(targets, 0.2, 1, failed=7), "b": near(targets, 0.4, 2)}
    for one in (found, evaluate(named, targets, draws=20)):
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(one)
        lines = console.export_text().splitlines()
        head = next(line for line in lines if "method" in line)
        assert all(name in head for name in one.headline)
        assert max(map(len, lines)) <= 100
        assert sum(line.strip().startswith(tuple(one.methods)) for line in lines) == len(
            one.methods
        )
    lines = Console(width=100, record=True, file=io.StringIO())
    lines.print(found)
    (row,) = [x for x in lines.export_text().splitlines() if x.strip().startswith("sharp")]
    assert f"{found['sharp']['l1'].value:.3f}+" in row


def test_scores_of_results() -> None:
    good = LabelScores.between(LABELS, np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.4, 0.3]))
    results = [Failure("r1", "too long"), Result("r0", {"any": good}, Cost(5), None)]
    made = Scores.from_results(results, LABELS)
    assert np.isnan(made.p[0]).all() and made.p[1].tolist() == pytest.approx([0.2, 0.3, 0.3])
    assert made.estimates.interval == "certified" and made.estimates.low is not None
    assert made.cost["prompt_tokens"] == 5 and made.failures == (results[0],)


def test_what_cannot_be_compared_is_named() -> None:
    targets = some_targets()
    one = near(targets, 0.1, 1)
    with pytest.raises(LabelMassError, match="no method 'x' to compare with"):
        evaluate({"a": one}, targets, baseline="x")
    with pytest.raises(LabelMassError, match="threshold for 'x'"):
        evaluate({"a": one}, targets, threshold={"x": Threshold()})
    with pytest.raises(LabelMassError, match="no threshold for label 'fear'"):
        evaluate({"a": one}, targets, threshold=Threshold({"joy": 0.5}))
    with pytest.raises(LabelMassError, match=r"a: labels differ: 'glee' \(targets lack it\)"):
        evaluate({"a": Scores.of(one.ids, ("glee", *LABELS[1:]), one.p)}, targets)
    with pytest.raises(LabelMassError, match="a: none of the 60 records"):
        evaluate({"a": Scores.of(tuple(range(60)), LABELS, one.p)}, targets)
    with pytest.raises(LabelMassError, match=r"'r1': P\(fear\) is 1.5"):
        Scores.of(("r0", "r1"), LABELS, np.array([[0, 0, 0], [0, 1.5, 0]]))
    half, none = np.array([[0.5]]), np.array([[np.nan]])
    for low, high in ((0.9, 0.1), (0.6, 0.9), (0.1, 0.4), (-0.2, 0.9), (0.1, 1.2)):
        with pytest.raises(
            LabelMassError, match=r"'r0': P\(a\) is 0\.5 between .*low <= p <= high"
        ):
            Scores.of(("r0",), ("a",), half, half * 0 + low, half * 0 + high)
    Scores.of(("r0",), ("a",), half, half - 1e-9, none)
    Scores.of(("r0",), ("a",), none, half * 0, half * 2)
    with pytest.raises(LabelMassError, match="'r0' is scored twice"):
        Scores.of(("r0", "r0"), LABELS, np.zeros((2, 3)))
    with pytest.raises(LabelMassError, match="low has shape"):
        Scores.of(("r0",), LABELS, np.zeros((1, 3)), low=np.zeros((2, 3)))
    assert Scores.of(("r0",), LABELS, np.array([[0, 1 + 1e-9, -1e-9]])).p.max() == 1
