"""Input of a metric: one method's probabilities against human labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from labelmass._types import Bools, Floats
from labelmass.scores import Scores
from labelmass.targets import Targets

SampleRequirement = Literal["shares", "gold"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """n records, k labels.

    scores: of the records of the targets, in their order; `p`, `low` and `high` are those of its
        first method. They are looked at only where `rows` is true.
    targets: `shares` and `gold`, (n, k) H and Y; NaN where unknown.
    chosen: (n, k) the method's label sets.
    rows: (n,) records that count.
    """

    scores: Scores
    targets: Targets
    chosen: Bools
    rows: Bools

    @property
    def p(self) -> Floats:
        """(n, k) probabilities in [0, 1]."""
        return self.scores.p

    @property
    def low(self) -> Floats | None:
        """(n, k) lower ends, NaN where not known; or None."""
        return self.scores.estimates.low

    @property
    def high(self) -> Floats | None:
        """(n, k) upper ends, NaN where not known; or None."""
        return self.scores.estimates.high

    @property
    def shares(self) -> Floats:
        return self.targets.shares

    @property
    def gold(self) -> Floats:
        return self.targets.gold

    def on(self, rows: Bools) -> Sample:
        """The same, counting only records that are in `rows`, too."""
        return replace(self, rows=self.rows & rows)

    def known(self, requires: SampleRequirement) -> Bools:
        """(n, k) cells that count."""
        target = self.shares if requires == "shares" else self.gold
        return ~np.isnan(target) & self.rows[:, None]

    def cells(self, requires: SampleRequirement) -> tuple[Bools, Floats, Floats]:
        """(n, k) cells that count, p and the target there, and 0 elsewhere."""
        known = self.known(requires)
        target = self.shares if requires == "shares" else self.gold
        return known, np.where(known, self.p, 0.0), np.where(known, target, 0.0)
