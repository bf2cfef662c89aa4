"""Decisions: thresholds for a goal, with guarantees, bands for review, a policy file, drift."""

from __future__ import annotations

from labelmass.decisions.conformal_risk_control import control
from labelmass.decisions.decisions import Decisions, LabelOutcome, apply_policy
from labelmass.decisions.drift import Drift, Reference, measure_drift
from labelmass.decisions.guarantee import Guarantee
from labelmass.decisions.learn_then_test import certify, sequence
from labelmass.decisions.policy import Policy
from labelmass.decisions.review_bands import Band, band, bands, review_load
from labelmass.decisions.rule import Rule
from labelmass.decisions.thresholds import FittedThreshold, Goal, majority, nearest, thresholds
from labelmass.decisions.unmet import UNMET, fallback
from labelmass.decisions.verdict import ceiling

__all__ = [
    "UNMET",
    "Band",
    "Decisions",
    "Drift",
    "FittedThreshold",
    "Goal",
    "Guarantee",
    "LabelOutcome",
    "Policy",
    "Reference",
    "Rule",
    "apply_policy",
    "band",
    "bands",
    "ceiling",
    "certify",
    "control",
    "fallback",
    "majority",
    "measure_drift",
    "nearest",
    "review_load",
    "sequence",
    "thresholds",
]
