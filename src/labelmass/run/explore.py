"""The driver: grows the trees of many records together, a model's pass at a time.

Searches plan, the model answers, this carries the messages. A record that is done makes room for
the next one at once, so that passes stay full.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from labelmass.answers.search import Budget, Needs, NodeAsk, Search
from labelmass.answers.tree import AnswerTree, Normalisation
from labelmass.errors import RecordError
from labelmass.lm.base import Ask, LanguageModel
from labelmass.run.joint import Joint, Start, common_length
from labelmass.task import Record, Task

Keyed = tuple[int, Record]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one record took.

    prompt_tokens: prompt positions really computed (a shared beginning is on the record that
        caused it). tree_tokens: answer positions. forward_passes: calls of the model, each counted
        on one of the records it served. seconds: the record's share of the time.
    """

    prompt_tokens: int
    tree_tokens: int
    forward_passes: int
    seconds: float

    def to_dict(self) -> dict[str, float]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "tree_tokens": self.tree_tokens,
            "forward_passes": self.forward_passes,
            "seconds": round(self.seconds, 6),
        }


@dataclass(frozen=True, slots=True)
class Explored:
    """A record with its tree and its cost."""

    record: Record
    tree: AnswerTree
    cost: Cost


@dataclass(slots=True)
class _Active:
    key: int
    record: Record
    search: Search
    handle: int
    asks: list[NodeAsk] = field(default_factory=list)
    seconds: float = 0.0


class Explorer:
    """Explores records of one task with one model.

    budget, needs, normalisation: see `answers.search`. batch_size: records in flight at once.
    """

    def __init__(
        self,
        model: LanguageModel,
        task: Task,
        *,
        budget: Budget | None = None,
        needs: Needs | None = None,
        normalisation: Normalisation = Normalisation.RAW,
        batch_size: int = 16,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: at least 1")
        self.model, self.task = model, task
        self.budget, self.needs = budget or Budget(), needs or Needs()
        self.normalisation, self.batch_size = normalisation, batch_size
        self.joint = Joint(task, model.tokenizer)
        self._shared: tuple[int, ...] | None = None

    def explore(
        self, records: Iterable[Keyed]
    ) -> Iterator[tuple[int, Record, Explored | RecordError]]:
        """Each record with its tree, or with the error that kept it from one, as they finish."""
        waiting = iter(records)
        active: list[_Active] = []
        exhausted = False
        try:
            while True:
                while not exhausted and len(active) < self.batch_size:
                    item = next(waiting, None)
                    if item is None:
                        exhausted = True
                        break
                    key, record = item
                    try:
                        active.append(self._begin(key, record))
                    except RecordError as error:
                        yield key, record, error
                done = [a for a in active if not self._plan(a)]
                for finished in done:
                    active.remove(finished)
                    yield finished.key, finished.record, self._finish(finished)
                if done and not exhausted:
                    continue
                if not active:
                    return
                self._pass(active)
        finally:
            for left in active:
                self.model.close(left.handle)

    def _begin(self, key: int, record: Record) -> _Active:
        began = time.perf_counter()
        start = self.joint.start(record)
        room = self._room(start)
        budget = replace(self.budget, depth=min(self.budget.depth, room))
        (handle,) = self.model.open([start.ids], self._share(start))
        search = Search(
            start.grammar, self.task.label_names, budget, self.needs, self.normalisation
        )
        return _Active(key, record, search, handle, seconds=time.perf_counter() - began)

    def _room(self, start: Start) -> int:
        """Tokens left for an answer."""
        if self.model.context is None:
            return self.budget.depth
        room = self.model.context - len(start.ids)
        if room < 2:
            raise RecordError(
                f"too long: the prompt has {len(start.ids)} tokens, the model reads "
                f"{self.model.context} with the answer; shorten the text or take fewer "
                f"demonstrations"
            )
        return room

    def _share(self, start: Start) -> int:
        if self._shared is None:
            self._shared = start.ids[: self.joint.shared([start])]
        if start.ids[: len(self._shared)] != self._shared:
            self._shared = self._shared[: common_length([self._shared, start.ids])]
        return len(self._shared)

    def _plan(self, active: _Active) -> bool:
        """Ask the search for its next rows, unless it waits for some; False when it is done."""
        if not active.asks:
            began = time.perf_counter()
            active.asks = active.search.asks()
            active.seconds += time.perf_counter() - began
        return bool(active.asks)

    def _pass(self, active: list[_Active]) -> None:
        began = time.perf_counter()
        asks = [
            Ask(a.handle, n.node, n.parent, n.token, n.ids, n.top) for a in active for n in a.asks
        ]
        rows = iter(self.model.rows(asks))
        share = (time.perf_counter() - began) / len(active)
        for one in active:
            began = time.perf_counter()
            one.search.tell([next(rows) for _ in one.asks])
            one.asks = []
            one.seconds += share + time.perf_counter() - began

    def _finish(self, active: _Active) -> Explored:
        usage = self.model.close(active.handle)
        cost = Cost(usage.prompt_tokens, usage.tree_tokens, usage.forward_passes, active.seconds)
        return Explored(active.record, active.search.tree, cost)
