"""Certified per-label probabilities from any generative language model.

import labelmass

scores = labelmass.score(["We won!"], task="emotions")
scores[0]["joy"]            # Bounds(low=..., high=...)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from labelmass.answers.marginals import Bounds, Marginals
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree
from labelmass.errors import (
    FitError,
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
from labelmass.scores import Failure, Result, Scores, Signature
from labelmass.scoring.score import score, score_trees
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task
from labelmass.task.guard import Guard

if TYPE_CHECKING:
    from labelmass.calibration import Calibrator
    from labelmass.decisions import Policy
    from labelmass.evaluation import evaluate
    from labelmass.reporting import report
    from labelmass.scoring.async_scorer import AsyncScorer
    from labelmass.scoring.classifier_scorer import ClassifierScorer
    from labelmass.scoring.live import LiveScorer
    from labelmass.service.serving import serve
    from labelmass.service.settings import ServiceSettings
    from labelmass.sklearn import LabelMassClassifier
    from labelmass.supervised import Classifier
    from labelmass.targets import Targets
    from labelmass.training import train
    from labelmass.workflows.analysis import analyse
    from labelmass.workflows.calibration import calibrate
    from labelmass.workflows.comparison import compare
    from labelmass.workflows.decision import decide, drift
    from labelmass.workflows.explanation import explain
    from labelmass.workflows.fitting import fit_encoder, fit_probe, fit_rule
    from labelmass.workflows.installation import doctor
    from labelmass.workflows.task_file import new_task
    from labelmass.workflows.tuning import tune

__version__ = version("labelmass")

_LATER = {
    "AsyncScorer": "scoring.async_scorer",
    "Calibrator": "calibration",
    "Classifier": "supervised",
    "ClassifierScorer": "scoring.classifier_scorer",
    "LabelMassClassifier": "sklearn",
    "LiveScorer": "scoring.live",
    "Policy": "decisions",
    "ServiceSettings": "service.settings",
    "Targets": "targets",
    "analyse": "workflows.analysis",
    "calibrate": "workflows.calibration",
    "compare": "workflows.comparison",
    "decide": "workflows.decision",
    "doctor": "workflows.installation",
    "drift": "workflows.decision",
    "evaluate": "evaluation",
    "explain": "workflows.explanation",
    "fit_encoder": "workflows.fitting",
    "fit_probe": "workflows.fitting",
    "fit_rule": "workflows.fitting",
    "new_task": "workflows.task_file",
    "report": "reporting",
    "serve": "service.serving",
    "train": "training",
    "tune": "workflows.tuning",
}
"""Names imported when they are asked for, so that scoring begins sooner."""

__all__ = [
    "AnswerTree",
    "AsyncScorer",
    "Bounds",
    "Budget",
    "Calibrator",
    "Classifier",
    "ClassifierScorer",
    "Failure",
    "FitError",
    "Guard",
    "LabelMassClassifier",
    "LabelMassError",
    "LabelMassWarning",
    "LabelScores",
    "LanguageModel",
    "LiveScorer",
    "Marginals",
    "MethodError",
    "ModelError",
    "Policy",
    "Record",
    "RecordError",
    "Result",
    "Scorer",
    "Scores",
    "ScriptedLanguageModel",
    "ServiceSettings",
    "Signature",
    "Targets",
    "Task",
    "TaskError",
    "__version__",
    "analyse",
    "calibrate",
    "compare",
    "decide",
    "doctor",
    "drift",
    "evaluate",
    "explain",
    "fit_encoder",
    "fit_probe",
    "fit_rule",
    "load",
    "new_task",
    "report",
    "score",
    "score_trees",
    "serve",
    "train",
    "tune",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'labelmass' has no attribute {name!r}")
    return getattr(import_module(f"labelmass.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
