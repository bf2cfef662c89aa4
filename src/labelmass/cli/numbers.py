"""Option types for numbers, made from the ranges that the library checks."""

from __future__ import annotations

import math
from typing import Any

import click

from labelmass._ranges import Range


class Real(click.FloatRange):
    """A number in a range; unlike click's own type, never NaN or infinite."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


def number(allowed: Range) -> click.FloatRange | click.IntRange:
    """The type of an option whose values lie in the range."""
    if not allowed.whole:
        return Real(allowed.low, allowed.high, allowed.low_open, allowed.high_open)
    low, high = (None if end is None else int(end) for end in (allowed.low, allowed.high))
    return click.IntRange(low, high)
