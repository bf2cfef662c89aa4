"""Tables as values, and how each is written."""

from __future__ import annotations


def number(value: float | None, digits: int = 3) -> str:
    """A number for a cell: so many decimals, one fewer from 10 on, n/a where there is none."""
    if value is None or value != value:
        return "n/a"
    return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:.{max(digits - 1, 0)}f}"
