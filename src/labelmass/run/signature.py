"""The signature of a number: everything that must agree before two scores may be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from labelmass.answers.search import Budget
from labelmass.answers.tree import Normalisation
from labelmass.errors import LabelMassError
from labelmass.lm.base import LanguageModel
from labelmass.task import Task


@dataclass(frozen=True, slots=True)
class Signature:
    """What a score is, in fields; `str()` gives it in one line.

    off_format: "not-written" or "unknown", see `Readings`. samples: how many answers or paths were
    drawn, 0 if none. point: the rule behind `p`.
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
    point: str = "mid"
    version: str = ""

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        task: Task,
        methods: Sequence[str],
        normalisation: Normalisation,
        budget: Budget,
        off_format: str = "not-written",
        samples: int = 0,
    ) -> Signature:
        """The signature of a run."""
        return cls(
            model.name,
            model.fingerprint,
            model.tokenizer.fingerprint,
            model.engine,
            model.dtype,
            task.name,
            task.hash,
            task.format.name,
            tuple(methods),
            normalisation,
            off_format=off_format,
            samples=samples,
            version=version("labelmass"),
            **asdict(budget),
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "methods": list(self.methods),
            "normalisation": str(self.normalisation),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Signature:
        """The signature that `to_dict` wrote."""
        try:
            fields: dict[str, Any] = dict(data) | {
                "methods": tuple(data["methods"]),
                "normalisation": Normalisation(data["normalisation"]),
            }
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise LabelMassError(f"not a signature of labelmass: {error!r}") from None

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
        if self.samples:
            shown["samples"] = self.samples
        return "|".join(f"{key}:{value}" for key, value in shown.items())
