from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass.errors import TaskError
from labelmass.task import Record, Task, make_format
from labelmass.task.prompt import Part, Prompt

BASE: dict[str, Any] = {
    "name": "t",
    "labels": ["joy", {"name": "fear", "description": "being afraid"}, "anger"],
    "format": "comma",
    "instruction": "Which?\n{labels}",
    "record": "Text: {text}",
    "demonstrations": [
        {"text": "whee", "labels": ["joy"]},
        {"text": "eek and grr", "labels": ["fear", "anger"]},
        {"text": "so", "labels": []},
    ],
}
RECORD = Record(1, text="hello")


def task(**keys: Any) -> Task:
    return Task(**BASE | keys)


def text_of(prompt: Prompt) -> str:
    return "".join(turn.text for turn in prompt.turns)


def test_chat_prompt() -> None:
    prompt = task(system="Be brief.").prompt(RECORD)
    assert [(turn.role, turn.text) for turn in prompt.turns] == [
        ("system", "Be brief."),
        ("user", "Which?\n- joy\n- fear: being afraid\n- anger\n\nText: whee"),
        ("assistant", "joy"),
        ("user", "Text: eek and grr"),
        ("assistant", "fear, anger"),
        ("user", "Text: so"),
        ("assistant", "none"),
        ("user", "Text: hello"),
    ]
    assert prompt.chat
    assert prompt.opening == ""


def test_plain_prompt() -> None:
    prompt = task(chat=False, answer_cue="\nLabels:\n", demonstration_separator="\n---\n").prompt(
        RECORD
    )
    assert not prompt.chat
    assert [turn.role for turn in prompt.turns] == ["user"]
    assert text_of(prompt) == (
        "Which?\n- joy\n- fear: being afraid\n- anger\n---\n"
        "Text: whee\nLabels:\njoy\n---\n"
        "Text: eek and grr\nLabels:\nfear, anger\n---\n"
        "Text: so\nLabels:\nnone\n---\n"
        "Text: hello\nLabels:\n"
    )


def test_the_instruction_may_stand_in_the_system_prompt() -> None:
    prompt = task(system="Be brief.", instruction_in="system", demonstrations=[]).prompt(RECORD)
    assert [(turn.role, turn.text) for turn in prompt.turns] == [
        ("system", "Be brief.\n\nWhich?\n- joy\n- fear: being afraid\n- anger"),
        ("user", "Text: hello"),
    ]
    alone = task(instruction_in="system", demonstrations=[]).prompt(RECORD)
    assert [turn.role for turn in alone.turns] == ["system", "user"]


def test_only_the_tasks_own_text_is_trusted() -> None:
    odd = "<|im_end|>"
    keys = {
        "labels": [{"name": f"joy{odd}", "description": f"being {odd}"}],
        "demonstrations": [{"text": f"demo {odd}", "labels": [f"joy{odd}"]}],
        "instruction": "Which? {labels} {label_names}",
    }
    for chat in (True, False):
        prompt = task(**keys, chat=chat).prompt(Record(1, text=f"text {odd} {{labels}}"))
        parts = [part for turn in prompt.turns for part in turn.parts]
        assert sum(odd in part.text for part in parts) >= 4
        assert not any(odd in part.text for part in parts if part.trusted)
        assert Part(f"text {odd} {{labels}}") in parts


def test_codes_are_listed_with_their_names() -> None:
    coded = task(
        labels=[
            {"name": "Hate", "code": "S1", "description": "Of people."},
            {"name": "Lies", "code": "S2"},
        ],
        write="code",
        format="guard",
        instruction="{labels} | {label_names}",
        demonstrations=[{"text": "a", "labels": ["S2", "Hate"]}],
    )
    turns = coded.prompt(RECORD).turns
    assert turns[0].text.startswith("S1: Hate. Of people.\nS2: Lies. | S1, S2")
    assert turns[1].text == "unsafe\nS2,S1"
    assert coded.label_names == ("Hate", "Lies")
    assert coded.spellings == [["S1"], ["S2"]]


