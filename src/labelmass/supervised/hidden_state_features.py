"""Hidden states of a language model at its label steps, as features: which, and of what model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats
from labelmass.errors import FitError
from labelmass.files import shaped
from labelmass.lm.base import LanguageModel
from labelmass.supervised.heads import STRENGTHS

KIND = "states 1"
Steps = Literal["first", "each"]


@dataclass(frozen=True)
class HiddenStateFeatures:
    """Features from a language model's hidden states.

    layer: 0 the embeddings, n the last of n layers after the final norm; -1 the last.
    steps: "first" for the state that predicts the first token of the first label of the greedy
        answer; "each" for the mean of the states that predict the first token of each of them.
    model, fingerprint, tokenizer, dtype: of whose states. task_hash: of what it was asked.
    """

    layer: int
    steps: Steps
    model: str
    fingerprint: str
    tokenizer: str
    dtype: str
    task_hash: str

    method = "probe"
    standardise = True
    strengths = STRENGTHS

    @classmethod
    def of(
        cls, model: LanguageModel, task_hash: str, layer: int, steps: str
    ) -> HiddenStateFeatures:
        if steps not in ("first", "each"):
            raise FitError(f"steps is {steps!r}: one of {', '.join(get_args(Steps))}")
        return cls(
            layer,
            steps,
            model.name,
            model.fingerprint,
            model.tokenizer.fingerprint,
            model.dtype,
            task_hash,
        )

    def check(self, model: LanguageModel, task_hash: str) -> None:
        """FitError that names what differs, if the states would be of another kind."""
        now = HiddenStateFeatures.of(model, task_hash, self.layer, self.steps)
        for field in ("fingerprint", "tokenizer", "dtype", "task_hash"):
            one, other = getattr(self, field), getattr(now, field)
            if one != other:
                raise FitError(
                    f"this probe reads {self.model} as it was fitted: {field} {one}, now {other}"
                )

    def pool(self, rows: NDArray[np.float32], steps: Sequence[int]) -> Floats:
        """(d,) from (n, d) states after 0, 1, ... tokens of the answer, and the places of steps."""
        chosen = steps[:1] if self.steps == "first" else steps
        return rows[list(chosen)].astype(np.float64).mean(axis=0)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": KIND, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HiddenStateFeatures:
        """Inverse of `to_dict`; raises LabelMassError on other data."""
        return shaped(cls, data)
