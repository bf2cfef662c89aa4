"""A key/value cache whose entries are addressed by slot rather than by order of arrival."""

from __future__ import annotations

from functools import partial
from typing import Any

from transformers.cache_utils import Cache, CacheLayerMixin


class Route:
    """Slots that one pass writes its keys and values to, and those it reads."""

    def __init__(self) -> None:
        self.capacity = 0
        self._write: dict[Any, Any] = {}
        self._read: dict[Any, Any] = {}
        self._span = 0

    def set(self, write: Any, read: Any, capacity: int) -> None:
        """Lay the route of the next pass.

        write: (t,) int64, the slot of each of its tokens.
        read: (k,) int64, the slots looked at, in order; or an int k for all slots below k.
        capacity: slots that the buffers must have room for.
        """
        self._write = {write.device: write}
        self._read = {} if isinstance(read, int) else {read.device: read}
        self._span = read if isinstance(read, int) else -1
        self.capacity = capacity

    def write(self, device: Any) -> Any:
        if device not in self._write:
            self._write[device] = next(iter(self._write.values())).to(device)
        return self._write[device]

    def look(self, buffer: Any) -> Any:
        """(1, heads, k, size): what this pass sees of a buffer (1, heads, slots, size)."""
        if self._span >= 0:
            return buffer[:, :, : self._span]
        if buffer.device not in self._read:
            self._read[buffer.device] = next(iter(self._read.values())).to(buffer.device)
        return buffer.index_select(2, self._read[buffer.device])


class SlotLayer(CacheLayerMixin):
    """One layer: buffers of shape (1, heads, slots, size) that grow by doubling."""

    def __init__(self, route: Route) -> None:
        super().__init__()
        self._route = route

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = self._empty(key_states, 0)
        self.values = self._empty(value_states, 0)
        self.is_initialized = True

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> Any:
        """Write (1, heads, t, size) to their slots; return what the pass looks at."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        keys, values = self._grown(self.keys), self._grown(self.values)
        where = self._route.write(key_states.device)
        keys.index_copy_(2, where, key_states)
        values.index_copy_(2, where, value_states)
        self.keys, self.values = keys, values
        return self._route.look(keys), self._route.look(values)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1

    def _empty(self, states: Any, slots: int) -> Any:
        return states.new_zeros((1, states.shape[1], slots, states.shape[3]))

    def _grown(self, buffer: Any) -> Any:
        slots = buffer.shape[2]
        if slots >= self._route.capacity:
            return buffer
        larger = self._empty(buffer, max(self._route.capacity, 2 * slots, 1024))
        larger[:, :, :slots] = buffer
        return larger


class SlotCache(Cache):
    """The cache of a whole model; `route` is set before each pass."""

    def __init__(self) -> None:
        self.route = Route()
        super().__init__(layer_class_to_replicate=partial(SlotLayer, self.route))  # type: ignore[arg-type]
