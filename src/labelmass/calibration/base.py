"""Calibration methods: parameters of one label, fitted on cells and applied to scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.errors import LabelMassError
from labelmass.files import shaped

Parameters = Mapping[str, Any]
"""Numbers and lists of numbers by name: what is written to JSON, exactly."""


@dataclass(frozen=True, slots=True)
class Method:
    """A family of non-decreasing maps from [0, 1] to [0, 1].

    fit: (n,) scores, (n,) targets in [0, 1], (n,) weights > 0; a target h of weight w counts as a
        positive of weight w h and a negative of weight w (1 - h).
    apply: parameters and scores of any shape; NaN stays NaN.
    numbers, lists: names of the parameters that are numbers, and of those that are lists of them.
    longer: which lists hold one number more than the others.
    """

    name: str
    summary: str
    source: str
    fit: Callable[[Floats, Floats, Floats], Parameters]
    apply: Callable[[Parameters, Floats], Floats]
    numbers: Sequence[str] = ()
    lists: Sequence[str] = ()
    longer: Sequence[str] = ()

    def read(self, parameters: Parameters) -> Parameters:
        """Parameters from a file; LabelMassError for those of no map that does not fall."""
        wanted = (*self.numbers, *self.lists)
        if missing := [name for name in wanted if name not in parameters]:
            raise LabelMassError(f"{missing[0]} is missing")
        numbers = shaped(dict[str, float], {name: parameters[name] for name in self.numbers})
        for name, value in numbers.items():
            if abs(value) > _LARGEST:
                raise LabelMassError(f"{name} is {value:g}, which no fit gives")
        lists = shaped(dict[str, list[float]], {name: parameters[name] for name in self.lists})
        if lists:
            sizes = {len(values) - (name in self.longer) for name, values in lists.items()}
            if len(sizes) > 1 or 0 in sizes:
                raise LabelMassError(f"{' and '.join(lists)} are not of one length")
        ends = [np.array([0.0, 1.0]), np.asarray(lists.get("x", ()))]
        with np.errstate(all="ignore"):
            curve = self.apply(numbers | lists, np.sort(np.concatenate([*ends, _GRID])))
        rising = all(np.all(np.diff(list_) >= -_EPS) for list_ in lists.values())
        if not (rising and np.all((curve >= 0) & (curve <= 1)) and np.all(np.diff(curve) >= -_EPS)):
            raise LabelMassError("they are of no curve in [0, 1] that does not fall")
        return numbers | lists


_GRID = np.linspace(0, 1, 33)
_LARGEST = 1e100
"""Largest size of a parameter, so that no arithmetic with it overflows."""
_EPS = 1e-12
