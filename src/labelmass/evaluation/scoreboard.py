"""All methods on the same records: metrics, intervals, differences, and what any must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from labelmass._math import EPS
from labelmass._ranges import DRAWS, WHOLE
from labelmass._settings import expect
from labelmass._types import Floats
from labelmass.errors import LabelMassError
from labelmass.evaluation.baselines import cross_fitted
from labelmass.evaluation.bootstrap import Bootstrap, interval
from labelmass.evaluation.calibration import BINS
from labelmass.evaluation.metrics import Metric, find_metrics
from labelmass.evaluation.results import Difference, Evaluation, MethodScores, Score
from labelmass.evaluation.sample import Sample
from labelmass.evaluation.statistic import Statistic
from labelmass.evaluation.threshold import Threshold
from labelmass.scores import Scores
from labelmass.targets import Targets

Key = tuple[str, str, bytes]
"""Method, metric, and the records that count."""


def evaluate(
    scores: Mapping[str, Scores] | Scores,
    targets: Targets,
    metrics: Sequence[str] | None = None,
    *,
    threshold: Threshold | float | Mapping[str, Threshold] | None = None,
    baseline: str | None = None,
    single: bool = False,
    draws: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Every metric of every method, on the records of `targets`.

    A record that a method has no probability for is left out for this method and counted as failed.
    `constant` and `base-rate` are added, so that no method may be called so.

    Args:
        scores: Scores by method, or of several methods; the first method of each row counts.
        metrics: Names in METRICS; all that fit the task if None.
        threshold: Rule that makes sets, for all or by method (P >= 0.5 for a method not named).
        baseline: The method that every other is compared with, record by record.
        single: Exactly one label of a record is right; sets then hold the likeliest label.
        draws: Resamples of the bootstrap, over groups where targets has them; 0 for no intervals.

    Raises:
        LabelMassError: Naming the method, the label or the record.
    """
    expect("targets", targets, Targets)
    expect("scores", scores, (Scores, Mapping), "Scores, or Scores by name")
    DRAWS.check("draws", draws)
    WHOLE.check("seed", seed)
    wanted = find_metrics(metrics, single=single)
    default = Threshold(None if single else 0.5)
    rules = threshold if isinstance(threshold, Mapping) else {}
    if isinstance(threshold, int | float):
        threshold = Threshold(threshold)
    everyone = threshold if isinstance(threshold, Threshold) else default
    rows = scores.each if isinstance(scores, Scores) else {**scores}
    for name, one in rows.items():
        expect(f"scores of {name!r}", one, Scores, "Scores: see Scores.of")
    for name, one in cross_fitted(targets, seed).items():
        if name in rows:
            raise LabelMassError(
                f"scores are called {name!r}, which every evaluation has of its own: call them "
                "otherwise, or rename their file"
            )
        rows[name] = one
    if baseline is not None and baseline not in rows:
        raise LabelMassError(f"no method {baseline!r} to compare with: one of {', '.join(rows)}")
    for name in rules:
        if name not in rows:
            raise LabelMassError(f"a threshold for {name!r}, which is no method: {', '.join(rows)}")
    chosen = {name: rules.get(name, everyone) for name in rows}
    samples = {name: _sample(name, one, targets, chosen[name]) for name, one in rows.items()}

    bench = _EvaluationRun(Bootstrap.of(len(targets), targets.groups, draws, seed), samples)
    for name, sample in samples.items():
        for metric in wanted:
            bench.add(name, metric, sample.rows)
            if baseline is not None and name != baseline:
                shared = sample.rows & samples[baseline].rows
                bench.add(name, metric, shared)
                bench.add(baseline, metric, shared)
    bench.run()

    methods: dict[str, MethodScores] = {}
    for name, sample in samples.items():
        results = {m.name: bench.score(name, m, targets.labels) for m in wanted}
        differences: dict[str, Difference] = {}
        if baseline is not None and name != baseline:
            differences = bench.differences(name, baseline, wanted)
        judged = int(sample.rows.sum())
        missed = sample.scores.estimates.missed
        methods[name] = MethodScores(
            name,
            results,
            differences,
            judged,
            len(targets) - judged,
            sample.scores.estimates.interval,
            chosen[name],
            rows[name].cost,
            sample.scores.estimates.note,
            0 if missed is None else int((missed & sample.rows).sum()),
        )
    return Evaluation(
        methods,
        tuple(metric.name for metric in wanted),
        targets.labels,
        len(targets),
        None if targets.groups is None else bench.bootstrap.groups,
        baseline,
        draws,
        seed,
        _rules(targets, methods, bench.bootstrap),
    )


