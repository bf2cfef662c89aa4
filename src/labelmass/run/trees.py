"""Saved trees: a folder that every later command reads without a model.

DIR/run.json       signature and task
DIR/trees.journal  a line for each record: itself, its trees by question, its cost
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelmass.answers.tree import AnswerTree
from labelmass.data import Journal
from labelmass.errors import LabelMassError
from labelmass.run.explore import Cost, Explored
from labelmass.run.signature import Signature
from labelmass.task import Record, Task

RUN, TREES = "run.json", "trees.journal"


class TreeStore:
    """Trees of a run as they come in; open it again to go on."""

    def __init__(
        self, folder: str | Path, task: Task, signature: Signature, *, overwrite: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(
            self.folder / TREES, {"run": signature.to_dict()}, overwrite=overwrite
        )
        head = {"signature": signature.to_dict(), "task": task.to_dict()}
        (self.folder / RUN).write_text(json.dumps(head, ensure_ascii=False, indent=1) + "\n")

    def add(self, key: int, explored: Explored) -> None:
        """Keep a record's tree, once."""
        if key not in self._journal:
            line = {
                "record": explored.record.to_dict(),
                "trees": [[list(name), t.to_dict()] for name, t in explored.trees.items()],
                "cost": explored.cost.to_dict(),
            }
            self._journal.append([(key, line)])

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

    def __iter__(self) -> Iterator[Explored]:
        with (self.folder / TREES).open("rb") as file:
            file.readline()
            for line in file:
                if not line.endswith(b"\n"):
                    return  # killed while it was written
                data: dict[str, Any] = json.loads(line)
                yield _explored(data["record"], data["key"])


def is_saved(folder: str | Path) -> bool:
    """Whether a folder holds saved trees."""
    return (Path(folder) / RUN).is_file()


def _explored(data: dict[str, Any], key: int) -> Explored:
    return Explored(
        Record.from_dict(data["record"], key),
        {tuple(name): AnswerTree.from_dict(tree) for name, tree in data["trees"]},
        Cost(**data["cost"]),
    )
