"""Options and input of the commands that read records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labelmass._ranges import COUNT
from labelmass.cli.numbers import number

if TYPE_CHECKING:
    from labelmass.records.readers import Item
    from labelmass.task.record import Fields

F = TypeVar("F", bound=Callable[..., Any])


def records_options(command: F) -> F:
    """--text-column, --id-column."""
    for option in (
        click.option(
            "--id-column",
            metavar="NAME",
            help="Column, or field of JSON, that holds a record's id. Default: id.",
        ),
        click.option(
            "--text-column",
            metavar="NAME",
            help="Column, or field of JSON, that holds a record's text. Default: text.",
        ),
    ):
        command = option(command)
    return command


def cutting_option(command: F) -> F:
    """--max-text-tokens."""
    return click.option(
        "--max-text-tokens",
        type=number(COUNT),
        metavar="N",
        help="Show no more of a text than its first N tokens; results say which were cut.",
    )(command)


def fields_of(options: dict[str, Any]) -> Fields:
    """What the options say that text and id are called."""
    from labelmass.task.record import Fields

    return Fields(options["text_column"], options["id_column"])


def read_source(source: str, options: dict[str, Any]) -> Iterator[Item]:
    """The records of a source; what its reader found out about the file is said first."""
    from labelmass.records import read_records

    note_source(source, options)
    return read_records(source, fields=fields_of(options))


def note_source(source: str, options: dict[str, Any]) -> None:
    """Say what was made of a file that its name does not tell."""
    from labelmass.records.readers import about_file

    if note := about_file(source, fields_of(options)):
        click.echo(f"note: {note}", err=True)
