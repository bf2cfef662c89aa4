"""Any server with OpenAI's completions: a few likeliest tokens of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from labelmass.errors import ModelError
from labelmass.lm.base import Tokenizer
from labelmass.lm.canary import contexts
from labelmass.lm.servers.client import Client, MalformedReply, Refusal
from labelmass.lm.servers.protocol import Answer, Question, Request, Served, Wire, choose, member
from labelmass.lm.servers.texts import TextWire, TokenTexts

TRIALS = ((20, True), (20, False), (5, False))
"""Likeliest tokens to ask for, and whether as token ids; the first that a server takes is kept."""


class Completions(TextWire):
    """A server that is asked through `/v1/completions`.

    Contexts are token ids where it takes them, which is tried at the start; otherwise texts, and a
    context that no text stands for is not read. A reply that counts other prompt tokens is none.
    """

    engine: ClassVar[str] = "openai"
    tolerance: ClassVar[float] = 1e-3
    gives: str = "the 20 or 5 likeliest tokens"

    def __init__(self, texts: TokenTexts | None = None, top: int = 20, *, ids: bool = True) -> None:
        self._texts, self._top, self._takes_ids = texts, top, ids

    async def describe(self, client: Client, model: str | None) -> Served | None:
        try:
            models = await client.get("/v1/models", lambda body: list(member(body, "data")))
        except Refusal:
            return None
        return Served(choose(models, model)["id"])

    async def bind(self, client: Client, served: Served, tokenizer: Tokenizer) -> Wire:
        texts, question = TokenTexts(tokenizer), Question(tuple(contexts(tokenizer)[0]), ())
        for top, takes_ids in TRIALS:
            wire = Completions(texts, top, ids=takes_ids)
            for request in wire.requests(served, [question]):
                try:
                    reply = await client.post(request.path, request.body, lambda body: body)
                    if wire.read(request, reply)[0].ranked:
                        return wire
                except (MalformedReply, Refusal):
                    continue
        raise ModelError(
            f"{client.address.url} gives no log-probabilities of {served.name} at /v1/completions, "
            "or reads a text otherwise than --tokenizer: see docs/servers.md for what servers need"
        )

    def requests(self, served: Served, questions: Sequence[Question]) -> list[Request]:
        requests: list[Request] = []
        for number, question in enumerate(questions):
            prompt = self._prompt(question.context)
            if prompt is not None:
                body = {
                    "model": served.name,
                    "prompt": prompt,
                    "max_tokens": 1,
                    "temperature": 0,
                    "logprobs": self._top,
                }
                requests.append(Request("/v1/completions", body, (number,), question.context))
        return requests

    def _prompt(self, context: tuple[int, ...]) -> Sequence[int] | str | None:
        return context if self._takes_ids else self.texts.context(context)

    def read(self, request: Request, body: Any) -> list[Answer]:
        if member(body, "usage", "prompt_tokens") != len(request.context):
            return [Answer()]
        logprobs = member(body, "choices", 0, "logprobs")
        if isinstance(logprobs, dict) and "content" in logprobs:
            entries = member(logprobs, "content", 0, "top_logprobs")
        else:
            top = member(logprobs, "top_logprobs", 0)
            if not isinstance(top, dict):
                raise MalformedReply("its likeliest tokens are not told")
            entries = [{"token": token, "logprob": value} for token, value in top.items()]
        return [self.texts.answer(entries, self._top)]
