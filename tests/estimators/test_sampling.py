"""Drawn answers: each estimate is unbiased, with the variance of the theory, and seeded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest

import labelmass
from helpers.brute_force import enumerate_answers, random_script
from helpers.property_tests import property_test
from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget, Requirements
from labelmass.answers.tree import AnswerTree, Termination
from labelmass.errors import MethodError
from labelmass.estimators.sampling import (
    any_place_completed,
    combine,
    combined,
    hazard,
    path_statistics,
    sampling,
)
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.formats import comma_list, guard

LABELS = ["S1", "S10", "S2"]
TOKENS = ["un", "safe", "unsafe", "\n", "S", "1", "10", "0", "2", ",", ",S", "1,", "S1", ",S2,"]
FORMAT = guard(blanks="")
MANY = 10_000
seeds = st.integers(0, 10**9)


def drawn_tree(
    model: ScriptedLanguageModel,
    n: int,
    normalisation: Normalisation = Normalisation.RAW,
    entropy: int = 0,
    **requirements: int,
) -> AnswerTree:
    wanted = Requirements(tree=False, samples=n, next_labels=True, **requirements)
    return build_tree(
        model, FORMAT, LABELS, requirements=wanted, normalisation=normalisation, entropy=(entropy,)
    )


@pytest.mark.parametrize("normalisation", [Normalisation.RAW, Normalisation.MASKED])
@property_test(8)
@example(seed=500)  # masked, below a place that is never reached
@given(seed=seeds)
def test_the_mean_of_many_paths_is_the_exact_probability(
    normalisation: Normalisation, seed: int
) -> None:
    model = ScriptedLanguageModel(random_script(seed, TOKENS, depth=7), TOKENS)
    masked = normalisation is Normalisation.MASKED
    exact = enumerate_answers(model, FORMAT, LABELS, masked=masked)
    if masked and exact.off > 0:
        return
    paths = path_statistics(tree := drawn_tree(model, MANY, normalisation), tree.samples)  # type: ignore[arg-type]
    assert paths.times.sum() == MANY
    assert np.array_equal(paths.low, paths.high)  # no path was cut, so nothing is left open
    for values in (paths.written, paths.low):
        mean = paths.times @ values / MANY
        error = np.sqrt(paths.times @ (values - mean) ** 2) / MANY
        assert (np.abs(mean - exact.label) <= 5 * error + 10 / MANY).all()


def test_what_is_too_light_to_be_read_raises_no_label() -> None:
    """Every label has a second spelling in tokens, of a probability below what is read."""
    labels = [f"{letter}!" for letter in "abcdefghijklmnopqrstuvwxyz"]

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        if not path:
            return {**dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 0.0019), "none": 0.95}
        return {"!": 1.0} if len("".join(path)) == 1 else {END: 1.0}

    model = ScriptedLanguageModel(
        script, [*labels, *"abcdefghijklmnopqrstuvwxyz", "!", "none", ", "]
    )
    requirements = Requirements(tree=False, samples=4000, next_labels=True, completions=400)
    tree = build_tree(model, comma_list(blanks=""), labels, requirements=requirements)
    for read in (hazard, combined, any_place_completed):
        assert read(tree).p == pytest.approx(np.full(26, 0.0019), abs=0.004)
        assert read(tree).p.sum() == pytest.approx(0.05, abs=0.02)


def two_steps(first: float, second: float) -> ScriptedLanguageModel:
    """S1 with `first` at the first step, else S2; after S2, S1 with `second`, else S10."""

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        text = "".join(path)
        if text == "":
            return {"unsafe": 1.0}
        if text == "unsafe":
            return {"\n": 1.0}
        if text == "unsafe\n":
            return {"S1": first, "S": 1 - first}
        if text.endswith("S"):
            return {"2": 1.0} if text == "unsafe\nS" else {"10": 1.0}
        if text.endswith("S2"):
            return {",": 1.0}
        if text.endswith(","):
            return {"S1": second, "S": 1 - second}
        return {END: 1.0}

    return ScriptedLanguageModel(script, TOKENS)


@pytest.mark.parametrize(("first", "second"), [(0.9, 0.9), (0.1, 0.1), (0.3, 0.6), (0.5, 0.95)])
def test_variances_are_those_of_the_theory(first: float, second: float) -> None:
    """docs/formulas.md, hazard: Var(A) - Var(count) = q (E[A at + A before | written] - 1)."""
    paths = path_statistics(tree := drawn_tree(two_steps(first, second), MANY), tree.samples)  # type: ignore[arg-type]
    q = first + (1 - first) * second
    at_first, at_second = first / q, (1 - first) * second / q
    sums = at_first * first + at_second * ((first + second) + first)
    unsupported_reason = q * (sums - 1)
    counting = q * (1 - q)
    one = {}
    for name, values in (("count", paths.written), ("hazard", paths.low)):
        column = values[:, 0]
        mean = paths.times @ column / MANY
        one[name] = paths.times @ (column - mean) ** 2 / MANY
    assert one["count"] == pytest.approx(counting, rel=0.1)
    assert one["hazard"] - one["count"] == pytest.approx(unsupported_reason, abs=0.01)
    if (first, second) == (0.9, 0.9):
        assert one["hazard"] == pytest.approx(0.073, abs=0.005)  # where counting wins
        assert one["count"] == pytest.approx(0.010, abs=0.002)
    _, low, high = combine(paths)
    both = (low + high)[:, 0] / 2
    assert both.mean() == pytest.approx(q, abs=5 * both.std() / np.sqrt(MANY) + 1e-9)
    assert both.var() <= min(one.values()) * 1.02 + 1e-9


@property_test(15)
@given(seed=seeds)
def test_a_completed_tree_is_unbiased_and_within_its_bounds(seed: int) -> None:
    model = ScriptedLanguageModel(random_script(seed, TOKENS, depth=7), TOKENS)
    exact = np.array(enumerate_answers(model, FORMAT, LABELS).label)
    requirements = Requirements(tree=False, initial_nodes=4, completions=8)
    values: list[np.ndarray] = []
    for entropy in range(60):
        tree = build_tree(model, FORMAT, LABELS, requirements=requirements, entropy=(entropy,))
        scores = any_place_completed(tree)
        low, high = Marginals(tree).intervals
        assert (low[:3] - 1e-12 <= scores.low).all() and (scores.high <= high[:3] + 1e-12).all()
        assert (scores.low <= scores.p + 1e-12).all() and (scores.p <= scores.high + 1e-12).all()
        paths = path_statistics(tree, tree.completions)  # type: ignore[arg-type]
        assert np.array_equal(paths.low, paths.high)
        mean = tree.completions.share * paths.times @ paths.low  # type: ignore[union-attr]
        values.append(np.array(tree.completions.found) + mean)  # type: ignore[union-attr]
    error = np.std(values, axis=0) / np.sqrt(len(values))
    rare = 10 * tree.completions.share / len(values)  # type: ignore[union-attr]
    assert (np.abs(np.mean(values, axis=0) - exact) <= 5 * error + rare + 1e-9).all()


def test_nothing_open_needs_no_draws() -> None:
    tree = build_tree(
        two_steps(0.5, 0.5),
        FORMAT,
        LABELS,
        requirements=Requirements(initial_nodes=99, completions=8),
    )
    assert tree.completions is not None and tree.completions.paths == []
    assert any_place_completed(tree)["S1"].p == pytest.approx(0.75)


def test_draws_hang_on_the_seed_and_not_on_what_else_is_asked() -> None:
    model = two_steps(0.4, 0.6)
    alone = sampling(drawn_tree(model, 50))
    assert np.array_equal(alone.p, sampling(drawn_tree(model, 50)).p)
    beside = build_tree(
        model, FORMAT, LABELS, Budget(0.2), Requirements(label_tries=None, samples=50), entropy=(0,)
    )
    assert np.array_equal(alone.p, sampling(beside).p)
    others = [sampling(drawn_tree(model, 50, entropy=e)).p for e in range(1, 6)]
    assert any(not np.array_equal(alone.p, p) for p in others)


def test_each_distinct_node_is_read_once_however_many_paths_pass() -> None:
    model = two_steps(0.5, 0.5)
    few, many = (
        build_tree(model, FORMAT, LABELS, requirements=Requirements(tree=False, samples=n))
        for n in (64, 9999)
    )
    assert few.expanded == many.expanded <= 12


def test_counting_gives_the_wilson_interval() -> None:
    tree = drawn_tree(two_steps(0.3, 0.2), 40)
    scores = sampling(tree)
    for label in LABELS:
        count = round(scores[label].p * 40)
        interval = binomtest(count, 40).proportion_ci(0.95, "wilson")
        assert scores[label].low == pytest.approx(interval.low, abs=1e-4)
        assert scores[label].high == pytest.approx(interval.high, abs=1e-4)


def test_a_path_cut_by_a_budget_widens_the_upper_end() -> None:
    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        return {"unsafe": 0.6, "safe": 0.4} if not path else {"\n": 1.0}

    model = ScriptedLanguageModel(script, TOKENS)
    tree = build_tree(
        model,
        FORMAT,
        LABELS,
        Budget(max_depth=1),
        Requirements(tree=False, samples=50, next_labels=True),
    )
    cut = sum(path.count for path in tree.samples.paths if path.how == Termination.CUT)  # type: ignore[union-attr]
    assert cut == 50
    assert sampling(tree)["S1"].high == pytest.approx(1.0)
    assert sampling(tree)["S1"].low == pytest.approx(0.0)
    for read in (hazard, combined, sampling):
        assert read(tree)["S1"].high == pytest.approx(1.0)
        assert read(tree)["S1"].p is None  # nothing is known of any path
    assert tree.samples is not None and tree.samples.cut == "depth"


def test_what_cut_paths_would_have_written_is_not_guessed_at() -> None:
    """Two in five paths end, with no label; the others go on past the depth."""

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        if not path:
            return {"safe": 0.4, "unsafe\n": 0.5, "unsafe": 0.1}
        text = "".join(path)
        return (
            {"\n": 1.0} if text == "unsafe" else {"S1": 1.0} if text == "unsafe\n" else {END: 1.0}
        )

    model = ScriptedLanguageModel(script, [*TOKENS, "unsafe\n"])
    requirements = Requirements(tree=False, samples=4000, next_labels=True)
    tree = build_tree(model, FORMAT, LABELS, Budget(max_depth=2), requirements)
    for read in (sampling, hazard, combined):
        scores = read(tree)
        assert scores.p == pytest.approx(0.0)
        assert scores.high == pytest.approx(0.6, abs=0.05)


def test_on_format_counts_answers_whose_verdict_can_be_read() -> None:
    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        text = "".join(path)
        if text.endswith("1"):
            return {"x": 0.5, END: 0.5}
        if not text:
            return {"safe": 0.5, "unsafe": 0.5}
        return {"\n": 1.0} if text == "unsafe" else {END: 1.0} if text == "safe" else {"S1": 1.0}

    model = ScriptedLanguageModel(script, [*TOKENS, "x"])
    tree = drawn_tree(model, 4000)
    assert sampling(tree, Normalisation.ON_FORMAT)["S1"].p == pytest.approx(1 / 4, abs=0.03)
    comma = build_tree(
        model, comma_list(empty="safe"), ["unsafe"], requirements=Requirements(samples=4000)
    )
    assert sampling(comma, Normalisation.ON_FORMAT)["unsafe"].p == pytest.approx(0.0)
    with pytest.raises(MethodError, match="drawn raw"):
        sampling(tree, Normalisation.MASKED)


def test_saved_draws_read_the_same() -> None:
    model = ScriptedLanguageModel(random_script(3, TOKENS, depth=7), TOKENS)
    tree = drawn_tree(model, 50, initial_nodes=5, completions=9)
    again = AnswerTree.from_dict(tree.to_dict())
    for read in (sampling, hazard, combined, any_place_completed):
        assert np.array_equal(read(tree).p, read(again).p)
        assert np.array_equal(read(tree).high, read(again).high)


def test_a_tree_without_draws_says_how_to_get_them(mood, scripted) -> None:
    (result,) = labelmass.score(["happy"], mood, scripted, keep_trees=True)
    for read in (sampling, hazard, combined, any_place_completed):
        with pytest.raises(MethodError, match="score again with --method"):
            read(result.tree)
    with pytest.raises(MethodError, match="not defined on-format"):
        labelmass.score(["x"], mood, scripted, methods=["hazard"], normalise="on-format")


def test_sampling_by_name(mood, scripted) -> None:
    methods = ["sampling", "hazard", "sampling-combined", "any-place-completed", "any-place"]
    (result,) = labelmass.score(["happy"], mood, scripted, methods=methods, tolerance=1e-6)
    exact = result.methods["any-place"].p
    for method in methods[:4]:
        scores = result.methods[method]
        assert scores.interval == "sampled"
        assert (scores.low - 0.1 <= exact).all() and (exact <= scores.high + 0.1).all()
    assert result.to_dict()["interval"] == "sampled"
    assert result.methods["any-place-completed"].p == pytest.approx(exact, abs=1e-6)
    assert comma_list().name == mood.format.name


def test_one_token_that_writes_two_labels_credits_both() -> None:
    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        text = "".join(path)
        steps = {"": "unsafe", "unsafe": "\n", "unsafe\n": "S1"}
        if text in steps:
            return {steps[text]: 1.0}
        if text.endswith("S1"):
            return {",S2,": 0.4, END: 0.6} if text == "unsafe\nS1" else {END: 1.0}
        return {"S1": 1.0}

    tree = drawn_tree(ScriptedLanguageModel(script, TOKENS), 2000)
    paths = path_statistics(tree, tree.samples)  # type: ignore[arg-type]
    assert paths.times @ paths.low[:, 2] / 2000 == pytest.approx(0.4, abs=1e-9)


def test_several_ways_to_end_are_one_place_to_land() -> None:
    stopped = replace(comma_list(), stops=("\n", "."))

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        return {"joy": 1.0} if not path else {"\n": 0.4, ".": 0.3, END: 0.3}

    model = ScriptedLanguageModel(script, ["joy", "sad", "\n", ".", ","])
    tree = build_tree(
        model, stopped, ["joy", "sad"], requirements=Requirements(tree=False, samples=MANY)
    )
    assert tree.samples is not None
    assert [(path.how, path.count) for path in tree.samples.paths] == [(Termination.ENDED, MANY)]
    assert sampling(tree)["joy"].p > 0.99
