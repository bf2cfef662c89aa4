"""A tree read from a file hangs together: whatever was grown is read back, what is bent is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import mood_model
from helpers.brute_force import random_script
from helpers.property_tests import property_test
from helpers.trees import EVERYTHING, build_tree
from labelmass._types import Normalisation
from labelmass.answers.search import Budget, Requirements
from labelmass.answers.tree import AnswerTree
from labelmass.errors import LabelMassError
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list, guard

GUARD = (["S1", "S2", "S10"], ["un", "safe", "unsafe", "\n", "S", "1", "0", "2", ",", "x"])
MOODS = (["joy", "fear", "joyful"], ["joy", "fear", "ful", "none", ", ", "\n\n", "x"])
NEEDS = (
    EVERYTHING,
    Requirements(tree=False),
    Requirements(tree=False, label_tries=1),
    Requirements(samples=5),
    Requirements(),
)


def tree_of(seed: int, guards: bool, nodes: int = 64, **options: Any) -> AnswerTree:
    labels, tokens = GUARD if guards else MOODS
    model = ScriptedLanguageModel(random_script(seed, tokens, 6), tokens)
    form = guard(blanks="") if guards else comma_list()
    return build_tree(model, form, labels, Budget(max_nodes=nodes, tolerance=1e-6), **options)


def as_read(data: Any) -> AnswerTree:
    return AnswerTree.from_dict(json.loads(json.dumps(data)))


@property_test(60)
@given(
    st.integers(0, 10**9),
    st.booleans(),
    st.sampled_from((1, 3, 64)),
    st.sampled_from(NEEDS),
    st.sampled_from((Normalisation.RAW, Normalisation.MASKED)),
)
def test_whatever_was_grown_is_read_back(
    seed: int, guards: bool, nodes: int, requirements: Requirements, normalisation: Normalisation
) -> None:
    tree = tree_of(seed, guards, nodes, requirements=requirements, normalisation=normalisation)
    assert as_read(tree.to_dict()) == tree


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda data: data.pop("parent"), "parent is missing"),
        (lambda data: data["parent"].pop(), "token must be one for each"),
        (lambda data: data["parent"].__setitem__(2, 9999), "parent must come before"),
        (lambda data: data["status"].__setitem__(0, 7), "status must be 0, 1 or 2"),
        (lambda data: data["logp"].__setitem__(1, 3.5), "logp is no logarithm"),
        (lambda data: data["logp"].__setitem__(1, "?"), r"logp\[1\] must be a valid number"),
        (lambda data: data["ahead"].__setitem__(1, -1), "ahead is no set of outputs"),
        (lambda data: data["outputs"].__setitem__(1, [99]), "outputs is no output"),
        (lambda data: data["off"].update({"0": 1.5}), "off is no probability"),
        (lambda data: data["tail"].pop("0"), "tail must be of the expanded nodes"),
        (lambda data: data["greedy"].reverse(), "greedy must be a path from the root"),
        (lambda data: data["top"].pop("0"), "top must say what was likeliest"),
        (lambda data: data.pop("steps"), "steps must begin with the root"),
        (lambda data: data["steps"].append(-5), "steps names a node -5"),
        (lambda data: data["labels"].append("joy"), "labels must be some, each once"),
        (lambda data: data["texts"].update({"1": "xyz"}), "non-hexadecimal"),
        (lambda data: data.update(samples={"share": 1}), "samples|normalisation is missing"),
    ],
)
def test_what_is_bent_is_named(bend: Callable[[dict[str, Any]], Any], said: str) -> None:
    data = build_tree(mood_model(), comma_list(), MOODS[0], requirements=EVERYTHING).to_dict()
    bend(data)
    with pytest.raises(LabelMassError, match=f"not a saved answer tree: .*({said})"):
        as_read(data)


def test_a_row_of_more_than_everything_is_noticed() -> None:
    data = build_tree(mood_model(), comma_list(), MOODS[0], requirements=EVERYTHING).to_dict()
    data["logp"] = [p if p is None else 0.0 for p in data["logp"]]
    with pytest.raises(LabelMassError, match="sums to more than 1 over a row"):
        as_read(data)
