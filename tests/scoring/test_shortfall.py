"""A run says which numbers fell short of its tolerance, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import labelmass
from conftest import TASK, mood_model
from helpers.brute_force import random_script
from helpers.property_tests import property_test
from labelmass.answers.search import Budget
from labelmass.errors import LabelMassWarning
from labelmass.estimators import ESTIMATORS
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.scores import Result
from labelmass.scoring.journal_lines import read_head, record_of, write_line
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import TREES, TreeStore
from labelmass.scoring.score import score_trees
from labelmass.scoring.scorer import Scorer
from labelmass.scoring.shortfall import Shortfall
from labelmass.task import Record, Task

WORDS = ["reasonable", "unreasonable", "a", "b"]


def talkative(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """Likes to go on for some labels; answers a question in two tokens."""
    if "reasonable" in prompt.lower() or "better" in prompt.lower():
        return {"unreason": 0.5, "reason": 0.4, "a": 0.05, "b": 0.05} if not path else {"able": 1.0}
    text = "".join(path)
    if not text or text.endswith(", "):
        return {"joy": 0.5, "fear": 0.3, "jo": 0.1, "none": 0.05}
    if text.endswith("jo"):
        return {"y": 1.0}
    return {", ": 0.9, "\n\n": 0.1} if len(path) < 8 else {"\n\n": 1.0}


def talker(**options: Any) -> ScriptedLanguageModel:
    tokens = ["joy", "fear", "ful", "none", ", ", "\n\n", "jo", "y", "reason", "unreason", "able"]
    return ScriptedLanguageModel(talkative, [*tokens, *WORDS], **options)


def missed(
    task: Task, model: ScriptedLanguageModel, method: str, normalise: str = "raw", **budget: Any
) -> dict[str, Any]:
    (result,) = labelmass.score(
        ["so happy"],
        task,
        model,
        methods=[method],
        normalise=normalise,
        budget=Budget(**budget),
        keep_trees=True,
        samples=50 if ESTIMATORS[method].requirements.draws else None,
    )
    record = result.to_dict()
    widths = [
        score["high"] - score["low"]
        for score in record["labels"].values()
        if score["low"] is not None
    ]
    found = record["missed"].get(method, {})
    if ESTIMATORS[method].requirements.draws or not widths:
        return found
    if found and record["empty"] is not None:
        widths.append(record["empty"]["high"] - record["empty"]["low"])
    assert not found or found["width"] == pytest.approx(max(widths))
    assert found or max(widths) <= budget.get("tolerance", 0.01) + 1e-9
    return found


ELSEWHERE = ("demonstration-rate", "vendor-score")
"""Methods that this task does not give."""


@pytest.mark.parametrize("method", [n for n in ESTIMATORS if n not in ELSEWHERE])
def test_where_the_tolerance_is_met_nothing_is_said(mood: Task, method: str) -> None:
    if method == "any-place-pruned":  # it only follows its rules, and its interval is theirs
        return
    assert missed(mood, mood_model(), method, tolerance=0.2) == {}


@pytest.mark.parametrize(
    ("method", "budget", "reason"),
    [
        ("any-place", {"max_nodes": 4}, "nodes"),
        ("any-place", {"max_depth": 3}, "depth"),
        ("any-place", {"max_seconds": 1e-9}, "seconds"),
        ("any-place", {"relative": 0.001, "max_nodes": 6}, "nodes"),
        ("any-place-pruned", {"max_nodes": 4}, "nodes"),
        ("first-step", {"max_nodes": 2}, "nodes"),
        ("first-step", {"max_depth": 1}, "depth"),
        ("compare-to-none", {"max_nodes": 2}, "nodes"),
        ("max-over-generations", {"max_nodes": 30}, "nodes"),
        ("max-over-generations", {"max_depth": 5}, "depth"),
        ("hard", {"max_depth": 3}, "depth"),
        ("token", {"max_nodes": 3}, "nodes"),
        ("fixed-place", {"max_seconds": 1e-9}, "seconds"),
        ("unary", {"max_seconds": 1e-9}, "seconds"),
        ("binary", {"max_seconds": 1e-9}, "seconds"),
        ("sampling", {"max_depth": 3}, "depth"),
        ("hazard", {"max_depth": 3}, "depth"),
        ("any-place-completed", {"max_depth": 3}, "depth"),
    ],
)
def test_what_a_budget_ended_is_named(
    mood: Task, method: str, budget: Mapping[str, Any], reason: str
) -> None:
    assert missed(mood, talker(), method, **budget)["reason"] == reason


STEPS = ["first-step", "compare-to-none", "max-over-generations"]
TOKENS = ["joy", "fear", "ful", "jo", "y", ", ", ",", "none", "x", ".", " "]


@property_test(40)
@given(
    seed=st.integers(0, 10**9),
    methods=st.sampled_from([["any-place", *STEPS, "any-place-pruned"], STEPS, ["any-place"]]),
    normalise=st.sampled_from(["raw", "on-format", "masked"]),
    top_only=st.sampled_from([None, 2, 5]),
    nodes=st.integers(1, 30),
)
@example(1, ["any-place", *STEPS, "any-place-pruned"], "raw", None, 9)
@example(0, ["any-place", *STEPS, "any-place-pruned"], "masked", None, 3)
def test_a_fresh_run_never_blames_its_trees(
    seed: int, methods: list[str], normalise: str, top_only: int | None, nodes: int
) -> None:
    """Wherever the budget cuts, it is the budget or the engine that is named."""
    model = ScriptedLanguageModel(random_script(seed, TOKENS, 6), TOKENS, top_only=top_only)
    (result,) = labelmass.score(
        ["x"],
        Task.from_toml(TASK),
        model,
        methods=methods,
        normalise=normalise,
        budget=Budget(max_nodes=nodes, tolerance=0.1),
    )
    assert isinstance(result, Result)
    assert {found.reason for found in result.missed.values()} <= {"nodes", "engine"}
    for method, scores in result.methods.items():
        if method not in result.missed and method != "any-place-pruned":
            known = ~np.isnan(scores.p)
            assert (scores.high - scores.low)[known].max(initial=0.0) <= 0.1 + 1e-9


@pytest.mark.parametrize(
    "method", ["any-place", "first-step", "max-over-generations", "sampling", "any-place-completed"]
)
def test_what_an_engine_does_not_say_is_named(mood: Task, method: str) -> None:
    assert missed(mood, talker(top_only=1), method)["reason"] == "engine"


def test_a_prompt_that_does_not_show_the_format_is_no_quiet_success() -> None:
    """Almost all leaves the format; masked, what is left is flat and never ends."""
    task = Task(
        name="t", labels=["joy", "fear", "rage"], instruction="Say.", format="comma", chat=False
    )
    assert task.warnings

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        text = "".join(path)
        if text and not text.endswith(", "):
            return {", ": 1e-5, "\n\n": 1e-7}
        return {"joy": 3e-6, "fear": 3e-6, "rage": 3e-6, "none": 1e-6}

    model = ScriptedLanguageModel(script, ["joy", "fear", "rage", "none", ", ", "\n\n"])
    with pytest.warns(LabelMassWarning):
        found = missed(task, model, "any-place", "masked", max_nodes=30)
    assert found["reason"] == "nodes" and found["width"] > 0.3


def test_one_softmax_of_many_questions_is_within_the_tolerance_or_says_so() -> None:
    """Two labels nearly sure: their odds decide, so the questions are answered more finely."""
    task = Task(
        name="t",
        labels=["joy", "fear"],
        instruction="Which?",
        format={"kind": "comma", "single": True, "empty": False},
        chat=False,
    )

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        if "easonable" not in prompt:
            return {"joy": 1.0} if not path else {END: 1.0}
        if len(path) > 1 or "".join(path).endswith("able"):
            return {END: 1.0}
        return {"able": 1.0} if path else {"reason": 0.98, "unreason": 0.008, "unreasonable": 0.006}

    model = ScriptedLanguageModel(script, ["joy", "fear", "reason", "unreason", "able", *WORDS])
    assert missed(task, model, "unary") == {}


# -- saved trees ----------------------------------------------------------------------------------


def keep(folder: Path, task: Task, model: ScriptedLanguageModel, **options: Any) -> list[Result]:
    plan = Plan(task, options.pop("methods", ["any-place"]), **options)
    store = TreeStore(folder, task, plan.signature(model))
    records = [(key, Record(key, text=text)) for key, text in enumerate(["so happy", "rain"])]
    found = [result for _, result in Scorer.of_plan(plan, model).run(records, store=store)]
    store.close()
    return [result for result in found if isinstance(result, Result)]


def test_saved_trees_give_the_same_numbers_later(mood: Task, tmp_path: Path) -> None:
    names = [n for n, e in ESTIMATORS.items() if not e.requirements.draws and n not in ELSEWHERE]
    kept = keep(tmp_path, mood, mood_model(), methods=names, every_method=True)
    for result, again in zip(kept, score_trees(tmp_path, names), strict=True):
        assert isinstance(again, Result)
        one, other = result.to_dict(), again.to_dict()
        assert one.pop("signature") == other.pop("signature")
        assert one == other


def test_trees_that_were_not_grown_for_a_method_say_so(mood: Task, tmp_path: Path) -> None:
    keep(tmp_path / "first", mood, mood_model(), methods=["first-step"])
    for result in score_trees(tmp_path / "first", ["any-place", "first-step"]):
        assert isinstance(result, Result)
        assert {name: one.reason for name, one in result.missed.items()} == {
            "any-place": "not-grown"
        }
    shy = ScriptedLanguageModel(
        lambda prompt, path: {"\n\n": 1.0} if path else {"joy": 0.03, "fear": 0.03, "none": 0.02},
        ["joy", "fear", "ful", "none", "\n\n"],
    )
    keep(tmp_path / "raw", mood, shy, budget=Budget(tolerance=0.1))
    for result in score_trees(tmp_path / "raw", ["any-place"], normalise="on-format"):
        assert isinstance(result, Result)
        wide = float((result.labels.high - result.labels.low).max())
        assert wide > 0.1 and result.missed["any-place"].to_dict() == {
            "reason": "not-grown",
            "width": pytest.approx(wide),
        }


def test_trees_of_an_earlier_version_are_read_with_honest_intervals(
    mood: Task, tmp_path: Path
) -> None:
    """They hold the labels' usual spellings, and nothing of what may be written next."""
    (exact, _) = keep(tmp_path / "new", mood, talker(), methods=["first-step"], every_method=True)
    keep(tmp_path / "old", mood, talker(), methods=["hard"])
    lines = (tmp_path / "old" / TREES).read_text().splitlines()
    again = Plan(mood, ["hard"])
    again.requirements = again.requirements | type(again.requirements)(tree=False, label_tries=None)
    store = TreeStore(tmp_path / "tries", mood, again.signature(talker()))
    list(Scorer.of_plan(again, talker()).run([(0, Record(0, text="so happy"))], store=store))
    store.close()
    path = tmp_path / "tries" / TREES
    head, line, *rest = path.read_bytes().splitlines(keepends=True)
    assert lines and not rest
    row, stamp = json.loads(record_of(line)), read_head(line)
    assert stamp is not None
    for _, tree in _find_trees(row):
        for key in ("shares", "contrast", "stem_shares", "step_stopped", "upcoming"):
            del tree[key]
    path.write_bytes(head + write_line(*stamp, json.dumps(row).encode()))
    (result,) = score_trees(tmp_path / "tries", ["first-step", "max-over-generations"])
    assert isinstance(result, Result)
    first = result.labels
    assert result.missed["first-step"].reason == "not-grown"
    assert (first.low <= exact.labels.p + 1e-9).all() and (
        exact.labels.p <= first.high + 1e-9
    ).all()
    assert (first.high - first.low).max() > 0.05


