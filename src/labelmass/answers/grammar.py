"""The grammar over tokens: the format's byte automaton crossed with a vocabulary.

At a state, a token is admissible if its bytes can be read from there. Every tokenisation of every
answer is covered, and nothing else. The vocabulary is kept sorted by bytes, so a common beginning
is a contiguous range and the product is a walk down shrinking ranges.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.automaton import DONE, ByteAutomaton, Outputs
from labelmass.answers.upcoming import Upcoming
from labelmass.errors import TaskError
from labelmass.lm.base import Tokenizer


class Vocabulary:
    """The tokens that write text, sorted by their bytes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        pairs = sorted((b, i) for i, b in enumerate(tokenizer.token_bytes) if b)
        self.texts: list[bytes] = [text for text, _ in pairs]
        self.ids = np.array([i for _, i in pairs], dtype=np.int64)
        self.end_ids = tuple(sorted(tokenizer.end_ids))
        self.bytes_of = tokenizer.token_bytes
        self.encode = tokenizer.encode
        self._longer: dict[tuple[int, int, int], dict[int, tuple[int, int]]] = {}
        self._tokenizer = tokenizer

    def name(self, token: int) -> str:
        """Display name of a token."""
        return self._tokenizer.token_name(token)

    def whole(self, prefix: bytes, low: int, high: int) -> int:
        """The end of those tokens in [low, high) that are `prefix`, where all begin with it."""
        while low < high and self.texts[low] == prefix:
            low += 1
        return low

    def longer(self, prefix: bytes, low: int, high: int) -> dict[int, tuple[int, int]]:
        """Ranges, by next byte, of the tokens in [low, high) that continue after `prefix`."""
        key = low, high, len(prefix)
        if key not in self._longer:
            results: dict[int, tuple[int, int]] = {}
            while low < high:
                byte, first = self.texts[low][len(prefix)], low
                low = high
                if byte < 255:
                    low = bisect_left(self.texts, prefix + bytes([byte + 1]), first, high)
                results[byte] = first, low
            self._longer[key] = results
        return self._longer[key]


@dataclass(frozen=True, slots=True)
class Transitions:
    """The admissible tokens of a state.

    ids: (n,) int64, rising.
    next_state: (n,) the state each leads to; `DONE` where it completes the answer.
    outputs: (n,) what each settles as written, in order.
    classes: the indices of those that decide the same: what is written, what still may be, and
        whether the answer is over. class_of: (n,) which of them each is in.
    continuing: the indices of those that do not end the answer.
    leaving: tokens that are no moves, of a state behind a risk verdict: by what they write before
        they leave the format, more than all others do, their ids.
    lost: tokens that run over the end of a label and then leave the format, elsewhere.
    """

    ids: NDArray[np.int64]
    next_state: NDArray[np.int64]
    outputs: NDArray[np.object_]
    classes: tuple[NDArray[np.int64], ...]
    class_of: NDArray[np.int64]
    continuing: NDArray[np.int64]
    leaving: dict[Outputs, NDArray[np.int64]]
    lost: NDArray[np.int64]

    @property
    def queried_ids(self) -> NDArray[np.int64]:
        """The ids whose probabilities are wanted: those admissible, those leaving, those lost."""
        if not self.leaving and not len(self.lost):
            return self.ids
        return np.concatenate([self.ids, *self.leaving.values(), self.lost])


