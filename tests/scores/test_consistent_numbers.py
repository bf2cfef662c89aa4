"""However scores are selected, moved, calibrated, saved or read, each number is told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelmass
from conftest import TASK, mood_model
from helpers.annotated_records import annotated, level_model
from helpers.scripted_guard import guard_model, guard_records, guard_task
from labelmass.answers.search import Budget
from labelmass.scores import Result, Scores
from labelmass.targets import targets_of
from labelmass.task import Record, Task

TEXTS = ["so happy today", "a dark road", "happy again", "rain"]
METHODS = ("any-place", "hard", "token")


@pytest.fixture(scope="module")
def scored() -> Scores:
    return labelmass.score(
        TEXTS, Task.from_toml(TASK), mood_model(), methods=METHODS, keep_trees=True
    )


def check(scores: Scores) -> None:
    """Results, arrays, dictionaries and tables hold the same numbers, of the same methods."""
    for row, result in enumerate(scores):
        assert isinstance(result, Result)
        assert tuple(result.methods) == tuple(scores.methods)
        for name, one in scores.methods.items():
            assert np.array_equal(result.methods[name].p, one.p[row], equal_nan=True)
        for column, label in enumerate(scores.labels):
            assert result[label].p == scores.p[row, column]
            assert result.to_dict()["labels"][label]["p"] == scores.p[row, column]
    assert scores.to_pandas()[list(scores.labels)].to_numpy() == pytest.approx(scores.p)


@pytest.mark.parametrize("method", METHODS)
def test_one_method_alone(scored: Scores, method: str, tmp_path: Path) -> None:
    alone = scored.select(method)
    check(alone)
    check(scored.each[method])
    assert alone[0].tree is scored[0].tree  # what else is known of the record stays
    alone.save(tmp_path / "s.jsonl")
    read = Scores.load(tmp_path / "s.jsonl")
    assert read.method == method and list(read.methods) == [method]
    assert np.array_equal(read.p, alone.p)


def test_other_records_and_labels(scored: Scores) -> None:
    labels = scored.labels[::-1]
    moved = scored.at([3, 1], labels)
    check(moved)
    assert [one.id for one in moved] == [3, 1]
    assert moved[0].tree is scored[2].tree and moved[1].off_format == scored[0].off_format
    assert moved[0][labels[0]] == scored[2][labels[0]]
    assert np.isnan(scored.at([1, 99]).p[1]).all()


def masses(scores: Scores) -> dict[str, Any]:
    found = {"p": scores.p, "low": scores.low, "high": scores.high}
    found |= {"off": scores.off_format, "lost": scores.unreadable, "verdict": scores.verdict}
    return found | {"missed": scores.estimates.missed}


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_what_is_saved_again_is_what_was_saved(tmp_path: Path, ending: str) -> None:
    records = guard_records(12)
    first = labelmass.score(records, guard_task(), guard_model(), budget=Budget(max_nodes=3))
    assert np.any(first.estimates.missed) and not np.isnan(first.verdict).all()  # type: ignore[arg-type]
    before = first
    for number in range(3):
        before.save(tmp_path / f"{number}.{ending}")
        after = Scores.load(tmp_path / f"{number}.{ending}", ids=first.ids)
        for name, wanted in masses(first).items():
            assert np.array_equal(masses(after)[name], wanted, equal_nan=name != "missed"), name
        assert after.estimates.interval == "certified"
        assert after.estimates.reasons == first.estimates.reasons
        if ending == "jsonl":
            assert after.cost == pytest.approx(first.cost)
        one, other = after[0], first[0]
        assert (one.off_format, one.unreadable) == (other.off_format, other.unreadable)
        before = after


def test_a_guard_fails_closed_after_a_file_as_before(tmp_path: Path) -> None:
    task, records = guard_task(), guard_records(160)
    scores = labelmass.score(records, task, guard_model())
    targets = targets_of(task, [Record.from_dict(one, 1) for one in records])
    calibrator = labelmass.calibrate(scores, targets, hold_out=0.5).calibrator
    through = scores.through(calibrator)
    policy = labelmass.tune(through, targets, "recall>=0.8").policy
    through.save(tmp_path / "s.jsonl")
    read = Scores.load(tmp_path / "s.jsonl").through(calibrator)
    wanted = labelmass.decide(through, policy)
    assert labelmass.decide(read, policy).to_rows() == wanted.to_rows()
    assert (
        labelmass.drift(read, policy).masses.keys()
        == labelmass.drift(through, policy).masses.keys()
    )
    again = labelmass.tune(read, targets, "recall>=0.8").policy
    assert again.requires_verdict == policy.requires_verdict


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_what_is_drawn_is_never_certified(tmp_path: Path, mood: Task, ending: str) -> None:
    drawn = labelmass.score(TEXTS, mood, mood_model(), methods=["sampling"])
    assert drawn.estimates.interval == "sampled"
    drawn.save(tmp_path / f"one.{ending}")
    assert Scores.load(tmp_path / f"one.{ending}").estimates.interval == "sampled"
    assert Scores.from_frame(drawn.to_pandas()).estimates.interval == "sampled"
    (tmp_path / "theirs.csv").write_text("id,joy,joy.low,joy.high\n1,0.5,0.4,0.6\n")
    assert Scores.load(tmp_path / "theirs.csv").estimates.interval == "unknown"


def test_what_missed_the_tolerance_is_counted_from_a_file_too(tmp_path: Path) -> None:
    task, records = Task.from_toml(TASK), annotated(20)
    scores = labelmass.score(records, task, level_model(), budget=Budget(max_nodes=1))
    targets = targets_of(task, [Record.from_dict(one, 1) for one in records], "majority")
    wanted = labelmass.evaluate(scores, targets, ["brier"], draws=0).methods["any-place"].missed
    assert wanted > 0
    for name in ("s.jsonl", "s.parquet"):
        scores.save(tmp_path / name)
        read = labelmass.evaluate(
            {"one": Scores.load(tmp_path / name)}, targets, ["brier"], draws=0
        )
        assert read.methods["one"].missed == wanted


def test_failures_alone_can_be_read_back(tmp_path: Path, mood: Task) -> None:
    empty_answer = labelmass.score([{"id": "x"}], mood, mood_model())
    for ending in ("jsonl", "csv", "parquet"):
        empty_answer.save(tmp_path / f"s.{ending}")
        read = Scores.load(tmp_path / f"s.{ending}", mood.label_names)
        assert read.ids == ("x",) and np.isnan(read.p).all() and read.failures[0].error


def test_scores_go_through_the_calibrator_of_their_method(mood: Task) -> None:
    task, records = mood, annotated(60)
    both = labelmass.score(records, task, level_model(), methods=["hard", "any-place"])
    targets = targets_of(task, [Record.from_dict(one, 1) for one in records], "majority")
    calibrator = labelmass.calibrate(both.select("any-place"), targets).calibrator
    through = both.through(calibrator)
    assert list(through.methods) == ["calibrated:any-place", "any-place"]
    assert np.array_equal(through.p, both.select("any-place").through(calibrator).p)
