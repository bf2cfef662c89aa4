"""The server of llama.cpp: the likeliest tokens of a row, contexts as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from labelmass.lm.servers.client import Client, MalformedReply, Refusal
from labelmass.lm.servers.protocol import (
    Answer,
    Question,
    Request,
    Served,
    Wire,
    logprobs,
    member,
)

TOP = 1000
"""Likeliest tokens that are asked for: more cost time to write and read, fewer leave more open."""


class LlamaServer(Wire):
    """A server of llama.cpp, asked through its own completions.

    Its log-probabilities are those of the model, before any sampler, off by a small constant. It
    must run without flash attention for its numbers to be those of float32.
    """

    engine: ClassVar[str] = "llama-server"
    tolerance: ClassVar[float] = 1e-3
    gives: str = "the 1,000 likeliest tokens"

    async def describe(self, client: Client, model: str | None) -> Served | None:
        try:
            props = await client.get("/props", lambda body: dict(body))
        except (Refusal, TypeError):
            return None
        if "total_slots" not in props or "default_generation_settings" not in props:
            return None
        path = str(props.get("model_path") or "")
        alias = str(props.get("model_alias") or "") or path.replace("\\", "/").rpartition("/")[2]
        settings = props["default_generation_settings"]
        return Served(
            alias,
            path or None,
            settings.get("n_ctx") if isinstance(settings, dict) else None,
            f"llama.cpp {props.get('build_info', '')}".strip(),
            int(props["total_slots"]),
        )

    async def tokenize(self, client: Client, served: Served, text: str) -> list[int] | None:
        body = {"content": text, "add_special": False, "parse_special": False}
        return await client.post("/tokenize", body, lambda reply: list(member(reply, "tokens")))

    def requests(self, served: Served, questions: Sequence[Question]) -> list[Request]:
        return [self._request(question, n) for n, question in enumerate(questions)]

    def _request(self, question: Question, number: int) -> Request:
        body: dict[str, Any] = {
            "prompt": question.context,
            "n_predict": 1,
            "n_probs": max(TOP, question.top),
            "temperature": 0,
            "cache_prompt": True,
        }
        return Request("/completion", body, (number,))

    def read(self, request: Request, body: Any) -> list[Answer]:
        entries = member(body, "completion_probabilities", 0, "top_logprobs")
        ids = [int(entry["id"]) for entry in entries]
        ranked = list(zip(ids, logprobs(entry["logprob"] for entry in entries), strict=True))
        if len({*ids}) < len(ids) or not ids:
            raise MalformedReply("its likeliest tokens are none, or one comes twice")
        return [Answer({}, ranked, request.body["n_probs"])]
