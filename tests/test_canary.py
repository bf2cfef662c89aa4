"""What a model is known by."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass._canary import Canary

rows = st.lists(
    st.dictionaries(st.integers(0, 20), st.floats(-30, 0), max_size=3).map(lambda d: [*d.items()]),
    min_size=1,
    max_size=4,
)


@given(rows, rows, st.floats(1e-6, 1))
def test_it_is_written_and_read_and_the_difference_has_two_sides(
    one: list[list[tuple[int, float]]], other: list[list[tuple[int, float]]], tolerance: float
) -> None:
    here, there = Canary.of(tolerance, one), Canary.of(tolerance, other)
    assert Canary.parse(str(here)).difference(here) <= 1e-4 or not any(one)
    assert here.difference(there) == there.difference(here)


def test_a_token_that_is_not_listed_is_at_most_as_likely_as_the_last() -> None:
    here = Canary.of(0.1, [[(1, -0.1), (2, -3.0)]])
    assert here.difference(Canary.of(0.1, [[(1, -0.1), (3, -3.0)]])) == 0.0
    assert here.difference(Canary.of(0.1, [[(1, -0.1), (3, -2.0)]])) == pytest.approx(1.0)
    assert not here.agrees(Canary.of(0.1, [[(1, -0.1), (3, -2.0)]]))


def test_a_text_that_one_side_could_not_read_says_nothing() -> None:
    here = Canary.of(0.1, [[(1, -0.1)], []])
    assert here.difference(Canary.of(0.1, [[(1, -0.2)], [(5, -1.0)]])) == pytest.approx(0.1)
    assert here.difference(Canary.of(0.1, [[], [(5, -1.0)]])) == math.inf
    assert here.difference(Canary.of(0.1, [[(1, -0.1)]])) == math.inf
