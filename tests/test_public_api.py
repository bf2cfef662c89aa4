"""The front door: what is public, and that it says what it takes and gives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

import labelmass
from conftest import mood_model
from labelmass.task import Task

FUNCTIONS = [
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
CLASSES = [
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
]


def test_what_is_public_is_written_down() -> None:
    assert labelmass.__all__ == [*CLASSES, "__version__", *FUNCTIONS]
    assert labelmass.__version__ == version("labelmass")
    for name in labelmass.__all__:
        assert getattr(labelmass, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = labelmass.nonsense


def callables() -> Iterator[tuple[str, Any]]:
    for name in FUNCTIONS:
        yield name, getattr(labelmass, name)
    for one in (labelmass.Scorer, labelmass.Scores, labelmass.Result):
        for name, method in vars(one).items():
            method = getattr(method, "__func__", method)
            if inspect.isfunction(method) and (not name.startswith("_") or name == "__init__"):
                yield f"{one.__name__}.{name}", method


def assert_typed(annotation: object, name: str) -> None:
    assert annotation is not inspect.Parameter.empty, name
    assert not re.search(r"\bAny\b", str(annotation)), f"{name}: {annotation}"


@pytest.mark.parametrize(("name", "function"), list(callables()))
def test_every_parameter_and_result_has_a_type(name: str, function: Any) -> None:
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.name not in ("self", "cls"):
            assert_typed(parameter.annotation, str(parameter))
    if "to_dict" not in name:  # plain JSON
        assert_typed(signature.return_annotation, name)


@pytest.mark.parametrize("name", CLASSES)
def test_no_attribute_of_a_public_class_is_untyped(name: str) -> None:
    public = getattr(labelmass, name)
    properties = {
        attribute: inspect.get_annotations(value.fget)["return"]
        for attribute, value in vars(public).items()
        if isinstance(value, property) and not attribute.startswith("_")
    }
    for attribute, annotation in (inspect.get_annotations(public) | properties).items():
        if not attribute.startswith("_"):
            assert_typed(annotation, f"{name}.{attribute}")


def test_a_label_of_a_result_is_an_interval_also_where_a_record_failed(mood: Task) -> None:
    scores = labelmass.score(["happy", {"id": "x"}], mood, mood_model())
    assert isinstance(scores[0], labelmass.Result) and isinstance(scores[1], labelmass.Failure)
    for result in scores:
        assert isinstance(result["joy"], labelmass.Bounds)
    assert scores[1]["joy"].to_dict() == {"p": None, "low": 0.0, "high": 1.0}
    assert scores.failures == (scores[1],)
