"""The running account of a search: what was found, what is still open, for every output.

Kept up to date node by node, so that the stop rule costs next to nothing; the readings of a
finished tree are summed afresh (`answers/readings.py`). Formulae: METHODS A.3 and A.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.tree import Normalisation

Floats = NDArray[np.float64]


class Ledger:
    """Masses in one normalisation.

    labels: how many. Outputs are the labels, then `none`, then the gate, as bits of a set.
    found: (k + 2,) mass on which each output was written.
    """

    def __init__(self, labels: int, normalisation: Normalisation) -> None:
        self.normalisation = normalisation
        self.none = labels
        self._decides = (1 << labels + 1) - 1  # labels and `none`
        self._open: dict[int, float] = {}  # undecided outputs -> mass
        self.found = np.zeros(labels + 2)
        self._ended = 0.0
        self._ended_with = np.zeros(labels + 2)

    def undecided(self, written: int, ahead: int) -> int:
        """What a path has not decided: it may be written yet; `none` is decided by its end."""
        return (ahead & ~written) | (written & 1 << self.none)

    def matters(self, undecided: int) -> bool:
        """Whether expanding such a path can narrow an interval."""
        on_format = self.normalisation is Normalisation.ON_FORMAT
        return on_format or bool(undecided & self._decides)

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
        """What a tolerance is a share of: all mass, or that which may end on-format."""
        if self.normalisation is not Normalisation.ON_FORMAT:
            return 1.0
        return self._ended + max(sum(self._open.values()), 0.0)

    def intervals(self) -> tuple[Floats, Floats]:
        """(k + 1,) low and high of the labels and of `none`."""
        count = self.none + 1
        undecided = np.zeros(count)
        for key, mass in self._open.items():
            for output in range(count):
                if key >> output & 1:
                    undecided[output] += mass
        undecided = np.maximum(undecided, 0.0)
        if self.normalisation is not Normalisation.ON_FORMAT:
            low = self.found[:count].copy()
            low[self.none] = self._ended_with[self.none]
            return low, low + undecided
        total = max(sum(self._open.values()), 0.0)
        hit = self._ended_with[:count]
        going = np.maximum(self.found[:count] - hit, 0.0)  # written, and open or off-format
        going[self.none] = 0.0
        can = np.minimum(undecided + going, total)
        low = hit / max(self._ended + total, 1e-300)
        high = (hit + can) / np.maximum(self._ended + can, 1e-300)
        return low, np.minimum(high, 1.0)
