"""Evaluation: probabilities and label sets of methods against human labels."""

from __future__ import annotations

from labelmass.evaluation.metrics import HEADLINE, METRICS, Metric
from labelmass.evaluation.results import Difference, Evaluation, MethodScores, Score
from labelmass.evaluation.sample import Sample
from labelmass.evaluation.scoreboard import evaluate
from labelmass.evaluation.threshold import Threshold

__all__ = [
    "HEADLINE",
    "METRICS",
    "Difference",
    "Evaluation",
    "MethodScores",
    "Metric",
    "Sample",
    "Score",
    "Threshold",
    "evaluate",
]
