"""The positions and arcs with which a list of labels is read, before they are made determinate.

An arc may write one output: a label, the empty answer, or the risk verdict. A label's output stands
on the first byte of the separator, closing or stop text that follows it, or on the end of the
answer: a label is written at its boundary. A risk verdict's output stands on the last byte of its
word.
"""

from __future__ import annotations

from collections.abc import Sequence

from labelmass.answers.positions import BLANKS, CODE_MARKS, DONE, Position, Positions

__all__ = ["DONE", "Position", "Transducer"]

BULLETS = ("-", "*", "\u2022")
QUOTES = ('"', "'", "`", "**")
"""Marks that models put before and around the items of a plain list."""


class Transducer(Positions):
    """The positions of answers that list labels."""

    # -- parts of an answer ---------------------------------------------------------------------

    def _build(self, spellings: Sequence[Sequence[str]]) -> None:
        fmt = self.format
        plain = fmt.closing is None and fmt.verdict_prefix is None and fmt.item == "{label}"
        commas = any(text.strip() == "," for text in fmt.separators)
        self._quotes = QUOTES if self._usual and plain else ()
        self._lines = self._usual and plain and commas and not fmt.single
        self._mixes = self._usual and fmt.verdict_prefix is not None
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
        for after, label in self._trie(self._quoted(slot), spellings):
            self._after(after, label)

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

    def _tail(self, text: str) -> int:
        """The position after the first byte of a separator, with the rest of it leading on."""
        rest = text.encode()[1:]
        if not rest:
            return self._again
        start = self._new()
        self._text(start, rest, self._again)
        return start
