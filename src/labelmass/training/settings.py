"""How a model is trained: one frozen set of choices, every one of which changes the weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from labelmass._ranges import COUNT, NOT_NEGATIVE, PART, POSITIVE, SEED, Range
from labelmass.errors import LabelMassError

Answers = Literal["annotators", "gold"]
Order = Literal["fixed", "shuffled"]
Balance = Literal["none", "inverse-frequency"]
Schedule = Literal["cosine", "constant"]

CHOICES: dict[str, tuple[str, ...]] = {
    "answers": get_args(Answers),
    "order": get_args(Order),
    "balance": get_args(Balance),
    "schedule": get_args(Schedule),
}
"""The values of the settings that are words."""

RANGES: dict[str, Range] = {
    **dict.fromkeys(("rank", "epochs", "batch_size", "patience", "nodes"), COUNT),
    **dict.fromkeys(("alpha", "rate", "clip", "tolerance"), POSITIVE),
    **dict.fromkeys(("dropout", "warm_up", "dev_share"), PART),
    "weight_decay": NOT_NEGATIVE,
    "seed": SEED,
}
"""The values of the settings that are numbers."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Raises LabelMassError naming the setting and what it may be.

    full: train every weight, rather than an adapter.
    rank, alpha, dropout: of the LoRA adapter, on every linear layer but the output's.
    answers: "annotators" for one annotator's answer an epoch, each once before any comes twice;
        "gold" for the labels given, or else the majority's.
    order: of the labels in an answer, "fixed" as the task has them, or "shuffled" every epoch.
    balance: "inverse-frequency" makes up for rare labels, see `balance`.
    epochs: the most. batch_size: records a step.
    rate: the highest learning rate; by default 1e-3 for an adapter, 5e-5 for all weights. It rises
        over the first `warm_up` share of the steps, then falls to 0 along a cosine, or stays.
    weight_decay: of AdamW. clip: largest norm of a gradient.
    autocast: multiply in bfloat16, the weights kept as they are.
    dev_share: of the records, set aside for validation where there are no records for that.
    patience: epochs without improvement until training ends; the best epoch is kept.
    method, tolerance, nodes: how validation scores its records.
    seed: of first weights, order of the records, and what is drawn.
    """

    full: bool = False
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    answers: Answers = "annotators"
    order: Order = "fixed"
    balance: Balance = "none"
    epochs: int = 3
    batch_size: int = 8
    rate: float | None = None
    warm_up: float = 0.05
    schedule: Schedule = "cosine"
    weight_decay: float = 0.0
    clip: float = 1.0
    autocast: bool = False
    dev_share: float = 0.1
    patience: int = 2
    method: str = "any-place"
    tolerance: float = 0.01
    nodes: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rate is None:
            object.__setattr__(self, "rate", 5e-5 if self.full else 1e-3)
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise LabelMassError(f"{name} is {getattr(self, name)!r}: {' or '.join(words)}")
        for name, allowed in RANGES.items():
            allowed.check(name, getattr(self, name))

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, out of so many."""
        assert self.rate is not None
        rising = math.ceil(self.warm_up * steps)
        if step < rising:
            return self.rate * (step + 1) / rising
        if self.schedule == "constant":
            return self.rate
        done = (step - rising) / max(steps - rising, 1)
        return self.rate * (1 + math.cos(math.pi * done)) / 2

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
