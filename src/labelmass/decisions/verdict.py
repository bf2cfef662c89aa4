"""Mass that cannot be read, behind a verdict that means risk, counted as open.

The rest of such an answer could have named any label, so it raises the upper end of each. It is
known as the model generates; scores under another normalisation are rescaled by what has a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from labelmass._types import Floats
from labelmass.files import current_keys
from labelmass.provenance import FORMER_FIELDS

RAW = "raw"
"""The normalisation under which mass is what the model generates."""


def ceiling(
    high: Floats, unreadable: Floats, verdict: Floats, signature: Mapping[str, object] | None = None
) -> Floats:
    """(n, k) upper ends if all that cannot be read were the label; at most 1, never below `high`.

    high: (n, k) upper ends. unreadable, verdict: (n,) mass as the model generates: behind a risk
    verdict and not readable, NaN for any amount, and the least on which any verdict is given.
    signature: of the scores. Raw ones rise by the mass, others by its share of what has a verdict,
    and those of a contextual calibration to 1, as how far is not known.
    """
    known = current_keys(signature or {}, FORMER_FIELDS)
    mass, verdict = np.nan_to_num(unreadable, nan=1.0), np.nan_to_num(verdict)
    if known.get("normalisation") != RAW:
        whole = np.maximum(verdict, mass)  # a verdict was written before what cannot be read
        mass = np.divide(mass, whole, out=np.zeros_like(mass), where=mass > 0)
    if known.get("contextual_calibration") is not None:
        mass = (mass > 0) * 1.0
    return np.clip(high + mass[:, None], high, 1.0)
