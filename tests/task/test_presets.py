from __future__ import annotations

import json

import pytest

from labelmass.answers.automaton import ByteAutomaton
from labelmass.task import Record, Task, presets

SIZES = {
    "conversation-abuse": 7,
    "emotions": 11,
    "emotions-6": 6,
    "goemotions": 27,
    "goemotions-7": 7,
    "hate-offensive": 2,
    "llama-guard-2": 11,
    "llama-guard-3": 14,
    "moral-foundations": 6,
    "response-safety": 2,
    "topics": 4,
    "tweettopic": 19,
    "tweettopic-7": 7,
}


def test_there_are_these_presets() -> None:
    assert {name: len(Task.load(name).labels) for name in presets()} == SIZES
    assert all(presets().values())


@pytest.mark.parametrize("name", SIZES)
def test_a_preset_is_whole(name: str) -> None:
    task = Task.load(name)
    assert task.name == name
    assert all(label.description for label in task.labels)
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task
    prompt = task.prompt(Record(1, text="hello"))
    assert all(label.description in prompt.turns[0].text for label in task.labels)
    assert 2 <= len(task.demonstrations.examples) <= 7
    assert any(not example.labels for example in task.demonstrations.examples)


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("name", SIZES)
def test_a_presets_answers_are_read_back(name: str, chat: bool) -> None:
    task = Task.load(name).with_options(chat=chat)
    automaton = ByteAutomaton(task.format, task.spellings)
    answers = [example.labels for example in task.demonstrations.examples]
    answers += [(), task.label_names, *((label,) for label in task.label_names)]
    for names in answers:
        read = automaton.parse(task.answer(names))
        assert read == [task.label_names.index(label) for label in names]


def test_neutral_is_the_empty_set_of_goemotions() -> None:
    task = Task.load("goemotions")
    assert task.answer([]) == "neutral"
    assert task.resolve(["neutral"]) == ()


def test_finer_labels_are_pooled() -> None:
    task = Task.load("goemotions-7")
    assert task.resolve(["love", "neutral", "amusement", "grief"]) == ("joy", "sadness")
    for fine in Task.load("goemotions").label_names:
        assert len(task.resolve([fine])) == 1
    assert Task.load("hate-offensive").resolve(["target:Women", "offensive"]) == ("offensive",)


def test_every_topic_of_tweets_is_pooled_once() -> None:
    task = Task.load("tweettopic-7")
    assert task.resolve(["Music", "Family", "Relationships"]) == ("entertainment", "daily life")
    for fine in Task.load("tweettopic").label_names:
        assert len(task.resolve([fine])) == 1


@pytest.mark.parametrize(("name", "size"), [("llama-guard-2", 11), ("llama-guard-3", 14)])
def test_guards_judge_all_three_forms(name: str, size: int) -> None:
    task = Task.load(name)
    assert [label.code for label in task.labels] == [f"S{n}" for n in range(1, size + 1)]
    assert task.answer(["S1", "S10"]) == "unsafe\nS1,S10"
    assert task.answer([]) == "safe"

    def last(record: dict[str, object]) -> str:
        return task.prompt(Record.from_dict(record, 1)).turns[-1].text

    user, agent = {"role": "user", "content": "q"}, {"role": "assistant", "content": "r"}
    assert last({"text": "q"}) == "Conversation:\n\nUser: q\n\nAssess the last User message."
    assert last({"messages": [user]}) == last({"text": "q"})
    assert last({"messages": [user, agent]}) == last({"prompt": "q", "response": "r"})
    assert last({"messages": [user, agent]}).endswith("Agent: r\n\nAssess the last Agent message.")


def test_llama_guard_3_has_four_demonstrations() -> None:
    sizes = [len(each.labels) for each in Task.load("llama-guard-3").demonstrations.examples]
    assert sorted(sizes) == [0, 1, 2, 2]
