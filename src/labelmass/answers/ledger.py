"""The running account of a search: what was found, what is still open, for every output.

Kept up to date node by node, so that the stop rule costs next to nothing; the readings of a
finished tree are summed afresh (`answers/marginals.py`). Formulas: docs/formulas.md#bounds.
"""

from __future__ import annotations

import numpy as np

from labelmass._types import Floats, Normalisation


class Ledger:
    """Masses in one normalisation.

    labels: how many. Outputs are the labels, then the empty answer, the verdict prefix and
    `unreadable`, as bits of a set. verdict: whether the format has one, so that what follows a risk
    verdict is never lost.
    found: (k + 3,) mass on which each output was written.
    """

    def __init__(self, labels: int, normalisation: Normalisation, *, verdict: bool) -> None:
        self.normalisation = normalisation
        self.empty, self.verdict_prefix = labels, labels + 1
        self._verdict = verdict
        self._decides = (1 << labels + 2) - 1  # labels, the empty answer and the verdict prefix
        self._open: dict[int, float] = {}  # undecided outputs -> mass
        self.found = np.zeros(labels + 3)
        self._ended = 0.0
        self._ended_with = np.zeros(labels + 3)

    def undecided(self, written: int, reachable: int) -> int:
        """Outputs that a path may write yet; the empty answer is decided by its end."""
        return (reachable & ~written) | (written & 1 << self.empty)

    def matters(self, undecided: int) -> bool:
        """True if expanding such a path can narrow an interval."""
        any_counts = self.normalisation is Normalisation.ON_FORMAT and not self._verdict
        return any_counts or bool(undecided & self._decides)

    def open(self, undecided: int, mass: float) -> None:
        """Book mass as open (below zero: as open no more)."""
        self._open[undecided] = self._open.get(undecided, 0.0) + mass

    def find(self, output: int, mass: float) -> None:
        """Book mass on which an output has just been written."""
        self.found[output] += mass

    def end(self, written: int, mass: float) -> None:
        """Book a complete answer."""
        self._ended += mass
        for output in range(len(self.found)):
            if written >> output & 1:
                self._ended_with[output] += mass

    @property
    def live(self) -> float:
        """Open mass that matters."""
        return max(sum(m for key, m in self._open.items() if self.matters(key)), 0.0)

    @property
    def scale(self) -> float:
        """Mass that a tolerance is a share of: all mass, or the mass that may end on-format."""
        if self.normalisation is not Normalisation.ON_FORMAT:
            return 1.0
        if self._verdict:
            return self._settled + self._open_with(self._either)
        return self._ended + max(sum(self._open.values()), 0.0)

    def intervals(self) -> tuple[Floats, Floats]:
        """(k + 1,) low and high of the labels and of the empty answer."""
        if self._verdict and self.normalisation is Normalisation.ON_FORMAT:
            return self._with_verdict()
        count = self.empty + 1
        undecided = np.zeros(count)
        for key, mass in self._open.items():
            for output in range(count):
                if key >> output & 1:
                    undecided[output] += mass
        undecided = np.maximum(undecided, 0.0)
        if self.normalisation is not Normalisation.ON_FORMAT:
            low = self.found[:count].copy()
            low[self.empty] = self._ended_with[self.empty]
            return low, low + undecided
        total = max(sum(self._open.values()), 0.0)
        hit = self._ended_with[:count]
        going = np.maximum(self.found[:count] - hit, 0.0)  # written, and open or off-format
        going[self.empty] = 0.0
        can = np.minimum(undecided + going, total)
        low = hit / max(self._ended + total, 1e-300)
        high = (hit + can) / np.maximum(self._ended + can, 1e-300)
        return low, np.minimum(high, 1.0)

    @property
    def _either(self) -> int:
        """The outputs of either verdict: undecided only on paths without one."""
        return 1 << self.empty | 1 << self.verdict_prefix

    @property
    def _settled(self) -> float:
        """Mass whose verdict can be read: ended without a risk, or a risk verdict written."""
        without_risk = self._ended - self._ended_with[self.verdict_prefix]
        return float(max(without_risk, 0.0) + self.found[self.verdict_prefix])

    def _open_with(self, outputs: int, without: int = 0) -> float:
        """Open mass that has some of these outputs undecided and none of those `without`."""
        masses = (m for key, m in self._open.items() if key & outputs and not key & without)
        return max(sum(masses), 0.0)

    def _with_verdict(self) -> tuple[Floats, Floats]:
        """(k + 1,) low and high, given that a verdict can be read (`Marginals._on_verdict`)."""
        settled, open_ = self._settled, self._open_with(self._either)
        low, high = np.zeros(self.empty + 1), np.zeros(self.empty + 1)
        for output in range(self.empty + 1):
            bit, empty = 1 << output, output == self.empty
            hit = self._ended_with[output] if empty else self.found[output]
            avoid = self._open_with(1 << self.verdict_prefix) if empty else open_
            can = sum(m for key, m in self._open.items() if key & bit and key & self._either)
            inside = 0.0 if empty else self._open_with(bit, without=self._either)
            low[output] = hit / max(settled + avoid, 1e-300)
            high[output] = (hit + inside + can) / max(settled + can, 1e-300)
        return low, np.minimum(high, 1.0)
