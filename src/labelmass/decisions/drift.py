"""Drift: is a new batch of scores still of the kind that a policy was made on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.errors import FitError, LabelMassError
from labelmass.files import shaped
from labelmass.provenance import check_labels, differences

POINTS = 200
"""Order statistics of each label's scores that are kept: a distance is exact to 1 / (2 POINTS)."""

BINS = 10
"""Bins of the stability index, by the quantiles of the first scores."""

CHANCE = 1e-3
"""Warnings need a p-value below this, shared out over the labels."""

MIN_DISTANCE = 0.1
"""... and, for the scores of a label, this distance of Kolmogorov and Smirnov, or"""

UNSTABLE = 0.2
"""this population stability index."""

MASSES = {
    "off_format": "off-format mass",
    "unreadable": "mass that cannot be read behind a risk verdict",
    "verdict": "mass that gives a verdict",
}
"""Masses of a record whose means are compared, in words."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Summary of the scores a policy was made on.

    Attributes:
        records: Number of records.
        scores: At most `POINTS` order statistics of each label's scores, ascending.
        rates: Share of the records that was given each label.
        masses: Mean and standard deviation of those of `MASSES` that were passed.
        unscored: Share of records without a score, None if not known.
    """

    records: int
    scores: Mapping[str, Sequence[float]] = field(repr=False)
    rates: Mapping[str, float]
    masses: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, Any])
    unscored: float | None = None

    def __post_init__(self) -> None:
        shares = [*self.rates.values(), *([] if self.unscored is None else [self.unscored])]
        if self.records < 1 or not all(0 <= share <= 1 for share in shares):
            raise FitError("reference: records must be 1 or more, and rates be from 0 to 1")
        if set(self.rates) != set(self.scores):
            raise FitError("reference: rates and scores must be of the same labels")
        if empty := [label for label, scores in self.scores.items() if not len(scores)]:
            raise FitError(f"reference: no scores of {empty[0]!r}")

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        p: Floats,
        thresholds: Sequence[float | None],
        masses: Mapping[str, Floats] | None = None,
        unscored: float | None = None,
    ) -> Reference:
        """From (n, k) scores, a threshold each (None: never given) and (n,) masses by name."""
        columns = {label: _known(p[:, at], label) for at, label in enumerate(labels)}
        rates = zip(labels, thresholds, strict=True)
        spread = {
            name: (float(np.mean(mass)), float(np.std(mass)))
            for name, mass in (masses or {}).items()
        }
        return cls(
            len(p),
            {label: _retained(scores).tolist() for label, scores in columns.items()},
            {label: _rate(columns[label], threshold) for label, threshold in rates},
            spread,
            unscored,
        )

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {"records": self.records, "rates": dict(self.rates)}
        data |= {name: list(mass) for name, mass in self.masses.items()}
        if self.unscored is not None:
            data["unscored"] = self.unscored
        return data | {"scores": {label: list(scores) for label, scores in self.scores.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reference:
        """Inverse of `to_dict`; raises FitError on other data."""
        masses = {name: data[name] for name in MASSES if name in data}
        try:
            return shaped(cls, {**data, "masses": masses})
        except LabelMassError as error:
            raise FitError(f"reference: {error}") from None


@dataclass(frozen=True, slots=True)
class LabelDrift:
    """One label, then and now.

    Attributes:
        rate: Share given it.
        rate_p: P-value of equal rates.
        distance: Kolmogorov-Smirnov distance between the scores, with its p-value.
        stability: The population stability index over `BINS` bins, and what chance alone exceeds
            once in a thousand labels.
    """

    label: str
    rate_then: float
    rate: float
    rate_p: float
    distance: float
    distance_p: float
    stability: float
    stability_by_chance: float


@dataclass(frozen=True)
class Drift:
    """A batch against a reference.

    Attributes:
        masses: Mean then, mean now, and p-value of equal means, of those of `MASSES` known of both.
        unscored: Share of records without a score then and now, p-value of equal shares; None if
            not known.
        differences: Values then and now, by differing field of the signature.
    """

    records: int
    labels: tuple[LabelDrift, ...] = field(repr=False)
    masses: Mapping[str, tuple[float, float, float]]
    unscored: tuple[float, float, float] | None
    differences: Mapping[str, tuple[object, object]]

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Differences beyond chance, with their numbers; empty if there are none."""
        chance = CHANCE / len(self.labels)
        results = [
            f"{name} is {now!r}, was {then!r}: thresholds and guarantees are for other scores"
            for name, (then, now) in self.differences.items()
        ]
        for change in self.labels:
            if change.rate_p < chance:
                results.append(
                    f"{change.label}: given to {change.rate:.1%} of records, was "
                    f"{change.rate_then:.1%} (p {change.rate_p:.1g})"
                )
            if change.distance >= MIN_DISTANCE and change.distance_p < chance:
                results.append(
                    f"{change.label}: scores are distributed otherwise, Kolmogorov-Smirnov "
                    f"distance {change.distance:.2f} (p {change.distance_p:.1g})"
                )
            if change.stability >= max(UNSTABLE, change.stability_by_chance):
                results.append(
                    f"{change.label}: population stability index {change.stability:.2f} "
                    f"({UNSTABLE:g} or more is a shift; chance gives "
                    f"{change.stability_by_chance:.2f})"
                )
        for name, (then, now, p) in self.masses.items():
            if p < CHANCE:
                results.append(f"{MASSES[name]} {now:.3f} on average, was {then:.3f} (p {p:.1g})")
        if self.unscored is not None and self.unscored[2] < CHANCE:
            then, now, p = self.unscored
            results.append(f"{now:.1%} of records have no score, were {then:.1%} (p {p:.1g})")
        return tuple(results)


def measure_drift(
    reference: Reference,
    labels: Sequence[str],
    p: Floats,
    thresholds: Sequence[float | None],
    *,
    masses: Mapping[str, Floats] | None = None,
    fitted: Mapping[str, Any] | None = None,
    signature: Mapping[str, object] | None = None,
) -> Drift:
    """A batch of (n, k) scores against a reference made with the same thresholds.

    Args:
        masses: (n,) by name, of `MASSES`.
        fitted: Signature of the reference's scores (`Signature.to_dict`).
        signature: Signature of these scores.

    A record of which any score is NaN counts as one without a score.
    """
    then = tuple(reference.scores)
    check_labels("this reference", then, labels)
    rows = tuple(
        _label(reference, label, _known(p[:, at], label), threshold)
        for at, (label, threshold) in enumerate(zip(then, thresholds, strict=True))
    )
    compared = {
        name: _means(*reference.masses[name], reference.records, mass)
        for name, mass in (masses or {}).items()
        if name in reference.masses
    }
    unscored = None
    if reference.unscored is not None:
        then, now = reference.unscored, float(np.isnan(p).any(axis=1).mean())
        unscored = then, now, _equal_rates(then, reference.records, now, len(p))
    return Drift(len(p), rows, compared, unscored, differences(fitted, signature))


def _label(reference: Reference, label: str, p: Floats, threshold: float | None) -> LabelDrift:
    from scipy.stats import chi2, kstwobign

    n, m = reference.records, len(p)
    then, now = reference.rates[label], _rate(p, threshold)
    former = np.asarray(reference.scores[label])
    at = np.concatenate([former, p])
    distance = float(np.abs(_share_below(former, at) - _share_below(p, at)).max())
    sure = max(distance - (0.5 / POINTS if n > POINTS else 0.0), 0.0)
    edges = np.unique(np.quantile(former, np.arange(1, BINS) / BINS))
    first, second = (
        (
            np.bincount(np.searchsorted(edges, scores, "right"), minlength=len(edges) + 1)
            / len(scores)
        )
        for scores in (former, p)
    )
    first, second = ((x * c + 0.5) / (c + len(x) / 2) for x, c in ((first, n), (second, m)))
    return LabelDrift(
        label,
        then,
        now,
        _equal_rates(then, n, now, m),
        distance,
        float(kstwobign.sf(sure * np.sqrt(n * m / (n + m)))),
        float(((second - first) * np.log(second / first)).sum()),
        float(chi2.ppf(1 - CHANCE, len(edges)) * (1 / n + 1 / m)),
    )


def _equal_rates(then: float, n: int, now: float, m: int) -> float:
    """The p-value of equal shares, of n records and of m."""
    from scipy.stats import norm

    pooled = (n * then + m * now) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return float(2 * norm.sf(abs(now - then) / error)) if error > 0 else 1.0


def _means(mean: float, spread: float, n: int, now: Floats) -> tuple[float, float, float]:
    from scipy.stats import norm

    error = np.sqrt(spread**2 / n + np.var(now) / len(now))
    apart = abs(float(np.mean(now)) - mean)
    p = float(2 * norm.sf(apart / error)) if error > 0 else float(apart == 0)
    return mean, float(np.mean(now)), p


def _known(p: Floats, label: str) -> Floats:
    known = p[~np.isnan(p)]
    if not len(known):
        raise FitError(f"label {label!r} has no score in this batch")
    return known


def _retained(p: Floats) -> Floats:
    if len(p) <= POINTS:
        return np.sort(p)
    return np.quantile(p, (np.arange(POINTS) + 0.5) / POINTS, method="inverted_cdf")


def _rate(p: Floats, threshold: float | None) -> float:
    return 0.0 if threshold is None else float((p >= threshold).mean())


def _share_below(sample: Floats, at: Floats) -> Floats:
    return np.searchsorted(np.sort(sample), at, "right") / len(sample)
