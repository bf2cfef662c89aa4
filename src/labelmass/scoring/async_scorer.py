"""The session for programs that await: a web service, or a notebook beside other work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

from labelmass.lm.base import RemoteLanguageModel
from labelmass.records.readers import Item, each_record
from labelmass.scores import Outcome, Scores
from labelmass.scoring.scorer import Frame, Scorer, Text, check_ids

T = TypeVar("T")


class AsyncScorer:
    """Scores texts as `Scorer` does, without keeping an event loop from its other work.

    With a model behind a URL, calls go on side by side, and what is cancelled is not asked any
    further. With a model in this process they take turns in a thread; one that is cancelled ends
    its pass first.

    Example:
        scorer = labelmass.AsyncScorer(labelmass.Scorer("emotions", "http://localhost:8000"))
        scores = await scorer.score(["We won!", "We lost."])
        async for result in scorer.stream(archive):
            print(result)

    Args:
        scorer: What is asked of which model.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self._turn = asyncio.Lock()

    async def score(self, texts: Text | Iterable[Text] | Frame | Path) -> Scores:
        """P(label) for every text, in their order, see `Scorer.score`."""
        items = list(each_record(texts))
        check_ids(items)
        async with aclosing(self._run(items)) as pairs:
            results = dict([pair async for pair in pairs])
        ordered = [results[key] for key, _ in items]
        plan = self.scorer.plan
        settled = tuple(plan.settle(lambda: ordered))
        return Scores.from_results(settled, plan.task.label_names, self.scorer.signature)

    async def stream(self, texts: Text | Iterable[Text]) -> AsyncGenerator[Outcome]:
        """Results as they finish, see `Scorer.stream`."""
        self.scorer.check_streaming()
        async with aclosing(self._run(each_record(texts, lazy=True))) as pairs:
            async for _, result in pairs:
                yield result

    async def _run(self, items: Iterable[Item]) -> AsyncGenerator[tuple[int, Outcome]]:
        if isinstance(self.scorer.model, RemoteLanguageModel):
            async with aclosing(self.scorer.run_async(items)) as pairs:
                async for pair in pairs:
                    yield pair
            return
        async with self._turn:
            results = self.scorer.run(items)
            try:
                while (pair := await _in_thread(lambda: next(results, None))) is not None:
                    yield pair
            finally:
                await _in_thread(results.close)


async def _in_thread(call: Callable[[], T]) -> T:
    """What a call returns that blocks; one that is cancelled has ended all the same."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
