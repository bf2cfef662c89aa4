"""Numbers that people give: what is refused, by which name, in Python and in task files."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelmass
from conftest import mood_model
from helpers.property_tests import property_test
from labelmass import Budget, LabelMassError, Task
from labelmass._ranges import BETWEEN, COUNT, NOT_NEGATIVE, PART, POSITIVE, SEED, SHARE, Range
from labelmass.datasets.splits import keep_split, split_records
from labelmass.decisions import Goal
from labelmass.evaluation import Threshold, evaluate
from labelmass.scoring.forecast import Forecast
from labelmass.scoring.plan import Plan
from labelmass.targets import Targets
from labelmass.task import Record
from labelmass.training import Settings
from labelmass.workflows.tuning import ThresholdObjective

NUMBERS = st.floats() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, math.nan, math.inf])


@property_test(100)
@given(
    value=NUMBERS,
    low=st.none() | st.integers(-2, 1),
    high=st.none() | st.integers(1, 3),
    low_open=st.booleans(),
    high_open=st.booleans(),
    whole=st.booleans(),
)
def test_a_range_is_what_it_says(
    value: float, low: Any, high: Any, low_open: bool, high_open: bool, whole: bool
) -> None:
    allowed = Range(low, high, low_open, high_open, whole)
    inside = math.isfinite(value) and (not whole or isinstance(value, int))
    if low is not None:
        inside = inside and (value > low if low_open else value >= low)
    if high is not None:
        inside = inside and (value < high if high_open else value <= high)
    assert (value in allowed) == inside
    if not inside:
        with pytest.raises(LabelMassError, match="size is "):
            allowed.check("size", value)


def test_other_kinds_of_number() -> None:
    for one in (1, np.int64(1), 0.5, np.float32(0.5), Fraction(1, 2)):
        assert one in POSITIVE
    assert np.int64(1) in COUNT and 1.0 not in COUNT
    for one in (True, "1", None, 1j):
        assert one not in POSITIVE and one not in COUNT


def test_what_is_allowed_in_words() -> None:
    assert [str(one) for one in (POSITIVE, NOT_NEGATIVE, SHARE, BETWEEN, PART, COUNT)] == [
        "a number above 0",
        "a number of at least 0",
        "a number of at least 0 and at most 1",
        "a number above 0 and below 1",
        "a number of at least 0 and below 1",
        "a whole number of at least 1",
    ]
    assert str(Range()) == "a number" and str(SEED).startswith("a whole number of at least 0 and")


NONE = Targets.from_records([{"id": 1, "labels": ["joy"]}], ["joy", "fear"])
RECORDS = [Record(i, text=f"text {i}", extra={"part": "a"}) for i in range(3)]


def plan(task: Task, **options: Any) -> Plan:
    return Plan(task, ("sampling",) if "samples" in options else (), **options)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, "1"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        *((name, lambda task, **v: Budget(**v)) for name in Budget.__dataclass_fields__),
        *((name, plan) for name in ("samples", "label_permutations", "target_rate")),
        *(
            (name, lambda task, **v: Settings(**v))
            for name, usual in Settings().to_dict().items()
            if isinstance(usual, int | float) and not isinstance(usual, bool)
        ),
        *(
            (name, lambda task, **v: ThresholdObjective(Goal("f", (1.0,)), **v))
            for name in ("confidence", "budget", "risk")
        ),
        ("limit", lambda task, limit: Forecast(1, 1).check(1, limit)),
        ("draws", lambda task, **v: evaluate({}, NONE, **v)),
        ("tolerance", lambda task, **v: labelmass.score(["x"], task, mood_model(), **v)),
        ("batch_size", lambda task, **v: labelmass.score(["x"], task, mood_model(), **v)),
        ("near duplicates", lambda task, v: split_records(RECORDS, {"a": 1}, threshold=v)),
        ("near duplicates", lambda task, v: keep_split(RECORDS, "part", threshold=v)),
        ("parts", lambda task, v: split_records(RECORDS, {"a": 1, "b": v})),
    ],
)
def test_python_refuses_what_is_no_such_number(
    mood: Task, name: str, make: Callable[..., Any], value: Any
) -> None:
    options = {} if name in ("near duplicates", "parts") else {name: value}
    with pytest.raises(LabelMassError, match=name):
        make(mood, **options) if options else make(mood, value)


@pytest.mark.parametrize("field", ["max_nodes", "max_depth", "max_seconds", "relative"])
def test_a_budget_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(LabelMassError, match=f"{field} is 0: a"):
        Budget(**{field: 0})


def test_a_tolerance_of_nothing_explores_everything(mood: Task) -> None:
    (result,) = labelmass.score(
        ["so happy"], mood, mood_model(), budget=Budget(0, max_depth=3), keep_trees=True
    )
    assert result.tree.stopped == "depth"


@pytest.mark.parametrize("goal", ["cost=nan:1", "cost=1:inf", "cost=-1:5", "cost=0:0"])
def test_a_goal_of_no_such_cost(goal: str) -> None:
    with pytest.raises(LabelMassError, match="cost"):
        Goal.parse(goal)


@pytest.mark.parametrize("goal", ["precision>=nan", "recall>=inf", "fpr<=-1", "precision>=0"])
def test_a_goal_of_no_such_level(goal: str) -> None:
    with pytest.raises(LabelMassError, match="between 0 and 1"):
        Goal.parse(goal)


def test_a_threshold_is_a_number() -> None:
    with pytest.raises(LabelMassError, match="threshold of 'joy' is nan"):
        Threshold({"joy": math.nan})
    with pytest.raises(LabelMassError, match="threshold is nan"):
        Threshold(math.nan)


def test_a_task_file_with_no_such_share() -> None:
    keys = {"name": "t", "labels": ["a"], "format": "comma", "instruction": "?"}
    for share in (math.nan, -1.0, 2.0):
        with pytest.raises(labelmass.TaskError, match="multi_share"):
            Task(**keys, demonstrations={"examples": [], "k": 0, "multi_share": share})
