"""What a metric sees: one method's probabilities beside what people said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Needs = Literal["shares", "gold"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """n records, k labels.

    p: (n, k) probabilities in [0, 1]; they are looked at only where `rows` is true.
    low, high: (n, k) their bounds, NaN where not known; or None.
    chosen: (n, k) the method's label sets.
    shares, gold: (n, k) H and Y; NaN where unknown.
    rows: (n,) records that count.
    """

    p: Floats
    shares: Floats
    gold: Floats
    chosen: Bools
    rows: Bools
    low: Floats | None = None
    high: Floats | None = None

    def on(self, rows: Bools) -> Sample:
        """The same, counting only records that are in `rows`, too."""
        return replace(self, rows=self.rows & rows)

    def known(self, needs: Needs) -> Bools:
        """(n, k) cells that count."""
        target = self.shares if needs == "shares" else self.gold
        return ~np.isnan(target) & self.rows[:, None]

    def cells(self, needs: Needs) -> tuple[Bools, Floats, Floats]:
        """(n, k) cells that count, p and the target there, and 0 elsewhere."""
        known = self.known(needs)
        target = self.shares if needs == "shares" else self.gold
        return known, np.where(known, self.p, 0.0), np.where(known, target, 0.0)
