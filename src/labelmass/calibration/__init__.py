"""Calibrators: scores made to match annotators, per label or shared, fitted on soft targets."""

from __future__ import annotations

from labelmass.calibration.calibrator import CALIBRATED, Calibrator
from labelmass.calibration.fit import CrossFitted, cross_fit, fit
from labelmass.calibration.model_selection import ModelSelection, choose
from labelmass.calibration.registry import CALIBRATORS
from labelmass.provenance import HoldOut

__all__ = [
    "CALIBRATED",
    "CALIBRATORS",
    "Calibrator",
    "CrossFitted",
    "HoldOut",
    "ModelSelection",
    "choose",
    "cross_fit",
    "fit",
]
