"""Scores of a file, to a file: through a journal, so that a stopped run goes on where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from labelmass._settings import expect
from labelmass.errors import LabelMassError
from labelmass.records.readers import Item
from labelmass.scores import Outcome, Result, Signature
from labelmass.scores.writers import output_writer
from labelmass.scoring.journal import Journal, export, journal_path
from labelmass.scoring.resuming import Changes, Input
from labelmass.scoring.saved_trees import SavedTrees, TreeStore
from labelmass.scoring.shortfall import Shortfall
from labelmass.task import Record
from labelmass.task.record import Fields

if TYPE_CHECKING:
    from labelmass.scoring.scorer import Scorer

T = TypeVar("T")


class Watch(Protocol):
    """Passes items on as they come, and shows how far they are.

    total: how many there will be, None where not known. done: how many there were before.
    """

    def __call__(self, items: Iterable[T], total: int | None, done: int = 0) -> Iterator[T]: ...


def unwatched(items: Iterable[T], total: int | None, done: int = 0) -> Iterator[T]:
    """Shows nothing."""
    return iter(items)


def silent(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A run that wrote a file.

    records: in the file, failures among them. warned: how many of those scored now carry warnings.
    actions: of a policy, how many records get each. short: what failed, or missed the tolerance.
    limit_records: the number of records after which the run stopped, if there are more.
    """

    out: Path
    records: int
    signature: Signature | None
    short: Shortfall
    warned: int = 0
    actions: Mapping[str, int] | None = None
    limit_records: int | None = None

    def lines(self) -> Iterator[str]:
        """Lines to print at the end of the run, except for those of `short`."""
        yield f"{self.records} records -> {self.out}  {self.signature}"
        if self.actions:
            yield ", ".join(f"{count} {action}" for action, count in self.actions.items())
        if self.limit_records is not None:
            yield (
                f"stopped after the first {self.limit_records} records; without the limit, the "
                "same run goes on"
            )
        if self.warned:
            yield f"{self.warned} records carry warnings, see their `warnings`"


def score_to_file(
    scorer: Scorer,
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
    """See `Scorer.score_file`."""
    plan, out = scorer.plan, Path(out)
    output_writer(out)
    check_paths(source, out, trees)
    if fields is not None:
        expect("fields", fields, Fields, "Fields: what a file calls text and id")
    if plan.contextual_calibration == "batch" and trees is None:
        raise LabelMassError(
            "the contextual calibration 'batch' reads all records before it scores one: name a "
            "folder for trees"
        )
    if plan.contextual_calibration == "batch" and limit_records is not None:
        raise LabelMassError(
            "the contextual calibration 'batch' is estimated on all records: leave out the limit "
            "of records"
        )
    with ExitStack() as context:
        records = context.enter_context(Input(source, fields, limit_records))
        total = records.count()
        store = None
        if trees is not None:
            store = TreeStore(
                trees,
                plan.task,
                scorer.signature,
                source=str(source),
                fields=records.fields,
                limit_records=limit_records,
                overwrite=overwrite,
            )
            context.callback(store.close)
            store.resume(records.reread_all)
        if plan.contextual_calibration == "batch" and store is not None:
            say_resumed(say, None, store)
            left = store.left(records.read())
            for _ in watch(scorer.run(left, store=store), total, len(store)):
                pass
            store.close()
            results = plan.read_trees(SavedTrees(store.folder))
            return write_read(results, store.folder, out, keep_input=keep_input)
        mark: dict[str, Any] = {"run": scorer.signature.to_dict()}
        if plan.decision is not None:
            mark["policy"] = plan.decision.policy.digest
        return write_results(
            lambda left: scorer.run(left, store=store),
            records,
            out,
            mark,
            scorer.signature,
            total,
            store=store,
            overwrite=overwrite,
            keep_input=keep_input,
            watch=watch,
            say=say,
        )


def check_paths(source: str | Path, out: Path | None, trees: str | Path | None) -> None:
    """LabelMassError where a run would write over its input, or a folder for trees is a file."""
    if out is not None and out.exists() and str(source) != "-" and Path(source).exists():
        if out.samefile(source):
            raise LabelMassError(f"{out} holds the records: write the scores to another file")
    if trees is not None and Path(trees).exists() and not Path(trees).is_dir():
        raise LabelMassError(f"{trees} is a file: trees are kept in a folder")


def write_results(
    score: Callable[[Iterator[Item]], Iterator[tuple[int, Outcome]]],
    source: Input,
    out: Path,
    mark: Mapping[str, Any],
    signature: Signature,
    total: int | None,
    *,
    store: TreeStore | None = None,
    overwrite: bool = False,
    keep_input: bool = True,
    watch: Watch = unwatched,
    say: Callable[[str], None] = silent,
) -> Summary:
    """Score what the journal of `out` does not hold yet, then write `out`.

    score: gives (key, result) of records. mark: what tells this run from another. store: of trees,
    already resumed.
    """
    short, warned = Shortfall(), 0
    actions: Counter[str] = Counter()
    with Journal(journal_path(out), mark, source=source.source, overwrite=overwrite) as journal:
        say_resumed(say, journal.resume(source.reread_all, _renew), store)
        numbers: list[int] = []
        results = score(journal.left(_noted(source.read(), numbers)))
        done = len(journal) if total is None else min(len(journal), total)
        for key, result in watch(results, total, done):
            journal.append([(key, result.to_dict())])
            warned += isinstance(result, Result) and bool(result.warnings)
        for record in journal.records(numbers):
            short.add(record)
            actions.update([record["decisions"]["action"]] if "decisions" in record else [])
        export(journal, out, numbers, keep_input=keep_input)
        if not source.exceeded:
            journal.remove()
    limit = source.limit_records if source.exceeded else None
    return Summary(out, len(numbers), signature, short, warned, dict(actions), limit)


def _noted(items: Iterable[Item], numbers: list[int]) -> Iterator[Item]:
    """The items, their numbers appended as they pass."""
    for number, item in items:
        numbers.append(number)
        yield number, item


def write_read(
    results: Iterable[Outcome], trees: str | Path, out: Path, *, keep_input: bool = True
) -> Summary:
    """Write results that were read off a folder of trees."""
    short, signature, count = Shortfall(), None, 0
    # beside the journal of a run that was to write the same file, and not in its place
    with Journal(Path(f"{out}.partial"), {"trees": str(trees)}, overwrite=True) as journal:
        for key, result in enumerate(results, start=1):
            record = result.to_dict()
            short.add(record)
            journal.append([(key, record)])
            signature = signature or (result.signature if isinstance(result, Result) else None)
            count = key
        export(journal, out, keep_input=keep_input)
        journal.remove()
    return Summary(out, count, signature, short)


def say_resumed(
    say: Callable[[str], None], changes: Changes | None, store: TreeStore | None = None
) -> None:
    """Print how the input differs from stored results or trees, if there are any."""
    if changes is not None:
        say(f"resumed: {changes}")
    grown = None if store is None else store.resumed
    if store is not None and grown not in (None, changes):
        say(f"resumed, trees in {store.folder}: {grown}")


def _renew(result: dict[str, Any], record: Record) -> dict[str, Any]:
    """The result of a record that has another id, or other fields beside its texts, now."""
    return result | {"id": record.id, "input": record.input}
