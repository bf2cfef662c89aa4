"""Signatures of runs and of their methods, and which method a fitted artefact is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.calibration import CALIBRATED
from labelmass.errors import FitError
from labelmass.estimators import ESTIMATORS
from labelmass.estimators.base import no_questions
from labelmass.lm.base import LanguageModel
from labelmass.provenance import Signature
from labelmass.task import Task


def signature_of(
    model: LanguageModel,
    task: Task,
    methods: Sequence[str],
    normalisation: Normalisation,
    budget: Budget,
    off_format: str = "not-written",
    **further: Any,
) -> Signature:
    """The signature of a run; `further` fields by name."""
    return Signature(
        model.name,
        model.fingerprint,
        model.tokenizer.fingerprint,
        model.engine,
        model.dtype,
        task.name,
        task.hash,
        task.format.reading,
        tuple(methods),
        normalisation,
        off_format=off_format,
        points=points_of(methods),
        prompt=task.prompt_style_for(model.name),
        version=version("labelmass"),
        canary="" if (canary := getattr(model, "canary", None)) is None else str(canary),
        **asdict(budget),
        **further,
    )


def signature_of_texts(task: Task, fitted: Sequence[str]) -> Signature:
    """Signature of classifiers that read texts alone, without a language model."""
    names = tuple(mark.partition("@")[0] for mark in fitted)
    return Signature(
        *("", "", "", "texts", "float64"),
        task=task.name,
        task_hash=task.hash,
        prompt=task.prompt_style_for(""),
        format=task.format.name,
        methods=names,
        normalisation=Normalisation.RAW,
        tolerance=0.0,
        relative=None,
        max_nodes=0,
        max_depth=0,
        max_seconds=None,
        version=version("labelmass"),
        fitted=tuple(fitted),
    )


_OF_TEXTS = ("task", "task_hash", "format", "methods", "calibrator", "point", "version")
_FIELDS_THAT_MATTER = {
    "tfidf": _OF_TEXTS,
    "encoder": _OF_TEXTS,
    "probe": (*_OF_TEXTS, "model", "fingerprint", "tokenizer", "engine", "dtype"),
}
"""Fields that change the scores of a classifier: no budget, no normalisation, no prior."""


def of_method(signature: Mapping[str, Any], method: str) -> dict[str, Any]:
    """The signature of a run (`Signature.to_dict`) as that of one of its methods alone.

    What only its other methods needed is left out: two runs that have a method in common agree.
    """
    plain = method.removeprefix(CALIBRATED)
    known = ESTIMATORS.get(plain)
    results: dict[str, Any] = dict(signature) | {"methods": [method]}
    points: Mapping[str, str] = results.pop("points", {})
    results["point"] = points.get(plain, results.get("point"))
    if known is not None and (known.requirements.shares != 0 or known.requirements.contrast):
        results["normalisation"] = str(Normalisation.RAW)  # a share of labels is the same in all
    fitted = [mark for mark in results.pop("fitted", ()) if mark.startswith(f"{plain}@")]
    if fitted:
        results = {key: results.get(key) for key in _FIELDS_THAT_MATTER[plain]} | {"fitted": fitted}
        if _FIELDS_THAT_MATTER[plain] is _OF_TEXTS:  # no answer is read
            results["format"] = str(results["format"]).partition("+")[0]
    if known is not None and not known.requirements.draws:
        results["samples"] = 0
    if not method.startswith(CALIBRATED):
        results["calibrator"] = None
    return results


def points_of(methods: Sequence[str]) -> dict[str, str]:
    """The rule behind `p`, of those methods where that is not the middle of the interval."""
    known = {name: ESTIMATORS[name].point for name in methods if name in ESTIMATORS}
    return {name: point for name, point in known.items() if point != "mid"}


def methods_for(signature: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The methods something was fitted on, then those that calibrated ones were made of."""
    named: list[str] = list((signature or {}).get("methods") or ())
    return tuple(dict.fromkeys([*named, *(name.removeprefix(CALIBRATED) for name in named)]))


def method_for(
    what: str,
    fitted: Mapping[str, Any] | None,
    methods: Sequence[str],
    *,
    raw: bool = False,
    force: bool = False,
) -> str:
    """The one of these methods that something fitted is for; the first where it does not say.

    fitted: the signature of what it was fitted on. raw: scores by the method that its calibrated
    ones were made of will do. force: the first, where it is for none of these.
    FitError where it is for none of these.
    """
    wanted = methods_for(fitted)[: None if raw else 1] or tuple(methods[:1])
    for name in wanted:
        if name in methods:
            return name
    if force:
        return methods[0]
    cure = f"take scores by {wanted[0]}"
    if wanted[0].startswith(CALIBRATED):
        cure = f"take scores by {wanted[0].removeprefix(CALIBRATED)} through its calibrator"
    raise FitError(f"{what} is for {wanted[0]}, not for {', '.join(methods)}: {cure}, or force it")


def reads_answer(method: str) -> bool:
    """True if a method reads the answer to the task, and so what of it is a verdict.

    Methods that ask other questions do not, nor do classifiers.
    """
    plain = method.removeprefix(CALIBRATED)
    known = ESTIMATORS.get(plain)
    return plain not in _FIELDS_THAT_MATTER and (known is None or known.questions is no_questions)
