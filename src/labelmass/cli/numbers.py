"""Option types for numbers, made from the ranges that the library checks."""

from __future__ import annotations

import math
from typing import Any

import click

from labelmass._ranges import Range

LARGEST = 2**63 - 1
"""Largest whole number accepted where a range has no end."""


class Real(click.FloatRange):
    """A number in a range; unlike click's own type, never NaN or infinite."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


class Whole(click.IntRange):
    """A whole number in a range."""

    name = "integer"

    def _describe_range(self) -> str:
        return f"x>={self.min}" if self.max == LARGEST else super()._describe_range()


def number(allowed: Range) -> click.FloatRange | click.IntRange:
    """The type of an option whose values lie in the range."""
    if not allowed.whole:
        return Real(allowed.low, allowed.high, allowed.low_open, allowed.high_open)
    high = LARGEST if allowed.high is None else int(allowed.high)
    return Whole(None if allowed.low is None else int(allowed.low), high)
