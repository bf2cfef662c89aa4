"""The branches of an answer tree that are worth drawing, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labelmass.answers.marginals import Marginals
from labelmass.answers.steps import label_steps
from labelmass.answers.tree import AGGREGATE, EXITED, ROOT, AnswerTree, Normalisation, Status

MIN_MASS = 0.01
"""The smallest mass that is drawn beside the greedy path."""
MAX_LABELS = 6
"""Labels shown of a step."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A run of tokens without a fork worth drawing, and what may follow.

    mass: P(the answer begins so). writes: labels, the empty answer or a verdict, that the last
    token settles.
    end: the answer is complete. open: its row was not read. exit: the text with which the greedy
    path leaves the format here. off: mass that leaves the format here; unreadable: the same behind
    a risk verdict. omitted, lighter: mass of, and number of, ways not drawn.
    """

    text: str
    mass: float
    greedy: bool
    writes: tuple[str, ...]
    end: bool
    open: bool
    exit: str | None
    off: float
    unreadable: float
    omitted: float
    lighter: int
    below: tuple[Branch, ...]


def branches(marginals: Marginals, min_mass: float = MIN_MASS) -> Branch:
    """The branches from the prompt, which is the root and has no text."""
    return _TreeDrawing(marginals, min_mass).branch(ROOT, b"")


class _TreeDrawing:
    def __init__(self, marginals: Marginals, min_mass: float) -> None:
        self._tree, self._min_mass = marginals.tree, min_mass
        self._mass, self._children = marginals.mass, marginals.tree.children()
        self._greedy = set(marginals.tree.greedy)
        self._masked = marginals.normalisation is Normalisation.MASKED

    def branch(self, node: int, text: bytes) -> Branch:
        tree, mass = self._tree, self._mass
        heavy = list(self._heavy(node))
        below = [self.branch(*self._run(child)) for child in heavy]
        others = [child for child in self._children.get(node, ()) if child not in heavy]
        light = [child for child in others if tree.token[child] != EXITED]
        off = 0.0 if self._masked else float(mass[node] * tree.off.get(node, 0.0))
        unreadable = sum(float(mass[child]) for child in others if tree.token[child] == EXITED)
        last = bool(tree.greedy) and node == tree.greedy_last
        left = last and tree.greedy_exit is not None
        return Branch(
            text.decode(errors="replace"),
            float(mass[node]),
            node in self._greedy,
            tuple(tree.name(output) for output in tree.outputs[node]),
            tree.status[node] == Status.ENDED,
            tree.status[node] == Status.FRONTIER,
            _text(tree, tree.greedy_exit).decode(errors="replace") if left else None,
            off if off >= self._min_mass else 0.0,
            unreadable if unreadable >= self._min_mass else 0.0,
            float(mass[light].sum()),
            len(light),
            tuple(below),
        )

    def _heavy(self, node: int) -> Iterator[int]:
        for child in self._children.get(node, ()):
            worth = self._mass[child] >= self._min_mass or child in self._greedy
            if worth and self._tree.token[child] not in (AGGREGATE, EXITED):
                yield child

    def _run(self, node: int) -> tuple[int, bytes]:
        """The last node of the run that begins here, and its text."""
        text = _text(self._tree, self._tree.token[node])
        while not self._tree.outputs[node]:
            heavy = list(self._heavy(node))
            if len(heavy) != 1 or self._mass[node] - self._mass[heavy[0]] >= self._min_mass:
                break
            node = heavy[0]
            text += _text(self._tree, self._tree.token[node])
        return node, text


@dataclass(frozen=True, slots=True)
class StepShares:
    """A label step: what stands before it, what is written, and the likeliest to come next.

    label_mass: probability that a label, or the empty answer, comes next. shares: (name, p, low,
        high) of p_r.
    """

    before: str
    written: str | None
    label_mass: float
    shares: tuple[tuple[str, float, float, float], ...]


def step_shares(tree: AnswerTree) -> list[StepShares]:
    """The label steps of the greedy path."""
    names = [*tree.labels, "empty answer"]
    results: list[StepShares] = []
    for step in label_steps(tree):
        p, low, high = step.next.shares()
        order = np.argsort(-np.nan_to_num(p), kind="stable")[:MAX_LABELS].tolist()
        results.append(
            StepShares(
                tree.text(step.node).decode(errors="replace"),
                None if step.label is None else names[step.label],
                float(step.next.mass.sum()),
                tuple((names[i], float(p[i]), float(low[i]), float(high[i])) for i in order),
            )
        )
    return results


def _text(tree: AnswerTree, token: int | None) -> bytes:
    return tree.texts.get(-1 if token is None else token, b"")
