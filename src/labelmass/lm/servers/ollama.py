"""Ollama: a few likeliest tokens of a row, contexts as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from labelmass.lm.base import Tokenizer
from labelmass.lm.servers.client import Client, Refusal
from labelmass.lm.servers.protocol import Answer, Question, Request, Served, Wire, choose, member
from labelmass.lm.servers.texts import TextWire, TokenTexts

TOP = 20
"""Likeliest tokens that it gives at most."""


class Ollama(TextWire):
    """A server of Ollama, asked through `/api/generate` without its template.

    A context that no text stands for is not read.
    """

    engine: ClassVar[str] = "ollama"
    tolerance: ClassVar[float] = 1e-3
    gives: str = "the 20 likeliest tokens, by their texts"

    def __init__(self, texts: TokenTexts | None = None) -> None:
        self._texts = texts

    async def describe(self, client: Client, model: str | None) -> Served | None:
        try:
            version = await client.get("/api/version", lambda body: member(body, "version"))
            models = await client.get("/api/tags", lambda body: list(member(body, "models")))
        except Refusal:
            return None
        chosen = choose([{"id": member(one, "name")} for one in models], model)["id"]
        about = await client.post("/api/show", {"model": chosen}, dict)
        lengths = [
            value
            for key, value in dict(about.get("model_info") or {}).items()
            if key.endswith(".context_length")
        ]
        return Served(chosen, None, next(iter(lengths), None), f"Ollama {version}")

    async def bind(self, client: Client, served: Served, tokenizer: Tokenizer) -> Wire:
        return Ollama(TokenTexts(tokenizer))

    def requests(self, served: Served, questions: Sequence[Question]) -> list[Request]:
        requests: list[Request] = []
        for number, question in enumerate(questions):
            text = self.texts.context(question.context)
            if text is not None:
                body = {
                    "model": served.name,
                    "prompt": text,
                    "raw": True,
                    "stream": False,
                    "logprobs": True,
                    "top_logprobs": TOP,
                    "options": {"num_predict": 1, "temperature": 0},
                }
                requests.append(Request("/api/generate", body, (number,), question.context))
        return requests

    def read(self, request: Request, body: Any) -> list[Answer]:
        entries = member(body, "logprobs", 0, "top_logprobs")
        counted = body.get("prompt_eval_count")  # of what was not in its cache
        if isinstance(counted, int) and counted > len(request.context):
            return [Answer()]
        return [self.texts.answer(entries, TOP)]
