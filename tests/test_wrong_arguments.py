"""What Python hands over in place of what is wanted is refused by name, before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelmass
from conftest import TASK, mood_model
from helpers.annotated_records import annotated, level_model
from labelmass.errors import LabelMassError
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scores import Scores
from labelmass.targets import Targets, targets_of
from labelmass.task import Record, Task
from labelmass.workflows.tuning import ThresholdObjective

MOOD: Any = Task.from_toml(TASK)
MODEL: Any = mood_model()
Call = Callable[[Scores, Targets], object]


@pytest.fixture(scope="module")
def scores() -> Scores:
    return labelmass.score(annotated(40), MOOD, level_model())


@pytest.fixture(scope="module")
def targets() -> Targets:
    return targets_of(MOOD, [Record.from_dict(one, 1) for one in annotated(40)], "majority")


WRONG: dict[str, tuple[Call, str]] = {
    "no task": (lambda s, t: labelmass.Scorer(None, MODEL), "give a task, such as"),
    "task of another type": (lambda s, t: labelmass.Scorer(3, MODEL), "task is 3"),
    "a task's path": (lambda s, t: Task.load(None), "task is None"),
    "model of another type": (lambda s, t: labelmass.Scorer(MOOD, 3), "model is 3, not a model"),
    "model class": (
        lambda s, t: labelmass.Scorer(MOOD, ScriptedLanguageModel),
        "model is <class",
    ),
    "model that is not there": (
        lambda s, t: labelmass.Scorer(MOOD, Path("/nowhere/model")),
        "/nowhere/model",
    ),
    "one method": (
        lambda s, t: labelmass.Scorer(MOOD, MODEL, methods="any-place"),
        r"methods is 'any-place': a list of names, as \['any-place'\]",
    ),
    "a calibrator's path": (
        lambda s, t: labelmass.Scorer(MOOD, MODEL, calibrator="c.json"),
        "calibrator is 'c.json', not a Calibrator: see Calibrator.load",
    ),
    "a policy's path": (lambda s, t: labelmass.Scorer(MOOD, MODEL, policy="p.json"), "policy is"),
    "a classifier's path": (
        lambda s, t: labelmass.Scorer(MOOD, MODEL, classifiers=["x"]),
        "classifier is 'x'",
    ),
    "a rule's path": (lambda s, t: labelmass.Scorer(MOOD, MODEL, rules=["x"]), "rule is 'x'"),
    "a budget as a number": (
        lambda s, t: labelmass.Scorer(MOOD, MODEL, budget=100),
        "budget is 100, not a Budget",
    ),
    "no texts": (lambda s, t: labelmass.score(None, MOOD, MODEL), "texts is None, not a text"),
    "texts in a file": (
        lambda s, t: labelmass.score(Path("t.txt"), MOOD, MODEL),
        "no file .*t.txt",
    ),
    "ids that repeat": (
        lambda s, t: labelmass.score(
            [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], MOOD, MODEL
        ),
        "2 records have the id 'a'",
    ),
    "no frame": (lambda s, t: Scores.from_frame(None), "is None"),
    "ids that are none": (lambda s, t: Scores.of([1.5], ["a"], np.ones((1, 1))), "id is 1.5"),
    "arrays to evaluate": (lambda s, t: labelmass.evaluate({"a": s.p}, t), "scores of 'a' is"),
    "a list to evaluate": (lambda s, t: labelmass.evaluate([s], t), "not Scores, or Scores by"),
    "no targets": (lambda s, t: labelmass.evaluate(s, None), "targets is None, not Targets"),
    "targets as records": (lambda s, t: targets_of(MOOD, [{"id": 1}]), "not a Record"),
    "no scores to calibrate": (lambda s, t: labelmass.calibrate(s.p, t), "not Scores"),
    "no goal": (lambda s, t: labelmass.tune(s, t, "recal>=0.8"), "no goal"),
    "an objective of another type": (lambda s, t: labelmass.tune(s, t, 0.5), "objective is 0.5"),
    "a policy's file": (lambda s, t: labelmass.decide(s, "pol.json"), "policy is 'pol.json'"),
    "no policy for drift": (lambda s, t: labelmass.drift(s, None), "policy is None"),
    "through nothing": (lambda s, t: s.through(None), "calibrator is None"),
    "records to compare": (
        lambda s, t: labelmass.compare(annotated(3), MOOD, out="run"),
        "source is .*, not a file of records",
    ),
    "no runs": (lambda s, t: labelmass.analyse([]), "no run is named"),
    "fields as a dictionary": (
        lambda s, t: labelmass.Scorer(MOOD, MODEL).score_file(
            "texts.jsonl", "out.jsonl", fields={"text": "text"}
        ),
        "fields is",
    ),
    "a folder that is not there": (
        lambda s, t: labelmass.calibrate(s, t).calibrator.save("nodir/c.json"),
        "cannot write 'nodir/c.json': there is no folder 'nodir'",
    ),
    "a folder for a file": (
        lambda s, t: labelmass.calibrate(s, t).calibrator.save("."),
        "it is a folder",
    ),
    "its own input": (
        lambda s, t: labelmass.Scorer(MOOD, MODEL).score_file("texts.jsonl", "texts.jsonl"),
        "texts.jsonl holds the records",
    ),
    "a file for trees": (
        lambda s, t: labelmass.Scorer(MOOD, MODEL).score_file(
            "texts.jsonl", "out.jsonl", trees="texts.jsonl"
        ),
        "trees are kept in a folder",
    ),
    "a file for a run": (
        lambda s, t: labelmass.compare("texts.jsonl", MOOD, models=MODEL, out="texts.jsonl"),
        "a run is kept in a folder",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_wanted_is_refused_by_name(
    name: str, scores: Scores, targets: Targets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.jsonl").write_text('{"id": 1, "text": "happy"}\n')
    before = Path("texts.jsonl").read_bytes()
    call, said = WRONG[name]
    with pytest.raises(LabelMassError, match=said):
        call(scores, targets)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]
    assert Path("texts.jsonl").read_bytes() == before


def test_what_can_only_mean_one_thing_is_taken(
    scores: Scores, targets: Targets, tmp_path: Path
) -> None:
    tuned = labelmass.tune(scores, targets, "f1").policy
    objective = ThresholdObjective("f1")  # type: ignore[arg-type]
    assert labelmass.tune(scores, targets, objective).policy == tuned
    labelmass.calibrate(scores, targets, hold_out=0.5)
    whole = labelmass.evaluate(scores, targets, ["micro-f1"], threshold=0.3, draws=0)
    assert "0.3" in str(whole.rules["sets"])
    (tmp_path / "t.jsonl").write_text(
        "".join(f'{{"id": {n}, "text": "level {n}", "labels": ["joy"]}}\n' for n in range(9))
    )
    found = labelmass.compare(tmp_path / "t.jsonl", MOOD, models=level_model(), out=tmp_path / "r")
    assert "any-place" in found.evaluation.methods
    assert "evaluate" in dir(labelmass) and "report" in dir(labelmass)
    rows = Scores.of(["a"], ["x"], [[0.5]])  # type: ignore[arg-type]
    assert rows.p.tolist() == [[0.5]]
