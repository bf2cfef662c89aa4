"""A model behind a URL: the rows of a `LanguageModel`, fetched many at a time.

model = labelmass.load("http://localhost:8000/v1", tokenizer="meta-llama/Llama-Guard-3-8B")
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self

from labelmass.errors import ModelError
from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery, Tokenizer, Usage
from labelmass.lm.ranked import ranked_row
from labelmass.lm.servers.address import ServerAddress
from labelmass.lm.servers.client import Client, Traffic
from labelmass.lm.servers.event_loop import EventLoopThread
from labelmass.lm.servers.llama_server import LlamaServer
from labelmass.lm.servers.protocol import Answer, Question, Request, Served, Wire
from labelmass.lm.servers.sglang import SGLang
from labelmass.lm.servers.vllm import VLLM

WIRES: dict[str, Wire] = {wire.engine: wire for wire in (VLLM(), SGLang(), LlamaServer())}
"""Kinds of servers by name, in the order in which an unknown one is tried."""

PROBES = ("unsafe\nS1,S10", 'Straße 12, 東京 — "naïve" 🙂', "  two  spaces\tand\r\nlines\n\n")
"""Texts on which the tokenizer of a server and the local one must agree."""


@dataclass(slots=True)
class _Record:
    """A prompt, the ways from it to its nodes, and what it has cost."""

    prompt: tuple[int, ...]
    paths: dict[int, tuple[int, ...]] = field(default_factory=lambda: {PROMPT: ()})
    usage: Usage = field(default_factory=Usage)


class ServerModel:
    """A `RemoteLanguageModel` behind a URL.

    All requests are sent from the event loop of one thread that belongs to the model. In `Usage`,
    prompts and answers count once, whatever the server caches or computes again, and
    `forward_passes` are requests. As a context, it is disconnected at the end.

    Args:
        client: Client of the server, used in `loop` alone.
        wire: How this kind of server is spoken to.
        served: What the server says about its model.
        tokenizer: That of the model.
        loop: The thread that speaks to the server.

    Attributes:
        served: What the server says about its model.
        traffic: Requests that were sent, and how many of them again.
    """

    dtype = "served"

    def __init__(
        self,
        client: Client,
        wire: Wire,
        served: Served,
        tokenizer: Tokenizer,
        loop: EventLoopThread,
    ) -> None:
        self.tokenizer, self.served, self.wire = tokenizer, served, wire
        self.name, self.context = served.name, served.context
        self.engine = wire.engine
        source = f"{wire.engine} {served.name} {tokenizer.fingerprint}"
        self.fingerprint = hashlib.sha256(source.encode()).hexdigest()[:12]
        self._client, self._loop = client, loop
        self._end = weakref.finalize(self, _disconnect, client, loop)
        self._records: dict[int, _Record] = {}
        self._opened = 0

    @classmethod
    def connect(
        cls,
        address: str | ServerAddress,
        tokenizer: Tokenizer | None = None,
        *,
        model: str | None = None,
        **options: Any,
    ) -> Self:
        """The model that a server serves.

        Args:
            address: Its URL, with the kind of server before it if that is known: `vllm:http://...`.
            tokenizer: That of the model; None to load the one of the folder or hub id that the
                server names.
            model: Name of the model, where several are served.
            **options: Of `Client`.

        Raises:
            ModelError: If no server that is known answers, or the tokenizer is not the server's.
        """
        if isinstance(address, str):
            address = ServerAddress.parse(address)
        loop = EventLoopThread()
        client = loop.run(_client(address, options))
        try:
            wire, served = loop.run(_recognise(client, model))
            own = _tokenizer(served, address) if tokenizer is None else tokenizer
            loop.run(_check_tokenizer(client, wire, served, own))
        except BaseException:
            _disconnect(client, loop)
            raise
        return cls(client, wire, served, own, loop)

    @property
    def max_records(self) -> int | None:
        """The slots of a server, each of which caches the prompt it read last."""
        return self.served.slots

    @property
    def traffic(self) -> Traffic:
        return self._client.traffic

    def open(self, prompts: Sequence[Sequence[int]], shared: int = 0) -> list[int]:
        """Register prompts; nothing is asked yet."""
        if not all(len(ids) for ids in prompts):
            raise ModelError("an empty prompt has no row; give the model at least one token")
        handles = list(range(self._opened, self._opened + len(prompts)))
        self._opened += len(prompts)
        for handle, ids in zip(handles, prompts, strict=True):
            self._records[handle] = _Record(tuple(map(int, ids)))
        return handles

    def rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        """One row per query, in order."""
        return self._loop.run(self._rows(queries))

    def submit_rows(self, queries: Sequence[NodeQuery]) -> Future[list[NextTokenLogprobs]]:
        """One row per query, in order, when they have come; cancelling takes the queries back."""
        return self._loop.submit(self._rows(queries))

    def close(self, record: int) -> Usage:
        return self._records.pop(record).usage

    def disconnect(self) -> None:
        """Close the connections; the model cannot be asked any more."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    async def _rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        if not queries:
            return []
        questions = [self._question(query) for query in queries]
        answers = await self._ask(questions, [self._records[query.record] for query in queries])
        return [
            ranked_row(
                query,
                answer.ranked,
                count=answer.count,
                named=answer.named,
                tolerance=self.wire.tolerance,
            )
            for query, answer in zip(queries, answers, strict=True)
        ]

    def _question(self, query: NodeQuery) -> Question:
        record = self._records[query.record]
        if query.node == PROMPT:
            record.usage.prompt_tokens += len(record.prompt)
        else:
            record.paths[query.node] = (*record.paths[query.parent], query.token)
            record.usage.tree_tokens += 1
        context = (*record.prompt, *record.paths[query.node])
        return Question(context, tuple(query.ids.tolist()), max(query.top, 1))

    async def _ask(self, questions: Sequence[Question], records: Sequence[_Record]) -> list[Answer]:
        answers = [Answer() for _ in questions]

        async def send(request: Request) -> None:
            parts = await self._client.post(
                request.path, request.body, lambda body: self.wire.read(request, body)
            )
            records[request.about[0]].usage.forward_passes += 1
            for number, part in zip(request.about, parts, strict=True):
                answers[number].merge(part)

        requests = self.wire.requests(self.served, questions)
        await gather(send(request) for request in requests)
        return answers


