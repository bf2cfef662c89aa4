"""Rows of many answer trees in one pass: each token looks at its own ancestors and no others.

All tokens lie in one sequence. Where a token stands is told by its position id, and what it may
look at by its run, so the tokens of many prompts and many branches share a pass. Keys and values
stay in slots until their record is closed; the tokens all prompts begin with are computed once.
How attention over the slots is computed is another's concern (`Split`, `Masked`).
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
from labelmass.lm.base import PROMPT, Ask, Row, Usage
from labelmass.lm.reading import read_rows
from labelmass.lm.runs import NONE, Run, cut
from labelmass.lm.slots import SlotPool


@dataclass(slots=True)
class Prefix:
    """Leading ids that prompts have in common; slots: (n,) int64, empty until computed."""

    ids: list[int]
    slots: NDArray[np.int64] = field(default_factory=lambda: NONE)
    readers: int = 0


@dataclass(slots=True)
class Record:
    """An open prompt and what is kept of it.

    ids: the whole prompt.
    prefix, shared: the first `shared` ids are those of `prefix`; the others are its own.
    age: passes of the reader that had failed when it was opened.
    head: (shared,) int64, the slots of those of `prefix`, empty until computed.
    slots: (len(ids) - shared,) int64, empty until computed.
    slot_of: slot by node of the answer.
    line_of: by node, the slots from the answer's first token to the node's own.
    """

    ids: list[int]
    prefix: Prefix | None
    shared: int
    age: int
    head: NDArray[np.int64] = field(default_factory=lambda: NONE)
    slots: NDArray[np.int64] = field(default_factory=lambda: NONE)
    slot_of: dict[int, int] = field(default_factory=dict[int, int])
    line_of: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    usage: Usage = field(default_factory=Usage)


class Attention(Protocol):
    """Puts runs through a model that looks at slots."""

    def logits(
        self, runs: list[Run], position: NDArray[np.int64], top: int, keep: NDArray[np.int64]
    ) -> Any:
        """(n, v) logits after the tokens at places `keep` (n,) of the runs, one after another.

        position: by slot, where its token stands in its text.
        top: slots that are in use end below it.
        """
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
        self._prefix: Prefix | None = None
        self._failures = 0

    def open(self, ids: Sequence[int], shared: int) -> Record:
        ids = list(ids)
        prefix = self._prefix_for(ids[:shared]) if shared else None
        length = min(shared, len(ids) - 1) if prefix else 0
        if prefix is not None:
            prefix.readers += 1
        return Record(ids, prefix, length, self._failures)

    def close(self, record: Record) -> Usage:
        self._pool.give_back(record.slots)
        self._pool.give_back(np.fromiter(record.slot_of.values(), np.int64))
        if (prefix := record.prefix) is not None:
            prefix.readers -= 1
            self._forget(prefix)
        return record.usage

    def rows(self, asks: Sequence[tuple[Record, Ask]]) -> list[Row]:
        """One row per ask; a parent was asked before, or stands earlier among the asks.

        After a pass that failed, records opened before it hold slots that were never written,
        and asking them again is a ModelError.
        """
        if any(record.age != self._failures for record, _ in asks):
            raise ModelError("an earlier pass of the model failed; open the records again")
        try:
            return self._rows(asks)
        except BaseException:
            self._failures += 1
            self._prefix = None
            raise

    def _rows(self, asks: Sequence[tuple[Record, Ask]]) -> list[Row]:
        runs = self._runs(asks)
        total = sum(map(len, runs))
        passes = max(1, math.ceil(total / self._pass_tokens))
        wanted: dict[int, list[int]] = {}
        for index, (record, ask) in enumerate(asks):
            wanted.setdefault(self._slot(record, ask.node), []).append(index)
        rows: list[Row | None] = [None] * len(asks)
        for group in cut(runs, math.ceil(total / passes)):
            order, logits = self._pass(group, wanted)
            if order:
                read = read_rows(logits, [asks[i][1] for i in order], self._vocabulary)
                for index, row in zip(order, read, strict=True):
                    rows[index] = row
        return [row for row in rows if row is not None]

    def _prefix_for(self, ids: list[int]) -> Prefix:
        if self._prefix is None or self._prefix.ids != ids:
            former, self._prefix = self._prefix, Prefix(ids)
            if former is not None:
                self._forget(former)
        return self._prefix

    def _forget(self, prefix: Prefix) -> None:
        """Free a prefix that no record reads and the next `open` would not ask for."""
        if prefix.readers == 0 and prefix is not self._prefix:
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

    def _runs(self, asks: Sequence[tuple[Record, Ask]]) -> list[Run]:
        """What must go through the model, ancestors first."""
        runs: list[Run] = []
        fresh: set[int] = set()
        for record, ask in asks:
            if not len(record.slots):
                runs += self._prompt(record)
                fresh.add(id(record))
            elif ask.node == PROMPT and id(record) not in fresh:
                runs.append(self._again(record))
                fresh.add(id(record))
            if ask.node != PROMPT:
                runs.append(self._node(record, ask))
        return runs

    def _prompt(self, record: Record) -> list[Run]:
        runs: list[Run] = []
        prefix = record.prefix
        if prefix is not None and not len(prefix.slots):
            prefix.slots = self._take(0, len(prefix.ids))
            runs.append(Run(record.usage, prefix.ids, prefix.slots, 0, NONE, NONE))
            record.usage.prompt_tokens += len(prefix.ids)
        own = record.ids[record.shared :]
        if prefix is not None:
            whole = record.shared == len(prefix.ids)
            record.head = prefix.slots if whole else prefix.slots[: record.shared]
        record.slots = self._take(record.shared, len(own))
        runs.append(Run(record.usage, own, record.slots, record.shared, NONE, record.head))
        record.usage.prompt_tokens += len(own)
        return runs

    def _again(self, record: Record) -> Run:
        """The last token of a prompt that is kept, for its row."""
        record.usage.prompt_tokens += 1
        return Run(
            record.usage,
            record.ids[-1:],
            record.slots[-1:],
            len(record.ids) - 1,
            record.slots[:-1],
            record.head,
        )

    def _node(self, record: Record, ask: Ask) -> Run:
        above = record.line_of.get(ask.parent, ())
        if ask.node not in record.slot_of:
            slot = int(self._take(len(record.ids) + len(above), 1)[0])
            record.slot_of[ask.node] = slot
            record.line_of[ask.node] = (*above, slot)
        record.usage.tree_tokens += 1
        return Run(
            record.usage,
            [ask.token],
            np.array([record.slot_of[ask.node]]),
            len(record.ids) + len(above),
            np.concatenate([record.slots, np.array(above, np.int64)]),
            record.head,
        )

    @torch.inference_mode()
    def _pass(self, runs: list[Run], wanted: dict[int, list[int]]) -> tuple[list[int], Any]:
        """Put runs through the model; the asks they answer, in order, and their logits."""
        places = [slot for run in runs for slot in run.slots.tolist()]
        order: list[int] = []
        keep: list[int] = []
        for place, slot in enumerate(places):
            for index in wanted.get(slot, ()):
                order.append(index)
                keep.append(place)
        logits = self._attention.logits(
            runs, self._position, self._pool.top, np.array(keep or [len(places) - 1])
        )
        runs[0].account.forward_passes += 1
        return order, logits
