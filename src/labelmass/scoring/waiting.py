"""One driver for callers that wait and for those that await.

The driver is an asynchronous generator that waits for futures in one place only. Where that wait
blocks, the generator never suspends, and `drive` makes an ordinary one of it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

Wait = Callable[[set[Future[Any]]], Awaitable[set[Future[Any]]]]
"""Waits until some futures are done, and returns those."""


async def blocking(futures: set[Future[Any]]) -> set[Future[Any]]:
    """Wait by blocking the thread."""
    return concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED).done


async def awaiting(futures: set[Future[Any]]) -> set[Future[Any]]:
    """Wait in the running event loop."""
    wrapped = [asyncio.wrap_future(future) for future in futures]
    for one in wrapped:
        one.add_done_callback(_seen)
    await asyncio.wait(wrapped, return_when=asyncio.FIRST_COMPLETED)
    return {future for future in futures if future.done()}


def _seen(wrapped: asyncio.Future[Any]) -> None:
    """Look at an error, which is read from the future inside, so that no loop warns of it."""
    if not wrapped.cancelled():
        wrapped.exception()


def drive(items: AsyncGenerator[T]) -> Generator[T]:
    """The items of an asynchronous generator that never suspends; closed with this one."""
    end = object()

    async def step() -> Any:
        return await anext(items, end)

    try:
        while (item := _result(step())) is not end:
            yield item
    finally:
        _result(items.aclose())


def _result(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise RuntimeError("this waits for an event loop: call it from one, with await")
