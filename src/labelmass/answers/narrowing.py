"""Best-first exploration of one label step, until the shares of its labels are narrow."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats
from labelmass.answers.frontier import Frontier
from labelmass.answers.steps import Interval, NextOutput, members
from labelmass.answers.tree import Status
from labelmass.answers.tree_builder import TreeBuilder

ROUNDING = 1e-12
"""Excess of an interval over its limit that is put down to arithmetic."""


class StepSearch:
    """Narrows the bounds on what comes next after a node, as the rows below it are read.

    Below it means: with no label, and no empty answer, written since.
    limits: from numbers to the widest intervals they may have. among: the outputs whose shares are
    narrowed, as a bit set; 0 for none. contrast: also narrow each label against the empty answer.
    most: rows that are read for it at most, None for no such limit: where labels have next to
    nothing of what comes next, their shares among themselves would take all there are.
    """

    def __init__(
        self,
        builder: TreeBuilder,
        node: int,
        limits: Callable[[Floats], Floats],
        *,
        among: int,
        contrast: bool = False,
        most: int | None = None,
    ) -> None:
        self._most = most
        self.node, self._builder, self._limits = node, builder, limits
        self._among, self._contrast = among, contrast
        self._next = NextOutput(np.zeros(len(builder.tree.labels) + 1))
        self._fixed: dict[int, float] = {}  # of what is open, what no row can change
        self._cut = self._untold = 0.0  # of that, by the depth and by the engine
        self._mass: dict[int, float] = {}  # by node that was read, given the step
        self._relevant = (2 << builder.tree.empty) - 1
        self._frontier = Frontier(builder, self._wants, self._mass.__getitem__)
        builder.tree.upcoming[node] = builder.upcoming(node)
        self._next.put(builder.tree.upcoming[node], 1.0)
        if builder.too_deep(node):
            self._fix(node, 1.0)
        todo = [node]
        while todo:  # what was read before the greedy path came here
            at = todo.pop()
            if builder.tree.status[at] == Status.EXPANDED:
                self.read(at)
                todo += [child for child in builder.children[at] if self.holds(child)]

    def holds(self, node: int) -> bool:
        """True if a node lies below the step, and its parent was read."""
        tree = self._builder.tree
        return tree.parent[node] in self._mass and not tree.writes_label(node)

    def read(self, node: int) -> None:
        """Book a row that was read, of the step's node or of one that it holds."""
        builder, tree, parent = self._builder, self._builder.tree, self._builder.tree.parent[node]
        mass = 1.0 if node == self.node else self._mass[parent] * math.exp(tree.logp[node])
        self._mass[node] = mass
        self._next.put(tree.upcoming[node], -mass)
        builder.note_upcoming(node)
        for child in builder.children[node]:
            p = mass * math.exp(tree.logp[child])
            if (out := builder.grammar.upcoming.first(tree.outputs[child])) is not None:
                self._next.mass[out] += p
            elif p > 0 and tree.status[child] != Status.ENDED:
                self._next.put(tree.upcoming[child], p)
                if builder.too_deep(child):
                    self._fix(child, p)
        if tail := mass * tree.tail[node]:
            self._next.put(tree.upcoming[node], tail)
            self._fix(node, tail)
        if self._relevant:
            self._frontier.offer(node)

    def _fix(self, node: int, p: float) -> None:
        upcoming = self._builder.tree.upcoming[node]
        self._fixed[upcoming] = self._fixed.get(upcoming, 0.0) + p
        if self._builder.tree.status[node] == Status.EXPANDED:
            self._untold += p
        else:
            self._cut += p

    def _wants(self, node: int) -> bool:
        tree = self._builder.tree
        return bool(tree.upcoming.get(node, 0) & self._relevant) and not tree.writes_label(node)

    # -- choosing -------------------------------------------------------------------------------

    @property
    def narrow(self) -> bool:
        """True if no interval is wider than its limit."""
        return not self._relevant or not self._find_wide()[0]

    def _find_wide(self) -> tuple[int, float]:
        """Outputs whose probability would narrow a wide interval, and the open mass it can bear."""
        if self._among:
            shares = self._next.shares(self._among)
            limits, wide = self._wide(shares)
            if wide.any():
                limit, mass = float(limits.min()), self._next.mass
                total = float(mass[members(self._among, len(mass))].sum())
                return self._among, limit * total / max(1 - limit, limit)
        if self._contrast:
            against = self._next.against_empty()
            limits, wide = self._wide(against)
            wide[-1] = False
            if wide.any():
                pairs = self._next.mass + self._next.mass[-1]
                labels = sum(1 << out for out in np.flatnonzero(wide).tolist())
                return labels | 1 << len(wide) - 1, float((limits * pairs)[wide].min())
        return 0, 0.0

    def _wide(self, interval: Interval) -> tuple[Floats, NDArray[np.bool_]]:
        p, low, high = interval
        limits = self._limits(np.nan_to_num(p))
        own, other = self._next.reachable((2 << len(p) - 1) - 1)
        return limits, (high - low > limits + ROUNDING) & (own + other > 0)

    def best(self, forced: Collection[int]) -> list[int]:
        """Nodes, besides those forced, that best-first search would surely read next.

        Empty where the step is narrow, or as narrow as it can be: what no row can change is then
        most of what is open.
        """
        if not self._relevant or self._builder.tree.status[self.node] == Status.FRONTIER:
            return []  # narrow once, narrow for good
        self._relevant, allowance = self._find_wide()
        room = None if self._most is None else self._most - len(self._mass)
        if room is not None and room <= 0:
            self._relevant = 0
        if not self._relevant:
            return []
        pending = sum(self._pending(node) for node in forced)
        fixed = _of(self._fixed, self._relevant)
        left = _of(self._next.open, self._relevant) - fixed - pending
        spare = max(allowance - fixed, fixed / 10)
        top = self._frontier.heaviest
        heavy = max(min(allowance, top / 10), top / 100)
        chosen: list[int] = []
        while left > spare and (mass := self._frontier.heaviest) > 0 and mass >= heavy:
            node = self._frontier.pop()
            if node not in forced:
                left -= mass
                chosen.append(node)
        return chosen[:room]

    def _pending(self, node: int) -> float:
        """Mass of a node that is about to be read, if it is below the step and relevant."""
        tree = self._builder.tree
        if not self.holds(node) or tree.status[node] != Status.FRONTIER or not self._wants(node):
            return 0.0
        return self._mass[tree.parent[node]] * math.exp(tree.logp[node])

    @property
    def stopped(self) -> str:
        """Reason the exploration ended short of the limits, other than rows and time, or ""."""
        if self.narrow or not self._cut + self._untold:
            return ""
        return "depth" if self._cut > self._untold else "engine"


def _of(masses: dict[int, float], relevant: int) -> float:
    return max(sum(p for upcoming, p in masses.items() if upcoming & relevant), 0.0)
