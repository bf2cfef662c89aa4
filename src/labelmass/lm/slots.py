"""A key-value cache of slots: any token may be put anywhere, and forgotten again.

Keys carry their positions, so where a slot lies says nothing; who sees whom is in the mask. That
lets many records, their prompts' ends and their trees share one cache and one pass.
"""

from __future__ import annotations

import heapq
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

FIRST = 1024
"""Slots a layer begins with; it doubles when they are full."""


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values, (1, heads, slots, width)."""

    is_sliding = False

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self._slots = slots

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = key_states.new_zeros(self._shape(key_states, FIRST))
        self.values = value_states.new_zeros(self._shape(value_states, FIRST))
        self.is_initialized = True

    @staticmethod
    def _shape(states: torch.Tensor, slots: int) -> tuple[int, int, int, int]:
        batch, heads, _, width = states.shape
        return batch, heads, slots, width

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the states in their slots; give back every slot up to the highest in use."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        high = self._slots.high
        if (have := self.keys.shape[2]) < high:
            size = have
            while size < high:
                size *= 2
            for name in ("keys", "values"):
                old = getattr(self, name)
                new = old.new_zeros(self._shape(old, size))
                new[:, :, :have] = old
                setattr(self, name, new)
        where = self._slots.where.to(key_states.device)
        self.keys.index_copy_(2, where, key_states)
        self.values.index_copy_(2, where, value_states)
        return self.keys[:, :, :high], self.values[:, :, :high]

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._slots.high, 0


class Slots:
    """Which slots are free. `where` and `high` are set for each pass."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._used: set[int] = set()
        self._next = 0
        self.where = torch.zeros(0, dtype=torch.int64)

    @property
    def high(self) -> int:
        """One more than the highest slot in use."""
        return self._next

    def take(self, count: int) -> list[int]:
        """The lowest free slots."""
        taken: list[int] = []
        while self._free and len(taken) < count:
            taken.append(heapq.heappop(self._free))
        fresh = range(self._next, self._next + count - len(taken))
        self._next += len(fresh)
        taken.extend(fresh)
        self._used.update(taken)
        return taken

    def give(self, slots: list[int]) -> None:
        """Free slots; those at the top shrink what attention looks over."""
        self._used.difference_update(slots)
        self._next = max(self._used, default=-1) + 1
        self._free = [s for s in [*self._free, *slots] if s < self._next]
        heapq.heapify(self._free)


def slot_cache(layers: int, slots: Slots) -> Cache:
    """A transformers cache whose layers all follow `slots`."""
    return Cache(layers=[SlotLayer(slots) for _ in range(layers)])
