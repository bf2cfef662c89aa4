"""Answers with several labels against demonstrations with several, a point a run.

Formulas: docs/formulas.md#share-with-several-labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labelmass.analysis.counts import Share
from labelmass.analysis.diagnosis import Diagnosis


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """Shares with two labels or more in one run: of its demonstrations, and of its answers."""

    run: str
    model: str
    demonstrations: float
    answers: Share


def demo_sweep(runs: Mapping[str, Diagnosis]) -> list[SweepPoint]:
    """Points sorted by model, then by the demonstrations' share; runs without any are left out."""
    points = [
        SweepPoint(name, one.model, share, one.multi_label.rate)
        for name, one in runs.items()
        if (share := one.multi_label.demonstrations.value) is not None
    ]
    return sorted(points, key=lambda point: (point.model, point.demonstrations))
