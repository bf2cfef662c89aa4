"""Report: a run as one HTML page that a person opens, made without a model."""

from __future__ import annotations

from labelmass.report.gather import Gathered, gather
from labelmass.report.page import draw, numbers, page
from labelmass.report.saving import save_figures

__all__ = ["Gathered", "draw", "gather", "numbers", "page", "save_figures"]
