"""Input of the analyses, read from one tree: the greedy answer and its label steps.

Steps, p_r and Z_r are those of docs/formulas.md#label-steps; the order of labels is the
parser's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from labelmass._types import Floats
from labelmass.answers.steps import NextLabel
from labelmass.answers.tree import AnswerTree, Ending, Status
from labelmass.errors import MethodError

WIDE = 0.1
"""A step whose p_r is an interval wider than this is counted as wide."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A record's tree, its gold labels if they are known, and the labels as its prompt lists them.

    order: names of all labels. demonstrated: labels of each demonstration the prompt holds.
    """

    tree: AnswerTree
    gold: frozenset[str] | None
    order: tuple[str, ...]
    demonstrated: tuple[tuple[str, ...], ...] = ()


class Kind(StrEnum):
    """Outcome of a label step."""

    INTERMEDIATE = "intermediate"  # a label was written, and the answer went on
    LAST = "last"  # a label was written, and the answer ended
    EMPTY = "none"  # the empty answer was written
    LOST = "lost"  # the answer left the format, or was cut, before a label was written


@dataclass(frozen=True, slots=True, eq=False)
class LabelStep:
    """A label step of the greedy answer.

    number: r, from 1. label: index of the label written here, None where none was.
    p: (k + 1,) p_r of the labels and the empty answer, of what was found; None where the tree holds
        no label to come. width: of the widest of their intervals.
    non_label_mass: 1 - Z, at the middle of its interval.
    stop: P(the answer ends | it reached the boundary after the label), None where no row decides
        that. stop_width: of its interval.
    """

    number: int
    kind: Kind
    label: int | None
    p: Floats | None
    width: float
    non_label_mass: float
    stop: float | None = None
    stop_width: float = 0.0

    @property
    def ranked(self) -> Floats:
        """p from the largest down, and 0 where there is only one."""
        assert self.p is not None
        return np.append(np.sort(self.p)[::-1], 0.0)

    def second(self, left_out: frozenset[int] = frozenset()) -> int | None:
        """The likeliest label, or the empty answer, beside the one written here and those left out.

        That is the second-ranked where the one written is the top. The first of equals; None where
        nothing else has a probability.
        """
        assert self.p is not None
        others = self.p.copy()
        others[[*left_out, *([] if self.label is None else [self.label])]] = 0.0
        best = int(others.argmax())
        return best if others[best] > 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The greedy answer of one record.

    k: number of labels. written: label indices in order, repeats included. gold: label indices.
    order: label indices as the prompt lists them. alphabetical: label indices by name.
    demonstrated: for each demonstration, whether it has two labels or more.
    """

    k: int
    written: tuple[int, ...]
    empty: bool
    ending: Ending
    label_steps: tuple[LabelStep, ...]
    gold: frozenset[int] | None
    order: tuple[int, ...]
    alphabetical: tuple[int, ...]
    demonstrated: tuple[bool, ...]

    @property
    def complete(self) -> bool:
        """True if it is a whole on-format answer."""
        return self.ending is Ending.COMPLETE

    @property
    def labels(self) -> tuple[int, ...]:
        """Distinct labels in the order they are first written."""
        return tuple(dict.fromkeys(self.written))

    def before(self, label_step: LabelStep) -> frozenset[int]:
        """Labels written before a step."""
        return frozenset(self.written[: label_step.number - 1])

    def following(self, label_step: LabelStep) -> int | None:
        """The label written after the one of a step."""
        return self.written[label_step.number] if label_step.number < len(self.written) else None

    def label_step(self, number: int) -> LabelStep | None:
        """Step r; None where the answer has none, or one token wrote two labels."""
        return next(
            (label_step for label_step in self.label_steps if label_step.number == number), None
        )


