"""Hidden states of an answer's positions: a capability of models that can return them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm.forward import Forward

Pair = tuple[Sequence[int], Sequence[int]]
"""A prompt and an answer, by token id."""


class Hidden:
    """Reads hidden states; what prompts have in common is read once.

    shares: whether the model's layers are plain attention, so that a beginning can be kept.
    """

    def __init__(self, forward: Forward, *, shares: bool) -> None:
        self._forward, self._shares = forward, shares
        self._begin: list[int] = []
        self._kept: Any = None

    @torch.inference_mode()
    def __call__(self, pairs: Sequence[Pair], layer: int = -1) -> list[NDArray[np.float32]]:
        """(n + 1, d) for each answer of n tokens: the states after 0, 1, ... n tokens of it.

        Row i is what predicts token i. layer: 0 the embeddings, then the layers in order; -1 the
        last, after the final norm. Pairs are read in one pass, padded at the end, which no state
        before sees. Raises ModelError for a layer that there is not.
        """
        model: Any = self._forward.model
        count = model.config.get_text_config().num_hidden_layers
        if not -count - 1 <= layer <= count:
            raise ModelError(
                f"layer {layer}: the model has {count}, 0 are the embeddings, -1 the last"
            )
        past = self._past([prompt for prompt, _ in pairs])
        skip = 0 if past is None else len(self._begin)
        tails = [[*prompt, *answer][skip:] for prompt, answer in pairs]
        ids = torch.zeros((len(pairs), max(map(len, tails))), dtype=torch.long)
        mask = torch.zeros((len(pairs), skip + ids.shape[1]), dtype=torch.long)
        for row, tail in enumerate(tails):
            ids[row, : len(tail)] = torch.tensor(tail)
            mask[row, : skip + len(tail)] = 1
        last = layer in (-1, count)
        found: Any = model.base_model(
            input_ids=ids.to(self._forward.device),
            attention_mask=mask.to(self._forward.device),
            past_key_values=past,
            use_cache=past is not None,
            output_hidden_states=not last,
        )
        states = found.last_hidden_state if last else found.hidden_states[layer]
        states = states.float().cpu().numpy()
        return [
            states[row, len(prompt) - 1 - skip : len(tails[row])]
            for row, (prompt, _) in enumerate(pairs)
        ]

    def _past(self, prompts: Sequence[Sequence[int]]) -> Any:
        """A cache that holds what these prompts begin with, a row each; None if nothing is kept."""
        if not self._shares:
            return None
        if not self._begins(prompts):
            begin = _beginning(prompts) if len(prompts) > 1 else []
            if not begin:
                return None
            ids = torch.tensor([begin], device=self._forward.device)
            read: Any = self._forward.model.base_model(input_ids=ids, use_cache=True)
            self._begin, self._kept = begin, read.past_key_values
        past = copy.deepcopy(self._kept)
        past.batch_repeat_interleave(len(prompts))
        return past

    def _begins(self, prompts: Sequence[Sequence[int]]) -> bool:
        kept = len(self._begin)
        return kept > 0 and all(len(p) > kept and list(p[:kept]) == self._begin for p in prompts)


def _beginning(prompts: Sequence[Sequence[int]]) -> list[int]:
    """What all of them begin with, short of the whole of one."""
    columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
    return [ids[0] for ids in takewhile(lambda ids: len(set(ids)) == 1, columns)]
