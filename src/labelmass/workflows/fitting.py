"""Fit what learns from labelled records: classifiers of texts and of hidden states, and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree
from labelmass.artifacts import ArtifactKind
from labelmass.errors import FitError, LabelMassError, RecordError
from labelmass.estimators import LabelScores
from labelmass.estimators.selection import Selection
from labelmass.files.writing import write_records
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import as_model
from labelmass.provenance import HoldOut
from labelmass.records import BadRecord, read_records
from labelmass.scores import Cost, Failure, Result, Scores, Signature
from labelmass.scores.signature import signature_of, signature_of_texts
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.hidden_states import StateReader
from labelmass.scoring.journal import Journal
from labelmass.scoring.prompt_choice import choose_prompt
from labelmass.scoring.saved_trees import SavedTrees, is_saved
from labelmass.scoring.to_file import Watch, say_resumed, silent, unwatched
from labelmass.supervised import Classifier, HiddenStateFeatures
from labelmass.task import Record, Task
from labelmass.task.record import Fields
from labelmass.workflows.probing import ProbeData, Study, explore_greedily, probe_study, save_states
from labelmass.workflows.training_set import (
    LabelledRecords,
    Skipped,
    TrainingSet,
    text_training_set,
)

STUDY, JOURNAL, SKIPPED = "study.json", "states.journal", "skipped.jsonl"

STUDY_KIND = ArtifactKind("probe study", unmarked=True)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A classifier, what it was fitted on, and the records that were left out.

    Attributes:
        signature: Signature of its scores.
        study: Study of what a probe's hidden state knows; None if the records are too few, or for
            other classifiers.
        note: Reason that there is no study.
        unlabelled: Number of the model's own answers without a label, None where it was not asked.
    """

    classifier: Classifier
    fitting: TrainingSet
    skipped: tuple[Skipped, ...]
    signature: Signature
    study: Study | None = None
    note: str = ""
    unlabelled: int | None = None

    def cross_fitted(self) -> Scores:
        """Scores of the records it was fitted on, each by a fit that has not seen it."""
        labels, method = self.fitting.task.label_names, self.classifier.method
        results = [
            Result(
                record.id,
                {method: LabelScores.points(labels, p)},
                Cost(),
                self.signature,
                input=record.input,
            )
            for record, p in zip(self.fitting.records, self.fitting.cross_fitted(), strict=True)
        ]
        return Scores.from_results(results, labels, self.signature)

    def save(self, folder: str | Path) -> None:
        """The classifier, and the lists beside it, to a folder."""
        folder = Path(folder)
        self.classifier.save(folder)
        (folder / SKIPPED).unlink(missing_ok=True)
        if self.skipped:
            write_records(
                folder / SKIPPED, ({"id": name, "error": why} for name, why in self.skipped)
            )
        (folder / STUDY).unlink(missing_ok=True)
        if self.study is not None:
            STUDY_KIND.save(folder / STUDY, self.study.to_dict())


def fit_encoder(
    source: str | Path,
    task: Task | str | Path,
    *,
    features: str = "tfidf",
    gold: str = "given",
    group: str = "group",
    soft: bool = True,
    fields: Fields | None = None,
    seed: int = 0,
) -> Fitted:
    """Fit one logistic regression per label on the texts of a file, and their human labels.

    Args:
        source: Records with `labels`, `annotators` or `distribution`; bad ones are left out.
        features: "tfidf", "minilm", or the folder of a transformers encoder.
        soft: On annotator shares where there are any, else on gold.
        group: The field of what is never divided between folds.

    Raises:
        FitError: If nothing is left to fit on.
    """
    asked = Task.of(task)
    items = (item for _, item in read_records(source, fields=fields))
    data = LabelledRecords.of(items, asked, gold, group)
    fitting = text_training_set(features, asked, data.records, data.targets, soft=soft, seed=seed)
    classifier = fitting.classifier({"input": str(source)})
    signature = signature_of_texts(asked, [classifier.mark])
    return Fitted(classifier, fitting, data.skipped, signature)


