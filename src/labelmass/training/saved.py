"""The folder of a training: what was asked, how far it is, and in the end the model.

labelmass.json           task, base, settings and data; `result` once it is finished
checkpoint.safetensors, best.safetensors   where it stands and its best weights, until then
adapter_model.safetensors, adapter_config.json   the adapter, in peft's format; or
model.safetensors, config.json, tokenizer.json   all weights, as transformers writes them
task.json                the task again, for commands that take no model: `--task DIR/task.json`
records.json             digests of the records trained on and validated on, and of the base's
skipped.jsonl            records left out, and why
curve.json, curve.svg    loss of every step, validation of every epoch
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import Any, cast

from labelmass.errors import LabelMassError
from labelmass.files import current_keys, read_json, shaped
from labelmass.files.writing import write_json, write_records, write_text
from labelmass.lm.adapted import NOTE, RECORDS, VERSION, trained_on
from labelmass.present.drawing import save_figure
from labelmass.present.figures import SOFT, Axis, Dots, Figure, Line, Mark, Panel
from labelmass.scoring.journal import differences
from labelmass.task import Task
from labelmass.training.dataset import Dataset
from labelmass.training.progress import Progress

SAME = ("kind", "task", "base", "settings", "data")
"""Keys that must agree for a training to resume."""

FORMER_SETTINGS = {"rate": "learning_rate", "nodes": "max_nodes"}
"""Settings as earlier versions wrote them, and their names of today."""


def _current(head: dict[str, Any]) -> dict[str, Any]:
    """Head written by an earlier version, with the current keys."""
    settings, task = head["settings"], head["task"]
    if isinstance(settings, dict):
        head["settings"] = current_keys(cast("dict[str, Any]", settings), FORMER_SETTINGS)
    if isinstance(task, dict):
        with suppress(LabelMassError):  # a damaged one differs, and is told so
            head["task"] = Task.from_dict(cast("dict[str, Any]", task)).to_dict()
    return head


def begin(folder: Path, head: Mapping[str, Any], data: Dataset) -> dict[str, Any]:
    """The note of the training in `folder`, begun if there is none.

    head: its SAME. Raises LabelMassError naming what differs where another was begun there.
    """
    path = folder / NOTE
    digests = {
        "train": [example.digest for _, example in data.pairs],
        "dev": [record.digest for record in data.dev],
        "base": sorted(trained_on(head["base"]["asked"])),
    }
    if path.is_file():
        try:
            note = shaped(dict[str, Any], read_json(path, infinite=True))
        except LabelMassError as error:
            raise LabelMassError(
                f"{path} is damaged ({error}), so that the training cannot go on: choose another "
                "folder"
            ) from None
        wanted = json.loads(json.dumps(head))
        former = _current({key: note.get(key) for key in SAME})
        texts = _changed_texts(folder, digests) if former["data"] != wanted["data"] else []
        former["data"] = wanted["data"]
        changes = [shorten(change, 160) for change in (*texts, *differences(former, wanted))]
        if changes:
            raise LabelMassError(
                f"{folder} holds another training ({'; '.join(changes[:5])}): go on with the same "
                "options and data, or choose another folder"
            )
    else:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise LabelMassError(f"{folder} holds other files: choose a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        note = {"labelmass": VERSION, **head, "result": None}
        write_json(path, note)
    write_json(folder / RECORDS, digests)
    write_json(folder / "task.json", dict(head["task"]))
    if data.skipped:
        rows = ({"id": name, "error": error} for name, error in data.skipped)
        write_records(folder / "skipped.jsonl", rows)
    return note


def _changed_texts(folder: Path, digests: Mapping[str, Sequence[str]]) -> list[str]:
    """Differences between the records and those of the training, in words."""
    try:
        former = shaped(dict[str, list[str]], read_json(folder / RECORDS))
    except LabelMassError:
        return ["its records have changed"]
    words: list[str] = []
    for part, name in (("train", "records learnt"), ("dev", "records validated on")):
        before, now = Counter[str](former.get(part, ())), Counter(digests[part])
        gone, new = (before - now).total(), (now - before).total()
        if gone or new:
            words.append(f"{name}: {gone} gone, {new} new")
    return words or ["records: the same texts in another order, or with other answers"]


def finish(folder: Path, note: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Write the result: from now on the folder is a model."""
    write_json(folder / NOTE, {**note, "result": dict(result)})


def draw_curve(folder: Path, progress: Progress, metric: str | None) -> bool:
    """curve.json, and curve.svg where matplotlib is installed: whether it is."""
    results = {
        "loss": progress.losses,
        "metric": metric,
        "epochs": [epoch.to_dict() for epoch in progress.epochs],
    }
    write_text(folder / "curve.json", json.dumps(results) + "\n")
    if find_spec("matplotlib") is None:
        return False
    save_figure(_curve(progress, metric), folder, endings=("svg",))
    return True


def _curve(progress: Progress, metric: str | None) -> Figure:
    count = len(progress.epochs)
    ends = [progress.step * (at + 1) / count for at in range(count)]
    losses, dev = progress.losses, progress.validations if metric is not None else []
    steps = range(1, len(losses) + 1)
    marks: list[Mark] = [
        Line("", list(zip(steps, losses, strict=True)), SOFT, width=0.5),
        Line("loss, an answer", list(zip(steps, smoothed(losses), strict=True))),
    ]
    if dev:
        points = list(zip(ends, dev, strict=False))
        marks += [Line("", points, 1), Dots(f"dev {metric}", points, 1)]
    last, top = max(len(losses), 1), max([*losses, *dev, 0.0]) or 1.0
    panel = Panel(
        "",
        f"{len(losses)} steps, {count} epochs",
        Axis("step", 0, last, [(at, f"{at:g}") for at in (0, last / 2, last)]),
        Axis("nats", 0, top, [(at, f"{at:.2g}") for at in (0, top / 2, top)]),
        marks,
        440,
        240,
    )
    about = "Loss of every step, its running mean, and the validation of every epoch."
    return Figure("curve", "Loss of the training", about, [panel])


def smoothed(values: Sequence[float], keep: float = 0.95) -> list[float]:
    """Means of all values so far, each weighing `keep` times the next."""
    results: list[float] = []
    total = weight = 0.0
    for value in values:
        total, weight = keep * total + value, keep * weight + 1
        results.append(total / weight)
    return results
