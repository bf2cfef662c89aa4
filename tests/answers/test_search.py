"""The planner: what it asks for, in which order, in how many passes, and when it stops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.brute_force import random_script
from helpers.property_tests import property_test
from helpers.trees import EVERYTHING, build_tree
from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.grammar import TokenGrammar, Vocabulary
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget, Requirements, Search
from labelmass.answers.tree import Status
from labelmass.lm.base import NextTokenLogprobs, NodeQuery
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list, guard

S = ["S1", "S2", "S10"]
TOKENS = ["un", "safe", "unsafe", "\n", "S", "1", "0", "2", ",", "x"]


def search_of(model: ScriptedLanguageModel, **options: object) -> Search:
    automaton = ByteAutomaton(guard(blanks=""), [[label] for label in S])
    return Search(TokenGrammar(automaton, Vocabulary(model.tokenizer)), S, **options)  # type: ignore[arg-type]


def passes(model: ScriptedLanguageModel, search: Search) -> int:
    (record,) = model.open([[]])
    for count in itertools.count():
        queries = search.queries()
        if not queries:
            return count
        seen = {0, *(n for n in range(len(search.tree)) if n in search.tree.top)}
        for query in queries:  # parents first
            assert query.parent in seen or query.node == 0
            seen.add(query.node)
        rows = [NodeQuery(record, a.node, a.parent, a.token, a.ids, a.top) for a in queries]
        search.tell(model.rows(rows))
    raise AssertionError


def chain(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """unsafe, S1, S2, then the end: every token certain."""
    answer = ["un", "safe", "\n", "S", "1", ",", "S", "2"]
    return {answer[len(path)]: 1.0} if len(path) < len(answer) else {"\0": 1.0}


def test_what_the_format_prescribes_takes_no_pass_of_its_own() -> None:
    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        answer = ["un", "safe", "\n", "S", "2", ",", "S", "1"]
        return {answer[len(path)]: 1.0} if len(path) < len(answer) else {}

    model = ScriptedLanguageModel(script, TOKENS)
    search = search_of(model)
    # root with "unsafe\nS"; "2" with ",S"; "1": nine rows
    assert passes(model, search) == 3
    assert search.tree.greedy_text == "unsafe\nS2,S1"


@property_test(60)
@given(seed=st.integers(0, 10**9), tolerance=st.sampled_from([0.2, 0.02]))
def test_no_node_lighter_than_another_is_expanded_in_its_stead(seed: int, tolerance: float) -> None:
    """A node left in the frontier is lighter than the last that was asked for one by one."""
    model = ScriptedLanguageModel(random_script(seed, TOKENS, depth=6), TOKENS)
    budget = Budget(tolerance=tolerance)
    tree = build_tree(model, guard(blanks=""), S, budget)
    if tree.stopped == "exhausted":
        return
    low, high = Marginals(tree).intervals
    assert (high - low)[:4].max() <= tolerance + 1e-12
    mass = np.exp(tree.log_mass())
    left = [mass[n] for n in range(len(tree)) if tree.status[n] == Status.FRONTIER]
    assert max(left, default=0.0) <= tolerance + 1e-12


@property_test(40)
@given(seed=st.integers(0, 10**9))
def test_growth_is_the_same_every_time(seed: int) -> None:
    model = ScriptedLanguageModel(random_script(seed, TOKENS, depth=6), TOKENS)
    one, other = (build_tree(model, guard(blanks=""), S, requirements=EVERYTHING) for _ in range(2))
    assert one.to_dict() == other.to_dict()


@property_test(40)
@given(seed=st.integers(0, 10**9))
def test_a_relative_tolerance_is_kept_for_rare_labels(seed: int) -> None:
    model = ScriptedLanguageModel(random_script(seed, TOKENS, depth=6), TOKENS)
    tree = build_tree(model, guard(blanks=""), S, Budget(tolerance=0.5, relative=0.1))
    low, high = Marginals(tree).intervals
    middle = np.maximum((low + high) / 2, 1e-3)[:4]
    assert tree.stopped == "exhausted" or ((high - low)[:4] <= 0.1 * middle + 1e-12).all()


@pytest.mark.parametrize("nodes", [1, 2, 3, 7])
def test_a_cap_on_nodes_is_a_cap(nodes: int) -> None:
    model = ScriptedLanguageModel(random_script(5, TOKENS, depth=6), TOKENS)
    tree = build_tree(
        model, guard(blanks=""), S, Budget(tolerance=0.0, max_nodes=nodes), EVERYTHING
    )
    assert tree.expanded <= nodes
    assert tree.stopped == "nodes"


def test_a_cap_on_depth_leaves_the_rest_open() -> None:
    model = ScriptedLanguageModel(chain, [*TOKENS, "\0"])
    tree = build_tree(model, guard(blanks=""), S, Budget(max_depth=4))
    assert tree.stopped == "depth"
    assert Marginals(tree).unexplored == pytest.approx(1)
    assert max(tree.depth(n) for n in range(len(tree)) if tree.status[n] == Status.EXPANDED) < 4


def test_seconds_are_off_by_default_and_stop_when_given() -> None:
    model = ScriptedLanguageModel(random_script(5, TOKENS, depth=6), TOKENS)
    ticks = itertools.count()
    search = search_of(
        model, budget=Budget(tolerance=0.0, max_seconds=3), clock=lambda: float(next(ticks))
    )
    assert 0 < passes(model, search) <= 3
    assert search.tree.stopped == "seconds"


@pytest.mark.parametrize("steps", [0, 1, None])
def test_the_tries_of_the_greedy_path_are_grown_whatever_their_mass(steps: int | None) -> None:
    model = ScriptedLanguageModel(chain, [*TOKENS, "\0"])
    tree = build_tree(
        model,
        guard(blanks=""),
        S,
        Budget(tolerance=1.0),
        Requirements(tree=False, label_tries=steps),
    )
    texts = {tree.text(n) for n in range(len(tree)) if tree.status[n] == Status.EXPANDED}
    assert (b"unsafe\nS10" in texts) == (steps != 0)
    assert (b"unsafe\nS1,S10" in texts) == (steps is None)


def test_a_row_that_is_not_asked_for_is_refused() -> None:
    model = ScriptedLanguageModel(chain, [*TOKENS, "\0"])
    search = search_of(model)
    asked = search.queries()
    with pytest.raises(RuntimeError, match="tell"):
        search.queries()
    with pytest.raises(RuntimeError, match="rows were asked for"):
        search.tell([NextTokenLogprobs(np.zeros(0), (), 1.0)] * (len(asked) + 1))


def test_certain_labels_stop_the_search_though_much_is_open() -> None:
    """What can no longer move any label is not explored: a single label, then a long tail."""

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        text = "".join(path)
        if not path:
            return {"a": 0.6, "b": 0.4}
        return {", ": 0.9, "\n": 0.1} if text[-1] in "ab" else {"a": 0.5, "b": 0.5}

    model = ScriptedLanguageModel(script, ["a", "b", ", ", "\n"])
    fmt = comma_list(blanks="", stops=("\n",), empty=None, single=True)
    tree = build_tree(model, fmt, ["a", "b"], Budget(tolerance=0.001))
    assert tree.expanded <= 3
    assert Marginals(tree).label(0).low == pytest.approx(0.6 * 0.1, abs=1e-9)
