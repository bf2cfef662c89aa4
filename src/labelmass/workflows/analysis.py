"""Analyses of how models write several labels, one folder of saved trees at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from labelmass.analysis import Diagnosis, Item, diagnose
from labelmass.analysis.attention import attention_shares
from labelmass.errors import LabelMassError, MethodError, RecordError, TaskError
from labelmass.lm.base import LanguageModel
from labelmass.provenance import Signature
from labelmass.scores import Failure
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.saved_trees import SavedTrees, find_saved
from labelmass.task import Record, Task
from labelmass.task.labels import ordered
from labelmass.task.prompt import ANSWER, Name
from labelmass.workflows.attention import attention_weights


@dataclass(frozen=True, slots=True)
class Gold:
    """Origin of the gold labels.

    field: of the records. known: records that have it. ignored: name that the task does not know
    -> how often it stood there.
    """

    field: str
    known: int
    ignored: dict[str, int]


@dataclass(frozen=True, slots=True)
class RunAnalysis:
    """A folder of saved trees, diagnosed. failed: records without a tree.

    Where each label has an answer of its own, the answers about one label; see `Diagnosis.about`.
    """

    name: str
    folder: Path
    task: Task
    signature: Signature
    failed: int
    gold: Gold
    diagnosis: Diagnosis

    def notes(self) -> Iterator[str]:
        """Notes on what the numbers leave out."""
        if self.failed:
            yield f"{self.failed} records have no tree"
        if self.diagnosis.about is not None:
            return  # gold labels are for the order of several
        if not self.gold.known:
            yield f"no record has {self.gold.field!r}, so the order of labels is not judged"
        elif missing := self.diagnosis.records - self.gold.known:
            yield f"{missing} records have no {self.gold.field!r}"
        if self.gold.ignored:
            names = ", ".join(f"{name} ({n})" for name, n in self.gold.ignored.items())
            yield f"gold labels that the task does not know are ignored: {names}"

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: what was diagnosed, then each analysis."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "task": self.task.name,
            "task_hash": self.task.hash,
            "signature": self.signature.to_dict(),
            "failed": self.failed,
            "gold": {"field": self.gold.field, "known": self.gold.known}
            | {"ignored": dict(self.gold.ignored)},
        } | self.diagnosis.to_dict()


def analyse(
    runs: Sequence[str | Path] | str | Path,
    field: str = "labels",
    model: LanguageModel | None = None,
) -> list[RunAnalysis]:
    """An analysis of each folder of saved trees, in the order given, then by name.

    Of a guard that is asked about one policy at a time, an analysis of each policy's answers.

    Args:
        field: Field of the records with gold labels.
        model: Reads the answers of its own runs again, for their attention; LabelMassError if it
            made none of them. Runs are named after their folders, as far up as tells them apart.

    Raises:
        LabelMassError: If a folder holds no trees, or not what is read here.
    """
    folders = [runs] if isinstance(runs, str | Path) else runs
    if not folders:
        raise LabelMassError("no run is named: give folders of saved trees")
    saved = [one for folder in folders for one in find_saved(folder)]
    if len(set(saved)) < len(saved):
        twice = next(one for one in saved if saved.count(one) > 1)
        raise LabelMassError(f"{twice} is named twice")
    results = [
        one
        for folder, name in zip(saved, _names(saved), strict=True)
        for one in _diagnose_run(folder, name, field)
    ]
    if model is None:
        return results
    if model.fingerprint not in {one.signature.fingerprint for one in results}:
        raise LabelMassError(f"{model.name}@{model.fingerprint} scored none of these runs")
    return [
        _add_attention(one, model) if one.signature.fingerprint == model.fingerprint else one
        for one in results
    ]


def _add_attention(found: RunAnalysis, model: LanguageModel) -> RunAnalysis:
    found.task.require_one_answer("attention to earlier labels")
    shares = attention_shares(attention_weights(SavedTrees(found.folder), model))
    return replace(found, diagnosis=replace(found.diagnosis, attention=shares))


def _diagnose_run(folder: Path, name: str, field: str) -> Iterator[RunAnalysis]:
    """One analysis, or one for each label that has an answer of its own."""
    saved = SavedTrees(folder)
    passes = saved.task.passes
    for question, asked in passes.items():
        about = asked.label_names[0] if len(passes) > 1 else None
        reader = RunReader(saved, field, question)
        try:
            diagnosis = diagnose(reader.items(), saved.signature.model, about)
        except MethodError as error:
            raise MethodError(f"{folder}: {error}") from None
        if not diagnosis.records:
            raise LabelMassError(f"{folder}: no record has a tree")
        gold = Gold(field, reader.known, dict(sorted(reader.ignored.items())))
        title = name if about is None else f"{name}: {about}"
        yield RunAnalysis(
            title, folder, saved.task, saved.signature, reader.failed, gold, diagnosis
        )


class RunReader:
    """Saved trees as items to analyse, counting what is left out.

    field: of gold labels. question: whose answers are read, one of the task's `passes`.
    """

    def __init__(self, saved: SavedTrees, field: str = "labels", question: Name = ANSWER) -> None:
        self._saved, self._task, self._field, self._question = saved, saved.task, field, question
        self.failed = self.known = 0
        self.ignored: Counter[str] = Counter()
        task = self._task.passes[question]
        self._order = tuple(one.name for one in ordered(task.labels, task.label_order, task.seed))
        self._shared = None if task.demonstrations.varies else self._demonstrated(None)

    def items(self) -> Iterator[Item]:
        """All that have a tree."""
        for kept in self._saved:
            if isinstance(kept, Failure):
                self.failed += 1
            else:
                yield self.item(kept)

    def item(self, explored: ExploredRecord) -> Item:
        """Item of one record."""
        record, shown = explored.record, self._shared
        shown = self._demonstrated(record) if shown is None else shown
        return Item(explored.trees[self._question], self._gold(record), self._order, shown)

    def _demonstrated(self, record: Record | None) -> tuple[tuple[str, ...], ...]:
        chosen = self._task.demonstrations.choose(self._task.seed, record)
        return tuple(example.labels for example in chosen)

    def _gold(self, record: Record) -> frozenset[str] | None:
        given = record.extra.get(self._field)
        if given is None:
            return None
        if not isinstance(given, list | tuple):
            raise RecordError(
                f"record {record.id!r}: {self._field} is {given!r}, not a list of labels"
            )
        self.known += 1
        results: set[str] = set()
        for word in cast("Sequence[object]", given):
            try:
                name = self._task.resolve_all(str(word))
            except TaskError:
                self.ignored[str(word)] += 1
                continue
            results |= set() if name is None else {name}
        return frozenset(self._task.resolve(results)) & frozenset(self._order)


def _names(folders: Sequence[Path]) -> list[str]:
    """The last parts of each path: as few as tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]
