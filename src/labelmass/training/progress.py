"""Progress of a training run, as a checkpoint keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the data.

    loss: mean over its records of -ln P(answer), in nats. validation: its metric after the epoch,
    None without records for that. seconds: of training alone.
    """

    number: int
    loss: float
    validation: float | None
    seconds: float

    def __str__(self) -> str:
        dev = "" if self.validation is None else f", validation {self.validation:.4f}"
        return f"epoch {self.number + 1}: loss {self.loss:.4f}{dev}, {self.seconds:.0f} s"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Progress:
    """epoch, batch: where to go on, from 0. step: steps done.

    losses: of every step, in nats an answer. epochs: those that are over. best: number of the best.
    tokens, answer_tokens: put through the model, and learnt among them. seconds: of training;
    validation_seconds: of validation.
    spent, records: seconds of this epoch, and its records so far; total: their losses' sum.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list[float])
    epochs: list[Epoch] = field(default_factory=list[Epoch])
    best: int | None = None
    tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    validation_seconds: float = 0.0
    spent: float = 0.0
    records: int = 0
    total: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Progress:
        fields: dict[str, Any] = dict(data)
        fields["epochs"] = [Epoch(**one) for one in data["epochs"]]
        return cls(**fields)

    @property
    def validations(self) -> list[float]:
        return [epoch.validation for epoch in self.epochs if epoch.validation is not None]

    def end_epoch(self, validation: float | None) -> None:
        """Close the epoch; it is the best so far if its validation is, or if there is none."""
        earlier = self.validations
        if validation is None or not earlier or validation < min(earlier):
            self.best = self.epoch
        mean = self.total / max(self.records, 1)
        self.epochs.append(Epoch(self.epoch, mean, validation, self.spent))
        self.epoch, self.batch = self.epoch + 1, 0
        self.spent, self.records, self.total = 0.0, 0, 0.0

    def is_over(self, epochs: int, patience: int) -> bool:
        """True if all epochs are done, or the last `patience` were no better than the best."""
        waited = 0 if self.best is None else self.epoch - 1 - self.best
        return self.epoch >= epochs or waited >= patience
