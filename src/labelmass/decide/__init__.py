"""Decisions: thresholds for a goal, with guarantees, bands for review, a policy file, drift."""

from __future__ import annotations

from labelmass.decide.abstain import Band, band, bands, review_load
from labelmass.decide.conformal import control
from labelmass.decide.decisions import Decisions, Outcome, decide
from labelmass.decide.drift import Drift, Reference, compare
from labelmass.decide.guarantee import Guarantee
from labelmass.decide.guarantees import certify, sequence
from labelmass.decide.policy import Policy
from labelmass.decide.rule import Rule
from labelmass.decide.thresholds import Goal, Threshold, majority, nearest, thresholds
from labelmass.decide.unmet import UNMET, fallback
from labelmass.decide.verdict import ceiling

__all__ = [
    "UNMET",
    "Band",
    "Decisions",
    "Drift",
    "Goal",
    "Guarantee",
    "Outcome",
    "Policy",
    "Reference",
    "Rule",
    "Threshold",
    "band",
    "bands",
    "ceiling",
    "certify",
    "compare",
    "control",
    "decide",
    "fallback",
    "majority",
    "nearest",
    "review_load",
    "sequence",
    "thresholds",
]
