"""The prompt that is chosen for a model, where a task leaves it open."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelmass
from helpers.property_tests import property_test
from labelmass import LanguageModel, ModelError, ScriptedLanguageModel, Task
from labelmass.lm.scripted import END
from labelmass.scoring import prompt_choice
from labelmass.scoring.prompt_choice import (
    best_trial,
    choose_prompt,
    prompt_candidates,
    try_prompt,
    try_prompts,
)

LABELS = ("sport", "food")
TOKENS = ("sport", "food", "none", ", ", '"', "]}", "prose")


@pytest.fixture(autouse=True)
def _cache(  # pyright: ignore[reportUnusedFunction]
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache for each test; choices for the embedded model are kept for the whole run."""
    if "smol" not in request.fixturenames:
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


def random_answers(seed: int) -> ScriptedLanguageModel:
    """Each prompt with each text gets a mass of its own; all of a prompt's are alike."""

    def share(text: str) -> float:
        return crc32(f"{seed}{text}".encode()) / 2**32

    def script(prompt: str, written: tuple[str, ...]) -> Mapping[str, float]:
        if written:
            return {END: 1.0}
        instruction, _, record = prompt.rpartition("Text: ")
        readable = share(instruction) * (0.8 + 0.2 * share(record))
        food = share(record + instruction)
        return {"food": readable * food, "sport": readable * (1 - food), "prose": 1 - readable}

    return ScriptedLanguageModel(script, TOKENS)


@property_test(8)
@given(seed=st.integers(0, 10**9))
def test_losing_prompts_are_given_up_and_the_choice_is_that_of_whole_trials(seed: int) -> None:
    model = random_answers(seed)
    task = Task.from_labels(LABELS).with_keys(format="comma")
    styles = [task.with_keys(record=f"{word} Text: {{text}}") for word in "abc"]
    candidates = [each for style in styles for each in prompt_candidates(style, chat=False)]
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(prompt_choice, "folder", lambda: Path(name))
        trials = try_prompts(candidates, model)
        assert try_prompts(candidates, model) == trials  # as they are kept
    whole = [try_prompt(each, model) for each in candidates]
    best = best_trial(whole)
    assert best_trial(trials) == best and trials.index(best) == whole.index(best)
    for trial, full in zip(trials, whole, strict=True):
        assert trial == full or (trial.score is None and full.score < best.score)


def test_prompts_as_good_as_each_other_are_both_tried_to_the_end() -> None:
    model = ScriptedLanguageModel(
        lambda prompt, written: {END: 1.0} if written else {"none": 0.5, "food": 0.5}, TOKENS
    )
    candidates = prompt_candidates(Task.from_labels(LABELS), chat=False)
    commas = [each for each in candidates if each.format.name == "comma"]
    one, other = try_prompts(commas, model)
    assert one.score == other.score is not None and best_trial((one, other)) is one


def test_a_losing_prompt_is_not_put_to_all_texts() -> None:
    asked: Counter[bool] = Counter()

    def script(prompt: str, written: tuple[str, ...]) -> Mapping[str, float]:
        asked["Labels: none" in prompt] += not written
        return lists_with_commas(prompt, written)

    model = ScriptedLanguageModel(script, TOKENS)
    task = Task.from_labels(LABELS).with_keys(format="comma", chat=False)
    first, second = try_prompts(prompt_candidates(task, chat=False), model)
    assert first.score is None and "another prompt is better" in first.problem
    assert second.score is not None
    texts = len(prompt_choice.TEXTS) + len(LABELS)
    assert asked[True] == texts > prompt_choice.AT_ONCE >= asked[False] > 0


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
