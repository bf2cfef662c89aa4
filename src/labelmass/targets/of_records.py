"""Targets of the records of a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labelmass._settings import expect
from labelmass.errors import TaskError
from labelmass.targets.targets import Targets
from labelmass.task import Record, Task

FIELDS = ("labels", "annotators", "distribution", "unknown")
"""Fields of a record that hold its human labels."""


def targets_of(
    task: Task, records: Iterable[Record], gold: str = "given", group: str = "group"
) -> Targets:
    """Human labels of the records, in the labels of the task (pooled, left out, or implied)."""
    every = list(records)
    for record in every:
        expect("record", record, Record, "a Record: see Record.from_dict")
    results = [record.to_dict() for record in every]
    pool: dict[str, str | None] = {}
    for name in {name for record in results for name in _names(record)}:
        try:
            pool[name] = task.resolve_all(name)
        except TaskError:
            continue  # Targets names the record
    return Targets.from_records(
        results, task.label_names, gold=gold, pool=pool, group=group, resolve=task.resolve
    )


def _names(record: Mapping[str, Any]) -> Iterator[str]:
    """Every name that a record's fields may hold for a label; what is no name, Targets refuses."""
    for key in FIELDS:
        for one in _each(record.get(key)):
            yield from (name for name in _each(one) if isinstance(name, str))


def _each(value: Any) -> Iterable[Any]:
    """Elements of a list, or else the value itself."""
    return value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
