"""From probabilities to label sets, by a declared rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._math import EPS
from labelmass._text import canonical
from labelmass.errors import LabelMassError


@dataclass(frozen=True, slots=True)
class Threshold:
    """P_l >= tau.

    tau: one number, or one a label by name, or None for the likeliest label alone (the first of
        equals), as where exactly one label is right; none of them where all are at the floor EPS,
        as for an answer without a label.
    fitted_on: the data that chose tau, in words; never the data it is judged on.
    """

    tau: float | Mapping[str, float] | None = 0.5
    fitted_on: str | None = None

    def __post_init__(self) -> None:
        named = self.tau if isinstance(self.tau, Mapping) else {"": self.tau}
        for label, tau in named.items():
            if tau is not None and np.isnan(tau):
                raise LabelMassError(f"threshold{f' of {label!r}' if label else ''} is {tau!r}")

    def choose(self, p: NDArray[np.float64], labels: Sequence[str]) -> NDArray[np.bool_]:
        """(n, k) label sets; LabelMassError if a label has no threshold. NaN is not chosen."""
        if self.tau is None:
            likeliest = np.argmax(np.nan_to_num(p, nan=-1.0), axis=1)
            return (np.arange(p.shape[1]) == likeliest[:, None]) & (p > EPS)
        if not isinstance(self.tau, Mapping):
            return p >= self.tau
        tau = {canonical(label): value for label, value in self.tau.items()}
        for label in labels:
            if canonical(label) not in tau:
                raise LabelMassError(f"no threshold for label {label!r}")
        return p >= np.array([tau[canonical(label)] for label in labels])

    def __str__(self) -> str:
        if self.tau is None:
            rule = "the likeliest label"
        elif isinstance(self.tau, Mapping):
            rule = "P >= a threshold a label"
        else:
            rule = f"P >= {self.tau:g}"
        return rule if self.fitted_on is None else f"{rule}, fitted on {self.fitted_on}"

    def to_dict(self) -> dict[str, Any]:
        tau = dict(self.tau) if isinstance(self.tau, Mapping) else self.tau
        return {"rule": str(self), "tau": tau, "fitted_on": self.fitted_on}
