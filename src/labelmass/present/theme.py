"""The colours of pages and figures, light and dark."""

from __future__ import annotations

COLOURS = ("#0060a8", "#a84300", "#00684a", "#8a3a78", "#6b5a00", "#4f46b8")
"""Colours of lines and dots; each has a dash or a marker of its own as well."""
TEXT, MUTED, LINE, PAGE, HEAT = "#1b1f24", "#57606a", "#d0d7de", "#ffffff", "#8ec5f0"

VARIABLES = {
    TEXT: "currentColor",
    MUTED: "var(--soft)",
    LINE: "var(--line)",
    PAGE: "var(--page)",
    HEAT: "var(--heat)",
    **{colour: f"var(--c{number})" for number, colour in enumerate(COLOURS)},
}
"""Names of the colours on a page, whose style gives each a light and a dark value."""

ON_ANY_PAGE = {
    "red": "#d0403a",
    "yellow": "#96700e",
    "green": "#2a8a3c",
    "cyan": "#16859a",
    "dim": "#7b7b7b",
}
"""Colours of text in a notebook, whose page may be light or dark and does not say which: each reads
on either, at a contrast of 3.9 or more."""
