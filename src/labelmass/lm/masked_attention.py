"""A pass with one mask: every token against every slot that any token of the pass looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.lm.architecture import Windows
from labelmass.lm.forward import Forward
from labelmass.lm.segments import Segment
from labelmass.lm.slot_cache import SlotCache


class MaskedAttention:
    """Right for every model whose layers are attention, whichever way it is computed."""

    def __init__(self, forward: Forward, windows: Windows) -> None:
        self._forward, self._windows = forward, windows
        self._cache = SlotCache()

    def clear(self) -> None:
        """As `Attention.clear`."""
        self._cache = SlotCache()

    def logits(
        self,
        segments: list[Segment],
        position: NDArray[np.int64],
        top: int,
        keep: NDArray[np.int64],
    ) -> Any:
        """As `Attention.logits`."""
        write = np.concatenate([segment.slots for segment in segments])
        visible = np.zeros((len(write), top), np.bool_)
        column = np.arange(top)
        row = 0
        for segment in segments:
            own = visible[row : (row := row + len(segment))]
            own[:, segment.shared] = True
            segment.see(own, column)
        read = np.flatnonzero(visible.any(axis=0))
        whole = len(write) * (top - len(read)) < 64 * len(read)
        if whole:
            read = column
        visible = visible[:, read]
        distance = position[write][:, None] - position[read][None, :]
        masks = self._forward.masks(visible, distance, self._windows)
        device = self._forward.device
        self._cache.route.set(
            torch.from_numpy(write).to(device),
            top if whole else torch.from_numpy(read).to(device),
            top,
        )
        return self._forward.packed(
            segments, position[write], keep, attention_mask=masks, past_key_values=self._cache
        )
