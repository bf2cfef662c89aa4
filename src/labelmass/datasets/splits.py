"""Splits that keep related records together and label shares alike, the same whatever the order."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from labelmass._ranges import POSITIVE, Range
from labelmass._text import canonical
from labelmass.datasets.clusters import RULE, Ids, joined, near_duplicates, numbered
from labelmass.errors import LabelMassError, RecordError
from labelmass.task.record import Record

Counts = NDArray[np.float64]

ASSIGNMENT = (
    "clusters are dealt whole, rarest label first, large before small, each to the part that "
    "lacks that label most and has room; equal ones in the order of a seeded hash of their ids"
)


COSINE = Range(0, 1, low_open=True)
"""From which cosine texts may count as near duplicates."""


@dataclass(frozen=True, slots=True)
class Split:
    """Records by part, each part in the order of the input, and how they came there.

    report: rule, seed, sizes, labels by part, clusters; for JSON.
    left_out: records that belong to no part (only where a split is kept).
    """

    parts: dict[str, list[Record]]
    report: dict[str, Any]
    left_out: int = 0


def split_records(
    records: Sequence[Record],
    parts: Mapping[str, float],
    *,
    seed: int = 0,
    group: str | None = None,
    threshold: float | None = None,
) -> Split:
    """Deal the records into parts of these shares.

    group: a field; records of one value stay together.
    threshold: cosine from which two texts are near duplicates, which stay together; see
        `near_duplicates`. None to look for none.
    Which record goes where depends on ids, labels, groups, texts and seed, never on the order.
    Raises LabelMassError for shares that are not 1 in all, repeated ids, or a missing group.
    """
    _check_shares(parts)
    order = _by_id(records)
    results = [records[index] for index in order]
    clusters = _clusters(results, group, threshold)
    names = [*parts]
    dealt = _deal(results, clusters, np.array([*parts.values()]), seed)
    by_part: dict[str, list[int]] = {name: [] for name in names}
    for place, part in zip(order, dealt[clusters], strict=True):
        by_part[names[part]].append(place)
    chosen = {name: [records[place] for place in sorted(by_part[name])] for name in names}
    rule = {"parts": dict(parts), "seed": seed, "group": group, "assignment": ASSIGNMENT}
    return Split(chosen, rule | _near(threshold) | _summary(chosen) | _sizes(clusters))


def keep_split(records: Sequence[Record], by: str, *, threshold: float | None = None) -> Split:
    """The parts that the field `by` names; records without it are in none.

    threshold: also count the clusters of near duplicates that stand in several parts.
    """
    _by_id(records)
    results = [record for record in records if record.extra.get(by) is not None]
    if not results:
        raise LabelMassError(f"no record has the field {by!r}")
    of = [str(record.extra[by]) for record in results]
    parts: dict[str, list[Record]] = {name: [] for name in sorted(set(of))}
    for name, record in zip(of, results, strict=True):
        parts[name].append(record)
    report: dict[str, Any] = {"by": by} | _near(threshold) | _summary(parts)
    if threshold is not None:
        COSINE.check("threshold of near duplicates", threshold)
        clusters = near_duplicates([record.plain for record in results], threshold)
        seen: dict[int, set[str]] = {}
        for cluster, name in zip(clusters.tolist(), of, strict=True):
            seen.setdefault(cluster, set()).add(name)
        report |= _sizes(clusters)
        report["clusters_in_several_parts"] = sum(len(names) > 1 for names in seen.values())
    left_out = len(records) - len(results)
    return Split(parts, report | {"left_out": left_out}, left_out)


def labels_of(record: Record) -> list[str]:
    """The record's gold labels in NFC; none if it says nothing of them."""
    labels = record.extra.get("labels") or ()
    if not isinstance(labels, list | tuple):
        raise RecordError(f"record {record.id!r}: labels is {labels!r}, not a list of labels")
    return [canonical(str(label)) for label in cast("Sequence[Any]", labels)]


