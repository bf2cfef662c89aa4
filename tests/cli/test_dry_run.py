"""`--dry-run`: the first prompt and the forecast, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.commands import run
from labelmass.scoring.plan import Plan
from labelmass.task import Task


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("command", "every"), [("score", False), ("compare", True)])
def test_nothing_is_asked_or_written(command: str, every: bool) -> None:
    before = {path.name for path in Path().iterdir()}
    words = ("texts.jsonl", "-t", "mood.toml", "--method", "any-place,unary", "--out", "out.jsonl")
    shown = run(command, *words, "--dry-run")
    assert {path.name for path in Path().iterdir()} == before
    first = run("show", "prompt", "texts.jsonl", "-t", "mood.toml").stdout.partition("\n--- ")[0]
    assert shown.stdout.strip() == first.strip()
    forecast = Plan(Task.load("mood.toml"), ("any-place", "unary"), every_method=every).forecast
    assert f"30 records: {forecast}; nothing was asked" in shown.stderr


@pytest.mark.usefixtures("folder")
def test_a_limit_is_checked_and_saved_trees_are_not_asked() -> None:
    words = ("texts.jsonl", "-t", "mood.toml", "--dry-run")
    assert "more than the limit of 2" in str(run("score", *words, "--limit", "2", code=1).exception)
    run("score", *words[:3], "--keep-trees", "trees")
    assert "--dry-run is of prompts" in run("score", "trees", "--dry-run", code=2).stderr
