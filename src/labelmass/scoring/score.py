"""Scoring: records in, results out, with one exploration for any set of methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from labelmass.answers.search import Budget
from labelmass.calibration import Calibrator
from labelmass.decisions import Policy
from labelmass.errors import LabelMassError, MethodError
from labelmass.estimators import ESTIMATORS
from labelmass.estimators.selection import Selection
from labelmass.lm.base import LanguageModel
from labelmass.scores import Outcome, Result, Scores
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.scoring.scorer import Frame, Scorer, Text
from labelmass.supervised import Classifier
from labelmass.task import Task


def score(
    texts: Text | Iterable[Text] | Frame | Path,
    task: Task | str | Path | None = None,
    model: LanguageModel | str | Path | None = None,
    *,
    labels: Sequence[str] | Mapping[str, str] | None = None,
    question: str | None = None,
    methods: Sequence[str] = ("any-place",),
    normalise: str = "raw",
    tolerance: float = 0.01,
    budget: Budget | None = None,
    off_format: str = "not-written",
    samples: int | None = None,
    label_permutations: int = 1,
    contextual_calibration: str | None = None,
    target_rate: float = 0.5,
    rules: Sequence[Selection] = (),
    classifiers: Sequence[Classifier] = (),
    calibrator: Calibrator | None = None,
    policy: Policy | None = None,
    force: bool = False,
    max_text_tokens: int | None = None,
    batch_size: int = 16,
    keep_trees: bool = False,
) -> Scores:
    """P(label) for every text, by every method, from one exploration each.

    A session, `labelmass.Scorer`, that lasts for one call; its arguments, errors and warnings are
    explained there.

    Args:
        texts: Strings, records, or mappings as a JSONL line holds them; or a table of pandas,
            polars or Arrow; or the `Path` of a file. One string, or one mapping, is one record.
            A text that cannot be scored becomes a `Failure` in its place.
    """
    return Scorer(
        task,
        model,
        labels=labels,
        question=question,
        methods=methods,
        normalise=normalise,
        tolerance=tolerance,
        budget=budget,
        off_format=off_format,
        samples=samples,
        label_permutations=label_permutations,
        contextual_calibration=contextual_calibration,
        target_rate=target_rate,
        rules=rules,
        classifiers=classifiers,
        calibrator=calibrator,
        policy=policy,
        force=force,
        max_text_tokens=max_text_tokens,
        batch_size=batch_size,
        keep_trees=keep_trees,
    ).score(texts)


def score_trees(
    folder: str | Path,
    methods: Sequence[str] = ("any-place",),
    *,
    normalise: str = "raw",
    off_format: str = "not-written",
    contextual_calibration: str | None = None,
    target_rate: float = 0.5,
    rules: Sequence[Selection] = (),
    classifiers: Sequence[Classifier] = (),
    model: LanguageModel | None = None,
    calibrator: Calibrator | None = None,
    policy: Policy | None = None,
    force: bool = False,
) -> Scores:
    """Scores of saved trees by other methods than they were grown for, without a model.

    Args:
        folder: Folder of trees that `Scorer.score_file(..., trees=folder)` kept.
        contextual_calibration: "batch" or None.
        model: The model of the trees, needed only for a probe among `classifiers`.

    The other arguments are those of `Scorer`, except that no record is explored further.

    Raises:
        LabelMassError: If the folder holds no saved trees, or they are damaged.
        MethodError: If a method needs what these trees do not hold.
    """
    if contextual_calibration == "content-free":
        raise LabelMassError(
            "saved trees hold no texts without content: take the contextual calibration 'batch'"
        )
    saved = SavedTrees(folder)
    plan = Plan(
        saved.task,
        methods,
        normalisation=normalise,
        off_format=off_format,
        label_permutations=saved.signature.label_permutations,
        contextual_calibration=contextual_calibration,
        target_rate=target_rate,
        rules=rules,
        classifiers=classifiers,
        calibrator=calibrator,
        policy=policy,
        force=force,
    )
    results = tuple(
        result.without_trees() if isinstance(result, Result) else result
        for result in plan.read_trees(saved, model)
    )
    return Scores.from_results(results, saved.task.label_names)


def load_scores(
    source: str | Path,
    labels: Sequence[str],
    method: str | None = None,
    *,
    likely: Sequence[str] = (),
    ids: Iterable[str | int] = (),
) -> Scores:
    """One method's scores from a score file, or from a folder of saved trees, which are read raw.

    Args:
        method: None for the first of `likely` that is there, else the first there is.
        ids: Ids of the records that count, see `Scores.load`.
    """
    if not Path(source).is_dir():
        try:
            return Scores.load(source, labels, ids=ids).select(method, likely)
        except MethodError as error:
            raise MethodError(f"{source}: {error}") from None
    name = method or next((one for one in likely if one in ESTIMATORS), "any-place")
    scores = check_scored(score_trees(source, (name,)))
    return scores.at(scores.ids, labels)


def scores_of(results: Sequence[Outcome]) -> Scores:
    """The scores of a run; LabelMassError where no record could be scored."""
    good = next((result for result in results if isinstance(result, Result)), None)
    return check_scored(Scores.from_results(results, good.labels.labels if good else ()))


def check_scored(scores: Scores) -> Scores:
    """The scores; LabelMassError where no record could be scored."""
    if len(scores.failures) == len(scores):
        why = scores.failures[0].error if scores.failures else "there are none"
        raise LabelMassError(f"no record could be scored: {why}")
    return scores
