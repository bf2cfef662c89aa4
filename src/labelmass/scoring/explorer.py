"""The driver: grows the trees of many records together, a model's pass at a time.

Searches plan, the model answers, this carries the messages. A record that is done makes room for
the next one at once, so that passes stay full. What the model raises for one record is that
record's failure: where a pass fails, its records are read again one by one.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from labelmass._ranges import COUNT
from labelmass._types import Normalisation
from labelmass.answers.prompt_boundary import PreparedPrompt, PromptBoundary
from labelmass.answers.search import Budget, Requirements, Search
from labelmass.answers.tree import AnswerTree
from labelmass.errors import ModelError, RecordError
from labelmass.lm.base import (
    LanguageModel,
    NextTokenLogprobs,
    NodeQuery,
    RemoteLanguageModel,
    Usage,
    common_length,
)
from labelmass.lm.checks import check_count, flaw
from labelmass.scores import Cost
from labelmass.scoring.cutting import cut_texts
from labelmass.scoring.isolation import PLAIN, blame, describe
from labelmass.scoring.limits import End, Limits
from labelmass.scoring.waiting import Wait, awaiting, blocking, drive
from labelmass.task import Record, Task
from labelmass.task.questions import ANSWER, Askable, Name

Keyed = tuple[int, Record]
"""A record by its key."""

_LOG = logging.getLogger("labelmass")


WORD = Budget(max_nodes=64, max_depth=16)
"""Limits of a question that is answered with one of a few words; its tolerance is the run's."""


@dataclass(frozen=True, slots=True)
class ExploredRecord:
    """A record with a tree for each question, `ANSWER` among them, and its cost."""

    record: Record
    trees: Mapping[Name, AnswerTree]
    cost: Cost

    @property
    def tree(self) -> AnswerTree:
        """The tree of answers to the task itself."""
        return self.trees[ANSWER]


Outcome = tuple[int, Record, ExploredRecord | RecordError]
"""A record by its key, with its trees or the error that kept it from them."""


@dataclass(frozen=True, slots=True)
class _Request:
    """Something asked of every record, and how its tree is grown."""

    name: Name
    boundary: PromptBoundary
    requirements: Requirements
    normalisation: Normalisation


@dataclass(slots=True)
class _Branch:
    """One question of one record under way; handle: None once it is done."""

    search: Search
    handle: int | None
    queries: list[NodeQuery] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Active:
    key: int
    record: Record
    branches: dict[Name, _Branch]
    limits: Limits | None = None
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    asked: float = 0.0  # when it asked for the rows it waits for

    @property
    def cancelled(self) -> bool:
        return self.limits is not None and self.limits.cancelled


