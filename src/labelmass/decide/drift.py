"""Drift: is a new batch of scores still of the kind that a policy was made on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass.calibrate.provenance import check_labels, differences
from labelmass.errors import FitError

Floats = NDArray[np.float64]

POINTS = 200
"""Order statistics of each label's scores that are kept: a distance is exact to 1 / (2 POINTS)."""

BINS = 10
"""Bins of the stability index, by the quantiles of the first scores."""

CHANCE = 1e-3
"""Warnings need a p-value below this, shared out over the labels."""

FAR = 0.1
"""... and, for the scores of a label, this distance of Kolmogorov and Smirnov, or"""

UNSTABLE = 0.2
"""this population stability index."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What is remembered of the scores a policy was made on.

    records: how many; scores: by label, at most `POINTS` order statistics of them, ascending;
    rates: by label, the share that was given it. off_format: mean and standard deviation of the
    mass that left the format, if it was passed.
    """

    records: int
    scores: Mapping[str, Sequence[float]] = field(repr=False)
    rates: Mapping[str, float]
    off_format: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        p: Floats,
        thresholds: Sequence[float | None],
        off_format: Floats | None = None,
    ) -> Reference:
        """From (n, k) scores, a threshold each (None: never given) and (n,) off-format mass."""
        columns = {label: _known(p[:, at], label) for at, label in enumerate(labels)}
        rates = zip(labels, thresholds, strict=True)
        mass = None
        if off_format is not None:
            mass = float(np.mean(off_format)), float(np.std(off_format))
        return cls(
            len(p),
            {label: _kept(one).tolist() for label, one in columns.items()},
            {label: _rate(columns[label], threshold) for label, threshold in rates},
            mass,
        )

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {"records": self.records, "rates": dict(self.rates)}
        if self.off_format is not None:
            data["off_format"] = list(self.off_format)
        return data | {"scores": {label: list(one) for label, one in self.scores.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reference:
        mass = data.get("off_format")
        return cls(data["records"], data["scores"], data["rates"], mass and (mass[0], mass[1]))


@dataclass(frozen=True, slots=True)
class LabelDrift:
    """One label, then and now.

    rate: share given it; rate_p: p-value of equal rates. distance: of Kolmogorov and Smirnov
    between the scores, with its p-value. stability: the population stability index over `BINS`
    bins, and what chance alone exceeds once in a thousand labels.
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

    off_format: mean then, mean now, p-value of equal means; None if either is not known.
    differences: by field of the signature, then and now.
    """

    records: int
    labels: tuple[LabelDrift, ...] = field(repr=False)
    off_format: tuple[float, float, float] | None
    differences: Mapping[str, tuple[Any, Any]]

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What should be looked into, with its numbers; empty if nothing."""
        chance = CHANCE / len(self.labels)
        found = [
            f"{name} is {now!r}, was {then!r}: thresholds and guarantees are for other scores"
            for name, (then, now) in self.differences.items()
        ]
        for one in self.labels:
            if one.rate_p < chance:
                found.append(
                    f"{one.label}: given to {one.rate:.1%} of records, was {one.rate_then:.1%} "
                    f"(p {one.rate_p:.1g})"
                )
            if one.distance >= FAR and one.distance_p < chance:
                found.append(
                    f"{one.label}: scores are distributed otherwise, Kolmogorov-Smirnov distance "
                    f"{one.distance:.2f} (p {one.distance_p:.1g})"
                )
            if one.stability >= max(UNSTABLE, one.stability_by_chance):
                found.append(
                    f"{one.label}: population stability index {one.stability:.2f} "
                    f"({UNSTABLE:g} or more is a shift; chance gives {one.stability_by_chance:.2f})"
                )
        if self.off_format is not None and self.off_format[2] < CHANCE:
            then, now, p = self.off_format
            found.append(f"off-format mass {now:.3f} on average, was {then:.3f} (p {p:.1g})")
        return tuple(found)


def compare(
    reference: Reference,
    labels: Sequence[str],
    p: Floats,
    thresholds: Sequence[float | None],
    *,
    off_format: Floats | None = None,
    fitted: Mapping[str, Any] | None = None,
    signature: Mapping[str, Any] | None = None,
) -> Drift:
    """A batch of (n, k) scores against a reference made with the same thresholds.

    fitted, signature: what the reference's scores and these are (`Signature.to_dict`).
    """
    then = tuple(reference.scores)
    check_labels("this reference", then, labels)
    rows = tuple(
        _label(reference, label, _known(p[:, at], label), threshold)
        for at, (label, threshold) in enumerate(zip(then, thresholds, strict=True))
    )
    mass = None
    if reference.off_format is not None and off_format is not None:
        mass = _means(*reference.off_format, reference.records, off_format)
    return Drift(len(p), rows, mass, differences(fitted, signature))


def _label(reference: Reference, label: str, p: Floats, threshold: float | None) -> LabelDrift:
    from scipy.stats import chi2, kstwobign, norm

    n, m = reference.records, len(p)
    then, now = reference.rates[label], _rate(p, threshold)
    pooled = (n * then + m * now) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    kept = np.asarray(reference.scores[label])
    at = np.concatenate([kept, p])
    distance = float(np.abs(_share_below(kept, at) - _share_below(p, at)).max())
    sure = max(distance - (0.5 / POINTS if n > POINTS else 0.0), 0.0)
    edges = np.unique(np.quantile(kept, np.arange(1, BINS) / BINS))
    first, second = (
        (np.bincount(np.searchsorted(edges, one, "right"), minlength=len(edges) + 1) / len(one))
        for one in (kept, p)
    )
    first, second = ((x * c + 0.5) / (c + len(x) / 2) for x, c in ((first, n), (second, m)))
    return LabelDrift(
        label,
        then,
        now,
        float(2 * norm.sf(abs(now - then) / error)) if error > 0 else 1.0,
        distance,
        float(kstwobign.sf(sure * np.sqrt(n * m / (n + m)))),
        float(((second - first) * np.log(second / first)).sum()),
        float(chi2.ppf(1 - CHANCE, len(edges)) * (1 / n + 1 / m)),
    )


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


def _kept(p: Floats) -> Floats:
    if len(p) <= POINTS:
        return np.sort(p)
    return np.quantile(p, (np.arange(POINTS) + 0.5) / POINTS, method="inverted_cdf")


def _rate(p: Floats, threshold: float | None) -> float:
    return 0.0 if threshold is None else float((p >= threshold).mean())


def _share_below(sample: Floats, at: Floats) -> Floats:
    return np.searchsorted(np.sort(sample), at, "right") / len(sample)
