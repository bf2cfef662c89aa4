"""A task file for a list of labels: its prompt chosen for a model, with comments to go on from."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from labelmass.errors import LabelMassError, RecordError
from labelmass.files.toml import dumps, inline
from labelmass.files.writing import write_text
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import as_model
from labelmass.records import BadRecord, read_records
from labelmass.scoring.prompt_choice import (
    PromptTrial,
    Watch,
    best_trial,
    prompt_candidates,
    try_prompts,
)
from labelmass.targets import targets_of
from labelmass.task import Record, Task
from labelmass.task.default_prompt import default_question
from labelmass.task.record import Fields

DEMONSTRATIONS = 8
"""Labelled records that are shown to a model, where no number is given."""

MAX_CHARACTERS = 400
"""Longest text that is taken for a demonstration while there are shorter ones."""


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A task that was made for a model, and what its prompt was chosen by.

    Attributes:
        task: The task; it leaves nothing open.
        chosen: Trial of its prompt.
        without: Best trial without the labelled records; None where there are none.
        model: Name of the model.
        records: Ids of the labelled records that are demonstrations now.
    """

    task: Task
    chosen: PromptTrial
    without: PromptTrial | None
    model: str
    records: tuple[str | int, ...] = ()

    @property
    def gain(self) -> str:
        """What the labelled records win, in one line; "" where there are none."""
        if self.without is None:
            return ""
        return (
            f"{len(self.records)} labelled records as demonstrations: {self.chosen.on_format:.2f} "
            f"of the mass answers plain texts in the format, {self.without.on_format:.2f} without "
            "them"
        )

    def to_toml(self) -> str:
        """The task as a commented TOML file."""
        task, keys = self.task, self.task.to_dict()
        labels = [{"name": label.name, "description": label.description} for label in task.labels]
        examples: list[dict[str, Any]] = keys["demonstrations"]["examples"]
        shown = self.gain or "Made of the labels themselves; labelled records help more."
        parts = [
            "# A task for labelmass; its documentation has every key. The whole prompt:\n"
            "#   labelmass show prompt RECORDS --task FILE\n",
            dumps({"name": task.name}),
            "\n# What the model is asked about the labels.\n",
            dumps({"question": task.question}),
            "\n# The labels. The model sees a description of one line where there is one.\n",
            f"labels = [\n{_rows(labels)}]\n",
            f"\n# The form of answer and prompt that holds {self.model} best:\n"
            f"# {self.chosen.on_format:.2f} of its mass answers plain texts in this form.\n",
            dumps({key: keys[key] for key in ("chat", "opening", "answer_cue") if key in keys}),
            f"format = {inline(keys['format'])}\n",
            dumps({"record": task.record.text}),
            f"\n# Worked examples. {shown}\n",
            f"demonstrations = [\n{_rows(examples)}]\n",
        ]
        return "".join(parts)

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        write_text(path, self.to_toml())


def new_task(
    labels: Sequence[str] | Mapping[str, str],
    model: LanguageModel | str | Path | None = None,
    *,
    name: str = "labels",
    question: str | None = None,
    format: str | None = None,
    examples: str | Path | None = None,
    demonstrations: int = DEMONSTRATIONS,
    fields: Fields | None = None,
    watch: Watch = lambda steps, total: steps,
) -> TaskFile:
    """A task of these labels with the prompt that holds a model best, ready to be saved.

    Args:
        labels: Names, or a mapping of names to descriptions.
        name: What the task is called.
        question: What is asked about the labels; None for a plain question.
        format: Kind of answer; None for the one that holds the model best.
        examples: File of records with `labels`, some of which become demonstrations: labels that
            are rare among those taken come first, then short texts. Do not judge by these records.
        demonstrations: How many of them.
        fields: Names of the text and id fields in the file.
        watch: As for `try_prompts`, which also says where trials are kept.

    Raises:
        TaskError, ModelError: For labels or a model that cannot be used.
        LabelMassError: If no record of `examples` is labelled.
    """
    task = Task.from_labels(labels, question).with_keys(name=name)
    if format is not None:
        task = task.with_keys(format=format)
    records = [] if examples is None else _labelled(examples, task, fields)
    picked = _pick(records, demonstrations)
    model = as_model(model)
    chosen = _best(task, model, watch)
    if not picked:
        return TaskFile(*chosen, None, model.name)
    shown = [_example(record, names) for record, names in picked]
    without = chosen[1]
    chosen = _best(task.with_keys(demonstrations=shown), model, watch)
    return TaskFile(*chosen, without, model.name, tuple(record.id for record, _ in picked))


def _best(task: Task, model: LanguageModel, watch: Watch) -> tuple[Task, PromptTrial]:
    """The prompt that holds the model best, and its trial."""
    candidates = prompt_candidates(task, chat=model.tokenizer.has_chat_template)
    trials = try_prompts(candidates, model, watch=watch)
    trial = best_trial(trials)
    best = candidates[trials.index(trial)]
    return best.with_keys(question=best.question or default_question(best.format)), trial


def _labelled(
    source: str | Path, task: Task, fields: Fields | None
) -> list[tuple[Record, tuple[str, ...]]]:
    """The labelled records of a file, each with its labels."""
    records: list[Record] = []
    for _, record in read_records(source, fields=fields):
        if isinstance(record, BadRecord):
            raise RecordError(f"{source}, record {record.id!r}: {record.error}")
        records.append(record)
    try:
        targets = targets_of(task, records)
    except LabelMassError as error:
        raise LabelMassError(f"{source}: {error}") from None
    results = [
        (record, tuple(n for n, given in zip(task.label_names, row, strict=True) if given == 1))
        for record, row in zip(records, targets.gold, strict=True)
        if not np.isnan(row).any()
    ]
    if not results:
        raise LabelMassError(f"{source} holds no labelled record: each needs a field `labels`")
    return results


def _pick(
    records: Sequence[tuple[Record, tuple[str, ...]]], count: int
) -> list[tuple[Record, tuple[str, ...]]]:
    """Records that show every label, and the empty answer, about equally often."""
    left = sorted(records, key=lambda each: max(len(each[0].plain), MAX_CHARACTERS))
    times: Counter[str] = Counter()
    picked: list[tuple[Record, tuple[str, ...]]] = []
    while left and len(picked) < count:
        best = min(left, key=lambda each: fmean(times[name] for name in each[1] or (_EMPTY,)))
        left.remove(best)
        picked.append(best)
        times.update(best[1] or (_EMPTY,))
    random.Random(0).shuffle(picked)
    return picked


_EMPTY = ""
"""Stands for the empty answer among names of labels."""


def _example(record: Record, labels: tuple[str, ...]) -> dict[str, Any]:
    """A record as a task file holds it."""
    keys = ("text", "messages", "prompt", "response")
    fields = {key: value for key, value in record.to_dict().items() if key in keys}
    return {**fields, "labels": list(labels)}


def _rows(tables: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"  {inline(table)},\n" for table in tables)
