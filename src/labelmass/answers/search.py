"""Best-first growth of an answer tree under a budget. A planner: it does no IO.

    search = Search(grammar, labels)
    while asks := search.asks():
        search.tell(rows for those asks)
    search.tree

The order of expansion depends on the record alone: largest mass first, ties by token id. Nodes
that one round asks for together are all needed: each is heavier than the tolerance, or so much
is open that leaving them would miss it (METHODS A.3, stop on the open mass, not on a floor).
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.grammar import Moves, TokenGrammar
from labelmass.answers.ledger import Ledger
from labelmass.answers.tree import LUMP, ROOT, AnswerTree, Ending, Normalisation, Status
from labelmass.lm.base import Row
from labelmass.task.automaton import DONE, Outputs

AHEAD = 4.0
"""A node this much heavier than those asked for is read together with what must follow it."""

RARE = 1e-3
"""Below this probability a relative tolerance is measured against this value."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: whichever comes first.

    tolerance: widest high - low over the labels and `none`, in the chosen normalisation.
    relative: if given, also each label's width over its probability (at least `RARE`).
    nodes: most rows read. depth: longest answer in tokens. seconds: None for no limit.
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
    """A row the search wants: the record's own part of `lm.base.Ask`."""

    node: int
    parent: int
    token: int
    ids: NDArray[np.int64]
    top: int


