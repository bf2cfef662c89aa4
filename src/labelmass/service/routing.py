"""How a request reaches a face: keys and limits first, and errors as that face words them."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from labelmass.service.core import Assessment, Service
from labelmass.service.problems import Kind, Problem
from labelmass.service.settings import is_loopback
from labelmass.task import Record

LARGER = 64
"""Factor by which a file may be larger than a request."""

BODY_SECONDS = 30.0
"""Longest wait for a request's body, and `LARGER` times as long for a file."""

CLIENT_GONE = 499
"""Status, in metrics, of a request whose client went away."""


class Json(Response):
    """JSON without NaN, in UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


class Face(ABC):
    """One wire: its paths, how keys come, and how errors look.

    Attributes:
        name: Name of the face in metrics and logs.
        prefixes: Beginnings of its paths, by which a path that is not there gets its error.
        key_in_query: Whether a key may stand in the query, as `key`.
        large_bodies: Paths whose bodies may be `LARGER` times as large as others.
    """

    name: ClassVar[str]
    prefixes: ClassVar[tuple[str, ...]]
    key_in_query: ClassVar[bool] = False
    large_bodies: ClassVar[tuple[str, ...]] = ()

    def __init__(self, service: Service) -> None:
        self.service = service
        error = self.error(Problem(Kind.INVALID))
        example = {"example": orjson.loads(error.body)}
        described = {"description": Kind.INVALID.title, "content": {error.media_type: example}}
        self.router = APIRouter(route_class=_route_class(self), responses={"default": described})

    @abstractmethod
    def error(self, problem: Problem) -> Response:
        """The body and status of a request that is not answered."""

    def answer(self, content: Any, assessed: list[Assessment] | None = None) -> Response:
        """An answer, with headers that say by which signature and policy it was made."""
        headers = {"labelmass-signature": self.service.signature}
        policies = {one.policy for one in assessed or () if one.policy is not None}
        if policies:
            headers["labelmass-policy"] = ", ".join(sorted(policies))
        return Json(content, headers=headers)

    def respond(self, problem: Problem) -> Response:
        """The error of a problem, with what clients read before they try again."""
        response = self.error(problem)
        if problem.retry_after is not None:
            response.headers["retry-after"] = str(max(1, round(problem.retry_after)))
        if problem.kind in (Kind.TIMED_OUT, Kind.DRAINING):
            response.headers["connection"] = "close"
        if response.status_code == Kind.KEY_MISSING.status:
            response.headers["www-authenticate"] = "Bearer"
        return response

    async def judge(self, records: list[Record]) -> list[Assessment]:
        return await self.service.judge(records, self.name)


class CheckedRequest(Request):
    """A request whose body is unpacked within limits, and is JSON that can be written again."""

    def __init__(self, *args: Any, limit: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limit = limit

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            encoding = self.headers.get("content-encoding", "identity").lower()
            if encoding not in ("identity", "gzip"):
                raise Problem(Kind.MEDIA_TYPE, "content-encoding is gzip, or none")
            unpack = zlib.decompressobj(31) if encoding == "gzip" else None
            self._body = await self._read(unpack)
        return self._body

    async def _read(self, unpack: Any) -> bytes:
        size, pieces = 0, list[bytes]()
        async for piece in self.stream():
            if unpack is not None:
                try:
                    piece = unpack.decompress(piece, self.limit + 1 - size)
                except zlib.error:
                    raise Problem(Kind.INVALID, "the body is no gzip file") from None
            size += len(piece)
            if size > self.limit or (unpack is not None and unpack.unconsumed_tail):
                raise Problem(Kind.TOO_LARGE, f"the body has more than {self.limit} bytes")
            if unpack is not None and unpack.unused_data:
                raise Problem(Kind.INVALID, "something follows the body's gzip file")
            pieces.append(piece)
        if unpack is not None and not unpack.eof:
            raise Problem(Kind.INVALID, "the body is cut off: its gzip file does not end")
        return b"".join(pieces)

    async def json(self) -> Any:
        body = await self.body()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Problem(
                Kind.INVALID, f"the body is no valid JSON, from character {error.pos} on"
            ) from None


def _route_class(face: Face) -> type[APIRoute]:
    """Routes of a face."""

    class FaceRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                return await _answer(face, handle, request)

            return answer

    return FaceRoute


async def _answer(
    face: Face, handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request
) -> Response:
    """Answer a request: whatever goes wrong becomes the face's own error."""
    service, began = face.service, time.perf_counter()
    status = Kind.FAILED.status
    with service.telemetry.span(face.name, service.scorer.model.name) as span:
        try:
            response = await _checked(face, handle, request)
            status = response.status_code
        except ClientDisconnect:
            response, status = Response(status_code=CLIENT_GONE), CLIENT_GONE
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
    service.telemetry.requests.labels(face.name, str(status)).inc()
    service.telemetry.durations.labels(face.name).observe(time.perf_counter() - began)
    response.headers["x-request-id"] = f"req_{secrets.token_hex(12)}"
    return response