def _find_trees(row: Any) -> list[tuple[Any, dict[str, Any]]]:
    if isinstance(row, dict):
        if "trees" in row:
            return row["trees"]
        return [pair for value in row.values() for pair in _find_trees(value)]
    return [pair for value in row for pair in _find_trees(value)] if isinstance(row, list) else []


# -- numbers that stand beside the methods --------------------------------------------------------


def test_what_no_method_narrowed_is_an_interval_without_a_number(mood: Task) -> None:
    (result,) = labelmass.score(
        ["so happy"], mood, talker(), methods=["first-step"], keep_trees=True
    )
    record = result.to_dict()
    assert record["missed"] == {} and record["empty"]["p"] is not None
    for bounds in (*record["sets"], *record["counts"], record["empty_answer"]):
        assert (bounds["p"] is None) == (bounds["high"] - bounds["low"] > 0.01 + 1e-9)
    assert any(bounds["p"] is None for bounds in record["counts"])
    assert result.pair("joy", "fear").p is None
    assert str(result.pair("joy", "fear")).startswith("null [")
    (result,) = labelmass.score(
        ["so happy"], mood, mood_model(), methods=["any-place"], keep_trees=True
    )
    assert result.empty_answer is not None and result.empty_answer.p is not None


def test_shares_sum_to_one_with_the_empty_answer(mood: Task) -> None:
    methods = ["first-step", "any-place", "hard"]
    (result,) = labelmass.score(["so happy"], mood, talker(), methods=methods)
    record = result.to_dict()
    total = sum(score["p"] for score in record["labels"].values()) + record["empty"]["p"]
    assert total == pytest.approx(1)
    assert set(record["empty_by_method"]) == {"first-step", "any-place"}
    assert record["empty_by_method"]["any-place"] == record["empty_answer"]
    assert record["signature"]["points"] == {"first-step": "found"}


