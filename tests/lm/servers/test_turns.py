"""Requests of two kinds are never in flight together, and none waits for ever."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from helpers.event_loops import run_async
from labelmass.lm.servers.protocol import Request
from labelmass.lm.servers.turns import Turns
from labelmass.lm.servers.vllm import VLLM


@pytest.mark.parametrize("seed", range(20))
def test_kinds_are_kept_apart_and_all_have_their_turn(seed: int) -> None:
    draw, turns = Random(seed), Turns()
    in_flight: list[str] = []
    together, done = 0, 0

    async def one(kind: str) -> None:
        nonlocal together, done
        await asyncio.sleep(draw.random() / 100)
        async with turns.of(kind):
            in_flight.append(kind)
            assert len({*in_flight}) == 1
            together = max(together, len(in_flight))
            try:
                await asyncio.sleep(draw.random() / 100)
            finally:
                in_flight.remove(kind)
        done += 1

    async def run() -> int:
        tasks = [asyncio.create_task(one(draw.choice("ab"))) for _ in range(100)]
        await asyncio.sleep(0.008)
        cancelled = sum(task.cancel() for task in draw.sample(tasks, 30))
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        wrong = [one for one in results if isinstance(one, Exception)]
        assert not wrong
        return cancelled

    cancelled = run_async(run())
    assert done == 100 - cancelled and together > 1


def test_padding_of_vllm_is_no_likeliest_token() -> None:
    body = {"logprobs": 3}
    entries = {"token_id:7042": -0.258, "token_id:0": -9999.0}
    reply = {"choices": [{"index": 0, "logprobs": {"top_logprobs": [entries]}}]}
    (answer,) = VLLM().read(Request("/v1/completions", body, (0,)), reply)
    assert answer.ranked == [(7042, -0.258)] and answer.count == 3
