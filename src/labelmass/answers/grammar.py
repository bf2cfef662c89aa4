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

from labelmass.answers.upcoming import Upcoming
from labelmass.errors import TaskError
from labelmass.lm.base import Tokenizer
from labelmass.task.automaton import DONE, ByteAutomaton, Outputs


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
        """What a token is called, for people."""
        return self._tokenizer.token_name(token)

    def whole(self, prefix: bytes, low: int, high: int) -> int:
        """The end of those tokens in [low, high) that are `prefix`, where all begin with it."""
        while low < high and self.texts[low] == prefix:
            low += 1
        return low

    def longer(self, prefix: bytes, low: int, high: int) -> dict[int, tuple[int, int]]:
        """By their next byte, the ranges of the tokens in [low, high) that go on after `prefix`."""
        key = low, high, len(prefix)
        if key not in self._longer:
            found: dict[int, tuple[int, int]] = {}
            while low < high:
                byte, first = self.texts[low][len(prefix)], low
                low = high
                if byte < 255:
                    low = bisect_left(self.texts, prefix + bytes([byte + 1]), first, high)
                found[byte] = first, low
            self._longer[key] = found
        return self._longer[key]


@dataclass(frozen=True, slots=True)
class Moves:
    """The admissible tokens of a state.

    ids: (n,) int64, rising.
    to: the state each leads to; `DONE` where it completes the answer.
    outputs: what each settles as written, in order.
    kinds: the indices of those that decide the same: what is written, what still may be, and
        whether the answer is over. kind_of: (n,) which of them each is in.
    onward: the indices of those that do not end the answer.
    lost: (m,) int64, rising: tokens that run over the end of a label and then leave the format.
    """

    ids: NDArray[np.int64]
    to: list[int]
    outputs: list[Outputs]
    kinds: tuple[NDArray[np.int64], ...]
    kind_of: NDArray[np.int64]
    onward: NDArray[np.int64]
    lost: NDArray[np.int64]

    @property
    def asked(self) -> NDArray[np.int64]:
        """(n + m,) the ids whose probabilities are wanted: those admissible, then those lost."""
        return np.concatenate([self.ids, self.lost]) if len(self.lost) else self.ids


