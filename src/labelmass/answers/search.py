"""Best-first growth of an answer tree under a budget. A planner: it does no IO.

    search = Search(grammar, labels)
    while queries := search.queries():
        search.tell(rows for those queries)
    search.tree

The order of expansion depends on the record alone: largest mass first, ties by token id. Nodes
that one round asks for together are all needed: each is heavier than the tolerance, or so much
is open that leaving them would miss it (docs/formulas.md, bounds: stop on the open mass).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labelmass._ranges import COUNT, NOT_NEGATIVE, POSITIVE
from labelmass._settings import check_settings, setting
from labelmass._types import Normalisation
from labelmass.answers.frontier import Frontier
from labelmass.answers.grammar import TokenGrammar
from labelmass.answers.narrowing import StepSearch
from labelmass.answers.path_sampler import Sampler
from labelmass.answers.steps import is_idle
from labelmass.answers.tree import EXITED, ROOT, AnswerTree, Ending, Status
from labelmass.answers.tree_builder import TreeBuilder
from labelmass.lm.base import NextTokenLogprobs, NodeQuery

SAMPLING_FACTOR = 4
"""Budget of sampled paths, as a multiple of the rows of the tree."""

MAX_PREFIX_ROWS = 64
"""Rows that are read at most for the shares after the text that all labels begin with."""

UNSOUGHT = "complete"
"""`AnswerTree.stopped` of a tree that was not grown for the label probabilities."""

RARE = 1e-3
"""Below this probability a relative tolerance is measured against this value."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: whichever comes first.

    Attributes:
        tolerance: Widest high - low over the labels and the empty answer, in the chosen
            normalisation, and over the shares at the label steps that are wanted; 0 explores until
            something else ends it.
        relative: If given, also each label's width over its probability (at least `RARE`).
        max_nodes: Rows read for the tree and the steps.
        max_depth: Tokens of an answer.
        max_seconds: None for no limit.

    Raises:
        LabelMassError: Naming the field and what it may be.
    """

    tolerance: float = setting(
        0.01,
        "Largest width of an interval; 0 explores until another limit is reached.",
        within=NOT_NEGATIVE,
    )
    relative: float | None = setting(
        None, "Largest width of an interval relative to its probability.", within=POSITIVE
    )
    max_nodes: int = setting(2048, "Largest number of rows read per record.", within=COUNT)
    max_depth: int = setting(256, "Largest number of tokens of an answer.", within=COUNT)
    max_seconds: float | None = setting(
        None, "Largest number of seconds per record.", within=POSITIVE
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def limits(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """The widest interval each of these probabilities may have."""
        limit = np.full_like(p, self.tolerance)
        if self.relative is not None:
            limit = np.minimum(limit, self.relative * np.maximum(p, RARE))
        return limit


@dataclass(frozen=True, slots=True)
class Requirements:
    """Contents that the requested methods need in a tree.

    Attributes:
        tree: Grow until the label probabilities are within the tolerance.
        label_tries: Expand the label trie of the first n steps of the greedy path; None for every
            step.
        shares: Explore the first n of these steps until the share of every label, and of the empty
            answer, is within the tolerance; None for every step.
        contrast: Explore the first step until each label against the empty answer alone is.
        prefix_shares: Explore what follows the text that all labels begin with until the shares of
            the labels there are, or `MAX_PREFIX_ROWS` rows are read: the rules that read them claim
            no interval.
        min_mass: Expand every node at least this heavy.
        top: Number of the likeliest ids of each row to keep.
        initial_nodes: Nodes to expand before paths are drawn, where `tree` does not ask for more;
            the number is approximate.
        samples: Number of answers to draw from the prompt.
        completions: Number of paths to draw from the mass that the grown tree leaves open.
        next_labels: Read the distribution of the next label at every step of the drawn answers; it
            is always read for completions.
    """

    tree: bool = True
    label_tries: int | None = 0
    shares: int | None = 0
    contrast: bool = False
    prefix_shares: bool = False
    min_mass: float | None = None
    top: int = 1
    initial_nodes: int = 0
    samples: int = 0
    completions: int = 0
    next_labels: bool = False

    @property
    def draws(self) -> int:
        """Number of answers or paths that are drawn."""
        return max(self.samples, self.completions)

    def drawing(self, count: int | None) -> Requirements:
        """The same, with this many drawn wherever some are; None leaves them as they are."""
        if count is None:
            return self
        samples, completions = (count if n else 0 for n in (self.samples, self.completions))
        return replace(self, samples=samples, completions=completions)

    def met_by(self, tree: AnswerTree) -> bool:
        """True if a tree was grown for at least this; draws are not looked for in it."""
        grown = Requirements(
            tree.stopped != UNSOUGHT,
            tree.label_tries,
            tree.shares,
            tree.contrast,
            tree.prefix_shares,
            tree.min_mass,
            self.top,
        )
        return replace(self, samples=0, completions=0, next_labels=False) | grown == grown

    def __or__(self, other: Requirements) -> Requirements:
        floors = [m for m in (self.min_mass, other.min_mass) if m is not None]
        return Requirements(
            self.tree or other.tree,
            _most(self.label_tries, other.label_tries),
            _most(self.shares, other.shares),
            self.contrast or other.contrast,
            self.prefix_shares or other.prefix_shares,
            min(floors, default=None),
            max(self.top, other.top),
            max(self.initial_nodes, other.initial_nodes),
            max(self.samples, other.samples),
            max(self.completions, other.completions),
            self.next_labels or other.next_labels,
        )


def _most(count: int | None, other: int | None) -> int | None:
    """The larger of two counts; None is all."""
    return None if count is None or other is None else max(count, other)


class Search:
    """Grows one record's tree.

    grammar: the answers that count. labels: their names, in the automaton's order.
    entropy: numbers that seed what is drawn at random.
    """

    def __init__(
        self,
        grammar: TokenGrammar,
        labels: Sequence[str],
        budget: Budget | None = None,
        requirements: Requirements | None = None,
        normalisation: Normalisation = Normalisation.RAW,
        clock: Callable[[], float] = time.monotonic,
        entropy: Sequence[int] = (0,),
    ) -> None:
        self.budget, self.requirements = budget or Budget(), requirements or Requirements()
        self.builder = TreeBuilder(
            grammar, labels, normalisation, depth=self.budget.max_depth, top=self.requirements.top
        )
        self.tree = self.builder.tree
        tree, wanted = self.tree, self.requirements
        tree.label_tries, tree.min_mass, tree.shares = (
            wanted.label_tries,
            wanted.min_mass,
            wanted.shares,
        )
        tree.contrast, tree.prefix_shares = wanted.contrast, wanted.prefix_shares
        self._frontier = Frontier(
            self.builder, self._wants, lambda parent: self.builder.siblings[parent].scale
        )
        self._steps: list[StepSearch] = []
        self._forced: dict[int, None] = {}
        self._waiting: list[int] = []
        self._asked = self._drawn = 0
        self._grown = False
        self._cut = False  # whether rows that were wanted were too many for the budget
        self._sampler: Sampler | None = None
        self._entropy = entropy
        self._clock, self._began = clock, clock()
        self._force(ROOT)
        *_, tree.common_prefix = self._forced
        tree.greedy.append(ROOT)
        self._enter_step(ROOT)
        if wanted.prefix_shares:
            among = (1 << tree.empty) - 1
            self._steps.append(
                StepSearch(
                    self.builder,
                    tree.common_prefix,
                    self.budget.limits,
                    among=among,
                    most=MAX_PREFIX_ROWS,
                )
            )

    # -- the two calls of a driver --------------------------------------------------------------

    def queries(self, record: int = 0) -> list[NodeQuery]:
        """The next rows wanted, parents before children; empty when the search has stopped.

        record: the model's handle of the record.
        """
        if self._waiting:
            raise RuntimeError("tell() the rows of the last queries() first")
        if not self._grown:
            self._waiting = self._plan()
            self._grown = not self._waiting
        if self._grown:
            self._waiting = self._draw()
        tree, transitions = self.tree, self.builder.transitions
        return [
            NodeQuery(
                record,
                n,
                tree.parent[n],
                tree.token[n],
                transitions(n).queried_ids,
                self.requirements.top,
            )
            for n in self._waiting
        ]

    def _plan(self) -> list[int]:
        """The next nodes to expand for the tree itself."""
        tree, budget = self.tree, self.budget
        tree.stopped = ""
        wanted = self._without_row(self._forced)
        self._forced.clear()
        if self._out_of_time():
            wanted = {}
        elif tree.expanded:
            for step in self._steps:
                wanted.update(self._without_row(step.best(wanted)))
            wanted.update(self._without_row(self._best(wanted)))
        room = max(budget.max_nodes - self._asked, 0)
        self._cut = self._cut or len(wanted) > room
        if len(wanted) > room or (self._cut and self._is_open()):
            tree.stopped = "nodes"
        # forced ones come first, then those of the label steps, then the heaviest: a smaller budget
        # expands a part of a larger's
        chosen = sorted([n for n in wanted if not self.builder.too_deep(n)][:room])
        if not chosen and not tree.stopped:
            tree.stopped = "depth" if wanted else UNSOUGHT
        if not chosen:
            tree.step_stopped = self._fell_short()
        self._asked += len(chosen)
        return chosen

    def _is_open(self) -> bool:
        """True if nothing is left to choose, but mass is: what was cut is not chosen again."""
        return self.tree.stopped in ("", "exhausted") and self.builder.ledger.live > 0

    def _fell_short(self) -> str:
        """Reason the intervals of a label step are wider than requested; "" if none are."""
        if all(step.narrow for step in self._steps):
            return ""
        if self._cut:
            return "nodes"
        if self.tree.stopped == "seconds":
            return "seconds"
        return next((step.stopped for step in self._steps if step.stopped), "")

    def _draw(self) -> list[int]:
        """The next nodes to expand for what is drawn along the grown tree."""
        requirements, tree = self.requirements, self.tree
        while True:
            if self._sampler is None:
                if requirements.samples and tree.samples is None:
                    self._sampler = Sampler(
                        self.builder,
                        (*self._entropy, 1),
                        next_labels=requirements.next_labels,
                    )
                    tree.samples = self._sampler.from_prompt(requirements.samples)
                elif requirements.completions and tree.completions is None:
                    self._sampler = Sampler(self.builder, (*self._entropy, 2), next_labels=True)
                    tree.completions = self._sampler.from_open(requirements.completions)
                else:
                    return []
            wanted = self._sampler.wanted()
            self._drawn += len(wanted)
            if self._out_of_time():
                wanted = self._sampler.terminate_all("seconds")
            elif self._drawn > SAMPLING_FACTOR * self.budget.max_nodes:
                wanted = self._sampler.terminate_all("nodes")
            if wanted:
                return sorted(wanted)
            self._sampler = None

    def _without_row(self, nodes: Iterable[int]) -> dict[int, None]:
        return dict.fromkeys(n for n in nodes if self.tree.status[n] == Status.FRONTIER)

    def tell(self, rows: Sequence[NextTokenLogprobs]) -> None:
        """The rows of the last `queries`, in the same order."""
        if len(rows) != len(self._waiting):
            raise RuntimeError(f"{len(self._waiting)} rows were asked for, {len(rows)} came")
        for node, row in zip(self._waiting, rows, strict=True):
            self.builder.expand(node, row)
            self._frontier.offer(node)
            for step in self._steps:
                if node == step.node or step.holds(node):
                    step.read(node)
        self._waiting = []
        if not self._grown:
            self._walk_greedily()

    # -- the greedy path ------------------------------------------------------------------------

    def _walk_greedily(self) -> None:
        tree = self.tree
        before = len(tree.greedy), tree.greedy_end
        while tree.status[node := tree.greedy[-1]] == Status.EXPANDED:
            likeliest, _, child = tree.top[node][0]
            if child < 0:
                if likeliest in self.builder.transitions(node).ids:
                    return  # named as likeliest, but the engine gave no probability for it
                behind = self.builder.is_behind_verdict(node)
                tree.greedy_end = Ending.UNREADABLE if behind else Ending.OFF_FORMAT
                tree.greedy_exit = likeliest
                break
            tree.greedy.append(child)
            if tree.token[child] == EXITED:
                tree.greedy_exit = likeliest
            if tree.status[child] == Status.ENDED:
                unread = tree.written[child] >> tree.unreadable & 1
                tree.greedy_end = Ending.UNREADABLE if unread else Ending.COMPLETE
                break
            self._force(child)  # before what is below it, where rows run short
            if tree.is_step(child):
                self._enter_step(child)
        if (len(tree.greedy), tree.greedy_end) != before:
            self._mark_completions()
        if tree.greedy_end == Ending.COMPLETE:
            idle = {node for node in tree.steps if is_idle(tree, node)}
            self._steps = [step for step in self._steps if step.node not in idle]

    def _mark_completions(self) -> None:
        """Record the greedy path's node that holds the last byte of each label it writes."""
        tree, automaton = self.tree, self.builder.grammar.automaton
        whole = tree.greedy_end == Ending.COMPLETE
        given = self.builder.grammar.given
        texts = [tree.texts.get(token, b"") for token in tree.greedy_tokens]
        spans = automaton.spans(given + b"".join(texts), partial=not whole) or []
        ends: list[tuple[int, int]] = []
        length = len(given)
        for node, text in zip(tree.greedy[1:], texts, strict=True):
            length += len(text)
            ends.append((length, node))
        tree.completed = [
            (span.output, next(node for end, node in ends if end >= span.end))
            for span in spans
            if span.output != automaton.empty and span.end > len(given)
        ]

    def _enter_step(self, node: int) -> None:
        """A label may start here: ask for its trie, every label to its boundary, if wanted.

        And begin to narrow the shares of the labels, if that is.
        """
        tree, requirements = self.tree, self.requirements
        tree.steps.append(node)
        number = len(tree.steps)
        if requirements.label_tries is None or number <= requirements.label_tries:
            self._forced.update(dict.fromkeys(self.builder.trie(node)))
        shares = requirements.shares is None or number <= requirements.shares
        contrast = requirements.contrast and number == 1 and tree.has_empty
        if shares or contrast:
            among = (2 << tree.empty) - 1 if shares else 0
            self._steps.append(
                StepSearch(self.builder, node, self.budget.limits, among=among, contrast=contrast)
            )

    def _force(self, node: int) -> None:
        """Ask for a node whatever its mass, and for what the format then goes on with."""
        self._forced[node] = None
        self._forced.update(dict.fromkeys(self.builder.common_prefix(node)))

    # -- choosing -------------------------------------------------------------------------------

    def _wants(self, node: int) -> bool:
        return self.requirements.min_mass is not None or self._matters(node)

    def _matters(self, node: int) -> bool:
        return self.builder.ledger.matters(self.builder.undecided(node))

    def _best(self, forced: Collection[int]) -> list[int]:
        """Nodes, besides those forced, that best-first search would surely expand next."""
        builder, ledger = self.builder, self.builder.ledger
        floor, chosen = self.requirements.min_mass, list[int]()
        if (
            self.requirements.tree or self._asked < self.requirements.initial_nodes
        ) and not self._precise():
            allowance = self.budget.tolerance * ledger.scale
            spare = max(allowance - builder.irreducible_mass, allowance / 10)
            left = ledger.live - builder.irreducible_mass
            left -= sum(builder.mass[n] for n in forced if self._matters(n))
            top = self._frontier.heaviest
            heavy = max(min(allowance, top / 10), top / 100)
            within = left <= spare and builder.irreducible_mass <= allowance
            while (mass := self._frontier.heaviest) > 0:
                if not (within or left > spare) or mass < heavy:
                    break
                node = self._frontier.pop()
                if self.tree.status[node] != Status.FRONTIER or node in forced:
                    continue
                if self._matters(node):
                    left -= mass
                    within = False
                chosen.append(node)
            if not chosen:
                capped = builder.irreducible_mass > sum(self.tree.tail.values())
                irreducible_mass = "depth" if capped else "engine"
                self.tree.stopped = (
                    irreducible_mass if builder.irreducible_mass > 0 else "exhausted"
                )
        elif self.requirements.tree:
            self.tree.stopped = "tolerance" if ledger.live > 0 else "exhausted"
        while floor is not None and 0 < floor <= self._frontier.heaviest:
            node = self._frontier.pop()
            if self.tree.status[node] == Status.FRONTIER and node not in forced:
                chosen.append(node)
        return chosen

    def _precise(self) -> bool:
        low, high = self.builder.ledger.intervals()
        return bool(np.all(high - low <= self.budget.limits((low + high) / 2)))

    def _out_of_time(self) -> bool:
        limit = self.budget.max_seconds
        if limit is None or self._clock() - self._began < limit:
            return False
        self.tree.stopped = "seconds"
        return True
