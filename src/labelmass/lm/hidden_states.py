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
from labelmass.lm.full_forward import Batches, batched

Pair = tuple[Sequence[int], Sequence[int]]
"""A prompt and an answer, by token id."""


class HiddenStateReader:
    """Reads hidden states; what prompts have in common is read once.

    shares: whether the model's layers are plain attention, so that a beginning can be kept.
    batches: which pairs may share a pass.
    """

    def __init__(self, forward: Forward, *, shares: bool, batches: Batches) -> None:
        self._forward, self._shares = forward, shares
        self._batches: Batches = batches
        self._begin: list[int] = []
        self._kept: Any = None

    @torch.inference_mode()
    def __call__(self, pairs: Sequence[Pair], layer: int = -1) -> list[NDArray[np.float32]]:
        """(n + 1, d) for each answer of n tokens: the states after 0, 1, ... n tokens of it.

        Row i is what predicts token i. layer: 0 the embeddings, then the layers in order; -1 the
        last, after the final norm. Pairs are read in one pass where the model allows it, padded at
        the end, which no state before sees. Raises ModelError for a layer that there is not.
        """
        config = self._forward.model.config
        count: int | None = getattr(config.get_text_config(), "num_hidden_layers", None)
        if count is None:
            raise ModelError(f"{config.model_type} does not say how many layers it has")
        if not -count - 1 <= layer <= count:
            raise ModelError(
                f"layer {layer}: the model has {count}, 0 are the embeddings, -1 the last"
            )
        self._keep([prompt for prompt, _ in pairs])
        results: list[Any] = [None] * len(pairs)
        sequences = [[*prompt, *answer] for prompt, answer in pairs]
        for batch in batched(sequences, self._batches, sum(map(len, sequences)) * len(pairs)):
            states = self._read([sequences[place] for place in batch], layer, layer in (-1, count))
            for row, place in zip(states, batch, strict=True):
                results[place] = row[len(pairs[place][0]) - 1 - len(sequences[place]) :]
        return results

    def _read(self, sequences: list[list[int]], layer: int, last: bool) -> list[Any]:
        """States after the tokens of each that are not kept."""
        skip = len(self._begin) if self._begins(sequences) else 0
        tails = [sequence[skip:] for sequence in sequences]
        ids = torch.zeros((len(tails), max(map(len, tails))), dtype=torch.long)
        mask = torch.zeros((len(tails), skip + ids.shape[1]), dtype=torch.long)
        for row, tail in enumerate(tails):
            ids[row, : len(tail)] = torch.tensor(tail)
            mask[row, : skip + len(tail)] = 1
        past = self._past(len(tails)) if skip else None
        result = self._forward.base(
            input_ids=ids.to(self._forward.device),
            attention_mask=mask.to(self._forward.device),
            past_key_values=past,
            use_cache=past is not None,
            output_hidden_states=not last,
        )
        every = getattr(result, "hidden_states", None) or ()
        at = -1 if last else layer
        states = getattr(result, "last_hidden_state", None) if last else None
        if states is None and len(every) >= -at and len(every) > at:
            states = every[at]
        if states is None or states.shape[:2] != ids.shape:
            kind = self._forward.model.config.model_type
            raise ModelError(f"{kind} does not give one state a token for layer {layer}")
        states = states.float().cpu().numpy()
        return [row[: len(tail)] for row, tail in zip(states, tails, strict=True)]

    def _keep(self, prompts: Sequence[Sequence[int]]) -> None:
        """Read what these prompts begin with, if it is not what is kept already."""
        if not self._shares or self._begins(prompts):
            return
        begin = _beginning(prompts) if len(prompts) > 1 else []
        if begin:
            ids = torch.tensor([begin], device=self._forward.device)
            self._kept = self._forward.base(input_ids=ids, use_cache=True).past_key_values
            self._begin = begin

    def _past(self, rows: int) -> Any:
        """The cache of what is kept, a row for each sequence."""
        past = copy.deepcopy(self._kept)
        past.batch_repeat_interleave(rows)
        return past

    def _begins(self, prompts: Sequence[Sequence[int]]) -> bool:
        kept = len(self._begin)
        return kept > 0 and all(len(p) > kept and list(p[:kept]) == self._begin for p in prompts)


def _beginning(prompts: Sequence[Sequence[int]]) -> list[int]:
    """Longest common prefix that is shorter than every prompt."""
    columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
    return [ids[0] for ids in takewhile(lambda ids: len(set(ids)) == 1, columns)]
