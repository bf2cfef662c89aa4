"""The calibrators, by name, simplest first: ties in a choice go to the first."""

from __future__ import annotations

from labelmass._types import Floats
from labelmass.calibration.base import Method, Parameters
from labelmass.calibration.isotonic import ISOTONIC, VENN_ABERS
from labelmass.calibration.parametric import BETA, PLATT, TEMPERATURE
from labelmass.errors import FitError


def _nothing(p: Floats, target: Floats, weight: Floats) -> Parameters:
    return {}


def _as_is(parameters: Parameters, p: Floats) -> Floats:
    return p.copy()


IDENTITY = Method("identity", "the score as it is", "baseline", _nothing, _as_is)

CALIBRATORS: dict[str, Method] = {
    method.name: method for method in (IDENTITY, TEMPERATURE, PLATT, BETA, ISOTONIC, VENN_ABERS)
}

CALIBRATION_METHODS = (*CALIBRATORS, "auto")
"""Names to choose from: one of them, or the one that is best on folds."""


def find_calibrator(name: str) -> Method:
    """The calibrator called so; FitError lists what there is."""
    if name not in CALIBRATORS:
        raise FitError(f"no calibrator is called {name!r}: one of {', '.join(CALIBRATORS)}")
    return CALIBRATORS[name]
