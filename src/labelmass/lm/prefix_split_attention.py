"""A pass in small pieces: the shared prefix for all tokens at once, the rest text by text.

A mask over all slots makes every token pay for the slots of every text in hand. Here each token is
compared with the prefix in one dense block, and with its own text in another, and the two results
are put together by the log of the sum of their exponentials. For layers of plain attention on a
CPU, in models that look up how to compute it in the AttentionInterface of transformers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm.architecture import Windows
from labelmass.lm.forward import Forward
from labelmass.lm.segments import Segment
from labelmass.lm.slot_cache import SlotCache

NAME = "labelmass_split"
"""Name of `attend` in the AttentionInterface."""

KERNEL = "_scaled_dot_product_flash_attention_for_cpu"
"""Kernel that torch calls on a CPU; unlike the public function it also returns log-sum-exp."""

ALTERED = ("softcap", "s_aux", "sliding_window", "position_bias")
"""Arguments of attention that is not plain."""

SPARE = 4096
"""Comparisons of a query with a key that cost no more than one more block would."""


@dataclass(frozen=True, slots=True)
class Block:
    """Queries and keys that are compared, r texts at once, the shorter ones padded.

    rows: (r * t,) places in the pass, or a slice of them.
    slots: (r * k,) slots, or a slice of them.
    texts: r.
    mask: (r, 1, t, k) additive; None where every query looks at every key.
    real: (n,) which of `rows` are no padding; None for all.
    """

    rows: Any
    slots: Any
    texts: int = 1
    mask: Any = None
    real: Any = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Every token of a pass stands in one block of `own` and at most one of `shared`."""

    own: list[Block]
    shared: list[Block]


def fits(forward: Forward, windows: Windows) -> bool:
    """True if it is worth a try; whether it is right shows in its numbers."""
    return (
        forward.device.type == "cpu"
        and windows.size is None
        and forward.model.config._attn_implementation == "sdpa"
        and hasattr(torch.ops.aten, KERNEL)
    )


class PrefixSplitAttention:
    """Passes of a model for which it `fits`."""

    def __init__(self, forward: Forward) -> None:
        from transformers import AttentionInterface

        AttentionInterface.register(NAME, attend)
        self._forward = forward
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
        self._cache.route.set(torch.from_numpy(write), top, top)
        with self._forward.attention(NAME):
            return self._forward.packed(
                segments,
                position[write],
                keep,
                attention_mask=torch.zeros(1, 1, 1, 1),  # ours to build, so never looked at
                past_key_values=self._cache,
                plan=plan(segments, top, self._forward.model.dtype),
            )


def plan(segments: list[Segment], top: int, dtype: torch.dtype) -> Plan:
    """Blocks of a pass over slots below `top`."""
    texts: dict[int, list[tuple[int, Segment]]] = {}
    prefixes: dict[int, list[tuple[int, Segment]]] = {}
    row = 0
    for segment in segments:
        texts.setdefault(id(segment.account), []).append((row, segment))
        if len(segment.shared):
            prefixes.setdefault(id(segment.shared), []).append((row, segment))
        row += len(segment)
    column = np.zeros(top, np.int64)
    views = sorted((_view(text, column) for text in texts.values()), key=lambda v: v[2].shape)
    shared = [
        Block(_span(_rows(readers)), _span(readers[0][1].shared)) for readers in prefixes.values()
    ]
    return Plan([_own(views, dtype) for views in _alike(views)], shared)


View = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]
"""rows (t,), slots (k,) and visible (t, k) of one text."""


def _rows(segments: Iterable[tuple[int, Segment]]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(row, row + len(segment)) for row, segment in segments])


def _view(segments: list[tuple[int, Segment]], column: NDArray[np.int64]) -> View:
    """`column` is scratch, by slot."""
    rows = _rows(segments)
    slots = np.unique(
        np.concatenate(
            [part for _, segment in segments for part in (segment.before, segment.slots)]
        )
    )
    column[slots] = np.arange(len(slots))
    visible = np.zeros((len(rows), len(slots)), np.bool_)
    row = 0
    for _, segment in segments:
        segment.see(visible[row : (row := row + len(segment))], column)
    return rows, slots, visible


