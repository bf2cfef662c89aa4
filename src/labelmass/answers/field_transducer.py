"""The positions and arcs with which an answer of fields is read, see `task/fields.py`.

What has been chosen decides what may follow, so the positions behind a field come once for every
choice that matters to a later one: whether it was a risk, and the values that a `when` names.

A value that is a risk is written with its last byte, whatever follows; every other value, and a
label in a list, at its boundary. The end of an answer without a risk writes `empty`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from labelmass.answers.positions import BLANKS, CODE_MARKS, DONE, Positions
from labelmass.answers.transducer import Transducer
from labelmass.task.fields import Field, FieldFormat, Value
from labelmass.task.formats import AnswerFormat
from labelmass.task.questions import BREAKS

STOP = "."
"""A full stop, which models put behind an answer."""

Symbols = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What was chosen before: whether a risk, and the values of choices that are named later."""

    risk: bool = False
    choices: tuple[tuple[str, str], ...] = ()


class FieldTransducer(Positions):
    """The positions of answers in a format of fields.

    Symbols past `unreadable` are the values (`FieldFormat.value_names`), in order, and then those
    for the end of an answer: a last value, or a last label, with the empty answer.
    """

    format: FieldFormat

    def _build(self, spellings: Sequence[Sequence[str]]) -> None:
        fmt = self.format
        self._spellings = spellings
        self._first_value = self.size + 3
        self._number = {
            name: self._first_value + number for number, name in enumerate(fmt.value_names)
        }
        self._together: dict[Symbols, int] = {}
        self._named = {name for field in fmt.fields for name, _ in field.when}
        self._entries: dict[tuple[int, Context], int] = {}
        self._again: dict[tuple[int, Context], int] = {}  # behind a mark between labels
        self.origin = self._blanks(self._new())
        opened = self._blanks(self._structure(self.origin, fmt.opening))
        self._follow(opened, (), 0, Context())

    # -- symbols --------------------------------------------------------------------------------

    @cached_property
    def _writes(self) -> dict[int, Symbols]:
        """What each value writes besides itself, by symbol."""
        results: dict[int, Symbols] = {}
        for field in self.format.fields:
            for value in field.values:
                risk = (self.verdict_prefix,) if value.risk else ()
                results[self._number[field.name, value.name]] = (*value.labels, *risk)
        return results

    def outputs(self, symbol: int) -> Symbols:
        for symbols, number in self._together.items():
            if number == symbol:
                return tuple(out for one in symbols for out in self.outputs(one))
        return (*self._writes.get(symbol, ()), symbol)

    def text_of(self, symbol: int) -> int:
        return next((s[0] for s, number in self._together.items() if number == symbol), symbol)

    @property
    def risks(self) -> frozenset[int]:
        return frozenset(s for s, writes in self._writes.items() if self.verdict_prefix in writes)

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(f"{field}: {value}" for field, value in self.format.value_names)

    def _symbol(self, symbols: Symbols) -> int | None:
        """One symbol for several that are written at once."""
        if len(symbols) < 2:
            return symbols[0] if symbols else None
        first = self._first_value + len(self._number)
        return self._together.setdefault(symbols, first + len(self._together))

    # -- parts of an answer ---------------------------------------------------------------------

    def _follow(
        self,
        at: int,
        symbols: Symbols,
        index: int,
        context: Context,
        *,
        ending: str = BLANKS + STOP,
    ) -> None:
        """Go on from `at`, a boundary that writes `symbols`, to a field or to the end.

        ending: Marks that may stand before the end: blanks, a full stop.
        """
        fields = self.format.fields
        if index == len(fields):
            self._finish(at, symbols, context, ending=ending)
            return
        field, choices = fields[index], dict(context.choices)
        allowed = field.holds(choices)
        if not allowed and field.none is None:
            self._follow(at, symbols, index + 1, context, ending=ending)
            return
        if field.optional:
            self._follow(at, symbols, index + 1, context, ending=ending)
        entry = self._entry(index, context, allowed)
        if not field.lead:
            self._skip(at, entry)
            return
        symbol = self._symbol(symbols)
        if field.lead.strip():
            self._structure(at, field.lead, entry, symbol, inside=self._in_string(index))
            return
        self._text(at, field.lead.encode(), entry, symbol)
        if self._usual and (index, context) in self._again:
            self._loop(at, BLANKS + CODE_MARKS, to=self._again[index, context], out=symbol)
        elif self._usual:
            self._loop(at, BLANKS, to=entry, out=symbol)

    def _finish(self, at: int, symbols: Symbols, context: Context, *, ending: str) -> None:
        """The end of the answer, which writes what is still to be written."""
        symbol = self._symbol(symbols if context.risk else (*symbols, self.empty))
        fmt, place = self.format, self.positions[at]
        if BLANKS in ending:
            self._blanks(at)
        if fmt.closing is not None and len(fmt.closing) > 1:
            last = None if context.risk else self.empty
            inside, first = self._in_string(len(fmt.fields)), self._symbol(symbols)
            self._structure(at, fmt.closing, DONE, first, last=last, inside=inside)
            return
        if fmt.closing is not None:
            self._structure(at, fmt.closing, DONE, symbol)
            return
        place.can_end, place.end = True, symbol
        for stop in (*fmt.stops, *(BREAKS if fmt.word_ends else ())):
            self._text(at, stop.encode(), DONE, symbol)
        if self._usual and STOP in ending and not fmt.word_ends:
            stop = self._text(at, b".", unseparated=True)
            after = self.positions[self._blanks(stop)]
            after.can_end, after.end = True, symbol

    def _in_string(self, index: int) -> bool:
        """True if, in JSON, a string is open before the lead of a field."""
        texts = self.format.opening, *(field.lead for field in self.format.fields[:index])
        return self._json and "".join(texts).count('"') % 2 == 1

    def _entry(self, index: int, context: Context, allowed: bool) -> int:
        """The position before the text of a field."""
        key = index, context
        if key not in self._entries:
            start = self._entries[key] = self._blanks(self._start())
            field = self.format.fields[index]
            if field.values:
                for value in field.values:
                    self._value(start, field, value, index, context)
            else:
                self._list(start, field, index, context, allowed)
        return self._entries[key]

    def _value(self, start: int, field: Field, value: Value, index: int, context: Context) -> None:
        symbol = self._number[field.name, value.name]
        chosen = context.choices
        if field.name in self._named:
            chosen = (*chosen, (field.name, value.name))
        then = Context(context.risk or value.risk, chosen)
        for spelling in dict.fromkeys(value.spellings):
            end = self._word(start, spelling, out=symbol if value.risk else None)
            self.positions[end].completes = symbol
            after = self._new()
            self._skip(end, after)
            self._follow(after, () if value.risk else (symbol,), index + 1, then)

    def _list(self, slot: int, field: Field, index: int, context: Context, allowed: bool) -> None:
        if field.none is not None:
            symbol = self._number[field.name, field.none]
            end = self._word(slot, field.none)
            self.positions[end].completes = symbol
            after = self._new()
            self._skip(end, after)
            self._follow(after, (symbol,), index + 1, context)
        if not allowed:
            return
        again, gap = self._new(), self._new()
        self._skip(self._blanks(again), slot)
        mixes = self._usual and context.risk
        if mixes:
            self._again[index, context] = again
            self._loop(again, CODE_MARKS)
            self._loop(gap, BLANKS)
            self._follow(gap, (), index + 1, context, ending="")
            if not field.single:
                self._loop(gap, CODE_MARKS, to=again)
                self._skip(gap, slot)
        forms = [
            list(texts) if label in field.labels else []
            for label, texts in enumerate(self._spellings)
        ]
        for after, label in self._trie(slot, forms):
            self.positions[after].completes = label
            for text in () if field.single else field.separators:
                self._text(after, text.encode(), again, label)
            if mixes:
                self._loop(after, BLANKS, to=gap, out=label)
            if mixes and not field.single:
                self._loop(after, CODE_MARKS, to=again, out=label)
            ending = STOP if mixes else BLANKS + STOP  # blanks lead to the gap
            self._follow(after, (label,), index + 1, context, ending=ending)


def positions_of(fmt: AnswerFormat, spellings: Sequence[Sequence[str]]) -> Positions:
    """The positions of answers in any format."""
    kind = FieldTransducer if isinstance(fmt, FieldFormat) else Transducer
    return kind(fmt, spellings)
