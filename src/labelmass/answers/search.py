"""Best-first growth of an answer tree under a budget. A planner: it does no IO.

    search = Search(grammar, labels)
    while asks := search.asks():
        search.tell(rows for those asks)
    search.tree

The order of expansion depends on the record alone: largest mass first, ties by token id. Nodes
that one round asks for together are all needed: each is heavier than the tolerance, or so many
are open that leaving them would miss it (METHODS A.3, stop on the open mass, not on a floor).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.grammar import TokenGrammar
from labelmass.answers.tree import ROOT, AnswerTree, Ending, Normalisation, Status
from labelmass.lm.base import Row
from labelmass.task.automaton import DONE, Outputs

RARE = 1e-3
"""Below this probability a relative tolerance is measured against this value."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: whichever comes first.

    tolerance: widest high - low over the labels and `none`, in the chosen normalisation.
    relative: if given, also each label's width over its probability (at least `RARE`).
    nodes: most rows read, depth: longest answer in tokens; seconds: None for no limit.
    """

    tolerance: float = 0.01
    relative: float | None = None
    nodes: int = 2048
    depth: int = 256
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be in the tree for the readings that are wanted.

    tree: grow until the label probabilities are within the tolerance.
    tries: expand the label trie of the first n steps of the greedy path; None for every step.
    min_mass: expand every node at least this heavy.
    top: how many of the likeliest ids of each row to keep.
    """

    tree: bool = True
    tries: int | None = 0
    min_mass: float | None = None
    top: int = 1

    def __or__(self, other: Needs) -> Needs:
        tries = None
        if self.tries is not None and other.tries is not None:
            tries = max(self.tries, other.tries)
        floors = [m for m in (self.min_mass, other.min_mass) if m is not None]
        floor = min(floors, default=None)
        return Needs(self.tree or other.tree, tries, floor, max(self.top, other.top))


@dataclass(frozen=True, slots=True)
class NodeAsk:
    """A row the search wants: see `lm.base.Ask`, of which this is the record's own part."""

    node: int
    parent: int
    token: int
    ids: NDArray[np.int64]
    top: int