@given(st.text(min_size=1, max_size=20).filter(str.strip), st.booleans())
def test_records_share_all_that_stands_before_them(text: str, chat: bool) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    mine = text_of(task(chat=chat).prompt(Record(1, text=text)))
    other = text_of(task(chat=chat).prompt(Record(2, text="\0")))
    cue = "" if chat else "\nAnswer:\n"
    assert mine.endswith(f"Text: {text}{cue}")
    assert mine.removesuffix(text + cue) == other.removesuffix("\0" + cue)


def test_label_order_changes_the_prompt_and_no_result() -> None:
    def order(which: str, seed: int = 0) -> list[str]:
        ordered = task(instruction="{label_names}", label_order=which, seed=seed, demonstrations=[])
        assert ordered.label_names == ("joy", "fear", "anger")
        return ordered.prompt(RECORD).turns[0].text.split("\n\n")[0].split(", ")

    assert order("given") == ["joy", "fear", "anger"]
    assert order("reversed") == ["anger", "fear", "joy"]
    assert order("alphabetical") == ["anger", "fear", "joy"]
    assert order("shuffled", 1) == order("shuffled", 1)
    assert len({tuple(order("shuffled", seed)) for seed in range(20)}) > 2


def test_the_given_opening() -> None:
    plain = task(format="json", opening="given")
    assert plain.prompt(RECORD).opening == plain.given_opening == '{"label": ['
    assert plain.prompt(RECORD).turns[1].text == '{"label": ["joy"]}'
    assert task(format="json").prompt(RECORD).opening == ""
    with pytest.raises(TaskError, match="shuts out the empty answer"):
        task(format="json", opening="given", opening_text='{"label": ["')
    always = {"kind": "json", "empty": False}
    demos = BASE["demonstrations"][:2]
    forced = task(format=always, opening="given", opening_text='{"label": ["', demonstrations=demos)
    assert forced.prompt(RECORD).opening == '{"label": ["'
    with pytest.raises(TaskError, match="not the beginning of any answer"):
        task(format=always, opening="given", opening_text="{[", demonstrations=demos)
    with pytest.raises(TaskError, match='opening_text needs opening = "given"'):
        task(format="json", opening_text="{")


def test_a_plain_answer_ends_where_the_next_block_would_begin() -> None:
    assert task().format.stops == ()
    assert task(chat=False).format.stops == ("\n\n",)
    assert task(chat=False).with_options(chat=True).format.stops == ()
    own = task(chat=False, format={"kind": "comma", "stops": ["###"]})
    assert own.format.stops == ("###",)
    assert task(chat=False, format="json").format.stops == ()


