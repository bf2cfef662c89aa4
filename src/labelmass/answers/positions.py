"""Positions and arcs with which answers are read, and the texts that they are built of.

Positions stand between the bytes of an answer; an arc reads one byte and may write one symbol. Arcs
of what models commonly write, and the format does not, are `loose`: where one text can be read in
two ways, the way without them is the one (`answers/automaton.py`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelmass.task.formats import AnswerFormat

DONE = 0
"""The position, and the state, after a complete answer: whatever follows is not part of it."""

BLANKS = " \t\r\n"
CODE_MARKS = ",;"
"""With the blanks, what separates codes behind a risk verdict."""

Arc = tuple[int, int | None, bool]
"""Target of an arc, its symbol, and whether it is loose."""


@dataclass(slots=True)
class Position:
    """A place in an answer.

    arcs: by byte. epsilon: (to, loose) of what is reached without a byte. end: the symbol written
    when the answer ends here; can_end: whether it can. completes: the symbol whose text is complete
    here. starts: an item starts here.
    """

    arcs: dict[int, list[Arc]] = field(default_factory=dict)
    epsilon: list[tuple[int, bool]] = field(default_factory=list)
    end: int | None = None
    can_end: bool = False
    completes: int | None = None
    starts: bool = False

    def edges(self) -> Iterator[tuple[int, int | None]]:
        """Targets of the outgoing edges, each with the symbol written on the way."""
        for arcs in self.arcs.values():
            for to, out, _ in arcs:
                yield to, out
        for to, _ in self.epsilon:
            yield to, None


class Positions(ABC):
    """Positions of the answers in `fmt` over labels given by their spellings, from `origin` on.

    Symbols are label indices 0..k-1, then the empty answer (k), the risk verdict `verdict_prefix`
    (k + 1), `unreadable` (k + 2), and what else a format has.

    Attributes:
        reach: By position, every symbol that some way on from it may write.
        must_write: By position, the labels that can be written next, where no answer is complete
            without one of them; None for the other positions.
    """

    def __init__(self, fmt: AnswerFormat, spellings: Sequence[Sequence[str]]) -> None:
        self.format, self.size = fmt, len(spellings)
        self.empty, self.verdict_prefix = self.size, self.size + 1
        self.positions: list[Position] = []
        self.origin = DONE
        self._usual = fmt.tolerate == "usual"
        self._json = fmt.escape_json
        done = self._new()
        assert done == DONE
        self.positions[DONE].can_end = True
        self._build(spellings)
        self.reach = self._reachable_outputs()
        self.must_write = self._labels_next()

    @abstractmethod
    def _build(self, spellings: Sequence[Sequence[str]]) -> None:
        """Make the positions, from `origin` to `DONE`."""

    def outputs(self, symbol: int) -> tuple[int, ...]:
        """Outputs of the automaton that a symbol writes: itself, and what follows from it."""
        return (symbol,)

    def text_of(self, symbol: int) -> int:
        """The symbol under which a text stands in `Position.completes`."""
        return symbol

    @property
    def risks(self) -> frozenset[int]:
        """Symbols that write a risk verdict."""
        return frozenset({self.verdict_prefix})

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the outputs past `unreadable`."""
        return ()

    def _trie(self, slot: int, spellings: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
        """A trie of the labels as they stand in an answer: the end of each text, and its label."""
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
                yield after, label

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

    def _structure(
        self,
        at: int,
        text: str,
        to: int | None = None,
        out: int | None = None,
        *,
        last: int | None = None,
        inside: bool = False,
    ) -> int:
        """A chain for the opening or the closing text.

        Its first byte writes `out`, its last `last`.

        In the usual reading blanks are as people have them, in JSON anywhere outside of strings.
        inside: whether it begins within a string.
        """
        units = self._units(text)
        for index, unit in enumerate(units):
            writes = out if index == 0 else last if index == len(units) - 1 else None
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
