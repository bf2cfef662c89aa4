"""Records and human labels as commands read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import click

from labelmass.cli.progress import say
from labelmass.errors import LabelMassError
from labelmass.records import BadRecord, read_records, settle_fields
from labelmass.records.columns import guesses
from labelmass.records.readers import Item, about_file
from labelmass.targets import Targets, targets_of
from labelmass.targets.of_records import FIELDS
from labelmass.task import Record, Task
from labelmass.task.record import Fields


def note_source(source: str, fields: Fields) -> Fields:
    """Say what was made of a file that its name does not tell.

    Returns:
        The fields, with the columns of text and id that were guessed and said.
    """
    if note := about_file(source, fields):
        say(f"note: {note}")
    settled = settle_fields(source, fields)
    for guess in guesses(fields, settled):
        say(f"note: {guess}")
    return settled


def read_source(source: str, fields: Fields) -> Iterator[Item]:
    """The records of a source; what its reader found out about the file is said first."""
    return read_records(source, fields=note_source(source, fields))


def read_targets(
    source: str, task: Task, fields: Fields, gold: str, group: str = "group"
) -> Targets:
    """Human labels of the records in a file, every one of which must be good."""
    records = list(_good(source, read_source(source, fields)))
    if records and not any(name in record.extra for record in records for name in FIELDS):
        raise click.UsageError(
            f"no record of {source} has `{fields.labels or 'labels'}` or `annotators`: name the "
            "column of human labels with --labels-column"
        )
    warn_of_demonstrations(source, task, records)
    try:
        return targets_of(task, records, gold, group)
    except LabelMassError as error:
        raise type(error)(f"{source}: {error}") from None


def warn_of_shown_records(source: str, task: Task, fields: Fields) -> None:
    """As `warn_of_demonstrations`, of the records of a file; standard input is not read for it."""
    if source != "-":
        items = (item for _, item in read_records(source, fields=fields))
        warn_of_demonstrations(source, task, (x for x in items if isinstance(x, Record)))


def read_demonstrations(source: str, fields: Fields) -> list[dict[str, Any]]:
    """Labelled records of a file, as a task holds demonstrations; their ids do not matter."""
    given = replace(fields, id=None)
    settled = settle_fields(source, given)
    if settled.text != given.text:
        say(f"note: text column of {source}: {settled.text}")
    examples: list[dict[str, Any]] = []
    for record in _good(source, read_records(source, fields=settled)):
        if not isinstance(record.extra.get("labels"), list):
            name = fields.labels or "labels"
            raise click.UsageError(
                f"{source}, record {record.id!r}: a demonstration needs `{name}`, a list "
                "([] in a table where none applies); --labels-column names another column"
            )
        keys = ("text", "messages", "prompt", "response", "labels")
        examples.append({key: one for key, one in record.to_dict().items() if key in keys})
    return examples


def _good(source: str, items: Iterable[Item]) -> Iterator[Record]:
    """The records; UsageError for a bad one."""
    for _, record in items:
        if isinstance(record, BadRecord):
            raise click.UsageError(f"{source}, record {record.id!r}: {record.error}")
        yield record


def warn_of_demonstrations(source: str, task: Task, records: Iterable[Record]) -> None:
    """Say how many of the records to judge by are shown to the model with their labels."""
    examples = task.demonstrations.examples
    if not examples or task.demonstrations.varies:  # where they vary, no record is shown itself
        return
    if count := sum(any(example.shows(record) for example in examples) for record in records):
        say(
            f"warning: {count} of the records of {source} are demonstrations of the task "
            f"{task.name!r}: leave them out of what you fit or judge by"
        )
