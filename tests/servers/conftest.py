"""Engines, and what all of them are compared with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.prerequisites import SERVER
from helpers.servers import SERVERS, Server
from labelmass.lm.base import LanguageModel
from labelmass.lm.servers import ServerModel
from servers.conformance import Contexts, reference
from servers.engines import COMPLETIONS, LOCAL, URL, Engine


@pytest.fixture(scope="session")
def server() -> Iterator[Callable[[str], Server]]:
    """Servers by short name, each started when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(SERVERS[name]()))


@pytest.fixture(scope="session")
def engine(
    request: pytest.FixtureRequest, server: Callable[[str], Server], smol: LanguageModel
) -> Iterator[Engine]:
    if request.param == LOCAL:
        yield Engine(smol, tolerance=1e-4, whole_rows=True)
        return
    name = request.param
    if name == URL:
        address = os.environ[SERVER]
    else:
        address = f"{name}:{server('llama-server' if name == COMPLETIONS else name).url}"
    with ServerModel.connect(address, smol.tokenizer) as model:
        whole = model.engine in ("vllm", "sglang")
        yield Engine(model, model.tolerance, whole, address)


@pytest.fixture(scope="session")
def contexts(smol: LanguageModel) -> Contexts:
    return Contexts.of(smol.tokenizer)


@pytest.fixture(scope="session")
def expected(smol: LanguageModel, contexts: Contexts) -> NDArray[np.float64]:
    """(contexts, vocabulary) log-probabilities by the transformers engine in float32."""
    return reference(smol, contexts.sequences())
