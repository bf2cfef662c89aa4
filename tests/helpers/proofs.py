"""How hard the property tests try: a few seeded cases always, many new ones when asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

LONG = os.environ.get("LABELMASS_LONG") == "1"
"""Set by `make check-long`."""


def proof(examples: int) -> Callable[[Any], Any]:
    """A property test of `examples` cases, always the same; if long, 40 times as many new ones."""

    def mark(test: Any) -> Any:
        tried = settings(
            max_examples=examples * (40 if LONG else 1), deadline=None, derandomize=not LONG
        )
        return pytest.mark.long(tried(test))

    return mark
