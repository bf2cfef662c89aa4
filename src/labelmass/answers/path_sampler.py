"""Answers drawn at random along a tree: from the prompt, or from what a search left open.

The row of a node is read once however many paths pass it, so that equal beginnings cost nothing.
Formulas: docs/formulas.md#sampling.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from labelmass._types import Normalisation
from labelmass.answers.tree import AGGREGATE, ROOT, SampledPath, SampledPaths, Status, Termination
from labelmass.answers.tree_builder import TreeBuilder

MIN_WEIGHT = 2e-3
"""Probability, given a step, from which a way to a next label is always read for compensators.

The usual spelling of each label is read, too. The rows read thus depend on the step alone, not on
the paths.
"""


class Sampler:
    """Draws paths through a tree that grows as they need rows.

    Masked trees are drawn from as constrained decoding would, others as the model generates.

    builder: the tree. entropy: numbers that seed the draws; those at a node depend on them and on
    the node's tokens alone, not on what else the tree holds.
    next_labels: also read the distribution of the next label at every step of every path.
    """

    def __init__(self, builder: TreeBuilder, entropy: Sequence[int], *, next_labels: bool) -> None:
        self._builder, self._entropy, self._next_labels = builder, list(entropy), next_labels
        masked = builder.ledger.normalisation is Normalisation.MASKED
        self._normalisation = Normalisation.MASKED if masked else Normalisation.RAW
        self._active: dict[tuple[int, int], int] = {}  # (start, where it is) -> paths
        self._steps: dict[int, None] = {}

    def from_prompt(self, count: int) -> SampledPaths:
        """Set off `count` paths from the root. The draws fill as the tree grows."""
        self._start(ROOT, count)
        empty = (0.0,) * len(self._builder.tree.labels)
        self.draws = SampledPaths(self._normalisation, 1 / count, empty)
        return self.draws

    def from_open(self, count: int) -> SampledPaths:
        """Set off `count` paths from the open nodes, spread over them in proportion to mass."""
        builder, tree = self._builder, self._builder.tree
        mass = np.exp(tree.log_mass(self._normalisation))
        held = {n: float(mass[n]) for n, s in enumerate(tree.status) if s == Status.FRONTIER}
        held |= {n: float(mass[n]) * share for n, share in self._tails().items()}
        held = {node: m for node, m in held.items() if m > 0}
        total = sum(held.values())
        result = builder.ledger.found[: len(tree.labels)]
        self.draws = SampledPaths(self._normalisation, total / count, tuple(result.tolist()))
        if held:
            edges = np.cumsum(list(held.values())) / total * count
            marks = self._random(ROOT).random() + np.arange(count)
            numbers = np.bincount(
                np.minimum(np.searchsorted(edges, marks, side="right"), len(held) - 1)
            )
            for node, number in zip(held, numbers.tolist(), strict=False):
                self._start_in(node, number)
        return self.draws

    def wanted(self) -> list[int]:
        """Nodes whose rows the paths wait for; empty when all have ended."""
        tree, waiting = self._builder.tree, dict[int, None]()
        todo = sorted(self._active)
        while todo:
            start, node = at = todo.pop()
            count = self._active.pop(at)
            if tree.status[node] == Status.ENDED:
                self._terminate(start, node, Termination.ENDED, count)
            elif tree.status[node] == Status.EXPANDED:
                for child, number in self._split(start, node, count):
                    todo.append((start, child))
                    self._active[start, child] = number
            elif self._builder.too_deep(node):
                self._terminate(start, node, Termination.CUT, count, "depth")
            else:
                waiting[node] = None
                self._active[at] = count
        if self._next_labels:
            for step in list(self._steps):
                open_ways = self._ways_to_labels(step)
                waiting.update(dict.fromkeys(open_ways))
                if not open_ways and tree.status[step] != Status.FRONTIER:
                    del self._steps[step]
        return list(waiting)

    def terminate_all(self, why: str) -> list[int]:
        """Cut the paths that are still under way; wants nothing more."""
        for (start, node), count in self._active.items():
            self._terminate(start, node, Termination.CUT, count, why)
        self._active.clear()
        return []

    # -- paths ----------------------------------------------------------------------------------

    def _start(self, node: int, count: int) -> None:
        if count:
            self._active[node, node] = count
            self._steps[node] = None

    def _start_in(self, node: int, count: int) -> None:
        """Set off from a frontier node, from one of the tokens of an aggregate, or in a tail."""
        builder, tree = self._builder, self._builder.tree
        if not count:
            return
        if tree.status[node] == Status.EXPANDED:  # its tail: the engine does not say what is there
            self._terminate(node, node, Termination.CUT, count, "engine")
        elif tree.token[node] != AGGREGATE:
            self._start(node, count)
        else:
            parent = tree.parent[node]
            siblings = builder.siblings[parent]
            probs = siblings.within(node)
            drawn = self._random(node).multinomial(count, probs / probs.sum())
            for index in np.flatnonzero(drawn).tolist():
                self._start(builder.node_of(parent, index), int(drawn[index]))

    def _split(self, start: int, node: int, count: int) -> Iterator[tuple[int, int]]:
        """Send paths on to the next node, each by the model's own distribution."""
        builder, tree = self._builder, self._builder.tree
        left = builder.left.get(node, [])  # of behind a risk verdict, where nothing is off-format
        ways, lost = builder.probabilities(node), [math.exp(tree.logp[n]) for n in left]
        probs = np.array([*ways, tree.tail[node], tree.off[node], *lost])
        barred = np.array([*(False for _ in ways), False, True, *map(tree.is_barred, left)])
        if self._normalisation is Normalisation.MASKED and probs[~barred].sum() > 0:
            probs[barred] = 0.0  # or else the format allows nothing
        drawn = self._random(node).multinomial(count, probs / probs.sum()).tolist()
        continuing, (unknown, off, *ended) = drawn[: len(ways)], drawn[len(ways) :]
        self._terminate(start, node, Termination.OFF_FORMAT, off)
        self._terminate(start, node, Termination.CUT, unknown, "engine")
        for child, number in zip(left, ended, strict=True):
            self._terminate(start, child, Termination.ENDED, number)
        results: dict[int, int] = {}
        for index in np.flatnonzero(continuing).tolist():
            child = builder.node_of(node, index)  # tokens that end the answer share one
            results[child] = results.get(child, 0) + continuing[index]
        self._steps.update({child: None for child in results if tree.is_step(child)})
        yield from results.items()

    def _terminate(
        self, start: int, node: int, how: Termination, count: int, why: str = ""
    ) -> None:
        if count:
            self.draws.paths.append(SampledPath(start, node, how, count))
            self.draws.cut = self.draws.cut or why

    def _tails(self) -> dict[int, float]:
        """Mass, by expanded node, of the tokens that the engine did not return."""
        tree = self._builder.tree
        results = {node: tail for node, tail in tree.tail.items() if tail > 0}
        if results and self._normalisation is Normalisation.MASKED:
            allowed = tree.allowed()
            results = {node: tail / float(allowed[node]) for node, tail in results.items()}
        return results

    def _random(self, node: int) -> np.random.Generator:
        tree = self._builder.tree
        tokens = [tree.token[n] & 0xFFFFFFFF for n in tree.path(node)]
        return np.random.default_rng([*self._entropy, *tokens])

    # -- next labels ----------------------------------------------------------------------------

    def _ways_to_labels(self, step: int) -> list[int]:
        """Nodes below a step to read before it is known which label comes next."""
        builder, tree = self._builder, self._builder.tree
        if tree.status[step] == Status.FRONTIER:
            return []
        usual = builder.trie(step)
        self.draws.read.update(usual)
        wanted = [n for n in usual if tree.status[n] == Status.FRONTIER]
        todo = [(step, 1.0)]
        while todo:
            node, mass = todo.pop()
            for child in builder.children[node]:
                below = mass * float(np.exp(tree.logp[child]))
                if below < MIN_WEIGHT or tree.writes_label(child):
                    continue
                if tree.status[child] == Status.EXPANDED:
                    todo.append((child, below))
                elif tree.token[child] == AGGREGATE:
                    wanted += self._heaviest(node, child, mass)
                elif tree.status[child] == Status.FRONTIER:
                    wanted.append(child)
        return [n for n in dict.fromkeys(wanted) if not builder.too_deep(n)]

    def _heaviest(self, parent: int, aggregate: int, mass: float) -> list[int]:
        """The likeliest token of an aggregate as a node of its own, if it is likely enough."""
        probs = self._builder.siblings[parent].within(aggregate)
        index = int(np.argmax(probs))
        return [self._builder.node_of(parent, index)] if probs[index] * mass >= MIN_WEIGHT else []