def _sample(name: str, scored: Scores, targets: Targets, threshold: Threshold) -> Sample:
    try:
        one = scored.at(targets.ids, targets.labels)
    except LabelMassError as error:
        raise LabelMassError(f"{name}: {error}") from None
    rows = np.logical_not(np.isnan(one.p).any(axis=1))
    if len(targets) and not rows.any() and name not in ("constant", "base-rate"):
        raise LabelMassError(
            f"{name}: none of the {len(targets)} records with targets has a probability; "
            f"ids of targets look like {targets.ids[:1]}, of scores like {scored.ids[:1]}: a table "
            "may hold numbers as texts, which Scores.load(path, ids=targets.ids) tells apart"
        )
    sets = threshold.choose(one.p, targets.labels)
    return Sample(one, targets, sets, rows)


class _EvaluationRun:
    """Statistics that are needed, each made once, and their draws."""

    def __init__(self, bootstrap: Bootstrap, samples: Mapping[str, Sample]) -> None:
        self.bootstrap = bootstrap
        self.samples = samples
        self.metrics: dict[str, Metric] = {}
        self.statistics: dict[Key, Statistic] = {}
        self.drawn: dict[Key, Floats] = {}

    def add(self, name: str, metric: Metric, rows: NDArray[np.bool_]) -> None:
        key = name, metric.name, rows.tobytes()
        if key not in self.statistics:
            self.statistics[key] = metric.measure(self.samples[name].on(rows))

    def run(self) -> None:
        self.drawn = self.bootstrap.resample(self.statistics)

    def score(self, name: str, metric: Metric, labels: Sequence[str]) -> Score:
        sample = self.samples[name]
        key = name, metric.name, sample.rows.tobytes()
        found, drawn = self.statistics[key], self.drawn[key]
        low, high = _interval(drawn, found.value, found.upward_biased)
        if found.upward_biased and low is not None and high is not None:
            low, high = max(min(low, found.value), 0.0), max(high, found.value)
        best, worst = metric.ends(sample) or (None, None)
        values: dict[str, float] = {}
        judged = set(np.flatnonzero(found.known.any(axis=0)).tolist())
        if found.by_label is not None:
            judged = set(np.flatnonzero(~np.isnan(found.by_label)).tolist())
            values = {labels[at]: float(found.by_label[at]) for at in sorted(judged)}
        return Score(
            _plain(found.value),
            low,
            high,
            best,
            worst,
            found.counted,
            found.cells,
            found.partial,
            len(drawn),
            found.ties,
            values,
            tuple(label for at, label in enumerate(labels) if at not in judged),
        )

    def differences(
        self, name: str, baseline: str, metrics: Sequence[Metric]
    ) -> dict[str, Difference]:
        shared = (self.samples[name].rows & self.samples[baseline].rows).tobytes()
        pairs = {m.name: ((name, m.name, shared), (baseline, m.name, shared)) for m in metrics}
        gaps: dict[str, Floats] = {}
        for metric, (mine, theirs) in pairs.items():
            ours, others = self.statistics[mine].items, self.statistics[theirs].items
            if ours is not None and others is not None:
                gaps[metric] = ours - others
        p: dict[str, float] = {}
        if gaps and self.bootstrap.draws:
            tested = self.bootstrap.sign_flip(np.column_stack(list(gaps.values())))
            p = dict(zip(gaps, tested.tolist(), strict=True))
        results: dict[str, Difference] = {}
        for metric, (mine, theirs) in pairs.items():
            ours = self.statistics[mine]
            gap = ours.value - self.statistics[theirs].value
            drawn = self.drawn[mine] - self.drawn[theirs]
            ends = _interval(drawn, gap, ours.upward_biased)
            results[metric] = Difference(_plain(gap), *ends, p.get(metric), ours.counted)
        return results


def _rules(
    targets: Targets, methods: Mapping[str, MethodScores], bootstrap: Bootstrap
) -> dict[str, str]:
    sets = {str(row.threshold) for row in methods.values()}
    by_method = "; ".join(f"{row.name}: {row.threshold}" for row in methods.values())
    over = "records" if targets.groups is None else f"{bootstrap.groups} groups of records"
    return {
        "gold": targets.gold_rule,
        "sets": sets.pop() if len(sets) == 1 else by_method,
        "unknown cells": "left out of every sum; rows with some count by the others",
        "logarithms": f"P within {EPS:g} of 0 and 1",
        "bins": f"{BINS}",
        "zero division": "0; example-f1 and jaccard of two empty sets 1",
        "intervals": f"95 % percentile, bootstrap over {over}, {bootstrap.draws} draws "
        f"(fewer for rankings), seed {bootstrap.seed}; reflected for calibration errors and "
        "brier-reliability, which noise makes larger",
        "p": f"two-sided sign-flip test, {bootstrap.draws} flips",
    }


def _interval(
    drawn: Floats, value: float, upward_biased: bool
) -> tuple[float | None, float | None]:
    return interval(drawn, value if upward_biased else None) or (None, None)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value
