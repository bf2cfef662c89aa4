"""Rows of engines that return only the likeliest tokens of a distribution, and what these bound.

A token that was not returned is at most as likely as the last one that was, and all of them
together have what the returned ones leave. Formula: docs/formulas.md#top-k.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence

import numpy as np

from labelmass.lm.base import NextTokenLogprobs, NodeQuery


def ranked_row(
    query: NodeQuery,
    ranked: Sequence[tuple[int, float]],
    *,
    count: int,
    named: Mapping[int, float] | None = None,
    tolerance: float = 0.0,
) -> NextTokenLogprobs:
    """The row of a query, from the likeliest tokens of a distribution.

    Args:
        query: Node and ids that were asked for.
        ranked: (id, log-probability) of the likeliest tokens, each id once, in any order.
        count: Number of likeliest tokens that the engine was asked for. Where fewer came, or some
            were dropped because their ids could not be told, the last is no bound for the others.
        named: Log-probabilities of further ids, such as one that was sampled or asked for by id.
        tolerance: Largest error of a log-probability, in nats.
    """
    known = {**(named or {}), **dict(ranked)}
    logprobs = np.array([*map(known.get, query.ids.tolist())], dtype=np.float64)  # None is NaN
    unknown = np.isnan(logprobs)
    missing, unseen = int(unknown.sum()), 0.0
    if missing:
        total = math.fsum(map(math.exp, known.values()))
        unseen = _rest(total * math.exp(-tolerance))
        if len(ranked) >= count > 0:
            last = min(logprob for _, logprob in ranked)
            unseen = min(unseen, missing * math.exp(last + tolerance))
        if unseen == 0:  # the known ones are the whole distribution
            logprobs[unknown] = -math.inf
    residual = _rest(math.fsum(np.exp(logprobs[~np.isnan(logprobs)]).tolist()))
    possible = [(-logprob, index) for index, logprob in known.items() if logprob > -math.inf]
    best = [(index, -negative) for negative, index in heapq.nsmallest(max(query.top, 1), possible)]
    return NextTokenLogprobs(logprobs, tuple(best) or ((-1, 0.0),), max(residual, unseen), unseen)


def _rest(total: float) -> float:
    return max(1.0 - total, 0.0)