def fit_probe(
    source: str | Path,
    out: str | Path,
    task: Task | str | Path | None = None,
    model: LanguageModel | str | Path | None = None,
    *,
    steps: str = "first",
    layer: int = -1,
    gold: str = "given",
    group: str = "group",
    soft: bool = True,
    hold_out: float = 0.2,
    batch_size: int = 16,
    fields: Fields | None = None,
    overwrite: bool = False,
    seed: int = 0,
    watch: Watch = unwatched,
    say: Callable[[str], None] = silent,
) -> Fitted:
    """Fit one logistic regression per label on the model's hidden states where it answers.

    Args:
        source: Records with human labels, or a folder of saved trees of such records, whose task
            and model these are.
        out: States are kept in this folder, and a stopped run goes on.
        steps: See `HiddenStateFeatures.of`.
        layer: See `HiddenStateFeatures.of`.
        hold_out: Share of the records that the study is judged on.

    Raises:
        LabelMassError: For a model that did not write the trees.
    """
    saved = SavedTrees(source) if is_saved(source) else None
    if saved is None and task is None:
        raise LabelMassError("records are of no task: name one")
    asked = saved.task if saved is not None else Task.of(task or "")
    items, trees = _labelled(source, saved, fields)
    data = LabelledRecords.of(items, asked, gold, group)
    model = as_model(model)
    if saved is None:
        asked = choose_prompt(asked, model)
    if saved is not None and saved.signature.fingerprint != model.fingerprint:
        raise LabelMassError(
            f"{model.name}@{model.fingerprint} did not write these trees: name the model that did, "
            f"{saved.signature.model}"
        )
    states = HiddenStateFeatures.of(model, asked.hash, layer, steps)
    read = StateReader(states, asked, model)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    keyed = list(enumerate(data.records))
    mark = {"states": states.to_dict()}
    with Journal(folder / JOURNAL, mark, source=str(source), overwrite=overwrite) as journal:
        say_resumed(say, journal.resume(lambda: keyed, lambda line, _: line))
        done = len(journal)
        left = journal.left(keyed)
        if saved is None:
            explored = explore_greedily(left, model, asked, batch_size)
        else:
            explored = ((key, trees[record.id]) for key, record in left)
        counted = (one for n in save_states(explored, read, journal) for one in range(n))
        for _ in watch(counted, len(keyed), done):
            pass
        probe_data = ProbeData.of(journal, data.records, len(asked.labels))
    targets = data.targets.at([record.id for record in probe_data.records])
    fitting = TrainingSet(states, probe_data.x, asked, probe_data.records, targets, soft, seed=seed)
    classifier = fitting.classifier({"input": str(source)})
    signature = signature_of(
        model, asked, ("probe",), Normalisation.RAW, Budget(), fitted=(classifier.mark,)
    )
    study, note = None, ""
    try:
        study = probe_study(
            probe_data,
            targets,
            states,
            hold_out=HoldOut(hold_out, seed),
            single=asked.format.single,
            seed=seed,
        )
    except FitError as error:
        note = f"the study is left out: {error}"
    skipped = (*data.skipped, *probe_data.failed.items())
    unlabelled = int((probe_data.first < 0).sum())
    return Fitted(classifier, fitting, skipped, signature, study, note, unlabelled)


def _labelled(
    source: str | Path, saved: SavedTrees | None, fields: Fields | None
) -> tuple[Iterable[Record | BadRecord | Failure], dict[str | int, ExploredRecord]]:
    """The records, bad ones too, and the trees that there are, by id."""
    trees: dict[str | int, ExploredRecord] = {}
    if saved is None:
        return (item for _, item in read_records(source, fields=fields)), trees
    results = list(saved)
    for one in results:
        if isinstance(one, ExploredRecord):
            trees.setdefault(one.record.id, one)  # of records with one id the first is fitted on
    return (one.record if isinstance(one, ExploredRecord) else one for one in results), trees


def fit_rule(
    trees: str | Path, rule: str, *, gold: str = "labels", max_labels: int = 2
) -> Selection:
    """Fit the threshold of an uncertainty rule on saved trees of records with true labels.

    Args:
        rule: "probability", "entropy" or "logtoku".
        gold: The field of the true labels.
        max_labels: Number of labels that a sure record gets.

    Raises:
        RecordError: For a record without true labels.
    """
    saved = SavedTrees(trees)
    saved.task.require_one_answer("an uncertainty rule")
    grown: dict[str, AnswerTree] = {}
    truth: dict[str, Sequence[str]] = {}
    for kept in saved:
        if isinstance(kept, Failure):
            continue
        record = kept.record
        labels = record.extra.get(gold)
        if not isinstance(labels, list):
            raise RecordError(f"record {record.id!r} has no list {gold!r} of true labels")
        grown[record.digest] = kept.tree
        truth[record.digest] = saved.task.resolve(labels)
    return Selection.fit(rule, grown, truth, most=max_labels)
