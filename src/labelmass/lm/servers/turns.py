"""Requests that a server must not work on at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Turns:
    """Lets requests of one kind go on together, and those of two kinds never, in one event loop.

    Kinds take turns in the order in which they came.
    """

    def __init__(self) -> None:
        self._kind, self._count = "", 0
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def of(self, kind: str) -> AsyncGenerator[None]:
        """Wait for the turn of a kind, and keep it."""
        if self._count and (kind != self._kind or self._waiting):
            await self._wait(kind)
        else:
            self._kind, self._count = kind, self._count + 1
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, kind: str) -> None:
        ready = asyncio.get_running_loop().create_future()
        self._waiting.append((kind, ready))
        try:
            await ready
        except asyncio.CancelledError:
            if ready.cancelled():
                self._waiting.remove((kind, ready))
            else:  # its turn had just come
                self._leave()
            raise

    def _leave(self) -> None:
        self._count -= 1
        left = [one for one in self._waiting if not one[1].cancelled()]
        if self._count or not left:
            return
        self._kind = left[0][0]
        for one in left:
            if one[0] == self._kind:
                self._waiting.remove(one)
                one[1].set_result(None)
                self._count += 1
