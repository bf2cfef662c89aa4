"""A model behind a URL: the rows of a `LanguageModel`, fetched many at a time.

model = labelmass.load("http://localhost:8000/v1", tokenizer="meta-llama/Llama-Guard-3-8B")
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self

from labelmass.errors import ModelError
from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery, Tokenizer, Usage
from labelmass.lm.ranked import ranked_row
from labelmass.lm.servers.address import ServerAddress
from labelmass.lm.servers.client import Client, Traffic
from labelmass.lm.servers.completions import Completions
from labelmass.lm.servers.endpoint import Endpoint
from labelmass.lm.servers.event_loop import EventLoopThread
from labelmass.lm.servers.identity import Identity
from labelmass.lm.servers.llama_server import LlamaServer
from labelmass.lm.servers.ollama import Ollama
from labelmass.lm.servers.protocol import Question, Request, Served, Wire
from labelmass.lm.servers.sglang import SGLang
from labelmass.lm.servers.vllm import VLLM

WIRES: dict[str, Wire] = {
    wire.engine: wire for wire in (VLLM(), SGLang(), LlamaServer(), Ollama(), Completions())
}
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
        endpoint: The server, used in `loop` alone.
        tokenizer: That of the model.
        identity: What the model is known by.
        loop: The thread that speaks to the server.

    Attributes:
        served: What the server says about its model.
        traffic: Requests that were sent, and how many of them again.
        canary: What the model said to fixed texts when it was connected.
    """

    dtype = "served"

    def __init__(
        self,
        endpoint: Endpoint,
        tokenizer: Tokenizer,
        identity: Identity,
        loop: EventLoopThread,
    ) -> None:
        self.tokenizer, self.served = tokenizer, endpoint.served
        self.name, self.context = self.served.name, self.served.context
        self.engine, self.canary = endpoint.wire.engine, identity.canary
        source = f"{self.engine} {self.name} {tokenizer.fingerprint}"
        self.fingerprint = hashlib.sha256(source.encode()).hexdigest()[:12]
        self._endpoint, self._identity, self._loop = endpoint, identity, loop
        self._end = weakref.finalize(self, _disconnect, endpoint.client, loop)
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
            endpoint = loop.run(_recognise(client, model))
            own = _tokenizer(endpoint.served, address) if tokenizer is None else tokenizer
            endpoint, identity = loop.run(_meet(endpoint, own))
        except BaseException:
            _disconnect(client, loop)
            raise
        return cls(endpoint, own, identity, loop)

    @property
    def max_records(self) -> int | None:
        """The slots of a server, each of which caches the prompt it read last."""
        return self.served.slots

    @property
    def tolerance(self) -> float:
        """Largest error of a log-probability, in nats, of a server that runs in float32."""
        return self._endpoint.wire.tolerance

    @property
    def gives(self) -> str:
        """What of a row the server returns, in words."""
        return self._endpoint.wire.gives

    @property
    def traffic(self) -> Traffic:
        return self._endpoint.client.traffic

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
        records = [self._records[query.record] for query in queries]

        def count(request: Request) -> None:
            records[request.about[0]].usage.forward_passes += 1

        answers = await self._endpoint.ask(questions, count)
        await self._identity.check()
        return [
            ranked_row(
                query,
                answer.ranked,
                count=answer.count,
                named=answer.named,
                tolerance=self.tolerance,
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


def _disconnect(client: Client, loop: EventLoopThread) -> None:
    loop.run(client.aclose())
    loop.close()


async def _client(address: ServerAddress, options: dict[str, Any]) -> Client:
    return Client(address, **options)


async def _recognise(client: Client, model: str | None) -> Endpoint:
    """The server, of which the kind is found out, and what it serves."""
    kind = client.address.kind
    if kind is not None and kind not in WIRES:
        raise ModelError(f"no kind of server {kind!r}: one of {', '.join(WIRES)}")
    for wire in [WIRES[kind]] if kind is not None else WIRES.values():
        if (served := await wire.describe(client, model)) is not None:
            if served.slots is not None:
                client.limit(served.slots)
            return Endpoint(client, wire, served)
    known = kind or ", ".join(WIRES)
    raise ModelError(f"{client.address.url} does not answer like {known}")


async def _meet(endpoint: Endpoint, tokenizer: Tokenizer) -> tuple[Endpoint, Identity]:
    """Check that a tokenizer is the server's, and learn what its model is known by."""
    client, wire, served = endpoint.client, endpoint.wire, endpoint.served
    for text in PROBES:
        theirs = await wire.tokenize(client, served, text)
        if theirs is not None and theirs != tokenizer.encode(text):
            raise ModelError(
                f"the tokenizer reads {text!r} otherwise than the server, whose model is "
                f"{served.name}: name the model's own with --tokenizer"
            )
    endpoint = Endpoint(client, await wire.bind(client, served, tokenizer), served)
    identity = Identity(endpoint, tokenizer)
    await identity.learn()
    return endpoint, identity


def _tokenizer(served: Served, address: ServerAddress) -> Tokenizer:
    from labelmass.lm import sources

    wanted = "name the folder, hub id or .gguf file that has the model's with --tokenizer"
    if served.source is None:
        raise ModelError(f"{address} does not say where its model's tokenizer is: {wanted}")
    try:
        return sources.load_tokenizer(served.source)
    except ModelError as error:
        raise ModelError(f"the tokenizer of {address}: {error}; {wanted}") from error
