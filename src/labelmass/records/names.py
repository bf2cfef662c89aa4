"""Names of records without an id: their line numbers, unless another record has that id.

Results, targets and decisions are joined by id, so two records of one name would be mixed. Where a
record has the number 7 for its id, the one on line 7 that has none is called "line 7".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import count
from typing import Any, Protocol, cast

from labelmass.errors import RecordError
from labelmass.task.record import Record
from labelmass.task.values import read_id


class Names(Protocol):
    """Names of the records of one input, asked for in their order."""

    def given(self, value: Any, line: int) -> str | int | None:
        """The id that a record brings; None for none, RecordError for what cannot be one."""
        ...

    def of(self, line: int) -> str | int:
        """Id of the record on a line that has none."""
        ...


class RowNames:
    """Names where all rows can be read again, so that none is given to two, whatever their order.

    rows: gives all rows anew; it is asked when the first without an id comes.
    """

    def __init__(self, rows: Callable[[], Iterable[Any]], field: str) -> None:
        self._rows, self._field = rows, field

    def given(self, value: Any, line: int) -> str | int | None:
        return read_id(value)

    def of(self, line: int) -> str | int:
        return free(line, self._taken)

    @cached_property
    def _taken(self) -> frozenset[str]:
        """The ids that rows bring, as texts, as far as they are like those given here."""
        results = (_id(row, self._field) for row in self._rows())
        return frozenset(name for name in results if name is not None and _like_ours(name))


class StreamNames:
    """Names where rows come once: whoever comes first has the name.

    A record whose id was given to an earlier one without is refused. Memory is flat however many
    rows have no id, or ids that are no numbers.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._called = _Runs()
        self._otherwise: dict[str, int] = {}

    def given(self, value: Any, line: int) -> str | int | None:
        name = read_id(value)
        if name is None:
            return None
        if (other := self._line_of(str(name))) is not None:
            raise RecordError(
                f"the record on line {other} has no id and is called {name!r} by its line, as this "
                "one is: give every record an id"
            )
        if _like_ours(str(name)):
            self._taken.add(str(name))
        return name

    def of(self, line: int) -> str | int:
        name = free(line, self._taken)
        if name == line:
            self._called.add(line)
        else:
            self._otherwise[str(name)] = line
        return name

    def _line_of(self, name: str) -> int | None:
        """The line of the record without an id that is called so."""
        if name in self._otherwise:
            return self._otherwise[name]
        line = int(name) if name.isascii() and name.isdecimal() and len(name) < 19 else 0
        return line if str(line) == name and line in self._called else None


class _Runs:
    """A set of whole numbers that are added in rising order, as runs of neighbours."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, number: int) -> None:
        if self._ends and self._ends[-1] == number:
            self._ends[-1] += 1
        else:
            self._starts.append(number)
            self._ends.append(number + 1)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number < self._ends[at]


def free(line: int, taken: Iterable[str]) -> str | int:
    """The line's number, or the first name made of it that is not taken."""
    if str(line) not in taken:
        return line
    others = (f"line {line}" + (f" ({n})" if n > 1 else "") for n in count(1))
    return next(name for name in others if name not in taken)


def _like_ours(name: str) -> bool:
    return name.isdecimal() or name.startswith("line ")


def _id(row: Any, field: str) -> str | None:
    """The id in a row as a text; None for a row that has none, or a wrong one."""
    if isinstance(row, Record):
        return str(row.id)
    if not isinstance(row, Mapping):
        return None
    try:
        name = read_id(cast("Mapping[str, Any]", row).get(field))
    except RecordError:
        return None
    return None if name is None else str(name)
