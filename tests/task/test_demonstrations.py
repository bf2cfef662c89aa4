from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass.errors import RecordError, TaskError
from labelmass.task.demonstrations import Demonstration, Demonstrations, read_demonstrations
from labelmass.task.record import Record

POOL = (
    *(Demonstration(text=f"one {n}", labels=("a",)) for n in range(10)),
    *(Demonstration(text=f"many {n}", labels=("a", "b")) for n in range(10)),
    *(Demonstration(text=f"empty {n}", labels=()) for n in range(10)),
)


def test_all_are_shown_in_their_order_without_k() -> None:
    assert Demonstrations(examples=POOL).choose(0) == POOL


@given(st.integers(0, 10), st.floats(0, 1), st.integers())
def test_the_share_is_rounded_and_the_rest_has_one_label(k: int, share: float, seed: int) -> None:
    chosen = Demonstrations(examples=POOL, k=k, multi_share=share).choose(seed)
    sizes = [len(example.labels) for example in chosen]
    assert sizes.count(2) == round(k * share)
    assert sizes.count(1) == k - round(k * share)
    assert len(set(chosen)) == k


def test_rounded_not_cut() -> None:
    chosen = Demonstrations(examples=POOL, k=3, multi_share=0.6).choose(0)  # 1.8 of 3
    assert sum(len(example.labels) > 1 for example in chosen) == 2


def test_the_draw_is_seeded_and_the_own_seed_wins() -> None:
    drawn = Demonstrations(examples=POOL, k=5)
    assert drawn.choose(1) == drawn.choose(1)
    assert drawn.choose(1) != drawn.choose(2)
    own = Demonstrations(examples=POOL, k=5, seed=1)
    assert own.choose(2) == own.choose(3) == drawn.choose(1)


def test_one_draw_for_all_records_unless_per_record() -> None:
    a, b = Record("a", text="x"), Record("a", text="y")
    same = Demonstrations(examples=POOL, k=5)
    assert same.choose(0, a) == same.choose(0, b)
    each = Demonstrations(examples=POOL, k=5, per_record=True)
    assert each.choose(0, a) == each.choose(0, Record("another id", text="x"))
    assert each.choose(0, a) != each.choose(0, b)


def test_a_record_is_never_its_own_demonstration() -> None:
    each = Demonstrations(examples=POOL[:3], k=2, per_record=True)
    for n in range(20):
        shown = each.choose(n, Record(n, text="one 1"))
        assert "one 1" not in [example.text for example in shown]
    with pytest.raises(RecordError, match="and there are 2"):
        Demonstrations(examples=POOL[:3], k=3, per_record=True).choose(0, Record(1, text="one 1"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 31}, "needs 31 with any labels, and there are 30"),
        ({"k": 12, "multi_share": 1.0}, "needs 12 with two or more labels, and there are 10"),
        ({"k": 12, "multi_share": 0.0}, "needs 12 with exactly one label, and there are 10"),
        ({"multi_share": 0.5}, "multi_share needs demonstrations.k"),
        ({"per_record": True}, "per_record needs demonstrations.k"),
    ],
)
def test_too_few_of_a_kind(options: dict[str, float], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        Demonstrations(examples=POOL, **options)  # pyright: ignore[reportArgumentType]


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    rows = [{"id": "q", "text": "a\u2028b", "labels": ["x"], "split": "dev"}]
    rows += [{"prompt": "p", "response": "r", "labels": []}]
    file.write_text("\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    assert read_demonstrations(file) == [
        {"text": "a\u2028b", "labels": ["x"]},
        {"prompt": "p", "response": "r", "labels": []},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"}', "line 2: 'labels' must be a list"),
        ('{"labels": []}', "line 2: missing 'text'"),
        ("{", "line 2: malformed JSON"),
        ("[1]", "line 2: not an object"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "a", "labels": []}\n' + line)
    with pytest.raises(TaskError, match=message):
        read_demonstrations(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"demonstrations.file: no file .*y.jsonl"):
        read_demonstrations(tmp_path / "y.jsonl")


def test_the_most_similar_are_shown_and_the_most_alike_stands_last() -> None:
    texts = ["the cat sat", "a dog barked loudly", "the cat purred and sat down", "rain all day"]
    examples = tuple(Demonstration(text=text, labels=("a",)) for text in texts)
    pool = Demonstrations(examples=examples, k=2, choice="similar")

    def shown(text: str) -> list[str]:
        return [str(example.text) for example in pool.choose(0, Record(1, text=text))]

    assert shown("my cat sat down and purred") == ["the cat sat", "the cat purred and sat down"]
    assert shown("that dog barked")[-1] == "a dog barked loudly"
    assert "rain all day" not in shown("rain all day")  # itself
    assert len(shown("unheard-of words")) == 2


def test_the_share_holds_among_the_most_similar() -> None:
    pool = Demonstrations(examples=POOL, k=4, multi_share=0.5, choice="similar")
    chosen = pool.choose(0, Record(1, text="many 3 or one 7"))
    assert {example.text for example in chosen} >= {"many 3", "one 7"}
    assert sorted(len(example.labels) for example in chosen) == [1, 1, 2, 2]


def test_similar_demonstrations_need_a_number() -> None:
    with pytest.raises(TaskError, match=r"demonstrations\.choice needs demonstrations\.k"):
        Demonstrations(examples=POOL, choice="similar")