class TokenGrammar:
    """The tokens an answer may go on with, state by state.

    States are those of the byte automaton. Ids that end the model's turn are moves to `DONE`
    where the format can end; elsewhere they leave the format.

    A token that leaves the format is off-format, or where a risk verdict was written before it, an
    answer whose rest cannot be read. Where the token itself writes the verdict, or a label behind
    it, and then leaves, it is a move to `DONE`; in a state behind the verdict, all tokens that are
    no moves end the answer so (`leave`).

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
        self._moves: dict[int, Moves] = {}
        self._stems: dict[tuple[bool, int, int], list[int]] = {}
        self._strict = ByteAutomaton(
            automaton.format.strict(),
            automaton.spellings,
            before=automaton.before,
            given=automaton.given,
        )

    def moves(self, state: int) -> Moves:
        """The admissible tokens at `state`."""
        if state not in self._moves:
            self._moves[state] = self._cross(state)
        return self._moves[state]

    def leave(self, state: int) -> Outputs | None:
        """What the tokens write that are no moves of a state; None if they are off-format."""
        return self.automaton.leave(state)

    def follow(self, state: int, token: int) -> tuple[int, Outputs] | None:
        """State and outputs after one token; None if it is no move of the state."""
        if token in self.vocabulary.end_ids:
            outputs = self.automaton.end(state)
            return None if outputs is None else (DONE, outputs)
        text, written, rest = self.vocabulary.bytes_of[token], (), self.leave(state)
        if not text:
            return None
        for byte in text:
            moved = self.automaton.step(state, byte)
            if moved is None:
                left = self._left(state, written, rest)
                return None if left is None else (DONE, left)
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
        wanted = {o for o in automaton.ahead(at) if o <= automaton.none}
        for output in sorted(wanted):
            text = automaton.shortest(at, output)
            if text is not None and (path := self._tokens(state, text)) is not None:
                paths[output] = path
        return paths

    def stem(self, answer: bytes, state: int) -> list[int]:
        """The tokens with which an answer goes on from `state` whichever label comes next.

        In the format's own way; [] where the labels part at once.
        """
        automaton, at = self._own_way(answer, state)
        key = automaton is self._strict, state, at
        if key not in self._stems:
            ahead = [o for o in automaton.ahead(at) if o < automaton.size]
            ahead.sort(key=lambda output: automaton.spellings[output][0])
            paths: list[list[int]] = []
            for some in (ahead, ahead[::-1]):  # what these two share, all share
                texts = (automaton.shortest(at, output, next_one=False) for output in some)
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

    def _cross(self, state: int) -> Moves:
        ids: list[int] = []
        to: list[int] = []
        outputs: list[Outputs] = []
        lost: list[int] = []
        vocabulary, automaton = self.vocabulary, self.automaton
        rest, labelled = automaton.leave(state), automaton.holds_label(state)
        todo: list[tuple[int, bytes, Outputs, int, int]] = [
            (state, b"", (), 0, len(vocabulary.texts))
        ]

        def end(tokens: list[int], written: Outputs) -> None:
            ids.extend(tokens)
            to.extend([DONE] * len(tokens))
            outputs.extend([written] * len(tokens))

        while todo:
            at, prefix, written, low, high = todo.pop()
            if at == DONE:
                end(vocabulary.ids[low:high].tolist(), written)
                continue
            whole = vocabulary.whole(prefix, low, high)
            ids.extend(vocabulary.ids[low:whole].tolist())
            to.extend([at] * (whole - low))
            outputs.extend([written] * (whole - low))
            ways = automaton.ways(at)
            left = self._left(at, written, rest) if prefix else None
            loses = bool(prefix) and not labelled and self._has_label(at, written)
            for byte, (first, last) in vocabulary.longer(prefix, whole, high).items():
                if (moved := ways.get(byte)) is not None:
                    there, settled = moved
                    todo.append((there, prefix + bytes([byte]), written + settled, first, last))
                elif left is not None:
                    end(vocabulary.ids[first:last].tolist(), left)
                elif loses and rest is None:
                    lost += vocabulary.ids[first:last].tolist()
        if (ending := automaton.end(state)) is not None:
            end(list(vocabulary.end_ids), ending)
        order = np.argsort(np.array(ids, dtype=np.int64), kind="stable").tolist()
        to, outputs = [to[i] for i in order], [outputs[i] for i in order]
        decided: dict[tuple[Outputs, tuple[int, ...], bool], list[int]] = {}
        for index, (there, written) in enumerate(zip(to, outputs, strict=True)):
            over = there == DONE
            key = written, () if over else tuple(automaton.ahead(there)), over
            decided.setdefault(key, []).append(index)
        kinds = tuple(np.array(members, dtype=np.int64) for members in decided.values())
        kind_of = np.zeros(len(ids), dtype=np.int64)
        for kind, members in enumerate(kinds):
            kind_of[members] = kind
        onward = np.flatnonzero(np.array(to) != DONE) if to else kind_of
        return Moves(
            np.array(ids, dtype=np.int64)[order],
            to,
            outputs,
            kinds,
            kind_of,
            onward,
            np.array(sorted(lost), dtype=np.int64),
        )

    def _left(self, state: int, written: Outputs, rest: Outputs | None) -> Outputs | None:
        """What a token has written that leaves from `state`, where that makes a move of it.

        written: what it settled before. rest: what the tokens write that are no moves.
        """
        left = self.automaton.leave(state)
        return None if left is None or written + left == rest else written + left

    def _has_label(self, state: int, written: Outputs) -> bool:
        """Whether a label stands complete, settled or not."""
        if written and min(written) < self.automaton.size:
            return True
        return self.automaton.holds_label(state)
