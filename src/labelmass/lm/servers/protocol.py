"""What one kind of server is asked, and how its answers are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from labelmass.errors import ModelError
from labelmass.lm.base import Tokenizer
from labelmass.lm.servers.client import Client, MalformedReply

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says about the model that it serves.

    Attributes:
        name: Name of the model, as requests give it.
        source: Folder or hub id of its files, where the server says so; for its tokenizer.
        context: Longest prompt plus answer in tokens; None if the server does not say.
        version: Name and version of the server.
        slots: Requests that it works on at once; None if it does not say.
    """

    name: str
    source: str | None = None
    context: int | None = None
    version: str = ""
    slots: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A node whose next token is asked for.

    Attributes:
        context: Ids of the prompt and of the answer as far as the node.
        ids: Ids whose log-probabilities are wanted.
        top: Number of the likeliest ids wanted.
    """

    context: tuple[int, ...]
    ids: tuple[int, ...]
    top: int = 1


@dataclass(slots=True)
class Answer:
    """Log-probabilities after a context, by id.

    Attributes:
        named: Those of ids that were asked for by id, or sampled.
        ranked: The likeliest ones.
        count: Number of likeliest ones that were asked for.
    """

    named: dict[int, float] = field(default_factory=dict[int, float])
    ranked: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    count: int = 0

    def merge(self, other: Answer) -> None:
        """Add what another request says about the same context."""
        self.named |= other.named
        if other.count > self.count:
            self.ranked, self.count = other.ranked, other.count


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        path: Where it is sent.
        body: Its JSON.
        about: Numbers of the questions that it asks.
        context: That of its question, where its text stands for ids.
        kind: Requests of another kind must not be in flight with it.
    """

    path: str
    body: Mapping[str, Any]
    about: tuple[int, ...]
    context: tuple[int, ...] = ()
    kind: str = ""


class Wire(Protocol):
    """A kind of server.

    Attributes:
        engine: Name of the kind, as in `vllm:http://...`.
        tolerance: Largest difference, in nats, of a log-probability from that of the same weights
            in float32 elsewhere.
        gives: What of a row it returns, in words.
    """

    engine: ClassVar[str]
    tolerance: ClassVar[float]
    gives: str

    async def describe(self, client: Client, model: str | None) -> Served | None:
        """What the server serves, under a name if one is given; None if it is of another kind."""
        ...

    async def tokenize(self, client: Client, served: Served, text: str) -> list[int] | None:
        """Ids of a text as the server reads it, nothing put before; None if it does not tell."""
        return None

    async def bind(self, client: Client, served: Served, tokenizer: Tokenizer) -> Wire:
        """The wire for a model with this tokenizer; ModelError where the server cannot be asked."""
        return self

    def requests(self, served: Served, questions: Sequence[Question]) -> list[Request]:
        """The requests that answer some questions: for each several, or none if none can."""
        ...

    def read(self, request: Request, body: Any) -> list[Answer]:
        """One answer for each question that a request is about; MalformedReply if it is none."""
        ...


LOWEST = -9999.0
"""Log-probability from which on down a server means the logarithm of 0."""


def logprob(value: Any) -> float:
    """A log-probability in JSON; servers write null, or a number near -1e4 or 0, for its ends."""
    if value is None:
        return -math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise MalformedReply(f"{value!r:.40} is no log-probability")
    return -math.inf if value <= LOWEST else float(value)


def logprobs(values: Iterable[Any]) -> list[float]:
    """Log-probabilities in JSON; those of a whole row at once, as nearly all are plain numbers."""
    found = list(values)
    if {*map(type, found)} == {float} and min(found) > LOWEST and not math.isnan(sum(found)):
        return found
    return [logprob(value) for value in found]


def member(body: Any, *path: str | int) -> Any:
    """What stands in JSON under some keys and positions; MalformedReply if nothing does."""
    for key in path:
        try:
            body = body[key]
        except (KeyError, IndexError, TypeError):
            raise MalformedReply(f"it has no {'.'.join(map(str, path))}") from None
    return body


def choose(models: Sequence[Any], name: str | None) -> Any:
    """The model of a list that is meant: the one that is named, or the only one."""
    named = {str(member(model, "id")): model for model in models}
    if name is not None and name in named:
        return named[name]
    if name is None and len(named) == 1:
        return next(iter(named.values()))
    what = f"no model {name!r}" if name is not None else f"{len(named)} models"
    listed = ", ".join(named) or "it has none"
    raise ModelError(f"the server has {what}; name one with --served-model: {listed}")


def in_parts(items: Sequence[T], most: int) -> Iterator[tuple[T, ...]]:
    """The items, as many at a time; the last ones may be fewer."""
    for start in range(0, len(items), most):
        yield tuple(items[start : start + most])
