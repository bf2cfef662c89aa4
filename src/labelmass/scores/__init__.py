"""Scores of labels: results, tables of them in memory, files in and out."""

from labelmass.provenance import Signature
from labelmass.scores.result import Cost, Failure, Missed, Outcome, Result
from labelmass.scores.scores import Estimates, Scores
from labelmass.scores.summary import AnswerSummary

__all__ = [
    "AnswerSummary",
    "Cost",
    "Estimates",
    "Failure",
    "Missed",
    "Outcome",
    "Result",
    "Scores",
    "Signature",
]
