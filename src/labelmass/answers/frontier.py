"""Tokens without a row, heaviest first; none becomes a node before its turn."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from labelmass.answers.tree import Status
from labelmass.answers.tree_builder import TreeBuilder


class Frontier:
    """The tokens after some expanded nodes, one of each node's at a time in line.

    Order: largest mass first, ties by token id, then by parent.
    wants: whether a node, or the aggregate a token stands in, is worth a row; what once was not is
        not asked about again. scale: by parent, from the probability of its tokens to their mass.
    """

    def __init__(
        self, builder: TreeBuilder, wants: Callable[[int], bool], scale: Callable[[int], float]
    ) -> None:
        self._builder, self._wants, self._scale = builder, wants, scale
        self._heap: list[tuple[float, int, int]] = []  # -mass, token, parent
        self._rank: dict[int, int] = {}  # by parent, of the token in line

    def offer(self, parent: int) -> None:
        """Put the likeliest token after `parent` that is wanted and has no row yet in line."""
        builder, siblings = self._builder, self._builder.siblings[parent]
        if builder.depth[parent] + 1 >= builder.deepest:
            return
        rank = self._rank.get(parent, 0)
        while rank < len(siblings.order):
            index = int(siblings.order[rank])
            token = int(siblings.transitions.ids[index])
            child = builder.child(parent, token)
            aggregate = siblings.aggregate_of(index) if child is None else child
            if aggregate < 0:
                break  # the rest have no probability
            if builder.tree.status[aggregate] == Status.FRONTIER and self._wants(aggregate):
                p = siblings.probs[index] if child is None else math.exp(builder.tree.logp[child])
                heapq.heappush(self._heap, (-self._scale(parent) * float(p), token, parent))
                break
            rank += 1
        self._rank[parent] = rank

    @property
    def heaviest(self) -> float:
        """Mass of the first in line; 0 where there is none."""
        builder = self._builder
        while self._heap and -self._heap[0][0] > 0:
            mass, token, parent = self._heap[0]
            child = builder.child(parent, token)
            aggregate = self._aggregate(parent) if child is None else child
            if builder.tree.status[aggregate] == Status.FRONTIER and self._wants(aggregate):
                return -mass
            self._step_on()
        return 0.0

    def pop(self) -> int:
        """The first in line, as a node."""
        _, _, parent = self._heap[0]
        siblings = self._builder.siblings[parent]
        node = self._builder.node_of(parent, int(siblings.order[self._rank[parent]]))
        self._step_on()
        return node

    def _step_on(self) -> None:
        """Let the next sibling of the first in line take its place."""
        _, _, parent = heapq.heappop(self._heap)
        self._rank[parent] += 1
        self.offer(parent)

    def _aggregate(self, parent: int) -> int:
        siblings = self._builder.siblings[parent]
        return siblings.aggregate_of(int(siblings.order[self._rank[parent]]))
