"""Answers of real servers, recorded: what is read in them, and that the servers still give them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from helpers.event_loops import run_async
from helpers.servers import SERVERS, Server
from labelmass.lm.servers.address import ServerAddress
from labelmass.lm.servers.client import Client, Refusal
from labelmass.lm.servers.model import WIRES
from labelmass.lm.servers.protocol import Request
from servers.engines import case
from servers.recording import FOLDER, Recording, differences, recordings

FILES = [
    case(name, file, title=f"{name}-{file.stem}") for name in SERVERS for file in recordings(name)
]
ERRORS = [file for name in SERVERS for file in recordings(name) if file.stem.startswith("error-")]


@pytest.mark.parametrize(("name", "file"), FILES)
def test_servers_answer_as_recorded(server: Callable[[str], Server], name: str, file: Path) -> None:
    assert differences(server(name).url, Recording.read(file)) == []


def logprobs(name: str, file: str, contexts: int = 1) -> dict[int, float]:
    """What the wire of a server reads in a recorded answer, of the last context in it."""
    kept = Recording.read(FOLDER / name / f"{file}.json")
    request = Request(kept.path, kept.body, tuple(range(contexts)))
    *_, answer = WIRES[name].read(request, kept.answer)
    return {**answer.named, **dict(answer.ranked)}


def test_servers_of_one_model_are_read_alike() -> None:
    vllm, sglang = logprobs("vllm", "completion", 2), logprobs("sglang", "generate", 2)
    assert vllm == pytest.approx({i: sglang[i] for i in vllm}, abs=1e-3)
    for other in (logprobs("llama-server", "completion"), logprobs("vllm", "completion-top-20")):
        common = other.keys() & sglang.keys()
        assert len(common) > 1
        assert [other[i] for i in common] == pytest.approx([sglang[i] for i in common], abs=1e-3)


@pytest.mark.parametrize("file", ERRORS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_refusal_says_in_a_line_what_the_server_said(file: Path) -> None:
    kept = Recording.read(file)
    said = kept.answer.get("error", kept.answer)["message"]

    async def ask() -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response(kept.answer, status=kept.status)

        app = web.Application()
        app.router.add_post(kept.path, answer)
        async with TestServer(app) as running:
            client = Client(ServerAddress.parse(str(running.make_url("/"))))
            try:
                await client.post(kept.path, {}, lambda body: body)
            finally:
                await client.aclose()

    with pytest.raises(Refusal) as refusal:
        run_async(ask())
    assert refusal.value.status == kept.status
    assert " ".join(said.split())[:300] in str(refusal.value)
    assert "\n" not in str(refusal.value)
