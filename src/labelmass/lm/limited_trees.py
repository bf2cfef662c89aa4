"""Trees up to a length, full passes beyond it: for models that read longer sequences otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelmass.lm import full_forward, tree_attention
from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery, Usage
from labelmass.lm.full_forward import FullForward
from labelmass.lm.tree_attention import TreeAttention


@dataclass(slots=True)
class Record:
    """tree: None if the prompt is too long for it; full: knows the path to every node."""

    tree: tree_attention.Record | None
    full: full_forward.Record


class LimitedTrees:
    """Reads sequences of at most `limit` tokens by tree; no pass of it sees a later position."""

    name = "tree-attention+full-forward"

    def __init__(self, limit: int, tree: TreeAttention, full: FullForward) -> None:
        self._limit, self._tree, self._full = limit, tree, full

    def open(self, prompts: Sequence[Sequence[int]], shared: int) -> list[Record]:
        """As `TreeAttention.open`."""
        records = [Record(None, full) for full in self._full.open(prompts, shared)]
        short = [place for place, ids in enumerate(prompts) if len(ids) <= self._limit]
        if short:
            trees = self._tree.open([prompts[place] for place in short], shared)
            for place, tree in zip(short, trees, strict=True):
                records[place].tree = tree
        return records

    def close(self, record: Record) -> Usage:
        usage = self._full.close(record.full)
        if record.tree is not None:
            usage += self._tree.close(record.tree)
        return usage

    def rows(self, queries: Sequence[tuple[Record, NodeQuery]]) -> list[NextTokenLogprobs]:
        """One row per query; a parent was queried before, or stands earlier in the list."""
        short: list[tuple[tree_attention.Record, NodeQuery]] = []
        long: list[tuple[full_forward.Record, NodeQuery]] = []
        by_tree: list[bool] = []
        for record, query in queries:
            full = record.full
            if query.node != PROMPT:
                full.paths[query.node] = (*full.paths[query.parent], query.token)
            length = len(full.ids) + len(full.paths[query.node])
            if record.tree is not None and length <= self._limit:
                short.append((record.tree, query))
            else:
                long.append((full, query))
            by_tree.append(length <= self._limit)
        quick = iter(self._tree.rows(short) if short else ())
        slow = iter(self._full.rows(long) if long else ())
        return [next(quick if tree else slow) for tree in by_tree]
