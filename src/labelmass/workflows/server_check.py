"""Check of a model behind a URL: what it returns, how fast, and whether its numbers are right."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from labelmass.errors import ModelError
from labelmass.lm.base import PROMPT, LanguageModel, NodeQuery, Tokenizer
from labelmass.lm.canary import contexts
from labelmass.lm.load import load, load_here
from labelmass.lm.servers import ServerModel
from labelmass.lm.servers.address import is_address

ROWS = 64
"""Rows that are asked for at once, for their number a second."""

LONG = 512
"""Tokens of the context by which a prefix cache is seen."""

CACHED = 0.5
"""A prefix is cached if a context that only adds a token takes this share of the time, or less."""


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What a server does; `print` shows it.

    Attributes:
        engine: Kind of server, and its version.
        model: Name of the model there.
        context: Longest prompt plus answer in tokens; None if it does not say.
        slots: Requests that it works on at once; None if it does not say.
        gives: What of a row it returns.
        tolerance: Nats between two readings of the same texts that are no change of the model.
        seconds: Median time of one row of a short context.
        rows_per_second: Of short contexts, asked for together.
        long_seconds: Times of a long context, and of the same with one token more.
        compared_with: The local model; None without one.
        difference: Largest difference from it, in nats, of a likely token.
        allowed: The difference that both engines explain.
    """

    engine: str
    model: str
    context: int | None
    slots: int | None
    gives: str
    tolerance: float
    seconds: float
    rows_per_second: float
    long_seconds: tuple[float, float]
    compared_with: str | None = None
    difference: float | None = None
    allowed: float | None = None

    @property
    def caches_prefixes(self) -> bool:
        first, second = self.long_seconds
        return second <= CACHED * first

    @property
    def problem(self) -> str | None:
        """Why its numbers are not those of the local model; None if they are, or without one."""
        if self.difference is None or self.allowed is None or self.difference <= self.allowed:
            return None
        return (
            f"the server's numbers are {self.difference:.2g} nats from those of "
            f"{self.compared_with}, and {self.allowed:.2g} is what both engines explain: other "
            "weights, a narrower dtype, or a quantised file"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"caches_prefixes": self.caches_prefixes, "problem": self.problem}

    def __str__(self) -> str:
        return "\n".join(f"{name:<14}  {about}" for name, about in _lines(self))


def check_server(
    address: str,
    *,
    tokenizer: Tokenizer | str | None = None,
    served_model: str | None = None,
    compare_with: str | None = None,
) -> ServerReport:
    """Ask a server some short questions, about a hundred requests.

    The tokenizer is checked as before every run.

    Args:
        address: As for `load`.
        tokenizer: As for `load`.
        served_model: As for `load`.
        compare_with: Name of a local model with the same weights, such as 'smollm2'.

    Raises:
        ModelError: If the server cannot be used, and why.
    """
    if not is_address(address):
        raise ModelError(f"{address} is not the address of a server: write it as http://host:8000")
    model = load(address, tokenizer=tokenizer, served_model=served_model)
    assert isinstance(model, ServerModel)
    with model:
        short = contexts(model.tokenizer)
        single = [_seconds(model, [ids]) for ids in short]
        many = [[*short[n % len(short)], *short[n // len(short) % len(short)]] for n in range(ROWS)]
        together = _seconds(model, many)
        long = _long(model, short)
        times = _seconds(model, [long[:-1]]), _seconds(model, [long])
        local = None if compare_with is None else load_here(compare_with, dtype="float32")
        return ServerReport(
            engine=f"{model.engine} ({model.served.version})",
            model=model.name,
            context=model.context,
            slots=model.served.slots,
            gives=model.gives,
            tolerance=model.canary.tolerance,
            seconds=median(single),
            rows_per_second=ROWS / together,
            long_seconds=times,
            compared_with=None if local is None else local.name,
            difference=None if local is None else model.canary.difference(local.canary),
            allowed=None if local is None else model.canary.allowed(local.canary),
        )


def _long(model: ServerModel, texts: Sequence[Sequence[int]]) -> list[int]:
    """A context that the server has not read yet, as long as it takes."""
    ids = [token for _ in range(LONG) for text in reversed(texts) for token in text]
    return ids[: min(LONG, (model.context or LONG) - 1)]


def _seconds(model: LanguageModel, prompts: Sequence[Sequence[int]]) -> float:
    handles = model.open(prompts)
    ids = np.array([prompts[0][0]], dtype=np.int64)
    start = time.perf_counter()
    model.rows([NodeQuery(handle, PROMPT, PROMPT, -1, ids) for handle in handles])
    seconds = time.perf_counter() - start
    for handle in handles:
        model.close(handle)
    return seconds


def _lines(report: ServerReport) -> Iterator[tuple[str, str]]:
    yield "server", report.engine
    context = "" if report.context is None else f", {report.context:,} tokens"
    slots = "" if report.slots is None else f", {report.slots} at once"
    yield "model", f"{report.model}{context}{slots}"
    yield "tokenizer", "agrees with the server, where that tells its ids"
    yield "rows", report.gives
    yield (
        "speed",
        f"{1000 * report.seconds:.0f} ms a row, {report.rows_per_second:.0f} rows a second",
    )
    first, second = (1000 * one for one in report.long_seconds)
    verb = "are" if report.caches_prefixes else "are not"
    yield "prefixes", f"{verb} cached: {LONG} tokens in {first:.0f} ms, one more in {second:.0f} ms"
    yield "repeatability", f"within {report.tolerance:.2g} nats"
    if report.difference is not None:
        same = "the same numbers" if report.problem is None else "other numbers"
        yield "numbers", f"{same} as {report.compared_with}, within {report.difference:.2g} nats"