async def gather(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines together; the first error cancels the others and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _disconnect(client: Client, loop: EventLoopThread) -> None:
    loop.run(client.aclose())
    loop.close()


async def _client(address: ServerAddress, options: dict[str, Any]) -> Client:
    return Client(address, **options)


async def _recognise(client: Client, model: str | None) -> tuple[Wire, Served]:
    """The kind of the server and what it serves."""
    kind = client.address.kind
    if kind is not None and kind not in WIRES:
        raise ModelError(f"no kind of server {kind!r}: one of {', '.join(WIRES)}")
    for wire in [WIRES[kind]] if kind is not None else WIRES.values():
        if (served := await wire.describe(client, model)) is not None:
            if served.slots is not None:
                client.limit(served.slots)
            return wire, served
    known = kind or ", ".join(WIRES)
    raise ModelError(f"{client.address.url} does not answer like {known}")


async def _check_tokenizer(
    client: Client, wire: Wire, served: Served, tokenizer: Tokenizer
) -> None:
    for text in PROBES:
        theirs = await wire.tokenize(client, served, text)
        if theirs is not None and theirs != tokenizer.encode(text):
            raise ModelError(
                f"the tokenizer reads {text!r} otherwise than the server, whose model is "
                f"{served.name}: name the model's own with --tokenizer"
            )


def _tokenizer(served: Served, address: ServerAddress) -> Tokenizer:
    from labelmass.lm import sources

    wanted = "name the folder, hub id or .gguf file that has the model's with --tokenizer"
    if served.source is None:
        raise ModelError(f"{address} does not say where its model's tokenizer is: {wanted}")
    try:
        return sources.load_tokenizer(served.source)
    except ModelError as error:
        raise ModelError(f"the tokenizer of {address}: {error}; {wanted}") from error