class Explorer:
    """Explores records of one task with one model.

    budget, requirements, normalisation: see `answers.search`; those of the task's own tree.
    also: what else is asked of every record, by name. Other variants of the task grow as it does; a
        question is answered with one of few words, and its tree is grown until their shares are
        within the tolerance.
    batch_size: prompts in flight at once; those of one record always are together.
    max_text_tokens: how many tokens of a text a prompt shows, see `cut_texts`; None for all.
    """

    def __init__(
        self,
        model: LanguageModel,
        task: Task,
        *,
        budget: Budget | None = None,
        requirements: Requirements | None = None,
        normalisation: Normalisation = Normalisation.RAW,
        also: Mapping[Name, Askable] | None = None,
        batch_size: int = 16,
        max_text_tokens: int | None = None,
    ) -> None:
        if max_text_tokens is not None:
            COUNT.check("max_text_tokens", max_text_tokens)
        COUNT.check("batch_size", batch_size)
        self.model, self.task = model, task
        self.batch_size, self.max_text_tokens = batch_size, max_text_tokens
        self.boundary = PromptBoundary(task.passes[ANSWER], model.tokenizer)
        passes = {
            name: PromptBoundary(each, model.tokenizer, self.boundary.vocabulary)
            if name != ANSWER
            else self.boundary
            for name, each in task.passes.items()
        }
        self.budget, requirements = budget or Budget(), requirements or Requirements()
        self._families: dict[str, list[_Request]] = {
            ANSWER[0]: [
                _Request(name, boundary, requirements, normalisation)
                for name, boundary in passes.items()
            ]
        }
        for name, askable in (also or {}).items():
            boundary = PromptBoundary(askable, model.tokenizer, self.boundary.vocabulary)
            if isinstance(askable, Task):
                asked = _Request(name, boundary, requirements, normalisation)
            else:
                asked = _Request(name, boundary, Requirements(), Normalisation.ON_FORMAT)
            self._families.setdefault(name[0], []).append(asked)
        self._shared: dict[str, tuple[int, ...]] = {}
        self._most = max(1, batch_size // sum(map(len, self._families.values())))
        if isinstance(model, RemoteLanguageModel) and model.max_records is not None:
            self._most = min(self._most, model.max_records)

    def _word(self, budget: Budget) -> Budget:
        """The budget of a question, beside this one of the task."""
        return replace(
            WORD,
            tolerance=budget.tolerance,
            relative=_finest(budget, single=self.task.format.single),
            max_seconds=budget.max_seconds,
        )

    def explore(self, records: Iterable[Keyed | None]) -> Generator[Outcome]:
        """Each record with its trees, or with the error that kept it from them, as they finish.

        Raises what the model raises for a plain text too.

        records: in their order; None where there is none for now, and may be one after the next
            pass. An iterator that waits for a record may do so only while none is under way.
        """
        return drive(self.explore_async(records, blocking))

    async def explore_async(
        self,
        records: Iterable[Keyed | None],
        wait: Wait = awaiting,
        limits: Mapping[int, Limits] | None = None,
    ) -> AsyncGenerator[Outcome]:
        """The same for callers that await, while a `RemoteLanguageModel` works elsewhere.

        Each record is then explored at its own pace. The trees do not depend on the order in which
        rows come, for each is grown from its own.

        limits: of single records, by key, as they are when the record begins.
        """
        limits = {} if limits is None else limits
        if not isinstance(self.model, RemoteLanguageModel):
            for outcome in self._explore_in_passes(records, limits):
                yield outcome
            return
        waiting, exhausted = iter(records), False
        flying: dict[Future[Any], _Active] = {}
        try:
            while True:
                while not exhausted and len(flying) < self._most:
                    item = next(waiting, End.END)
                    if item is End.END:
                        exhausted = True
                        break
                    if item is None:
                        break
                    yielded = self._launch(*item, flying, limits.get(item[0]))
                    if yielded is not None:
                        yield await self._outcome(*item, yielded, wait)
                if not flying:
                    if exhausted:
                        return
                    continue
                for future in await wait(set(flying)):
                    one = flying.pop(future)
                    yielded = self._land(one, future, flying)
                    if yielded is not None:
                        yield await self._outcome(one.key, one.record, yielded, wait)
        finally:
            for future, one in flying.items():
                future.cancel()
                self._drop(one)

    def _launch(
        self,
        key: int,
        record: Record,
        flying: dict[Future[Any], _Active],
        limits: Limits | None = None,
    ) -> ExploredRecord | Exception | None:
        """Begin a record and ask for its first rows; what is known of it if it asks for none."""
        try:
            one = self._begin(key, record, limits)
        except Exception as error:
            return error
        return self._ask(one, flying)

    def _ask(
        self, one: _Active, flying: dict[Future[Any], _Active]
    ) -> ExploredRecord | Exception | None:
        """Ask for the next rows of a record; its trees if it wants no more."""
        model = cast(RemoteLanguageModel, self.model)
        if not self._plan(one):
            self._drop(one)
            return _explored(one)
        one.asked = time.perf_counter()
        try:
            flying[model.submit_rows(_queries(one))] = one
        except Exception as error:
            self._drop(one)
            return error
        return None

    def _land(
        self, one: _Active, future: Future[Any], flying: dict[Future[Any], _Active]
    ) -> ExploredRecord | Exception | None:
        """Read the rows that have come and ask for the next; what is known of it at its end."""
        queries = _queries(one)
        try:
            rows = future.result()
            check_count(rows, queries, self.model.engine)
        except Exception as error:
            self._drop(one)
            return error
        if (error := _deliver(one, iter(zip(queries, rows, strict=True)))) is not None:
            self._drop(one)
            return error
        one.seconds += time.perf_counter() - one.asked
        return self._ask(one, flying)

    async def _outcome(
        self, key: int, record: Record, explored: ExploredRecord | Exception, wait: Wait
    ) -> Outcome:
        """A record's trees; or its error, raised if a plain text meets one too."""
        if isinstance(explored, ExploredRecord):
            return key, record, explored
        flying: dict[Future[Any], _Active] = {}
        plain = self._launch(-1, Record(id=PLAIN, text=PLAIN), flying)
        try:
            while flying:
                for future in await wait(set(flying)):
                    plain = self._land(flying.pop(future), future, flying)
        finally:
            for future, one in flying.items():
                future.cancel()
                self._drop(one)

        def again() -> None:
            if isinstance(plain, Exception):
                raise plain

        return key, record, blame(explored, again)

    def _explore_in_passes(
        self, records: Iterable[Keyed | None], limits: Mapping[int, Limits]
    ) -> Iterator[Outcome]:
        waiting = iter(records)
        active: list[_Active] = []
        exhausted = False
        try:
            while True:
                while not exhausted and len(active) < self._most:
                    item = next(waiting, End.END)
                    if item is End.END:
                        exhausted = True
                        break
                    if item is None:
                        break
                    key, record = item
                    try:
                        active.append(self._begin(key, record, limits.get(key)))
                    except Exception as error:
                        yield key, record, blame(error, self._read_plain)
                for left in [one for one in active if one.cancelled]:
                    active.remove(left)
                    self._drop(left)
                    yield left.key, left.record, RecordError("nobody waits for it any more")
                done = [a for a in active if not self._plan(a)]
                for finished in done:
                    active.remove(finished)
                    yield finished.key, finished.record, _explored(finished)
                if done and not exhausted:
                    continue
                if not active:
                    if exhausted:
                        return
                    continue
                if failed := self._pass(active):
                    stranded = [one for one, _ in failed]
                    active = [one for one in active if one not in stranded]
                    yield from self._one_by_one(stranded, describe(failed[0][1]))
        finally:
            for left in active:
                self._drop(left)

    def _one_by_one(self, stranded: Sequence[_Active], why: str) -> Iterator[Outcome]:
        """Records whose pass failed, each again from the start and by itself."""
        for one in stranded:
            self._drop(one)
        plain: Callable[[], object] = self._read_plain
        blamed = False
        for one in stranded:
            outcome = self._read_alone(one)
            if not isinstance(outcome, ExploredRecord):
                outcome, blamed = blame(outcome, plain), True
            plain = _nothing  # it has just been seen to work
            yield one.key, one.record, outcome
        if not blamed and len(stranded) > 1:  # they were too many at once
            self._most = max(1, min(self._most, len(stranded) // 2))
            _LOG.warning(
                "%d records could only be read one by one (%s): from here on %d at once",
                *(len(stranded), why, self._most),
            )

    def _read_alone(self, former: _Active) -> ExploredRecord | Exception:
        """A record from the start with nothing beside it, or what the model raises for it."""
        try:
            one = self._begin(former.key, former.record, former.limits)
        except Exception as error:
            return error
        one.usage += former.usage
        one.seconds += former.seconds
        try:
            while self._plan(one):
                for _, error in self._pass([one]):
                    return error
            return _explored(one)
        finally:
            self._drop(one)

    def _read_plain(self) -> None:
        """Read the simplest text there is; raises what the model raises."""
        one = self._begin(-1, Record(id=PLAIN, text=PLAIN))
        try:
            self._plan(one)
            for _, error in self._pass([one]):
                raise error
        finally:
            self._drop(one)

    def _begin(self, key: int, record: Record, limits: Limits | None = None) -> _Active:
        began = time.perf_counter()
        budget = self.budget if limits is None else limits.of(self.budget)
        word = self._word(budget)
        if self.max_text_tokens is not None:
            record = cut_texts(record, self.model.tokenizer, self.max_text_tokens)
        active = _Active(key, record, {}, limits)
        starts = {
            family: [asked.boundary.start(record) for asked in members]
            for family, members in self._families.items()
        }
        rooms = {f: min(self._room(start) for start in some) for f, some in starts.items()}
        entropy = self.task.seed, int(record.digest, 16)
        try:
            for family, members in self._families.items():
                depth = rooms[family]
                budgets = [
                    budget if isinstance(asked.boundary.task, Task) else word for asked in members
                ]
                searches = [
                    Search(
                        start.grammar,
                        asked.boundary.task.label_names,
                        replace(one, max_depth=min(one.max_depth, depth)),
                        asked.requirements,
                        asked.normalisation,
                        entropy=entropy,
                    )
                    for asked, start, one in zip(members, starts[family], budgets, strict=True)
                ]
                shared = self._share(family, starts[family])
                handles = self.model.open([start.ids for start in starts[family]], shared)
                for asked, search, handle in zip(members, searches, handles, strict=True):
                    active.branches[asked.name] = _Branch(search, handle)
        except BaseException:
            self._drop(active)
            raise
        active.seconds = time.perf_counter() - began
        return active

    def _room(self, start: PreparedPrompt) -> int:
        """Tokens left for an answer."""
        if self.model.context is None:
            return sys.maxsize
        room = self.model.context - len(start.ids)
        if room < 2:
            raise RecordError(
                f"too long: the prompt has {len(start.ids)} tokens, the model reads "
                f"{self.model.context} with the answer; shorten the text or take fewer "
                f"demonstrations"
            )
        return room

    def _share(self, family: str, starts: Sequence[PreparedPrompt]) -> int:
        """Number of leading ids that a record's prompts share with those of other records.

        What others share does not change for a record whose prompts begin in another way.
        """
        if family not in self._shared:
            members = self._families[family]
            both = members[0].boundary.beginning, members[-1].boundary.beginning
            self._shared[family] = both[0][: common_length(both)]
        return common_length([self._shared[family], *(start.ids for start in starts)])

    def _plan(self, active: _Active) -> bool:
        """Ask each search for its next rows, unless it waits for some; False when all are done."""
        began = time.perf_counter()
        for branch in active.branches.values():
            if branch.handle is not None and not branch.queries:
                branch.queries = branch.search.queries(branch.handle)
                if not branch.queries:
                    self._close(active, branch)
        active.seconds += time.perf_counter() - began
        return any(branch.queries for branch in active.branches.values())

    def _close(self, active: _Active, branch: _Branch) -> None:
        if branch.handle is not None:
            with suppress(Exception):  # its rows have come; only what they cost is not known
                active.usage += self.model.close(branch.handle)
            branch.handle = None

    def _drop(self, active: _Active) -> None:
        for branch in active.branches.values():
            self._close(active, branch)

    def _pass(self, active: Sequence[_Active]) -> list[tuple[_Active, Exception]]:
        """Give the searches the rows they wait for; records whose rows did not come, and why."""
        began = time.perf_counter()
        queries = [query for one in active for query in _queries(one)]
        try:
            rows = self.model.rows(queries)
            check_count(rows, queries, self.model.engine)
        except Exception as error:
            for one in active:
                one.seconds += (time.perf_counter() - began) / len(active)
            return [(one, error) for one in active]
        share = (time.perf_counter() - began) / len(active)
        failed: list[tuple[_Active, Exception]] = []
        answered = iter(zip(queries, rows, strict=True))
        for one in active:
            began = time.perf_counter()
            if (error := _deliver(one, answered)) is not None:
                failed.append((one, error))
            one.seconds += share + time.perf_counter() - began
        return failed


def _queries(one: _Active) -> list[NodeQuery]:
    """The rows that a record's searches wait for."""
    return [
        query
        for branch in one.branches.values()
        if branch.handle is not None
        for query in branch.queries
    ]


def _deliver(
    one: _Active, answered: Iterator[tuple[NodeQuery, NextTokenLogprobs]]
) -> ModelError | None:
    """Give a record's searches the rows they wait for; the flaw of a row instead, if one has one.

    What a search raises is a fault of ours, and stops the run.
    """
    waiting = [branch for branch in one.branches.values() if branch.queries]
    answers = [[next(answered) for _ in branch.queries] for branch in waiting]
    flaws = (flaw(row, query) for pairs in answers for query, row in pairs)
    if (match := next(filter(None, flaws), None)) is not None:
        return ModelError(match)
    for branch, pairs in zip(waiting, answers, strict=True):
        branch.search.tell([row for _, row in pairs])
        branch.queries = []
    return None


def _nothing() -> None:
    """In place of reading a plain text."""


def _finest(budget: Budget, *, single: bool) -> float | None:
    """The relative tolerance of a question: where one label is right, odds are divided by odds."""
    if not single:
        return budget.relative
    return budget.tolerance if budget.relative is None else min(budget.tolerance, budget.relative)


def _explored(active: _Active) -> ExploredRecord:
    usage = active.usage
    cost = Cost(usage.prompt_tokens, usage.tree_tokens, usage.forward_passes, active.seconds)
    trees = {name: branch.search.tree for name, branch in active.branches.items()}
    return ExploredRecord(active.record, trees, cost)
