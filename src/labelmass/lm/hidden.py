"""Hidden states of an answer's positions: a capability of models that can return them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm.forward import Forward

Pair = tuple[Sequence[int], Sequence[int]]
"""A prompt and an answer, by token id."""


@torch.inference_mode()
def hidden(forward: Forward, pairs: Sequence[Pair], layer: int = -1) -> list[NDArray[np.float32]]:
    """(n + 1, d) for each answer of n tokens: the states after 0, 1, ... n tokens of it.

    Row i is what predicts token i. layer: 0 the embeddings, then the layers in order; -1 the last,
    after the final norm. Pairs are read in one pass, padded at the end, which no state before sees.
    Raises ModelError for a layer that there is not.
    """
    model: Any = forward.model
    count = model.config.get_text_config().num_hidden_layers
    if not -count - 1 <= layer <= count:
        raise ModelError(f"layer {layer}: the model has {count}, 0 are the embeddings, -1 the last")
    lengths = [len(prompt) + len(answer) for prompt, answer in pairs]
    ids = torch.zeros((len(pairs), max(lengths)), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(pairs):
        ids[row, : lengths[row]] = torch.tensor([*prompt, *answer])
        mask[row, : lengths[row]] = 1
    last = layer in (-1, count)
    found: Any = model.base_model(
        input_ids=ids.to(forward.device),
        attention_mask=mask.to(forward.device),
        use_cache=False,
        output_hidden_states=not last,
    )
    states = found.last_hidden_state if last else found.hidden_states[layer]
    states = states.float().cpu().numpy()
    return [states[row, len(prompt) - 1 : lengths[row]] for row, (prompt, _) in enumerate(pairs)]