class Search:
    """Grows one record's tree.

    grammar: the answers that count. labels: their names, in the automaton's order.
    """

    def __init__(
        self,
        grammar: TokenGrammar,
        labels: Sequence[str],
        budget: Budget | None = None,
        needs: Needs | None = None,
        normalisation: Normalisation = Normalisation.RAW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.grammar = grammar
        self.budget = budget or Budget()
        self.needs = needs or Needs()
        self.normalisation = normalisation
        automaton = grammar.automaton
        self.tree = AnswerTree(
            tuple(labels),
            has_none=automaton.format.none is not None,
            has_gate=automaton.format.gate is not None,
            spellings=tuple(forms[0] for forms in automaton.spellings),
            tries=self.needs.tries,
            min_mass=self.needs.min_mass,
        )
        self._states: list[int] = []
        self._mass: list[float] = []  # in the chosen normalisation
        self._depth: list[int] = []
        self._ahead_of: dict[int, int] = {}
        self._child: dict[tuple[int, int], int] = {}
        self._open: dict[int, float] = {}  # bit set of undecided outputs -> mass
        self._lows = np.zeros(len(labels) + 2)
        self._ended = 0.0
        self._ended_with = np.zeros(len(labels) + 2)
        self._tails = 0.0
        self._frontier: set[int] = set()
        self._forced: dict[int, None] = {}
        self._waiting: list[int] = []
        self._asked = 0
        self._clock, self._began = clock, clock()
        self._add(ROOT, -1, 0.0, grammar.start, grammar.written)
        self._forced[ROOT] = None
        self.tree.greedy.append(ROOT)
        self._enter_step(ROOT)

    # -- the two calls of a driver --------------------------------------------------------------

    def asks(self) -> list[NodeAsk]:
        """The next rows wanted, parents before children; empty when the search has stopped."""
        if self._waiting:
            raise RuntimeError("tell() the rows of the last asks() first")
        self.tree.stopped = ""
        wanted = dict.fromkeys(
            node for node in self._forced if self.tree.status[node] == Status.FRONTIER
        )
        self._forced.clear()
        if self._out_of_time():
            wanted = {}
        elif len(self.tree.off) > 0:
            wanted.update(dict.fromkeys(self._best()))
        room = self.budget.nodes - self._asked
        if len(wanted) > room:
            self.tree.stopped = "nodes"
        chosen = [n for n in wanted if self._depth[n] < self.budget.depth][: max(room, 0)]
        if not chosen and not self.tree.stopped:
            self.tree.stopped = "depth" if wanted else "complete"
        self._waiting = sorted(chosen)
        self._asked += len(chosen)
        tree = self.tree
        return [
            NodeAsk(n, tree.parent[n], tree.token[n], self._ids(n), self.needs.top)
            for n in self._waiting
        ]

    def tell(self, rows: Sequence[Row]) -> None:
        """The rows of the last `asks`, in the same order."""
        if len(rows) != len(self._waiting):
            raise RuntimeError(f"{len(self._waiting)} rows were asked for, {len(rows)} came")
        for node, row in zip(self._waiting, rows, strict=True):
            self._expand(node, row)
        self._waiting = []
        self._walk_greedily()

    # -- growing --------------------------------------------------------------------------------

    def _ids(self, node: int) -> NDArray[np.int64]:
        return self.grammar.moves(self._states[node]).ids

    def _add(self, parent: int, token: int, logp: float, state: int, outputs: Outputs) -> int:
        tree, node = self.tree, len(self.tree)
        written = tree.written[parent] if node else 0
        for out in outputs:
            written |= 1 << out
        if state not in self._ahead_of:
            bits = self.grammar.automaton.ahead(state) if state != DONE else ()
            self._ahead_of[state] = sum(1 << out for out in bits)
        tree.parent.append(parent)
        tree.token.append(token)
        tree.logp.append(logp)
        tree.outputs.append(outputs)
        tree.written.append(written)
        tree.ahead.append(self._ahead_of[state])
        tree.status.append(Status.ENDED if state == DONE else Status.FRONTIER)
        if token >= 0 and token not in tree.texts:
            tree.texts[token] = self.grammar.vocabulary.bytes_of[token] or b""
        self._states.append(state)
        self._depth.append(self._depth[parent] + 1 if node else 0)
        self._mass.append(0.0 if node else 1.0)
        if not node:
            self._lows[list(outputs)] += 1.0
            self._frontier.add(node)
            self._book(node, 1.0)
        return node

    def _place(self, node: int, logp: float, mass: float) -> None:
        """Give a node its probability once its parent's row is known."""
        tree = self.tree
        tree.logp[node] = logp
        self._mass[node] = mass
        before = tree.written[tree.parent[node]]
        for out in tree.outputs[node]:
            if not before >> out & 1:
                self._lows[out] += mass
                before |= 1 << out
        if tree.status[node] == Status.ENDED:
            self._ended += mass
            for out in range(len(self._lows)):
                if tree.written[node] >> out & 1:
                    self._ended_with[out] += mass
        else:
            self._frontier.add(node)
            self._book(node, mass)

    def _book(self, node: int, mass: float) -> None:
        """Count a node's mass as open for everything it has not decided."""
        key = self._undecided(node)
        self._open[key] = self._open.get(key, 0.0) + mass

    def _undecided(self, node: int) -> int:
        """Bit set of what is not written and may be; the top bit marks on-format as undecided."""
        tree = self.tree
        return (tree.ahead[node] & ~tree.written[node]) | 1 << len(self._lows)

    def _expand(self, node: int, row: Row) -> None:
        tree, moves = self.tree, self.grammar.moves(self._states[node])
        came = ~np.isnan(row.logprobs)
        probs = np.where(came, np.exp(row.logprobs), 0.0)
        complete = row.complete and bool(came.all())
        known = float(probs.sum())
        rest = max(row.rest, 0.0)
        tree.status[node] = Status.EXPANDED
        tree.off[node] = rest if complete else 0.0
        tree.tail[node] = 0.0 if complete else rest
        mass = self._mass[node]
        self._frontier.discard(node)
        self._book(node, -mass)
        scale = 1.0
        if self.normalisation is Normalisation.MASKED:
            allowed = known + tree.tail[node]
            scale = 1.0 / allowed if allowed > 0 else 0.0
        if tail := tree.tail[node] * scale * mass:
            self._book(node, tail)
            self._tails += tail
        endings: dict[Outputs, list[int]] = {}
        leads: dict[int, int] = {}
        for index in np.flatnonzero(probs > 0).tolist():
            if moves.to[index] == DONE:
                endings.setdefault(moves.outputs[index], []).append(index)
                continue
            token = int(moves.ids[index])
            child = self._child.get((node, token))
            if child is None:
                child = self._reserve(node, token, moves.to[index], moves.outputs[index])
            leads[token] = child
            self._place(child, float(row.logprobs[index]), mass * float(probs[index]) * scale)
        for outputs, indices in endings.items():
            best = max(indices, key=lambda i: (row.logprobs[i], -moves.ids[i]))
            total = math.fsum(probs[indices].tolist())
            child = self._add(node, int(moves.ids[best]), math.log(total), DONE, outputs)
            self._place(child, math.log(total), mass * total * scale)
            leads.update(dict.fromkeys((int(moves.ids[i]) for i in indices), child))
        top = row.top[: max(self.needs.top, 1)]
        tree.top[node] = tuple((i, logp, leads.get(i, -1)) for i, logp in top)

    def _reserve(self, parent: int, token: int, state: int, outputs: Outputs) -> int:
        """A node whose parent's row may still be unknown."""
        node = self._add(parent, token, -math.inf, state, outputs)
        self._child[parent, token] = node
        return node

    # -- the greedy path ------------------------------------------------------------------------

    def _walk_greedily(self) -> None:
        tree = self.tree
        while tree.status[node := tree.greedy[-1]] == Status.EXPANDED:
            likeliest, _, child = tree.top[node][0]
            if child < 0:
                moves = self.grammar.moves(self._states[node])
                if likeliest in moves.ids:
                    return  # named as likeliest, but the engine gave no probability for it
                tree.greedy_end, tree.greedy_exit = Ending.OFF_FORMAT, likeliest
                written = self.grammar.vocabulary.bytes_of[likeliest] if likeliest >= 0 else None
                tree.texts.setdefault(likeliest, written or b"")
                break
            tree.greedy.append(child)
            if tree.status[child] == Status.ENDED:
                tree.greedy_end = Ending.COMPLETE
                break
            if any(out < tree.none for out in tree.outputs[child]):
                self._enter_step(child)
            if tree.status[child] == Status.FRONTIER:
                self._forced[child] = None
        self._mark_completions()

    def _mark_completions(self) -> None:
        """Which token of the greedy path holds the last byte of each label it writes."""
        tree, automaton = self.tree, self.grammar.automaton
        whole = tree.greedy_end == Ending.COMPLETE
        given = self.grammar.given
        spans = automaton.spans(given + tree.text(tree.greedy[-1]), partial=not whole) or []
        ends: list[tuple[int, int]] = []
        length = len(given)
        for node in tree.greedy[1:]:
            length += len(tree.texts.get(tree.token[node], b""))
            ends.append((length, node))
        tree.completed = [
            (span.output, next(node for end, node in ends if end >= span.end))
            for span in spans
            if span.output != automaton.none and span.end > len(given)
        ]

    def _enter_step(self, node: int) -> None:
        """A label may start here: ask for its trie, every label to its boundary, if wanted."""
        tree = self.tree
        tree.steps.append(node)
        if self.needs.tries is not None and len(tree.steps) > self.needs.tries:
            return
        answer = self.grammar.given + tree.text(node)
        for path in self.grammar.spell(answer, self._states[node]).values():
            at = node
            for token in path:
                child = self._child.get((at, token))
                if child is None:
                    moved = self.grammar.follow(self._states[at], token)
                    if moved is None or moved[0] == DONE or tree.status[at] == Status.EXPANDED:
                        break
                    child = self._reserve(at, token, *moved)
                at = child
                self._forced[at] = None

    # -- choosing -------------------------------------------------------------------------------

    def _best(self) -> list[int]:
        """Nodes that best-first search would surely expand next."""
        mass, floor = self._mass, self.needs.min_mass
        reachable = [n for n in self._frontier if self._depth[n] < self.budget.depth]
        must = [n for n in reachable if floor is not None and mass[n] >= floor]
        if not self.needs.tree:
            return sorted(must, key=self._order)
        live = [n for n in reachable if self._matters(n) and mass[n] > 0]
        if self._precise():
            self.tree.stopped = "tolerance" if live else "exhausted"
            return sorted(must, key=self._order)
        live.sort(key=self._order)
        total = sum(self._open.values())
        closed = total - sum(mass[n] for n in live)  # open, and no row can change that
        scale = 1.0
        if self.normalisation is Normalisation.ON_FORMAT:
            scale = self._ended + total
        allowance = self.budget.tolerance * scale
        spare = max(allowance - closed, allowance / 10)
        needed = len(live)
        while needed and (spare := spare - mass[live[needed - 1]]) >= 0:
            needed -= 1
        if not needed and live and closed <= allowance:
            needed = 1  # within the tolerance in sum, yet not for every reading
        if not needed:
            capped = len(reachable) < len(self._frontier)
            self.tree.stopped = "engine" if self._tails > 0 else "depth" if capped else "exhausted"
            return sorted(must, key=self._order)
        heavy = min(allowance, mass[live[0]] / 10)
        chosen = [n for n in live[:needed] if mass[n] >= heavy]
        return list(dict.fromkeys([*chosen, *sorted(must, key=self._order)]))

    def _order(self, node: int) -> tuple[float, int, int]:
        return (-self._mass[node], self.tree.token[node], node)

    def _matters(self, node: int) -> bool:
        if self.normalisation is Normalisation.ON_FORMAT:
            return True
        none = 1 << self.tree.none
        return bool(self._undecided(node) & (none * 2 - 1) or self.tree.written[node] & none)

    def _precise(self) -> bool:
        low, high = self._intervals()
        width = high - low
        limit = np.full_like(width, self.budget.tolerance)
        if self.budget.relative is not None:
            middle = np.maximum((low + high) / 2, RARE)
            limit = np.minimum(limit, self.budget.relative * middle)
        return bool(np.all(width <= limit))

    def _intervals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(k + 1,) low and high of the labels and `none`, as the budget sees them."""
        count = len(self.tree.labels) + 1
        total = max(sum(self._open.values()), 0.0)
        undecided = np.zeros(count)
        for key, mass in self._open.items():
            for out in range(count):
                if key >> out & 1:
                    undecided[out] += mass
        undecided = np.maximum(undecided, 0.0)
        if self.normalisation is not Normalisation.ON_FORMAT:
            low = self._lows[:count].copy()
            none = count - 1  # an answer as a whole: open until it has ended
            undecided[none] += max(low[none] - self._ended_with[none], 0.0)
            low[none] = self._ended_with[none]
            return low, low + undecided
        with_l = self._ended_with[:count]
        written = self._lows[:count] - with_l  # written, not ended: may have left the format
        can = np.minimum(undecided + np.maximum(written, 0.0), total)
        low = with_l / np.maximum(self._ended + total, 1e-300)
        high = (with_l + can) / np.maximum(self._ended + can, 1e-300)
        return low, np.minimum(high, 1.0)

    def _out_of_time(self) -> bool:
        limit = self.budget.seconds
        if limit is None or self._clock() - self._began < limit:
            return False
        self.tree.stopped = "seconds"
        return True