def test_answers_take_names_codes_and_spellings() -> None:
    assert task().answer(["anger", "joy"]) == "anger, joy"
    assert task().answer([]) == "none"
    with pytest.raises(TaskError, match="no label 'angr': did you mean 'anger'"):
        task().answer(["angr"])
    assert task().resolve(["anger", "none"]) == ("anger",)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"lables": ["a"]}, "lables is unknown: did you mean 'labels'"),
        ({"fromat": "json"}, "fromat is unknown: did you mean 'format'"),
        ({"labels": ["a", {"name": "b", "descripton": "x"}]}, r"labels\[1\].descripton is unknown"),
        ({"labels": ["a", {"name": 3}]}, r"labels\[1\].name: must be a valid string, not 3"),
        ({"labels": ["a", {"code": "S1"}]}, r"labels\[1\].name is missing"),
        ({"labels": ["a", "a"]}, r"labels\[1\].name is 'a'"),
        ({"labels": ["none"]}, "format.empty"),
        ({"examples": []}, r"^examples is unknown \(keys: "),
        ({"format": {"kind": "json", "kye": "x"}}, "format.kye is unknown: did you mean 'key'"),
        ({"format": {"kind": "jsn"}}, "format.kind is 'jsn'"),
        ({"format": {"key": "x"}}, "format.kind is missing"),
        ({"format": {"kind": "comma", "separators": ", "}}, "format.separators"),
        ({"format": {"kind": "comma", "empty": 3}}, "format.empty"),
        ({"instruction": "{label}"}, r"instruction holds the unknown field \{label\}"),
        ({"system": "{lables}"}, r"system holds the unknown field \{lables\}"),
        ({"record": "Text"}, r"record.text must hold \{text\}"),
        ({"record": {"txt": "{text}"}}, "record.txt is unknown: did you mean 'text'"),
        ({"label_order": "random"}, "label_order: must be 'given'"),
        ({"demonstrations": [{"text": "a", "labels": ["b"]}]}, r"demonstrations\[0\].labels: no"),
        ({"demonstrations": [{"text": "a"}]}, r"demonstrations\[0\].labels is missing"),
        ({"demonstrations": [{"labels": []}]}, r"demonstrations\[0\]: missing 'text'"),
        (
            {"demonstrations": [{"text": "a", "lables": []}]},
            r"demonstrations\[0\].lables is unknown: did you mean 'labels'",
        ),
        ({"demonstrations": {"multishare": 1}}, "demonstrations.multishare is unknown"),
        (
            {"format": {"kind": "comma", "empty": False}},
            r"demonstrations\[2\].labels: .*empty answer",
        ),
        ({"name": "a\nb"}, "name: must be one line"),
    ],
)
def test_errors_name_the_key(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        task(**keys)


def test_toml_with_a_demonstration_file(tmp_path: Path) -> None:
    (tmp_path / "demos.jsonl").write_text(
        "".join(json.dumps({"text": f"t{n}", "labels": ["a"]}) + "\n" for n in range(9))
    )
    file = tmp_path / "mine.toml"
    file.write_text(
        'name = "mine"\nlabels = ["a", "b"]\nformat = "json"\ninstruction = "Which?"\n'
        '[demonstrations]\nfile = "demos.jsonl"\nk = 3\n'
    )
    loaded = Task.load(file)
    assert len(loaded.prompt(RECORD).turns) == 7
    before = loaded.prompt(RECORD)
    saved = tmp_path / "saved" / "task.json"
    saved.parent.mkdir()
    saved.write_text(json.dumps(loaded.to_dict()))
    (tmp_path / "demos.jsonl").unlink()
    again = Task.load(saved)
    assert again == loaded
    assert again.hash == loaded.hash
    assert again.prompt(RECORD) == before
    with pytest.raises(TaskError, match=r"mine.toml: demonstrations.file: no file"):
        Task.load(file)


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"no task 'emotion'.*did you mean 'emotions'"):
        Task.load("emotion")
    broken = tmp_path / "x.toml"
    broken.write_text("name = ")
    with pytest.raises(TaskError, match=r"x.toml: not TOML"):
        Task.load(str(broken))


def test_the_hash_changes_with_what_is_asked_only() -> None:
    base = task().hash
    assert len(base) == 12
    assert task(name="u", description="for people").hash == base
    changes: list[dict[str, Any]] = [
        {"instruction": "What?\n{labels}"},
        {"demonstrations": BASE["demonstrations"][:2]},
        {"chat": False},
        {"format": "json"},
        {"label_order": "reversed"},
        {"seed": 1},
        {"labels": ["joy", {"name": "fear", "description": "scared"}, "anger"]},
    ]
    hashes = {task(**change).hash for change in changes}
    assert len(hashes | {base}) == len(changes) + 1


def test_options_leave_the_rest_alone() -> None:
    changed = task(format="json").with_options(
        k=2, label_order="shuffled", seed=5, chat=False, opening="given"
    )
    assert (changed.label_order, changed.seed, changed.chat) == ("shuffled", 5, False)
    assert changed.given_opening == '{"label": ['
    assert len(changed.demonstrations.choose(changed.seed)) == 2
    assert changed.labels == task().labels
    assert task().with_options() == task()
    assert len(task().with_options(k=0).prompt(RECORD).turns) == 1
    with pytest.raises(TaskError, match="needs 4 with any labels, and there are 3"):
        task().with_options(k=4)


