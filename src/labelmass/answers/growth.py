"""Growth of an answer tree, row by row: nodes, lumps of what is not looked at, masses, the account.

What to expand is the search's affair (`answers/search.py`); here it is done and booked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Normalisation
from labelmass.answers.automaton import DONE, Outputs
from labelmass.answers.grammar import Moves, TokenGrammar
from labelmass.answers.ledger import Ledger
from labelmass.answers.tree import LEFT, LUMP, ROOT, AnswerTree, Status
from labelmass.lm.base import Row


@dataclass(slots=True)
class Siblings:
    """The admissible tokens after a node that are not nodes yet, likeliest first.

    Together they stand in the tree as lumps, one for each way of deciding outputs.
    """

    moves: Moves
    order: NDArray[np.int64]  # indices of moves that do not end the answer
    probs: NDArray[np.float64]  # by index of moves; 0 once the token has a node of its own
    scale: float  # from probability to mass
    lumps: NDArray[np.int64]  # by kind of move; -1 where there is no probability
    kinds: tuple[NDArray[np.int64], ...]  # indices of the moves of each kind
    kind_of: NDArray[np.int64]  # by index of moves

    def lump_of(self, index: int) -> int:
        """The lump a move stands in."""
        return int(self.lumps[self.kind_of[index]])

    def within(self, lump: int) -> NDArray[np.float64]:
        """By index of moves, the probabilities of those in a lump; 0 for the others."""
        return np.where(self.lumps[self.kind_of] == lump, self.probs, 0.0)


class Growth:
    """A tree with what its growth needs: grammar states, masses in one normalisation, siblings.

    depth: tokens past which nothing is expanded. top: how many likeliest ids of each row to keep.
    stuck: open mass that matters and that no row can change. left: by node, its children that left
    the format behind a risk verdict.
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
            has_none=automaton.format.none is not None,
            has_gate=automaton.format.gate is not None,
            spellings=tuple(forms[0] for forms in automaton.spellings),
        )
        self.ledger = Ledger(len(labels), normalisation, verdict=self.tree.has_gate)
        self.mass: list[float] = []
        self.depth: list[int] = []
        self.children: list[list[int]] = []
        self.siblings: dict[int, Siblings] = {}
        self.left: dict[int, list[int]] = {}
        self.stuck = 0.0
        self.deepest, self._top = depth, max(top, 1)
        self._states: list[int] = []
        self._ahead_of: dict[int, int] = {}
        self._child: dict[tuple[int, int], int] = {}
        self._add(ROOT, -1, grammar.start, grammar.written)
        self._place(ROOT, 0.0, 1.0)

    def moves(self, node: int) -> Moves:
        """The admissible tokens after a node."""
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
        self.depth.append(self.depth[parent] + 1 if node else 0)
        self.mass.append(0.0)
        self.children.append([])
        if node:
            self.children[parent].append(node)
        return node

    def _place(self, node: int, logp: float, mass: float) -> None:
        """Give a node, or a lump of them, its probability, and book its mass."""
        tree, ledger = self.tree, self.ledger
        tree.logp[node], self.mass[node] = logp, mass
        before = tree.written[tree.parent[node]] if node else 0
        for out in tree.outputs[node]:
            if not before >> out & 1:
                ledger.find(out, mass)
                before |= 1 << out
        if tree.status[node] == Status.ENDED:
            ledger.end(tree.written[node], mass)
            return
        undecided = self.undecided(node)
        ledger.open(undecided, mass)
        if self.depth[node] >= self.deepest and ledger.matters(undecided):
            self.stuck += mass

    def undecided(self, node: int) -> int:
        """What the answers below a node have not decided yet, as a set of outputs."""
        return self.ledger.undecided(self.tree.written[node], self.tree.ahead[node])

    def expand(self, node: int, row: Row) -> None:
        """Book the row of a node: its children, and what leaves the format."""
        tree, moves, mass = self.tree, self.moves(node), self.mass[node]
        came = ~np.isnan(row.logprobs)
        asked = np.where(came, np.exp(row.logprobs), 0.0)
        ends = np.cumsum([len(moves.ids), *map(len, moves.leaving.values())])
        probs, *parts = np.split(asked, ends)
        after = float(parts.pop().sum())
        left = dict(zip(moves.leaving, (float(part.sum()) for part in parts), strict=True))
        complete = bool(came[: ends[-1]].all()) and (row.complete or not came.all())
        rest = max(row.rest, 0.0) + after
        if not complete:
            rest, left = rest + sum(left.values()), {}
        elif (outputs := self.grammar.leave(self._states[node])) is not None:
            left[outputs] = rest
        tree.status[node] = Status.EXPANDED
        if row.scale is not None:
            tree.scale[node] = row.scale
        off = rest if complete and not left else 0.0
        tree.off[node], tree.tail[node] = off, 0.0 if complete else rest
        if self._behind_label(node):
            after = off
        if min(after, off) > 0:
            tree.after[node] = after
        undecided = self.undecided(node)
        self.ledger.open(undecided, -mass)
        scale = left_scale = mass
        if self.ledger.normalisation is Normalisation.MASKED:
            settling = sum(p for outputs, p in left.items() if tree.gate in outputs)
            allowed = float(probs.sum()) + tree.tail[node] + settling
            lost = sum(left.values()) - settling
            scale = mass / allowed if allowed > 0 else 0.0
            left_scale = mass / lost if allowed <= 0 < lost else 0.0
        if tail := tree.tail[node] * scale:
            self.ledger.open(undecided, tail)
            self.stuck += tail if self.ledger.matters(undecided) else 0.0
        reserved = list(self.children[node])  # asked for before this row was known
        lumps = self._lump(node, moves, probs, scale)
        siblings = Siblings(moves, moves.onward, probs, scale, lumps, moves.kinds, moves.kind_of)
        self.siblings[node] = siblings
        for child in reserved:
            index = int(np.searchsorted(moves.ids, tree.token[child]))
            if probs[index] > 0:
                self._own(child, index, siblings)
                self.mass[child] = scale * math.exp(tree.logp[child])
        siblings.order = moves.onward[np.argsort(-probs[moves.onward], kind="stable")]
        for outputs, p in left.items():
            if p > 0:
                child = self._add(node, LEFT, DONE, outputs)
                share = left_scale if tree.is_barred(child) else scale
                self._place(child, math.log(p), p * share)
                self.left.setdefault(node, []).append(child)
        self._keep_top(node, row)

    def is_behind_verdict(self, node: int) -> bool:
        """Whether what leaves the format at a node leaves it behind a risk verdict."""
        return self.grammar.leave(self._states[node]) is not None

    def _behind_label(self, node: int) -> bool:
        """Whether the text of a label stands complete at a node, settled or not."""
        labels = (1 << self.tree.none) - 1
        settled = bool(self.tree.written[node] & labels)
        return settled or self.grammar.automaton.holds_label(self._states[node])

    def _lump(
        self, node: int, moves: Moves, probs: NDArray[np.float64], scale: float
    ) -> NDArray[np.int64]:
        """One child for all tokens that decide the same; by kind of move."""
        lumps = np.full(len(moves.kinds), -1, dtype=np.int64)
        for kind, members in enumerate(moves.kinds):
            total = float(probs[members].sum())
            if total <= 0:
                continue
            best = int(members[np.argmax(probs[members])])  # the lowest id of equals
            token = int(moves.ids[best]) if moves.to[best] == DONE else LUMP
            to, outputs = int(moves.to[best]), moves.outputs[best]
            lump = lumps[kind] = self._add(node, token, to, outputs)
            self._place(int(lump), math.log(total), total * scale)
        return lumps

    def _own(self, child: int, index: int, siblings: Siblings) -> None:
        """Take a token out of its lump: it has a node of its own. No mass is booked anew."""
        tree, lump = self.tree, siblings.lump_of(index)
        tree.logp[child] = math.log(float(siblings.probs[index]))
        siblings.probs[index] = 0.0
        left = float(siblings.probs[siblings.kinds[siblings.kind_of[index]]].sum())
        tree.logp[lump] = math.log(left) if left > 0 else -math.inf

    def node_of(self, parent: int, index: int) -> int:
        """The child of an expanded node along one of its moves, made if it is still in a lump."""
        siblings = self.siblings[parent]
        moves = siblings.moves
        if moves.to[index] == DONE:
            return siblings.lump_of(index)
        key = (parent, int(moves.ids[index]))
        if key not in self._child:
            p = float(siblings.probs[index])
            child = self._add(parent, key[1], int(moves.to[index]), moves.outputs[index])
            self._child[key] = child
            if (bits := self.tree.upcoming.get(siblings.lump_of(index))) is not None:
                self.tree.upcoming[child] = bits
            self._own(child, index, siblings)
            self.mass[child] = p * siblings.scale
        return self._child[key]

    def upcoming(self, node: int) -> int:
        """What may be written next from a node, as a set of outputs."""
        return self.grammar.upcoming.of(self._states[node])

    def note_upcoming(self, node: int) -> None:
        """Note what may be written next at the children of an expanded node.

        Their lumps are parted, so that what one stands for may all write the same next. No mass is
        booked anew.
        """
        tree, siblings, upcoming = self.tree, self.siblings[node], self.grammar.upcoming
        parts = upcoming.parts(self._states[node], siblings.moves)
        if siblings.kinds is parts.kinds:
            return
        lumps, taken = np.full(len(parts.kinds), -1, dtype=np.int64), set[int]()
        for kind, members in enumerate(parts.kinds):
            old = siblings.lump_of(int(members[0]))
            left = float(siblings.probs[members].sum())
            if old < 0 or not (left > 0 or tree.status[old] == Status.ENDED):
                continue
            lumps[kind] = lump = old
            if old in taken:
                index = int(members[np.argmax(siblings.probs[members])])
                to, outputs = int(siblings.moves.to[index]), siblings.moves.outputs[index]
                lumps[kind] = lump = self._add(node, LUMP, to, outputs)
            taken.add(old)
            if tree.token[lump] == LUMP:
                tree.logp[lump], self.mass[lump] = math.log(left), left * siblings.scale
                if parts.upcoming[kind]:
                    tree.upcoming[lump] = parts.upcoming[kind]
        siblings.lumps, siblings.kinds, siblings.kind_of = lumps, parts.kinds, parts.kind_of
        for child in self.children[node]:
            if tree.token[child] != LUMP and tree.status[child] != Status.ENDED:
                if upcoming.first(tree.outputs[child]) is None:
                    tree.upcoming[child] = self.upcoming(child)

    def _keep_top(self, node: int, row: Row) -> None:
        """Note the likeliest tokens of the whole row, and where they lead."""
        siblings = self.siblings[node]
        kept: list[tuple[int, float, int]] = []
        for rank, (token, logp) in enumerate(row.top[: self._top]):
            at = int(np.searchsorted(siblings.moves.ids, token))
            child = -1
            if at < len(siblings.moves.ids) and siblings.moves.ids[at] == token:
                child = self._child.get((node, token), siblings.lump_of(at))
                if rank == 0 and child >= 0:
                    child = self.node_of(node, at)
            elif left := self.left.get(node):
                written = self.grammar.leave(self._states[node], token)
                child = next((n for n in left if self.tree.outputs[n] == written), -1)
            if token >= 0 and token not in self.tree.texts:
                self.tree.texts[token] = self.grammar.vocabulary.bytes_of[token] or b""
            if rank == 0 and child < 0 <= token and self._may_end_by(token, node):
                self.tree.stray_ends[node] = self.grammar.vocabulary.name(token)
            kept.append((token, logp, child))
        self.tree.top[node] = tuple(kept)

    def _may_end_by(self, token: int, node: int) -> bool:
        """Whether a token that leaves the format writes nothing, where the answer could end."""
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
            at = int(np.searchsorted(siblings.moves.ids, token))
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
            if self._child.get((node, token)) == child:  # neither a lump nor an end
                index = int(np.searchsorted(siblings.moves.ids, token))
                probs[index] = math.exp(self.tree.logp[child])
        return probs

    def too_deep(self, node: int) -> bool:
        """Whether the node lies where nothing is expanded."""
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

    def stem(self, node: int) -> list[int]:
        """The nodes below that lead to every label alike: one pass reads them with the node."""
        return self.way_down(node, self.grammar.stem(self.answer(node), self._states[node]))

    def trie(self, node: int) -> list[int]:
        """The nodes below that spell each label that may come next, to its boundary."""
        paths = self.grammar.spell(self.answer(node), self._states[node])
        return [below for path in paths.values() for below in self.way_down(node, path)]
