"""Folders of `labelmass compare` on scripted models, for tests of what is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from helpers.annotated_records import level_model
from helpers.commands import run, write_lines
from labelmass.lm.scripted import ScriptedLanguageModel


def make_run(
    folder: Path,
    task: str,
    rows: Sequence[Mapping[str, Any]],
    models: Sequence[ScriptedLanguageModel],
    *options: str,
    named_by: str = "-t",
) -> Path:
    """The folder `run` in here: trees of every model, and their comparison.

    task: a task file, or a guard's profile if it is `named_by` the option --guard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(task, encoding="utf-8")
    write_lines(str(folder / "dev.jsonl"), rows)
    named = {model.name: model for model in models}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helpers.commands.loader", lambda name, **_: named[name])
        given = [part for name in named for part in ("-m", name)]
        file = str(folder / "task.toml")
        asked = ("compare", str(folder / "dev.jsonl"), named_by, file, *given)
        run(*asked, *options, "--draws", "50", "--out", str(folder / "run"))
    return folder / "run"


def comparison(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "comparison.json").read_text(encoding="utf-8"))


def scores(folder: Path, method: str) -> dict[str, Any]:
    """By metric, what the comparison says of a method."""
    rows = comparison(folder)["methods"]
    return next(row["scores"] for row in rows if row["name"] == method)


def named(name: str, **options: Any) -> ScriptedLanguageModel:
    """A model of its own."""
    model = level_model(name=name, **options)
    model.fingerprint = name
    return model
