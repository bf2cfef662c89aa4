"""Shares at label steps against brute force: intervals hold, are earned, and depend on no more
than the record: not on what else is read of the tree, on the normalisation, or on the batch."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers.test_bounds import CASES
from helpers.brute_force import next_written, random_script
from helpers.property_tests import property_test
from helpers.trees import EVERYTHING, build_tree
from labelmass._types import Normalisation
from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.grammar import TokenGrammar, Vocabulary
from labelmass.answers.search import Budget, Requirements, Search
from labelmass.answers.steps import NextOutput, label_steps
from labelmass.answers.tree import AnswerTree, Ending
from labelmass.answers.upcoming import Upcoming
from labelmass.estimators import ESTIMATORS, requirements_of
from labelmass.estimators.base import LabelScores, no_questions
from labelmass.estimators.stepwise import compare_to_none, first_step, max_over_generations
from labelmass.lm.base import NodeQuery
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list

STEPS = Requirements(tree=False, label_tries=None, shares=None, contrast=True)
ROUNDING = 1e-9
seeds = st.integers(0, 10**9)


def tokens_to(model: ScriptedLanguageModel, tree: AnswerTree, node: int) -> tuple[str, ...]:
    return tuple(str(model.tokens[tree.token[n]]) for n in tree.path(node))


class Exact:
    """The shares at every step of the greedy path, by brute force."""

    def __init__(self, case: str, seed: int, top_only: int | None = None) -> None:
        fmt, labels, tokens = CASES[case]
        script = random_script(seed, tokens, depth=6)
        whole = ScriptedLanguageModel(script, tokens)
        self.fmt, self.labels = fmt, labels
        self.model = ScriptedLanguageModel(script, tokens, top_only=top_only)
        tree = build_tree(whole, fmt, labels, Budget(tolerance=0.0, max_nodes=10**6), EVERYTHING)
        assert tree.greedy_end != Ending.CUT
        self.steps = [
            np.array(next_written(whole, fmt, labels, tokens_to(whole, tree, node)))
            for node in tree.steps
        ]

    def build_tree(
        self, budget: Budget, requirements: Requirements = STEPS, kind: str = "raw"
    ) -> AnswerTree:
        return build_tree(
            self.model, self.fmt, self.labels, budget, requirements, Normalisation(kind)
        )

    @property
    def first(self) -> np.ndarray | None:
        return _shares(self.steps[0])

    @property
    def against(self) -> np.ndarray:
        mass = self.steps[0]
        with np.errstate(invalid="ignore"):
            return mass / (mass + mass[-1])

    @property
    def largest(self) -> np.ndarray | None:
        found = [shares for shares in map(_shares, self.steps) if shares is not None]
        return np.max(found, axis=0) if found else None


def _shares(mass: np.ndarray) -> np.ndarray | None:
    return mass / mass.sum() if mass.sum() > 0 else None


def holds(scores: LabelScores, exact: np.ndarray | None) -> None:
    """Both ends of every interval, and p inside it."""
    if exact is None:
        return
    low, high = scores.low, scores.high
    known = ~np.isnan(exact[: len(low)])
    assert (low <= exact[: len(low)] + ROUNDING)[known].all()
    assert (exact[: len(low)] <= high + ROUNDING)[known].all()
    quoted = ~np.isnan(scores.p)
    assert (low <= scores.p + ROUNDING)[quoted].all()
    assert (scores.p <= high + ROUNDING)[quoted].all()
    if scores.empty is not None:
        assert scores.empty.low is not None and scores.empty.high is not None
        assert scores.empty.low - ROUNDING <= exact[-1] <= scores.empty.high + ROUNDING


def width(scores: LabelScores) -> float:
    return float((scores.high - scores.low).max())


@pytest.mark.parametrize("case", CASES)
@property_test(15)
@given(seed=seeds, top_only=st.sampled_from([None, None, 2]))
def test_intervals_hold_the_exact_shares_at_every_budget(
    case: str, seed: int, top_only: int | None
) -> None:
    exact, before = Exact(case, seed, top_only), None
    for nodes in [1, 2, 3, 5, 9, 17, 40, 10_000]:
        tree = exact.build_tree(Budget(tolerance=0.0, max_nodes=nodes))
        first, largest = first_step(tree), max_over_generations(tree)
        holds(first, exact.first)
        holds(largest, exact.largest)
        if tree.has_empty:
            holds(compare_to_none(tree), exact.against)
        for step in label_steps(tree):
            assert step.next.mass.sum() + step.next.unknown <= 1 + ROUNDING
        p = first.p.sum() + (first.empty.p or 0.0 if first.empty else 0.0)
        assert np.isnan(first.p).all() or p == pytest.approx(1)
        if before is not None:
            assert (first.low >= before.low - ROUNDING).all()
            assert (first.high <= before.high + ROUNDING).all()
        before = first
    if top_only is None and exact.first is not None:
        assert first.p == pytest.approx(exact.first[:-1], abs=1e-9)
        assert largest.p == pytest.approx(exact.largest[:-1], abs=1e-9)  # type: ignore[index]
        assert width(first) <= ROUNDING and width(largest) <= ROUNDING


@pytest.mark.parametrize("case", CASES)
@property_test(15)
@given(
    seed=seeds, tolerance=st.sampled_from([0.3, 0.05, 0.01]), relative=st.sampled_from([None, 0.2])
)
def test_the_tolerance_is_kept(
    case: str, seed: int, tolerance: float, relative: float | None
) -> None:
    exact = Exact(case, seed)
    budget = Budget(tolerance=tolerance, relative=relative)
    tree = exact.build_tree(budget)
    assert tree.step_stopped == ""
    read = [first_step, max_over_generations, *([compare_to_none] if tree.has_empty else [])]
    for method in read:
        scores = method(tree)
        known = ~np.isnan(scores.p)
        widths = (scores.high - scores.low)[known]
        assert (widths <= budget.limits(scores.p[known]) + ROUNDING).all()
    if exact.first is not None:
        assert not np.isnan(first_step(tree).p).any()


@pytest.mark.parametrize("case", CASES)
@property_test(15)
@given(seed=seeds, tolerance=st.sampled_from([0.2, 0.02]), kind=st.sampled_from(Normalisation))
def test_other_methods_and_normalisations_move_no_number_by_more_than_the_tolerance(
    case: str, seed: int, tolerance: float, kind: Normalisation
) -> None:
    exact = Exact(case, seed)
    budget = Budget(tolerance=tolerance)
    of_answer = [one for one in ESTIMATORS.values() if one.questions is no_questions]
    together = exact.build_tree(budget, requirements_of(of_answer), kind)
    for method, requirements, true in (
        (first_step, ESTIMATORS["first-step"].requirements, exact.first),
        (max_over_generations, ESTIMATORS["max-over-generations"].requirements, exact.largest),
        (compare_to_none, ESTIMATORS["compare-to-none"].requirements, exact.against),
    ):
        if method is compare_to_none and not together.has_empty:
            continue
        alone = method(exact.build_tree(budget, requirements))
        among = method(together, kind)
        for scores in (alone, among):
            holds(scores, true)
        assert np.array_equal(np.isnan(alone.p), np.isnan(among.p))
        assert (np.nan_to_num(np.abs(alone.p - among.p)) <= tolerance + ROUNDING).all()
        for other in Normalisation:  # a share among labels is not normalised again
            assert np.array_equal(method(together, other).low, among.low)


@pytest.mark.parametrize("case", CASES)
@property_test(8)
@given(seed=seeds, top_only=st.sampled_from([None, 3]))
def test_the_account_of_the_search_is_what_is_read_off_its_tree(
    case: str, seed: int, top_only: int | None
) -> None:
    fmt, labels, tokens = CASES[case]
    model = ScriptedLanguageModel(random_script(seed, tokens, depth=6), tokens, top_only=top_only)
    grammar = TokenGrammar(
        ByteAutomaton(fmt, [[one] for one in labels]), Vocabulary(model.tokenizer)
    )
    search = Search(grammar, labels, Budget(tolerance=0.05), EVERYTHING | STEPS)
    (record,) = model.open([[]])
    while queries := search.queries():
        rows = [NodeQuery(record, a.node, a.parent, a.token, a.ids, a.top) for a in queries]
        search.tell(model.rows(rows))
        for step, account in zip(label_steps(search.tree), search._steps, strict=True):
            assert step.next.mass == pytest.approx(account._next.mass, abs=1e-12)
            for bits in step.next.open.keys() | account._next.open.keys():
                one, other = (n.open.get(bits, 0.0) for n in (step.next, account._next))
                assert one == pytest.approx(other, abs=1e-12)
    again = AnswerTree.from_dict(json.loads(json.dumps(search.tree.to_dict())))
    assert again == search.tree
    assert np.array_equal(max_over_generations(again).high, max_over_generations(search.tree).high)


def test_the_formulas_by_hand() -> None:
    # found: a .4, b .1, none .2; open: .06 where only a can come, .04 where a or none can
    step = NextOutput(np.array([0.4, 0.1, 0.2]), {0b001: 0.06, 0b101: 0.04})
    p, low, high = step.shares()
    assert p == pytest.approx([4 / 7, 1 / 7, 2 / 7])
    assert low == pytest.approx([0.4 / 0.74, 0.1 / 0.8, 0.2 / 0.8])
    assert high == pytest.approx([0.5 / 0.8, 0.1 / 0.7, 0.24 / 0.74])
    p, low, high = step.against_empty()
    assert p[:2] == pytest.approx([4 / 6, 1 / 3])
    assert low[:2] == pytest.approx([0.4 / 0.64, 0.1 / 0.34])
    assert high[:2] == pytest.approx([0.5 / 0.7, 0.1 / 0.3])
    p, low, high = step.shares(0b011)
    assert p == pytest.approx([0.8, 0.2, 0.0])
    assert low == pytest.approx([0.8, 0.1 / 0.6, 0.0])
    nothing = NextOutput(np.zeros(3), {0b011: 0.5})
    for p, low, high in (nothing.shares(), nothing.against_empty()):
        assert np.isnan(p).all() and (low == 0).all() and (high == 1).all()


def test_many_labels_share_one() -> None:
    """With many labels none is raised by what was not looked at."""
    labels = [f"l{i:02d}" for i in range(40)]
    rows = {"": {"l": 0.5, "none": 0.5}, "l": {str(i): 0.25 for i in range(4)}}
    rows |= {f"l{i}": {str(j): 0.1 for j in range(10)} for i in range(4)}
    rows |= {one: {"<end>": 1.0} for one in labels}
    rows["none"] = {"<end>": 1.0}
    model = ScriptedLanguageModel(rows)
    tree = build_tree(
        model, comma_list(blanks=""), labels, requirements=ESTIMATORS["first-step"].requirements
    )
    scores = first_step(tree)
    assert scores.empty is not None and scores.empty.p == pytest.approx(0.5)
    assert scores.p == pytest.approx(np.full(40, 1 / 80))
    assert scores.p.sum() + 0.5 == pytest.approx(1)


def test_a_step_is_explored_in_few_passes_and_the_budget_counts_its_rows() -> None:
    labels = [f"{a}{b}" for a in "abcdefgh" for b in "stuvwxyz"]

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        text = "".join(path)
        if len(text) == 0:
            return dict.fromkeys("abcdefgh", 0.06) | dict.fromkeys(labels, 0.008)
        return dict.fromkeys("stuvwxyz", 0.125) if len(text) == 1 else {"<end>": 1.0}

    model = ScriptedLanguageModel(script, [*labels, *"abcdefgh", *"stuvwxyz", ", ", "none"])
    requirements = ESTIMATORS["first-step"].requirements
    tree = build_tree(model, comma_list(blanks=""), labels, Budget(tolerance=0.01), requirements)
    assert tree.step_stopped == "" and width(first_step(tree)) <= 0.01
    short = build_tree(
        model, comma_list(blanks=""), labels, Budget(tolerance=0.01, max_nodes=20), requirements
    )
    assert short.expanded == 20
    assert short.stopped == short.step_stopped == "nodes"
    grammar = TokenGrammar(
        ByteAutomaton(comma_list(blanks=""), [[one] for one in labels]),
        Vocabulary(model.tokenizer),
    )
    search = Search(grammar, labels, Budget(tolerance=0.01), requirements)
    (record,) = model.open([[]])
    passes = 0
    while queries := search.queries():
        passes += 1
        search.tell(
            model.rows(
                [NodeQuery(record, a.node, a.parent, a.token, a.ids, a.top) for a in queries]
            )
        )
    assert search.tree.expanded > 60 and passes <= 8


@pytest.mark.parametrize(
    ("budget", "top_only", "why"),
    [
        (Budget(tolerance=0.001, max_depth=1), None, "depth"),
        (Budget(tolerance=0.001), 1, "engine"),
        (Budget(tolerance=0.001, max_seconds=1e-9), None, "seconds"),
        (Budget(tolerance=0.001, max_nodes=1), None, "nodes"),
    ],
)
def test_what_ends_a_step_is_recorded(budget: Budget, top_only: int | None, why: str) -> None:
    rows = {"": {"joy": 0.6, "jo": 0.3, "none": 0.1}, "jo": {"y": 1.0}}
    rows |= {one: {"<end>": 1.0} for one in ("joy", "none")}
    model = ScriptedLanguageModel(rows, ["fear"], top_only=top_only)
    tree = build_tree(
        model, comma_list(blanks=""), ["joy", "fear"], budget, Requirements(tree=False, shares=1)
    )
    assert tree.step_stopped == why
    assert AnswerTree.from_dict(tree.to_dict()).step_stopped == why


def test_a_step_that_a_budget_left_with_nothing_found_may_be_anything() -> None:
    rows = {"": {"joy": 0.9, "fear": 0.1}, "joy": {", ": 0.9, "<end>": 0.1}}
    rows |= {"joy, ": {"fear": 0.7, "joy": 0.3}, "fear": {"<end>": 1.0}}
    rows |= {"joy, fear": {"<end>": 1.0}, "joy, joy": {"<end>": 1.0}}
    model = ScriptedLanguageModel(rows, ["none"])
    requirements = Requirements(tree=False, label_tries=None, shares=None)
    whole = max_over_generations(
        build_tree(model, comma_list(blanks=""), ["joy", "fear"], requirements=requirements)
    )
    assert whole.p == pytest.approx([0.9, 0.7])
    tree = build_tree(
        model, comma_list(blanks=""), ["joy", "fear"], Budget(max_nodes=4), requirements
    )
    assert tree.greedy_end == Ending.CUT and len(tree.steps) == 2
    cut = max_over_generations(tree)
    assert cut.p == pytest.approx([0.9, 0.1])  # of the step that was read
    assert cut.low == pytest.approx([0.9, 0.1]) and (cut.high == 1).all()


def test_where_no_label_can_come_there_is_no_share() -> None:
    model = ScriptedLanguageModel({"": {"sad": 1.0}}, ["joy", "none"])
    tree = build_tree(model, comma_list(blanks=""), ["joy"], requirements=STEPS)
    assert tree.step_stopped == ""
    for method in (first_step, compare_to_none, max_over_generations):
        scores = method(tree)
        assert scores["joy"].p is None
        assert (scores["joy"].low, scores["joy"].high) == (0.0, 1.0)


def test_what_may_be_written_next_is_known_at_every_place() -> None:
    labels = ["joy", "joyful", "fear"]
    automaton = ByteAutomaton(comma_list(blanks=" "), [[one] for one in labels])
    upcoming = Upcoming(automaton)

    def after(text: bytes) -> set[str]:
        moved = automaton.run(text)
        assert moved is not None
        bits = upcoming.of(moved[0])
        return {name for out, name in enumerate([*labels, "none"]) if bits >> out & 1}

    assert after(b"") == {*labels, "none"}
    assert after(b" ") == {*labels, "none"}
    assert after(b"jo") == after(b"joy") == {"joy", "joyful"}
    assert after(b"joyf") == {"joyful"}
    assert after(b"joy, ") == set(labels)
    assert after(b"no") == after(b"none ") == {"none"}
