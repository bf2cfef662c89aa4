"""Models behind a URL: rows a second against bare clients, and what a row costs us.

    python -m benchmarks.servers RECORDS --task T [--most 24] [--in-flight 16] [--rounds 5]

A made-up model answers as vLLM does, in a process of its own, and keeps each answer. Once it has
kept them all, it gives them at once: to us, and to clients that only send the same requests and
read the bytes of the answers, in turns and with as many in flight.
"""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import aiohttp
import httpx2
from scipy.special import logsumexp

from benchmarks.asked import parser, records_of, task_of
from labelmass.lm.embedded import gguf_file
from labelmass.lm.servers import ServerModel
from labelmass.lm.servers.vllm import MAX_IDS
from labelmass.lm.sources import load_tokenizer
from labelmass.scores import Cost, Result, Scores
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record

SHARPNESS = 400
"""The higher, the surer the made-up model is of its next token."""

COMPLETIONS = "/v1/completions"


class MadeUpModel:
    """Answers as a vLLM whose rows are drawn at random from their contexts, and keeps the answers.

    Attributes:
        bodies: Those of requests for tokens, in their order.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._encode = load_tokenizer(str(gguf_file())).encode
        self._kept: dict[tuple[str, bytes], bytes] = {}

    def answer(self, path: str, body: bytes) -> bytes:
        """The body of the answer to a request."""
        if path == "/bodies":
            return json.dumps([one.decode() for one in self.bodies]).encode()
        if (path, body) not in self._kept:
            if path == COMPLETIONS:
                self.bodies.append(body)
            found = self._answer(path, json.loads(body) if body else None)
            self._kept[path, body] = json.dumps(found).encode()
        return self._kept[path, body]

    def _answer(self, path: str, body: Any) -> Any:
        if path == "/version":
            return {"version": "recorded"}
        if path == "/v1/models":
            return {"data": [{"id": "recorded", "max_model_len": 8192}]}
        if path == "/tokenize":
            return {"tokens": self._encode(body["prompt"])}
        ids = body.get("logprob_token_ids") or range(body["logprobs"])
        rows = [self._row(context, ids) for context in body["prompt"]]
        choices = [{"index": n, "logprobs": {"top_logprobs": [r]}} for n, r in enumerate(rows)]
        return {"id": "cmpl-0", "object": "text_completion", "choices": choices}

    def _row(self, context: list[int], ids: Any) -> dict[str, float]:
        draw = Random(repr(context)).random
        scores = [SHARPNESS * math.log(1 - draw()) for _ in ids]
        mass = 0.95 if len(scores) < MAX_IDS else 1e-3  # a node with more ids is asked in parts
        total = float(logsumexp(scores)) - math.log(mass)
        return {f"token_id:{i}": score - total for i, score in zip(ids, scores, strict=True)}


class Connected(asyncio.Protocol):
    """One connection to the server."""

    def __init__(self, model: MadeUpModel) -> None:
        self._model, self._buffer = model, b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        if len(rest) < sum(lengths):
            return
        self._buffer = b""  # the next request comes after the answer
        answer = self._model.answer(head.split(b" ", 2)[1].decode(), rest)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer
        )


def serve(port: Connection) -> None:
    """Answer until the process is ended."""
    model = MadeUpModel()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connected(model), "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of some work, and of this process's processor time."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


HEADERS = {"content-type": "application/json"}


async def with_httpx2(url: str, bodies: list[bytes], in_flight: int) -> None:
    """Send some requests, so many at once, and read the bytes of the answers."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=in_flight)
    async with httpx2.AsyncClient(limits=limits, headers=HEADERS) as client:
        left = iter(bodies)

        async def work() -> None:
            for body in left:
                (await client.post(url + COMPLETIONS, content=body)).raise_for_status()

        await asyncio.gather(*(work() for _ in range(in_flight)))


async def with_aiohttp(url: str, bodies: list[bytes], in_flight: int) -> None:
    """The same with the library that we use."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as client:
        left = iter(bodies)

        async def work() -> None:
            for body in left:
                async with client.post(url + COMPLETIONS, data=body) as reply:
                    reply.raise_for_status()
                    await reply.read()

        await asyncio.gather(*(work() for _ in range(in_flight)))


BARE = {"httpx2": with_httpx2, "aiohttp": with_aiohttp}


def main() -> None:
    options = parser(__doc__, most=24, out="servers.json")
    options.add_argument("--in-flight", type=int, default=16)
    options.add_argument("--rounds", type=int, default=5)
    args = options.parse_args()
    records = [item for _, item in records_of(args) if isinstance(item, Record)]
    task, tokenizer = task_of(args), load_tokenizer(str(gguf_file()))

    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ("labelmass", *BARE)}
    with (
        serving() as url,
        ServerModel.connect(f"vllm:{url}", tokenizer, max_concurrency=args.in_flight) as model,
    ):
        before = len(bodies_of(url))  # of the canary
        scorer = Scorer(task, model, batch_size=args.in_flight)
        costs = costs_of(scorer.score(records))  # grammar states are known from here on
        rows, bodies = sum(one.tree_tokens + 1 for one in costs), bodies_of(url)[before:]
        for _ in range(args.rounds):
            times["labelmass"].append(timed(lambda: scorer.score(records)))
            for name, replay in BARE.items():
                run = partial(replay, url, bodies, args.in_flight)
                times[name].append(timed(lambda run=run: asyncio.run(run())))
        single = Scorer(task, model, batch_size=1)
        single.score(records)
        alone = costs_of(single.score(records))
    ours, each = times["labelmass"], (one.seconds / (one.tree_tokens + 1) for one in alone)
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "records": len(records),
        "rows": rows,
        "requests": len(bodies),
        "in_flight": args.in_flight,
        "ms_per_row_alone": 1000 * statistics.median(each),
    }
    for name, pairs in times.items():
        found[f"rows_per_second_{name}"] = rows / statistics.median(wall for wall, _ in pairs)
        found[f"cpu_ms_per_row_{name}"] = 1000 * statistics.median(cpu for _, cpu in pairs) / rows
    for name in BARE:
        pairs = zip(ours, times[name], strict=True)
        found[f"ratio_{name}"] = statistics.median(bare / wall for (wall, _), (bare, _) in pairs)
    for name, value in found.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    args.out.write_text(json.dumps(found, indent=1) + "\n")


def bodies_of(url: str) -> list[bytes]:
    """The requests for tokens that a server has seen, each once."""
    return [one.encode() for one in httpx2.get(url + "/bodies", trust_env=False).json()]


def costs_of(scores: Scores) -> list[Cost]:
    """Cost of each record; none may have failed."""
    assert len(scores.failures) == 0
    return [one.cost for one in scores if isinstance(one, Result)]


if __name__ == "__main__":
    main()