def _alike(views: list[View]) -> Iterator[list[View]]:
    """Neighbours together, as long as little of what is computed is padding."""
    some: list[View] = []
    real = wide = 0
    for view in views:
        long, size = view[2].shape[0], view[2].size
        wide_now = max(wide, view[2].shape[1])
        if some and (len(some) + 1) * long * wide_now > 1.5 * (real + size) + SPARE:
            yield some
            some, real, wide_now = [], 0, view[2].shape[1]
        some.append(view)
        real, wide = real + size, wide_now
    if some:
        yield some


def _own(views: list[View], dtype: torch.dtype) -> Block:
    t = max(len(rows) for rows, _, _ in views)
    k = max(len(slots) for _, slots, _ in views)
    rows = np.zeros((len(views), t), np.int64)
    slots = np.zeros((len(views), k), np.int64)
    hidden = np.ones((len(views), 1, t, k), np.bool_)
    real = np.zeros((len(views), t), np.bool_)
    for index, (own_rows, own_slots, visible) in enumerate(views):
        rows[index, : len(own_rows)] = own_rows
        slots[index, : len(own_slots)] = own_slots
        hidden[index, 0, : len(own_rows), : len(own_slots)] = ~visible
        real[index, : len(own_rows)] = True
    mask = torch.zeros(hidden.shape, dtype=dtype)
    mask.masked_fill_(torch.from_numpy(hidden), torch.finfo(dtype).min)
    padded = None if real.all() else torch.from_numpy(np.flatnonzero(real))
    return Block(_span(rows.ravel()), _span(slots.ravel()), len(views), mask, padded)


def _span(index: NDArray[np.int64]) -> Any:
    """A slice if the numbers follow one another, for it copies nothing."""
    first, last = int(index[0]), int(index[-1])
    if last - first + 1 == len(index) and (np.diff(index) == 1).all():
        return slice(first, last + 1)
    return torch.from_numpy(index)


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    *,
    plan: Plan,
    scaling: float | None = None,
    **other: Any,
) -> tuple[Any, None]:
    """(1, t, heads, size) of query (1, heads, t, size) over slots of key, value (1, h, s, size)."""
    if any(other.get(name) is not None for name in ALTERED):
        raise ModelError("its attention is not plain")
    query = query[0].transpose(0, 1)
    out = torch.empty_like(query)
    total = query.new_empty(query.shape[:2], dtype=torch.float32)
    for block in plan.own:
        part, weight = _compare(block, query, key[0], value[0], scaling)
        rows = block.rows
        if block.real is not None:
            part, weight, rows = part[block.real], weight[block.real], rows[block.real]
        out[rows], total[rows] = part, weight
    for block in plan.shared:
        part, weight = _compare(block, query, key[0], value[0], scaling)
        ratio = torch.sigmoid(weight - total[block.rows])[..., None].to(out.dtype)
        out[block.rows] = torch.lerp(out[block.rows], part, ratio)
    return out[None], None


def _compare(block: Block, query: Any, key: Any, value: Any, scale: float | None) -> Any:
    """(r * t, heads, size) averages of the values, (r * t, heads) logs of their summed weights.

    query: (all, heads, size); key, value: (h, slots, size).
    """
    keys, values = (
        kept[:, block.slots].unflatten(1, (block.texts, -1)).transpose(0, 1)
        for kept in (key, value)
    )
    queries = query[block.rows].unflatten(0, (block.texts, -1)).transpose(1, 2)
    part, weight = getattr(torch.ops.aten, KERNEL)(
        queries, keys, values, attn_mask=block.mask, scale=scale
    )
    return part.transpose(1, 2).flatten(0, 1), weight.transpose(1, 2).flatten(0, 1)
