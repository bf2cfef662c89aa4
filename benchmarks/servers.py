"""Models behind a URL: rows a second against a bare client, and what a row costs us.

    python -m benchmarks.servers RECORDS --task T [--most 24] [--in-flight 16] [--rounds 5]

A made-up model answers as vLLM does, and all of it is recorded. A server in a process of its own
then gives the recorded answers at once, to us and to a client that only sends the recorded bodies
and reads the bytes of the answers, in turns and with as many requests in flight.
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
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import httpx2

from benchmarks.asked import parser, records_of, task_of
from labelmass.lm.embedded import gguf_file
from labelmass.lm.servers import ServerModel
from labelmass.lm.servers.vllm import MAX_IDS
from labelmass.lm.sources import load_tokenizer
from labelmass.scores import Result
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record

Table = dict[tuple[str, bytes], bytes]
"""The body of an answer, by the path and the body of its request."""


class Recorder(httpx2.AsyncBaseTransport):
    """Answers as a vLLM whose rows are drawn at random from their contexts, and keeps the answers.

    Args:
        encode: Of the tokenizer that it pretends to have.
    """

    def __init__(self, encode: Any) -> None:
        self.table: Table = {}
        self._encode = encode

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path, body = request.url.path, await request.aread()
        answer = json.dumps(self._answer(path, json.loads(body) if body else None)).encode()
        self.table[path, body] = answer
        return httpx2.Response(200, content=answer)

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
        shares = [draw() ** 40 for _ in ids]
        mass = 0.95 if len(shares) < MAX_IDS else 1e-3  # a node with more ids is asked in parts
        total = sum(shares) / mass
        return {f"token_id:{i}": math.log(p / total) for i, p in zip(ids, shares, strict=True)}


class TableServer(asyncio.Protocol):
    """One connection to a server that knows all answers."""

    def __init__(self, table: Table) -> None:
        self._table, self._buffer = table, b""

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
        answer = self._table.get((head.split(b" ", 2)[1].decode(), rest))
        status, answer = (b"200 OK", answer) if answer is not None else (b"404 Unknown", b"{}")
        self._transport.write(
            b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n" % (status, len(answer)) + answer
        )


def serve(table: Table, port: Connection) -> None:
    """Answer from a table until the process is ended."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: TableServer(table), "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def serving(table: Table) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(table, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


async def replay(url: str, requests: list[tuple[str, bytes]], in_flight: int) -> float:
    """Seconds that a bare client needs for some requests."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=in_flight)
    headers = {"content-type": "application/json"}
    async with httpx2.AsyncClient(base_url=url, limits=limits, headers=headers) as client:
        left = iter(requests)

        async def work() -> None:
            for path, body in left:
                (await client.post(path, content=body)).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return time.perf_counter() - began


def main() -> None:
    options = parser(__doc__, most=24, out="servers.json")
    options.add_argument("--in-flight", type=int, default=16)
    options.add_argument("--rounds", type=int, default=5)
    args = options.parse_args()
    records = [item for _, item in records_of(args) if isinstance(item, Record)]
    task, tokenizer = task_of(args), load_tokenizer(str(gguf_file()))

    recorder = Recorder(tokenizer.encode)
    with ServerModel.connect("vllm:http://recorder", tokenizer, transport=recorder) as model:
        recorded = Scorer(task, model).score(records)
    rows = sum(one.cost.tree_tokens + 1 for one in recorded if isinstance(one, Result))
    requests = [one for one in recorder.table if one[0] == "/v1/completions"]

    ours: list[float] = []
    bare: list[float] = []
    with serving(recorder.table) as url:
        address = f"vllm:{url}"
        with ServerModel.connect(address, tokenizer, max_concurrency=args.in_flight) as model:
            scorer = Scorer(task, model, batch_size=args.in_flight)
            assert len(scorer.score(records).failures) == 0  # grammar states are known from here on
            for _ in range(args.rounds):
                began = time.perf_counter()
                scorer.score(records)
                ours.append(time.perf_counter() - began)
                bare.append(asyncio.run(replay(url, requests, args.in_flight)))
            single = Scorer(task, model, batch_size=1)
            single.score(records)
            alone = [one.cost for one in single.score(records) if isinstance(one, Result)]
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "records": len(records),
        "rows": rows,
        "requests": len(requests),
        "in_flight": args.in_flight,
        "rows_per_second": rows / statistics.median(ours),
        "rows_per_second_bare": rows / statistics.median(bare),
        "ratio": statistics.median(b / o for o, b in zip(ours, bare, strict=True)),
        "ms_per_row": 1000 * statistics.median(c.seconds / (c.tree_tokens + 1) for c in alone),
    }
    for name, value in found.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
