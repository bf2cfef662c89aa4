"""JSON over HTTP, with patience: many requests at once, tried again where that can help."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, TypeVar

import anyio
import httpx2
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

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
        transport: In place of the network, for tests.
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
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.address, self.traffic = address, Traffic()
        self.max_concurrency, self.max_requests = max_concurrency, max_requests
        headers = {"authorization": address.authorization} if address.authorization else {}
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=max_concurrency)
        under = transport or httpx2.AsyncHTTPTransport(limits=limits, verify=_tls(address))
        self._http = httpx2.AsyncClient(
            base_url=address.url,
            headers=headers,
            timeout=timeout,
            transport=_WithQuery(under, address.query),
        )
        self._window = anyio.CapacityLimiter(min(FIRST_WINDOW, max_concurrency))
        self._grown = 0
        self._tries, self._heard = tries, False
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Passing),
            stop=self._is_last,
            wait=_Wait(backoff),
            before_sleep=self._count_retry,
            reraise=True,
        )

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
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        retrying = self._retrying.copy()  # it keeps the state of one call
        try:
            return await retrying(self._try, method, path, content, read)
        except _Passing as error:
            raise ModelError(f"the server {self.address} gave no answer: {error}") from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

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
                reply = await self._http.request(
                    method,
                    path,
                    content=content,
                    headers={"content-type": "application/json"},
                    extensions={"trace": self._watch},
                )
            except httpx2.TimeoutException as error:
                self._shrink()
                raise _Passing(f"it took too long ({type(error).__name__})") from None
            except httpx2.TransportError as error:
                self.traffic.losses += 1
                why = f"{type(error).__name__}: {error}".rstrip(": ")
                raise _Passing(f"the connection failed ({why})") from None
        self._heard = True
        body = self._body(reply)
        try:
            answer = read(body)
        except MalformedReply as error:
            raise _Passing(f"its answer is no answer to the request: {error}") from None
        self._grow()
        return answer

    def _body(self, reply: httpx2.Response) -> Any:
        status = reply.status_code
        if status in BUSY or status in BROKEN:
            if status in BUSY:
                self._shrink()
            raise _Passing(f"status {status}, {said(reply)}", wait=_retry_after(reply))
        if status == 401:
            raise ModelError(
                f"the server {self.address} wants a key ({said(reply)}): set {KEY_VARIABLES[0]}"
            )
        if status >= 300:
            raise Refusal(f"the server {self.address} refuses ({status}): {said(reply)}", status)
        try:
            return json.loads(reply.content)
        except ValueError:
            raise _Passing("its answer is cut short or no JSON") from None

    def _grow(self) -> None:
        self._grown += 1
        if self._grown >= self.window and self.window < self.max_concurrency:
            self._window.total_tokens, self._grown = self.window + 1, 0

    def _shrink(self) -> None:
        self._window.total_tokens, self._grown = max(1, self.window // 2), 0

    def _is_last(self, state: RetryCallState) -> bool:
        """True after the last try: a server that never answered is not waited for as long."""
        tries = self._tries if self._heard else min(self._tries, FIRST_TRIES)
        return state.attempt_number >= tries

    async def _watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Counts connections, among what the transport tells."""
        if event == "connection.connect_tcp.complete":
            self.traffic.connections += 1

    def _count_retry(self, state: RetryCallState) -> None:
        self.traffic.retries += 1
        error = None if state.outcome is None else state.outcome.exception()
        _LOG.debug("%s: try %d failed: %s", self.address, state.attempt_number, error)


def said(reply: httpx2.Response) -> str:
    """The message in a reply that reports an error, in a line."""
    try:
        body: Any = json.loads(reply.content)
    except ValueError:
        body = reply.text
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and key in body:
            body = body[key]
    text = " ".join(str(body).split())
    return text[:300] or reply.reason_phrase


class _Wait(wait_random_exponential):
    """What the server asked for, or else longer each time."""

    def __init__(self, backoff: float) -> None:
        super().__init__(multiplier=backoff, max=LONGEST_WAIT / 4)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = None if retry_state.outcome is None else retry_state.outcome.exception()
        wait = error.wait if isinstance(error, _Passing) else None
        return super().__call__(retry_state) if wait is None else min(max(wait, 0.0), LONGEST_WAIT)


def _retry_after(reply: httpx2.Response) -> float | None:
    """Seconds of the header Retry-After, which may be a date."""
    text = reply.headers.get("retry-after")
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).timestamp() - time()
    except ValueError:
        return None


def _tls(address: ServerAddress) -> ssl.SSLContext | bool:
    """Certificates are only loaded where they are used."""
    return address.url.startswith("https")


class _WithQuery(httpx2.AsyncBaseTransport):
    """Adds the query of the address below everything that might log a request's URL."""

    def __init__(self, under: httpx2.AsyncBaseTransport, query: str) -> None:
        self._under, self._query = under, query

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        whole = httpx2.Request(
            request.method,
            request.url.copy_with(query=self._query.encode() or None),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._under.handle_async_request(whole)

    async def aclose(self) -> None:
        await self._under.aclose()
