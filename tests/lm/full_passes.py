"""The slow and certain way: one full forward pass per prefix, whole vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery

_ROWS: dict[tuple[int, tuple[int, ...]], tuple[Any, NDArray[np.float64]]] = {}


def full_row(model: Any, ids: Sequence[int], vocabulary: int) -> NDArray[np.float64]:
    """(vocabulary,) log-probabilities after `ids`; computed once for each model and prefix."""
    key = (id(model), tuple(ids))
    if key not in _ROWS:
        _ROWS[key] = (model, _full_row(model, ids, vocabulary))
    return _ROWS[key][1]


def _full_row(model: Any, ids: Sequence[int], vocabulary: int) -> NDArray[np.float64]:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0, -1]
    return logits[:vocabulary].double().log_softmax(-1).numpy()


def queries_of(
    record: int, nodes: Mapping[int, tuple[int, int]], ids: NDArray[np.int64]
) -> list[NodeQuery]:
    """The prompt and every node, given as {node: (parent, token)}, ancestors first."""
    prompt = NodeQuery(record, PROMPT, PROMPT, -1, ids, 3)
    return [prompt, *(NodeQuery(record, n, p, t, ids, 3) for n, (p, t) in nodes.items())]


def worst(
    model: Any,
    prompt: Sequence[int],
    queries: Sequence[NodeQuery],
    rows: Sequence[NextTokenLogprobs],
    vocabulary: int,
) -> float:
    """Largest distance in nats, over the asked ids and the top, from full passes."""
    path: dict[int, list[int]] = {PROMPT: []}
    far = 0.0
    for query, row in zip(queries, rows, strict=True):
        if query.node != PROMPT:
            path[query.node] = [*path[query.parent], query.token]
        want = full_row(model, [*prompt, *path[query.node]], vocabulary)
        far = max(far, float(np.abs(row.logprobs - want[query.ids]).max()))
        for index, logprob in row.top:
            far = max(far, abs(logprob - float(want[index])))
        far = max(far, abs(row.residual - max(0.0, 1 - float(np.exp(want[query.ids]).sum()))))
    return far
