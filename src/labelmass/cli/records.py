"""Records and human labels as commands read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from labelmass.cli.progress import say
from labelmass.errors import LabelMassError
from labelmass.records import BadRecord, read_records, settle_fields
from labelmass.records.columns import guesses
from labelmass.records.readers import Item, about_file
from labelmass.targets import Targets, targets_of
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
    records: list[Record] = []
    for _, record in read_source(source, fields):
        if isinstance(record, BadRecord):
            raise click.UsageError(f"{source}, record {record.id!r}: {record.error}")
        records.append(record)
    warn_of_demonstrations(source, task, records)
    try:
        return targets_of(task, records, gold, group)
    except LabelMassError as error:
        raise type(error)(f"{source}: {error}") from None


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
