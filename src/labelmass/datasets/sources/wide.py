"""Tables of one's own: a column for each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import Table, is_index, read_table
from labelmass.errors import LabelMassError
from labelmass.files import ending

_ABOUT = ("id", "text", "prompt", "response", "split", "group")


def read(files: Sequence[SourceFile]) -> Reading:
    """Every column with none of the known names is a label."""
    reading = Reading()
    for file in files:
        separator = "\t" if ending(file.name) == ".tsv" else None
        table = read_table(file, (), separator, wanted=_ABOUT)
        labels = [column for column in table.others(*_ABOUT) if not is_index(column)]
        texts = [column for column in _ABOUT[1:4] if column in table.columns]
        if texts not in (["text"], ["prompt", "response"]) or not labels:
            raise _wrong(table)
        for row in table:
            votes = {label: row.vote(label) for label in labels}
            reading.records.append(
                make_record(
                    row.get("id") or f"{file.name.partition('.')[0]}-{row.line}",
                    [label for label, vote in votes.items() if vote],
                    **dict[str, Any]({column: row[column] for column in texts}),
                    unknown=[label for label, vote in votes.items() if vote is None],
                    split=row.get("split"),
                    group=row.get("group"),
                )
            )
    return reading


def _wrong(table: Table) -> LabelMassError:
    return table.file.error(
        1,
        "expected a column text, or prompt and response, and a column for each label (columns: "
        f"{', '.join(table.columns)})",
    )


WIDE = Source(
    "wide-csv",
    "your own table: a text, and a column of 0, 1 or nothing for each label",
    "your own",
    "your own",
    "any .csv or .tsv with a column text, or prompt and response; id, split and group if you like",
    (
        "every other column is a label: 1, 1.0 and True are yes, 0, 0.0 and False are no, an empty "
        "cell is unknown",
        "a column without a name, as pandas writes its index, is left out",
        "without an id, a record is called by file and line",
    ),
    read,
)
