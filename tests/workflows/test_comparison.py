"""`compare` explores for the methods that are named, and reads a run by those it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labelmass
from conftest import TASK, mood_model
from helpers.commands import TEXTS
from labelmass.errors import LabelMassError, MethodError
from labelmass.estimators import ESTIMATORS
from labelmass.estimators.selection import Selection
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.saved_trees import SavedTrees, find_saved
from labelmass.task import Task
from labelmass.workflows.comparison import Comparison, comparison_plan, plain_methods

MOOD = Task.from_toml(TASK)
RECORDS = [text | {"labels": ["joy"]} for text in TEXTS[:6]]
RULE = Selection("entropy", 0.5, frozenset())


@pytest.fixture(autouse=True)
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dev.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))


def compare(*methods: str, **options: Any) -> Comparison:
    return labelmass.compare(
        "dev.jsonl", MOOD, out="run", models=mood_model(), methods=methods, draws=0, **options
    )


def again(*methods: str, **options: Any) -> Comparison:
    return labelmass.compare("run", out="again", methods=methods, draws=0, **options)


def names(comparison: Comparison) -> set[str]:
    return set(comparison.evaluation.methods) - {"constant", "base-rate"}


def tree_tokens() -> int:
    """Tokens read for all trees of the run."""
    (folder,) = find_saved("run")
    return sum(
        one.cost.tree_tokens for one in SavedTrees(folder) if isinstance(one, ExploredRecord)
    )


@pytest.mark.parametrize("method", ["any-place", "hard", "first-step", "any-place-pruned"])
def test_a_method_takes_no_more_in_a_comparison_than_in_a_score(method: str) -> None:
    compare(method)
    scored = labelmass.score(RECORDS, MOOD, mood_model(), methods=[method])
    assert tree_tokens() == sum(result.cost.tree_tokens for result in scored) > 0


def test_where_no_method_is_named_all_that_read_the_one_tree_are_explored_for() -> None:
    assert names(compare()) == set(plain_methods(MOOD))
    assert names(again()) == set(plain_methods(MOOD))


def test_a_run_is_read_by_the_methods_that_it_was_explored_for() -> None:
    compare("any-place")
    assert names(again()) == {"any-place", "hard", "token", "fixed-place"}


def test_a_run_of_other_methods_is_refused_with_the_cure() -> None:
    compare("any-place")
    with pytest.raises(MethodError, match="score again with --method first-step"):
        again("any-place", "first-step")


def test_bounds_that_a_run_was_not_explored_for_say_so() -> None:
    compare("first-step")
    assert "not-grown" in " ".join(again("any-place").short.lines())


def test_a_run_does_not_go_on_for_other_methods() -> None:
    compare("any-place")
    with pytest.raises(LabelMassError, match=r"methods was .*any-place.*, now .*first-step"):
        compare("first-step")


def test_a_named_rule_is_explored_for() -> None:
    assert "entropy" in names(compare("any-place", rules=[RULE]))


def test_a_rule_that_a_run_was_not_explored_for_is_refused() -> None:
    compare("any-place", "first-step")
    with pytest.raises(MethodError, match="entropy: this tree was grown without"):
        again("any-place", rules=[RULE])


@pytest.mark.parametrize("named", [(), tuple(reversed(plain_methods(MOOD)))])
def test_a_run_of_all_methods_is_read_by_any_rule(named: tuple[str, ...]) -> None:
    compare(*named)
    assert "entropy" in names(again("any-place", rules=[RULE]))


@pytest.mark.parametrize("method", plain_methods(MOOD))
def test_a_tree_meets_the_requirements_that_it_was_grown_for_and_no_others(method: str) -> None:
    plan = comparison_plan(MOOD, [method], budget=labelmass.Budget())
    record = labelmass.Record(id=1, text="so happy")
    ((_, _, explored),) = plan.explorer(mood_model()).explore([(1, record)])
    assert isinstance(explored, ExploredRecord)
    for other in map(ESTIMATORS.__getitem__, plain_methods(MOOD)):
        covered = plan.requirements | other.requirements == plan.requirements
        assert other.requirements.met_by(explored.tree) == covered
