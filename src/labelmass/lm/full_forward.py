"""Rows the long way: prompt and path go through the whole model, node by node.

For models whose layers cannot branch (recurrent, linear, chunked), where it is the only right way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery, Usage
from labelmass.lm.forward import Forward
from labelmass.lm.next_token import read_next_tokens

Batches = Literal["mixed", "equal", "single"]
"""Sequences that may share a pass: any, the shorter ones padded; those of one length; none."""


@dataclass(slots=True)
class Record:
    """An open prompt and the path of tokens to each node that was queried."""

    ids: list[int]
    paths: dict[int, tuple[int, ...]] = field(default_factory=lambda: {PROMPT: ()})
    usage: Usage = field(default_factory=Usage)


class FullForward:
    """Reads each node with one sequence of its own, several to a batch.

    pass_tokens: most tokens of one batch, padding included; longer sequences go alone.
    batches: which sequences may share a pass without changing one another's rows.
    """

    name = "full-forward"

    def __init__(
        self, forward: Forward, vocabulary: int, *, pass_tokens: int, batches: Batches = "mixed"
    ) -> None:
        self._forward, self._vocabulary = forward, vocabulary
        self._pass_tokens = pass_tokens
        self._batches: Batches = batches

    def open(self, prompts: Sequence[Sequence[int]], shared: int) -> list[Record]:
        """`shared` buys nothing here: every node pays for its whole prompt."""
        return [Record(list(ids)) for ids in prompts]

    def close(self, record: Record) -> Usage:
        return record.usage

    def rows(self, queries: Sequence[tuple[Record, NodeQuery]]) -> list[NextTokenLogprobs]:
        """One row per query; a parent was queried before, or stands earlier in the list."""
        sequences: list[list[int]] = []
        for record, query in queries:
            if query.node != PROMPT:
                record.paths[query.node] = (*record.paths[query.parent], query.token)
            path = record.paths[query.node]
            sequences.append([*record.ids, *path])
            record.usage.prompt_tokens += len(record.ids)
            record.usage.tree_tokens += len(path)
        rows: list[NextTokenLogprobs | None] = [None] * len(queries)
        for batch in batched(sequences, self._batches, self._pass_tokens):
            logits = self._pass([sequences[i] for i in batch])
            queries[batch[0]][0].usage.forward_passes += 1
            read = read_next_tokens(logits, [queries[i][1] for i in batch], self._vocabulary)
            for index, row in zip(batch, read, strict=True):
                rows[index] = row
        return [row for row in rows if row is not None]

    @torch.inference_mode()
    def _pass(self, sequences: list[list[int]]) -> Any:
        """(n, v) logits at the last token of each; padded on the right, which no token sees."""
        longest = len(sequences[0])
        lengths = np.array([len(s) for s in sequences])
        how: dict[str, Any] = {}
        if lengths.min() < longest:
            real = np.arange(longest)[None] < lengths[:, None]
            how["attention_mask"] = torch.from_numpy(real.astype(np.int64)).to(self._forward.device)
        padded = [s + [0] * (longest - len(s)) for s in sequences]
        logits = self._forward.logits(padded, keep=lengths[:, None] - 1, use_cache=False, **how)
        return logits[:, 0]


def batched(
    sequences: Sequence[Sequence[int]], batches: Batches, tokens: int
) -> Iterator[list[int]]:
    """Indices of sequences that share a pass of at most `tokens`, padding included, longest first.

    A sequence longer than that goes alone.
    """
    batch: list[int] = []
    for index in sorted(range(len(sequences)), key=lambda i: -len(sequences[i])):
        if batch:
            longest = len(sequences[batch[0]])
            other = batches == "single" or (batches == "equal" and longest != len(sequences[index]))
            if other or longest * (len(batch) + 1) > tokens:
                yield batch
                batch = []
        batch.append(index)
    if batch:
        yield batch