@dataclass(slots=True)
class _Siblings:
    """The admissible tokens after a node that are not nodes yet, likeliest first.

    Together they stand in the tree as lumps, one for each way of deciding outputs.
    """

    moves: Moves
    order: NDArray[np.int64]  # indices of moves
    probs: NDArray[np.float64]  # by index of moves; 0 once the token has a node of its own
    scale: float  # from probability to mass
    lump_of: list[int]  # by index of moves
    rank: int = 0  # of the likeliest that is left


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
        automaton = grammar.automaton
        self.tree = AnswerTree(
            tuple(labels),
            has_none=automaton.format.none is not None,
            has_gate=automaton.format.gate is not None,
            single=automaton.format.single,
            spellings=tuple(forms[0] for forms in automaton.spellings),
            tries=self.needs.tries,
            min_mass=self.needs.min_mass,
        )
        self._ledger = Ledger(len(labels), normalisation)
        self._states: list[int] = []
        self._mass: list[float] = []  # in the chosen normalisation
        self._depth: list[int] = []
        self._ahead_of: dict[int, int] = {}
        self._child: dict[tuple[int, int], int] = {}
        self._siblings: dict[int, _Siblings] = {}
        self._heap: list[tuple[float, int, int]] = []  # -mass, token, parent
        self._stuck = 0.0  # open mass that matters and that no row can change
        self._forced: dict[int, None] = {}
        self._waiting: list[int] = []
        self._asked = 0
        self._clock, self._began = clock, clock()
        self._add(ROOT, -1, grammar.start, grammar.written)
        self._place(ROOT, 0.0, 1.0)
        self._force(ROOT)
        self.tree.greedy.append(ROOT)
        self._enter_step(ROOT)

    # -- the two calls of a driver --------------------------------------------------------------

    def asks(self) -> list[NodeAsk]:
        """The next rows wanted, parents before children; empty when the search has stopped."""
        if self._waiting:
            raise RuntimeError("tell() the rows of the last asks() first")
        tree, budget = self.tree, self.budget
        tree.stopped = ""
        wanted = self._without_row(self._forced)
        self._forced.clear()
        if self._out_of_time():
            wanted = {}
        elif tree.expanded:
            wanted.update(self._without_row(self._best(wanted)))
        room = max(budget.nodes - self._asked, 0)
        if len(wanted) > room:
            tree.stopped = "nodes"
        self._waiting = sorted([n for n in wanted if self._depth[n] < budget.depth][:room])
        if not self._waiting and not tree.stopped:
            tree.stopped = "depth" if wanted else "complete"
        self._asked += len(self._waiting)
        return [
            NodeAsk(n, tree.parent[n], tree.token[n], self._moves(n).ids, self.needs.top)
            for n in self._waiting
        ]

    def _without_row(self, nodes: Iterable[int]) -> dict[int, None]:
        return dict.fromkeys(n for n in nodes if self.tree.status[n] == Status.FRONTIER)

    def tell(self, rows: Sequence[Row]) -> None:
        """The rows of the last `asks`, in the same order."""
        if len(rows) != len(self._waiting):
            raise RuntimeError(f"{len(self._waiting)} rows were asked for, {len(rows)} came")
        for node, row in zip(self._waiting, rows, strict=True):
            self._expand(node, row)
        self._waiting = []
        self._walk_greedily()

    # -- growing --------------------------------------------------------------------------------

    def _moves(self, node: int) -> Moves:
        return self.grammar.moves(self._states[node])

    def _add(self, parent: int, token: int, state: int, outputs: Outputs) -> int:
        """A node without a probability yet."""
        tree, node = self.tree, len(self.tree)
        written = tree.written[parent] if node else 0
        for out in outputs:
            written |= 1 << out
        if state not in self._ahead_of:
            bits = () if state == DONE else self.grammar.automaton.ahead(state)
            self._ahead_of[state] = sum(1 << out for out in bits)
        tree.parent.append(parent)
        tree.token.append(token)
        tree.logp.append(-math.inf)
        tree.outputs.append(outputs)
        tree.written.append(written)
        tree.ahead.append(self._ahead_of[state])
        tree.status.append(Status.ENDED if state == DONE else Status.FRONTIER)
        if token >= 0 and token not in tree.texts:
            tree.texts[token] = self.grammar.vocabulary.bytes_of[token] or b""
        self._states.append(state)
        self._depth.append(self._depth[parent] + 1 if node else 0)
        self._mass.append(0.0)
        return node

    def _place(self, node: int, logp: float, mass: float) -> None:
        """Give a node, or a lump of them, its probability, and book its mass."""
        tree, ledger = self.tree, self._ledger
        tree.logp[node], self._mass[node] = logp, mass
        before = tree.written[tree.parent[node]] if node else 0
        for out in tree.outputs[node]:
            if not before >> out & 1:
                ledger.find(out, mass)
                before |= 1 << out
        if tree.status[node] == Status.ENDED:
            ledger.end(tree.written[node], mass)
            return
        undecided = self._undecided(node)
        ledger.open(undecided, mass)
        if self._depth[node] >= self.budget.depth and ledger.matters(undecided):
            self._stuck += mass

    def _undecided(self, node: int) -> int:
        return self._ledger.undecided(self.tree.written[node], self.tree.ahead[node])

    def _expand(self, node: int, row: Row) -> None:
        tree, moves, mass = self.tree, self._moves(node), self._mass[node]
        came = ~np.isnan(row.logprobs)
        probs = np.where(came, np.exp(row.logprobs), 0.0)
        complete = row.complete and bool(came.all())
        rest = max(row.rest, 0.0)
        tree.status[node] = Status.EXPANDED
        tree.off[node], tree.tail[node] = (rest, 0.0) if complete else (0.0, rest)
        undecided = self._undecided(node)
        self._ledger.open(undecided, -mass)
        scale = mass
        if self._ledger.normalisation is Normalisation.MASKED:
            allowed = float(probs.sum()) + tree.tail[node]
            scale = mass / allowed if allowed > 0 else 0.0
        if tail := tree.tail[node] * scale:
            self._ledger.open(undecided, tail)
            self._stuck += tail if self._ledger.matters(undecided) else 0.0
        lump_of = self._lump(node, moves, probs, scale)
        for index in np.flatnonzero(probs > 0).tolist():
            child = self._child.get((node, int(moves.ids[index])))
            if child is not None:  # asked for before its parent's row was known
                self._own(child, index, probs, lump_of)
                self._mass[child] = scale * math.exp(tree.logp[child])
        order = np.argsort(-probs, kind="stable")
        self._siblings[node] = _Siblings(moves, order, probs, scale, lump_of)
        self._offer(node)
        self._keep_top(node, row)

    def _lump(self, node: int, moves: Moves, probs: NDArray[np.float64], scale: float) -> list[int]:
        """One child for all tokens that decide the same; the lump of each token."""
        lumps: dict[tuple[Outputs, int, bool], list[int]] = {}
        for index, (to, outputs) in enumerate(zip(moves.to, moves.outputs, strict=True)):
            if to not in self._ahead_of:
                bits = () if to == DONE else self.grammar.automaton.ahead(to)
                self._ahead_of[to] = sum(1 << out for out in bits)
            lumps.setdefault((outputs, self._ahead_of[to], to == DONE), []).append(index)
        lump_of = [-1] * len(moves.to)
        for (outputs, _, _), members in lumps.items():
            total = float(probs[members].sum())
            if total <= 0:
                continue
            best = max(members, key=lambda i: (probs[i], -moves.ids[i]))
            ended = moves.to[best] == DONE
            token = int(moves.ids[best]) if ended else LUMP
            lump = self._add(node, token, moves.to[best], outputs)
            self._place(lump, math.log(total), total * scale)
            for index in members:
                lump_of[index] = lump
        return lump_of

    def _own(self, child: int, index: int, probs: NDArray[np.float64], lump_of: list[int]) -> None:
        """Take a token out of its lump: it has a node of its own. No mass is booked anew."""
        tree, lump, p = self.tree, lump_of[index], float(probs[index])
        tree.logp[child] = math.log(p)
        probs[index] = 0.0
        left = float(probs[[i for i, at in enumerate(lump_of) if at == lump]].sum())
        tree.logp[lump] = math.log(left) if left > 0 else -math.inf

    def _node_of(self, parent: int, index: int) -> int:
        """The child of an expanded node along one of its moves, made if it is still in a lump."""
        siblings = self._siblings[parent]
        moves, lump = siblings.moves, siblings.lump_of[index]
        if moves.to[index] == DONE:
            return lump
        key = (parent, int(moves.ids[index]))
        if key not in self._child:
            p = float(siblings.probs[index])
            child = self._add(parent, key[1], moves.to[index], moves.outputs[index])
            self._child[key] = child
            self._own(child, index, siblings.probs, siblings.lump_of)
            self._mass[child] = p * siblings.scale
        return self._child[key]

    def _keep_top(self, node: int, row: Row) -> None:
        """Note the likeliest tokens of the whole row, and where they lead."""
        siblings = self._siblings[node]
        kept: list[tuple[int, float, int]] = []
        for rank, (token, logp) in enumerate(row.top[: max(self.needs.top, 1)]):
            at = int(np.searchsorted(siblings.moves.ids, token))
            child = -1
            if at < len(siblings.moves.ids) and siblings.moves.ids[at] == token:
                child = self._child.get((node, token), siblings.lump_of[at])
                if rank == 0 and child >= 0:
                    child = self._node_of(node, at)
            if token >= 0 and token not in self.tree.texts:
                self.tree.texts[token] = self.grammar.vocabulary.bytes_of[token] or b""
            kept.append((token, logp, child))
        self.tree.top[node] = tuple(kept)

    # -- the greedy path ------------------------------------------------------------------------

    def _walk_greedily(self) -> None:
        tree = self.tree
        while tree.status[node := tree.greedy[-1]] == Status.EXPANDED:
            likeliest, _, child = tree.top[node][0]
            if child < 0:
                if likeliest in self._moves(node).ids:
                    return  # named as likeliest, but the engine gave no probability for it
                tree.greedy_end, tree.greedy_exit = Ending.OFF_FORMAT, likeliest
                break
            tree.greedy.append(child)
            if tree.status[child] == Status.ENDED:
                tree.greedy_end = Ending.COMPLETE
                break
            more = tree.ahead[child] & ((1 << tree.none) - 1)
            if more and any(out < tree.none for out in tree.outputs[child]):
                self._enter_step(child)
            self._force(child)
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
        for path in self.grammar.spell(self._answer(node), self._states[node]).values():
            self._forced.update(dict.fromkeys(self._way_down(node, path)))

    def _force(self, node: int) -> None:
        """Ask for a node whatever its mass, and for what the format then goes on with."""
        self._forced[node] = None
        self._forced.update(dict.fromkeys(self._stem(node)))

    def _stem(self, node: int) -> list[int]:
        """The nodes below that lead to every label alike: one pass reads them with the node."""
        return self._way_down(node, self.grammar.stem(self._answer(node), self._states[node]))

    def _answer(self, node: int) -> bytes:
        return self.grammar.given + self.tree.text(node)

    def _way_down(self, node: int, tokens: Sequence[int]) -> list[int]:
        """The nodes along tokens, as far as there are any."""
        nodes: list[int] = []
        for token in tokens:
            child = self._step_down(node, token)
            if child is None:
                break
            nodes.append(node := child)
        return nodes

    def _step_down(self, node: int, token: int) -> int | None:
        """The child along a token, reserved if the node's row is not known yet."""
        if (child := self._child.get((node, token))) is not None:
            return child
        if (moved := self.grammar.follow(self._states[node], token)) is None or moved[0] == DONE:
            return None
        if (siblings := self._siblings.get(node)) is not None:
            at = int(np.searchsorted(siblings.moves.ids, token))
            return self._node_of(node, at) if siblings.probs[at] > 0 else None
        child = self._add(node, token, *moved)
        self._child[node, token] = child
        return child

    # -- choosing -------------------------------------------------------------------------------

    def _offer(self, parent: int) -> None:
        """Put the likeliest token after `parent` that has no row yet on the heap."""
        siblings = self._siblings[parent]
        if self._depth[parent] + 1 >= self.budget.depth:
            return
        while siblings.rank < len(siblings.order):
            index = int(siblings.order[siblings.rank])
            token = int(siblings.moves.ids[index])
            child = self._child.get((parent, token))
            if child is None and siblings.probs[index] <= 0 and siblings.lump_of[index] < 0:
                return  # the rest have no probability
            lump = siblings.lump_of[index] if child is None else child
            if self.tree.status[lump] == Status.FRONTIER and self._ledger_wants(lump):
                p = siblings.probs[index] if child is None else math.exp(self.tree.logp[child])
                heapq.heappush(self._heap, (-siblings.scale * float(p), token, parent))
                return
            siblings.rank += 1

    def _ledger_wants(self, node: int) -> bool:
        return self.needs.min_mass is not None or self._ledger.matters(self._undecided(node))

    def _pop(self) -> int:
        """The heaviest node without a row; its next sibling takes its place."""
        _, token, parent = heapq.heappop(self._heap)
        siblings = self._siblings[parent]
        index = int(siblings.order[siblings.rank])
        assert int(siblings.moves.ids[index]) == token
        node = self._node_of(parent, index)
        siblings.rank += 1
        self._offer(parent)
        return node

    def _drop_expanded(self) -> None:
        """See to it that the first on the heap is a node without a row."""
        while self._heap and -self._heap[0][0] > 0:
            _, token, parent = self._heap[0]
            child = self._child.get((parent, token))
            if child is None or self.tree.status[child] == Status.FRONTIER:
                return
            self._pop()

    def _best(self, forced: Collection[int]) -> list[int]:
        """Nodes, besides those forced, that best-first search would surely expand next."""
        ledger, floor, chosen = self._ledger, self.needs.min_mass, list[int]()
        if self.needs.tree and not self._precise():
            allowance = self.budget.tolerance * ledger.scale
            spare = max(allowance - self._stuck, allowance / 10)
            left = ledger.live - self._stuck
            left -= sum(self._mass[n] for n in forced if ledger.matters(self._undecided(n)))
            self._drop_expanded()
            heavy = min(allowance, -self._heap[0][0] / 10) if self._heap else 0.0
            within = left <= spare and self._stuck <= allowance
            while self._heap and -self._heap[0][0] > 0:
                mass = -self._heap[0][0]
                if not (within or left > spare) or mass < heavy:
                    break
                node = self._pop()
                if self.tree.status[node] != Status.FRONTIER or node in forced:
                    continue
                if ledger.matters(self._undecided(node)):
                    left -= mass
                    within = False
                chosen.append(node)
                if mass >= AHEAD * heavy:
                    chosen += self._stem(node)
            if not chosen:
                capped = self._stuck > sum(self.tree.tail.values())
                stuck = "depth" if capped else "engine"
                self.tree.stopped = stuck if self._stuck > 0 else "exhausted"
        elif self.needs.tree:
            self.tree.stopped = "tolerance" if ledger.live > 0 else "exhausted"
        while floor is not None and self._heap and -self._heap[0][0] >= floor:
            node = self._pop()
            if self.tree.status[node] == Status.FRONTIER and node not in forced:
                chosen.append(node)
        return chosen

    def _precise(self) -> bool:
        low, high = self._ledger.intervals()
        limit = np.full_like(low, self.budget.tolerance)
        if self.budget.relative is not None:
            middle = np.maximum((low + high) / 2, RARE)
            limit = np.minimum(limit, self.budget.relative * middle)
        return bool(np.all(high - low <= limit))

    def _out_of_time(self) -> bool:
        limit = self.budget.seconds
        if limit is None or self._clock() - self._began < limit:
            return False
        self.tree.stopped = "seconds"
        return True