async def _checked(
    face: Face, handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request
) -> Response:
    service = face.service
    try:
        if service.draining:
            raise Problem(Kind.DRAINING, "this service is stopping", retry_after=5)
        check_host(service, request)
        key = service.keys.caller(given_key(request, in_query=face.key_in_query))
        with service.keys.use(key):
            factor = LARGER if request.url.path in face.large_bodies else 1
            limit = service.settings.max_body * factor
            checked = CheckedRequest(request.scope, request.receive, limit=limit)
            checked.state.caller = key.name
            await _in_time(checked.body(), BODY_SECONDS * factor)
            if factor == 1:
                await check_media_type(checked)
            return await while_connected(handle(checked), request)
    except Problem as problem:
        return face.respond(problem)
    except RequestValidationError as error:
        return face.respond(invalid(error))
    except HTTPException as error:
        return face.respond(of_status(error.status_code))
    except ClientDisconnect:
        raise
    except RecursionError:
        return face.respond(Problem(Kind.INVALID, "the body is nested too deeply"))
    except Exception as error:
        service.telemetry.log_crash(error)
        return face.respond(Problem(Kind.FAILED, "this is a fault of the service"))


async def _in_time(body: Coroutine[Any, Any, bytes], seconds: float) -> None:
    """Wait for a body, which holds a place of its caller meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            await body
    except TimeoutError:
        detail = f"the body did not come within {seconds:g} s"
        raise Problem(Kind.TIMED_OUT, detail) from None


async def while_connected(work: Coroutine[Any, Any, Response], request: Request) -> Response:
    """What a coroutine returns; it is cancelled if the client goes away first."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Wait until the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def check_host(service: Service, request: Request) -> None:
    """Problem for a request that was sent to another name than this machine's, without keys.

    A page in a browser of this machine could have such a name lead here.
    """
    if service.keys.keys:
        return
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:  # a bracket that is not closed
        host = ""
    if not is_loopback(host) and host != service.settings.host:
        raise Problem(
            Kind.INVALID,
            "without keys, this service answers requests to 127.0.0.1 and localhost alone: "
            "start it with --keys",
        )


async def check_media_type(request: Request) -> None:
    """Problem for a body that does not say that it is JSON, as `curl --data` sends one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if await request.body() and kind != "application/json" and not kind.endswith("+json"):
        raise Problem(Kind.MEDIA_TYPE, "send the header content-type: application/json")


def given_key(request: Request, *, in_query: bool = False) -> str | None:
    """The API key of a request, wherever clients put it; None without one."""
    headers = request.headers
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return password
    for name in ("x-api-key", "api-key", "x-goog-api-key"):
        if name in headers:
            return headers[name]
    return request.query_params.get("key") if in_query else None


def invalid(error: RequestValidationError) -> Problem:
    """The first thing that is wrong with a body, without quoting it."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part != "body"]
    pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in where)
    return Problem(
        Kind.INVALID, f"{'.'.join(where) or 'the body'}: {first['msg']}", pointer=pointer
    )


def of_status(status: int) -> Problem:
    """The problem behind a status that the router gives."""
    kinds = {kind.status: kind for kind in (Kind.NOT_FOUND, Kind.NOT_ALLOWED, Kind.INVALID)}
    return Problem(kinds.get(status, Kind.FAILED))
