"""Records as they come: each is scored for its own caller, together with all that are under way."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, field

from labelmass.answers.search import Budget
from labelmass.errors import LabelMassError
from labelmass.lm.base import RemoteLanguageModel
from labelmass.records.readers import Item
from labelmass.scores import Failure, Outcome
from labelmass.scoring.limits import Limits
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record

GRACE = 1.0
"""Seconds after a deadline that rows which were asked for may still come."""

LATE = "its time was up before it could be read"
"""Error of a record that there was no time for."""


@dataclass(slots=True, eq=False)
class _Job:
    key: int
    record: Record
    limits: Limits
    done: Future[Outcome] = field(default_factory=Future[Outcome])


class LiveScorer:
    """Scores single records for many callers at once.

    A model in this process reads them together, in a thread of its own that takes up, before each
    pass, what has come meanwhile. With a model behind a URL each record goes at its own pace.
    Either way a record gets the numbers that `Scorer.score` gives it, unless its deadline cuts it
    short.

    Example:
        async with labelmass.LiveScorer(labelmass.Scorer("emotions")) as live:
            result = await live.score(labelmass.Record("1", text="We won!"), seconds=2)

    Args:
        scorer: What is asked of which model. Nobody else may use it meanwhile.

    Raises:
        LabelMassError: With a contextual calibration that is known only when all records are.
    """

    def __init__(self, scorer: Scorer) -> None:
        scorer.check_streaming()
        self.scorer = scorer
        self._keys = itertools.count(1)
        self._waiting: deque[_Job] = deque()
        self._under_way: dict[int, _Job] = {}
        self._limits: dict[int, Limits] = {}
        self._change = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.error: Exception | None = None
        """What the model raised last, unless it has answered since."""

    async def score(
        self, record: Record, *, seconds: float | None = None, budget: Budget | None = None
    ) -> Outcome:
        """The scores of one record.

        A caller that is cancelled has its record dropped before the next pass.

        Args:
            seconds: After this long, what is known by then; `Result.summary` says that it stopped
                for that. A record that has not begun by then fails, and so does one whose rows do
                not come within `GRACE` seconds more.
            budget: In place of the plan's, for one exploration.

        Raises:
            ModelError: If the model fails for other records, too.
            LabelMassError: If the scorer is closed.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        job = _Job(next(self._keys), record, Limits(budget, deadline, once=budget is not None))
        with self._change:
            if self._closed:
                raise LabelMassError("this scorer is closed")
        remote = isinstance(self.scorer.model, RemoteLanguageModel)
        work = self._score_remotely(job) if remote else self._score_in_thread(job)
        try:
            async with asyncio.timeout(None if seconds is None else seconds + GRACE):
                return await work
        except TimeoutError:
            return self._late(record)

    async def aclose(self) -> None:
        """Take no more records, and wait for those that are under way."""
        with self._change:
            self._closed = True
            self._change.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def __aenter__(self) -> LiveScorer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _score_in_thread(self, job: _Job) -> Outcome:
        with self._change:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="labelmass live", daemon=True
                )
                self._thread.start()
            self._waiting.append(job)
            self._change.notify()
        try:
            return await asyncio.wrap_future(job.done)
        finally:
            job.limits.cancelled = True

    async def _score_remotely(self, job: _Job) -> Outcome:
        limits = {job.key: job.limits}
        self._under_way[job.key] = job
        try:
            async with aclosing(
                self.scorer.run_async([(job.key, job.record)], limits=limits)
            ) as outcomes:
                async for _, outcome in outcomes:
                    self.error = None
                    return outcome
        except LabelMassError as error:
            self.error = error
            raise
        finally:
            del self._under_way[job.key]
        raise LabelMassError("the record was lost")  # each record has an outcome

    # -- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        while not (self._closed and not self._waiting):
            try:
                for key, outcome in self.scorer.run(self._arrivals(), limits=self._limits):
                    self.error = None
                    self._settle(self._under_way.pop(key), outcome)
            except Exception as error:
                self.error = error
                with self._change:
                    lost = [*self._under_way.values(), *self._waiting]
                    self._waiting.clear()
                self._under_way.clear()
                self._limits.clear()
                for job in lost:
                    self._settle(job, error)

    def _arrivals(self) -> Iterator[Item | None]:
        """Records as they come; None while there is none and some are under way."""
        while True:
            with self._change:
                while not self._waiting and not self._under_way:
                    if self._closed:
                        return
                    self._change.wait()
                job = self._waiting.popleft() if self._waiting else None
            if job is None:
                yield None
            elif job.limits.cancelled:
                continue
            elif job.limits.passed:
                self._settle(job, self._late(job.record))
            else:
                self._under_way[job.key] = job
                self._limits[job.key] = job.limits
                yield job.key, job.record

    def _late(self, record: Record) -> Outcome:
        return self.scorer.plan.close(Failure.of(record, LATE))

    def _settle(self, job: _Job, outcome: Outcome | Exception) -> None:
        """Answer a caller, unless it is gone."""
        if job.done.set_running_or_notify_cancel():
            if isinstance(outcome, Exception):
                job.done.set_exception(outcome)
            else:
                job.done.set_result(outcome)
