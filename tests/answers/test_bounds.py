"""The bounds contain the enumerated exact value, shrink as the budget grows, and lose no mass."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.brute_force import Exact, enumerate_answers, random_script
from helpers.property_tests import property_test
from helpers.top_k_window import TopKWindow, TwinTokens
from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.lm.base import NodeQuery
from labelmass.lm.ranked import ranked_row
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import AnswerFormat, comma_list, guard, json_list, polysyndeton

S = ["S1", "S10", "S2"]
CASES: dict[str, tuple[AnswerFormat, list[str], list[str]]] = {
    "guard": (
        guard(blanks="", tolerate="strict"),
        S,
        ["un", "safe", "unsafe", "\n", "\nS", "S", "1", "10", "0", "2", ",", ",S", "1,", "S1", "x"],
    ),
    "guard-usual": (
        guard(),
        S,
        [
            *("un", "safe", "unsafe", "UN", "ly", "unsafely", "unsafe\nS9", "unsafe\nS1,x"),
            *("\n", " ", "\r\n", "\n\n", ",", "; ", ".", "S", "s", "1", "10", "0", "S2", "x"),
        ],
    ),
    "guard-no-repeats": (
        guard(blanks="", repeats="off-format", tolerate="strict"),
        S,
        ["unsafe\n", "safe", "S", "1", "10", "0", "S2", ",", ",S", "1,", "S1"],
    ),
    "comma": (
        comma_list(blanks="", separators=(", ",), stops=("\n",), tolerate="strict"),
        ["a", "ab", "abc", "none of it"],
        ["a", "b", "c", "ab", "bc", ", ", ",", " ", "none", " of it", "a, ", "\n", "b\n", "x"],
    ),
    "json": (
        json_list("l", blanks="", separators=(", ", ","), tolerate="strict"),
        ["joy", 'j"', "jo"],
        ['{"l": [', "]}", '"', "jo", "y", '"jo', 'y"', ', "', ",", " ", '"]}', 'j\\"', "}", "]"],
    ),
    "polysyndeton": (
        polysyndeton(tolerate="strict"),
        ["cup", "cupid"],
        ["the ", "cup", "id", " and", " and the ", " ", "nothing", "the cup", "x"],
    ),
    "single": (
        comma_list(blanks="", single=True, empty=None, stops=("\n",), tolerate="strict"),
        ["a", "ab"],
        ["a", "b", "ab", "\n", "b\n", ", "],
    ),
}


def exact_values(exact: Exact, fmt: AnswerFormat, normalisation: Normalisation) -> list[float]:
    """P of each label, of `none`, the verdict of a risk and what cannot be read; NaN if null."""
    written = [*exact.label, exact.empty, exact.verdict_prefix, exact.unreadable]
    if normalisation is not Normalisation.ON_FORMAT:
        return written
    if fmt.verdict_prefix is not None:
        return [mass / exact.readable if exact.readable else math.nan for mass in written]
    complete = [*exact.on_label, exact.empty]
    return [mass / exact.ended if exact.ended else math.nan for mass in complete]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("normalisation", Normalisation)
@property_test(25)
@example(seed=478739, top_only=None)  # `none` is written, the closing text is not yet
@given(seed=st.integers(0, 10**9), top_only=st.sampled_from([None, None, 2]))
def test_bounds_contain_the_exact_value_at_every_budget(
    case: str, normalisation: Normalisation, seed: int, top_only: int | None
) -> None:
    fmt, labels, tokens = CASES[case]
    model = ScriptedLanguageModel(random_script(seed, tokens, depth=6), tokens, top_only=top_only)
    masked, on_format = (normalisation == kind for kind in ("masked", "on-format"))
    exact = enumerate_answers(model, fmt, labels, masked=masked)
    wanted = np.array(exact_values(exact, fmt, normalisation))
    n, some = len(wanted), not np.isnan(wanted).any()
    before = None
    for nodes in [1, 2, 3, 5, 9, 17, 40, 100_000]:
        tree = build_tree(
            model, fmt, labels, Budget(tolerance=0.0, max_nodes=nodes), normalisation=normalisation
        )
        reading = Marginals(tree, normalisation)
        found = reading.ended + reading.off_format + reading.unreadable
        assert found + reading.unexplored == pytest.approx(1, abs=1e-9)
        low, high = reading.intervals
        if some:
            assert (low[:n] - 1e-9 <= wanted).all() and (wanted <= high[:n] + 1e-9).all(), nodes
        if before is not None and some:
            assert (low[:n] >= before[0][:n] - 1e-9).all()
            assert (high[:n] <= before[1][:n] + 1e-9).all()
        before = low, high
        total = (exact.readable if fmt.verdict_prefix else exact.ended) if on_format else 1.0
        events = [(b, exact.sets.get(m, 0.0)) for m, b in reading.sets()]
        if not on_format or fmt.verdict_prefix:
            events.append((reading.pair(0, 1), exact.pairs.get((0, 1), 0.0)))
        for bounds, mass in events:
            if total > 0:
                assert bounds.low is not None and bounds.high is not None
                assert bounds.low - 1e-9 <= mass / total <= bounds.high + 1e-9
    if top_only is None and some:
        sure = min(n, len(labels) + 2)  # what moves none of these is not looked at
        assert low[:sure] == pytest.approx(wanted[:sure], abs=1e-9)
        left = [(reading.off_format, exact.off)]
        if not masked:
            left.append((reading.off_format_after_label, exact.after_label))
        for found, mass in left:
            assert found - 1e-9 <= mass <= found + reading.unexplored + 1e-9


@property_test(40)
@given(seed=st.integers(0, 10**9), tolerance=st.sampled_from([0.3, 0.1, 0.03, 0.001]))
def test_the_tolerance_is_kept(seed: int, tolerance: float) -> None:
    fmt, labels, tokens = CASES["guard"]
    model = ScriptedLanguageModel(random_script(seed, tokens, depth=6), tokens)
    exact = enumerate_answers(model, fmt, labels)
    tree = build_tree(model, fmt, labels, Budget(tolerance=tolerance))
    low, high = Marginals(tree).intervals
    assert tree.stopped in ("tolerance", "exhausted")
    assert (high - low)[: len(labels) + 1].max() <= tolerance + 1e-12
    assert (high - low)[len(labels) + 1] <= tolerance + 1e-12
    assert low[len(labels) + 1] - 1e-9 <= exact.verdict_prefix <= high[len(labels) + 1] + 1e-9
    reading = Marginals(tree)
    for one in range(3):
        for other in range(one + 1, 3):
            pair = reading.pair(one, other)
            value = exact.pairs.get((one, other), 0.0)
            assert pair.low is not None and pair.high is not None
            assert pair.low - 1e-9 <= value <= pair.high + 1e-9
    for number, bounds in enumerate(reading.counts()):
        value = sum(m for s, m in exact.sets.items() if len(s) == number)
        assert bounds.low is not None and bounds.high is not None
        assert bounds.low - 1e-9 <= value <= bounds.high + 1e-9


TWICE = [*CASES, "guard-twice"]
"""The cases, and one whose tokens come twice: two ids write the same text."""


@pytest.mark.parametrize("case", TWICE)
@pytest.mark.parametrize("normalisation", Normalisation)
@property_test(12)
@given(
    seed=st.integers(0, 10**9),
    count=st.integers(1, 8),
    sampled=st.booleans(),
    by_text=st.booleans(),
)
def test_bounds_contain_the_exact_value_through_any_window_of_top_tokens(
    case: str, normalisation: Normalisation, seed: int, count: int, sampled: bool, by_text: bool
) -> None:
    fmt, labels, tokens = CASES[case.removesuffix("-twice")]
    twins = case not in CASES
    model = (TwinTokens if twins else ScriptedLanguageModel)(random_script(seed, tokens, 6), tokens)
    masked = normalisation is Normalisation.MASKED
    exact = enumerate_answers(model, fmt, labels, masked=masked)
    wanted = np.array(exact_values(exact, fmt, normalisation))
    if np.isnan(wanted).any():
        return
    window = TopKWindow(model, count, sampled=sampled, by_text=by_text)
    tree = build_tree(
        window, fmt, labels, Budget(tolerance=0.0, max_nodes=3000), normalisation=normalisation
    )
    reading = Marginals(tree, normalisation)
    total = reading.ended + reading.off_format + reading.unreadable + reading.unexplored
    assert total == pytest.approx(1, abs=1e-9)
    low, high = reading.intervals
    assert (low[: len(wanted)] - 1e-9 <= wanted).all()
    assert (wanted <= high[: len(wanted)] + 1e-9).all()
    if not masked:
        assert (
            reading.off_format - 1e-9 <= exact.off <= reading.off_format + reading.unexplored + 1e-9
        )


def test_what_follows_the_last_of_the_top_tokens_is_bounded_by_it() -> None:
    """Twenty tokens of the rest are no more likely than the last one shown."""
    query = NodeQuery(0, 0, 0, -1, np.array([1, 5, 6]))
    ranked = [(0, math.log(0.5)), (1, math.log(0.2)), (2, math.log(0.01))]
    row = ranked_row(query, ranked, count=3)
    assert row.unseen == pytest.approx(2 * 0.01)
    assert row.residual == pytest.approx(0.8)
    assert ranked_row(query, ranked, count=4).unseen == pytest.approx(0.29)
    named = {7: math.log(0.285)}
    assert ranked_row(query, ranked, count=3, named=named).unseen == pytest.approx(0.005)
