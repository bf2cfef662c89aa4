"""What is set aside for validation has nothing in common with what is learnt."""

from __future__ import annotations

from typing import Any

import pytest

from labelmass.lm.tokenizer import HFTokenizer
from labelmass.training import Settings
from labelmass.training.dataset import Dataset
from labelmass.training.examples import Examples
from training.tiny_model import annotated, task, tokenizer


@pytest.fixture(scope="module")
def words() -> HFTokenizer:
    return HFTokenizer(tokenizer())


def made(
    rows: list[dict[str, Any]], words: HFTokenizer, dev: list[dict[str, Any]] | None = None
) -> Dataset:
    settings = Settings(dev_share=0.25)
    return Dataset.make(rows, dev, task(), Examples(task(), words, settings, 256), settings)


@pytest.mark.parametrize("alone", [0, 1, 7])
def test_a_group_is_on_one_side_whole(words: HFTokenizer, alone: int) -> None:
    """Also where some records say none: these stand alone."""
    rows = [{**row, "group": f"g{i // 4}"} for i, row in enumerate(annotated(40))]
    for row in rows[:alone]:
        del row["group"]
    found = made(rows, words)
    groups = {row["id"]: row.get("group", row["id"]) for row in rows}
    learnt = {groups[record.id] for record, _ in found.pairs}
    held = {groups[record.id] for record in found.dev}
    assert learnt and held and not learnt & held
    assert len(found.pairs) + len(found.dev) == 40


def test_a_text_is_on_one_side_whatever_its_id(words: HFTokenizer) -> None:
    rows = [{**row, "id": i} for i, row in enumerate([*annotated(), *annotated()])]
    found = made(rows, words)
    assert not {record.digest for record, _ in found.pairs} & {r.digest for r in found.dev}
    assert all("validated on" in why for _, why in found.skipped) and found.skipped


MALFORMED: list[dict[str, Any]] = [
    {"annotators": [["joy"], None]},
    {"annotators": "joy"},
    {"annotators": 1},
    {"annotators": [[["joy"]]]},
    {"annotators": [["joy"]], "annotator_ids": 7},
    {"labels": 1},
    {"labels": [None]},
    {"labels": {"joy": 1}},
    {"distribution": [0.5]},
    {"labels": ["joy"], "unknown": 3},
]


@pytest.mark.parametrize("said", MALFORMED, ids=str)
def test_a_record_whose_labels_are_no_labels_is_left_out(
    words: HFTokenizer, said: dict[str, Any]
) -> None:
    found = made([*annotated(), {"id": "bad", "text": "happy", **said}], words)
    ((name, why),) = found.skipped
    assert name == "bad" and next(reversed(said)).removesuffix("_ids") in why
    assert len(found.pairs) + len(found.dev) == 16


def test_a_record_to_validate_on_must_leave_room_for_an_answer(words: HFTokenizer) -> None:
    long = {"id": "long", "text": "@" * 300, "labels": ["joy"]}
    found = made(annotated(), words, [{"id": "d", "text": "happy", "labels": ["joy"]}, long])
    assert [record.id for record in found.dev] == ["d"]
    ((name, why),) = found.skipped
    assert name == "long" and "too long" in why and "256" in why


@pytest.mark.parametrize(
    "other",
    [
        {"annotators": [["joy"], ["fear"]]},
        {"annotators": [["joy"], []], "labels": ["joy"]},
        {"annotators": [["joy"], []], "unknown": ["fear"]},
    ],
    ids=str,
)
def test_all_that_people_said_of_what_is_validated_on_is_in_its_digest(
    words: HFTokenizer, other: dict[str, Any]
) -> None:
    one = {"id": "d", "text": "happy", "annotators": [["joy"], []]}
    digests = [made(annotated(), words, [row]).digest()["dev"] for row in (one, {**one, **other})]
    assert digests[0] != digests[1]
    assert made(annotated(), words, [dict(one)]).digest()["dev"] == digests[0]
