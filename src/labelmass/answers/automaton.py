"""The byte automaton of an answer format: reads bytes, tells which labels have been written.

It is the format's transducer (`answers/transducer.py`, `answers/field_transducer.py`), determinised
lazily by the subset
construction with delayed outputs: an output comes out when every reading of the bytes agrees on it,
so a label that is the beginning of another, or holds a separator, is credited only once nothing
else is possible. Where readings of one text disagree, one that has kept to the format wins over one
that has taken loose arcs; where all have, those that take more lose. What two then still read
differently is no answer.

Where a format has a verdict, an answer that goes on otherwise than the format says behind a risk
verdict is not off-format: it has left, and what it then has written is said by `leave`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from labelmass.answers.field_transducer import positions_of
from labelmass.answers.positions import DONE
from labelmass.errors import TaskError
from labelmass.task.formats import AnswerFormat

__all__ = ["DONE", "ByteAutomaton", "Outputs", "Span"]

Outputs = tuple[int, ...]
Thread = tuple[int, Outputs, bool]
"""A position, the outputs not yet agreed on, and whether others have kept closer to the format."""
Threads = frozenset[Thread]
Marks = tuple[tuple[int, int, int], ...]  # (output, start, end) of each completed text

NO_VERDICT, PASSED, WRITTEN = 0, 1, 2
"""Stage of a risk verdict in a state: not read, read on the way, or written in every reading."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [start, end) of a label, the verdict, or the empty answer in an answer."""

    output: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _State:
    """threads: the readings. used: labels that may not come again. verdict: of a risk.

    unseparated: every reading has taken loose arcs.
    """

    threads: Threads
    used: frozenset[int] = frozenset()
    verdict: int = NO_VERDICT
    unseparated: bool = False


