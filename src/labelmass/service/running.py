"""Running the service: uvicorn on an address, until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from labelmass.service.app import create_app
from labelmass.service.core import Service
from labelmass.service.telemetry import LOG, PathFilter

DRAIN_SECONDS = 30
"""Longest wait, at the end, for requests under way."""

REFUSING_SECONDS = 1.0
"""How long, at least, new requests are refused before the port is closed."""

HEAD_SECONDS = 10.0
"""Longest wait for the head of a request, on a connection that is new or begins another one."""


class PunctualProtocol(H11Protocol):
    """HTTP/1.1 whose connections are closed unless a request's head comes in time.

    Uvicorn itself waits for ever, unless a connection is silent after an answer.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _expect_head(self) -> None:
        """Start the timer, or stop it while a request is under way."""
        under_way = bool(self.cycle) and not self.cycle.response_complete
        if under_way and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elif not under_way and self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)


class Server(uvicorn.Server):
    """A server that, once told to stop, refuses what is new until the rest is answered."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        logging.getLogger("uvicorn.access").addFilter(PathFilter())
        super().__init__(
            uvicorn.Config(
                create_app(service),
                host=settings.host,
                port=settings.port,
                http=PunctualProtocol,
                ws="none",  # its log lines would show queries, and so keys
                timeout_graceful_shutdown=DRAIN_SECONDS,
                server_header=False,
            )
        )
        self.service = service
        self._drain: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gently at the first signal, at once at the second."""
        if self.service.draining:
            super().handle_exit(sig, frame)
            return
        self.service.draining = True
        self._captured_signals.append(sig)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second: True once it is time to stop."""
        if self.service.draining and self._drain is None:
            self._drain = asyncio.create_task(self._drained())
        return await super().on_tick(counter)

    async def _drained(self) -> None:
        began = time.monotonic()
        while (left := time.monotonic() - began) < DRAIN_SECONDS:
            if left >= REFUSING_SECONDS and not self.service.waiting:
                break
            await asyncio.sleep(0.05)
        self.should_exit = True

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, without the debug lines of our own: their tracebacks may quote texts."""
        log = logging.getLogger("labelmass")
        level = log.level
        log.setLevel(max(level, logging.INFO))
        if not LOG.hasHandlers():
            LOG.handlers = logging.getLogger("uvicorn").handlers
        try:
            super().run(sockets)
        finally:
            log.setLevel(level)
