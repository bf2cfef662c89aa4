"""Fallback for a label whose goal is not reached or that has no guarantee.

To be given a label, or to be reviewed for it, is not to be missed; a label that is never given is
never given wrongly. So some goals are kept by one extreme without any test, and broken by the
other, and the default is the extreme that keeps the goal.
"""

from __future__ import annotations

from labelmass.errors import FitError

UNMET = ("review", "best", "always", "never")
"""Review the label on every record; give it from the best threshold at hand, without a guarantee;
give it to every record; never give it."""

NOTES = {
    "review": "so it goes to review on every record",
    "always": "so it is given to every record",
    "never": "so it is never given",
}
"""Notes of rules that fell back to an extreme."""

HELD_EVERYWHERE = ("recall", "miss-rate", "record-miss-rate")
"""Goals and risks that giving, or reviewing, the label on every record keeps."""


def fallback(kind: str, unmet: str | None = None) -> str:
    """Fallback to use: `unmet` if given, else "review" for goals of recall and "never" for others.

    kind: of a `Goal` or a `Guarantee`. FitError for what is not among `UNMET`.
    """
    if unmet is None:
        return "review" if kind in HELD_EVERYWHERE else "never"
    if unmet not in UNMET:
        raise FitError(f"a goal that is not met falls back to {', '.join(UNMET)}, not {unmet!r}")
    return unmet
