"""Training and validation records, and those left out of both, with the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelmass.datasets.splits import split_records
from labelmass.errors import LabelMassError, RecordError
from labelmass.records import BadRecord, read_records
from labelmass.records.readers import each_record
from labelmass.targets import targets_of
from labelmass.targets.of_records import FIELDS
from labelmass.task import Record, Task
from labelmass.task.record import Fields
from labelmass.training.examples import Example, Examples
from labelmass.training.settings import Settings

Source = str | Path | Iterable[Mapping[str, Any] | Record]
Skipped = tuple[str | int, str]


@dataclass(frozen=True, slots=True)
class Dataset:
    """pairs: what is learnt. dev: what is validated on. skipped: ids, and why they are neither."""

    pairs: tuple[tuple[Record, Example], ...]
    dev: tuple[Record, ...]
    skipped: tuple[Skipped, ...]

    @classmethod
    def make(
        cls,
        data: Source,
        dev: Source | None,
        task: Task,
        examples: Examples,
        settings: Settings,
        fields: Fields | None = None,
    ) -> Dataset:
        """Without `dev`, a share of the data is set aside, groups (the field `group`) kept whole.

        fields: what files call text and id. A text that is validated on is never learnt. Raises
        LabelMassError where nothing is left.
        """
        skipped: list[Skipped] = []
        learnt = _labelled(data, task, skipped, fields)
        held: list[Record] = []
        if dev is not None:
            held = _labelled(dev, task, skipped, fields)
        elif settings.dev_share and learnt:
            learnt, held = _set_aside(learnt, settings)
        kept = [record for record in held if _has_room(record, examples, skipped)]
        seen = {record.digest for record in kept}
        pairs: list[tuple[Record, Example]] = []
        for record in learnt:
            try:
                if record.digest in seen:
                    raise RecordError("the same text is among those validated on")
                pairs.append((record, examples.read(record)))
            except RecordError as error:
                skipped.append((record.id, str(error)))
        if not pairs or (not kept and (dev is not None or settings.dev_share)):
            first = f" ({skipped[0][0]!r}: {skipped[0][1]})" if skipped else ""
            what = "validate on: give others, or set none aside" if pairs else "train on"
            raise LabelMassError(f"no record is left to {what}{first}")
        return cls(tuple(pairs), tuple(kept), tuple(skipped))

    def digest(self) -> dict[str, Any]:
        """Counts and a hash of each side: texts in their order, and the answers learnt of them."""
        learnt = [[one.digest, one.votes, one.shares] for _, one in self.pairs]
        told = [[one.digest, [one.extra.get(key) for key in FIELDS]] for one in self.dev]
        return {
            "train": {"records": len(learnt), "digest": _hash(learnt)},
            "dev": {"records": len(told), "digest": _hash(told)},
        }


def _good(source: Source, skipped: list[Skipped], fields: Fields | None) -> Iterable[Record]:
    if isinstance(source, str | Path):
        items = read_records(source, fields=fields)
    else:
        items = each_record(source)
    for _, item in items:
        if isinstance(item, BadRecord):
            skipped.append((item.id, item.error))
        else:
            yield item


def _set_aside(records: Sequence[Record], settings: Settings) -> tuple[list[Record], list[Record]]:
    share = settings.dev_share
    grouped = any(record.extra.get("group") is not None for record in records)
    parts = split_records(
        [_grouped(record) for record in records] if grouped else records,
        {"train": 1 - share, "dev": share},
        seed=settings.seed,
        group="group" if grouped else None,
    ).parts
    return parts["train"], parts["dev"]


def _grouped(record: Record) -> Record:
    """The record with a group of its own if it has none: a list, so it equals no given name."""
    if record.extra.get("group") is not None:
        return record
    return replace(record, extra={**record.extra, "group": ["alone", record.id]})


def _labelled(
    source: Source, task: Task, skipped: list[Skipped], fields: Fields | None
) -> list[Record]:
    """The records that hold human labels, in labels that the task knows."""
    results: list[Record] = []
    for record in _good(source, skipped, fields):
        try:
            targets_of(task, [record])
            results.append(record)
        except RecordError as error:
            skipped.append((record.id, str(error)))
    return results


def _has_room(record: Record, examples: Examples, skipped: list[Skipped]) -> bool:
    try:
        examples.check_room(record)
    except RecordError as error:
        skipped.append((record.id, str(error)))
        return False
    return True


def _hash(rows: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
