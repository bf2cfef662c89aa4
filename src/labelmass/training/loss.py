"""The loss: how unlikely the model finds each answer, and nothing of the prompt."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from labelmass.training.batches import IGNORED, Batch


def answer_nll(network: Any, batch: Batch) -> torch.Tensor:
    """(n,) -ln P(answer | prompt) of each example, in nats, the end of the answer included.

    Its mean over draws of an annotator is least where the model writes every answer as often as
    annotators give it.
    """
    device = network.get_input_embeddings().weight.device
    targets = batch.targets[:, 1:].to(device)
    kept = (targets != IGNORED).any(dim=0).nonzero()[:, 0]
    how: dict[str, Any] = {"use_cache": False}
    if "logits_to_keep" in inspect.signature(network.forward).parameters:
        how["logits_to_keep"] = kept
    logits = network(input_ids=batch.ids.to(device), attention_mask=batch.mask.to(device), **how)
    logits = logits.logits
    if logits.shape[1] != len(kept):
        logits = logits[:, kept]
    wanted = targets[:, kept].to(logits.device)
    losses = cross_entropy(
        logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return losses.view(wanted.shape).sum(dim=1)
