"""Label steps: the places on the greedy path where a label starts, and what may start there.

At a step, every label and `none` has a probability: that its text, from the previous boundary
through its own, is written next, over all tokenisations. Source: METHODS, notation S_r(l), p_r(l).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.tree import AnswerTree, Status
from labelmass.errors import MethodError


@dataclass(frozen=True, slots=True)
class Step:
    """One label step.

    node: where it starts. label: the output written there on the greedy path, None if the path
        ended first.
    low: (k + 1,) probability found, given the prefix, that each label or `none` (last) comes next.
    open: probability not looked at, which may be any of them.
    """

    node: int
    label: int | None
    low: NDArray[np.float64]
    open: float

    @property
    def hidden(self) -> float:
        """1 - Z: probability, given the prefix, that no label comes next (an upper bound)."""
        return max(1.0 - float(self.low.sum()), 0.0)

    def restricted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(k + 1,) low and high of the label-restricted softmax p_r; [0, 1] if nothing is found."""
        total = float(self.low.sum())
        if total + self.open <= 0:
            return np.zeros_like(self.low), np.ones_like(self.low)
        low = self.low / (total + self.open)
        with np.errstate(invalid="ignore", divide="ignore"):
            high = (self.low + self.open) / (total + self.open)
        return low, np.minimum(high, 1.0)


def label_steps(tree: AnswerTree, most: int | None = None) -> list[Step]:
    """The steps of the greedy path in order; `most` for the first few only."""
    children = tree.children()
    return [_read(tree, children, node) for node in tree.steps[:most]]


def _read(tree: AnswerTree, children: dict[int, list[int]], start: int) -> Step:
    count = len(tree.labels) + 1
    found = np.zeros(count)
    left = 0.0
    if tree.status[start] == Status.FRONTIER:
        return Step(start, None, found, 1.0)
    todo = [(start, 0.0)]
    while todo:
        node, log_mass = todo.pop()
        left += tree.tail.get(node, 0.0) * float(np.exp(log_mass))
        for child in children.get(node, ()):
            mass = log_mass + tree.logp[child]
            output = _first(tree, child, count)
            if output is not None:
                found[output] += np.exp(mass)
            elif tree.status[child] == Status.EXPANDED:
                todo.append((child, mass))
            elif tree.status[child] == Status.FRONTIER:
                left += float(np.exp(mass))
    return Step(start, _next_label(tree, start), found, left)


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


def require_tries(tree: AnswerTree, steps: int | None, method: str) -> None:
    """MethodError if the label tries that a step-wise method reads were not expanded."""
    if tree.tries is None or (steps is not None and tree.tries >= steps):
        return
    raise MethodError(
        f"{method}: this tree was grown without the label tries it reads; score again with "
        f"--method {method}"
    )
