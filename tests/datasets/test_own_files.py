"""The labelled texts that are part of the repository."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from labelmass.datasets.clusters import near_duplicates
from labelmass.records import read_records
from labelmass.targets import Targets
from labelmass.task import Record, Task
from labelmass.task.record import Fields

ROOT = Path(__file__).parents[2]
TICKETS, TOPICS = "examples/tickets.csv", "benchmarks/topics.jsonl"
SHOWN, INCOMING = "examples/tickets-shown.csv", "examples/tickets-incoming.csv"
OF_TICKETS = ("billing", "bug report", "how-to", "account")
LABELS = {
    TICKETS: OF_TICKETS,
    SHOWN: OF_TICKETS,
    INCOMING: OF_TICKETS,
    TOPICS: Task.load("topics").label_names,
}


def load(name: str) -> list[Record]:
    fields = None if name == TOPICS else Fields(text="body", id="ticket")
    items = [item for _, item in read_records(ROOT / name, fields=fields)]
    records = [item for item in items if isinstance(item, Record)]
    assert len(records) == len(items)
    return records


def texts_of(records: Sequence[Record]) -> list[str]:
    return [record.text for record in records if record.text is not None]


def documented_counts(title: str) -> list[int]:
    """Numbers in the row of docs/data.md that begins with this title."""
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
    return [int(cell) for cell in map(str.strip, row.split("|")) if cell.isdecimal()]


@pytest.mark.parametrize("name", LABELS)
def test_every_record_is_judged_and_has_an_id_of_its_own(name: str) -> None:
    targets = Targets.from_records([record.to_dict() for record in load(name)], LABELS[name])
    assert not np.isnan(targets.gold).any()
    assert len(set(targets.ids)) == len(targets)


@pytest.mark.parametrize("name", LABELS)
def test_no_text_nearly_repeats_another(name: str) -> None:
    texts = texts_of(load(name))
    assert len(set(near_duplicates(texts, 0.5).tolist())) == len(texts)


@pytest.mark.parametrize("name", LABELS)
def test_the_page_states_the_counts(name: str) -> None:
    gold = Targets.from_records([record.to_dict() for record in load(name)], LABELS[name]).gold
    sizes = np.minimum(gold.sum(axis=1).astype(int), 2)
    counts = [len(gold), *np.bincount(sizes, minlength=3).tolist()]
    assert documented_counts(f"`{name}`") == counts


@pytest.mark.parametrize("names", [(TICKETS, SHOWN, INCOMING), (TOPICS,)])
def test_the_page_states_the_records_of_each_label(names: tuple[str, ...]) -> None:
    records = [record.to_dict() for name in names for record in load(name)]
    labels = LABELS[names[0]]
    gold = Targets.from_records(records, labels).gold
    for label, count in zip(labels, gold.sum(axis=0).astype(int).tolist(), strict=True):
        assert documented_counts(label) == [count]


def test_no_ticket_stands_in_two_files() -> None:
    texts = texts_of([*load(TICKETS), *load(SHOWN), *load(INCOMING)])
    assert len(set(near_duplicates(texts, 0.5).tolist())) == len(texts)


def test_no_demonstration_of_the_topics_is_a_text_of_the_benchmark() -> None:
    shown = [each.record for each in Task.load("topics").demonstrations.examples]
    texts = texts_of([*load(TOPICS), *shown])
    assert len(shown) == 7
    assert len(set(near_duplicates(texts, 0.5).tolist())) == len(texts)
