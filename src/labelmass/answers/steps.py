"""Label steps: the places on the greedy path where a label starts, and what may start there.

At a step, every label and the empty answer has a probability that its text, from the previous
boundary through its own, is written next, over all tokenisations. Of these probabilities a part is
found and a part is still open; the shares of the labels and their intervals follow from both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats, Normalisation
from labelmass.answers.tree import AnswerTree, Ending, Status
from labelmass.errors import MethodError


class Interval(NamedTuple):
    """(k + 1,) a number for each label and the empty answer (last), and its bounds.

    p is NaN, and the bounds are 0 and 1, where nothing was found to give a share of.
    """

    p: Floats
    low: Floats
    high: Floats


@dataclass(slots=True)
class NextOutput:
    """Distribution over the next label, or the empty answer, after a node.

    mass: (k + 1,) probability, given the node, found that each label, or the empty answer (last),
        is written next.
    open: probability, given the node, that was not looked at, by the bit set of what may be written
        next there.
    """

    mass: Floats
    open: dict[int, float] = field(default_factory=dict)

    @property
    def unknown(self) -> float:
        """All that was not looked at."""
        return sum(self.open.values())

    def put(self, upcoming: int, p: float) -> None:
        """Count as open (below zero: as open no more)."""
        self.open[upcoming] = self.open.get(upcoming, 0.0) + p

    def reachable(self, among: int) -> tuple[Floats, Floats]:
        """(k + 1,) open probability from which each can come next, and from which another can.

        among: the outputs that count, as a bit set.
        """
        own, other = np.zeros_like(self.mass), np.zeros_like(self.mass)
        for upcoming, p in self.open.items():
            can = members(upcoming & among, len(own))
            own[can] += p
            other[~can if can.sum() == 1 else slice(None)] += p if can.any() else 0.0
        return np.maximum(own, 0.0), np.maximum(other, 0.0)

    def shares(self, among: int | None = None) -> Interval:
        """The label-restricted softmax p_r: of what comes next, each label's share.

        p is that of what was found; it sums to one. low: all that is open, and can be something
        else, is; high: all that is open, and can be the label, is.
        among: the outputs that count, as a bit set; None for all.
        """
        counted = (1 << len(self.mass)) - 1 if among is None else among
        result = np.where(members(counted, len(self.mass)), self.mass, 0.0)
        own, other = self.reachable(counted)
        total = float(result.sum())
        if total <= 0:
            return _nothing(result)
        return Interval(
            result / total,
            result / (total + other),
            np.minimum((result + own) / (total + own), 1.0),
        )

    def against_empty(self) -> Interval:
        """Each label's share of itself and the empty answer alone; the last entry is of no use."""
        own, _ = self.reachable((1 << len(self.mass)) - 1)
        label, empty, may = self.mass, float(self.mass[-1]), float(own[-1])
        known = label + empty > 0
        nothing = _nothing(label)
        with np.errstate(invalid="ignore", divide="ignore"):
            return Interval(
                np.where(known, label / (label + empty), nothing.p),
                np.where(known, label / (label + empty + may), nothing.low),
                np.where(known, (label + own) / (label + own + empty), nothing.high),
            )


@lru_cache(maxsize=4096)
def members(bits: int, count: int) -> NDArray[np.bool_]:
    """(count,) whether each output is in a bit set."""
    return np.array([bool(bits >> out & 1) for out in range(count)], dtype=np.bool_)


def _nothing(like: Floats) -> Interval:
    return Interval(np.full_like(like, np.nan), np.zeros_like(like), np.ones_like(like))


@dataclass(frozen=True, slots=True)
class Step:
    """One label step.

    node: where it starts. label: the output written there on the greedy path, None if the path
        ended first. next: what comes next there.
    """

    node: int
    label: int | None
    next: NextOutput

    @property
    def non_label_mass(self) -> float:
        """1 - Z: probability, given the prefix, that no label comes next (an upper bound)."""
        return max(1.0 - float(self.next.mass.sum()), 0.0)


def label_steps(tree: AnswerTree, most: int | None = None) -> list[Step]:
    """The steps of the greedy path in order; `most` for the first few only."""
    ways = NextLabel(tree)
    return [Step(node, _next_label(tree, node), ways.after(node)) for node in tree.steps[:most]]


