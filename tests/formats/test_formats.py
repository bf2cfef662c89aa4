"""Files of every layout that labelmass has written still load, and say what they said."""

from __future__ import annotations

import importlib
import json
import pkgutil
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import labelmass
from labelmass import Calibrator, Classifier, Policy, Scores
from labelmass.artifacts import ArtifactKind
from labelmass.errors import LabelMassError
from labelmass.estimators.selection import Selection
from labelmass.lm.adapted import read_note, trained_on
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.prompt_choice import load_trials
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.scoring.score import load_scores
from labelmass.task import Task
from labelmass.workflows.fitting import STUDY_KIND

HERE = Path(__file__).parent
LABELS = ("billing", "technical")
ENDS = ("p", "low", "high")


def files(pattern: str) -> list[Any]:
    found = sorted(HERE.glob(f"*/{pattern}"))
    assert found, pattern
    return [pytest.param(path, id=str(path.relative_to(HERE))) for path in found]


def plain(path: Path) -> dict[str, Any]:
    """What a file holds, read by nothing of ours."""
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)


def kinds() -> Iterator[ArtifactKind]:
    """Every kind of artefact that a module of the package defines."""
    found: set[ArtifactKind] = set()
    for module in pkgutil.walk_packages(labelmass.__path__, "labelmass."):
        if module.name != "labelmass.__main__":
            values = vars(importlib.import_module(module.name)).values()
            found |= {value for value in values if isinstance(value, ArtifactKind)}
    yield from found


def test_there_is_a_file_of_every_kind_in_every_version() -> None:
    wanted = {
        (kind.name, version)
        for kind in kinds()
        for version in range(0 if kind.unmarked else 1, kind.version + 1)
    }
    named = {kind.name: kind for kind in kinds()}
    places = {
        "calibrator": "calibrator.json",
        "policy": "policy.*",
        "classifier": "*/classifier.json",
        "fitted rule": "rule.json",
        "run": "trees/run.json",
        "evaluation": "comparison/comparison.json",
        "probe study": "probe/study.json",
        "prompt choice": "prompt-choice.json",
    }
    assert set(places) == set(named)
    held = {
        (name, named[name].version_of(plain(path)))
        for name, place in places.items()
        for path in HERE.glob(f"*/{place}")
    }
    assert held == wanted


@pytest.mark.parametrize("path", files("calibrator.json"))
def test_calibrators(path: Path, tmp_path: Path) -> None:
    found, stored = Calibrator.load(path), plain(path)
    assert found.labels == LABELS
    assert found.records == stored["fitted_on"]["records"]
    for label, curve in zip(found.labels, found.curves, strict=True):
        for name, value in stored["curves"][label]["parameters"].items():
            assert np.array_equal(curve.parameters[name], value)
    found.save(tmp_path / "again.json")
    assert Calibrator.load(tmp_path / "again.json") == found


@pytest.mark.parametrize("path", files("policy.*"))
def test_policies(path: Path, tmp_path: Path) -> None:
    found, stored = Policy.load(path), plain(path)
    for label in LABELS:
        assert found.rules[label].threshold == stored["labels"][label].get("threshold")
    assert found.records == stored["data"]["records"]
    found.save(tmp_path / f"again{path.suffix}")
    assert Policy.load(tmp_path / f"again{path.suffix}") == found


@pytest.mark.parametrize("path", files("rule.json"))
def test_fitted_rules(path: Path, tmp_path: Path) -> None:
    found, stored = Selection.load(path), plain(path)
    assert (found.rule, found.threshold) == (stored["rule"], stored["threshold"])
    assert found.fitted_on == frozenset(stored["fitted_on"])
    found.save(tmp_path / "again.json")
    assert Selection.load(tmp_path / "again.json") == found


@pytest.mark.parametrize("path", files("*/heads.safetensors"))
def test_classifiers(path: Path, tmp_path: Path) -> None:
    found, stored = Classifier.load(path.parent), plain(path.parent / "classifier.json")
    assert found.fitted_on == frozenset(stored["fitted_on"])
    found.save(tmp_path)
    assert Classifier.load(tmp_path).digest == found.digest


@pytest.mark.parametrize("path", files("trees/run.json"))
def test_saved_trees(path: Path) -> None:
    """Read anew, they give the probabilities that were read off them when they were grown."""
    saved = SavedTrees(path.parent)
    trees = [kept.tree for kept in saved if isinstance(kept, ExploredRecord)]
    assert saved.task.label_names == LABELS
    assert len(trees) == 2
    if not (written := path.parent.parent / "scores.jsonl").is_file():
        return
    rows = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    scores = load_scores(path.parent, LABELS, "hard")
    assert list(scores.ids) == [row["id"] for row in rows]
    wanted = [[row["methods"]["hard"][label]["p"] for label in LABELS] for row in rows]
    assert scores.p.tolist() == wanted


def stored_scores(path: Path) -> list[list[list[float]]]:
    """p, low and high of the first method in a file: (3, n, k), by readers of others."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line)["labels"] for line in path.read_text("utf-8").splitlines()]
        return [[[row[name][end] for name in LABELS] for row in rows] for end in ENDS]
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    columns = [[f"{name}{end}" for name in LABELS] for end in ("", ".low", ".high")]
    return [frame[names].to_numpy().tolist() for names in columns]


@pytest.mark.parametrize("path", files("scores.*"))
def test_scores(path: Path) -> None:
    found = Scores.load(path, LABELS)
    assert [getattr(found, end).tolist() for end in ENDS] == stored_scores(path)
    assert list(found.each) == ["any-place", "hard"]
    if path.suffix != ".csv":
        assert found.signature is not None
        assert found.signature.task == "tickets"


@pytest.mark.parametrize("path", files("probe/study.json"))
def test_studies_of_probes(path: Path) -> None:
    stored = plain(path)
    assert STUDY_KIND.version_of(stored) == (1 if "kind" in stored else 0)
    assert {row["name"] for row in stored["rows"]} >= {"Gold", "Perf"}


@pytest.mark.parametrize("path", files("trained/labelmass.json"))
def test_trained_models(path: Path) -> None:
    note = read_note(path.parent)
    assert note is not None
    assert Task.from_dict(note["task"]).label_names == LABELS
    assert Task.load(path.parent / "task.json") == Task.from_dict(note["task"])
    assert len(trained_on(path.parent)) == 6


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda kind: kind.name), ids=lambda k: k.name)
def test_a_later_version_and_another_kind_are_refused(kind: ArtifactKind, tmp_path: Path) -> None:
    path = tmp_path / "artefact.json"
    later = f"labelmass {kind.name} {kind.version + 1}"
    for mark, said in ((later, "later labelmass"), ("labelmass teapot 1", "teapot"), (3, "kind")):
        path.write_text(json.dumps({"kind": mark}))
        with pytest.raises(kind.error, match=said) as caught:
            kind.load(path, lambda data: kind.version_of(data))
        assert str(path) in str(caught.value)
        assert isinstance(caught.value, LabelMassError)


def test_a_training_note_of_a_later_version_is_refused(tmp_path: Path) -> None:
    note = plain(HERE / "older" / "trained" / "labelmass.json") | {"labelmass": 2}
    (tmp_path / "labelmass.json").write_text(json.dumps(note))
    with pytest.raises(LabelMassError, match="later labelmass"):
        read_note(tmp_path)


@pytest.mark.parametrize("path", files("prompt-choice.json"))
def test_prompt_choices(path: Path) -> None:
    trials, stored = load_trials(path), plain(path)
    assert trials is not None
    assert [asdict(trial) for trial in trials] == stored["trials"]
