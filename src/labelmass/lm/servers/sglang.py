"""SGLang: log-probabilities of any ids, contexts as token ids, cached prefixes."""

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
    in_parts,
    logprobs,
    member,
)

MAX_CONTEXTS = 8
"""Contexts that are sent in one request."""

MAX_IDS = 1000
"""Ids that are named for one context; if there are more, as many of the likeliest are requested."""


class SGLang(Wire):
    """A server of SGLang, asked through its native endpoint."""

    engine: ClassVar[str] = "sglang"
    tolerance: ClassVar[float] = 1e-3
    gives: str = "any ids, up to 1,000; as many likeliest where more may follow"

    async def describe(self, client: Client, model: str | None) -> Served | None:
        try:
            info = await client.get("/get_model_info", dict)
            server = await client.get("/get_server_info", dict)
        except (Refusal, TypeError, ValueError):
            return None
        path = info.get("model_path")
        if path is None:
            return None
        context = server.get("context_length") or server.get("max_total_num_tokens")
        version = f"SGLang {server.get('version', '')}".strip()
        return Served(str(server.get("served_model_name") or path), str(path), context, version)

    async def tokenize(self, client: Client, served: Served, text: str) -> list[int] | None:
        body = {"model": served.name, "prompt": text, "add_special_tokens": False}
        try:
            return await client.post("/tokenize", body, lambda reply: list(member(reply, "tokens")))
        except Refusal:
            return None

    def requests(self, served: Served, questions: Sequence[Question]) -> list[Request]:
        parts = in_parts(range(len(questions)), MAX_CONTEXTS)
        return [self._request(questions, numbers) for numbers in parts]

    def _request(self, questions: Sequence[Question], numbers: tuple[int, ...]) -> Request:
        asked = [questions[n] for n in numbers]
        wide = [len(question.ids) > MAX_IDS for question in asked]
        body: dict[str, Any] = {
            "input_ids": [question.context for question in asked],
            "sampling_params": {"max_new_tokens": 1, "temperature": 0},
            "return_logprob": True,
            "token_ids_logprob": [
                (0,) if many or not question.ids else question.ids
                for question, many in zip(asked, wide, strict=True)
            ],
            "top_logprobs_num": [
                max(question.top, MAX_IDS if many else 0)
                for question, many in zip(asked, wide, strict=True)
            ],
        }
        return Request("/generate", body, numbers)

    def read(self, request: Request, body: Any) -> list[Answer]:
        if not isinstance(body, list) or len(body) != len(request.about):
            raise MalformedReply("it does not answer every context")
        wanted, counts = request.body["token_ids_logprob"], request.body["top_logprobs_num"]
        return [self._answer(*three) for three in zip(body, wanted, counts, strict=True)]

    def _answer(self, one: Any, wanted: Sequence[int], count: int) -> Answer:
        named = _pairs(member(one, "meta_info", "output_token_ids_logprobs", 0))
        if list(named) != list(dict.fromkeys(wanted)):
            raise MalformedReply("its ids are not those asked for")
        ranked = _pairs(member(one, "meta_info", "output_top_logprobs", 0))
        if not ranked:
            raise MalformedReply("its likeliest tokens are none")
        return Answer(named, list(ranked.items()), count)


def _pairs(entries: Any) -> dict[int, float]:
    """Log-probabilities by id, of entries that hold the log-probability, the id and a text."""
    if not isinstance(entries, list):
        raise MalformedReply("it holds no log-probabilities")
    ids = [int(member(entry, 1)) for entry in entries]
    return dict(zip(ids, logprobs(entry[0] for entry in entries), strict=True))