def test_a_share_that_nothing_was_found_of_is_null(mood: Task) -> None:
    model = ScriptedLanguageModel(lambda prompt, path: {"!": 1.0}, ["joy", "fear", "ful", "!"])
    (result,) = labelmass.score(["x"], mood, model, methods=["first-step"])
    record = result.to_dict()
    assert record["labels"]["joy"] == {"p": None, "low": 0.0, "high": 1.0}
    assert record["missed"] == {}  # all was looked at, and no label can come
    assert "null" in record["warnings"][-1]
    json.dumps(record, allow_nan=False)


# -- counting -------------------------------------------------------------------------------------


def test_records_are_counted_once_however_many_of_their_methods_fell_short() -> None:
    short = Shortfall()
    signature = {"tolerance": 0.01}
    nodes, depth = ({"reason": reason, "width": 0.2} for reason in ("nodes", "depth"))
    short.add({"id": 1, "missed": {"a": nodes, "b": nodes}, "signature": signature})
    short.add(
        {"id": 2, "missed": {"a": nodes, "b": depth | {"width": 0.5}}, "signature": signature}
    )
    short.add({"id": 3, "missed": {}, "signature": signature})
    short.add({"id": 4, "error": "too long"})
    assert (short.failed, short.missed, short.widest) == (1, 2, 0.5)
    one, other, *cures = short.lines()
    assert one.startswith("1 records could not be scored")
    assert "2 records missed the tolerance of 0.01" in other
    assert "nodes (2), depth (1)" in other and "0.5" in other
    assert len(cures) == 2


