"""JSON over HTTP, with patience: many requests at once, tried again where that can help."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, TypeVar

import aiohttp
import anyio
import orjson
from yarl import URL

from labelmass.errors import ModelError
from labelmass.lm.servers.address import KEY_VARIABLES, ServerAddress

T = TypeVar("T")

_LOG = logging.getLogger("labelmass")

BUSY = frozenset({408, 425, 429, 503})
"""Statuses by which a server says that it has too much to do: fewer requests at once follow."""

BROKEN = frozenset({500, 502, 504})
"""Statuses of faults that may be gone the next time."""

LONGEST_WAIT = 60.0
"""Seconds that are waited at most before another try."""

FIRST_TRIES = 3
"""Tries of a request to a server that has not answered any."""

FIRST_WINDOW = 4
"""Requests in flight at the beginning."""


class Refusal(ModelError):
    """What a server says to a request that it will not answer, however often it is sent."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class MalformedReply(Exception):
    """A body that is no answer to its request: cut short, not JSON, or of another shape."""


class _Passing(Exception):
    """A failure that may pass. wait: seconds to wait, where the server says how many."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(slots=True)
class Traffic:
    """What went over the wire.

    Attributes:
        requests: Requests sent, further tries included.
        retries: Further tries among them.
        losses: Broken connections among the failures.
        connections: Connections that were made.
    """

    requests: int = 0
    retries: int = 0
    losses: int = 0
    connections: int = 0


class Client:
    """A connection to one server, of one event loop.

    The number of requests in flight grows by one for each window of answers and is halved when the
    server is busy or times out.

    Args:
        address: Of the server.
        timeout: Seconds until an answer must have come.
        tries: Number of times that a request is sent at most; three while no answer has come.
        backoff: Seconds that are waited at most before the second try; twice as many before each
            further one.
        max_concurrency: Most requests in flight.
        max_requests: Requests after which the run stops with a ModelError; None for no limit.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        timeout: float = 120.0,
        tries: int = 8,
        backoff: float = 0.5,
        max_concurrency: int = 64,
        max_requests: int | None = None,
    ) -> None:
        self.address, self.traffic = address, Traffic()
        self.max_concurrency, self.max_requests = max_concurrency, max_requests
        headers = {"user-agent": "labelmass", "content-type": "application/json"}
        if address.authorization:
            headers["authorization"] = address.authorization
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout),
            trace_configs=[self._watching()],
        )
        self._urls: dict[str, URL] = {}
        self._window = anyio.CapacityLimiter(min(FIRST_WINDOW, max_concurrency))
        self._grown = 0
        self._tries, self._backoff, self._heard = tries, backoff, False

    @property
    def window(self) -> int:
        """Requests that may be in flight now."""
        return int(self._window.total_tokens)

    def limit(self, most: int) -> None:
        """Lower the most requests in flight, to the slots that a server has."""
        self.max_concurrency = min(self.max_concurrency, most)
        self._window.total_tokens = min(self.window, self.max_concurrency)

    async def get(self, path: str, read: Callable[[Any], T]) -> T:
        """What a path answers, read from its JSON."""
        return await self._send("GET", path, None, read)

    async def post(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        """What answers a JSON body, read from its JSON.

        Args:
            path: Path below the server's address.
            body: What is sent.
            read: Raises `MalformedReply` for JSON that is no answer; the request is tried again.

        Raises:
            Refusal: If the server says that the request is wrong.
            ModelError: If it did not answer, however often it was asked, or `max_requests` is
                reached.
        """
        return await self._send("POST", path, body, read)

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, read: Callable[[Any], T]
    ) -> T:
        content = None if body is None else orjson.dumps(body)
        tried = 0
        while True:
            tried += 1
            try:
                return await self._try(method, path, content, read)
            except _Passing as error:
                if tried >= self._most_tries:
                    message = f"the server {self.address} gave no answer: {error}"
                    raise ModelError(message) from None
                _LOG.debug("%s: try %d failed: %s", self.address, tried, error)
                self.traffic.retries += 1
                await asyncio.sleep(self._pause(tried, error))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _try(
        self, method: str, path: str, content: bytes | None, read: Callable[[Any], T]
    ) -> T:
        async with self._window:
            if self.max_requests is not None and self.traffic.requests >= self.max_requests:
                raise ModelError(
                    f"{self.max_requests} requests were sent, as many as --max-requests allows; "
                    "the same command with a higher limit goes on"
                )
            self.traffic.requests += 1
            try:
                async with self._http.request(
                    method, self._url(path), data=content, allow_redirects=False
                ) as reply:
                    received = await reply.read()
            except TimeoutError as error:
                self._shrink()
                raise _Passing(f"it took too long ({type(error).__name__})") from None
            except aiohttp.ClientError as error:
                self.traffic.losses += 1
                why = f"{type(error).__name__}: {error}".rstrip(": ")
                raise _Passing(f"the connection failed ({why})") from None
        self._heard = True
        body = self._body(reply, received)
        try:
            answer = read(body)
        except MalformedReply as error:
            raise _Passing(f"its answer is no answer to the request: {error}") from None
        self._grow()
        return answer

    def _body(self, reply: aiohttp.ClientResponse, received: bytes) -> Any:
        status = reply.status
        if status in BUSY or status in BROKEN:
            if status in BUSY:
                self._shrink()
            raise _Passing(
                f"status {status}, {said(reply, received)}",
                wait=_seconds(reply.headers.get("retry-after")),
            )
        if status == 401:
            raise ModelError(
                f"the server {self.address} wants a key ({said(reply, received)}): "
                f"set {KEY_VARIABLES[0]}"
            )
        if status >= 300:
            raise Refusal(
                f"the server {self.address} refuses ({status}): {said(reply, received)}", status
            )
        try:
            return orjson.loads(received)
        except ValueError:
            raise _Passing("its answer is cut short or no JSON") from None

    def _grow(self) -> None:
        self._grown += 1
        if self._grown >= self.window and self.window < self.max_concurrency:
            self._window.total_tokens, self._grown = self.window + 1, 0

    def _shrink(self) -> None:
        self._window.total_tokens, self._grown = max(1, self.window // 2), 0

    @property
    def _most_tries(self) -> int:
        """Tries of a request; fewer of a server that never answered, which is not waited for."""
        return self._tries if self._heard else min(self._tries, FIRST_TRIES)

    def _pause(self, tried: int, error: _Passing) -> float:
        """Seconds before the next try: what the server asked for, or else longer each time."""
        if error.wait is not None:
            return min(max(error.wait, 0.0), LONGEST_WAIT)
        return random.uniform(0, min(LONGEST_WAIT / 4, self._backoff * 2 ** (tried - 1)))

    def _url(self, path: str) -> URL:
        """The whole address of a path, with the query that is never shown."""
        if path not in self._urls:
            query = f"?{self.address.query}" if self.address.query else ""
            self._urls[path] = URL(f"{self.address.url}{path}{query}")
        return self._urls[path]

    def _watching(self) -> aiohttp.TraceConfig:
        """Counts connections, among what the session tells."""

        async def count_one(*_: object) -> None:
            self.traffic.connections += 1

        watching = aiohttp.TraceConfig()
        watching.on_connection_create_end.append(count_one)
        return watching


def said(reply: aiohttp.ClientResponse, received: bytes) -> str:
    """The message in a reply that reports an error, in a line."""
    try:
        body: Any = orjson.loads(received)
    except ValueError:
        body = received.decode(errors="replace")
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and key in body:
            body = body[key]
    text = " ".join(str(body).split())
    return text[:300] or reply.reason or str(reply.status)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of the header Retry-After, which may be a date."""
    if retry_after is None:
        return None
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time()
    except ValueError:
        return None