def is_idle(tree: AnswerTree, node: int) -> bool:
    """True if a label could start at a node of the greedy path, and the answer ended instead.

    Behind blanks or a line break, say: no label is generated there. Never so of the first step.
    """
    ended = tree.greedy_end in (Ending.COMPLETE, Ending.CUT)
    return node != tree.steps[0] and ended and _next_label(tree, node) is None


class NextLabel:
    """Distribution of the label, or the empty answer, that comes next after a node of a tree.

    normalisation: raw, or masked. every: where one token writes several labels, all of them come
    next; otherwise the first does. reads: whether a node below, of which its raw probability given
    the first node is given too, counts as read; None for all that were.
    """

    def __init__(
        self,
        tree: AnswerTree,
        normalisation: Normalisation = Normalisation.RAW,
        *,
        every: bool = False,
        reads: Callable[[int, float], bool] | None = None,
    ) -> None:
        self._tree, self._children, self._every = tree, tree.children(), every
        self._reads = reads
        self._raw = np.array(tree.logp, dtype=np.float64)
        self._logp, self._tail = self._raw, dict(tree.tail)
        if normalisation is Normalisation.MASKED:
            mass = tree.log_mass(normalisation)
            above = np.array(tree.parent)
            reached = (self._raw > -np.inf) & (mass[above] > -np.inf)
            there = np.flatnonzero(reached[1:]) + 1
            self._logp = self._raw.copy()
            self._logp[there] = mass[there] - mass[above[there]]
            allowed = tree.allowed()
            self._tail = {n: t / float(allowed[n]) for n, t in tree.tail.items() if t > 0}
        self._known: dict[int, NextOutput] = {}
        self._below: dict[int, set[int]] = {}

    def after(self, node: int) -> NextOutput:
        """Distribution over the next label after a node."""
        if node not in self._known:
            self._known[node], self._below[node] = self._read(node)
        return self._known[node]

    def read_below(self, node: int) -> set[int]:
        """The nodes of which `after` took the rows, with nothing written since `node`."""
        self.after(node)
        return self._below[node]

    def _read(self, start: int) -> tuple[NextOutput, set[int]]:
        tree = self._tree
        count = len(tree.labels) + 1
        result = NextOutput(np.zeros(count))
        read = set[int]()
        if tree.status[start] == Status.FRONTIER:
            result.put(_upcoming(tree, start), 1.0)
            return result, read
        todo = [(start, 0.0, 0.0)]
        while todo:
            node, log_mass, log_raw = todo.pop()
            read.add(node)
            if tail := self._tail.get(node, 0.0):
                result.put(_upcoming(tree, node), tail * float(np.exp(log_mass)))
            for child in self._children.get(node, ()):
                mass, raw = log_mass + self._logp[child], log_raw + self._raw[child]
                outputs = [out for out in tree.outputs[child] if out < count]
                if outputs:
                    result.mass[outputs if self._every else outputs[:1]] += np.exp(mass)
                elif tree.status[child] == Status.ENDED:
                    continue
                elif tree.status[child] == Status.EXPANDED and (
                    self._reads is None or self._reads(child, float(np.exp(raw)))
                ):
                    todo.append((child, mass, raw))
                elif mass > -np.inf:
                    result.put(_upcoming(tree, child), float(np.exp(mass)))
        return result, read


def _upcoming(tree: AnswerTree, node: int) -> int:
    """Outputs that may be written next after a node, or a superset where they were not noted."""
    return tree.upcoming.get(node, tree.reachable[node]) & ((2 << tree.empty) - 1)


def _first(tree: AnswerTree, node: int, count: int) -> int | None:
    return next((out for out in tree.outputs[node] if out < count), None)


def _next_label(tree: AnswerTree, start: int) -> int | None:
    count = len(tree.labels) + 1
    if start not in tree.greedy:
        return None
    for node in tree.greedy[tree.greedy.index(start) + 1 :]:
        if (output := _first(tree, node, count)) is not None:
            return output
    return None


def more_steps(tree: AnswerTree) -> bool:
    """True if a budget cut the greedy path where further labels could have followed."""
    last = tree.greedy[-1]
    return tree.greedy_end == Ending.CUT and bool(tree.reachable[last] & ((1 << tree.empty) - 1))


def require_label_tries(tree: AnswerTree, steps: int | None, method: str) -> None:
    """MethodError if the label tries that a step-wise method reads were not expanded."""
    if tree.label_tries is None or (steps is not None and tree.label_tries >= steps):
        return
    raise MethodError(
        f"{method}: this tree was grown without the label tries it reads; score again with "
        f"--method {method}"
    )
