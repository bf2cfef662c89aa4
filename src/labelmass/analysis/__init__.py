"""Diagnosis: how a model goes about writing several labels. Formulas: docs/formulas.md#analysis.

Pure functions of saved trees; nothing here reads files or talks to a model.
"""

from __future__ import annotations

from labelmass.analysis.answer import Answer, Item, Kind, LabelStep, read_answer
from labelmass.analysis.counts import Share, Spread, plain
from labelmass.analysis.diagnosis import Diagnosis, diagnose, diagnose_answers
from labelmass.analysis.sweep import SweepPoint, demo_sweep

__all__ = [
    "Answer",
    "Diagnosis",
    "Item",
    "Kind",
    "LabelStep",
    "Share",
    "Spread",
    "SweepPoint",
    "demo_sweep",
    "diagnose",
    "diagnose_answers",
    "plain",
    "read_answer",
]