def read_answer(item: Item) -> Answer:
    """The greedy answer of a tree; MethodError if its label tries were not grown."""
    tree = item.tree
    if tree.label_tries is not None:
        raise MethodError(
            "these trees were grown without the label tries of every step; score again with "
            "--keep-trees, or compare without --method"
        )
    k = len(tree.labels)
    index = {name: at for at, name in enumerate(tree.labels)}
    outputs = [out for node in tree.greedy for out in tree.outputs[node] if out <= k]
    ending = Ending(tree.greedy_end)
    return Answer(
        k,
        tuple(out for out in outputs if out < k),
        tree.empty in outputs,
        ending,
        tuple(_label_steps(tree, outputs, ending)),
        None if item.gold is None else frozenset(index[name] for name in item.gold),
        tuple(index[name] for name in item.order),
        tuple(index[name] for name in sorted(tree.labels, key=str.casefold)),
        tuple(len(set(labels)) > 1 for labels in item.demonstrated),
    )


def _label_steps(tree: AnswerTree, outputs: list[int], ending: Ending) -> list[LabelStep]:
    ways, boundary = NextLabel(tree), Boundary(tree)
    count, begun = 0, dict[int, int]()  # labels and the empty answer written up to each greedy node
    for node in tree.greedy:
        count += sum(out <= tree.empty for out in tree.outputs[node])
        begun[node] = count
    starts = list(tree.steps)
    if ending is Ending.COMPLETE and begun[starts[-1]] == len(outputs):
        starts.pop()  # what looked like a separator was the beginning of the end
    label_steps: list[LabelStep] = []
    for start in starts:
        at = begun[start]
        written = outputs[at] if at < len(outputs) else None
        if written is None:
            kind = Kind.LOST
        elif written == tree.empty:
            kind = Kind.EMPTY
        else:
            more = at + 1 < len(outputs) or start != starts[-1]
            kind = Kind.INTERMEDIATE if more else Kind.LAST
        label = None if kind is Kind.EMPTY else written
        after = ways.after(start)
        shares, found, left = after.shares(), float(after.mass.sum()), after.unknown
        stop = None if label is None else boundary.stop(start, label)
        label_steps.append(
            LabelStep(
                at + 1,
                kind,
                label,
                shares.p if found > 0 else None,
                float((shares.high - shares.low).max()),
                max(1.0 - found - left / 2, 0.0),
                *(stop or (None, 0.0)),
            )
        )
    return label_steps


class Boundary:
    """P(stop): at the boundary after a label, what ends the answer against what goes on."""

    def __init__(self, tree: AnswerTree) -> None:
        self._tree, self._children = tree, tree.children()

    def stop(self, start: int, label: int) -> tuple[float, float] | None:
        """(P(stop), width of its interval) where the greedy path writes `label` from a step.

        Read from the row whose token reaches the boundary; what is open there counts half.
        """
        tree = self._tree
        after = tree.greedy[tree.greedy.index(start) + 1 :]
        node = next(tree.parent[n] for n in after if self._labels(n))
        ends = goes_on = left = 0.0
        todo = [(node, 1.0)]
        while todo:
            node, mass = todo.pop()
            left += mass * tree.tail.get(node, 0.0)
            for child in self._children.get(node, ()):
                share = mass * math.exp(tree.logp[child])
                result = self._labels(child)
                if result[:1] == [label]:
                    ending = 0.0 if len(result) > 1 else self._ends(child)
                    ends, goes_on = ends + share * ending, goes_on + share * (1 - ending)
                elif not result and tree.status[child] == Status.EXPANDED:
                    todo.append((child, share))
                elif not result:
                    left += share
        total = ends + goes_on + left
        return ((ends + left / 2) / total, left / total) if total > 0 else None

    def _ends(self, node: int) -> float:
        """P(no other label follows | node), as far as was looked."""
        tree = self._tree
        if tree.written[node] >> tree.unreadable & 1:
            return 0.0  # it goes on, if not with a label
        if tree.status[node] == Status.ENDED or not tree.reachable[node] & ((1 << tree.empty) - 1):
            return 1.0
        return sum(
            math.exp(tree.logp[child]) * self._ends(child)
            for child in self._children.get(node, ())
            if not self._labels(child)
        )

    def _labels(self, node: int) -> list[int]:
        return [out for out in self._tree.outputs[node] if out <= self._tree.empty]
