"""Saved trees: a folder that every later command reads without a model.

DIR/run.json       signature and task
DIR/trees.journal  a line for each record: itself, its trees by question and its cost, or its error
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelmass.answers.tree import AnswerTree
from labelmass.data import Journal, read_journal
from labelmass.errors import LabelMassError
from labelmass.run.explore import Cost, Explored
from labelmass.run.results import Failure
from labelmass.run.signature import Signature
from labelmass.task import Record, Task

RUN, TREES = "run.json", "trees.journal"


class TreeStore:
    """Trees of a run as they come in; open it again, for the same input, to go on."""

    def __init__(
        self,
        folder: str | Path,
        task: Task,
        signature: Signature,
        *,
        source: str = "",
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        mark = {"input": source, "run": signature.to_dict()}
        self._journal = Journal(self.folder / TREES, mark, overwrite=overwrite)
        head = {"signature": signature.to_dict(), "task": task.to_dict()}
        (self.folder / RUN).write_text(json.dumps(head, ensure_ascii=False, indent=1) + "\n")

    def add(self, key: int, outcome: Explored | Failure) -> None:
        """Keep a record's trees, or why it has none, once."""
        if key not in self._journal:
            self._journal.append([(key, _line(outcome))])

    def __contains__(self, key: int) -> bool:
        return key in self._journal

    def __len__(self) -> int:
        return len(self._journal)

    def close(self) -> None:
        self._journal.close()


class SavedTrees:
    """The trees of a finished or stopped run: `for explored in SavedTrees(folder)`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not is_saved(self.folder):
            raise LabelMassError(f"{folder}: no saved trees here (no {RUN}); see --keep-trees")
        head = json.loads((self.folder / RUN).read_text())
        self.signature = Signature.from_dict(head["signature"])
        self.task = Task.from_dict(head["task"])

    def __iter__(self) -> Iterator[Explored | Failure]:
        """In the order of the input."""
        for key, line in read_journal(self.folder / TREES):
            yield Failure(line["id"], line["error"]) if "error" in line else _explored(line, key)

    def records(self) -> Iterator[Record]:
        """Those that have trees, in the order of the input; no tree is built."""
        for key, line in read_journal(self.folder / TREES):
            if "error" not in line:
                yield Record.from_dict(line["record"], key)


def is_saved(folder: str | Path) -> bool:
    """Whether a folder holds saved trees."""
    return (Path(folder) / RUN).is_file()


def find_saved(folder: str | Path) -> list[Path]:
    """The folders of saved trees in a run: itself, or one for each model below it, by name."""
    folder = Path(folder)
    found = [folder] if is_saved(folder) else sorted(f for f in folder.glob("*") if is_saved(f))
    if not found:
        raise LabelMassError(f"{folder}: no saved trees here; see score --keep-trees")
    return found


def _line(outcome: Explored | Failure) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return outcome.to_dict()
    return {
        "record": outcome.record.to_dict(),
        "trees": [[list(name), tree.to_dict()] for name, tree in outcome.trees.items()],
        "cost": outcome.cost.to_dict(),
    }


def _explored(data: dict[str, Any], key: int) -> Explored:
    return Explored(
        Record.from_dict(data["record"], key),
        {tuple(name): AnswerTree.from_dict(tree) for name, tree in data["trees"]},
        Cost(**data["cost"]),
    )
