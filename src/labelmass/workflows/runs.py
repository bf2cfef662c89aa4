"""A run: a folder with trees of the same records by one model or several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelmass.answers.tree import AnswerTree
from labelmass.errors import FitError, LabelMassError
from labelmass.files import is_saved_dataset
from labelmass.lm.base import LanguageModel
from labelmass.scores import Failure, Outcome, Scores
from labelmass.scoring.classifiers import AppliedClassifier, check_classifiers
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.saved_trees import SavedTrees, find_saved
from labelmass.scoring.score import check_scored, score_trees
from labelmass.scoring.shortfall import Shortfall
from labelmass.supervised import Classifier, HiddenStateFeatures
from labelmass.targets import Targets, targets_of
from labelmass.task import Record, Task


def is_run(source: str | Path) -> bool:
    """True for a folder that is no dataset of the library `datasets`, and so must be a run."""
    return Path(source).is_dir() and not is_saved_dataset(source)


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

    def first_trees(self) -> list[AnswerTree]:
        """The first tree of each model; all trees of a model are grown for the same methods."""
        explored = (
            next((one for one in SavedTrees(folder) if isinstance(one, ExploredRecord)), None)
            for folder in self.folders
        )
        return [one.tree for one in explored if one is not None]

    def scores(
        self, methods: Sequence[str], *, short: Shortfall | None = None, **options: Any
    ) -> dict[str, Scores]:
        """Scores by method, or by `model/method` where there are several models.

        short: counts the records that fell short, by every model. options: as `score_trees` takes
        them.
        """
        collected: dict[str, Scores] = {}
        for folder in self.folders:
            prefix = f"{folder.name}/" if len(self.folders) > 1 else ""
            scores = score_trees(folder, methods, **options)
            if short is not None:
                for result in scores:
                    short.add(_brief(result))
            collected |= {f"{prefix}{name}": one for name, one in check_scored(scores).each.items()}
        return collected

    def scores_by(
        self, classifiers: Sequence[Classifier], models: Mapping[str, LanguageModel]
    ) -> dict[str, Scores]:
        """Scores of classifiers on the same records; probes read what their model wrote.

        models: by fingerprint. FitError for a probe of none of them.
        """
        check_classifiers(classifiers, self.task)
        results: dict[str, Scores] = {}
        for classifier in classifiers:
            folder, name = next(iter(self.folders)), classifier.method
            model: LanguageModel | None = None
            if isinstance(classifier.source, HiddenStateFeatures):
                wrote = classifier.source.fingerprint
                model = models.get(wrote)
                own = [f for f in self.folders if SavedTrees(f).signature.fingerprint == wrote]
                if model is None or not own:
                    raise FitError(
                        f"this probe is of {classifier.source.model}@{wrote}, no model of this "
                        "run: name it with --model"
                    )
                folder = next(iter(own))
                name = f"{folder.name}/{name}" if len(self.folders) > 1 else name
            trees = (kept for kept in SavedTrees(folder) if isinstance(kept, ExploredRecord))
            results[name] = AppliedClassifier.of(classifier, self.task, model).scores(trees)
        return results

    def targets(self, gold: str = "given") -> Targets:
        """Human labels of the records; see `Targets.from_records`."""
        return targets_of(self.task, self.records(), gold)


def _brief(result: Outcome) -> dict[str, Any]:
    """Part of a result record that says whether it fell short."""
    if isinstance(result, Failure):
        return {"error": result.error}
    missed = {name: one.to_dict() for name, one in result.missed.items()}
    return {"missed": missed, "signature": {"tolerance": result.tolerance}}
