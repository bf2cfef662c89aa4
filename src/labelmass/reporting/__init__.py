"""Report: a run as one HTML page that a person opens, made without a model."""

from __future__ import annotations

from labelmass.reporting.document import report, save_figures
from labelmass.reporting.explorer import Explorer, explorers
from labelmass.reporting.numbers import numbers
from labelmass.reporting.page import draw, page
from labelmass.reporting.report_data import ReportData, gather

__all__ = [
    "Explorer",
    "ReportData",
    "draw",
    "explorers",
    "gather",
    "numbers",
    "page",
    "report",
    "save_figures",
]