def test_demonstrations_from_a_file_replace_the_tasks_own(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    rows = [{"text": f"t{i}", "labels": ["joy", "fear"][: 1 + i % 2], "id": i} for i in range(40)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    changed = task().with_options(demonstrations=file, k=10, multi_share=0.5, seed=3)
    shown = changed.demonstrations.examples
    assert len(shown) == 10
    assert [len(example.labels) for example in shown].count(2) == 5
    stored = Task.from_dict(json.loads(json.dumps(changed.to_dict())))
    assert stored == changed
    assert stored.hash == changed.hash != task().hash
    again = task().with_options(demonstrations=file, k=10, multi_share=0.5, seed=4)
    assert again.demonstrations.examples != shown
    alike = task().with_options(demonstrations=file, k=2, choice="similar")
    assert len(alike.demonstrations.examples) == 40


def test_a_pooled_name_stands_for_one_label() -> None:
    labels = [{"name": "joy", "aliases": ["love"]}, {"name": "fear", "aliases": ["love"]}, "anger"]
    with pytest.raises(
        TaskError, match=r"labels\[1\].aliases names 'love', which stands for labels\[0\]"
    ):
        task(labels=labels)
    pooled = task(labels=[{"name": "joy", "aliases": ["love"]}, "fear", "anger"], ignored=["calm"])
    assert pooled.resolve(["love", "calm", "joy", "fear"]) == ("joy", "fear")
    same = [{"text": "a", "labels": ["love", "joy"]}]
    with pytest.raises(TaskError, match="needs 1 with two or more labels, and there are 0"):
        task(
            labels=[{"name": "joy", "aliases": ["love"]}],
            demonstrations={"examples": same, "k": 1, "multi_share": 1.0},
        )


def test_former_keys_are_read_and_are_not_taken_beside_those_of_today() -> None:
    former = {"kind": "guard", "gate": "bad", "gate_separator": ": ", "none": "fine"}
    today = {"kind": "guard", "verdict_prefix": "bad", "verdict_separator": ": ", "empty": "fine"}
    old = task(labels=[{"name": "joy", "pools": ["love"]}, "fear", "anger"], format=former)
    new = task(labels=[{"name": "joy", "aliases": ["love"]}, "fear", "anger"], format=today)
    assert old.to_dict() == new.to_dict()
    assert old.hash == new.hash
    with pytest.raises(TaskError, match=r"format\.none is unknown"):
        task(format={"kind": "comma", "none": "no", "empty": "none"})
    with pytest.raises(TaskError, match=r"labels\[0\]\.pools is unknown"):
        task(labels=[{"name": "joy", "pools": ["a"], "aliases": ["b"]}, "fear"])


def test_demonstrations_take_every_form_of_record() -> None:
    talk = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    shown = task(
        demonstrations=[
            {"messages": talk, "labels": ["joy"]},
            {"prompt": "p", "response": "r", "labels": []},
        ]
    )
    assert [turn.text for turn in shown.prompt(RECORD).turns[2:4]] == [
        "User: p\n\nAgent: r",
        "none",
    ]
    assert Task.from_dict(json.loads(json.dumps(shown.to_dict()))) == shown
    with pytest.raises(TaskError, match=r"demonstrations\[0\]: messages\[0\].role is 'bot'"):
        task(demonstrations=[{"messages": [{"role": "bot", "content": "u"}], "labels": []}])


def test_a_task_prints_as_one_line() -> None:
    assert str(task()) == f"Task 't': 3 labels, comma answers, 3 demonstrations, hash {task().hash}"


def test_a_format_object_is_taken_and_saved() -> None:
    form = make_format("json", key="emotions", ignore_case=True)
    taken = task(format=form)
    assert Task.from_dict(json.loads(json.dumps(taken.to_dict()))).format == taken.format
    assert taken.format.opening == form.opening
    assert task(format=make_format("json")).format == make_format("json")
