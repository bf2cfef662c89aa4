"""Groups of records, named by a field, in which errors are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labelmass._text import nearest
from labelmass.errors import LabelMassError
from labelmass.task import Record

MAX_GROUPS = 50
"""Most groups that are told apart: with more, a field names records rather than groups."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of records by a field of theirs.

    Attributes:
        names: Names of the groups that each record is in, by its id; none, one or several.
    """

    field: str
    names: Mapping[str | int, frozenset[str]]

    @classmethod
    def of(cls, field: str, records: Mapping[str | int, Record]) -> Groups:
        """LabelMassError if no record has the field, or if it holds no names of groups."""
        names = {key: _names(field, record) for key, record in records.items()}
        values = {name for one in names.values() for name in one}
        if not values:
            fields = sorted({key for record in records.values() for key in record.extra})
            raise LabelMassError(f"no record has the field {field!r}{nearest(field, fields)}")
        if len(values) > MAX_GROUPS:
            raise LabelMassError(
                f"the field {field!r} has {len(values)} values: errors are counted in at most "
                f"{MAX_GROUPS} groups"
            )
        return cls(field, names)

    def rows(self, ids: Iterable[str | int]) -> list[frozenset[str]]:
        """The groups of these records, in their order."""
        return [self.names[key] for key in ids]


def _names(field: str, record: Record) -> frozenset[str]:
    value = record.extra.get(field)
    values = value if isinstance(value, list | tuple) else [value]
    for one in values:
        if one is not None and not isinstance(one, str | int | float):
            raise LabelMassError(
                f"record {record.id!r}: {field} is {value!r}, not the name of a group or a list of "
                "such names"
            )
    return frozenset(str(one) for one in values if one is not None and one != "")
