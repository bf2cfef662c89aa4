"""The application: every face on one service, its health and its metrics."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Callable
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from labelmass.service.core import Service
from labelmass.service.faces import make_faces
from labelmass.service.problems import Problem
from labelmass.service.routing import Face, Json, given_key, of_status

WATCH_SECONDS = 1.0
"""How often files are looked at for changes."""


def create_app(service: Service) -> FastAPI:
    """An ASGI application of a service; it closes the service when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        watch = asyncio.create_task(_watch(service))
        if service.batches is not None:
            service.batches.start()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGHUP, service.reload)
        try:
            yield
        finally:
            watch.cancel()
            await service.aclose()

    app = FastAPI(
        title="labelmass",
        version=version("labelmass"),
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # the address would be that of the Host header, without TLS
    )
    faces = make_faces(service)
    for face in faces:
        app.include_router(face.router, tags=[face.name])

    async def healthz() -> Response:
        """Whether the service is ready; no key is asked for."""
        error = await service.health()
        body = {"status": error or "ok"}
        if service.reload_error:
            body["reload"] = "the last change of a file was not taken; the log says why"
        return Json(body, 503 if error else 200)

    def with_key(request: Request, respond: Callable[[], Response]) -> Response:
        """What somebody with a key gets."""
        try:
            service.keys.caller(given_key(request))
        except Problem as problem:
            return faces[0].respond(problem)
        return respond()

    async def metrics(request: Request) -> Response:
        """Metrics for Prometheus."""
        media_type = "text/plain; version=0.0.4"
        return with_key(
            request, lambda: Response(service.telemetry.metrics(), media_type=media_type)
        )

    async def openapi(request: Request) -> Response:
        """Paths and bodies of all faces."""
        return with_key(request, lambda: Json(app.openapi()))

    async def unrouted(request: Request, error: Exception) -> Response:
        """A path or method that no route has, in the words of the nearest face."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return face_of(faces, request.url.path).respond(of_status(status))

    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/metrics", metrics, methods=["GET"])
    app.add_api_route("/openapi.json", openapi, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(HTTPException, unrouted)
    return app


def face_of(faces: list[Face], path: str) -> Face:
    """The face whose paths begin as this one does, the longest beginning first; ours else."""
    matches = [
        (len(prefix), number)
        for number, face in enumerate(faces)
        for prefix in face.prefixes
        if path.startswith(prefix)
    ]
    return faces[max(matches)[1] if matches else 0]


async def _watch(service: Service) -> None:
    """Read files anew when one of them has changed."""
    seen = _stamps(service.files)
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        now = _stamps(service.files)
        if now != seen:
            seen = now
            service.reload()
        if service.batches is not None:
            service.batches.files.sweep()
            service.batches.sweep()


def _stamps(files: tuple[Path, ...]) -> list[tuple[int, int] | None]:
    results: list[tuple[int, int] | None] = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            results.append(None)
        else:
            results.append((stat.st_mtime_ns, stat.st_size))
    return results
