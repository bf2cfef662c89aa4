"""The session: a model, a task and what is asked of each record, ready to score."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

from labelmass.answers.search import Budget
from labelmass.calibration import Calibrator
from labelmass.decisions import Policy
from labelmass.errors import LabelMassError, RecordError, TaskError, warn_caller
from labelmass.estimators.contextual import CONTENT_FREE
from labelmass.estimators.selection import Selection
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import as_model
from labelmass.records.readers import BadRecord, Item, each_record
from labelmass.scores import Failure, Outcome, Result, Scores, Signature
from labelmass.scoring.decision_step import explore_until_clear
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.limits import Limits
from labelmass.scoring.plan import Plan
from labelmass.scoring.prompt_choice import choose_prompt
from labelmass.scoring.results import Bias, mean_log_odds, read_result
from labelmass.scoring.saved_trees import TreeStore
from labelmass.scoring.to_file import Summary, Watch, score_to_file, silent, unwatched
from labelmass.scoring.waiting import Wait, awaiting, blocking, drive
from labelmass.scoring.warnings import scoring_warnings
from labelmass.supervised import Classifier
from labelmass.task import Record, Task
from labelmass.task.record import Fields

Text = str | Mapping[str, Any] | Record


class Frame(Protocol):
    """A table of pandas, polars or Arrow: a row a record."""

    @property
    def columns(self) -> Iterable[Any]: ...


def task_of(
    task: Task | str | Path | None,
    labels: Sequence[str] | Mapping[str, str] | None,
    question: str | None,
) -> Task:
    """The task that is given, or made of labels; TaskError unless it is one of the two."""
    if task is not None:
        if labels is not None or question is not None:
            raise TaskError("a task has labels of its own: give a task, or labels and a question")
        return Task.of(task)
    if labels is None:
        raise TaskError("give a task, such as task='emotions', or labels, such as labels=['joy']")
    return Task.from_labels(labels, question)


def check_ids(items: Sequence[Item]) -> None:
    """LabelMassError for records that share an id."""
    names = Counter(item.id for _, item in items)
    if len(names) < len(items):
        (twice, count), *_ = names.most_common(1)
        raise LabelMassError(f"{count} records have the id {twice!r}: give each its own")


class Scorer:
    """Scores texts with one model, by one plan; what they have in common is computed once.

    Example:
        scorer = labelmass.Scorer("emotions")
        scorer.score(["We won!", "We lost."])
        for result in scorer.stream(text for text in archive):
            print(result)

    Args:
        task: A `Task`, a preset's name or a task file; None for one of `labels` alone.
        labels: Names of the labels, or a mapping of names to descriptions, in place of a task; the
            prompt is chosen for the model, see `choose_prompt`.
        question: What is asked about `labels`; None for a plain question.
        model: Model, or argument of `labelmass.load`; None for the embedded model.
        tolerance: Tolerance of the budget, where no budget is given.
        batch_size: Prompts in flight at once.
        keep_trees: Keep the trees of answers in the results; without them, a result takes
            some kilobytes.

    The other arguments are those of `Plan`. A scorer is not for several threads at once.

    Warns:
        LabelMassWarning: If the prompt shows the model neither labels nor form of answer, or the
            chat template is a guard's own.

    Raises:
        TaskError, ModelError, MethodError, FitError: Before any work is done.
    """

    def __init__(
        self,
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
        every_method: bool = False,
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
    ) -> None:
        asked = task_of(task, labels, question)
        if asked.open_keys:
            model = as_model(model)
            asked = choose_prompt(asked, model)
        plan = Plan(
            asked,
            methods,
            budget=budget or Budget(tolerance=tolerance),
            normalisation=normalise,
            off_format=off_format,
            every_method=every_method,
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
        )
        self._set_up(plan, model, batch_size, keep_trees)
        for warning in scoring_warnings(self.plan.task, self.model):
            warn_caller(warning)

    @classmethod
    def of_plan(
        cls,
        plan: Plan,
        model: LanguageModel | str | Path | None = None,
        *,
        batch_size: int = 16,
        keep_trees: bool = False,
    ) -> Scorer:
        """For a plan that is made already."""
        scorer = cls.__new__(cls)
        scorer._set_up(plan, model, batch_size, keep_trees)
        return scorer

    def _set_up(
        self,
        plan: Plan,
        model: LanguageModel | str | Path | None,
        batch_size: int,
        keep_trees: bool,
    ) -> None:
        model = as_model(model)
        self.plan, self.model, self.keep_trees = plan, model, keep_trees
        self.signature: Signature = plan.signature(model)
        self._applied_classifiers = plan.applied_classifiers(model)
        self._explorer = plan.explorer(model, batch_size=batch_size)
        self._content_free: Bias | None = None

    # -- texts in, scores out -------------------------------------------------------------------

    def score(self, texts: Text | Iterable[Text] | Frame | Path) -> Scores:
        """P(label) for every text, in their order.

        Args:
            texts: Strings, records, or mappings as a JSONL line holds them; or a table of pandas,
                polars or Arrow; or the `Path` of a file. One string, or one mapping, is one
                record. A text that cannot be scored becomes a `Failure` in its place.
        """
        items = list(each_record(texts))
        check_ids(items)
        results = tuple(self.run_in_order(iter(items)))
        settled = tuple(self.plan.settle(lambda: results))
        return Scores.from_results(settled, self.plan.task.label_names, self.signature)

    def stream(self, texts: Text | Iterable[Text]) -> Iterator[Outcome]:
        """Results as they finish, in an order that the searches give; each has its record's id.

        Args:
            texts: As `score` takes them; an iterator is read as it is needed, see `each_record`.

        Raises:
            LabelMassError: With the contextual calibration "batch", which is known only at the end.
        """
        self.check_streaming()
        return (result for _, result in self.run(each_record(texts, lazy=True)))

    def check_streaming(self) -> None:
        """LabelMassError if no result is known before all records are scored."""
        if self.plan.contextual_calibration == "batch":
            raise LabelMassError(
                "contextual calibration by batch is known when all records are scored: call score"
            )

    def score_file(
        self,
        source: str | Path,
        out: str | Path,
        *,
        trees: str | Path | None = None,
        fields: Fields | None = None,
        overwrite: bool = False,
        keep_input: bool = True,
        limit_records: int | None = None,
        watch: Watch = unwatched,
        say: Callable[[str], None] = silent,
    ) -> Summary:
        """Score the records of a file to a file; a stopped run goes on where it was.

        Args:
            source: A file, or a folder of `datasets`, see `read_records`; "-" for standard input.
            out: Its ending says how it is written, see `Scores.save`.
            trees: A folder for the trees of every record.
            fields: Names of the text and id fields in the file; a guess is a warning.
            overwrite: Begin anew where `out` is of another run.
            keep_input: Write the fields of the input beside the scores.
            limit_records: Score only the first records, this many. Where there are more, the
                journal stays beside `out`, and a call without the limit goes on.
            watch: Sees the results as they come.
            say: Is told what was resumed.

        Raises:
            LabelMassError: If `out` is the unfinished output of another run.
        """
        return score_to_file(
            self,
            source,
            out,
            trees=trees,
            fields=fields,
            overwrite=overwrite,
            keep_input=keep_input,
            limit_records=limit_records,
            watch=watch,
            say=say,
        )

    # -- keyed records --------------------------------------------------------------------------

    def run(
        self,
        items: Iterable[Item | None],
        *,
        store: TreeStore | None = None,
        limits: dict[int, Limits] | None = None,
    ) -> Generator[tuple[int, Outcome]]:
        """(key, result) as records finish; bad records come out as failures.

        Args:
            items: The records by their keys; None where there is none for now, see
                `Explorer.explore`.
            store: Keeps every record's trees, those of its first exploration where it has several;
                the results of records whose trees it keeps already are read off these.
            limits: Limits of single records, by key, taken away as they finish.
        """

        return drive(self.run_async(items, store=store, limits=limits, wait=blocking))

    async def run_async(
        self,
        items: Iterable[Item | None],
        *,
        store: TreeStore | None = None,
        limits: dict[int, Limits] | None = None,
        wait: Wait = awaiting,
    ) -> AsyncGenerator[tuple[int, Outcome]]:
        """The same for callers that await, see `AsyncScorer`."""

        def explore(
            some: Iterable[Item | None], limits: dict[int, Limits]
        ) -> AsyncGenerator[tuple[int, Outcome]]:
            return self._explore(some, limits, store, wait)

        plan, limits = self.plan, {} if limits is None else limits
        if plan.decision is None or plan.contextual_calibration == "batch":
            results = explore(items, limits)
        else:
            results = explore_until_clear(explore, items, plan.budget, limits)
        async with aclosing(results):
            async for key, outcome in results:
                limits.pop(key, None)
                closed = self.plan.close(outcome)
                if isinstance(closed, Result) and not self.keep_trees:
                    closed = closed.without_trees()
                yield key, closed

    def run_in_order(
        self, items: Iterable[Item], *, store: TreeStore | None = None
    ) -> Iterator[Outcome]:
        """As `run`, in the order of the records; what is early waits for its turn."""
        turn: deque[int] = deque()
        early: dict[int, Outcome] = {}

        def noted() -> Iterator[Item]:
            for key, item in items:
                turn.append(key)
                yield key, item

        for finished, result in self.run(noted(), store=store):
            early[finished] = result
            while turn and turn[0] in early:
                yield early.pop(turn.popleft())

    async def _explore(
        self,
        items: Iterable[Item | None],
        limits: dict[int, Limits],
        store: TreeStore | None,
        wait: Wait,
    ) -> AsyncGenerator[tuple[int, Outcome]]:
        failures: deque[tuple[int, Failure]] = deque()
        kept: deque[int] = deque()

        def failed(key: int, failure: Failure, item: Record | BadRecord) -> None:
            failures.append((key, failure))
            if store is not None:
                store.add(key, failure, item)

        source, exhausted = iter(items), False

        def good() -> Iterator[tuple[int, Record] | None]:
            """Records to explore, up to where what is known already must come first."""
            nonlocal exhausted
            for pair in source:
                if pair is None:
                    if failures or kept:
                        return
                    yield None
                    continue
                key, item = pair
                if store is not None and key in store and key not in limits:
                    kept.append(key)
                elif isinstance(item, Record):
                    yield key, item
                else:
                    failed(key, Failure.of(item), item)
            exhausted = True

        async def ready() -> AsyncGenerator[tuple[int, Outcome]]:
            """Outcomes that need no exploration."""
            while failures:
                yield failures.popleft()
            while kept and store is not None:
                key = kept.popleft()
                outcome = store.read(key)
                if isinstance(outcome, ExploredRecord):
                    outcome = await self._read(outcome, wait)
                yield key, outcome

        while not exhausted:
            async with aclosing(self._explorer.explore_async(good(), wait, limits)) as explored:
                async for key, record, outcome in explored:
                    if isinstance(outcome, RecordError):
                        failed(key, Failure.of(record, str(outcome)), record)
                    async for pair in ready():
                        yield pair
                    if isinstance(outcome, ExploredRecord):
                        if store is not None:
                            store.add(key, outcome)
                        yield key, await self._read(outcome, wait)
            async for pair in ready():
                yield pair

    async def _read(self, explored: ExploredRecord, wait: Wait) -> Outcome:
        result = self.plan.read(explored, self.signature, self._applied_classifiers)
        if self.plan.contextual_calibration != "content-free" or isinstance(result, Failure):
            return result
        if self._content_free is None:
            self._content_free = await self._content_free_bias(wait)
        return self.plan.without(result, self._content_free)

    async def _content_free_bias(self, wait: Wait) -> Bias:
        """Mean log-odds that each method gives the labels for content-free texts."""
        empty = [Record(number, text=text) for number, text in enumerate(CONTENT_FREE)]
        results: list[Result] = []
        async for _, record, outcome in self._explorer.explore_async(enumerate(empty), wait):
            if isinstance(outcome, RecordError):
                raise RecordError(f"the text without content {record.text!r}: {outcome}")
            plan = self.plan
            results.append(read_result(outcome, plan.task, plan.estimators, self.signature))
        return mean_log_odds(results)