def test_greedy_numbers_of_an_answer_that_was_cut_are_not_exact(mood: Task) -> None:
    (result,) = labelmass.score(
        ["x"], mood, talker(), methods=["hard", "token", "fixed-place"], budget=Budget(max_depth=3)
    )
    hard, token, placed = (result.methods[name] for name in ("hard", "token", "fixed-place"))
    assert hard["joy"].low == hard["joy"].p > 0.9  # it stays written
    assert (hard["fear"].p, hard["fear"].high) == (pytest.approx(1e-8), pytest.approx(1 - 1e-8))
    assert (token["joy"].low, token["joy"].high) == (0.0, 1.0)  # it may be written again
    assert placed["fear"].high == pytest.approx(placed["joy"].p)  # never rises with its place


def test_labels_that_next_to_nothing_leads_to_do_not_take_all_rows(mood: Task) -> None:
    """What every method may read later includes the labels' shares among themselves."""

    def mostly_none(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        if not path:
            return {"none": 0.98, " ": 0.018, "joy": 0.001, "fear": 0.001}
        if set(path) == {" "}:
            return {" ": 0.9, "joy": 0.05, "fear": 0.05}
        return {"\n\n": 0.9, ", ": 0.1} if "joy" in path or "fear" in path else {"\n\n": 1.0}

    model = ScriptedLanguageModel(mostly_none, ["joy", "fear", "ful", "none", ", ", " ", "\n\n"])
    methods = ["any-place", "max-over-generations", "first-step", "compare-to-none"]
    few = Scorer(mood, model, methods=methods).score(["so happy"])[0]
    every = Scorer(mood, model, methods=methods, every_method=True).score(["so happy"])[0]
    assert isinstance(few, Result) and isinstance(every, Result)
    assert not every.missed and every.summary is not None and every.summary.stopped != "nodes"
    assert every.cost.tree_tokens <= few.cost.tree_tokens + 64
    for method in methods:
        assert every.methods[method].p == pytest.approx(few.methods[method].p, abs=0.01)
