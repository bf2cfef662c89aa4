"""Report: a run as one HTML page that a person opens, made without a model."""

from __future__ import annotations

from labelmass.report.explorer import Explorer, explorers
from labelmass.report.gather import Gathered, gather
from labelmass.report.numbers import numbers
from labelmass.report.page import draw, page
from labelmass.report.saving import save_figures

__all__ = [
    "Explorer",
    "Gathered",
    "draw",
    "explorers",
    "gather",
    "numbers",
    "page",
    "save_figures",
]
