"""The running account of a search: what was found, what is still open, for every output.

Kept up to date node by node, so that the stop rule costs next to nothing; the readings of a
finished tree are summed afresh (`answers/marginals.py`). Formulas: docs/formulas.md#bounds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labelmass._types import Floats, Normalisation


class Ledger:
    """Masses in one normalisation.

    labels: how many. Outputs are the labels, then the empty answer, the verdict prefix,
    `unreadable`, and so many `values`, as bits of a set. verdict: whether the format has one, so
    that what follows a risk verdict is never lost.
    found: (k + 3 + values,) mass on which each output was written.
    """

    def __init__(
        self, labels: int, normalisation: Normalisation, *, verdict: bool, values: int = 0
    ) -> None:
        self.normalisation = normalisation
        self.empty, self.verdict_prefix = labels, labels + 1
        self._verdict = verdict
        every = (1 << labels + 3 + values) - 1
        self._decides = every & ~(1 << labels + 2)  # all but `unreadable`
        self._open: dict[int, float] = {}  # undecided outputs -> mass
        self.found = np.zeros(labels + 3 + values)
        self._ended = 0.0
        self._ended_with = np.zeros(labels + 3 + values)
        last = labels + 2  # `unreadable`
        self._quoted = np.array([*range(last - 1), *range(last + 1, last + 1 + values)])
        self._read = np.zeros(labels + 3 + values)
        self._risk = 1 << labels + 1

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

    def find(self, before: int, written: int, mass: float) -> None:
        """Book mass on which outputs are written, some of them `before`."""
        for output in _bits(written & ~before):
            self.found[output] += mass
        if written & self._risk:  # whatever follows, a verdict can be read
            for output in _bits(written & ~before if before & self._risk else written):
                self._read[output] += mass

    def end(self, written: int, mass: float) -> None:
        """Book a complete answer."""
        self._ended += mass
        for output in _bits(written):
            self._ended_with[output] += mass
            if not written & self._risk:
                self._read[output] += mass

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
        """Low and high of the labels, of the empty answer, and of the values: (k + 1 + values,)."""
        if self._verdict and self.normalisation is Normalisation.ON_FORMAT:
            return self._with_verdict()
        undecided = np.zeros(len(self.found))
        for key, mass in self._open.items():
            for output in _bits(key):
                undecided[output] += mass
        undecided = np.maximum(undecided, 0.0)[self._quoted]
        if self.normalisation is not Normalisation.ON_FORMAT:
            low = self.found[self._quoted]
            low[self.empty] = self._ended_with[self.empty]
            return low, low + undecided
        total = max(sum(self._open.values()), 0.0)
        hit = self._ended_with[self._quoted]
        going = np.maximum(self.found[self._quoted] - hit, 0.0)  # written, and open or off-format
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
        """`intervals`, given that a verdict can be read (`Marginals._on_verdict`)."""
        settled, open_ = self._settled, self._open_with(self._either)
        going = np.maximum(self.found - self._read, 0.0)  # written, without a verdict yet
        low, high = np.zeros(len(self._quoted)), np.zeros(len(self._quoted))
        for at, output in enumerate(self._quoted.tolist()):
            bit, empty = 1 << output, output == self.empty
            hit = self._read[output]
            avoid = self._open_with(1 << self.verdict_prefix) if empty else open_
            can = sum(m for key, m in self._open.items() if key & bit and key & self._either)
            if not empty:
                can = min(can + going[output], open_)
            inside = 0.0 if empty else self._open_with(bit, without=self._either)
            low[at] = hit / max(settled + avoid, 1e-300)
            high[at] = (hit + inside + can) / max(settled + can, 1e-300)
        return low, np.minimum(high, 1.0)


def _bits(outputs: int) -> Iterator[int]:
    """The outputs in a set."""
    while outputs:
        lowest = outputs & -outputs
        yield lowest.bit_length() - 1
        outputs ^= lowest
