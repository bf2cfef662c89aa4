"""A server that speaks as vLLM, SGLang or llama.cpp does, with a scripted model, and with faults.

It listens on a real socket of 127.0.0.1, so that connections break as they do elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from labelmass.lm.scripted import ScriptedLanguageModel

FAULTS = (
    "drop before",
    "drop after",
    "half a body",
    "half a JSON",
    "not JSON",
    "wrong shape",
    "one answer too few",
    "one answer twice",
    "500",
    "429",
    "slow",
)
"""What may happen to a request: the connection breaks before it is read or in place of its answer;
the answer is cut short with its connection or as if it were whole, is no JSON, has something else
in place of a part, or lacks a part, or has one twice; the server is broken or busy, or late."""

ANSWERED = ("none", "slow")
"""What a request needs no further try after."""

LOWEST = -3.4028234663852886e38
"""What llama-server writes for the logarithm of 0."""

MARK = "Answer:\n"
"""What every prompt of the scripted task ends with."""


@dataclass
class ScriptedServer:
    """A server of one kind.

    Attributes:
        model: What it serves.
        kind: "vllm", "sglang", "llama-server", "ollama" or "openai".
        takes_ids: Whether a context may be token ids, of kind "openai"; texts it always takes.
        faults: What goes wrong, drawn for each request; share: how often.
        top: Likeliest tokens that llama-server gives at most.
        max_logprobs: Likeliest tokens that vLLM gives; more are refused.
        slots: Requests that llama-server works on at once.
        requests: Number of requests for tokens by what came of them.
        heads: Values of each header that came. queries: those of addresses.
        weights: Names what the model says to texts that its script does not know.
        restart_after: Requests for tokens after which `next_model` is served, under other weights.
    """

    model: ScriptedLanguageModel
    kind: str = "vllm"
    faults: Sequence[str] = ()
    share: float = 0.2
    seed: int = 0
    top: int = 1000
    max_logprobs: int = 20
    slots: int = 4
    slow: float = 0.5
    name: str = "scripted"
    url: str = ""
    requests: Counter[str] = field(default_factory=Counter)
    heads: dict[str, set[str]] = field(default_factory=dict)
    queries: set[str] = field(default_factory=set)
    weights: str = "trained"
    takes_ids: bool = True
    restart_after: int | None = None
    next_model: ScriptedLanguageModel | None = None

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._rows: dict[tuple[int, ...], dict[int, float]] = {}

    # -- what a model says ----------------------------------------------------------------------

    def _logprobs(self, context: Sequence[int]) -> dict[int, float]:
        """Every id with a probability, after a context, likeliest first."""
        key = tuple(context)
        if key not in self._rows:
            row = self._distribution(key).items()
            self._rows[key] = {
                i: math.log(p) for i, p in sorted(row, key=lambda pair: (-pair[1], pair[0]))
            }
        return self._rows[key]

    def _distribution(self, context: tuple[int, ...]) -> Mapping[int, float]:
        text = self.model.tokenizer.decode(context)
        if MARK not in text:
            drawn = Random(f"{self.weights} {text}").choices(range(1, 1000), k=5)
            return {index: share / sum(drawn) for index, share in enumerate(drawn)}
        end = text.index(MARK) + len(MARK)
        length, start = 0, 0
        while length < end:
            length += len(self.model.tokenizer.token_bytes[context[start]] or b"")
            start += 1
        table = self.model.tokenizer.token_bytes
        words = tuple((table[index] or b"").decode() for index in context[start:])
        return self.model.distribution(text[:end], words)

    def _ranked(self, context: Sequence[int]) -> list[tuple[int, float]]:
        return list(self._logprobs(context).items())

    # -- what a server answers ------------------------------------------------------------------

    def answer(self, path: str, body: Any) -> Any:
        """The JSON for a path; KeyError where this kind of server does not take the request."""
        return getattr(self, f"_{self.kind.replace('-', '_')}")(path, body)

    def _vllm(self, path: str, body: Any) -> Any:
        if path == "/version":
            return {"version": "0.32.0"}
        if path == "/v1/models":
            return {"data": [{"id": self.name, "root": "/nowhere", "max_model_len": 4096}]}
        if path == "/tokenize":
            return {"tokens": self.model.tokenizer.encode(body["prompt"])}
        if path != "/v1/completions":
            raise KeyError(path)
        if body["logprobs"] > self.max_logprobs:
            raise ValueError(
                f"Requested sample logprobs of {body['logprobs']}, which is greater than max "
                f"allowed: {self.max_logprobs} (parameter=logprobs)"
            )
        wanted = body.get("logprob_token_ids", [])
        assert len(wanted) <= 128 and body["model"] == self.name
        choices = []
        for number, context in enumerate(body["prompt"]):
            row, ranked = self._logprobs(context), self._ranked(context)
            shown = dict(ranked[: max(body["logprobs"], 1)])
            shown |= {i: row.get(i, -9999.0) for i in wanted}
            top = {f"token_id:{i}": p for i, p in shown.items()}
            choices.append({"index": number, "logprobs": {"top_logprobs": [top]}})
        self._random.shuffle(choices)
        return {"model": self.name, "choices": choices}

    def _sglang(self, path: str, body: Any) -> Any:
        if path == "/get_model_info":
            return {"model_path": "/nowhere"}
        if path == "/get_server_info":
            return {"context_length": 4096, "served_model_name": self.name, "version": "0.5.23"}
        if path == "/tokenize":
            return {"tokens": self.model.tokenizer.encode(body["prompt"])}
        if path != "/generate":
            raise KeyError(path)
        answers = []
        for context, ids, count in zip(
            body["input_ids"], body["token_ids_logprob"], body["top_logprobs_num"], strict=True
        ):
            row = self._logprobs(context)
            named = [[row.get(i), i, None] for i in ids]
            top = [[p, i, None] for i, p in self._ranked(context)[:count]]
            info = {"output_token_ids_logprobs": [named], "output_top_logprobs": [top]}
            answers.append({"meta_info": info})
        return answers

    def _llama_server(self, path: str, body: Any) -> Any:
        if path == "/props":
            settings = {"n_ctx": 4096}
            return {
                "default_generation_settings": settings,
                "total_slots": self.slots,
                "model_alias": "s",
            }
        if path == "/tokenize":
            return {"tokens": self.model.tokenizer.encode(body["content"])}
        if path != "/completion":
            raise KeyError(path)
        row = self._logprobs(body["prompt"])
        ids = [*row, *(i for i in range(len(self.model.tokenizer.token_bytes)) if i not in row)]
        shown = ids[: min(body["n_probs"], self.top)]
        top = [{"id": i, "logprob": row.get(i, LOWEST)} for i in shown]
        return {"completion_probabilities": [{"top_logprobs": top}]}

    def _ollama(self, path: str, body: Any) -> Any:
        if path == "/api/version":
            return {"version": "0.20.0"}
        if path == "/api/tags":
            return {"models": [{"name": self.name}]}
        if path == "/api/show":
            return {"model_info": {"scripted.context_length": 4096}}
        if path != "/api/generate":
            raise KeyError(path)
        assert body["raw"] and body["model"] == self.name
        context = self.model.tokenizer.encode(body["prompt"])
        top = [self._entry(i, p) for i, p in self._ranked(context)[: body["top_logprobs"]]]
        return {"prompt_eval_count": len(context), "logprobs": [top[0] | {"top_logprobs": top}]}

    def _entry(self, index: int, value: float) -> dict[str, Any]:
        written = self.model.tokenizer.token_bytes[index]
        entry = {"token": self.model.tokenizer.token_name(index), "logprob": value}
        return entry if written is None else entry | {"bytes": list(written)}

    def _openai(self, path: str, body: Any) -> Any:
        if path == "/v1/models":
            return {"data": [{"id": self.name}]}
        prompt = body["prompt"] if path == "/v1/completions" else None
        if prompt is None or (not isinstance(prompt, str) and not self.takes_ids):
            raise KeyError(path)
        context = self.model.tokenizer.encode(prompt) if isinstance(prompt, str) else prompt
        ranked = self._ranked(context)[: min(body["logprobs"], self.top)]
        top = {self.model.tokenizer.token_name(i): p for i, p in ranked}
        return {
            "usage": {"prompt_tokens": len(context)},
            "choices": [{"logprobs": {"top_logprobs": [top]}}],
        }

    # -- the wire -------------------------------------------------------------------------------

    def restart(self, weights: str) -> None:
        """Break every connection, and serve another model from now on."""
        asyncio.run_coroutine_threadsafe(self._restart(weights), self._loop).result()

    async def _restart(self, weights: str) -> None:
        self.weights, self.model = weights, self.next_model or self.model
        self.restart_after = None
        self._rows.clear()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._respond(*await self._read(reader), writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[str, Any]:
        """Path and JSON of the next request."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        path, _, query = first.split(" ")[1].partition("?")
        self.queries |= {query} - {""}
        length = 0
        for name, _, value in (line.partition(":") for line in lines):
            self.heads.setdefault(name.lower(), set()).add(value.strip())
            if name.lower() == "content-length":
                length = int(value)
        data = await reader.readexactly(length)
        return path, json.loads(data) if data else None

    async def _respond(self, path: str, body: Any, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False if the connection is over."""
        asks = path in ("/v1/completions", "/generate", "/completion", "/api/generate")
        fault = "none"
        if asks and self.faults and self._random.random() < self.share:
            fault = self._random.choice(list(self.faults))
        if asks:
            if self.requests.total() == self.restart_after:
                await self._restart("others")
                return False
            self.requests[fault] += 1
        if fault in ("drop before", "drop after"):
            return False
        status, extra = 200, ""
        try:
            answer = self.answer(path, body)
            if fault == "wrong shape":
                answer = self._misshape(answer)
            elif fault in ("one answer too few", "one answer twice"):
                miscount(answer, twice=fault == "one answer twice")
            reply = json.dumps(answer).encode()
        except ValueError as error:
            status, reply = 400, json.dumps({"error": {"message": str(error)}}).encode()
        except KeyError:
            status, reply = 404, b'{"error": "no such path"}'
        if fault == "slow":
            await asyncio.sleep(self.slow)
        elif fault == "half a JSON":
            reply = reply[: len(reply) // 2]
        elif fault == "not JSON":
            reply = b"<html>proxy</html>"
        elif fault in ("500", "429"):
            status, reply, extra = (
                int(fault),
                b'{"error": {"message": "busy"}}',
                "retry-after: 0\r\n",
            )
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(reply)}\r\n{extra}\r\n".encode()
        writer.write(head + (reply[: len(reply) // 2] if fault == "half a body" else reply))
        await writer.drain()
        return fault != "half a body"

    def _misshape(self, answer: Any) -> Any:
        """The answer with something else in place of one of its objects and lists."""
        places: list[tuple[Any, Any]] = [([answer], 0)]
        for holder, key in places:  # it grows meanwhile
            inside = holder[key]
            keys = inside if isinstance(inside, dict) else range(len(inside))
            places += [(inside, key) for key in keys if isinstance(inside[key], dict | list)]
        holder, key = self._random.choice(places)
        others = (None, 7, "x", [], {})
        holder[key] = self._random.choice([one for one in others if one != holder[key]])
        return places[0][0][0]


def miscount(answer: Any, *, twice: bool) -> None:
    """Repeat, or else remove, the first of what an answer lists."""
    listed = answer
    if isinstance(answer, dict):
        listed = answer.get("choices") or answer["completion_probabilities"]
        if twice and "choices" not in answer:
            listed = listed[0]["top_logprobs"]
    if twice:
        listed.append(listed[0])
    else:
        del listed[0]


@contextmanager
def serving(server: ScriptedServer) -> Iterator[ScriptedServer]:
    """The server while it listens; its `url` is set."""
    loop = server._loop
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(work: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work(), loop).result()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(server._serve, "127.0.0.1", 0)

    listening: asyncio.Server = call(start)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"

    async def stop() -> None:
        listening.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        yield server
    finally:
        call(stop)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
