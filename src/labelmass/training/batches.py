"""Batches: which examples go together, and their tensors, in which only answers are targets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

IGNORED = -100
"""The target of a position that is not learnt."""

POOL = 32
"""Batches' worth of examples that are sorted by length together."""


@dataclass(frozen=True, slots=True)
class Batch:
    """n examples of at most t tokens, padded on the right.

    ids, mask: (n, t) int64; mask is 0 at padding. targets: (n, t) the ids of the answers, IGNORED
    elsewhere. weights: (n,) float32.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor

    @property
    def tokens(self) -> int:
        """Tokens that are no padding."""
        return int(self.mask.sum())

    @property
    def answer_tokens(self) -> int:
        return int((self.targets != IGNORED).sum())


def deal(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Every index once, in batches of like length, in an order of the seed's and the epoch's."""
    draw = random.Random(f"{seed}:{epoch}:batches")
    order = draw.sample(range(len(lengths)), len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = sorted(order[start : start + POOL * batch_size], key=lambda i: lengths[i])
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    draw.shuffle(batches)
    return batches


def collate(
    examples: Sequence[tuple[Sequence[int], Sequence[int]]], weights: Sequence[float]
) -> Batch:
    """The batch of these prompts and answers."""
    width = max(len(prompt) + len(answer) for prompt, answer in examples)
    shape = (len(examples), width)
    ids, mask = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)
    targets = torch.full(shape, IGNORED, dtype=torch.int64)
    for row, (prompt, answer) in enumerate(examples):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor([*prompt, *answer])
        mask[row, :end] = 1
        targets[row, len(prompt) : end] = torch.tensor(answer)
    return Batch(ids, mask, targets, torch.tensor(weights, dtype=torch.float32))
