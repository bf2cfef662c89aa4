"""Builds an answer tree row by row, and keeps its ledger of masses.

Which node is read next is decided by `answers/search.py`; this module records what a row says: the
children that were read one by one, aggregates of those that decide the same, and what leaves the
format.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Normalisation
from labelmass.answers.automaton import DONE, Outputs
from labelmass.answers.grammar import TokenGrammar, Transitions
from labelmass.answers.ledger import Ledger
from labelmass.answers.tree import AGGREGATE, EXITED, ROOT, AnswerTree, Status
from labelmass.lm.base import NextTokenLogprobs


@dataclass(slots=True)
class Siblings:
    """The admissible tokens after a node that are not nodes yet, likeliest first.

    Together they stand in the tree as aggregates, one for each way of deciding outputs.
    """

    transitions: Transitions
    order: NDArray[np.int64]  # indices of moves that do not end the answer
    probs: NDArray[np.float64]  # by index of moves; 0 once the token has a node of its own
    scale: float  # from probability to mass
    aggregates: NDArray[np.int64]  # by kind of move; -1 where there is no probability
    classes: tuple[NDArray[np.int64], ...]  # indices of the moves of each kind
    class_of: NDArray[np.int64]  # by index of moves

    def aggregate_of(self, index: int) -> int:
        """The aggregate a move stands in."""
        return int(self.aggregates[self.class_of[index]])

    def within(self, aggregate: int) -> NDArray[np.float64]:
        """Probabilities, by index of moves, of those in an aggregate; 0 for the others."""
        return np.where(self.aggregates[self.class_of] == aggregate, self.probs, 0.0)


class TreeBuilder:
    """A tree with what its growth needs: grammar states, masses in one normalisation, siblings.

    depth: tokens past which nothing is expanded. top: how many likeliest ids of each row to keep.
    irreducible_mass: open mass that matters and that no row can change. left: by node, its children
    that left the format behind a risk verdict.
    """

    def __init__(
        self,
        grammar: TokenGrammar,
        labels: Sequence[str],
        normalisation: Normalisation,
        *,
        depth: int,
        top: int = 1,
    ) -> None:
        self.grammar = grammar
        automaton = grammar.automaton
        self.tree = AnswerTree(
            tuple(labels),
            has_empty=automaton.format.empty is not None,
            has_verdict_prefix=automaton.format.verdict_prefix is not None,
            spellings=tuple(forms[0] for forms in automaton.spellings),
            values=automaton.values,
        )
        self.ledger = Ledger(
            len(labels),
            normalisation,
            verdict=self.tree.has_verdict_prefix,
            values=len(automaton.values),
        )
        self.mass: list[float] = []
        self.depth: list[int] = []
        self.children: list[list[int]] = []
        self.siblings: dict[int, Siblings] = {}
        self.left: dict[int, list[int]] = {}
        self.irreducible_mass = 0.0
        self.deepest, self._top = depth, max(top, 1)
        self._states: list[int] = []
        self._reachable_from: dict[int, int] = {}
        self._child: dict[tuple[int, int], int] = {}
        self._add(ROOT, -1, grammar.start, grammar.written)
        self._place(ROOT, 0.0, 1.0)

    def transitions(self, node: int) -> Transitions:
        """The admissible tokens after a node."""
        return self.grammar.transitions(self._states[node])

    def _add(self, parent: int, token: int, state: int, outputs: Outputs) -> int:
        """A node without a probability yet."""
        tree, node = self.tree, len(self.tree)
        written = tree.written[parent] if node else 0
        for out in outputs:
            written |= 1 << out
        if state not in self._reachable_from:
            bits = () if state == DONE else self.grammar.automaton.reachable(state)
            self._reachable_from[state] = sum(1 << out for out in bits)
        tree.parent.append(parent)
        tree.token.append(token)
        tree.logp.append(-math.inf)
        tree.outputs.append(outputs)
        tree.written.append(written)
        tree.reachable.append(self._reachable_from[state])
        tree.status.append(Status.ENDED if state == DONE else Status.FRONTIER)
        if token >= 0 and token not in tree.texts:
            tree.texts[token] = self.grammar.vocabulary.bytes_of[token] or b""
        self._states.append(state)
        self.depth.append(self.depth[parent] + 1 if node else 0)
        self.mass.append(0.0)
        self.children.append([])
        if node:
            self.children[parent].append(node)
        return node

    def _place(self, node: int, logp: float, mass: float) -> None:
        """Give a node, or an aggregate of them, its probability, and book its mass."""
        tree, ledger = self.tree, self.ledger
        tree.logp[node], self.mass[node] = logp, mass
        before = tree.written[tree.parent[node]] if node else 0
        ledger.find(before, tree.written[node], mass)
        if tree.status[node] == Status.ENDED:
            ledger.end(tree.written[node], mass)
            return
        undecided = self.undecided(node)
        ledger.open(undecided, mass)
        if self.depth[node] >= self.deepest and ledger.matters(undecided):
            self.irreducible_mass += mass

    def undecided(self, node: int) -> int:
        """Set of outputs that the answers below a node have not decided yet."""
        return self.ledger.undecided(self.tree.written[node], self.tree.reachable[node])

    def expand(self, node: int, row: NextTokenLogprobs) -> None:
        """Book the row of a node: its children, and what leaves the format."""
        tree, transitions, mass = self.tree, self.transitions(node), self.mass[node]
        came = ~np.isnan(row.logprobs)
        given = np.where(came, np.exp(row.logprobs), 0.0)
        ends = np.cumsum([len(transitions.ids), *map(len, transitions.leaving.values())])
        probs, *parts = np.split(given, ends)
        after = float(parts.pop().sum())
        left = dict(zip(transitions.leaving, (float(part.sum()) for part in parts), strict=True))
        tail = 0.0 if came[: ends[-1]].all() else row.unseen
        off = max(row.residual - tail, 0.0) + after
        if (outputs := self.grammar.leave(self._states[node])) is not None:
            left[outputs], off = off, 0.0
        tree.status[node] = Status.EXPANDED
        if row.scale is not None:
            tree.scale[node] = row.scale
        tree.off[node], tree.tail[node] = off, tail
        if self._behind_label(node):
            after = off
        if min(after, off) > 0:
            tree.after[node] = after
        undecided = self.undecided(node)
        self.ledger.open(undecided, -mass)
        scale = left_scale = mass
        if self.ledger.normalisation is Normalisation.MASKED:
            settling = sum(p for outputs, p in left.items() if tree.verdict_prefix in outputs)
            allowed = float(probs.sum()) + tail + settling
            lost = sum(left.values()) - settling
            scale = mass / allowed if allowed > 0 else 0.0
            left_scale = mass / lost if allowed <= 0 < lost else 0.0
        if unseen := tail * scale:
            self.ledger.open(undecided, unseen)
            self.irreducible_mass += unseen if self.ledger.matters(undecided) else 0.0
        reserved = list(self.children[node])  # asked for before this row was known
        aggregates = self._aggregate(node, transitions, probs, scale)
        siblings = Siblings(
            transitions,
            transitions.continuing,
            probs,
            scale,
            aggregates,
            transitions.classes,
            transitions.class_of,
        )
        self.siblings[node] = siblings
        for child in reserved:
            index = int(np.searchsorted(transitions.ids, tree.token[child]))
            if probs[index] > 0:
                self._own(child, index, siblings)
                self.mass[child] = scale * math.exp(tree.logp[child])
        siblings.order = transitions.continuing[
            np.argsort(-probs[transitions.continuing], kind="stable")
        ]
        for outputs, p in left.items():
            if p > 0:
                child = self._add(node, EXITED, DONE, outputs)
                share = left_scale if tree.is_barred(child) else scale
                self._place(child, math.log(p), p * share)
                self.left.setdefault(node, []).append(child)
        self._keep_top(node, row)

    def is_behind_verdict(self, node: int) -> bool:
        """True if what leaves the format at a node leaves it behind a risk verdict."""
        return self.grammar.leave(self._states[node]) is not None

    def _behind_label(self, node: int) -> bool:
        """True if the text of a label stands complete at a node, settled or not."""
        labels = (1 << self.tree.empty) - 1
        settled = bool(self.tree.written[node] & labels)
        return settled or self.grammar.automaton.holds_label(self._states[node])

    def _aggregate(
        self, node: int, transitions: Transitions, probs: NDArray[np.float64], scale: float
    ) -> NDArray[np.int64]:
        """One child for all tokens that decide the same; by kind of move."""
        aggregates = np.full(len(transitions.classes), -1, dtype=np.int64)
        for kind, members in enumerate(transitions.classes):
            total = float(probs[members].sum())
            if total <= 0:
                continue
            best = int(members[np.argmax(probs[members])])  # the lowest id of equals
            token = (
                int(transitions.ids[best]) if transitions.next_state[best] == DONE else AGGREGATE
            )
            next_state, outputs = int(transitions.next_state[best]), transitions.outputs[best]
            aggregate = aggregates[kind] = self._add(node, token, next_state, outputs)
            self._place(int(aggregate), math.log(total), total * scale)
        return aggregates

    def _own(self, child: int, index: int, siblings: Siblings) -> None:
        """Take a token out of its aggregate: it has a node of its own. No mass is booked anew."""
        tree, aggregate = self.tree, siblings.aggregate_of(index)
        tree.logp[child] = math.log(float(siblings.probs[index]))
        siblings.probs[index] = 0.0
        left = float(siblings.probs[siblings.classes[siblings.class_of[index]]].sum())
        tree.logp[aggregate] = math.log(left) if left > 0 else -math.inf

    def node_of(self, parent: int, index: int) -> int:
        """The child of an expanded node along a transition, out of its aggregate if need be."""
        siblings = self.siblings[parent]
        transitions = siblings.transitions
        if transitions.next_state[index] == DONE:
            return siblings.aggregate_of(index)
        key = (parent, int(transitions.ids[index]))
        if key not in self._child:
            p = float(siblings.probs[index])
            child = self._add(
                parent, key[1], int(transitions.next_state[index]), transitions.outputs[index]
            )
            self._child[key] = child
            if (bits := self.tree.upcoming.get(siblings.aggregate_of(index))) is not None:
                self.tree.upcoming[child] = bits
            self._own(child, index, siblings)
            self.mass[child] = p * siblings.scale
        return self._child[key]

    def upcoming(self, node: int) -> int:
        """Set of outputs that may be written next from a node."""
        return self.grammar.upcoming.of(self._states[node])

    def note_upcoming(self, node: int) -> None:
        """Note what may be written next at the children of an expanded node.

        Their aggregates are parted, so that what one stands for may all write the same next. No
        mass is booked anew.
        """
        tree, siblings, upcoming = self.tree, self.siblings[node], self.grammar.upcoming
        parts = upcoming.parts(self._states[node], siblings.transitions)
        if siblings.classes is parts.classes:
            return
        aggregates, taken = np.full(len(parts.classes), -1, dtype=np.int64), set[int]()
        for kind, members in enumerate(parts.classes):
            old = siblings.aggregate_of(int(members[0]))
            left = float(siblings.probs[members].sum())
            if old < 0 or not (left > 0 or tree.status[old] == Status.ENDED):
                continue
            aggregates[kind] = aggregate = old
            if old in taken:
                index = int(members[np.argmax(siblings.probs[members])])
                next_state, outputs = (
                    int(siblings.transitions.next_state[index]),
                    siblings.transitions.outputs[index],
                )
                aggregates[kind] = aggregate = self._add(node, AGGREGATE, next_state, outputs)
            taken.add(old)
            if tree.token[aggregate] == AGGREGATE:
                tree.logp[aggregate], self.mass[aggregate] = math.log(left), left * siblings.scale
                if parts.upcoming[kind]:
                    tree.upcoming[aggregate] = parts.upcoming[kind]
        siblings.aggregates, siblings.classes, siblings.class_of = (
            aggregates,
            parts.classes,
            parts.class_of,
        )
        for child in self.children[node]:
            if tree.token[child] != AGGREGATE and tree.status[child] != Status.ENDED:
                if upcoming.first(tree.outputs[child]) is None:
                    tree.upcoming[child] = self.upcoming(child)

    def _keep_top(self, node: int, row: NextTokenLogprobs) -> None:
        """Note the likeliest tokens of the whole row, and where they lead."""
        siblings = self.siblings[node]
        top: list[tuple[int, float, int]] = []
        for rank, (token, logp) in enumerate(row.top[: self._top]):
            at = int(np.searchsorted(siblings.transitions.ids, token))
            child = -1
            if at < len(siblings.transitions.ids) and siblings.transitions.ids[at] == token:
                child = self._child.get((node, token), siblings.aggregate_of(at))
                if rank == 0 and child >= 0:
                    child = self.node_of(node, at)
            elif left := self.left.get(node):
                written = self.grammar.leave(self._states[node], token)
                child = next((n for n in left if self.tree.outputs[n] == written), -1)
            if token >= 0 and token not in self.tree.texts:
                self.tree.texts[token] = self.grammar.vocabulary.bytes_of[token] or b""
            if rank == 0 and child < 0 <= token and self._may_end_by(token, node):
                self.tree.stray_ends[node] = self.grammar.vocabulary.name(token)
            top.append((token, logp, child))
        self.tree.top[node] = tuple(top)

    def _may_end_by(self, token: int, node: int) -> bool:
        """True if a token that leaves the format writes nothing, where the answer could end."""
        if self.grammar.vocabulary.bytes_of[token] is not None:
            return False
        return self.grammar.automaton.end(self._states[node]) is not None

    def step_down(self, node: int, token: int) -> int | None:
        """The child along a token, reserved if the node's row is not known yet."""
        if (child := self._child.get((node, token))) is not None:
            return child
        if (moved := self.grammar.follow(self._states[node], token)) is None or moved[0] == DONE:
            return None
        if (siblings := self.siblings.get(node)) is not None:
            at = int(np.searchsorted(siblings.transitions.ids, token))
            return self.node_of(node, at) if siblings.probs[at] > 0 else None
        child = self._add(node, token, *moved)
        self._child[node, token] = child
        return child

    def probabilities(self, node: int) -> NDArray[np.float64]:
        """(n,) probability of each of the node's moves, as its row gave them."""
        siblings = self.siblings[node]
        probs = siblings.probs.copy()
        for child in self.children[node]:
            token = self.tree.token[child]
            if self._child.get((node, token)) == child:  # neither an aggregate nor an end
                index = int(np.searchsorted(siblings.transitions.ids, token))
                probs[index] = math.exp(self.tree.logp[child])
        return probs

    def too_deep(self, node: int) -> bool:
        """True if the node lies where nothing is expanded."""
        return self.depth[node] >= self.deepest

    def child(self, parent: int, token: int) -> int | None:
        """The node along a token, if it has one of its own."""
        return self._child.get((parent, token))

    def answer(self, node: int) -> bytes:
        """The answer as far as the node, with the beginning that stands in the prompt."""
        return self.grammar.given + self.tree.text(node)

    def way_down(self, node: int, tokens: Sequence[int]) -> list[int]:
        """The nodes along tokens, as far as there are any; those without a row are reserved."""
        nodes: list[int] = []
        for token in tokens:
            child = self.step_down(node, token)
            if child is None:
                break
            nodes.append(node := child)
        return nodes

    def common_prefix(self, node: int) -> list[int]:
        """The nodes below that lead to every label alike: one pass reads them with the node."""
        return self.way_down(
            node, self.grammar.common_prefix(self.answer(node), self._states[node])
        )

    def trie(self, node: int) -> list[int]:
        """The nodes below that spell each label that may come next, to its boundary."""
        paths = self.grammar.spell(self.answer(node), self._states[node])
        return [below for path in paths.values() for below in self.way_down(node, path)]
