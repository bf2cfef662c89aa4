"""Certified per-label probabilities from any generative language model.

import labelmass

scores = labelmass.score(["We won!"], task="emotions")
scores[0]["joy"]            # Bounds(low=..., high=...)
"""

from typing import TYPE_CHECKING, Any

from labelmass.answers.readings import Bounds, Readings
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree
from labelmass.errors import (
    LabelMassError,
    LabelMassWarning,
    MethodError,
    ModelError,
    RecordError,
    TaskError,
)
from labelmass.estimators import LabelScores
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import load
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scores import Result, Scores
from labelmass.scoring.score import score
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task

if TYPE_CHECKING:
    from labelmass.sklearn import LabelMassClassifier

__all__ = [
    "AnswerTree",
    "Bounds",
    "Budget",
    "LabelMassClassifier",
    "LabelMassError",
    "LabelMassWarning",
    "LabelScores",
    "LanguageModel",
    "MethodError",
    "ModelError",
    "Readings",
    "Record",
    "RecordError",
    "Result",
    "Scorer",
    "Scores",
    "ScriptedLanguageModel",
    "Task",
    "TaskError",
    "load",
    "score",
]


def __getattr__(name: str) -> Any:
    """The classifier, imported when it is asked for: scikit-learn is slow to import."""
    if name != "LabelMassClassifier":
        raise AttributeError(f"module 'labelmass' has no attribute {name!r}")
    from labelmass.sklearn import LabelMassClassifier

    return LabelMassClassifier
