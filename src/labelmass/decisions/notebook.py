"""Decisions as a table for a notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from labelmass.present.tables import Cell, Head, Table

if TYPE_CHECKING:
    from labelmass.decisions.decisions import DecisionRow, Decisions

MAX_RECORDS = 20
"""Records shown of a table of decisions."""

STYLES = {"allow": "dim"}
"""By action, its style; other actions are bold."""


def decisions_table(decisions: Decisions, most: int = MAX_RECORDS) -> Table:
    """A row a record: its action, and each label's, with what an exploration left open.

    Args:
        most: Records that are shown.
    """
    heads = ["id", *(Head(name, prose=True) for name in ("action", *decisions.labels))]
    rows = [_row(row) for row in _first(decisions, most).to_rows()]
    total = len(decisions.ids)
    notes = [f"the first {most} of {total:,} records"] if total > most else []
    counts = ", ".join(f"{action} {count:,}" for action, count in decisions.counts.items() if count)
    return Table("", heads, rows, [*notes, f"all records: {counts}"] if counts else notes)


def _first(decisions: Decisions, most: int) -> Decisions:
    return replace(
        decisions,
        ids=decisions.ids[:most],
        outcomes=decisions.outcomes[:most],
        straddles=decisions.straddles[:most],
        unreadable=decisions.unreadable[:most],
        no_verdict=decisions.no_verdict[:most],
        degrees=decisions.degrees[:most],
    )


def _row(row: DecisionRow) -> list[str | Cell]:
    """An id and the actions; `straddles` and `unreadable` mark those that could be another."""
    reasons = [("no verdict", row["no_verdict"]), ("straddles", bool(row["straddles"]))]
    cells: list[str | Cell] = [Cell(str(row.get("id", "")), style="bold")]
    cells.append(_action(row["action"], [reason for reason, holds in reasons if holds]))
    for label, action in row["labels"].items():
        straddles = ["straddles"] if label in row["straddles"] else []
        cells.append(_action(action, ["unreadable"] if label in row["unreadable"] else straddles))
    return cells


def _action(action: str, details: list[str]) -> Cell:
    return Cell(action, details=details, style=STYLES.get(action, "bold"))
