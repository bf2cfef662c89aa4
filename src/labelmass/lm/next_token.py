"""From a model's logits to the rows that were queried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from labelmass.errors import ModelError
from labelmass.lm.base import NextTokenLogprobs, NodeQuery
from labelmass.lm.checks import NOT_NUMBERS


@torch.inference_mode()
def read_next_tokens(
    logits: Any, queries: Sequence[NodeQuery], vocabulary: int
) -> list[NextTokenLogprobs]:
    """One row per query from the model's own logits at its node.

    logits: (n, v) of any float type, one row per query; overwritten.
    vocabulary: ids the tokenizer knows; logits past them have probability zero.
    ModelError where a row of logits holds NaN or infinity, and so no distribution.
    """
    logits = logits.float()
    width = min(vocabulary, logits.shape[1])
    if width < logits.shape[1]:
        logits[:, width:] = -torch.inf
    count = min(max(1, *(query.top for query in queries)), width)
    best = torch.topk(logits, count, dim=-1)

    lengths = [len(query.ids) for query in queries]
    ids = np.concatenate([query.ids for query in queries])
    where = np.repeat(np.arange(len(queries)), lengths)
    known = ids < width
    row, column = (
        torch.from_numpy(np.ascontiguousarray(a)).to(logits.device)
        for a in (where, np.where(known, ids, 0))
    )
    asked = logits[row, column]
    most = best.values[:, :1]
    total = logits.sub_(most).exp_().sum(dim=-1, keepdim=True).log_().add_(most)
    logprobs = (asked - total[row, 0]).double().cpu().numpy()
    logprobs[~known] = -np.inf
    best_logprobs = (best.values - total).double().cpu().numpy()
    best_ids = best.indices.cpu().numpy()
    scales: list[float] = total[:, 0].double().tolist()
    if not np.isfinite(scales).all():
        raise ModelError(NOT_NUMBERS)

    rows: list[NextTokenLogprobs] = []
    end = 0
    for index, (query, length) in enumerate(zip(queries, lengths, strict=True)):
        own = logprobs[end : (end := end + length)]
        top = zip(
            best_ids[index, : max(query.top, 1)].tolist(),
            best_logprobs[index, : max(query.top, 1)].tolist(),
            strict=True,
        )
        residual = max(0.0, 1.0 - float(np.exp(own).sum()))
        rows.append(NextTokenLogprobs(own, tuple(top), residual, scale=scales[index]))
    return rows
