"""Attention weights of an answer's positions: a capability of models that can return them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from labelmass._types import Floats
from labelmass.errors import ModelError
from labelmass.lm.forward import Forward


@torch.inference_mode()
def attention(
    forward: Forward, prompt: Sequence[int], answer: Sequence[int], *, at_once: bool = False
) -> Floats:
    """(n, m + n) what each of n positions of the answer attends to, mean over heads and layers.

    Columns are the m positions of the prompt, then the answer's own; a row adds up to 1.
    The prompt is read as usual; only the answer's rows of the weights are ever held.
    Raises ModelError for a model that does not return them.

    at_once: read prompt and answer in one pass, for models that read a sequence otherwise if it is
        cut; then all weights are held.
    """
    ids = torch.tensor([[*prompt, *answer]], device=forward.device)
    m = len(prompt)
    refused = ModelError(
        f"{forward.model.config.model_type} does not return the attention of all its layers "
        "over all tokens"
    )
    with forward.attention("eager"):
        how: dict[str, Any] = {}
        if not at_once:
            read: Any = forward.call(input_ids=ids[:, :m], use_cache=True)
            how["past_key_values"] = getattr(read, "past_key_values", None)
            if how["past_key_values"] is None:
                raise refused
        result: Any = forward.call(
            input_ids=ids if at_once else ids[:, m:],
            use_cache=not at_once,
            output_attentions=True,
            **how,
        )
    weights = [one for one in getattr(result, "attentions", None) or () if one is not None]
    if not weights or any(
        weight.ndim != 4 or weight.shape[-1] != ids.shape[1] for weight in weights
    ):
        raise refused
    own = [weight[0, :, -len(answer) :] for weight in weights]
    mean: Any = sum(one.double().mean(dim=0) for one in own) / len(own)
    return mean.cpu().numpy()
