"""All methods side by side, on one exploration of every record by every model.

A run is a folder: a folder of saved trees for each model, which every later command reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelmass.errors import FitError, LabelMassError, TaskError
from labelmass.estimators import ESTIMATORS
from labelmass.lm.base import LanguageModel
from labelmass.scores import Failure, Outcome, Scores
from labelmass.scoring.classifiers import Beside, check_beside
from labelmass.scoring.explorer import Explored
from labelmass.scoring.plan import Item, Plan
from labelmass.scoring.saved_trees import SavedTrees, TreeStore, find_saved
from labelmass.scoring.score import read_saved, scores_of
from labelmass.scoring.scorer import Scorer
from labelmass.scoring.shortfall import Shortfall
from labelmass.supervised import Classifier, States
from labelmass.targets import Targets
from labelmass.task import Record, Task
from labelmass.task.record import Fields

FIELDS = ("labels", "annotators", "distribution", "unknown")
"""What of a record says what people said."""


def plain_methods(task: Task) -> list[str]:
    """The methods that read the one tree: no further prompts, nothing drawn."""
    return [
        name
        for name, method in ESTIMATORS.items()
        if not method.needs.draws
        and method.gap(task) is None
        and not method.questions(task)
        and name not in ("constant", "base-rate")  # every evaluation has these of its own
    ]


def open_store(
    run: str | Path,
    plan: Plan,
    model: LanguageModel,
    source: str,
    fields: Fields | None = None,
    *,
    overwrite: bool = False,
) -> TreeStore:
    """The trees of a model in a run, begun or gone on with."""
    folder = re.sub(r"[^\w.-]+", "-", model.name).strip("-.") or "model"
    return TreeStore(
        Path(run) / folder,
        plan.task,
        plan.signature(model),
        source=source,
        fields=fields,
        overwrite=overwrite,
    )


def grow(
    plan: Plan, items: Iterable[Item], model: LanguageModel, store: TreeStore, batch_size: int
) -> Iterator[Outcome]:
    """Explore what the store has no trees of yet; the results, as they come."""
    scorer = Scorer.of_plan(plan, model, batch_size=batch_size)
    for _, result in scorer.run(store.left(items), store=store):
        yield result


@dataclass(frozen=True)
class Run:
    """A folder with trees of the same records by one model or several."""

    folders: tuple[Path, ...]
    task: Task

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """LabelMassError if there are no trees, or the models were asked different tasks."""
        folders = find_saved(folder)
        tasks = [SavedTrees(one).task for one in folders]
        if len({task.hash for task in tasks}) > 1:
            raise LabelMassError(
                f"{folder}: its models were asked different tasks; compare them apart"
            )
        return cls(tuple(folders), tasks[0])

    def records(self) -> Iterator[Record]:
        """The records that have a tree, by the first model."""
        return SavedTrees(self.folders[0]).records()

    def scores(
        self, methods: Sequence[str], *, short: Shortfall | None = None, **options: Any
    ) -> dict[str, Scores]:
        """By method, or by `model/method` where there are several models.

        short: counts the records that fell short, by every model. options: as `read_saved` takes
        them.
        """
        found: dict[str, Scores] = {}
        for folder in self.folders:
            prefix = f"{folder.name}/" if len(self.folders) > 1 else ""
            results = list(read_saved(folder, methods, **options))
            if short is not None:
                for result in results:
                    short.add(_brief(result))
            found |= {f"{prefix}{name}": one for name, one in scores_of(results).each.items()}
        return found

    def scores_by(
        self, classifiers: Sequence[Classifier], models: Mapping[str, LanguageModel]
    ) -> dict[str, Scores]:
        """What classifiers say of the same records; probes of what their model wrote.

        models: by fingerprint. FitError for a probe of none of them.
        """
        check_beside(classifiers, self.task)
        found: dict[str, Scores] = {}
        for one in classifiers:
            folder, name = next(iter(self.folders)), one.method
            model: LanguageModel | None = None
            if isinstance(one.source, States):
                wrote = one.source.fingerprint
                model = models.get(wrote)
                own = [f for f in self.folders if SavedTrees(f).signature.fingerprint == wrote]
                if model is None or not own:
                    raise FitError(
                        f"this probe is of {one.source.model}@{wrote}, which is no model of this "
                        "run: name it with --model"
                    )
                folder = next(iter(own))
                name = f"{folder.name}/{name}" if len(self.folders) > 1 else name
            trees = (kept for kept in SavedTrees(folder) if isinstance(kept, Explored))
            found[name] = Beside.of(one, self.task, model).scores(trees)
        return found

    def targets(self, gold: str = "given") -> Targets:
        """What people said of the records; see `Targets.from_records`."""
        return targets_of(self.task, self.records(), gold)


def _brief(result: Outcome) -> dict[str, Any]:
    """Of a result record, what says whether it fell short."""
    if isinstance(result, Failure):
        return {"error": result.error}
    missed = {name: one.to_dict() for name, one in result.missed.items()}
    return {"missed": missed, "signature": {"tolerance": result.tolerance}}


def targets_of(
    task: Task, records: Iterable[Record], gold: str = "given", group: str = "group"
) -> Targets:
    """What people said of the records, in the labels of the task (pooled, or left out)."""
    found = [record.to_dict() for record in records]
    pool: dict[str, str | None] = {}
    for name in {name for record in found for name in _names(record)}:
        try:
            pool[name] = task.counts_for(name)
        except TaskError:
            continue  # Targets names the record
    return Targets.from_records(found, task.label_names, gold=gold, pool=pool, group=group)


def _names(record: Mapping[str, Any]) -> Iterator[str]:
    """Every name that a record's fields may hold for a label; what is no name, Targets refuses."""
    for key in FIELDS:
        for one in _each(record.get(key)):
            yield from (name for name in _each(one) if isinstance(name, str))


def _each(value: Any) -> Iterable[Any]:
    """What a list holds, or else the value itself."""
    return value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
