"""A list of labels in place of a task: `--labels`, `--question`, `--format`, and what is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from helpers.commands import run
from labelmass import ScriptedLanguageModel
from labelmass.scoring import prompt_choice

LABELS = ("--labels", "billing, bug report", "--id-column", "ticket")


def names_what_is_there(prompt: str, written: tuple[str, ...]) -> Mapping[str, float]:
    """Writes the label that the text names, in plain text with demonstrations; else prose."""
    if written:
        return {"<end>": 1.0}
    record = prompt.rpartition("Text: ")[2]
    own = next((label for label in ("billing", "bug report") if label in record), "none")
    held = 0.7 if "Labels: none" in prompt else 0.1
    return {own: held, "prose": 1 - held}


@pytest.fixture(autouse=True)
def _world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prompt_choice, "folder", lambda: tmp_path / "prompts")
    Path("tickets.csv").write_text("ticket,body\nT1,a billing matter\nT2,thanks\n")
    tokens = ("billing", "bug report", "none", ", ", "prose")
    model = ScriptedLanguageModel(names_what_is_there, tokens)
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: model)


def test_labels_and_a_table_are_enough() -> None:
    lines = run("score", "tickets.csv", *LABELS, "--json").stdout.splitlines()
    first, second = map(json.loads, lines)
    assert first["id"] == "T1" and first["labels"]["billing"]["p"] == pytest.approx(0.7)
    assert second["labels"]["billing"]["p"] == 0 and second["off_format"] == pytest.approx(0.3)


def test_the_choice_of_the_prompt_is_one_line() -> None:
    said = run("score", "tickets.csv", *LABELS, "--json").stderr
    assert said.count("prompt: comma answers, plain text, 6 demonstrations, the best of 4") == 1


def test_a_format_that_is_named_is_taken() -> None:
    command = "score", "tickets.csv", *LABELS, "--json", "--format", "json"
    result = run(*command)
    assert "prompt: json answers" in result.stderr
    assert json.loads(result.stdout.splitlines()[0])["signature"]["format"].startswith("json")


def test_the_question_stands_in_the_prompt() -> None:
    asked = run("show", "prompt", "tickets.csv", *LABELS, "--question", "Which topics?").stdout
    assert "Which topics?\n\n- billing\n- bug report" in asked


def test_a_question_to_a_task_with_an_instruction_is_refused() -> None:
    command = "score", "tickets.csv", "--task", "emotions", "--question", "Which?"
    assert "an instruction of its own, so --question" in run(*command, code=2).output


def test_a_task_and_labels_are_one_too_many() -> None:
    command = "score", "tickets.csv", "--task", "emotions", "--labels", "a,b"
    assert "give --task or --labels" in run(*command, code=2).output
    assert "--labels 'billing,bug report'" in run("score", "tickets.csv", code=2).output


def test_the_end_of_a_run_says_what_matters_and_what_comes_next() -> None:
    *_, look, following = run(
        "score", "tickets.csv", *LABELS, "--out", "scores.jsonl"
    ).stderr.splitlines()
    assert look.startswith("look: 30% of the mass is outside the answer format")
    assert following == (
        "next: labelmass calibrate scores.jsonl --targets LABELLED --labels 'billing,bug report' "
        "--out calibrator.json  (LABELLED: records with human labels)"
    )


def test_below_a_table_the_next_step_is_to_keep_the_scores() -> None:
    *_, last = run("score", "tickets.csv", *LABELS, "--table").stderr.splitlines()
    assert last == "next: --out scores.jsonl keeps the scores and says how to calibrate them"


def test_nothing_is_said_of_a_format_that_holds_or_a_reading_within_it() -> None:
    command = "score", "tickets.csv", *LABELS, "--out", "scores.jsonl", "--normalise", "on-format"
    assert "look:" not in run(*command).stderr


def test_pipes_get_no_advice() -> None:
    assert "next:" not in run("score", "tickets.csv", *LABELS, "--json").stderr


def test_records_that_are_demonstrations_are_no_judges() -> None:
    Path("shown.toml").write_text(
        'labels = ["billing"]\ninstruction = "{labels}"\nformat = "comma"\n'
        'demonstrations = [{ text = "a billing matter", labels = ["billing"] }]\n'
    )
    Path("gold.jsonl").write_text(
        '{"id": "T1", "text": "a billing matter", "labels": ["billing"]}\n'
        '{"id": "T2", "text": "thanks", "labels": []}\n'
    )
    Path("scores.jsonl").write_text(
        '{"id": "T1", "labels": {"billing": 0.6}}\n{"id": "T2", "labels": {"billing": 0.1}}\n'
    )
    command = "evaluate", "scores.jsonl", "--targets", "gold.jsonl", "--task", "shown.toml"
    assert "warning: 1 of the records of gold.jsonl are demonstrations" in run(*command).stderr


def test_a_table_that_cannot_be_read_is_refused_before_a_prompt_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: pytest.fail("a model"))
    Path("other.csv").write_text("ticket,kommentar\nT1,x\n")
    command = "score", "other.csv", *LABELS
    assert "--text-column" in str(run(*command, code=1).exception)


def test_labelled_records_of_any_table_are_demonstrations() -> None:
    Path("shown.csv").write_text("Nr,Body,Kind\n1,no heat,bug report\n2,a bill,billing\n3,hi,[]\n")
    shown = "--demonstrations-file", "shown.csv", "--labels-column", "Kind"
    result = run("score", "tickets.csv", *LABELS, *shown, "--json", "--dry-run")
    assert "Text: no heat\nLabels: bug report\n\nText: a bill\nLabels: billing" in result.stdout
    assert "Text: hi\nLabels: none" in result.stdout
    assert "text column of shown.csv: Body" in result.stderr
    assert "3 demonstrations, the best of" in result.stderr


def test_a_demonstration_without_labels_is_named() -> None:
    Path("shown.csv").write_text("text,labels\na bill,billing\nhi,\n")
    command = "score", "tickets.csv", *LABELS, "--demonstrations-file", "shown.csv"
    assert "shown.csv, record 3: a demonstration needs `labels`" in run(*command, code=2).output


def test_records_that_are_shown_are_warned_of_where_they_are_scored() -> None:
    Path("shown.csv").write_text("text,labels\nthanks,[]\n")
    said = run("score", "tickets.csv", *LABELS, "--demonstrations-file", "shown.csv").stderr
    assert "warning: 1 of the records of tickets.csv are demonstrations" in said
