"""What the commands say of a task whose prompt does not tell the model enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import mood_model
from helpers.commands import run, write_lines
from labelmass.task import Task

BARE = """
name = "bare"
labels = ["joy", "fear", "joyful"]
instruction = "Which moods?"
format = "comma"
"""
LABELS = "warning: task 'bare': the prompt shows the model none of its 3 labels"


@pytest.fixture(autouse=True)
def bare(folder: Path) -> None:
    Path("bare.toml").write_text(BARE + "chat = false\n")
    write_lines("one.jsonl", [{"id": 1, "text": "happy", "labels": ["joy"]}])


@pytest.mark.parametrize(
    "command",
    [
        ["score", "one.jsonl"],
        ["explain", "happy"],
        ["show", "prompt", "one.jsonl"],
        ["compare", "one.jsonl", "--out", "run", "--draws", "10"],
    ],
)
def test_commands_that_ask_a_model_warn_once_on_stderr(command: list[str]) -> None:
    found = run(*command, "--task", "bare.toml")
    assert found.stderr.count(LABELS) == 1
    assert found.stderr.count("form of the answer") + found.stderr.count("how an answer") == 1
    assert "warning" not in found.stdout


def test_a_prompt_that_says_enough_is_not_warned_of() -> None:
    assert "warning" not in run("score", "one.jsonl", "--task", "mood.toml").stderr


def test_tasks_shows_the_warnings_of_a_task() -> None:
    assert LABELS in run("show", "task", "bare.toml").stderr
    assert run("show", "task", "emotions").stderr == ""


def test_options_count() -> None:
    """Demonstrations that the command line adds show labels and form."""
    rows = [{"text": label, "labels": [label]} for label in ("joy", "fear", "joyful")]
    write_lines("shown.jsonl", rows)
    shown = ["--demonstrations-file", "shown.jsonl"]
    assert "warning: task" not in run("score", "one.jsonl", "-t", "bare.toml", *shown).stderr


def test_a_model_trained_on_the_task_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task.from_toml(BARE + "chat = false\n")
    note = {"task": task.to_dict(), "result": {}}
    monkeypatch.setattr("labelmass.lm.adapted.read_note", lambda model: note)
    assert "warning" not in run("score", "one.jsonl", "-m", "tuned").stderr
    other = run("score", "one.jsonl", "-m", "tuned", "-t", "bare.toml", "--label-order", "reversed")
    assert "was trained on bare" in other.stderr and LABELS in other.stderr


def test_a_trained_model_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    from labelmass.scoring.warnings import scoring_warnings

    task, model = Task.from_toml(BARE + "chat = false\n"), mood_model()
    assert len(scoring_warnings(task, model)) == 2
    monkeypatch.setattr(model, "trained_for", task.hash, raising=False)
    assert scoring_warnings(task, model) == ()
