"""Saved trees: a folder that every later command reads without a model.

DIR/run.json       signature, task, and where the records came from
DIR/trees.journal  a line for each record: itself, its trees by question and its cost, or its error
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from labelmass.answers.tree import AnswerTree
from labelmass.artifacts import ArtifactKind
from labelmass.errors import LabelMassError
from labelmass.files import is_saved_dataset, read_json, shaped
from labelmass.provenance import Signature
from labelmass.records import BadRecord, read_records
from labelmass.scores import Cost, Failure
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.journal import Journal
from labelmass.scoring.journal_lines import read_journal, read_stamps, read_version
from labelmass.scoring.resuming import Changes, match
from labelmass.task import Record, Task
from labelmass.task.questions import ANSWER
from labelmass.task.record import Cut, Fields

RUN, TREES = "run.json", "trees.journal"

KIND = ArtifactKind("run", unmarked=True)

Items = Iterable[tuple[int, Record | BadRecord]]


class TreeStore:
    """Trees of a run as they come in, by the number of their record in the input.

    Open it again, and `resume`, to go on with the same input or a changed one.
    source: the file that the records are read from. fields: what it calls text and id.
    limit_records: how many of them, the first ones, the trees are of; None for all.
    resumed: what `resume` found.
    """

    def __init__(
        self,
        folder: str | Path,
        task: Task,
        signature: Signature,
        *,
        source: str = "",
        fields: Fields | None = None,
        limit_records: int | None = None,
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.resumed: Changes | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(
            self.folder / TREES, signature.to_dict(), source=source, overwrite=overwrite
        )
        head: dict[str, Any] = {"signature": signature.to_dict(), "task": task.to_dict()}
        if source not in ("", "-"):
            head["input"] = _way(self.folder, source)
            if fields is not None and fields != Fields():
                head["fields"] = asdict(fields)
            if limit_records is not None:
                head["limit_records"] = limit_records
        KIND.save(self.folder / RUN, head)

    def resume(self, read: Callable[[], Items]) -> Changes | None:
        """Keep the trees of records that the input holds, see `Journal.resume`."""
        self.resumed = self._journal.resume(read, _renew)
        return self.resumed

    def left(self, items: Items) -> Iterator[tuple[int, Record | BadRecord]]:
        """The items that have no trees yet."""
        return self._journal.left(items)

    def add(
        self, key: int, outcome: ExploredRecord | Failure, item: Record | BadRecord | None = None
    ) -> None:
        """Keep a record's trees, or why it has none, once.

        item: what failed, so that it is known again.
        """
        if key not in self._journal:
            item = outcome.record if isinstance(outcome, ExploredRecord) else item
            if item is not None:
                self._journal.expect(key, item)
            self._journal.append([(key, _line(outcome))])

    def read(self, key: int) -> ExploredRecord | Failure:
        """Stored trees, or failure, of a record."""
        return _retained(self._journal.read(key), key, self.folder)

    def __contains__(self, key: int) -> bool:
        self._journal.check_resumed()
        return key in self._journal

    def __len__(self) -> int:
        return len(self._journal)

    @property
    def keys(self) -> frozenset[int]:
        """Numbers of the records that are kept."""
        return self._journal.finished

    def close(self) -> None:
        self._journal.close()


class SavedTrees:
    """The trees of a finished or stopped run: `for explored in SavedTrees(folder)`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not is_saved(self.folder):
            raise LabelMassError(f"{folder}: no saved trees here (no {RUN}); see --keep-trees")
        try:
            data = read_json(self.folder / RUN)
            KIND.version_of(data)
            head = shaped(_Head, data)
            self.signature = Signature.from_dict(head.signature)
            self.task = Task.from_dict(head.task)
        except LabelMassError as error:
            raise LabelMassError(
                f"{self.folder / RUN} is damaged ({error}): run the command that wrote it again"
            ) from None
        self._input, self._fields = head.input, head.fields or Fields()
        self._limit_records = head.limit_records
        if self.task.demonstrations.per_record and read_version(self.folder / TREES) == 1:
            raise LabelMassError(
                f"{folder}: these trees are of an older labelmass, which drew the demonstrations "
                "of a record by its id: grow them again in another folder"
            )

    def __iter__(self) -> Iterator[ExploredRecord | Failure]:
        """In the order of the input."""
        for key, line in read_journal(self.folder / TREES):
            yield _retained(line, key, self.folder)

    def records(self) -> Iterator[Record]:
        """Those that have trees, in the order of the input; no tree is built."""
        for key, line in read_journal(self.folder / TREES):
            if "error" not in line:
                with _named(key, self.folder):
                    record = _record(line, key)
                yield record

    @property
    def source(self) -> Path | None:
        """The file that its records came from, if it is still there."""
        path = None if self._input is None else Path(os.path.normpath(self.folder / self._input))
        if path is None or not (path.is_file() or is_saved_dataset(path)):
            return None
        return path

    def changes(self) -> str | None:
        """Differences between that file and the trees' input, in words; None if there are none.

        LabelMassError where it cannot be read any more.
        """
        if self.source is None:
            return None
        items = islice(read_records(self.source, fields=self._fields), self._limit_records)
        matching = match(read_stamps(self.folder / TREES), items)
        result = replace(matching.changes, failed=0)
        if result.changed or result.gone or result.new:
            return str(result)
        return "ids, order or fields other than the text" if matching.moved else None


