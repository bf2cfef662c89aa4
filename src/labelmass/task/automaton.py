"""The byte automaton of an answer format: reads bytes, tells which labels have been written.

It is a transducer. Positions stand between bytes of the format; an arc reads one byte and may
write one output (a label, `none`, or the gate). A label's output stands on the first byte of the
separator, closing or stop text that follows it, or on the end of the answer: METHODS A.1, A label
is written at its boundary. Determinised lazily by the subset construction with delayed outputs:
an output comes out when every reading of the bytes agrees on it, so a label that is the beginning
of another, or holds a separator, is credited only once nothing else is possible.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelmass.errors import TaskError
from labelmass.task.formats import AnswerFormat

DONE = 0
"""The position, and the state, after a complete answer: whatever follows is not part of it."""

Outputs = tuple[int, ...]
Thread = tuple[int, Outputs]  # position, outputs not yet agreed on
Marks = tuple[tuple[int, int, int], ...]  # (output, start, end) of each completed text


@dataclass(frozen=True, slots=True)
class Span:
    """Where a label (or the gate, or `none`) stands in an answer, in bytes: [start, end)."""

    output: int
    start: int
    end: int


@dataclass(slots=True)
class _Position:
    arcs: dict[int, list[tuple[int, int | None]]] = field(default_factory=dict)  # byte -> to, out
    epsilon: list[int] = field(default_factory=list)
    end: int | None = None  # output written when the answer ends here
    can_end: bool = False
    completes: int | None = None  # the output whose text is complete here
    starts: bool = False  # an item starts here


class ByteAutomaton:
    """The automaton of `fmt` over labels given by their spellings.

    Outputs are label indices 0..k-1, then `none` (k) and the gate (k + 1). States are small
    integers; `DONE` (0) is the state after a complete answer.
    """

    def __init__(self, fmt: AnswerFormat, spellings: Sequence[Sequence[str]]) -> None:
        self.format = fmt
        self.spellings = [list(forms) for forms in spellings]
        self.size = len(self.spellings)
        self.none, self.gate = self.size, self.size + 1
        self._positions: list[_Position] = []
        self._build()
        self._slot_labels = self._labels_below()
        self._reach = self._outputs_ahead()
        self._tracks_used = fmt.repeats == "off-format"
        self._ids: dict[tuple[frozenset[Thread], frozenset[int]], int] = {}
        self._states: list[tuple[frozenset[Thread], frozenset[int]]] = []
        self._steps: dict[tuple[int, int], tuple[int, Outputs] | None] = {}
        self._intern(frozenset({(DONE, ())}), frozenset())
        threads = self._live(self._closure({(self._origin, ())}), frozenset())
        self.start = self._intern(threads, frozenset())

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
        threads, _ = self._states[state]
        endings: set[Outputs] = set()
        for at, pending in threads:
            if self._positions[at].can_end:
                out = self._positions[at].end
                endings.add(pending if out is None else (*pending, out))
        if len(endings) > 1:
            self._ambiguous(endings)
        return next(iter(endings), None)

    def next_bytes(self, state: int) -> list[int]:
        """Bytes an answer may go on with, the ones the format itself would write first."""
        threads, _ = self._states[state]
        found: dict[int, None] = {}
        for at, _pending in sorted(threads):
            found.update(dict.fromkeys(self._positions[at].arcs))
        return [byte for byte in found if self.step(state, byte) is not None]

    def ahead(self, state: int) -> frozenset[int]:
        """Outputs that some completion of the answer may still write."""
        threads, used = self._states[state]
        found: set[int] = set()
        for at, pending in threads:
            found.update(pending, self._reach[at])
        return frozenset(found - used)

    def run(self, text: bytes) -> tuple[int, Outputs] | None:
        """State and outputs after `text` from the start; None where it leaves the format."""
        state, written = self.start, ()
        for byte in text:
            if state == DONE:
                break
            moved = self.step(state, byte)
            if moved is None:
                return None
            state, out = moved
            written += out
        return state, written

    def parse(self, text: str | bytes) -> list[int] | None:
        """Labels of a complete answer in written order, repeats left out; None if off-format."""
        spans = self.spans(text.encode() if isinstance(text, str) else text)
        if spans is None:
            return None
        return list(dict.fromkeys(s.output for s in spans if s.output < self.size))

    def spans(self, text: bytes, *, partial: bool = False) -> list[Span] | None:
        """Where labels, gate and `none` stand in an answer; None if it is off-format.

        partial: the answer was cut; give what is settled so far instead of asking for an end.
        """
        final = self.run(text)
        if final is None:
            return None
        state, written = final
        if not partial:
            ending = self.end(state)
            if ending is None:
                return None
            written += ending
        return self._locate(text, written)

    def shortest(self, state: int, output: int, *, next_one: bool = True) -> bytes | None:
        """Shortest text from `state` up to, not including, the byte that writes `output`.

        next_one: no other label may be written before it.
        """
        seen, queue = {state}, deque([(state, b"")])
        while queue:
            at, text = queue.popleft()
            ending = self.end(at)
            if ending and output in ending:
                return text
            for byte in self.next_bytes(at):
                moved = self.step(at, byte)
                assert moved is not None
                to, out = moved
                if output in out:
                    return text
                if to in seen or to == DONE or (next_one and any(o < self.size for o in out)):
                    continue
                seen.add(to)
                queue.append((to, text + bytes([byte])))
        return None

    # -- determinising --------------------------------------------------------------------------

    def _step(self, state: int, byte: int) -> tuple[int, Outputs] | None:
        if state == DONE:
            return DONE, ()
        threads, used = self._states[state]
        moved: set[Thread] = set()
        for at, pending in threads:
            for to, out in self._positions[at].arcs.get(byte, ()):
                if out is None:
                    moved.add((to, pending))
                elif not (self._tracks_used and (out in used or out in pending)):
                    moved.add((to, (*pending, out)))
        finished = [thread for thread in moved if thread[0] == DONE]
        threads = frozenset(finished) if finished else self._live(self._closure(moved), used)
        if not threads:
            return None
        self._check(threads)
        agreed = _common_prefix([pending for _, pending in threads])
        left = frozenset((at, pending[len(agreed) :]) for at, pending in threads)
        if finished:
            return DONE, agreed
        if self._tracks_used:
            used = used | {out for out in agreed if out < self.size}
        return self._intern(left, used), agreed

    def _closure(self, threads: set[Thread]) -> frozenset[Thread]:
        found, todo = set(threads), list(threads)
        while todo:
            at, pending = todo.pop()
            for to in self._positions[at].epsilon:
                if (to, pending) not in found:
                    found.add((to, pending))
                    todo.append((to, pending))
        return frozenset(found)

    def _live(self, threads: frozenset[Thread], used: frozenset[int]) -> frozenset[Thread]:
        """Without the readings that could only repeat a label, where repeats are off-format."""
        if not self._tracks_used:
            return threads
        return frozenset(
            (at, pending)
            for at, pending in threads
            if (below := self._slot_labels[at]) is None or below - used - set(pending)
        )

    def _intern(self, threads: frozenset[Thread], used: frozenset[int]) -> int:
        key = (threads, used)
        if key not in self._ids:
            self._ids[key] = len(self._states)
            self._states.append(key)
        return self._ids[key]

    def _check(self, threads: frozenset[Thread]) -> None:
        at: dict[int, Outputs] = {}
        for position, pending in threads:
            if at.setdefault(position, pending) != pending:
                self._ambiguous({at[position], pending})

    def _ambiguous(self, readings: set[Outputs]) -> None:
        names = " or ".join(sorted(repr([self.name(o) for o in r]) for r in readings))
        raise TaskError(
            f"labels cannot be told apart under the {self.format.name} format: one text reads as "
            f"{names}; rename a label, give it a code, or choose another separator"
        )

    def name(self, output: int) -> str:
        """The first spelling of a label, or the word for `none` or the gate."""
        if output < self.size:
            return self.spellings[output][0]
        return (self.format.none or "none") if output == self.none else (self.format.gate or "gate")

    def _locate(self, text: bytes, written: Outputs) -> list[Span]:
        """Spans of a text known to write `written`: threads that carry their marks."""
        threads: dict[tuple[int, int], tuple[int, Marks]] = {}  # (position, written so far)

        def add(at: int, done: int, start: int, marks: Marks, offset: int) -> None:
            place = self._positions[at]
            start = offset if place.starts else start
            if place.completes is not None and len(marks) <= done < len(written):
                marks = (*marks, (place.completes, start, offset))
            if (at, done) in threads_next:
                return
            threads_next[at, done] = (start, marks)
            for to in place.epsilon:
                add(to, done, start, marks, offset)

        threads_next = threads
        add(self._origin, 0, 0, (), 0)
        for offset, byte in enumerate(text):
            threads, threads_next = threads_next, {}
            for (at, done), (start, marks) in threads.items():
                for to, out in self._positions[at].arcs.get(byte, ()):
                    if out is None:
                        add(to, done, start, marks, offset + 1)
                    elif done < len(written) and out == written[done]:
                        add(to, done + 1, start, marks, offset + 1)
            if any(at == DONE for at, _ in threads_next):
                break
        best: Marks = max(
            (marks[: len(written)] for _, marks in threads_next.values()), key=len, default=()
        )
        return [Span(*mark) for mark in best]

    # -- building -------------------------------------------------------------------------------

    def _new(self) -> int:
        self._positions.append(_Position())
        return len(self._positions) - 1

    def _arc(self, at: int, byte: int, to: int, out: int | None = None) -> None:
        arcs = self._positions[at].arcs.setdefault(byte, [])
        if (to, out) not in arcs:
            arcs.append((to, out))

    def _text(self, at: int, text: bytes, to: int | None = None, out: int | None = None) -> int:
        """A chain of arcs for `text`, its first one writing `out`; returns where it ends."""
        for index, byte in enumerate(text):
            last = index == len(text) - 1
            target = to if last and to is not None else self._new()
            self._arc(at, byte, target, out if index == 0 else None)
            at = target
        return at

    def _cased(self, at: int, text: str) -> int:
        """A chain for `text` that reads either case where the format ignores it."""
        for char in text:
            target = self._new()
            for form in self._forms(char):
                self._text(at, form.encode(), target)
            at = target
        return at

    def _forms(self, char: str) -> dict[str, None]:
        forms = (char, char.lower(), char.upper()) if self.format.ignore_case else (char,)
        return dict.fromkeys(forms)

    def _blanks(self, at: int) -> int:
        for blank in self.format.blanks:
            self._arc(at, ord(blank), at)
        return at

    def _build(self) -> None:
        fmt = self.format
        done = self._new()
        assert done == DONE
        self._positions[DONE].can_end = True
        self._origin = self._blanks(self._new())
        first = self._blanks(self._text(self._origin, fmt.opening.encode()))
        if fmt.none is not None:
            start = self._new()
            self._positions[start].starts = True
            self._positions[first].epsilon.append(start)
            last = self._cased(start, fmt.none)
            self._finish(last, self.none, separators=())
        slot = self._new()
        self._positions[slot].starts = True
        if fmt.gate is None:
            self._positions[first].epsilon.append(slot)
        else:
            start = self._new()
            self._positions[start].starts = True
            self._positions[first].epsilon.append(start)
            passed = self._cased(start, fmt.gate)
            self._positions[passed].completes = self.gate
            after = self._text(passed, fmt.gate_separator.encode(), out=self.gate)
            self._positions[self._blanks(after)].epsilon.append(slot)
        again = self._blanks(self._new())
        self._positions[again].epsilon.append(slot)
        chains = {} if fmt.single else {text: self._tail(text, again) for text in fmt.separators}
        self._again, self._chain_positions = again, set(chains.values()) - {again}
        self._trie(slot, chains)

    def _trie(self, slot: int, chains: dict[str, int]) -> None:
        children: dict[tuple[int, str], int] = {}
        self._leaves: list[tuple[int, int]] = []
        for label, forms in enumerate(self.spellings):
            for form in dict.fromkeys(forms):
                at = slot
                for char in self.format.spell(form):
                    folded = char.lower() if self.format.ignore_case else char
                    if (at, folded) not in children:
                        children[at, folded] = self._new()
                        for variant in self._forms(char):
                            self._text(at, variant.encode(), children[at, folded])
                    at = children[at, folded]
                after = self._new()
                self._positions[at].epsilon.append(after)
                self._leaves.append((after, label))
                self._finish(after, label, separators=tuple(chains.items()))

    def _tail(self, text: str, to: int) -> int:
        """The position after the first byte of `text`, with the rest of it leading to `to`."""
        rest = text.encode()[1:]
        if not rest:
            return to
        start = self._new()
        self._text(start, rest, to)
        return start

    def _finish(self, at: int, output: int, separators: tuple[tuple[str, int], ...]) -> None:
        """What may follow a complete label or `none`: the boundary that writes it."""
        fmt = self.format
        self._positions[at].completes = output
        self._blanks(at)
        for text, target in separators:
            self._arc(at, text.encode()[0], target, output)
        if fmt.closing is not None:
            self._text(at, fmt.closing.encode(), DONE, output)
            return
        self._positions[at].can_end, self._positions[at].end = True, output
        for stop in fmt.stops:
            self._text(at, stop.encode(), DONE, output)

    def _edges(self, at: int) -> Iterator[tuple[int, int | None]]:
        place = self._positions[at]
        for targets in place.arcs.values():
            yield from targets
        for to in place.epsilon:
            yield to, None

    def _outputs_ahead(self) -> list[frozenset[int]]:
        """For each position, every output some arc beyond it may write."""
        ahead: list[set[int]] = [set() for _ in self._positions]
        changed = True
        while changed:
            changed = False
            for at in reversed(range(len(self._positions))):
                before = len(ahead[at])
                if (out := self._positions[at].end) is not None:
                    ahead[at].add(out)
                for to, out in self._edges(at):
                    ahead[at] |= ahead[to] if out is None else ahead[to] | {out}
                changed |= len(ahead[at]) > before
        return [frozenset(found) for found in ahead]

    def _labels_below(self) -> list[frozenset[int] | None]:
        """For positions that must still write a label: the labels this slot can hold."""
        every = frozenset(range(self.size))
        below: list[frozenset[int] | None] = [None] * len(self._positions)
        parents: dict[int, list[int]] = {}
        for at in range(len(self._positions)):
            for to, out in self._edges(at):
                if out is None and to != at:
                    parents.setdefault(to, []).append(at)
        for leaf, label in self._leaves:
            todo, seen = [leaf], set[int]()
            while todo:
                at = todo.pop()
                if at in seen or at == self._again:
                    continue
                seen.add(at)
                below[at] = (below[at] or frozenset()) | {label}
                if not self._positions[at].starts:
                    todo.extend(parents.get(at, ()))
        todo = [self._again, *self._chain_positions]
        while todo:
            at = todo.pop()
            below[at] = every
            todo.extend(
                to for to, _ in self._edges(at) if to != at and below[to] is None and to != DONE
            )
        return below


def _common_prefix(outputs: list[Outputs]) -> Outputs:
    shortest = min(outputs, key=len)
    for index, out in enumerate(shortest):
        if any(other[index] != out for other in outputs):
            return shortest[:index]
    return shortest
