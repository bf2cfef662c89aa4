"""Requests with the answers of real servers, kept as files, and what may differ between two runs.

    python -m servers.record vllm

in `tests/` writes those of one server anew. An engine's tests can read them without the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

FOLDER = Path(__file__).parent / "recorded"

REPEAT = "$repeat"
"""Key of a shortened list in a request: `{"$repeat": [7, 5000]}` is the id 7, 5,000 times."""

FLEETING: dict[str, object] = {
    "created": 0,
    "media_marker": "<__media__>",
    "root": "/models/smollm2",
    "model_path": "/models/smollm2",
    "tokenizer_path": "/models/smollm2",
    "e2e_latency": 0.0,
    "response_sent_to_client_ts": 0.0,
    "timings": {},
}
"""Values, by key, that stand for those of one run and one machine."""

WORK = {"cached_tokens", "cached_tokens_details", "created_cache_tokens"}
"""Keys of counts that depend on what the server was asked before."""

CLOSE = 1e-3
"""Largest difference in nats between two machines."""

RANDOM_ID = re.compile(r"((?:chat)?cmpl|modelperm)-.+|[0-9a-f]{32}")

PACKAGE = re.compile(r'"[^"]*/site-packages/')
"""Place of a package in a server's traceback."""

NUMBERS = re.compile(r"\[\n(?:\s*(?:-?\d[\d.eE+-]*|null),?\n)+\s*\]")
"""An indented list of numbers; no string in JSON has a line break."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A request and its answer.

    Attributes:
        server: Name and version of the server.
        method: HTTP method.
        path: Path of the address.
        body: JSON of the request, or text that is no JSON; None if there is none.
        status: HTTP status of the answer.
        answer: JSON of the answer, without what is fleeting.
    """

    server: str
    method: str
    path: str
    body: Any
    status: int
    answer: Any

    @classmethod
    def read(cls, file: Path) -> Recording:
        kept = json.loads(file.read_text(encoding="utf-8"))
        request, response = kept["request"], kept["response"]
        return cls(
            kept["server"],
            request["method"],
            request["path"],
            request.get("body"),
            response["status"],
            response["body"],
        )

    @classmethod
    def ask(cls, server: str, url: str, method: str, path: str, body: Any = None) -> Recording:
        """Send a request to a server, and keep what it answers."""
        content = body if isinstance(body, str) else json.dumps(expanded(body))
        headers = {"Content-Type": "application/json"}
        with httpx2.Client(trust_env=False, timeout=120) as client:
            response = client.request(
                method, url + path, content=None if body is None else content, headers=headers
            )
        return cls(server, method, path, body, response.status_code, lasting(response.json()))

    def write(self, file: Path) -> None:
        request = {"method": self.method, "path": self.path}
        if self.body is not None:
            request["body"] = self.body
        kept = {
            "server": self.server,
            "request": request,
            "response": {"status": self.status, "body": self.answer},
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(pretty(kept), encoding="utf-8")


def recordings(server: str) -> list[Path]:
    """Files of one server, by its short name."""
    return sorted((FOLDER / server).glob("*.json"))


def expanded(body: Any) -> Any:
    """A request's JSON with all lists written out."""
    if isinstance(body, dict):
        if body.keys() == {REPEAT}:
            value, times = body[REPEAT]
            return [value] * times
        return {key: expanded(value) for key, value in body.items()}
    return [expanded(value) for value in body] if isinstance(body, list) else body


def differences(url: str, kept: Recording) -> list[str]:
    """Where a server answers otherwise than it was recorded; the amount of work done is free."""
    now = Recording.ask(kept.server, url, kept.method, kept.path, kept.body)
    if now.status != kept.status:
        return [f"status: {kept.status} was recorded, now {now.status}"]
    return list(_differences(kept.answer, now.answer, "answer"))


def _differences(kept: Any, now: Any, place: str) -> Iterator[str]:
    if isinstance(kept, dict) and isinstance(now, dict) and kept.keys() == now.keys():
        for key in kept.keys() - WORK:
            yield from _differences(kept[key], now[key], f"{place}.{key}")
    elif isinstance(kept, list) and isinstance(now, list) and len(kept) == len(now):
        for index, pair in enumerate(zip(kept, now, strict=True)):
            yield from _differences(*pair, f"{place}[{index}]")
    elif isinstance(kept, float) and isinstance(now, float | int):
        if abs(kept - now) > CLOSE:
            yield f"{place}: {kept} was recorded, now {now}"
    elif kept != now:
        yield f"{place}: {kept!r} was recorded, now {now!r}"


def lasting(answer: Any, key: str = "") -> Any:
    """An answer without what another run or another machine would answer otherwise."""
    if key in FLEETING and answer:
        return FLEETING[key]
    if isinstance(answer, str):
        random = RANDOM_ID.fullmatch(answer)
        if random is not None:
            return "0" if random[1] is None else f"{random[1]}-0"
        return PACKAGE.sub('"site-packages/', answer)
    if isinstance(answer, dict):
        return {name: lasting(value, name) for name, value in answer.items()}
    return [lasting(value) for value in answer] if isinstance(answer, list) else answer


def pretty(value: Any) -> str:
    """Indented JSON with lists of numbers on one line each."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return NUMBERS.sub(lambda match: "[" + " ".join(match[0][1:-1].split()) + "]", text) + "\n"
