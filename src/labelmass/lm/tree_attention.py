"""Rows of many answer trees in one pass: each token looks at its own ancestors and no others.

All tokens lie in one sequence. A token's position id gives its place in its text, its segment what
it attends to, so the tokens of many prompts and many branches share a pass. Keys and values stay in
slots until their record is closed; the tokens all prompts begin with are computed once. Attention
over the slots is computed elsewhere (`PrefixSplitAttention`, `MaskedAttention`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery, Usage, common_length
from labelmass.lm.next_token import read_next_tokens
from labelmass.lm.segments import NONE, Segment, cut
from labelmass.lm.slots import SlotPool

MAX_KEPT_PREFIXES = 4
"""Beginnings kept for prompts still to come: one for each kind of question."""

MIN_SHARED_TOKENS = 8
"""Tokens that prompts opened together must have in common to be computed together."""


@dataclass(slots=True)
class Prefix:
    """Ids that prompts have in common; slots: (n,) int64, empty until computed."""

    ids: list[int]
    slots: NDArray[np.int64] = field(default_factory=lambda: NONE)
    readers: int = 0


@dataclass(slots=True)
class Record:
    """An open prompt and what is kept of it.

    ids: the whole prompt: `shared` ids of `prefix`, those of `trunk`, then its own.
    prefix: what the prompts of a run begin with; trunk: what those opened together go on with.
    age: passes of the reader that had failed when it was opened.
    head: (shared,) int64, the slots of those of `prefix`, empty until computed.
    slots: (len(ids) - shared,) int64, of `trunk` and its own, empty until computed.
    slot_of: slot by node of the answer.
    line_of: by node, the slots from the answer's first token to the node's own.
    """

    ids: list[int]
    prefix: Prefix | None
    shared: int
    trunk: Prefix | None
    age: int
    head: NDArray[np.int64] = field(default_factory=lambda: NONE)
    slots: NDArray[np.int64] = field(default_factory=lambda: NONE)
    slot_of: dict[int, int] = field(default_factory=dict[int, int])
    line_of: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    usage: Usage = field(default_factory=Usage)

    @property
    def branch(self) -> int:
        """Index in `slots` of the first slot of the record's own."""
        return len(self.trunk.ids) if self.trunk is not None else 0


class Attention(Protocol):
    """Puts segments through a model that looks at slots."""

    def logits(
        self,
        segments: list[Segment],
        position: NDArray[np.int64],
        top: int,
        keep: NDArray[np.int64],
    ) -> Any:
        """(n, v) logits after the tokens at places `keep` (n,) of the segments in order.

        position: by slot, where its token stands in its text.
        top: slots that are in use end below it.
        """
        ...

    def clear(self) -> None:
        """Forget all keys and values: NaN among them would reach texts that do not look there."""
        ...


