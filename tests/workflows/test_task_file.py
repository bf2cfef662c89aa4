"""A task file made of labels and a few labelled records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.commands import run
from labelmass import LabelMassError, ScriptedLanguageModel, Task
from labelmass.scoring import prompt_choice
from labelmass.scoring.prompt_choice import choose_prompt
from labelmass.workflows.task_file import new_task

LABELS = ("sport", "food")
ROWS = [
    ("a", "A goal in the last minute.", ["sport"]),
    ("b", "The bus was late.", []),
    ("c", "Soup with too much salt.", ["food"]),
    ("d", "Cake for the winning team.", ["sport", "food"]),
    ("e", "A second goal, and a third.", ["sport"]),
    ("f", "Another match.", ["sport"]),
]


def follows_examples(prompt: str, written: tuple[str, ...]) -> Mapping[str, float]:
    """Holds the format better where it is shown real records, and only in plain text."""
    if written:
        return {"<end>": 1.0}
    held = 0.9 if "Labels: sport\n\nText: The bus" in prompt or "was late" in prompt else 0.4
    return {"none": held, "prose": 1 - held}


@pytest.fixture
def model() -> ScriptedLanguageModel:
    return ScriptedLanguageModel(follows_examples, ("sport", "food", "none", ", ", "prose"))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.jsonl"
    rows = [{"id": name, "text": text, "labels": labels} for name, text, labels in ROWS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_file_holds_the_task_that_was_made(
    model: ScriptedLanguageModel, tmp_path: Path
) -> None:
    made = new_task({"sport": 'games and "matches"', "food": ""}, model, name="news")
    made.save(tmp_path / "news.toml")
    loaded = Task.load(tmp_path / "news.toml")
    assert loaded.hash == made.task.hash and loaded.name == "news" and loaded.open_keys == ()


def test_examples_show_every_label_and_the_empty_answer(
    model: ScriptedLanguageModel, labelled: Path
) -> None:
    made = new_task(LABELS, model, examples=labelled, demonstrations=3)
    shown = {example.labels for example in made.task.demonstrations.examples}
    assert shown == {("sport",), ("food",), ()} and sorted(made.records) == ["a", "b", "c"]


def test_what_examples_win_is_said(model: ScriptedLanguageModel, labelled: Path) -> None:
    made = new_task(LABELS, model, examples=labelled, demonstrations=3)
    assert made.without is not None
    assert made.chosen.on_format == pytest.approx(0.9)
    assert made.without.on_format == pytest.approx(0.4)
    assert made.gain.startswith("3 labelled records as demonstrations: 0.90 of the mass")
    assert f"# Worked examples. {made.gain}" in made.to_toml()


def test_prompts_are_tried_once_for_a_model_and_a_list_of_labels(
    model: ScriptedLanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_choice, "folder", lambda: tmp_path / "prompts")
    tried: list[int] = []
    choose_prompt(Task.from_labels(LABELS), model, watch=lambda steps, n: tried.append(n) or steps)
    made = [
        new_task(LABELS, model, name=name, watch=lambda steps, n: tried.append(n) or steps)
        for name in ("news", "again")
    ]
    assert len(tried) == 1 and made[0].chosen == made[1].chosen


def test_records_without_labels_are_no_examples(
    model: ScriptedLanguageModel, tmp_path: Path
) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text('{"text": "x"}\n')
    with pytest.raises(LabelMassError, match=r"bare.jsonl.*label"):
        new_task(LABELS, model, examples=path)


@settings(max_examples=25)
@given(
    names=st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8
        ),
        min_size=1,
        max_size=4,
        unique_by=str.casefold,
    ),
    question=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1),
)
def test_any_names_and_any_question_survive_the_file(names: list[str], question: str) -> None:
    model = ScriptedLanguageModel(follows_examples, ("none", "prose"))
    try:
        made = new_task(names, model, question=question)
    except LabelMassError:
        return  # names that cannot be told apart
    assert Task.from_toml(made.to_toml()).hash == made.task.hash


def test_the_command_writes_the_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ".toml" in run("new", "task", "x.txt", "--labels", "a,b", code=2).output
    (tmp_path / "x.toml").touch()
    assert "--overwrite" in run("new", "task", "x.toml", "--labels", "a,b", code=2).output
    assert (tmp_path / "x.toml").read_text() == ""