def _check_shares(parts: Mapping[str, float]) -> None:
    good = all(share in POSITIVE for share in parts.values())
    if not parts or not good or abs(sum(parts.values()) - 1) > 1e-6:
        shown = ", ".join(f"{name}={share}" for name, share in parts.items())
        raise LabelMassError(f"parts are {shown or 'none'}: expected shares above 0 that add to 1")


def _by_id(records: Sequence[Record]) -> list[int]:
    """Places of the records in an order that only their ids decide."""
    keys = [json.dumps(record.id) for record in records]
    for key, count in Counter(keys).items():
        if count > 1:
            raise LabelMassError(f"{count} records have the id {key}: give each its own")
    if not keys:
        raise LabelMassError("there is no record to split")
    return sorted(range(len(keys)), key=keys.__getitem__)


def _clusters(records: Sequence[Record], group: str | None, threshold: float | None) -> Ids:
    clusters = np.arange(len(records), dtype=np.intp)
    if group is not None:
        for record in records:
            if record.extra.get(group) is None:
                raise LabelMassError(f"record {record.id!r} has no field {group!r} to group by")
        clusters = numbered([json.dumps(record.extra[group]) for record in records])
    if threshold is not None:
        COSINE.check("threshold of near duplicates", threshold)
        similar = near_duplicates([record.plain for record in records], threshold)
        clusters = joined(clusters, similar)
    return clusters


def _deal(records: Sequence[Record], clusters: Ids, shares: Counts, seed: int) -> Ids:
    """(clusters,) the part of each: iterative stratification (Sechidis et al. 2011) of clusters."""
    held = [{*labels_of(record)} or {""} for record in records]
    labels = sorted(set().union(*held))
    column = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((int(clusters.max()) + 1, len(labels)))
    for cluster, names in zip(clusters.tolist(), held, strict=True):
        for name in names:
            counts[cluster, column[name]] += 1
    size = np.bincount(clusters).astype(float)
    lacking = shares[:, None] * counts.sum(axis=0)
    room = shares * len(records)
    tie = _hashes(records, clusters, seed)
    part = np.full(len(size), -1, dtype=np.intp)
    while (part < 0).any():
        left = counts[part < 0].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        those = np.flatnonzero((part < 0) & (counts[:, rarest] > 0))
        for cluster in sorted(those.tolist(), key=lambda c: (-size[c], tie[c])):
            fits = room >= size[cluster] - 0.5
            fits = fits if fits.any() else room == room.max()
            need = np.where(fits, lacking[:, rarest], -np.inf)
            best = np.flatnonzero(need >= need.max() - 1e-9)
            chosen = int(best[np.argmax(room[best])])
            part[cluster] = chosen
            lacking[chosen] -= counts[cluster]
            room[chosen] -= size[cluster]
    return part


def _hashes(records: Sequence[Record], clusters: Ids, seed: int) -> list[str]:
    """The least seeded hash of the ids in each cluster."""
    least = [""] * (int(clusters.max()) + 1)
    for record, cluster in zip(records, clusters.tolist(), strict=True):
        code = hashlib.sha256(f"{seed}:{json.dumps(record.id)}".encode()).hexdigest()
        least[cluster] = min(code, least[cluster] or code)
    return least


def _near(threshold: float | None) -> dict[str, Any]:
    if threshold is None:
        return {"near_duplicates": None}
    return {"near_duplicates": {"threshold": threshold, "rule": RULE}}


def _sizes(clusters: Ids) -> dict[str, int]:
    sizes = np.bincount(clusters)
    return {
        "clusters": len(sizes),
        "clusters_of_several": int((sizes > 1).sum()),
        "largest_cluster": int(sizes.max()),
    }


def _summary(parts: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """Sizes, and label -> part -> count, with `(none)` for records without a label."""
    counts = {
        name: Counter(label for r in part for label in labels_of(r)) for name, part in parts.items()
    }
    empty = {name: sum(not labels_of(record) for record in part) for name, part in parts.items()}
    labels = sorted(set().union(*counts.values()))
    table = {label: {name: counts[name][label] for name in parts} for label in labels}
    return {
        "sizes": {name: len(part) for name, part in parts.items()},
        "labels": table | {"(none)": empty},
    }
