"""Batches of moderations: each line of a file is answered as a request would be, in its order.

A batch that was stopped, by the end of the service or by a fault, goes on where it was: the ids in
its outputs end in the numbers of the lines that are done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from labelmass.files import read_json, shaped
from labelmass.files.writing import write_json
from labelmass.service.problems import Kind, Problem
from labelmass.service.storage import SECONDS_KEPT, FileStore, StoredFile

LOG = logging.getLogger("labelmass.service")

AT_ONCE = 16
"""Lines that are under way at once, of all batches together."""

WINDOW = 24 * 3600
"""Seconds after which a batch that is not done expires."""

RUNNING = ("in_progress", "cancelling")

Moderate = Callable[[Any], Awaitable[Mapping[str, Any]]]
"""Answers the body of one line; Problem for one that cannot be."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch.

    Attributes:
        status: "in_progress", "cancelling", "completed", "cancelled" or "expired".
        total, completed, failed: Numbers of lines.
    """

    id: str
    owner: str
    endpoint: str
    input_file_id: str
    output_file_id: str
    error_file_id: str
    created_at: int
    status: str = "in_progress"
    ended_at: int | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class Batches:
    """The batches of a service.

    Args:
        files: Where inputs and outputs are.
        moderate: Answers one line.
    """

    def __init__(self, files: FileStore, moderate: Moderate) -> None:
        self.files, self._moderate = files, moderate
        self._batches = {
            one.id: one
            for one in (
                shaped(Batch, read_json(path)) for path in sorted(files.folder.glob("batch_*.json"))
            )
        }
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Go on with batches that are not done."""
        for batch in self._batches.values():
            if batch.status in RUNNING:
                self._run(batch.id)

    async def stop(self) -> None:
        """Stop all batches where they are; they go on when a service starts on the same folder."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def create(
        self, owner: str, source: StoredFile, endpoint: str, metadata: Mapping[str, str]
    ) -> Batch:
        """Begin a batch."""
        output = self.files.begin(owner, "output.jsonl", "batch_output")
        errors = self.files.begin(owner, "errors.jsonl", "batch_output")
        batch = Batch(
            f"batch_{secrets.token_hex(16)}",
            owner,
            endpoint,
            source.id,
            output.id,
            errors.id,
            int(time.time()),
            total=sum(1 for _ in self.files.lines(source)),
            metadata=dict(metadata),
        )
        self._keep(batch)
        self._run(batch.id)
        return batch

    def get(self, owner: str, name: str) -> Batch:
        """A batch of this owner; Problem for any other."""
        found = self._batches.get(name)
        if found is None or found.owner != owner:
            raise Problem(Kind.NOT_FOUND, "no such batch")
        return found

    def owned_by(self, owner: str) -> list[Batch]:
        """An owner's batches, newest first."""
        mine = [one for one in self._batches.values() if one.owner == owner]
        return sorted(mine, key=lambda one: (one.created_at, one.id), reverse=True)

    def cancel(self, batch: Batch) -> Batch:
        """Stop a batch; what is done of it is kept."""
        if batch.status == "in_progress":
            batch = replace(batch, status="cancelling")
            self._keep(batch)
        return batch

    def sweep(self) -> None:
        """Forget batches whose files are gone."""
        for batch in [*self._batches.values()]:
            if batch.status not in RUNNING and batch.created_at + SECONDS_KEPT < time.time():
                del self._batches[batch.id]
                (self.files.folder / f"{batch.id}.json").unlink(missing_ok=True)

    # -- one batch ------------------------------------------------------------------------------

    def _run(self, name: str) -> None:
        task = asyncio.create_task(self._work(name))
        self._tasks.add(task)
        task.add_done_callback(self._stopped)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.error("a batch stopped, and goes on after a restart: %s", type(error).__name__)

    async def _work(self, name: str) -> None:
        owner = self._batches[name].owner
        try:
            source, output, errors = (
                self.files.get(owner, file)
                for file in (
                    self._batches[name].input_file_id,
                    self._batches[name].output_file_id,
                    self._batches[name].error_file_id,
                )
            )
        except Problem:  # one of its files was deleted
            self._end(name, "cancelled")
            return
        for file in (output, errors):
            self.files.cut(file)
        answered = [self._answered(file) for file in (output, errors)]
        self._count(name, *map(len, answered))
        done, seen = answered[0] | answered[1], set[str]()
        left: list[tuple[int, bytes]] = []
        for number, line in enumerate(self.files.lines(source)):
            if number not in done:
                left.append((number, line))
                continue
            with contextlib.suppress(Problem):
                seen.add(_request(line).custom_id)
        for start in range(0, len(left), AT_ONCE):
            batch = self._batches[name]
            late = time.time() > batch.created_at + WINDOW
            if batch.status == "cancelling" or late:
                self._end(name, "expired" if late else "cancelled")
                return
            await self._answer(name, left[start : start + AT_ONCE], seen, output, errors)
        self._end(name, "completed")

    def _answered(self, file: StoredFile) -> set[int]:
        """Numbers of the lines that a file has answers of."""
        return {int(orjson.loads(row)["id"].rpartition("_")[2]) for row in self.files.lines(file)}

    async def _answer(
        self,
        name: str,
        chunk: list[tuple[int, bytes]],
        seen: set[str],
        output: StoredFile,
        errors: StoredFile,
    ) -> None:
        """Answer some lines, and write their answers in their order."""
        asked: list[tuple[int, str | None, Any]] = []
        for number, line in chunk:
            try:
                request = _request(line)
                if request.custom_id in seen:
                    raise Problem(Kind.INVALID, "this custom_id stands on an earlier line")
                seen.add(request.custom_id)
                if request.url != self._batches[name].endpoint or request.method != "POST":
                    raise Problem(Kind.INVALID, "every line is a POST to the batch's endpoint")
                asked.append((number, request.custom_id, request.body))
            except Problem as problem:
                asked.append((number, None, problem))
        answers = await asyncio.gather(*(self._one(*one) for one in asked))
        for file, wanted in ((output, True), (errors, False)):
            rows = [row for row in answers if (row["error"] is None) is wanted]
            if rows:
                self.files.append(file, b"".join(orjson.dumps(row) + b"\n" for row in rows))
        good = sum(row["error"] is None for row in answers)
        batch = self._batches[name]
        self._count(name, batch.completed + good, batch.failed + len(answers) - good)

    async def _one(self, number: int, custom_id: str | None, body: Any) -> dict[str, Any]:
        name = f"batch_req_{secrets.token_hex(12)}_{number}"
        row: dict[str, Any] = {"id": name, "custom_id": custom_id}
        if isinstance(body, Problem):
            return row | {"response": None, "error": _error(body)}
        while True:
            try:
                async with self._places:
                    answer = await self._moderate(body)
            except Problem as problem:
                if problem.kind is Kind.MODEL_FAILED:  # it is no fault of the line
                    await asyncio.sleep(1)
                    continue
                return row | {"response": None, "error": _error(problem)}
            request = f"req_{secrets.token_hex(12)}"
            response = {"status_code": 200, "request_id": request, "body": answer}
            return row | {"response": response, "error": None}

    def _end(self, name: str, status: str) -> None:
        self._keep(replace(self._batches[name], status=status, ended_at=int(time.time())))

    def _count(self, name: str, completed: int, failed: int) -> None:
        self._keep(replace(self._batches[name], completed=completed, failed=failed))

    def _keep(self, batch: Batch) -> None:
        self._batches[batch.id] = batch
        write_json(self.files.folder / f"{batch.id}.json", asdict(batch))


@dataclass(frozen=True, slots=True)
class _Request:
    custom_id: str
    method: str
    url: str
    body: Any


def _request(line: bytes) -> _Request:
    """What a line asks; Problem for one that asks nothing."""
    try:
        data = orjson.loads(line)
        found = _Request(*(data[key] for key in ("custom_id", "method", "url", "body")))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Problem(
            Kind.INVALID, "a line is an object with custom_id, method, url and body"
        ) from None
    if type(found.custom_id) is not str:
        raise Problem(Kind.INVALID, "custom_id is a text")
    return found


def _error(problem: Problem) -> dict[str, str]:
    return {"code": problem.code or problem.kind.name.lower(), "message": problem.detail}


def folder_of(state: str) -> Path:
    """The folder of files and batches in a folder of state."""
    return Path(state) / "files"
