"""Shares and spreads that carry their counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

import numpy as np

QUANTILES = (5, 25, 50, 75, 95)
"""Percentiles of every spread."""


@dataclass(frozen=True, slots=True)
class Share:
    """hits of `of` cases."""

    hits: int
    of: int

    @classmethod
    def among(cls, hits: Iterable[bool]) -> Share:
        """The share of cases that are hits."""
        cases = list(hits)
        return cls(sum(cases), len(cases))

    @property
    def value(self) -> float | None:
        """hits / of; None without cases."""
        return self.hits / self.of if self.of else None

    def __str__(self) -> str:
        return "n/a" if self.value is None else f"{100 * self.value:.1f}% ({self.of})"

    def to_dict(self) -> dict[str, Any]:
        return {"share": self.value, "hits": self.hits, "of": self.of}


@dataclass(frozen=True, slots=True)
class Spread:
    """Distribution of n values: their mean, and the percentiles of QUANTILES."""

    n: int
    mean: float | None
    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of these values; no mean and no percentiles where there are none."""
        result = np.fromiter(values, dtype=np.float64)
        if not len(result):
            return cls(0, None, ())
        return cls(
            len(result), float(result.mean()), tuple(np.percentile(result, QUANTILES).tolist())
        )

    @property
    def median(self) -> float | None:
        return self.quantiles[QUANTILES.index(50)] if self.quantiles else None

    def __str__(self) -> str:
        return "n/a" if self.mean is None else f"{self.mean:.3f} ({self.n})"

    def to_dict(self) -> dict[str, Any]:
        named = {f"q{q:02d}": v for q, v in zip(QUANTILES, self.quantiles, strict=False)}
        return {"n": self.n, "mean": self.mean} | named


def plain(value: Any) -> Any:
    """Strict JSON: results by their `to_dict`, other dataclasses by their fields."""
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value)
        return {str(key): plain(each) for key, each in entries.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in cast("list[Any]", value)]
    return value
