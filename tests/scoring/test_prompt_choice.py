"""The prompt that is chosen for a model, where a task leaves it open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import labelmass
from labelmass import LanguageModel, ModelError, ScriptedLanguageModel, Task
from labelmass.scoring import prompt_choice
from labelmass.scoring.prompt_choice import choose_prompt, prompt_candidates, try_prompt

LABELS = ("sport", "food")
TOKENS = ("sport", "food", "none", ", ", '"', "]}", "prose")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(prompt_choice, "folder", lambda: tmp_path / "prompts")


def lists_with_commas(prompt: str, written: tuple[str, ...]) -> Mapping[str, float]:
    """Writes the label that the text names, if demonstrations have shown it how, else prose."""
    record = prompt.rpartition("Text: ")[2]
    if written:
        return {"<end>": 1.0}
    if "Labels: none" not in prompt:
        return {"prose": 0.9, "none": 0.1}
    own = next((label for label in LABELS if label in record), "none")
    return {own: 0.8, "prose": 0.2}


@pytest.fixture
def model() -> ScriptedLanguageModel:
    return ScriptedLanguageModel(lists_with_commas, TOKENS)


def test_what_is_open_is_tried_in_every_combination() -> None:
    task = Task.from_labels(LABELS)
    assert [each.prompt_style for each in prompt_candidates(task, chat=True)] == [
        "comma answers, chat, 0 demonstrations",
        "comma answers, chat, 6 demonstrations",
        "comma answers, plain text, 0 demonstrations",
        "comma answers, plain text, 6 demonstrations",
        "json answers, chat, opening given, 0 demonstrations",
        "json answers, chat, opening given, 6 demonstrations",
        "json answers, plain text, opening given, 0 demonstrations",
        "json answers, plain text, opening given, 6 demonstrations",
    ]
    assert len(prompt_candidates(task, chat=False)) == 4
    fixed = task.with_keys(format="comma", chat=True)
    assert {each.format.name for each in prompt_candidates(fixed, chat=True)} == {"comma"}
    assert len(prompt_candidates(fixed, chat=True)) == 2


def test_the_prompt_that_holds_the_model_is_chosen(model: ScriptedLanguageModel) -> None:
    said: list[str] = []
    task = choose_prompt(Task.from_labels(LABELS), model, say=said.append)
    assert task.prompt_style == "comma answers, plain text, 6 demonstrations"
    assert task.open_keys == ()
    assert "with probability 0.80 (--format overrules)" in said[0] and len(said) == 1


def test_a_trial_says_how_well_a_prompt_holds(model: ScriptedLanguageModel) -> None:
    *_, plain = prompt_candidates(Task.from_labels(LABELS).with_keys(format="comma"), chat=False)
    trial = try_prompt(plain, model)
    assert trial.on_format == pytest.approx(0.8) and trial.own_label == pytest.approx(0.8)


def test_a_choice_is_made_once_for_a_model_and_a_list_of_labels(
    model: ScriptedLanguageModel, tmp_path: Path
) -> None:
    tried: list[int] = []

    def choose(labels: tuple[str, ...]) -> Task:
        return choose_prompt(
            Task.from_labels(labels),
            model,
            watch=lambda steps, total: tried.append(total) or list(steps),
        )

    first = choose(LABELS)
    assert choose(LABELS) == first and tried == [4]
    choose((*LABELS, "money"))
    assert tried == [4, 4]
    (kept, _) = (tmp_path / "prompts").iterdir()
    kept.write_text(kept.read_text()[:40])  # damaged: made anew
    choose(LABELS)
    choose((*LABELS, "money"))
    assert tried == [4, 4, 4]


def test_a_file_of_other_candidates_is_not_believed(
    model: ScriptedLanguageModel, tmp_path: Path
) -> None:
    first = choose_prompt(Task.from_labels(LABELS), model)
    (kept,) = (tmp_path / "prompts").iterdir()
    data = json.loads(kept.read_text())
    kept.write_text(json.dumps(data | {"trials": data["trials"][:1]}))
    assert choose_prompt(Task.from_labels(LABELS), model) == first


def test_what_a_task_says_of_its_layout_stays(model: ScriptedLanguageModel) -> None:
    task = Task.from_dict({"labels": LABELS, "record": "Ticket: {text}"})
    candidates = prompt_candidates(task, chat=True)
    assert {each.record.text for each in candidates} == {"Ticket: {text}"}


def test_a_prompt_that_the_model_refuses_is_passed_over() -> None:
    def refuses_json(prompt: str, written: tuple[str, ...]) -> Mapping[str, float]:
        if prompt.endswith("["):
            raise ModelError("no brackets")
        return lists_with_commas(prompt, written)

    model = ScriptedLanguageModel(refuses_json, TOKENS)
    assert choose_prompt(Task.from_labels(LABELS), model).format.name == "comma"
    only_json = Task.from_labels(LABELS).with_keys(format="json")
    with pytest.raises(ModelError, match=r"no prompt can be put to this model: .*no brackets"):
        choose_prompt(only_json, model)


def test_a_task_with_an_instruction_is_asked_as_it_is(model: ScriptedLanguageModel) -> None:
    task = Task(labels=LABELS, instruction="{labels}")
    assert choose_prompt(task, model) is task


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    model: ScriptedLanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(prompt_choice, "folder", lambda: tmp_path / "file" / "prompts")
    assert choose_prompt(Task.from_labels(LABELS), model).format.name == "comma"


def test_labels_are_scored_and_the_choice_is_signed(model: ScriptedLanguageModel) -> None:
    scores = labelmass.score(["all about food"], model=model, labels=LABELS)
    assert scores[0]["food"].p == pytest.approx(0.8) and scores[0]["sport"].p == 0
    assert scores.signature is not None
    assert scores.signature.prompt == "comma answers, plain text, 6 demonstrations"
    assert json.loads(json.dumps(scores.to_dicts()))[0]["signature"]["prompt"]


def test_a_task_and_labels_are_one_too_many(model: ScriptedLanguageModel) -> None:
    with pytest.raises(labelmass.TaskError, match="give a task, or labels"):
        labelmass.score(["x"], "emotions", model, labels=LABELS)
    with pytest.raises(labelmass.TaskError, match="or labels, such as"):
        labelmass.score(["x"], model=model)


def test_the_prompt_chosen_for_the_embedded_model_holds_it_better_than_none(
    smol: LanguageModel,
) -> None:
    labels = ["billing", "bug report", "how-to"]  # those of the README, whose prompt is kept
    bare = Task.from_labels(labels).with_keys(format="comma", chat=True, demonstrations=[])
    chosen = choose_prompt(Task.from_labels(labels), smol)
    text = "I was charged twice for the same month."
    before, after = (labelmass.score([text], task, smol)[0] for task in (bare, chosen))
    assert isinstance(before, labelmass.Result) and isinstance(after, labelmass.Result)
    assert before.off_format > 0.8 > after.off_format
