"""vLLM: log-probabilities of any ids, several contexts a request, cached prefixes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, ClassVar

from labelmass.lm.base import Tokenizer
from labelmass.lm.canary import contexts
from labelmass.lm.servers.client import Client, MalformedReply, Refusal
from labelmass.lm.servers.protocol import (
    Answer,
    Question,
    Request,
    Served,
    Wire,
    choose,
    in_parts,
    logprobs,
    member,
)

MAX_IDS = 128
"""Ids that a request may ask for."""

DEFAULT_TOP = 20
"""Likeliest tokens that a server gives unless it was started with another `--max-logprobs`."""

MAX_TOP = 1000
"""Likeliest tokens that are asked for where a server gives more."""

_ALLOWED = re.compile(r"greater than max allowed: (\d+)")

MAX_CONTEXTS = 8
"""Contexts that are sent in one request, so that a batch is full and an answer is not late."""

MAX_REQUESTS = 4
"""Requests that name ids of one context; if more were needed, its likeliest are requested."""

_NAME = "token_id:"


class _Ids(dict[str, int]):
    """Ids by their names in answers, each read once."""

    def __missing__(self, name: str) -> int:
        self[name] = index = int(name.removeprefix(_NAME))
        return index


_IDS = _Ids()


class VLLM(Wire):
    """A server of vLLM, asked through its completions with token ids.

    Ids are named, so that rows are whole, unless they are too many. Structured outputs, which shift
    the log-probabilities, are never combined with that.

    Where it computes requests that name ids together with requests for the likeliest tokens, vLLM
    0.32 fills the answers of the latter with padding after the first token. They are kept apart,
    and padding, as other programs' requests may cause it, is left out, which widens the bounds.

    Args:
        top: Likeliest tokens that it gives.
    """

    engine: ClassVar[str] = "vllm"
    tolerance: ClassVar[float] = 1e-3
    gives: str = "any ids, up to 512; the 20 likeliest where more may follow"

    def __init__(self, top: int = DEFAULT_TOP) -> None:
        self._top = top
        self.gives = f"any ids, up to 512; the {top:,} likeliest where more may follow"

    async def describe(self, client: Client, model: str | None) -> Served | None:
        try:
            version = await client.get("/version", lambda body: member(body, "version"))
            models = await client.get("/v1/models", lambda body: list(member(body, "data")))
        except Refusal:
            return None
        chosen = choose(models, model)
        return Served(
            chosen["id"],
            chosen.get("root"),
            chosen.get("max_model_len"),
            f"vLLM {version}",
        )

    async def tokenize(self, client: Client, served: Served, text: str) -> list[int] | None:
        body = {"model": served.name, "prompt": text, "add_special_tokens": False}
        return await client.post("/tokenize", body, lambda reply: list(member(reply, "tokens")))

    async def bind(self, client: Client, served: Served, tokenizer: Tokenizer) -> Wire:
        """The wire that asks for as many likeliest tokens as this server gives, up to 1,000."""
        context = tuple(contexts(tokenizer)[0])
        request = self._request(served, [Question(context, ())], (0,), MAX_TOP, ())
        try:
            await client.post(request.path, request.body, lambda body: body)
        except Refusal as refusal:
            allowed = _ALLOWED.search(str(refusal))
            return VLLM(DEFAULT_TOP if allowed is None else max(int(allowed[1]), 1))
        return VLLM(MAX_TOP)

    def requests(self, served: Served, questions: Sequence[Question]) -> list[Request]:
        requests: list[Request] = []
        wide = {n for n, one in enumerate(questions) if len(one.ids) > MAX_REQUESTS * MAX_IDS}
        asking = [
            n for n, one in enumerate(questions) if n not in wide and (one.ids or one.top == 1)
        ]
        for numbers, ids in group(questions, asking, MAX_IDS, MAX_CONTEXTS):
            for some in in_parts(ids, MAX_IDS):
                requests.append(self._request(served, questions, numbers, 0, some))
        wanting = [n for n, one in enumerate(questions) if n in wide or one.top > 1]
        for numbers in in_parts(wanting, MAX_CONTEXTS):
            most = max(self._top if n in wide else questions[n].top for n in numbers)
            top = min(self._top, most)
            requests.append(self._request(served, questions, numbers, top, ()))
        return requests

    def _request(
        self,
        served: Served,
        questions: Sequence[Question],
        numbers: tuple[int, ...],
        top: int,
        ids: Sequence[int],
    ) -> Request:
        body: dict[str, Any] = {
            "model": served.name,
            "prompt": [questions[n].context for n in numbers],
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": top,
            "return_tokens_as_token_ids": True,
        }
        if ids:
            body["logprob_token_ids"] = ids
        return Request("/v1/completions", body, numbers, kind="named" if ids else "ranked")

    def read(self, request: Request, body: Any) -> list[Answer]:
        listed = member(body, "choices")
        choices = {member(choice, "index"): choice for choice in listed}
        if len(listed) != len(choices) or choices.keys() != set(range(len(request.about))):
            raise MalformedReply(f"{len(listed)} choices for {len(request.about)} contexts")
        wanted: Sequence[int] = request.body.get("logprob_token_ids", ())
        return [self._answer(choices[n], request.body, wanted) for n in range(len(choices))]

    def _answer(self, choice: Any, asked: Any, wanted: Sequence[int]) -> Answer:
        entries = member(choice, "logprobs", "top_logprobs", 0)
        try:
            values = logprobs(entries.values())
            found = dict(zip(map(_IDS.__getitem__, entries), values, strict=True))
        except (AttributeError, ValueError):
            raise MalformedReply("its tokens are not told apart by id") from None
        if not found or not found.keys() >= set(wanted):
            raise MalformedReply(f"it lacks {len(set(wanted) - found.keys())} of the ids asked for")
        if wanted:  # beside these, the likeliest of all comes
            return Answer(found, [max(found.items(), key=itemgetter(1))], 1)
        ranked = [pair for pair in found.items() if pair[1] > -math.inf]  # the rest is padding
        best = sorted(ranked, key=itemgetter(1), reverse=True)
        return Answer({}, best[: asked["logprobs"]], asked["logprobs"])


def group(
    questions: Sequence[Question], asking: Iterable[int], most_ids: int, most_contexts: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Questions that one request can ask, by number, with the ids that any of them wants.

    Args:
        asking: Numbers of the questions that are asked.
        most_ids: Ids of one request; questions that want more stand alone.
        most_contexts: Questions of one request.
    """
    groups: list[tuple[list[int], dict[int, None]]] = []
    for number in asking:
        wanted = dict.fromkeys(questions[number].ids)
        for numbers, ids in groups:
            union = len(ids.keys() | wanted.keys())
            if len(numbers) < most_contexts and union <= max(most_ids, len(ids)):
                numbers.append(number)
                ids.update(wanted)
                break
        else:
            groups.append(([number], wanted))
    return [(tuple(numbers), tuple(ids) or (0,)) for numbers, ids in groups]
