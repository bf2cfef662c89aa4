"""The signature of a number: everything that must agree before two scores may be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from importlib.metadata import version
from typing import Any

from labelmass.answers.search import Budget
from labelmass.answers.tree import Normalisation
from labelmass.calibration import CALIBRATED
from labelmass.errors import FitError, LabelMassError
from labelmass.estimators import ESTIMATORS
from labelmass.estimators.base import no_questions
from labelmass.files import shaped
from labelmass.lm.base import LanguageModel
from labelmass.task import Task


@dataclass(frozen=True, slots=True)
class Signature:
    """What a score is, in fields; `str()` gives it in one line.

    format: its name, and by which rules answers in it are read (`AnswerFormat.reading`).
    off_format: "not-written" or "unknown", see `Readings`. samples: how many answers or paths were
    drawn, 0 if none. orders: label orders averaged over. prior, rate: what was taken away, and what
    a text without content then gets. calibrator: the digest of what `calibrated:` scores went
    through. point: the rule behind `p`; points: that of the methods that have another. fitted:
    method@digest of the classifiers read beside. max_text_tokens: how many tokens of a text its
    prompt shows; None for all.
    """

    model: str
    fingerprint: str
    tokenizer: str
    engine: str
    dtype: str
    task: str
    task_hash: str
    format: str
    methods: tuple[str, ...]
    normalisation: Normalisation
    tolerance: float
    relative: float | None
    nodes: int
    depth: int
    seconds: float | None
    off_format: str = "not-written"
    samples: int = 0
    orders: int = 1
    prior: str | None = None
    rate: float | None = None
    calibrator: str | None = None
    point: str = "mid"
    points: Mapping[str, str] = field(default_factory=dict[str, str])
    version: str = ""
    fitted: tuple[str, ...] = ()
    max_text_tokens: int | None = None

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        task: Task,
        methods: Sequence[str],
        normalisation: Normalisation,
        budget: Budget,
        off_format: str = "not-written",
        **further: Any,
    ) -> Signature:
        """The signature of a run; `further` fields by name."""
        return cls(
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
            version=version("labelmass"),
            **asdict(budget),
            **further,
        )

    @classmethod
    def of_texts(cls, task: Task, fitted: Sequence[str]) -> Signature:
        """Of classifiers that read texts alone, without a language model."""
        names = tuple(mark.partition("@")[0] for mark in fitted)
        return cls(
            *("", "", "", "texts", "float64"),
            task=task.name,
            task_hash=task.hash,
            format=task.format.name,
            methods=names,
            normalisation=Normalisation.RAW,
            tolerance=0.0,
            relative=None,
            nodes=0,
            depth=0,
            seconds=None,
            version=version("labelmass"),
            fitted=tuple(fitted),
        )

    def to_dict(self) -> dict[str, Any]:
        found = asdict(self) | {
            "methods": list(self.methods),
            "normalisation": str(self.normalisation),
            "fitted": list(self.fitted),
        }
        for key in ("fitted", "points", "max_text_tokens"):
            if not found[key]:
                del found[key]
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Signature:
        """The signature that `to_dict` wrote; LabelMassError for anything else."""
        try:
            if unknown := set(data) - {field.name for field in fields(cls)}:
                raise LabelMassError(f"{min(unknown)} is unknown: a later labelmass may have it")
            return shaped(cls, data)
        except LabelMassError as error:
            raise LabelMassError(f"not a signature of labelmass: {error}") from None

    @classmethod
    def read(cls, data: Mapping[str, Any] | None) -> Signature | None:
        """The signature in a file of scores, of an older version too; None where it has none."""
        if not data or "methods" not in data:
            return None
        named = {one.name for one in fields(cls)}
        blank: dict[str, Any] = {
            one.name: "" for one in fields(cls) if one.default is MISSING and one.name != "points"
        }
        blank |= {"normalisation": "raw", "tolerance": 0.0, "relative": None}
        blank |= {"nodes": 0, "depth": 0, "seconds": None}
        return cls.from_dict(blank | {key: one for key, one in data.items() if key in named})

    def __str__(self) -> str:
        shown = {
            "model": f"{self.model}@{self.fingerprint}",
            "task": f"{self.task}@{self.task_hash}",
            "format": self.format,
            "method": "+".join(self.methods),
            "norm": self.normalisation,
            "tol": self.tolerance,
            "dtype": self.dtype,
            "version": self.version,
        }
        if self.relative is not None:
            shown["relative"] = self.relative
        if self.seconds is not None:
            shown["seconds"] = self.seconds
        if self.samples:
            shown["samples"] = self.samples
        if self.orders > 1:
            shown["orders"] = self.orders
        if self.max_text_tokens is not None:
            shown["text"] = self.max_text_tokens
        if self.prior is not None:
            shown["prior"] = f"{self.prior}@{self.rate:g}"
        if self.calibrator is not None:
            shown["calibrator"] = self.calibrator
        if self.fitted:
            shown["fitted"] = "+".join(self.fitted)
        if not self.model:
            shown = {key: shown[key] for key in ("task", "fitted", "version")}
        return "|".join(f"{key}:{value}" for key, value in shown.items())


_OF_TEXTS = ("task", "task_hash", "format", "methods", "calibrator", "point", "version")
_KEPT = {
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
    found: dict[str, Any] = dict(signature) | {"methods": [method]}
    points: Mapping[str, str] = found.pop("points", {})
    found["point"] = points.get(plain, found.get("point"))
    if known is not None and (known.needs.shares != 0 or known.needs.contrast):
        found["normalisation"] = str(Normalisation.RAW)  # a share of labels is the same in all
    fitted = [mark for mark in found.pop("fitted", ()) if mark.startswith(f"{plain}@")]
    if fitted:
        found = {key: found.get(key) for key in _KEPT[plain]} | {"fitted": fitted}
        if _KEPT[plain] is _OF_TEXTS:  # no answer is read
            found["format"] = str(found["format"]).partition("+")[0]
    if known is not None and not known.needs.draws:
        found["samples"] = 0
    if not method.startswith(CALIBRATED):
        found["calibrator"] = None
    return found


def points_of(methods: Sequence[str]) -> dict[str, str]:
    """The rule behind `p`, of those methods where that is not the middle of the interval."""
    known = {name: ESTIMATORS[name].point for name in methods if name in ESTIMATORS}
    return {name: point for name, point in known.items() if point != "mid"}


def methods_for(signature: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The methods something was fitted on, then those that calibrated ones were made of."""
    named: list[str] = list((signature or {}).get("methods") or ())
    return tuple(dict.fromkeys([*named, *(one.removeprefix(CALIBRATED) for one in named)]))


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
    """Whether a method reads the answer to the task, and so what of it is a verdict.

    Methods that ask other questions do not, nor do classifiers.
    """
    plain = method.removeprefix(CALIBRATED)
    known = ESTIMATORS.get(plain)
    return plain not in _KEPT and (known is None or known.questions is no_questions)
