"""One call of a causal language model, and the masks it takes."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm.architecture import SLIDING, Windows
from labelmass.lm.rotary import RotaryMemory
from labelmass.lm.segments import Segment


def embeddings(model: Any) -> Any:
    """(tokens, width) the table of a model's tokens. Raises ModelError for one without it."""
    try:
        table = model.get_input_embeddings().weight
    except (AttributeError, NotImplementedError) as error:
        kind = model.config.model_type
        raise ModelError(f"{kind} is no model of text: it has no table of tokens") from error
    return table


class Forward:
    """Calls a transformers model for the logits of some positions only."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = embeddings(model).device
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._rotary = RotaryMemory(model)

    def call(self, **how: Any) -> Any:
        """The output of the model, whatever it was called with before."""
        self._rotary.forget()
        return self.model(**how)

    def base(self, **how: Any) -> Any:
        """The output of the model without its head, likewise."""
        self._rotary.forget()
        inner = self.model.base_model
        if inner is self.model:  # a part of a larger model, by whose name its own goes
            inner = getattr(self.model, "model", inner)
        return inner(**how)

    def logits(
        self, tokens: Sequence[Sequence[int]], *, keep: NDArray[np.int64], **how: Any
    ) -> Any:
        """(rows, n, v) logits at positions `keep` (rows, n) of `tokens` (rows of one length).

        how: further arguments of the model.
        """
        ids = torch.tensor(tokens, device=self.device)
        kept, place = np.unique(keep, return_inverse=True)
        if self._keeps:
            how["logits_to_keep"] = torch.from_numpy(kept).to(self.device)
        logits = self.call(input_ids=ids, **how).logits
        if logits.shape[1] != len(kept):
            logits = logits[:, torch.from_numpy(kept).to(logits.device)]
        place = place.reshape(keep.shape)
        if len(tokens) == 1 and np.array_equal(place[0], np.arange(len(kept))):
            return logits
        where = torch.from_numpy(place).to(logits.device)
        return logits[torch.arange(len(tokens), device=logits.device)[:, None], where]

    def packed(
        self,
        segments: Sequence[Segment],
        position: NDArray[np.int64],
        keep: NDArray[np.int64],
        **how: Any,
    ) -> Any:
        """(n, v) logits after the tokens at places `keep` (n,) of segments laid end to end.

        position: (t,) of each token.
        """
        return self.logits(
            [[token for segment in segments for token in segment.tokens]],
            keep=keep[None],
            position_ids=torch.from_numpy(position)[None].to(self.device),
            use_cache=True,
            **how,
        )[0]

    @contextlib.contextmanager
    def attention(self, name: str) -> Generator[None]:
        """Compute attention by the function of that name in the AttentionInterface meanwhile."""
        config = self.model.config
        usual = config._attn_implementation
        config._attn_implementation = name
        try:
            yield
        finally:
            config._attn_implementation = usual

    def masks(self, visible: NDArray[np.bool_], distance: NDArray[np.int64], to: Windows) -> Any:
        """Additive masks (1, 1, t, k) from what is visible (t, k) and how far back it lies.

        A dictionary by layer type where there are several.
        """
        near = visible if to.size is None else visible & (distance < to.size)
        if len(to.types) < 2:
            return self._mask(near)
        masks = {True: self._mask(near), False: self._mask(visible)}
        return {kind: masks[kind == SLIDING] for kind in to.types}

    def _mask(self, visible: NDArray[np.bool_]) -> Any:
        kind = self.model.dtype
        mask = torch.zeros(visible.shape, dtype=kind, device=self.device)
        hidden = torch.from_numpy(~visible).to(self.device)
        return mask.masked_fill_(hidden, torch.finfo(kind).min)[None, None]
