"""Whether a server still serves the model it served at first."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from labelmass._canary import Canary
from labelmass.errors import ModelError
from labelmass.lm.base import Tokenizer
from labelmass.lm.canary import TOP, contexts
from labelmass.lm.servers.client import Refusal
from labelmass.lm.servers.endpoint import Endpoint
from labelmass.lm.servers.protocol import Question

REQUESTS = 1000
"""Requests after which the model is looked at again."""

MARGIN = 4.0
"""A change is one if it exceeds this many times what was seen between two readings at the start."""


class Identity:
    """Reads the canary of a served model at the start, and again where another may have come.

    That is after every new connection, and every 1,000 requests: a server that restarts breaks the
    connections, and an answer counts only when no connection is newer than the last reading. It is
    used in the event loop of the client alone.

    Args:
        endpoint: The server.
        tokenizer: That of the model.

    Attributes:
        canary: What the model said first. Its tolerance is that of the kind of server, or four
            times the difference between contexts read together and one by one, if that is more.
    """

    canary: Canary

    def __init__(self, endpoint: Endpoint, tokenizer: Tokenizer) -> None:
        self._endpoint = endpoint
        self._questions = [Question(tuple(ids), (), TOP) for ids in contexts(tokenizer)]
        self._turn = asyncio.Lock()
        self._seen = (0, 0)
        self._lost: str | None = None

    async def learn(self) -> None:
        """Read the canary for the first time."""
        seen = self._now()
        together = await self._read(self._questions)
        alone = [(await self._read([question]))[0] for question in self._questions]
        tolerance = self._endpoint.wire.tolerance
        noise = Canary.of(tolerance, together).difference(Canary.of(tolerance, alone))
        if not math.isfinite(noise):
            raise ModelError(f"{self._endpoint.client.address} gives no likeliest tokens")
        self.canary = Canary.of(max(tolerance, MARGIN * noise), together)
        self._seen = seen

    async def check(self) -> None:
        """Raise ModelError if another model may have come, and one has."""
        async with self._turn:
            if self._lost is None and self._is_due():
                seen = self._now()
                await self._compare()
                self._seen = seen
            if self._lost is not None:
                raise ModelError(self._lost)

    async def _compare(self) -> None:
        address = self._endpoint.client.address
        try:
            now = Canary.of(self.canary.tolerance, await self._read(self._questions))
        except Refusal as error:
            self._lost = f"{address} does not answer as at first: {error}"
            return
        if not self.canary.agrees(now):
            self._lost = (
                f"{address} serves another model than at first: to the same texts its answers are "
                f"{self.canary.difference(now):.2g} nats apart, and "
                f"{self.canary.allowed(now):.2g} is what load explains"
            )

    def _now(self) -> tuple[int, int]:
        traffic = self._endpoint.client.traffic
        return traffic.connections, traffic.requests

    def _is_due(self) -> bool:
        (connections, requests), (before, then) = self._now(), self._seen
        return connections > before or requests - then >= REQUESTS

    async def _read(self, questions: Sequence[Question]) -> list[list[tuple[int, float]]]:
        answers = await self._endpoint.ask(questions)
        return [sorted(one.ranked, key=lambda pair: -pair[1])[:TOP] for one in answers]
