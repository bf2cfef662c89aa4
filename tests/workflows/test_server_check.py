"""What `doctor` says of a server."""

from __future__ import annotations

import json

import pytest

from conftest import mood_model
from helpers.commands import run
from helpers.scripted_server import ScriptedServer, serving
from labelmass.errors import ModelError
from labelmass.workflows.server_check import ServerReport, check_server


@pytest.mark.parametrize(
    ("kind", "gives"),
    [
        ("vllm", "any ids"),
        ("sglang", "any ids"),
        ("llama-server", "the 1,000 likeliest"),
        ("ollama", "the 20 likeliest"),
        ("openai", "20 or 5 likeliest"),
    ],
)
def test_a_server_is_described(kind: str, gives: str) -> None:
    with serving(ScriptedServer(mood_model(), kind)) as server:
        report = check_server(server.url, tokenizer=server.model.tokenizer)
    assert report.engine.startswith(kind) and gives in str(report)
    assert report.rows_per_second > 0 and min(report.long_seconds) > 0
    assert report.difference is None and report.problem is None
    assert json.loads(json.dumps(report.to_dict()))["model"] == report.model


def report(difference: float, second: float = 0.1) -> ServerReport:
    return ServerReport(
        *("vllm (vLLM 0.32.0)", "smol", 4096, None, "any ids", 1e-3, 0.02, 50.0, (1.0, second)),
        compared_with="smollm2",
        difference=difference,
        allowed=1.1e-3,
    )


def test_the_same_numbers_are_no_problem() -> None:
    assert report(1.1e-3).problem is None
    assert "the same numbers as smollm2, within 0.0003 nats" in str(report(3e-4))


def test_other_numbers_are_a_problem() -> None:
    assert "0.4 nats from those of smollm2, and 0.0011" in str(report(0.4).problem)
    assert "other numbers" in str(report(0.4))


@pytest.mark.parametrize(("second", "cached"), [(0.5, True), (0.51, False)])
def test_a_prefix_is_cached_if_a_token_more_is_cheap(second: float, cached: bool) -> None:
    assert report(0.0, second).caches_prefixes == cached
    assert ("are not cached" in str(report(0.0, second))) != cached


def test_a_name_of_a_model_is_no_server() -> None:
    with pytest.raises(ModelError, match="not the address of a server"):
        check_server("org/model")


def test_options_of_a_server_need_its_url() -> None:
    assert "name its URL" in run("doctor", "--compare-with", "smollm2", code=2).stderr


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match=r"vllm:http://127\.0\.0\.1:1 gave no answer"):
        check_server("vllm:http://127.0.0.1:1", tokenizer=mood_model().tokenizer)