def is_saved(folder: str | Path) -> bool:
    """True if a folder holds saved trees."""
    return (Path(folder) / RUN).is_file()


def find_saved(folder: str | Path) -> list[Path]:
    """The folders of saved trees in a run: itself, or one for each model below it, by name."""
    folder = Path(folder)
    result = [folder] if is_saved(folder) else sorted(f for f in folder.glob("*") if is_saved(f))
    if not result:
        raise LabelMassError(f"{folder}: no saved trees here; see score --keep-trees")
    return result


def _line(outcome: ExploredRecord | Failure) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return outcome.to_dict()
    line: dict[str, Any] = {"record": outcome.record.to_dict()}
    if outcome.record.cuts:
        line["cuts"] = [asdict(cut) for cut in outcome.record.cuts]
    return line | {
        "trees": [[list(name), tree.to_dict()] for name, tree in outcome.trees.items()],
        "cost": outcome.cost.to_dict(),
    }


@dataclass(frozen=True, slots=True)
class _Head:
    """Contents of RUN."""

    signature: Mapping[str, Any]
    task: Mapping[str, Any]
    input: str | None = None
    fields: Fields | None = None
    limit_records: int | None = None


@dataclass(frozen=True, slots=True)
class _OfRecord:
    """A record's part of the line of a record that has trees."""

    record: Mapping[str, Any]
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True, slots=True)
class _OfTrees:
    """The trees' part of the same line."""

    trees: Sequence[tuple[tuple[str, ...], Mapping[str, Any]]]
    cost: Cost


def _retained(line: dict[str, Any], key: int, folder: Path) -> ExploredRecord | Failure:
    with _named(key, folder):
        if "error" in line:
            return shaped(Failure, line, infinite=True)
        stored = shaped(_OfTrees, line, infinite=True)
        trees = {name: AnswerTree.from_dict(tree) for name, tree in stored.trees}
        if ANSWER not in trees:
            raise LabelMassError("the tree of its answers is missing")
        return ExploredRecord(_record(line, key), trees, stored.cost)


def _record(line: dict[str, Any], key: int) -> Record:
    stored = shaped(_OfRecord, line, infinite=True)
    return replace(Record.from_dict(stored.record, key), cuts=stored.cuts)


@contextmanager
def _named(key: int, folder: Path) -> Generator[None]:
    """Errors of what is kept of a record, with the folder and the cure."""
    try:
        yield
    except LabelMassError as error:
        raise LabelMassError(
            f"{folder / TREES}: what is kept of record {key} cannot be read ({error}): grow the "
            "trees again in another folder"
        ) from None


def _renew(line: dict[str, Any], record: Record) -> dict[str, Any]:
    """The line of a record whose id or labels have changed."""
    return line | {"record": record.to_dict()}


def _way(folder: Path, source: str) -> str:
    """The way from the folder to a file: it stays right where both are moved together."""
    try:
        return Path(os.path.relpath(source, folder)).as_posix()
    except ValueError:  # another drive
        return str(Path(source).resolve())
