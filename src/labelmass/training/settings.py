"""Training settings: a frozen dataclass, every field of which changes the weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from labelmass._ranges import COUNT, NOT_NEGATIVE, PART, POSITIVE, SEED
from labelmass._settings import check_settings, setting
from labelmass.estimators import ESTIMATORS

Answers = Literal["annotators", "gold"]
Order = Literal["fixed", "shuffled"]
Balance = Literal["none", "inverse-frequency"]
Schedule = Literal["cosine", "constant"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Raises LabelMassError naming the setting and what it may be.

    Attributes:
        full: Train every weight, rather than an adapter.
        rank, alpha, dropout: Settings of the LoRA adapter, on every linear layer but the output's.
        answers: "annotators" for one annotator's answer an epoch, each once before any comes twice;
            "gold" for the labels given, or else the majority's.
        order: Label order in an answer, "fixed" as the task has them, or "shuffled" every epoch.
        balance: "inverse-frequency" makes up for rare labels, see `balance`.
        epochs: The most.
        batch_size: Records a step.
        learning_rate: The highest learning rate; by default 1e-3 for an adapter, 5e-5 for all
            weights. It rises over the first `warm_up` share of the steps, then falls to 0 along a
            cosine, or stays.
        weight_decay: Weight decay of AdamW.
        clip: Largest norm of a gradient.
        autocast: Multiply in bfloat16, the weights kept as they are.
        dev_share: Share of the records set aside for validation, if none are given for it.
        patience: Epochs without improvement until training ends; the best epoch is kept.
        method, tolerance, max_nodes: Scoring options of the validation.
        seed: Seed of the first weights, the order of the records, and all draws.
    """

    full: bool = setting(False, "Train every weight instead of an adapter.")
    rank: int = setting(16, "Rank of the LoRA adapter.", within=COUNT)
    alpha: float = setting(32.0, "Scale of the LoRA adapter, over its rank.", within=POSITIVE)
    dropout: float = setting(0.0, "Dropout of the LoRA adapter.", within=PART)
    answers: Answers = setting(
        "annotators", "Answers to learn: one annotator's per epoch, or the gold labels."
    )
    order: Order = setting(
        "fixed",
        "Order of labels in an answer: that of the task, or shuffled every epoch.",
        "--answer-order",
    )
    balance: Balance = setting("none", "Weight of records: equal, or more for rare labels.")
    epochs: int = setting(3, "Largest number of epochs.", within=COUNT)
    batch_size: int = setting(8, "Number of records per step.", within=COUNT)
    learning_rate: float | None = setting(
        None,
        "Highest learning rate. Default: 1e-3, 5e-5 with --full.",
        "--learning-rate",
        within=POSITIVE,
    )
    warm_up: float = setting(
        0.05, "Share of the steps over which the learning rate rises.", within=PART
    )
    schedule: Schedule = setting("cosine", "Learning rate after the rise.")
    weight_decay: float = setting(0.0, "Weight decay of AdamW.", within=NOT_NEGATIVE)
    clip: float = setting(1.0, "Largest norm of the gradient.", within=POSITIVE)
    autocast: bool = setting(False, "Multiply in bfloat16, keeping the weights as they are.")
    dev_share: float = setting(
        0.1, "Share of the records set aside for validation; 0 for none.", within=PART
    )
    patience: int = setting(
        2, "Number of epochs without improvement until training ends.", within=COUNT
    )
    method: str = setting(
        "any-place",
        "Method of the validation scores.",
        "--validation-method",
        choices=ESTIMATORS,
        metavar="METHOD",
    )
    tolerance: float = setting(
        0.01,
        "Largest width of the validation intervals.",
        "--validation-tolerance",
        within=POSITIVE,
    )
    max_nodes: int = setting(
        512,
        "Largest number of rows per record in validation.",
        "--validation-max-nodes",
        within=COUNT,
    )
    seed: int = 0

    def __post_init__(self) -> None:
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", 5e-5 if self.full else 1e-3)
        check_settings(self)
        SEED.check("seed", self.seed)

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, out of `steps`."""
        assert self.learning_rate is not None
        rising = math.ceil(self.warm_up * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - rising) / max(steps - rising, 1)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
