"""What a method said of many records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labelmass._text import canonical
from labelmass.errors import LabelMassError
from labelmass.estimators.base import LabelScores

Floats = NDArray[np.float64]

_SLACK = 1e-6
"""What rounding may put outside of [0, 1]; it is cut off."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One method's probabilities, a row a record.

    p: (n, k); a row with NaN is a record the method failed on.
    low, high: (n, k) bounds, NaN where not known; or None.
    interval: "certified", "sampled" or "none", as `LabelScores` says it.
    cost: by name, mean per record: passes, tokens, seconds.
    note: what a reader of the table must know of the method.
    missed: (n,) whether the record's numbers fell short of the tolerance of their run; None where
        that is not known.
    Raises LabelMassError naming the record if p is no probability, or outside its bounds, or an id
    comes twice.
    """

    ids: tuple[str | int, ...]
    labels: tuple[str, ...]
    p: Floats
    low: Floats | None = None
    high: Floats | None = None
    interval: str = "none"
    cost: Mapping[str, float] = field(default_factory=dict[str, float])
    note: str = ""
    missed: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.labels))
        for name, values in (("p", self.p), ("low", self.low), ("high", self.high)):
            if values is not None and values.shape != shape:
                raise LabelMassError(
                    f"{name} has shape {values.shape}: {shape[0]} records, {shape[1]} labels"
                )
        wrong = np.argwhere((self.p < -_SLACK) | (self.p > 1 + _SLACK))
        if len(wrong):
            row, column = wrong[0].tolist()
            raise LabelMassError(
                f"record {self.ids[row]!r}: P({self.labels[column]}) is {self.p[row, column]:g}, "
                "not in [0, 1]"
            )
        object.__setattr__(self, "p", np.clip(self.p, 0.0, 1.0))
        self._check_bounds()
        if len(set(self.ids)) < len(self.ids):
            twice = next(name for name in self.ids if self.ids.count(name) > 1)
            raise LabelMassError(f"record {twice!r} is predicted twice")

    def _check_bounds(self) -> None:
        nothing = np.full(self.p.shape, np.nan)
        low = nothing if self.low is None else self.low
        high = nothing if self.high is None else self.high
        crossed = np.argwhere(
            (low < -_SLACK)
            | (high > 1 + _SLACK)
            | (low > high + _SLACK)
            | (self.p < low - _SLACK)
            | (self.p > high + _SLACK)
        )
        if len(crossed):
            row, column = at = tuple(crossed[0].tolist())
            raise LabelMassError(
                f"record {self.ids[row]!r}: P({self.labels[column]}) is {self.p[at]:g} between "
                f"{low[at]:g} and {high[at]:g}: bounds are low <= p <= high, in [0, 1]"
            )

    @classmethod
    def from_scores(
        cls,
        ids: Sequence[str | int],
        scores: Iterable[LabelScores | None],
        *,
        cost: Mapping[str, float] | None = None,
        note: str = "",
        missed: Sequence[bool] | None = None,
    ) -> Predictions:
        """From the label scores of each record; None for a record the method failed on."""
        rows = list(scores)
        first = next((row for row in rows if row is not None), None)
        if first is None:
            raise LabelMassError("no record was scored")
        nothing = np.full(len(first.labels), np.nan)
        p, low, high = (
            np.array([nothing if row is None else getattr(row, side) for row in rows])
            for side in ("p", "low", "high")
        )
        short = None if missed is None else np.array(missed, dtype=np.bool_)
        return cls(tuple(ids), first.labels, p, low, high, first.interval, cost or {}, note, short)

    def at(self, ids: Sequence[str | int], labels: Sequence[str]) -> Predictions:
        """These records and labels in this order; a record that is not there is NaN.

        Names are compared in NFC. Raises LabelMassError if the labels differ by more than their
        order.
        """
        wanted, known = [canonical(one) for one in labels], [canonical(one) for one in self.labels]
        if set(wanted) != set(known):
            odd = sorted(set(wanted) ^ set(known))[0]
            whose = "predictions lack it" if odd in wanted else "targets lack it"
            raise LabelMassError(f"labels differ: {odd!r} ({whose})")
        place = {name: at for at, name in enumerate(self.ids)}
        rows = np.array([place.get(name, -1) for name in ids], dtype=np.int64)
        columns = [known.index(label) for label in wanted]

        def take(values: Floats | None) -> Floats | None:
            if values is None:
                return None
            padded = np.vstack([values, np.full((1, values.shape[1]), np.nan)])
            return padded[rows][:, columns]

        p = take(self.p)
        assert p is not None
        return Predictions(
            tuple(ids),
            tuple(labels),
            p,
            take(self.low),
            take(self.high),
            self.interval,
            self.cost,
            self.note,
            None if self.missed is None else np.append(self.missed, False)[rows],
        )
