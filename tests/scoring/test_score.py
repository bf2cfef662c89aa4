"""Scoring on a scripted model: order, failures, batches, cost, joints."""

from __future__ import annotations

import numpy as np
import pytest

import labelmass
from conftest import mood_model
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.answers.search import Budget
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scores import Failure, Result
from labelmass.scoring.explorer import Explorer
from labelmass.scoring.plan import Plan
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task

TEXTS = ["so happy today", "a dark road", "happy again", "rain"]


def test_results_are_in_order_and_read_by_label(
    mood: Task, scripted: ScriptedLanguageModel
) -> None:
    scores = labelmass.score(TEXTS, mood, scripted, tolerance=0.001)
    assert [result.id for result in scores] == [1, 2, 3, 4]
    first = scores[0]
    assert isinstance(first, Result)
    joyful = 0.7 * 0.3
    assert first["joyful"].p == pytest.approx(joyful, abs=0.001)
    assert first["joy"].p == pytest.approx(0.7 - joyful, abs=0.02)
    assert first["joy"].low <= first["joy"].p <= first["joy"].high
    with pytest.raises(KeyError, match="no label of this task"):
        first["jo"]
    table = scores.to_numpy()
    assert table.shape == (4, 3)
    assert np.array(scores) == pytest.approx(table)
    assert "joy" in str(scores)
    assert scores.to_dicts()[0]["interval"] == "certified"


def test_a_batch_gives_what_each_record_gives_alone(mood: Task) -> None:
    for size in (1, 2, 16):
        rows = labelmass.score(TEXTS, mood, mood_model(), batch_size=size).to_numpy()
        alone = np.vstack([labelmass.score([t], mood, mood_model()).to_numpy() for t in TEXTS])
        assert np.array_equal(rows, alone)


def test_bad_records_stand_in_their_places(mood: Task) -> None:
    model = mood_model(context=60)
    scores = labelmass.score(["happy", {"id": "x"}, "", "w" * 500, "rain"], mood, model)
    kinds = [type(result) for result in scores]
    assert kinds == [Result, Failure, Failure, Failure, Result]
    assert "missing 'text'" in scores[1].error
    assert "too long" in scores[3].error
    assert np.isnan(scores.to_numpy()[1]).all()


def test_one_mapping_is_one_record(mood: Task, scripted: ScriptedLanguageModel) -> None:
    row = {"id": np.int64(7), "text": "so happy"}
    (result,) = labelmass.score(row, mood, scripted)
    (listed,) = labelmass.score([{**row, "id": 7.0}], mood, scripted)
    assert (result.id, listed.id) == (7, 7)
    assert result["joy"] == listed["joy"]


def test_cost_is_counted_and_exact(mood: Task, scripted: ScriptedLanguageModel) -> None:
    (result,) = labelmass.score(["so happy"], mood, scripted, tolerance=0.0, keep_trees=True)
    prompt = PromptBoundary(mood, scripted.tokenizer).start(Record(1, text="so happy")).ids
    assert result.cost.prompt_tokens == len(prompt)
    assert result.cost.tree_tokens == result.tree.expanded - 1
    assert result.cost.forward_passes < result.tree.expanded
    (greedy,) = labelmass.score(["so happy"], mood, scripted, methods=["hard"], keep_trees=True)
    assert greedy.cost.tree_tokens == len(greedy.tree.greedy) - 2  # the prompt's row is free


def test_a_node_is_never_asked_for_twice(mood: Task) -> None:
    model, seen = mood_model(), set[tuple[int, int]]()
    ask = model.rows

    def watch(queries):
        for one in queries:
            assert (one.record, one.node) not in seen
            seen.add((one.record, one.node))
        return ask(queries)

    model.rows = watch  # type: ignore[method-assign]
    methods = [
        name
        for name in labelmass.estimators.ESTIMATORS
        if name not in ("demonstration-rate", "vendor-score")
    ]
    plan = Plan(mood, methods, every_method=True, label_permutations=2)
    items = enumerate([Record(1, text=t) for t in TEXTS])
    assert len(list(Scorer.of_plan(plan, model).run_in_order(items))) == 4


def test_the_model_is_left_clean_when_a_run_is_dropped(mood: Task) -> None:
    model = mood_model()
    run = Explorer(model, mood, batch_size=2).explore(
        enumerate(Record(1, text=text) for text in TEXTS)
    )
    next(run)
    run.close()
    assert model._records == {}


def test_budgets_stop_and_say_why(mood: Task) -> None:
    def stopped(**limits: object) -> str:
        budget = Budget(**limits)  # type: ignore[arg-type]
        (result,) = labelmass.score(
            ["so happy"], mood, mood_model(), budget=budget, keep_trees=True
        )
        return result.tree.stopped

    assert stopped(tolerance=0.01) == "tolerance"
    assert stopped(tolerance=0.0, max_depth=2) == "depth"
    assert stopped(tolerance=0.0, max_nodes=3) == "nodes"
    assert stopped(tolerance=0.0, max_seconds=1e-9) == "seconds"


def test_an_engine_that_shows_only_its_top_tokens_says_so(mood: Task) -> None:
    (result,) = labelmass.score(["so happy"], mood, mood_model(top_only=1), keep_trees=True)
    assert result.tree.stopped == "engine"
    assert result["fear"].low == 0.0
    assert result["fear"].high >= 0.1


def test_the_joint_is_cut_back_where_an_answer_would_change_the_prompt() -> None:
    task = Task.from_toml(
        """
        name = "t"
        labels = ["joy"]
        instruction = "?"
        format = "comma"
        chat = false
        answer_cue = "\\nA: "
        """
    )
    model = ScriptedLanguageModel(lambda prompt, path: {" joy": 1.0}, [" joy", "A:", " none"])
    start = PromptBoundary(task, model.tokenizer).start(Record(1, text="x"))
    assert model.tokenizer.decode(start.ids).endswith("\nA:")
    assert start.grammar.automaton.run(b" joy") is not None
    assert start.grammar.automaton.run(b"joy") is None


def test_a_given_opening_is_not_scored_again() -> None:
    task = Task.from_toml(
        """
        name = "t"
        labels = ["joy", "fear"]
        instruction = "?"
        format = "json"
        chat = false
        opening = "given"
        """
    )
    model = ScriptedLanguageModel(
        lambda prompt, path: {'"joy"': 0.5, '"fear"': 0.5} if not path else {"]}": 1.0},
        ['"joy"', '"fear"', "]}", '{"label": ['],
    )
    start = PromptBoundary(task, model.tokenizer).start(Record(1, text="x"))
    assert model.tokenizer.decode(start.ids).endswith('{"label": [')
    (result,) = labelmass.score(["x"], task, model)
    assert result["joy"].p == pytest.approx(0.5)
    assert result.off_format == 0.0
