"""Rows that cannot be what a model says: an engine's NaN must never become a number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelmass.errors import ModelError
from labelmass.lm.base import NextTokenLogprobs, NodeQuery

ROUNDING = 0.01
"""Probability by which a row may miss a sum of one; servers round their log-probabilities."""

NOT_NUMBERS = (
    "the model's log-probabilities are not numbers (NaN or infinite); float16 overflows like this, "
    "so try --dtype float32 or bfloat16"
)


def check_count(
    rows: Sequence[NextTokenLogprobs], queries: Sequence[NodeQuery], engine: str
) -> None:
    """ModelError unless there is one row per query."""
    if len(rows) != len(queries):
        raise ModelError(f"the engine {engine} returned {len(rows)} rows for {len(queries)} asks")


def flaw(row: NextTokenLogprobs, query: NodeQuery) -> str | None:
    """Reason a row is no distribution, in words; None if it is one.

    NaN in `logprobs` is an id that the engine could not tell, if the row says what it may hold.
    """
    if row.logprobs.shape != query.ids.shape:
        return f"the engine returned {row.logprobs.size} log-probabilities for {len(query.ids)} ids"
    unknown = np.isnan(row.logprobs)
    if unknown.any() and row.unseen == 0:
        return NOT_NUMBERS
    known = row.logprobs[~unknown]
    likeliest = [logprob for _, logprob in row.top]
    highest = max([float(known.max(initial=-np.inf)), *likeliest])
    if highest == np.inf or np.isnan([row.residual, row.unseen, *likeliest]).any():
        return NOT_NUMBERS
    if highest > ROUNDING:
        return f"the engine returned a log-probability of {highest:.4g}, which is above 0"
    total = float(np.exp(known).sum()) + row.residual
    if row.residual < 0 or abs(total - 1) > ROUNDING:
        return f"the engine returned probabilities that sum to {total:.4g}, not to 1"
    if not 0 <= row.unseen <= row.residual:
        return (
            f"the engine leaves {row.unseen:.4g} of {row.residual:.4g} open, which is no part of it"
        )
    return None