class TokenGrammar:
    """The tokens an answer may go on with, state by state.

    States are those of the byte automaton. Ids that end the model's turn are moves to `DONE`
    where the format can end; elsewhere they leave the format.

    A token that leaves the format is off-format, or where a risk verdict was written before it, an
    answer whose rest cannot be read. Where the token itself writes the verdict and then leaves, it
    is a move to `DONE`; behind the verdict, all tokens that are no moves end the answer so.

    given: the beginning of the answer that stands in the prompt already. start, written: the state
    after it, and what it settled.
    """

    def __init__(
        self, automaton: ByteAutomaton, vocabulary: Vocabulary, given: bytes = b""
    ) -> None:
        self.automaton = automaton
        self.vocabulary = vocabulary
        self.given = given
        self.upcoming = Upcoming(automaton)
        begun = automaton.run(given)
        if begun is None or begun[0] == DONE:
            raise TaskError(f"{given!r} is not the beginning of an answer that goes on")
        self.start, self.written = begun
        self._moves: dict[int, Transitions] = {}
        self._stems: dict[tuple[bool, int, int], list[int]] = {}
        self._strict = ByteAutomaton(
            automaton.format.strict(),
            automaton.spellings,
            before=automaton.before,
            given=automaton.given,
        )

    def transitions(self, state: int) -> Transitions:
        """The admissible tokens at `state`."""
        if state not in self._moves:
            self._moves[state] = self._cross(state)
        return self._moves[state]

    def leave(self, state: int, token: int | None = None) -> Outputs | None:
        """Outputs written when an answer leaves the format from a state behind a risk verdict.

        None in any other state. token: the one that leaves, which may write a label before it does;
        by default most others.
        """
        rest = self.automaton.leave(state)
        if rest is None or token is None:
            return rest
        written: Outputs = ()
        for byte in self.vocabulary.bytes_of[token] or b"":
            if (moved := self.automaton.step(state, byte)) is None:
                break
            state, out = moved
            written += out
        return written + (self.automaton.leave(state) or rest)

    def follow(self, state: int, token: int) -> tuple[int, Outputs] | None:
        """State and outputs after one token; None if it is no move of the state."""
        if token in self.vocabulary.end_ids:
            outputs = self.automaton.end(state)
            return None if outputs is None else (DONE, outputs)
        text, written, behind = self.vocabulary.bytes_of[token], (), self.leave(state) is not None
        if not text:
            return None
        for byte in text:
            moved = self.automaton.step(state, byte)
            if moved is None:
                left = None if behind else self.automaton.leave(state)
                return None if left is None else (DONE, written + left)
            state, out = moved
            written += out
        return state, written

    def spell(self, answer: bytes, state: int) -> dict[int, list[int]]:
        """For each output that may be written next, the tokens that spell it from `state`.

        answer: the bytes that led to `state`. The text is what the format itself would write (its
        first separator and spelling), tokenised as the tokenizer would; it stops before the
        boundary, whose mass is read in the row of the last token.
        """
        automaton, at = self._own_way(answer, state)
        paths: dict[int, list[int]] = {}
        wanted = {o for o in automaton.reachable(at) if o <= automaton.empty}
        for output in sorted(wanted):
            text = automaton.shortest(at, output)
            if text is not None and (path := self._tokens(state, text)) is not None:
                paths[output] = path
        return paths

    def common_prefix(self, answer: bytes, state: int) -> list[int]:
        """The tokens with which an answer goes on from `state` whichever label comes next.

        In the format's own way; [] where the labels part at once.
        """
        automaton, at = self._own_way(answer, state)
        key = automaton is self._strict, state, at
        if key not in self._stems:
            reachable = [o for o in automaton.reachable(at) if o < automaton.size]
            reachable.sort(key=lambda output: automaton.spellings[output][0])
            paths: list[list[int]] = []
            for outputs in (reachable, reachable[::-1]):  # what these two share, all share
                texts = (automaton.shortest(at, output, next_one=False) for output in outputs)
                # nothing is left to write of a label that only lacks its boundary
                paths.append(self._tokens(state, next(filter(None, texts), b"")) or [])
            alike = takewhile(lambda pair: pair[0] == pair[-1], zip(*paths, strict=False))
            self._stems[key] = [tokens[0] for tokens in alike]
        return self._stems[key]

    def _own_way(self, answer: bytes, state: int) -> tuple[ByteAutomaton, int]:
        """The automaton of what the format itself writes, where `answer` is that so far."""
        strict = self._strict.run(answer)
        return (self.automaton, state) if strict is None else (self._strict, strict[0])

    def _tokens(self, state: int, text: bytes) -> list[int] | None:
        """`text` as the tokenizer writes it, or in longest tokens where that does not fit."""
        try:
            ids = self.vocabulary.encode(text.decode())
        except UnicodeDecodeError:
            ids = []
        if b"".join(self.vocabulary.bytes_of[i] or b"" for i in ids) == text:
            return ids
        ids, rest = [], text
        while rest:
            for length in range(len(rest), 0, -1):
                at = bisect_left(self.vocabulary.texts, rest[:length])
                if at < len(self.vocabulary.texts) and self.vocabulary.texts[at] == rest[:length]:
                    ids.append(int(self.vocabulary.ids[at]))
                    rest = rest[length:]
                    break
            else:
                return None
        return ids

    def _cross(self, state: int) -> Transitions:
        vocabulary, automaton = self.vocabulary, self.automaton
        rest, labelled = automaton.leave(state), automaton.holds_label(state)
        results: dict[tuple[int, Outputs], list[int]] = {}  # where to, what is written -> ids
        leaving: dict[Outputs, list[int]] = {}
        lost: list[int] = []
        todo: list[tuple[int, bytes, Outputs, int, int]] = [
            (state, b"", (), 0, len(vocabulary.texts))
        ]

        def add(next_state: int, written: Outputs, low: int, high: int) -> None:
            if low < high:
                results.setdefault((next_state, written), []).extend(
                    vocabulary.ids[low:high].tolist()
                )

        while todo:
            at, prefix, written, low, high = todo.pop()
            if at == DONE:
                add(DONE, written, low, high)
                continue
            whole = vocabulary.whole(prefix, low, high)
            add(at, written, low, whole)
            ways = automaton.ways(at)
            left = automaton.leave(at) if prefix else None
            loses = bool(prefix) and not labelled and self._has_label(at, written)
            for byte, (first, last) in vocabulary.longer(prefix, whole, high).items():
                if (moved := ways.get(byte)) is not None:
                    there, settled = moved
                    todo.append((there, prefix + bytes([byte]), written + settled, first, last))
                elif left is None:
                    lost += vocabulary.ids[first:last].tolist() if loses else []
                elif rest is None:
                    add(DONE, written + left, first, last)
                elif written + left != rest:
                    ids = leaving.setdefault(written + left, [])
                    ids += vocabulary.ids[first:last].tolist()
        if vocabulary.end_ids and (ending := automaton.end(state)) is not None:
            results.setdefault((DONE, ending), []).extend(vocabulary.end_ids)
        return self._transitions_of(results, leaving, lost)

    def _transitions_of(
        self,
        found: dict[tuple[int, Outputs], list[int]],
        leaving: dict[Outputs, list[int]],
        lost: list[int],
    ) -> Transitions:
        automaton, count = self.automaton, len(found)
        decided: dict[tuple[Outputs, frozenset[int], bool], list[int]] = {}
        next_state, outputs = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.object_)
        ids, way_of = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        for way, ((there, written), members) in enumerate(found.items()):
            over = there == DONE
            key = written, frozenset() if over else automaton.reachable(there), over
            decided.setdefault(key, []).append(way)
            next_state[way], outputs[way] = there, written
            ids = np.concatenate([ids, np.array(members, dtype=np.int64)])
            way_of = np.concatenate([way_of, np.full(len(members), way, dtype=np.int64)])
        order = np.argsort(ids)
        ids, way_of = ids[order], way_of[order]
        classes = [np.flatnonzero(np.isin(way_of, ways)) for ways in decided.values()]
        classes.sort(key=lambda members: int(members[0]))
        class_of = np.zeros(len(ids), dtype=np.int64)
        for kind, members in enumerate(classes):
            class_of[members] = kind
        return Transitions(
            ids,
            next_state[way_of],
            outputs[way_of],
            tuple(classes),
            class_of,
            np.flatnonzero(next_state[way_of] != DONE),
            {written: np.array(tokens, dtype=np.int64) for written, tokens in leaving.items()},
            np.array(lost, dtype=np.int64),
        )

    def _has_label(self, state: int, written: Outputs) -> bool:
        """True if a label stands complete, settled or not."""
        if written and min(written) < self.automaton.size:
            return True
        return self.automaton.holds_label(state)
