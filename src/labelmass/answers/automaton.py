"""The byte automaton of an answer format: reads bytes, tells which labels have been written.

It is the format's transducer (`answers/transducer.py`), determinised lazily by the subset
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
from dataclasses import dataclass

from labelmass.answers.transducer import DONE, Transducer
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
    (k + 1), and `unreadable` (k + 2): the answer left the format behind that verdict. States are
    small integers; `DONE` (0) is the state after a complete answer.

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
        self._transducer = Transducer(fmt, spellings)
        self._positions = self._transducer.positions
        self._must_write = self._transducer.must_write
        self._tracks_used = fmt.repeats == "off-format"
        self._ids: dict[_State, int] = {}
        self._states: list[_State] = []
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
            self._steps[key] = self._step(state, byte)
        return self._steps[key]

    def end(self, state: int) -> Outputs | None:
        """Outputs written if the answer ends here; None where it cannot end."""
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
        result = self._states[state]
        if result.verdict == NO_VERDICT or state in self._lead:
            return None
        if result.verdict == WRITTEN:
            return (self.unreadable,)
        passed = [pending for _, pending, _ in result.threads if self.verdict_prefix in pending]
        return (*(_common_prefix(passed) if passed else (self.verdict_prefix,)), self.unreadable)

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
            results.update(pending, self._transducer.reach[at])
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
            outputs: set[int | None] = set()
            for at, pending, _ in self._states[state].threads:
                place = self._positions[at]
                outputs.update(pending, (place.completes, place.end))
            self._held[state] = any(out is not None and out < self.size for out in outputs)
        return self._held[state]

    def run(self, text: bytes) -> tuple[int, Outputs] | None:
        """State and outputs after `text` from the start; None where it leaves the format."""
        state, written, length = self._read(text)
        return (state, written) if length == len(text) else None

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
            left = self.leave(state) if partial else None
            if left is None:
                return None
            written += left
        elif not partial:
            ending = self.end(state)
            if ending is None:
                return None
            written += ending
        begin = len(self.before)
        return self._locate(
            text[begin:length], tuple(o for o in written if o <= self.verdict_prefix), begin
        )

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
        """State and outputs after as much of `text` as can be read, and how many bytes that is."""
        state, written = self.start, ()
        for length, byte in enumerate(text):
            if state == DONE:
                break
            moved = self.step(state, byte)
            if moved is None:
                return state, written, length
            state, out = moved
            written += out
        return state, written, len(text)

    # -- determinising --------------------------------------------------------------------------

    def _led(self, text: bytes) -> int:
        """A state from which exactly `text` is read, then what may follow a given beginning."""
        begun = self.run(self.given)
        if begun is None or begun[0] == DONE:
            raise TaskError(f"{self.given!r} is not the beginning of an answer that goes on")
        state, written = begun
        behind, self._given_written = self._states[state], written
        for byte in reversed(text):
            lead = len(self._states)
            self._states.append(behind)
            self._lead[lead] = byte
            self._steps[lead, byte] = state, written
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
        if before == WRITTEN or self.verdict_prefix in agreed:
            return WRITTEN
        return max(
            before, PASSED * any(self.verdict_prefix in pending for _, pending, _ in threads)
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
        """Spans of a text known to write `written`: threads that carry their marks."""
        threads: dict[tuple[int, int], tuple[int, Marks]] = {}  # (position, written so far)

        def add(at: int, done: int, start: int, marks: Marks, offset: int) -> None:
            place = self._positions[at]
            start = offset if place.starts else start
            # a verdict is written by now, a label is with what follows
            output = place.completes
            sure = done + (output != self.verdict_prefix)
            if output is not None and len(marks) < sure <= len(written):
                if output == written[len(marks)]:
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