class ByteAutomaton:
    """The automaton of `fmt` over labels given by their spellings.

    Outputs are label indices 0..k-1, then the empty answer (k), the risk verdict `verdict_prefix`
    (k + 1), `unreadable` (k + 2): the answer left the format behind that verdict; and in a format
    of fields its `values`, by name. States are small integers; `DONE` (0) is the state after a
    complete answer.

    before: bytes of the prompt that are read first, and given: the beginning of the answer that the
    prompt holds; both as they stand, without any tolerance.
    """

    def __init__(
        self,
        fmt: AnswerFormat,
        spellings: Sequence[Sequence[str]],
        *,
        before: bytes = b"",
        given: bytes = b"",
    ) -> None:
        self.format = fmt
        self.spellings = [list(forms) for forms in spellings]
        self.size = len(self.spellings)
        self.empty, self.verdict_prefix, self.unreadable = (self.size + n for n in range(3))
        self.before, self.given = before, given
        self._transducer = positions_of(fmt, spellings)
        self._positions = self._transducer.positions
        self._must_write = self._transducer.must_write
        self._risks = self._transducer.risks
        self.values = self._transducer.values
        self._outputs: dict[int, Outputs] = {}
        self._tracks_used = fmt.repeats == "off-format"
        self._ids: dict[_State, int] = {}
        self._states: list[_State] = []
        self._moves: dict[tuple[int, int], tuple[int, Outputs] | None] = {}
        self._steps: dict[tuple[int, int], tuple[int, Outputs] | None] = {}
        self._ways: dict[int, dict[int, tuple[int, Outputs]]] = {}
        self._held: dict[int, bool] = {}
        self._lead: dict[int, int] = {}  # the byte to read in a state before the answer is free
        self._given_written: Outputs = ()
        self._intern(_State(frozenset({(DONE, (), False)})))
        start = frozenset({(self._transducer.origin, (), False)})
        self.start = self._intern(_State(self._live(self._closure(start), frozenset())))
        if before or given:
            self.start = self._led(before + given)

    # -- reading --------------------------------------------------------------------------------

    def step(self, state: int, byte: int) -> tuple[int, Outputs] | None:
        """State after `byte` and the outputs it settles; None where no answer goes on so."""
        key = (state, byte)
        if key not in self._steps:
            moved = self._move(state, byte)
            self._steps[key] = moved and (moved[0], self._expand(moved[1]))
        return self._steps[key]

    def end(self, state: int) -> Outputs | None:
        """Outputs written if the answer ends here; None where it cannot end."""
        ending = self._end(state)
        return None if ending is None else self._expand(ending)

    def _expand(self, symbols: Outputs) -> Outputs:
        """All that symbols of the transducer write."""
        results: Outputs = ()
        for symbol in symbols:
            if symbol not in self._outputs:
                self._outputs[symbol] = self._transducer.outputs(symbol)
            results += self._outputs[symbol]
        return results

    def _move(self, state: int, byte: int) -> tuple[int, Outputs] | None:
        """`step` in symbols of the transducer."""
        key = (state, byte)
        if key not in self._moves:
            self._moves[key] = self._step(state, byte)
        return self._moves[key]

    def _end(self, state: int) -> Outputs | None:
        """`end` in symbols of the transducer."""
        if state == DONE:
            return ()
        result = self._states[state]
        for unseparated in (False, True):
            endings: set[Outputs] = set()
            for at, pending, more in result.threads:
                if more == unseparated and self._positions[at].can_end:
                    out = self._positions[at].end
                    endings.add(pending if out is None else (*pending, out))
            if len(endings) > 1 and not (unseparated or result.unseparated):
                self._ambiguous(endings)
            if endings:
                return endings.pop() if len(endings) == 1 else None
        return None

    def leave(self, state: int) -> Outputs | None:
        """Outputs written if the answer goes on from here otherwise than the format says.

        None where no risk verdict has been read before: that is off-format.
        """
        left = self._leave(state)
        return None if left is None else self._expand(left)

    def _leave(self, state: int) -> Outputs | None:
        """`leave` in symbols of the transducer."""
        result = self._states[state]
        if result.verdict == NO_VERDICT or state in self._lead:
            return None
        if result.verdict == WRITTEN:
            return (self.unreadable,)
        passed = [pending for _, pending, _ in result.threads if self._risks & set(pending)]
        agreed = _common_prefix(passed) if passed else ()
        verdict = (self.verdict_prefix,) if self._risks.isdisjoint(agreed) else ()
        return (*agreed, *verdict, self.unreadable)

    def ways(self, state: int) -> Mapping[int, tuple[int, Outputs]]:
        """Continuations of an answer by byte: the next state, and the outputs that are settled."""
        if state not in self._ways:
            steps = {byte: self.step(state, byte) for byte in self._bytes(state, (False, True))}
            self._ways[state] = {byte: to for byte, to in steps.items() if to is not None}
        return self._ways[state]

    def _bytes(self, state: int, kinds: tuple[bool, ...]) -> dict[int, None]:
        """The bytes of a state's arcs, by kind: those that are loose, those that are not."""
        if state in self._lead:
            return {self._lead[state]: None}
        results: dict[int, None] = {}
        for unseparated in kinds:
            for at, _pending, more in sorted(self._states[state].threads):
                for byte, arcs in self._positions[at].arcs.items():
                    if byte not in results and any((more or arc[2]) == unseparated for arc in arcs):
                        results[byte] = None
        return results

    def reachable(self, state: int) -> frozenset[int]:
        """Outputs that some way on from here may still write."""
        there = self._states[state]
        results: set[int] = set()
        for at, pending, _ in there.threads:
            results.update(self._expand(pending), self._expand(tuple(self._transducer.reach[at])))
        if there.verdict == PASSED:
            results.add(self.verdict_prefix)
        if there.verdict or self.verdict_prefix in results:
            results.add(self.unreadable)
        if state in self._lead:
            results.update(self._given_written)
        return frozenset(results - there.used)

    def holds_label(self, state: int) -> bool:
        """True if, in some reading, the text of a label is complete and not yet settled."""
        if state not in self._held:
            outputs: set[int] = set()
            for at, pending, _ in self._states[state].threads:
                place = self._positions[at]
                settled = (s for s in (place.completes, place.end) if s is not None)
                outputs.update(self._expand((*pending, *settled)))
            self._held[state] = any(out < self.size for out in outputs)
        return self._held[state]

    def run(self, text: bytes) -> tuple[int, Outputs] | None:
        """State and outputs after `text` from the start; None where it leaves the format."""
        state, written, length = self._read(text)
        return (state, self._expand(written)) if length == len(text) else None

    def parse(self, text: str | bytes) -> list[int] | None:
        """Labels of a complete answer in written order, repeats left out; None if off-format."""
        spans = self.spans(text.encode() if isinstance(text, str) else text)
        if spans is None:
            return None
        return list(dict.fromkeys(s.output for s in spans if s.output < self.size))

    def spans(self, text: bytes, *, partial: bool = False) -> list[Span] | None:
        """Spans of labels, verdict and the empty answer in an answer; None if it is off-format.

        partial: give what is settled so far where the answer was cut, or left behind a verdict.
        """
        state, written, length = self._read(text)
        if length < len(text):
            left = self._leave(state) if partial else None
            if left is None:
                return None
            written += left
        elif not partial:
            ending = self._end(state)
            if ending is None:
                return None
            written += ending
        begin = len(self.before)
        written = tuple(out for out in written if out != self.unreadable)
        located = self._locate(text[begin:length], written, begin)
        spans = [
            Span(output, span.start, span.end)
            for span, symbol in zip(located, written, strict=False)
            for output in self._expand((symbol,))
            if output < self.unreadable
        ]
        if self.empty in self._expand(written[len(located) :]) and located:  # it has no text
            spans.append(replace(located[0], output=self.empty))
        return spans

    def shortest(self, state: int, output: int, *, next_one: bool = True) -> bytes | None:
        """Shortest text from `state` up to, not including, the byte that writes `output`.

        It is on the format's own way. next_one: no other label may be written before it.
        """
        seen, queue = {state}, deque([(state, b"")])
        while queue:
            at, text = queue.popleft()
            ending = self.end(at)
            if ending and output in ending:
                return text
            for byte in self._bytes(at, (False,)):
                moved = self.step(at, byte)
                if moved is None:
                    continue
                to, out = moved
                if output in out:
                    return text
                if to in seen or to == DONE or (next_one and any(o < self.size for o in out)):
                    continue
                seen.add(to)
                queue.append((to, text + bytes([byte])))
        return None

    def _read(self, text: bytes) -> tuple[int, Outputs, int]:
        """State and symbols after as much of `text` as can be read, and how many bytes that is."""
        state, written = self.start, ()
        for length, byte in enumerate(text):
            if state == DONE:
                break
            moved = self._move(state, byte)
            if moved is None:
                return state, written, length
            state, out = moved
            written += out
        return state, written, len(text)

    # -- determinising --------------------------------------------------------------------------

    def _led(self, text: bytes) -> int:
        """A state from which exactly `text` is read, then what may follow a given beginning."""
        state, written, length = self._read(self.given)
        if length < len(self.given) or state == DONE:
            raise TaskError(f"{self.given!r} is not the beginning of an answer that goes on")
        behind, self._given_written = self._states[state], self._expand(written)
        for byte in reversed(text):
            lead = len(self._states)
            self._states.append(behind)
            self._lead[lead] = byte
            self._moves[lead, byte] = state, written
            state, written = lead, ()
        return state

    def _step(self, state: int, byte: int) -> tuple[int, Outputs] | None:
        if state == DONE:
            return DONE, ()
        if state in self._lead:
            return None
        before = self._states[state]
        moved: set[Thread] = set()
        for at, pending, unseparated in before.threads:
            for to, out, looser in self._positions[at].arcs.get(byte, ()):
                if out is None:
                    moved.add((to, pending, unseparated or looser))
                elif not (self._tracks_used and (out in before.used or out in pending)):
                    moved.add((to, (*pending, out), unseparated or looser))
        threads = self._distinguished(self._closure(moved), before.unseparated)
        finished = frozenset(thread for thread in threads if thread[0] == DONE)
        threads = self._live(threads - finished, before.used)
        if finished and all(unseparated >= _least(finished) for _, _, unseparated in threads):
            threads = finished
        if not threads:
            return None
        agreed = _common_prefix([pending for _, pending, _ in threads])
        if threads is finished:
            return DONE, agreed
        least, used = _least(threads), before.used
        if self._tracks_used:
            used = used.union(out for out in agreed if out < self.size)
        after = _State(
            frozenset((at, rest[len(agreed) :], more > least) for at, rest, more in threads),
            used,
            self._verdict(before.verdict, agreed, threads),
            before.unseparated or least,
        )
        return self._intern(after), agreed

    def _verdict(self, before: int, agreed: Outputs, threads: Threads) -> int:
        if before == WRITTEN or not self._risks.isdisjoint(agreed):
            return WRITTEN
        return max(
            before,
            PASSED * any(not self._risks.isdisjoint(pending) for _, pending, _ in threads),
        )

    def _closure(self, threads: Iterable[Thread]) -> Threads:
        found, todo = set(threads), list(threads)
        while todo:
            at, pending, unseparated = todo.pop()
            for to, looser in self._positions[at].epsilon:
                thread = to, pending, unseparated or looser
                if thread not in found:
                    found.add(thread)
                    todo.append(thread)
        return frozenset(found)

    def _live(self, threads: Threads, used: frozenset[int]) -> Threads:
        """Without the readings that could only repeat a label, where repeats are off-format."""
        if not self._tracks_used:
            return threads
        return frozenset(
            (at, pending, unseparated)
            for at, pending, unseparated in threads
            if (labels := self._must_write[at]) is None or labels - used - set(pending)
        )

    def _intern(self, state: _State) -> int:
        if state not in self._ids:
            self._ids[state] = len(self._states)
            self._states.append(state)
        return self._ids[state]

    def _distinguished(self, threads: Threads, unseparated: bool) -> Threads:
        """At each position the reading with fewer loose arcs; none where two are as loose."""
        at: dict[int, tuple[set[Outputs], set[Outputs]]] = {}
        for position, pending, more in threads:
            at.setdefault(position, (set(), set()))[more].add(pending)
        unambiguous: set[Thread] = set()
        for position, (own, others) in at.items():
            if len(own) > 1 and not unseparated:
                self._ambiguous(own)
            parses = list(own or others)
            if len(parses) == 1:
                unambiguous.add((position, parses[0], not own))
        return frozenset(unambiguous)

    def _ambiguous(self, parses: set[Outputs]) -> None:
        names = " or ".join(sorted(repr([self.name(o) for o in r]) for r in parses))
        raise TaskError(
            f"labels cannot be told apart under the {self.format.name} format: one text reads as "
            f"{names}; rename a label, give it a code, or choose another separator"
        )

    def name(self, output: int) -> str:
        """The first spelling of a label, or the word for the empty answer or the verdict."""
        if output < self.size:
            return self.spellings[output][0]
        return (
            (self.format.empty or "the empty answer")
            if output == self.empty
            else (self.format.verdict_prefix or "the verdict prefix")
        )

    def _locate(self, text: bytes, written: Outputs, begin: int) -> list[Span]:
        """Spans of a text known to write these symbols: threads that carry their marks."""
        threads: dict[tuple[int, int], tuple[int, Marks]] = {}  # (position, written so far)

        def add(at: int, done: int, start: int, marks: Marks, offset: int) -> None:
            place = self._positions[at]
            start = offset if place.starts else start
            # a verdict is written by now, a label is with what follows
            output = place.completes
            sure = done + (output not in self._risks)
            if output is not None and len(marks) < sure <= len(written):
                if output == self._transducer.text_of(written[len(marks)]):
                    marks = (*marks, (output, start, offset))
            if (at, done) in threads_next:
                return
            threads_next[at, done] = (start, marks)
            for to, _ in place.epsilon:
                add(to, done, start, marks, offset)

        threads_next = threads
        add(self._transducer.origin, 0, 0, (), 0)
        for offset, byte in enumerate(text):
            threads, threads_next = threads_next, {}
            for (at, done), (start, marks) in threads.items():
                for to, out, _ in self._positions[at].arcs.get(byte, ()):
                    if out is None:
                        add(to, done, start, marks, offset + 1)
                    elif done < len(written) and out == written[done]:
                        add(to, done + 1, start, marks, offset + 1)
            if any(at == DONE for at, _ in threads_next):
                break
        best: Marks = max(
            (marks[: len(written)] for _, marks in threads_next.values()), key=len, default=()
        )
        return [Span(output, begin + start, begin + end) for output, start, end in best]


def _least(threads: Threads) -> bool:
    """True if every one of these readings has taken loose arcs."""
    return all(unseparated for _, _, unseparated in threads)


def _common_prefix(outputs: list[Outputs]) -> Outputs:
    shortest = min(outputs, key=len)
    for index, out in enumerate(shortest):
        if any(other[index] != out for other in outputs):
            return shortest[:index]
    return shortest
