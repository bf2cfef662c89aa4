"""Commands run in a folder of their own, on a scripted model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import labelmass
from conftest import TASK, mood_model
from helpers.annotated_records import annotated, level_model
from helpers.commands import TEXTS, write_lines
from labelmass.task import Task


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: mood_model())
    monkeypatch.chdir(tmp_path)
    Path("mood.toml").write_text(TASK)
    write_lines("texts.jsonl", TEXTS)
    return tmp_path


@pytest.fixture(scope="session")
def level_scores() -> list[dict[str, Any]]:
    return labelmass.score(annotated(), Task.from_toml(TASK), level_model()).to_dicts()


@pytest.fixture
def levels(
    folder: Path, monkeypatch: pytest.MonkeyPatch, level_scores: list[dict[str, Any]]
) -> Path:
    """120 records with annotators in dev.jsonl, their scores in scores.jsonl, and the model."""
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: level_model())
    write_lines("dev.jsonl", annotated())
    write_lines("scores.jsonl", level_scores)
    return folder
