"""The published any-place search, re-implemented from its rules.

Formulas: docs/formulas.md#any-place-pruned.

Depth first, the whole prompt through the model again at every node, one record at a time, labels
matched by the end of the decoded text. Kept slow on purpose: it is what users run today.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

TOP_P, MIN_MASS, DEPTH, CLOSE = 0.99, 0.01, 20, 0.7


@dataclass
class PublishedSearch:
    """One record's search. `scores` by label spelling; `passes` counts forward passes."""

    network: Any
    token_bytes: Any
    end_ids: frozenset[int]
    spellings: list[str]
    scores: dict[str, float] = field(default_factory=dict)
    passes: int = 0

    @torch.inference_mode()
    def run(self, prompt: list[int]) -> dict[str, float]:
        self.scores = dict.fromkeys(self.spellings, 0.0)
        self._visit(prompt, "", 1.0, 0)
        return self.scores

    def _visit(self, ids: list[int], text: str, mass: float, depth: int) -> None:
        if mass < MIN_MASS:
            return
        self.passes += 1
        logits = self.network(input_ids=torch.tensor([ids]), use_cache=False, logits_to_keep=1)
        probs, order = torch.sort(logits.logits[0, -1].float().softmax(-1), descending=True)
        count = int((probs.cumsum(0) <= TOP_P).sum()) + 1
        nucleus = list(zip(order[:count].tolist(), probs[:count].tolist(), strict=True))
        ends = any(token in self.end_ids for token, _ in nucleus)
        for rank, (token, p) in enumerate(nucleus):
            ended = token in self.end_ids
            longer = text + (self.token_bytes[token] or b"").decode(errors="replace")
            if not ended:
                for spelling in self.spellings:
                    if longer.endswith(spelling):
                        self.scores[spelling] += mass * p
            if ended and p >= CLOSE:
                break
            if ends and rank == 2:
                break
            if not ended and depth < DEPTH:
                self._visit([*ids, token], longer, mass * p, depth + 1)
