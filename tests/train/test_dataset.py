"""What is set aside for validation has nothing in common with what is learnt."""

from __future__ import annotations

from typing import Any

import pytest

from labelmass.lm.tokenizer import HFTokenizer
from labelmass.train import Settings
from labelmass.train.dataset import Dataset
from labelmass.train.examples import Examples
from train.tiny import people, task, tokenizer


@pytest.fixture(scope="module")
def words() -> HFTokenizer:
    return HFTokenizer(tokenizer())


def made(rows: list[dict[str, Any]], words: HFTokenizer) -> Dataset:
    settings = Settings(dev_share=0.25)
    return Dataset.make(rows, None, task(), Examples(task(), words, settings, 256), settings)


@pytest.mark.parametrize("alone", [0, 1, 7])
def test_a_group_is_on_one_side_whole(words: HFTokenizer, alone: int) -> None:
    """Also where some records say none: these stand alone."""
    rows = [{**row, "group": f"g{i // 4}"} for i, row in enumerate(people(40))]
    for row in rows[:alone]:
        del row["group"]
    found = made(rows, words)
    groups = {row["id"]: row.get("group", row["id"]) for row in rows}
    learnt = {groups[record.id] for record, _ in found.pairs}
    held = {groups[record.id] for record in found.dev}
    assert learnt and held and not learnt & held
    assert len(found.pairs) + len(found.dev) == 40


def test_a_text_is_on_one_side_whatever_its_id(words: HFTokenizer) -> None:
    rows = [{**row, "id": i} for i, row in enumerate([*people(), *people()])]
    found = made(rows, words)
    assert not {record.digest for record, _ in found.pairs} & {r.digest for r in found.dev}
    assert all("validated on" in why for _, why in found.skipped) and found.skipped
