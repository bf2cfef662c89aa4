"""Lists in the cells of a CSV: labels, annotators and messages, which have no columns of their own.

A cell holds a list as JSON, or as Python writes one (pandas does so); or names with a separator
between them.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from labelmass.errors import RecordError
from labelmass.files import parse_json

SEPARATORS = ("|", ";", ",")
"""Between names; the first of these that a cell holds is the one."""

_LISTS = ("unknown", "annotator_ids")
_OBJECTS = ("messages", "distribution")


def read_cells(row: Mapping[str, Any], labels: str = "labels") -> dict[str, Any]:
    """The row with lists in place of the cells that hold some; empty cells are left out.

    `labels`, `unknown` and `annotator_ids` are names with a separator between them; `annotators`
    are such lists with `|` between them, so that `joy;fear||joy` is three annotators, the second of
    whom chose nothing. A cell that begins like a list and is none stays a text, which is refused
    where a list is needed. Values of a workbook that are no texts stay as they are.

    labels: name of the column that holds `labels`.
    """
    results: dict[str, Any] = {}
    for column, cell in row.items():
        if cell in ("", None):
            continue
        results[column] = cell
        if isinstance(cell, str) and column in (labels, *_LISTS, *_OBJECTS, "annotators"):
            try:
                results[column] = _value(column, cell)
            except ValueError:
                continue
    return results


def _value(column: str, cell: str) -> Any:
    """ValueError for what begins like a list and is none."""
    if cell.lstrip().startswith(("[", "{")):
        return _literal(cell)
    if column in _OBJECTS:
        return cell
    if column == "annotators":
        return [_names(one) for one in cell.split("|")]
    return _names(cell)


def _names(cell: str) -> list[str]:
    separator = next((one for one in SEPARATORS if one in cell), None)
    names = cell.split(separator) if separator else [cell]
    return [name.strip() for name in names if name.strip()]


def _literal(cell: str) -> Any:
    """A list or a table as JSON or Python writes it."""
    try:
        return parse_json(cell)
    except RecordError as error:
        wrong = str(error)
    try:
        value = ast.literal_eval(cell.strip())
        words = [token.type for token in tokenize.generate_tokens(io.StringIO(cell).readline)]
    except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        raise ValueError(wrong) from None
    # NumPy writes its arrays without commas, and Python reads 'a' 'b' as 'ab'.
    if any(one == other == tokenize.STRING for one, other in pairwise(words)):
        raise ValueError("two texts without a comma between them")
    return value
