"""Identities between estimators (docs/formulas.md), on random models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelmass
from helpers.brute_force import enumerate_answers, random_script
from helpers.property_tests import property_test
from helpers.trees import EVERYTHING, build_tree
from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.answers.steps import label_steps
from labelmass.answers.tree import Ending
from labelmass.errors import MethodError
from labelmass.estimators import ESTIMATORS, find_estimators, requirements_of
from labelmass.estimators.base import no_questions
from labelmass.estimators.greedy import EPS, fixed_place, hard, token
from labelmass.estimators.stepwise import compare_to_none, first_step, max_over_generations
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task import Task
from labelmass.task.formats import comma_list, guard
from labelmass.task.questions import ANSWER

LABELS = ["S1", "S10", "S2"]
TOKENS = ["un", "safe", "unsafe", "\n", "\nS", "S", "1", "10", "0", "2", ",", ",S", "1,", "S1"]
FORMAT = guard(blanks="")
TASK = Task(
    name="guard",
    labels=LABELS,
    instruction="?",
    format={"kind": "guard", "blanks": ""},
    demonstrations=[{"text": "x", "labels": ["S1"]}],
)
NEVER_EMPTY = Task(
    name="x", labels=LABELS, instruction="?", format={"kind": "comma", "empty": False}
)
seeds = st.integers(0, 10**9)


def model_of(seed: int) -> ScriptedLanguageModel:
    return ScriptedLanguageModel(random_script(seed, TOKENS, depth=7), TOKENS)


@property_test(60)
@given(seed=seeds)
def test_step_identities(seed: int) -> None:
    tree = build_tree(model_of(seed), FORMAT, LABELS, Budget(tolerance=0.0), EVERYTHING)
    steps = label_steps(tree)
    first = first_step(tree)
    assert (max_over_generations(tree).low >= first.low - 1e-12).all()
    found = steps[0].next.mass
    if found.sum() > 0:
        p = found / found.sum()
        assert steps[0].next.unknown == pytest.approx(0.0, abs=1e-9)
        assert first.empty is not None and first.empty.p is not None
        assert first.p.sum() + first.empty.p == pytest.approx(1.0)
        if (p[:-1] + p[-1] > 0).all():
            assert compare_to_none(tree).p == pytest.approx(p[:-1] / (p[:-1] + p[-1]))
    for one in steps:
        assert one.next.mass.sum() <= 1 + 1e-9


@property_test(60)
@given(seed=seeds)
def test_greedy_identities(seed: int) -> None:
    model = model_of(seed)
    exact = enumerate_answers(model, FORMAT, LABELS)
    tree = build_tree(model, FORMAT, LABELS, Budget(tolerance=0.0), EVERYTHING)
    whole = fixed_place(tree, factors="all").p
    assert (whole <= np.array(exact.label) + 1e-9).all()
    if tree.greedy_end != Ending.COMPLETE:
        return
    completing, single = fixed_place(tree).p, token(tree).p
    first_only = len({out for out, _ in tree.completed}) == len(tree.completed)
    if first_only:
        assert (whole <= completing + 1e-9).all()
        assert (completing <= single + 1e-9).all()
    assert ((hard(tree).p > 0.5) == (single > 0)).all()


@property_test(60)
@given(seed=seeds)
def test_the_pruned_search_never_exceeds_the_exact_value_and_bounds_it(seed: int) -> None:
    model = model_of(seed)
    exact = np.array(enumerate_answers(model, FORMAT, LABELS).label)
    pruned = ESTIMATORS["any-place-pruned"]
    tree = build_tree(model, FORMAT, LABELS, Budget(tolerance=0.5), requirements_of([pruned]))
    scores = pruned.read({ANSWER: tree}, Normalisation.RAW, TASK)
    assert (scores.p <= exact + 1e-9).all()
    assert (exact <= scores.high + 1e-9).all()


def test_hard_leaves_room_below_one() -> None:
    model = ScriptedLanguageModel({"": {"a": 1.0}, "a": {"<end>": 1.0}})
    scores = hard(build_tree(model, comma_list(), ["a", "b"]))
    assert scores["a"].p == 1 - EPS < 1.0
    assert scores["b"].p == EPS


def test_one_exploration_serves_any_set_of_methods() -> None:
    model = model_of(3)
    plain = (one for one in ESTIMATORS.values() if one.unsupported_reason(TASK) is None)
    of_answer = [one for one in plain if one.questions is no_questions]
    together = build_tree(model, FORMAT, LABELS, Budget(tolerance=0.01), requirements_of(of_answer))
    for estimator in of_answer:
        alone = build_tree(model, FORMAT, LABELS, Budget(tolerance=0.01), estimator.requirements)
        one, other = (
            estimator.read({ANSWER: t}, Normalisation.RAW, TASK) for t in (alone, together)
        )
        assert (one.low <= other.high + 1e-9).all()
        assert (other.low <= one.high + 1e-9).all()


def test_a_method_says_what_it_lacks() -> None:
    model = model_of(5)
    tree = build_tree(model, FORMAT, LABELS, requirements=ESTIMATORS["hard"].requirements)
    with pytest.raises(MethodError, match="label tries"):
        max_over_generations(tree)
    with pytest.raises(MethodError, match="no method is called 'magic'"):
        find_estimators(["magic"])
    with pytest.raises(MethodError, match="none"):
        ESTIMATORS["compare-to-none"].check(
            TASK.model_copy(update={"format": comma_list(empty=None)})
        )


def test_there_is_no_step_where_no_label_can_follow() -> None:
    model = ScriptedLanguageModel(
        {
            "": {"[": 1.0},
            "[": {"a": 0.6, "b": 0.4},
            "[a": {"]": 1.0},
            "[a]": {"}": 1.0},
            "[b": {"]": 1.0},
        }
    )
    fmt = comma_list(opening="[", empty="-", closing="]}", blanks="")
    tree = build_tree(model, fmt, ["a", "b"], Budget(tolerance=0.0), EVERYTHING)
    assert [step.label for step in label_steps(tree)] == [0]
    assert max_over_generations(tree).p == pytest.approx([0.6, 0.4])


def test_a_place_where_the_answer_ends_is_no_step(mood: Task) -> None:
    """A line break may stand before another label; where none follows, none is generated there."""

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        if not path:
            return {"joy": 0.8, "fear": 0.1, "none": 0.1}
        if path[-1] == "\n":
            return {"\n": 0.999, "fear": 0.0009, "joy": 0.0001}
        return {"\n": 0.7, ", ": 0.3}

    model = ScriptedLanguageModel(script, ["joy", "fear", "ful", "none", ", ", "\n"])
    methods = ["first-step", "max-over-generations"]
    (result,) = labelmass.score(["x"], mood, model, methods=methods)
    first, most = (result.methods[name] for name in methods)
    assert most.p == pytest.approx(first.p) and first["fear"].p < 0.15
    assert not result.missed
