"""A server that is connected, and how it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelmass.lm.servers.client import Client, MalformedReply
from labelmass.lm.servers.protocol import Answer, Question, Request, Served, Wire
from labelmass.lm.servers.turns import Turns


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that is spoken to.

    Attributes:
        client: Connection to it.
        wire: How its kind is spoken to.
        served: What it says about its model.
        turns: Keep apart what it must not work on at the same time.
    """

    client: Client
    wire: Wire
    served: Served
    turns: Turns = field(default_factory=Turns)

    async def ask(
        self, questions: Sequence[Question], sent: Callable[[Request], None] | None = None
    ) -> list[Answer]:
        """One answer per question, in order.

        Args:
            sent: Called with each request that was answered.
        """
        answers = [Answer() for _ in questions]

        async def send(request: Request) -> None:
            async with self.turns.of(request.kind):
                parts = await self.client.post(
                    request.path, request.body, lambda body: self._read(request, body)
                )
            if sent is not None:
                sent(request)
            for number, part in zip(request.about, parts, strict=True):
                answers[number].merge(part)

        await gather(send(one) for one in self.wire.requests(self.served, questions))
        return answers

    def _read(self, request: Request, body: Any) -> list[Answer]:
        """The answers in a body, which may hold anything."""
        try:
            return self.wire.read(request, body)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise MalformedReply(f"it has another shape ({error})") from None


async def gather(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines together; the first error cancels the others and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
