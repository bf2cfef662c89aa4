"""Types that every room shares."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Normalisation(StrEnum):
    """Kind of label probability. See docs/formulas.md#normalisations."""

    RAW = "raw"
    """As the model generates."""

    ON_FORMAT = "on-format"
    """Given that the answer parses."""

    MASKED = "masked"
    """As constrained decoding samples."""
