"""OpenAI's files and batches, as far as moderations use them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from fastapi import File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from labelmass.service.batches import WINDOW, Batch, Batches, folder_of
from labelmass.service.core import Service
from labelmass.service.faces.openai import ModerationRequest, OpenAIFace
from labelmass.service.problems import Kind, Problem
from labelmass.service.storage import FileStore, StoredFile


class BatchRequest(BaseModel):
    """A file of requests."""

    model_config = ConfigDict(extra="ignore")

    input_file_id: str
    endpoint: Literal["/v1/moderations"]
    completion_window: Literal["24h"] = "24h"
    metadata: dict[str, str] | None = None


class OpenAIBatchFace(OpenAIFace):
    """`/v1/files` and `/v1/batches`, beside the rest of OpenAI's face."""

    large_bodies: ClassVar[tuple[str, ...]] = ("/v1/files",)

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        route = self.router.add_api_route
        route("/v1/files", self.upload, methods=["POST"])
        route("/v1/files", self.list_files, methods=["GET"])
        route("/v1/files/{name}", self.one_file, methods=["GET"])
        route("/v1/files/{name}", self.delete_file, methods=["DELETE"])
        route("/v1/files/{name}/content", self.content, methods=["GET"])
        route("/v1/batches", self.create_batch, methods=["POST"])
        route("/v1/batches", self.list_batches, methods=["GET"])
        route("/v1/batches/{name}", self.one_batch, methods=["GET"])
        route("/v1/batches/{name}/cancel", self.cancel_batch, methods=["POST"])
        state = service.settings.state
        if state is not None:
            service.batches = Batches(FileStore(folder_of(state)), self._moderate)

    async def _moderate(self, body: Any) -> dict[str, Any]:
        """The answer to a line's body, as long as it may take."""
        try:
            asked = ModerationRequest.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Problem(Kind.INVALID, f"{where or 'body'}: {first['msg']}") from None
        content, _ = await self.moderated(asked, patient=True)
        return content

    @property
    def _batches(self) -> Batches:
        batches = self.service.batches
        if batches is None:
            raise Problem(Kind.NOT_FOUND, "this service keeps no files: see --state")
        return batches

    # -- files ----------------------------------------------------------------------------------

    async def upload(
        self,
        request: Request,
        purpose: Annotated[Literal["batch"], Form()],
        file: Annotated[UploadFile, File()],
    ) -> Response:
        """Keep a file of requests."""
        stored = await self._batches.files.add(
            request.state.caller, file.filename or "file", purpose, await file.read()
        )
        return self.answer(self._file(stored))

    async def list_files(self, request: Request) -> Response:
        """One's own files."""
        mine = self._batches.files.owned_by(request.state.caller)
        return self.answer(_page([self._file(one) for one in mine], None, len(mine) or 1))

    async def one_file(self, request: Request, name: str) -> Response:
        """What a file is."""
        return self.answer(self._file(self._batches.files.get(request.state.caller, name)))

    async def content(self, request: Request, name: str) -> Response:
        """What is in a file."""
        files = self._batches.files
        stored = files.get(request.state.caller, name)
        return Response(files.read(stored), media_type="application/octet-stream")

    async def delete_file(self, request: Request, name: str) -> Response:
        """Delete a file."""
        files = self._batches.files
        files.delete(files.get(request.state.caller, name))
        return self.answer({"id": name, "object": "file", "deleted": True})

    def _file(self, stored: StoredFile) -> dict[str, Any]:
        return {
            "id": stored.id,
            "object": "file",
            "bytes": self._batches.files.size(stored),
            "created_at": stored.created_at,
            "expires_at": stored.expires_at,
            "filename": stored.filename,
            "purpose": stored.purpose,
            "status": "processed",
        }

    # -- batches --------------------------------------------------------------------------------

    async def create_batch(self, request: Request, asked: BatchRequest) -> Response:
        """Begin a batch."""
        batches, owner = self._batches, request.state.caller
        self.names_of_categories()
        source = batches.files.get(owner, asked.input_file_id)
        batch = batches.create(owner, source, asked.endpoint, asked.metadata or {})
        return self.answer(_batch(batch))

    async def list_batches(
        self,
        request: Request,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> Response:
        """One's own batches."""
        mine = [_batch(one) for one in self._batches.owned_by(request.state.caller)]
        return self.answer(_page(mine, after, limit))

    async def one_batch(self, request: Request, name: str) -> Response:
        """How far a batch is."""
        return self.answer(_batch(self._batches.get(request.state.caller, name)))

    async def cancel_batch(self, request: Request, name: str) -> Response:
        """Stop a batch."""
        batches = self._batches
        return self.answer(_batch(batches.cancel(batches.get(request.state.caller, name))))


def _page(rows: list[dict[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
    """A page of a list, after the row with an id."""
    ids = [row["id"] for row in rows]
    start = ids.index(after) + 1 if after in ids else 0
    shown = rows[start : start + limit]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {}
    return {"object": "list", "data": shown, "has_more": start + limit < len(rows), **ends}


def _batch(batch: Batch) -> dict[str, Any]:
    ended = {f"{batch.status}_at": batch.ended_at} if batch.ended_at is not None else {}
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": None,
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": batch.created_at,
        "in_progress_at": batch.created_at,
        "expires_at": batch.created_at + WINDOW,
        **ended,
        "request_counts": {
            "total": batch.total,
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "metadata": dict(batch.metadata) or None,
    }
