"""Sentences that a reader of scores should see, where nobody reads a command line's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from labelmass._types import Normalisation

if TYPE_CHECKING:
    from labelmass.scores.scores import Scores

MUCH_OFF_FORMAT = 0.2
"""Mean mass outside the format from which it is worth a sentence."""


def mean_off_format(scores: Scores) -> float | None:
    """Mean mass outside the answer format; None where it is not known of any record."""
    if scores.off_format is None or np.isnan(scores.off_format).all():
        return None
    return float(np.nanmean(scores.off_format))


def notices_of(scores: Scores) -> Iterator[str]:
    """See `Scores.notices`."""
    signature, off_format = scores.signature, mean_off_format(scores)
    if signature is not None and signature.prompt:
        share = "" if off_format is None else f"; off-format {off_format:.2f} on average"
        yield f"prompt: {signature.prompt}{share}"
    raw = signature is not None and signature.normalisation is Normalisation.RAW
    if raw and off_format is not None and off_format > MUCH_OFF_FORMAT:
        yield (
            f"{off_format:.0%} of the mass is outside the answer format, so raw probabilities are "
            "small; normalise='on-format' reads the rest"
        )
    if scores.failures:
        yield f"{len(scores.failures):,} of {len(scores):,} records failed"
    if signature is not None and signature.prompt and scores.calibrated_by is None:
        yield (
            "next: labelmass.calibrate(scores, targets), where targets are human labels, such as "
            "labelmass.Targets.from_records(records, scores.labels)"
        )
