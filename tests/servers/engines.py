"""Engines that run the embedded model in float32, as parameters of tests."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from helpers.servers import SERVERS
from labelmass.lm.base import LanguageModel

LOCAL = "transformers"
"""The engine in this process."""

URL = "url"
"""A server that runs elsewhere."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine and what it promises.

    Attributes:
        model: The embedded model in it.
        tolerance: Largest error of a log-probability, in nats.
        whole_rows: True if every requested id comes, not only the likeliest ones.
        address: Address of the server, with its kind; None in this process.
    """

    model: LanguageModel
    tolerance: float
    whole_rows: bool
    address: str | None = None


def case(name: str, *values: object, title: str | None = None) -> object:
    """A parameter, the name of an engine first, of a test that needs the engine."""
    marks = () if name == LOCAL else (getattr(pytest.mark, name.replace("-", "_")),)
    return pytest.param(name, *values, marks=marks, id=title or name)


COMPLETIONS = "openai"
"""llama-server, asked as any server with completions is."""

SERVED = [
    *(case(name) for name in (*SERVERS, URL)),
    pytest.param(COMPLETIONS, marks=pytest.mark.llama_server),
]
EVERY = [case(LOCAL), *SERVED]

every_engine = pytest.mark.parametrize("engine", EVERY, indirect=True, scope="session")
every_server = pytest.mark.parametrize("engine", SERVED, indirect=True, scope="session")
