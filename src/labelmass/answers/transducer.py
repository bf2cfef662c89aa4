"""The positions and arcs with which answers in a format are read, before they are made determinate.

Positions stand between the bytes of an answer; an arc reads one byte and may write one output (a
label, the empty answer, or the risk verdict). A label's output stands on the first byte of the
separator, closing or stop text that follows it, or on the end of the answer: a label is written at
its boundary. A risk verdict's output stands on the last byte of its word.

Arcs of what models commonly write, and the format does not, are `loose`: where one text can be read
in two ways, the way without them is the one (`answers/automaton.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelmass.task.formats import AnswerFormat

DONE = 0
"""The position, and the state, after a complete answer: whatever follows is not part of it."""

BLANKS = " \t\r\n"
CODE_MARKS = ",;"
"""With the blanks, what separates codes behind a risk verdict."""

BULLETS = ("-", "*", "\u2022")
QUOTES = ('"', "'", "`", "**")
"""Marks that models put before and around the items of a plain list."""

Arc = tuple[int, int | None, bool]
"""Target of an arc, its output, and whether it is loose."""


@dataclass(slots=True)
class Position:
    """A place in an answer.

    arcs: by byte. epsilon: (to, loose) of what is reached without a byte. end: the output written
    when the answer ends here; can_end: whether it can. completes: the output whose text is complete
    here. starts: an item starts here.
    """

    arcs: dict[int, list[Arc]] = field(default_factory=dict)
    epsilon: list[tuple[int, bool]] = field(default_factory=list)
    end: int | None = None
    can_end: bool = False
    completes: int | None = None
    starts: bool = False

    def edges(self) -> Iterator[tuple[int, int | None]]:
        """Targets of the outgoing edges, each with the output written on the way."""
        for arcs in self.arcs.values():
            for to, out, _ in arcs:
                yield to, out
        for to, _ in self.epsilon:
            yield to, None


class Transducer:
    """The positions of `fmt` over labels given by their spellings; `origin` is the first.

    Outputs are label indices 0..k-1, then the empty answer (k) and the risk verdict
    `verdict_prefix` (k + 1).
    reach: by position, every output that some way on from it may write.
    must_write: by position, the labels that can be written next, where no answer is complete
        without one of them; None for the other positions.
    """

    def __init__(self, fmt: AnswerFormat, spellings: Sequence[Sequence[str]]) -> None:
        self.format = fmt
        self.size = len(spellings)
        self.empty, self.verdict_prefix = self.size, self.size + 1
        self.positions: list[Position] = []
        self._usual = fmt.tolerate == "usual"
        self._json = fmt.escape_json
        plain = fmt.closing is None and fmt.verdict_prefix is None and fmt.item == "{label}"
        commas = any(text.strip() == "," for text in fmt.separators)
        self._quotes = QUOTES if self._usual and plain else ()
        self._lines = self._usual and plain and commas and not fmt.single
        self._mixes = self._usual and fmt.verdict_prefix is not None
        self._build(spellings)
        self.reach = self._reachable_outputs()
        self.must_write = self._labels_next()

    # -- parts of an answer ---------------------------------------------------------------------

    def _build(self, spellings: Sequence[Sequence[str]]) -> None:
        fmt = self.format
        done = self._new()
        assert done == DONE
        self.positions[DONE].can_end = True
        self.origin = self._blanks(self._new())
        first = self._blanks(self._structure(self._fenced(self.origin), fmt.opening))
        slot = self._start()
        self._again, self._gap = self._new(), self._new()
        self._chains = {} if fmt.single else {t: self._tail(t) for t in fmt.separators}
        self._between(slot)
        if fmt.empty is not None:
            start = self._start()
            self._skip(first, start)
            word = self._word(self._quoted(start), fmt.empty)
            self._after(word, self.empty)
        if fmt.verdict_prefix is None:
            self._skip(first, slot)
        else:
            self._skip(first, start := self._start())
            word = self._word(start, fmt.verdict_prefix, out=self.verdict_prefix)
            self.positions[word].completes = self.verdict_prefix
            self._verdict(word, slot)
        if self._lines:
            self._bullets((first, self._gap), slot)
        self._items(self._quoted(slot), spellings)

    def _fenced(self, at: int) -> int:
        """State in which the opening begins: at once, or after the first line of a code block."""
        if not (self._usual and self._json):
            return at
        inside = self._new()
        self._skip(at, inside)
        fence = self._text(at, b"```", unseparated=True)
        named = self._word(fence, "json")
        for end in (fence, named):
            self._skip(self._blanks(end), inside)
        return inside

    def _verdict(self, at: int, slot: int) -> None:
        """From a risk verdict to the first code."""
        own = self._text(self._blanks(at), self.format.verdict_separator.encode())
        self._skip(self._blanks(own), slot)
        if self._mixes:
            self._loop(at, BLANKS + CODE_MARKS, to=self._again)

    def _between(self, slot: int) -> None:
        """Behind a separator, and in the `gap` behind a blank that is one: an end may follow it."""
        self._skip(self._blanks(self._again), slot)
        if self._mixes:
            self._loop(self._again, CODE_MARKS)
        if not (self._mixes or self._lines):
            return
        self._loop(self._gap, BLANKS)
        self._ends(self._gap, None)
        if not self.format.single:
            self._skip(self._gap, slot)
            self._loop(self._gap, CODE_MARKS, to=self._again)
            for text, target in self._chains.items():
                self._arc(self._gap, text.encode()[0], target)

    def _bullets(self, starts: Sequence[int], slot: int) -> None:
        """A mark and a blank before an item, where a line may start."""
        marked, spaced = self._new(), self._new()
        for start in starts:
            for bullet in BULLETS:
                self._text(start, bullet.encode(), marked, unseparated=True)
        self._loop(marked, BLANKS, to=spaced)
        self._loop(spaced, BLANKS)
        self._skip(spaced, slot)

    def _quoted(self, start: int) -> int:
        """State in which the text of an item begins: at its start, or after a quotation mark."""
        if not self._quotes:
            return start
        inside = self._new()
        self._skip(start, inside)
        for mark in self._quotes:
            self._text(start, mark.encode(), inside, unseparated=True)
        return inside

    def _items(self, slot: int, spellings: Sequence[Sequence[str]]) -> None:
        """A trie of all labels as they stand in an answer."""
        children: dict[tuple[int, str], int] = {}
        for label, forms in enumerate(spellings):
            for form in dict.fromkeys(forms):
                at = slot
                for unit in self._units(self.format.spell(form)):
                    folded = unit.lower() if self.format.ignore_case else unit
                    if (at, folded) not in children:
                        children[at, folded] = self._unit(at, unit)
                    at = children[at, folded]
                after = self._new()
                self._skip(at, after)
                self._after(after, label)

    def _after(self, at: int, output: int) -> None:
        """Allow the continuations of the complete text of a label or of the empty answer."""
        self.positions[at].completes = output
        self._boundary(at, output)
        if self._quotes:
            quoted = self._new()
            for mark in self._quotes:
                self._text(at, mark.encode(), quoted, unseparated=True)
            self._boundary(quoted, output)

    def _boundary(self, at: int, output: int) -> None:
        """The boundary that writes an output whose text is complete."""
        label, parting = output < self.size, ""
        if label:
            for text, target in self._chains.items():
                self._arc(at, text.encode()[0], target, output)
            parting = BLANKS if self._mixes else "\n" if self._lines else ""
            self._loop(at, parting, to=self._gap, out=output)
            if not self.format.single:
                self._optional_separators(at, output)
        self._blanks(at, without=parting)
        self._ends(at, output)
        if self._usual and self.format.closing is None:  # a full stop, which settles nothing
            stop = self._text(at, b".", unseparated=True)
            self._ends(self._blanks(stop), output)

    def _optional_separators(self, at: int, label: int) -> None:
        """Separators without their blanks, and in a list of lines or codes every mark."""
        if self._mixes or self._lines:
            self._loop(at, CODE_MARKS, to=self._again, out=label)
        elif self._usual:
            for text in sorted({text.strip() for text in self._chains} - self._chains.keys()):
                if text and not (text[0].isalnum() or text[-1].isalnum()):
                    self._text(at, text.encode(), self._again, label, unseparated=True)

    def _ends(self, at: int, output: int | None) -> None:
        """The end of the answer, which writes an output if that is still to be done."""
        if self.format.closing is not None:
            self._structure(at, self.format.closing, DONE, output)
            return
        self.positions[at].can_end, self.positions[at].end = True, output
        for stop in self.format.stops:
            self._text(at, stop.encode(), DONE, output)

    # -- texts ----------------------------------------------------------------------------------

    def _new(self) -> int:
        self.positions.append(Position())
        return len(self.positions) - 1

    def _start(self) -> int:
        at = self._new()
        self.positions[at].starts = True
        return at

    def _skip(self, at: int, to: int, *, unseparated: bool = False) -> None:
        self.positions[at].epsilon.append((to, unseparated))

    def _arc(
        self, at: int, byte: int, to: int, out: int | None = None, *, unseparated: bool = False
    ) -> None:
        arcs = self.positions[at].arcs.setdefault(byte, [])
        if (to, out, False) not in arcs and (to, out, unseparated) not in arcs:
            arcs.append((to, out, unseparated))

    def _loop(self, at: int, marks: str, *, to: int | None = None, out: int | None = None) -> None:
        """Loose arcs for single characters, back to `at` or on to another position."""
        for mark in marks:
            self._arc(at, ord(mark), at if to is None else to, out, unseparated=True)

    def _blanks(self, at: int, *, without: str = "") -> int:
        """Blanks at a joint: those of the format, and in the usual reading all."""
        for blank in self.format.blanks:
            if blank not in without:
                self._arc(at, ord(blank), at)
        if self._usual:
            self._loop(at, "".join(blank for blank in BLANKS if blank not in without))
        return at

    def _text(
        self,
        at: int,
        text: bytes,
        to: int | None = None,
        out: int | None = None,
        *,
        unseparated: bool = False,
        last: bool = False,
    ) -> int:
        """A chain of arcs for `text`, its first (or last) one writing `out`; returns its end."""
        for index, byte in enumerate(text):
            final = index == len(text) - 1
            target = to if final and to is not None else self._new()
            writes = final if last else index == 0
            self._arc(
                at, byte, target, out if writes else None, unseparated=unseparated and index == 0
            )
            at = target
        return at

    def _word(self, at: int, text: str, *, out: int | None = None) -> int:
        """A chain for a word, in either case where that is read; its last byte writes `out`."""
        for index, char in enumerate(text):
            at = self._unit(at, char, out if index == len(text) - 1 else None)
        return at

    def _unit(self, at: int, unit: str, out: int | None = None) -> int:
        """The position after a character, or an escape, in all the ways it is read."""
        target = self._new()
        self._text(at, unit.encode(), target, out, last=True)
        cases = {unit.lower(), unit.upper()} - {unit} if len(unit) == 1 else set[str]()
        if not self.format.ignore_case:  # "SS" is not commonly written for an eszett
            cases = {form for form in cases if len(form) == 1 and self._usual}
        for form in sorted(cases):
            unseparated = not self.format.ignore_case
            self._text(at, form.encode(), target, out, unseparated=unseparated, last=True)
        if self._usual and self._json:
            if unit == '"':
                self._text(at, b"'", target, out, unseparated=True, last=True)
            for form in sorted({unit, *cases}):
                if len(form) == 1 and not form.isascii():
                    self._escape(at, form, target, out)
        return target

    def _escape(self, at: int, char: str, to: int, out: int | None) -> None:
        r"""The character as `\u00e9`, or as a pair of such, the digits in either case."""
        pairs = re.findall("....", char.encode("utf-16-be").hex())
        text = "".join(f"\\u{pair}" for pair in pairs)
        for index, byte in enumerate(text.encode()):
            final = index == len(text) - 1
            target = to if final else self._new()
            for form in {byte, ord(chr(byte).upper())} if index % 6 > 1 else {byte}:
                self._arc(at, form, target, out if final else None, unseparated=index == 0)
            at = target

    def _structure(self, at: int, text: str, to: int | None = None, out: int | None = None) -> int:
        """A chain for the opening or the closing text; its first byte writes `out`.

        In the usual reading blanks are as people have them, in JSON anywhere outside of strings.
        """
        inside, units = False, self._units(text)
        for index, unit in enumerate(units):
            writes = out if index == 0 else None
            free = self._usual and not inside
            if free and self._json and index > 0:
                self._loop(at, BLANKS)
            target = self._unit(at, unit, writes)
            if free and unit in BLANKS:
                self._loop(at, BLANKS, to=target, out=writes)
                self._loop(target, BLANKS)
                around = "".join((*units[max(index - 1, 0) : index], *units[index + 1 : index + 2]))
                if writes is None and not around.isalnum():
                    self._skip(at, target, unseparated=True)
            inside ^= self._json and unit == '"'
            at = target
        if to is not None:
            self._skip(at, to)
        return at

    def _tail(self, text: str) -> int:
        """The position after the first byte of a separator, with the rest of it leading on."""
        rest = text.encode()[1:]
        if not rest:
            return self._again
        start = self._new()
        self._text(start, rest, self._again)
        return start

    def _units(self, text: str) -> list[str]:
        """A text as characters; in JSON an escape is one."""
        if not self._json:
            return list(text)
        return re.findall(r"\\u[0-9a-f]{4}|\\.|.", text, re.DOTALL)

    # -- what lies ahead ------------------------------------------------------------------------

    def _reachable_outputs(self) -> list[frozenset[int]]:
        """For each position, every output some way on from it may write."""
        reachable: list[set[int]] = [set() for _ in self.positions]
        changed = True
        while changed:
            changed = False
            for at in reversed(range(len(self.positions))):
                before = len(reachable[at])
                if (out := self.positions[at].end) is not None:
                    reachable[at].add(out)
                for to, out in self.positions[at].edges():
                    reachable[at] |= reachable[to] if out is None else reachable[to] | {out}
                changed |= len(reachable[at]) > before
        return [frozenset(result) for result in reachable]

    def _labels_next(self) -> list[frozenset[int] | None]:
        """For positions from which no answer ends without a label: those that may be next."""
        labels: list[set[int]] = [set() for _ in self.positions]
        free = [place.can_end and place.end is None for place in self.positions]
        changed = True
        while changed:
            changed = False
            for at in reversed(range(len(self.positions))):
                before = len(labels[at]), free[at]
                place = self.positions[at]
                ways = [*place.edges(), *([(DONE, place.end)] if place.can_end else [])]
                for to, out in ways:
                    if out is not None and out < self.size:
                        labels[at].add(out)
                    else:
                        labels[at] |= labels[to]
                        free[at] |= free[to]
                changed |= (len(labels[at]), free[at]) != before
        return [
            None if able else frozenset(found) for found, able in zip(labels, free, strict=True)
        ]
