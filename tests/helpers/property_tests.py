"""Number of cases of the property tests: a few fixed ones always, many new ones on request."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

LONG = os.environ.get("LABELMASS_LONG") == "1"
"""Set by `make check-long`."""


def property_test(examples: int) -> Callable[[Any], Any]:
    """A hypothesis test of `examples` fixed cases; if LONG, of 40 times as many new ones."""

    def decorate(test: Any) -> Any:
        configured = settings(
            max_examples=examples * (40 if LONG else 1), deadline=None, derandomize=not LONG
        )
        return pytest.mark.long(configured(test))

    return decorate
