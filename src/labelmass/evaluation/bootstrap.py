"""Uncertainty over records: bootstrap and sign-flip test.

Items are drawn, never cells; items of one group are drawn together.
Formulas: docs/formulas.md#bootstrap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats
from labelmass.evaluation.statistic import Statistic

Integers = NDArray[np.int64]
Key = TypeVar("Key")

LEVEL = 0.95
"""Confidence level of every interval."""
_CELLS = 2**22
"""Weights held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Seeded draws of n items, the same for every statistic.

    group: (n,) number of each item's group, from 0 without a gap.
    """

    group: Integers
    draws: int = 2000
    seed: int = 0

    @classmethod
    def of(
        cls, items: int, groups: Sequence[str] | None, draws: int = 2000, seed: int = 0
    ) -> Bootstrap:
        """groups: (n,) names of what is drawn together, or None."""
        if groups is None:
            return cls(np.arange(items), draws, seed)
        group = np.unique(np.array(groups, dtype=object), return_inverse=True)[1]
        return cls(group.astype(np.int64), draws, seed)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.group.max(initial=-1)) + 1

    def weights(self) -> Iterator[Floats]:
        """(some draws, n) how often each item was drawn, all draws in turn."""
        draw = np.random.default_rng(self.seed)
        for count in self._blocks():
            drawn = draw.integers(self.groups, size=(count, self.groups))
            drawn += np.arange(count)[:, None] * self.groups
            times = np.bincount(drawn.ravel(), minlength=count * self.groups)
            yield times.reshape(count, -1)[:, self.group].astype(np.float64)

    def resample(self, statistics: Mapping[Key, Statistic]) -> dict[Key, Floats]:
        """Each statistic in every draw, as far as it takes draws: (draws,) or fewer."""
        results: dict[Key, list[Floats]] = {key: [np.zeros(0)] for key in statistics}
        done = 0
        for weights in self.weights():
            for key, statistic in statistics.items():
                most = statistic.max_draws
                some = weights if most is None else weights[: max(most - done, 0)]
                if len(some):
                    results[key].append(statistic.resample(some))
            done += len(weights)
        return {key: np.concatenate(parts) for key, parts in results.items()}

    def sign_flip(self, differences: Floats) -> Floats:
        """(m,) two-sided p of (n, m) differences of items, NaN for items that do not count.

        The null: a group's differences are as likely with the other sign. p = (1 + flips at least
        as far from 0) / (1 + flips), and 1 where all differences are 0.
        """
        sums = np.zeros((self.groups, differences.shape[1]))
        np.add.at(sums, self.group, np.nan_to_num(differences))
        seen = np.abs(sums.sum(axis=0)) * (1 - 1e-9)
        draw = np.random.default_rng([self.seed, 1])
        far = np.zeros(len(seen))
        for count in self._blocks():
            signs = draw.integers(2, size=(count, self.groups)) * 2.0 - 1
            far += (np.abs(signs @ sums) >= seen).sum(axis=0)
        return (1 + far) / (1 + self.draws)

    def _blocks(self) -> Iterator[int]:
        size = max(1, _CELLS // max(len(self.group), 1))
        for at in range(0, self.draws, size):
            yield min(size, self.draws - at)


def interval(drawn: Floats, about: float | None = None) -> tuple[float, float] | None:
    """Percentiles of the draws in which the metric is defined; None if there are none.

    about: the metric of the sample; the interval is then reflected, [2 a - high, 2 a - low]. For a
        metric that noise makes larger this takes out what the draws added; for calibration errors
        of 200 simulated items it covers the truth in 82 to 96 % of cases, percentiles in 3 to 80 %.
    """
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return None
    low, high = (float(x) for x in np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    return (low, high) if about is None else (2 * about - high, 2 * about - low)