class TreeAttention:
    """Reads trees with keys and values in slots.

    pass_tokens: most tokens of one pass.
    max_slots: most tokens whose keys and values are kept at once; None for no limit.
    """

    name = "tree-attention"

    def __init__(
        self,
        attention: Attention,
        vocabulary: int,
        *,
        pass_tokens: int,
        max_slots: int | None = None,
    ) -> None:
        self._attention, self._vocabulary = attention, vocabulary
        self._pass_tokens = pass_tokens
        self._pool = SlotPool(max_slots)
        self._position = np.zeros(0, np.int64)
        self._kept: list[Prefix] = []
        self._failures = 0

    def open(self, prompts: Sequence[Sequence[int]], shared: int) -> list[Record]:
        """Records of prompts that have their first `shared` ids in common, perhaps more."""
        texts = [list(ids) for ids in prompts]
        prefix = self._prefix_for(texts[0][:shared]) if shared else None
        shared = min(shared, min(map(len, texts)) - 1)  # a prompt's last token is its own
        common = common_length([text[:-1] for text in texts]) if len(texts) > 1 else shared
        trunk = Prefix(texts[0][shared:common]) if common - shared >= MIN_SHARED_TOKENS else None
        for each in (prefix, trunk):
            if each is not None:
                each.readers += len(texts)
        return [Record(text, prefix, shared, trunk, self._failures) for text in texts]

    def close(self, record: Record) -> Usage:
        self._pool.give_back(record.slots[record.branch :])
        self._pool.give_back(np.fromiter(record.slot_of.values(), np.int64))
        for each in (record.prefix, record.trunk):
            if each is not None:
                each.readers -= 1
                self._forget(each)
        return record.usage

    def rows(self, queries: Sequence[tuple[Record, NodeQuery]]) -> list[NextTokenLogprobs]:
        """One row per query; a parent was queried before, or stands earlier in the list.

        After a pass that failed, records opened before it hold slots that were never written,
        and asking them again is a ModelError.
        """
        if any(record.age != self._failures for record, _ in queries):
            raise ModelError("an earlier pass of the model failed; open the records again")
        try:
            return self._rows(queries)
        except BaseException:
            self._failures += 1
            former, self._kept = self._kept, []
            for prefix in former:
                self._forget(prefix)
            self._attention.clear()
            raise

    def _rows(self, queries: Sequence[tuple[Record, NodeQuery]]) -> list[NextTokenLogprobs]:
        segments = self._segments(queries)
        total = sum(map(len, segments))
        passes = max(1, math.ceil(total / self._pass_tokens))
        wanted: dict[int, list[int]] = {}
        for index, (record, query) in enumerate(queries):
            wanted.setdefault(self._slot(record, query.node), []).append(index)
        rows: list[NextTokenLogprobs | None] = [None] * len(queries)
        for group in cut(segments, math.ceil(total / passes)):
            order, logits = self._pass(group, wanted)
            if order:
                read = read_next_tokens(logits, [queries[i][1] for i in order], self._vocabulary)
                for index, row in zip(order, read, strict=True):
                    rows[index] = row
        return [row for row in rows if row is not None]

    def _prefix_for(self, ids: list[int]) -> Prefix:
        """A prefix that begins with these ids, kept for the prompts to come.

        A longer one that is kept serves as well; the one longest unused goes.
        """
        kept = (prefix for prefix in self._kept if prefix.ids[: len(ids)] == ids)
        match = next(kept, Prefix(ids))
        self._kept = [match, *(prefix for prefix in self._kept if prefix is not match)]
        for former in self._kept[MAX_KEPT_PREFIXES:]:
            self._kept.remove(former)
            self._forget(former)
        return match

    def _forget(self, prefix: Prefix) -> None:
        """Free a prefix that no record reads and no `open` to come would ask for."""
        if prefix.readers == 0 and not any(prefix is kept for kept in self._kept):
            self._pool.give_back(prefix.slots)
            prefix.slots = NONE

    def _slot(self, record: Record, node: int) -> int:
        return int(record.slots[-1]) if node == PROMPT else record.slot_of[node]

    def _take(self, first_position: int, count: int) -> NDArray[np.int64]:
        slots = self._pool.take(count)
        if (top := self._pool.top) > len(self._position):
            more = np.zeros(max(top, 2 * len(self._position)) - len(self._position), np.int64)
            self._position = np.concatenate([self._position, more])
        self._position[slots] = first_position + np.arange(count)
        return slots

    def _segments(self, queries: Sequence[tuple[Record, NodeQuery]]) -> list[Segment]:
        """Segments of tokens to put through the model, ancestors first."""
        segments: list[Segment] = []
        fresh: set[int] = set()
        for record, query in queries:
            if not len(record.slots):
                segments += self._prompt(record)
                fresh.add(id(record))
            elif query.node == PROMPT and id(record) not in fresh:
                segments.append(self._again(record))
                fresh.add(id(record))
            if query.node != PROMPT:
                segments.append(self._node(record, query))
        return segments

    def _prompt(self, record: Record) -> list[Segment]:
        segments: list[Segment] = []
        usage, prefix, trunk = record.usage, record.prefix, record.trunk
        if prefix is not None:
            if not len(prefix.slots):
                prefix.slots = self._take(0, len(prefix.ids))
                segments.append(Segment(usage, prefix.ids, prefix.slots, 0, NONE, NONE))
            whole = record.shared == len(prefix.ids)
            record.head = prefix.slots if whole else prefix.slots[: record.shared]
        if trunk is not None and not len(trunk.slots):
            trunk.slots = self._take(record.shared, len(trunk.ids))
            segments.append(
                Segment(usage, trunk.ids, trunk.slots, record.shared, NONE, record.head)
            )
        above = trunk.slots if trunk is not None else NONE
        start = record.shared + record.branch
        own = self._take(start, len(record.ids) - start)
        record.slots = np.concatenate([above, own])
        segments.append(Segment(usage, record.ids[start:], own, start, above, record.head))
        usage.prompt_tokens += sum(map(len, segments))
        return segments

    def _again(self, record: Record) -> Segment:
        """The last token of a prompt that is kept, for its row."""
        record.usage.prompt_tokens += 1
        return Segment(
            record.usage,
            record.ids[-1:],
            record.slots[-1:],
            len(record.ids) - 1,
            record.slots[:-1],
            record.head,
        )

    def _node(self, record: Record, query: NodeQuery) -> Segment:
        above = record.line_of.get(query.parent, ())
        if query.node not in record.slot_of:
            slot = int(self._take(len(record.ids) + len(above), 1)[0])
            record.slot_of[query.node] = slot
            record.line_of[query.node] = (*above, slot)
        record.usage.tree_tokens += 1
        return Segment(
            record.usage,
            [query.token],
            np.array([record.slot_of[query.node]]),
            len(record.ids) + len(above),
            np.concatenate([record.slots, np.array(above, np.int64)]),
            record.head,
        )

    @torch.inference_mode()
    def _pass(self, segments: list[Segment], wanted: dict[int, list[int]]) -> tuple[list[int], Any]:
        """Put segments through the model; the asks they answer, in order, and their logits."""
        places = [slot for segment in segments for slot in segment.slots.tolist()]
        order: list[int] = []
        keep: list[int] = []
        for place, slot in enumerate(places):
            for index in wanted.get(slot, ()):
                order.append(index)
                keep.append(place)
        logits = self._attention.logits(
            segments, self._position, self._pool.top, np.array(keep or [len(places) - 1])
        )
        segments[0].account.forward_passes += 1
        return order, logits
