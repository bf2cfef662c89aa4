"""Splits: whole, seeded, blind to order, and with related records on one side."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.cli import cli
from labelmass.datasets.clusters import joined, near_duplicates, numbered
from labelmass.datasets.splits import keep_split, split_records
from labelmass.errors import LabelMassError
from labelmass.records import read_records
from labelmass.task import Record

SENTENCE = "the shop opens late on rainy days and closes when nobody comes to buy bread"
WORDS = SENTENCE.split()


def record(name: int | str, text: str = "", **fields: Any) -> Record:
    return Record(name, text=text or f"text {name}", extra=fields)


def several(seed: int, size: int) -> list[Record]:
    """Records with few groups, few words and uneven labels."""
    draw = random.Random(seed)
    often = {"a": 0.5, "b": 0.3, "c": 0.1, "d": 0.02}
    return [
        record(
            n,
            " ".join(draw.choices(WORDS, k=draw.randint(2, 5))),
            labels=[label for label, p in often.items() if draw.random() < p],
            talk=draw.randint(0, size // 2),
        )
        for n in range(size)
    ]


def ids(parts: dict[str, list[Record]]) -> dict[str, set[int | str]]:
    return {name: {each.id for each in part} for name, part in parts.items()}


SHARES = {"train": 0.6, "dev": 0.1, "test": 0.3}


@property_test(40)
@given(
    st.integers(0, 10**9),
    st.integers(3, 60),
    st.sampled_from([None, "talk"]),
    st.sampled_from([None, 0.5, 0.8]),
)
def test_a_split_is_whole_and_cuts_no_cluster(
    seed: int, size: int, group: str | None, threshold: float | None
) -> None:
    records = several(seed, size)
    found = split_records(records, SHARES, seed=seed, group=group, threshold=threshold)
    placed = [(each.id, name) for name, part in found.parts.items() for each in part]
    assert sorted(name for name, _ in placed) == list(range(size))
    of = dict(placed)
    if group:
        for one, other in combinations(records, 2):
            assert one.extra["talk"] != other.extra["talk"] or of[one.id] == of[other.id]
    if threshold:
        close = near_duplicates([each.plain for each in records], threshold)
        for one, other in combinations(range(size), 2):
            assert close[one] != close[other] or of[one] == of[other]
    assert found.report["sizes"] == {name: len(part) for name, part in found.parts.items()}
    for label, by_part in found.report["labels"].items():
        for name, count in by_part.items():
            held = [each.extra["labels"] for each in found.parts[name]]
            assert count == sum(
                label in labels or (label == "(none)" and not labels) for labels in held
            )

    shuffled = records[:]
    random.Random(seed + 1).shuffle(shuffled)
    again = split_records(shuffled, SHARES, seed=seed, group=group, threshold=threshold)
    assert ids(again.parts) == ids(found.parts)
    assert again.report == found.report
    for part in again.parts.values():
        assert part == sorted(part, key=shuffled.index)


@property_test(40)
@given(st.integers(0, 10**9), st.integers(10, 200))
def test_single_records_are_dealt_to_within_one(seed: int, size: int) -> None:
    """One label each and no cluster: every label and every part is as requested, up to rounding."""
    draw = random.Random(seed)
    records = [record(n, labels=draw.choices("abc", (8, 3, 1))) for n in range(size)]
    found = split_records(records, SHARES, seed=seed)
    total = Counter(each.extra["labels"][0] for each in records)
    for label, by_part in found.report["labels"].items():
        for name, share in SHARES.items():
            assert abs(by_part[name] - share * total[label]) <= 2
    for name, share in SHARES.items():
        assert abs(found.report["sizes"][name] - share * size) <= 1


def test_label_shares_stay_close_where_chance_would_not() -> None:
    records = several(3, 600)
    found = split_records(records, {"train": 0.8, "test": 0.2}, group="talk")
    for by_part in found.report["labels"].values():
        share = by_part["test"] / sum(by_part.values())
        assert share == pytest.approx(0.2, abs=0.06)
    assert found.report["sizes"]["test"] == pytest.approx(120, abs=3)
    worst = 0.0
    for seed in range(20):
        drawn = random.Random(seed).sample(records, 120)
        rare = sum("d" in each.extra["labels"] for each in records)
        worst = max(worst, abs(sum("d" in e.extra["labels"] for e in drawn) / rare - 0.2))
    assert worst > 0.06


def test_another_seed_is_another_split() -> None:
    records = several(1, 60)
    first, second = (ids(split_records(records, SHARES, seed=seed).parts) for seed in (0, 1))
    assert first != second


def cosine(one: str, other: str, texts: list[str]) -> float:
    """TF-IDF by hand: n-grams inside words padded by a blank, smooth idf, unit vectors."""

    def grams(text: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for word in text.lower().split():
            padded = f" {word} "
            for n in (3, 4, 5):
                found.update(padded[i : i + n] for i in range(max(len(padded) - n, 0) + 1))
                if len(padded) <= n:
                    break  # a word shorter than the window counts once
        return found

    bags = {text: grams(text) for text in texts}
    weigh = Counter(gram for bag in bags.values() for gram in bag)
    idf = {gram: math.log((1 + len(bags)) / (1 + n)) + 1 for gram, n in weigh.items()}
    a, b = ({gram: n * idf[gram] for gram, n in bags[text].items()} for text in (one, other))
    norm = math.hypot(*a.values()) * math.hypot(*b.values())
    return sum(a[gram] * b.get(gram, 0) for gram in a) / norm


@property_test(30)
@given(
    st.lists(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0.3, 0.55, 0.8, 1.0]),
)
def test_clusters_against_cosines_by_hand(texts: list[str], threshold: float) -> None:
    cluster = list(range(len(texts)))
    for i, j in combinations(range(len(texts)), 2):
        if cosine(texts[i], texts[j], sorted(set(texts))) >= threshold - 1e-9:
            cluster = [cluster[i] if c == cluster[j] else c for c in cluster]
    found = near_duplicates(texts, threshold)
    assert numbered(cluster).tolist() == found.tolist()


def test_near_duplicates_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [each.plain for each in several(5, 120)]
    whole = near_duplicates(texts, 0.6)
    assert 1 < len(set(whole.tolist())) < 120
    monkeypatch.setattr("labelmass.datasets.clusters.BLOCK", 7)
    assert near_duplicates(texts, 0.6).tolist() == whole.tolist()


def test_known_near_duplicates_land_together() -> None:
    """Thirty sentences of their own words, each also louder and with a word changed."""
    draw = random.Random(0)
    records: list[Record] = []
    for n in range(30):
        words = ["".join(draw.choices("aeioubdgklmnprst", k=7)) for _ in range(12)]
        other = [*words[:-1], "otherwise"]
        versions = (" ".join(words), " ".join(words).upper() + "!", " ".join(other))
        records += [record(f"{n}-{v}", text) for v, text in enumerate(versions)]
    found = split_records(records, {"a": 0.5, "b": 0.5}, threshold=0.8)
    for part in found.parts.values():
        counts = Counter(str(each.id).partition("-")[0] for each in part)
        assert set(counts.values()) == {3}
    assert found.report["clusters"] == 30 and found.report["largest_cluster"] == 3
    blind = split_records(records, {"a": 0.5, "b": 0.5})
    assert {str(e.id)[:-2] for e in blind.parts["a"]} & {str(e.id)[:-2] for e in blind.parts["b"]}


@property_test(60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=15))
def test_joined_clusters_cut_neither(pairs: list[tuple[int, int]]) -> None:
    first, second = (numbered([pair[side] for pair in pairs]) for side in (0, 1))
    cluster = list(range(len(pairs)))
    for i, j in combinations(range(len(pairs)), 2):
        if first[i] == first[j] or second[i] == second[j]:
            cluster = [cluster[i] if c == cluster[j] else c for c in cluster]
    assert joined(first, second).tolist() == numbered(cluster).tolist()


def test_a_kept_split_counts_what_straddles_it() -> None:
    records = [
        record(1, "The same words here", split="train", labels=["a"]),
        record(2, "The same words here!", split="test", labels=[]),
        record(3, "Nothing like it", split="test", labels=["a", "b"]),
        record(4, "Without a part"),
    ]
    found = keep_split(records, "split", threshold=0.8)
    assert ids(found.parts) == {"test": {2, 3}, "train": {1}}
    assert found.report["clusters_in_several_parts"] == 1
    assert (found.left_out, found.report["left_out"]) == (1, 1)
    assert found.report["labels"] == {
        "a": {"test": 1, "train": 1},
        "b": {"test": 1, "train": 0},
        "(none)": {"test": 1, "train": 0},
    }
    with pytest.raises(LabelMassError, match="no record has the field 'fold'"):
        keep_split(records, "fold")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"parts": {"a": 0.5, "b": 0.4}}, "a=0.5, b=0.4"),
        ({"parts": {}}, "parts are none"),
        ({"parts": {"a": 1.5, "b": -0.5}}, "above 0"),
        ({"group": "talk"}, "record 2 has no field 'talk'"),
        ({"threshold": 0.0}, "near duplicates is 0.0: a number above 0"),
    ],
)
def test_what_cannot_be_is_named(options: dict[str, Any], word: str) -> None:
    records = [record(1, talk="t"), record(2)]
    with pytest.raises(LabelMassError, match=word):
        split_records(records, **({"parts": {"a": 1.0}} | options))


def test_ids_must_differ() -> None:
    with pytest.raises(LabelMassError, match="2 records have the id 1"):
        split_records([record(1), record("1"), record(1)], {"a": 1.0})
    assert len(split_records([record(1), record("1")], {"a": 1.0}).parts["a"]) == 2
    with pytest.raises(LabelMassError, match="no record"):
        split_records([], {"a": 1.0})


def run(*args: str, code: int = 0) -> Any:
    result = CliRunner().invoke(cli, ["data", "split", *args])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps(each.to_dict()) for each in several(2, 50)]
    Path("in.jsonl").write_text("\n".join(lines))
    asked = ("--parts", "train=0.8", "test=0.2", "--group", "talk", "--near-duplicates", "0.8")
    shown = run("in.jsonl", *asked, "--seed", "3", "--out", "parts")
    told = json.loads(Path("parts/split.json").read_text())
    assert told["input"]["sha256"] == hashlib.sha256(Path("in.jsonl").read_bytes()).hexdigest()
    assert (told["seed"], told["group"], told["parts"]) == (3, "talk", {"train": 0.8, "test": 0.2})
    assert (
        told["near_duplicates"]["threshold"] == 0.8 and "TF-IDF" in told["near_duplicates"]["rule"]
    )
    sizes = {}
    whole: list[Any] = []
    for name in ("train", "test"):
        part = [each for _, each in read_records(f"parts/{name}.jsonl")]
        sizes[name] = len(part)
        whole += [each.to_dict() for each in part if isinstance(each, Record)]
        assert [name, str(len(part))] in [line.split() for line in shown.stdout.splitlines()]
    assert told["sizes"] == sizes
    assert sorted(whole, key=lambda each: each["id"]) == [json.loads(line) for line in lines]
    assert told["clusters"] < 50 and told["largest_cluster"] > 1

    run("in.jsonl", "--by", "talk", "--out", "talks")
    assert len(list(Path("talks").glob("*.jsonl"))) == len({json.loads(x)["talk"] for x in lines})


def test_the_command_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text('{"text": "a", "split": "../up"}\n{"id": 2}\n')

    def message(*args: str) -> str:
        result = CliRunner().invoke(cli, ["data", "split", "in.jsonl", *args, "--out", "parts"])
        assert isinstance(result.exception, LabelMassError | SystemExit)
        return str(result.exception) + result.output

    assert "name parts" in message()
    assert "name parts" in message("--parts", "a=1", "--by", "split")
    assert "NAME=SHARE" in message("--parts", "a")
    assert "--group" in message("--by", "split", "--group", "talk")
    assert "in.jsonl, line 2: missing 'text'" in message("--parts", "a=1")
    Path("in.jsonl").write_text('{"text": "a", "split": "../up"}\n')
    assert "cannot be called '../up'" in message("--by", "split")
    assert not Path("parts").exists()
    assert "labelmass data split" in run("--help").stdout and "Example" in run("--help").stdout


def test_numbers_follow_first_places() -> None:
    assert numbered(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]
    assert numbered([1, 2]).dtype == np.intp
