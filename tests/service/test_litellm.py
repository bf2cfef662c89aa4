"""LiteLLM's own proxy, with each of its guardrails that can ask this service."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from helpers.servers import litellm_proxy
from helpers.service import KIND, RUDE, Running, SlowModel, running
from labelmass.service.keys import make_key

pytestmark = pytest.mark.litellm

MASTER = f"sk-{secrets.token_hex(24)}"
REVIEW = "insult 1 threat 25"

CONFIG = """
model_list:
- model_name: echo
  litellm_params: {{model: openai/none, api_key: none, mock_response: "fine"}}
- model_name: rude
  litellm_params: {{model: openai/none, api_key: none, mock_response: "{rude}"}}
- model_name: labelmass
  litellm_params: {{model: openai/manners-1b, api_base: "{url}/v1", api_key: "{key}"}}
  model_info: {{mode: decisions}}
guardrails:
- guardrail_name: generic
  litellm_params:
    {{guardrail: generic_guardrail_api, mode: [pre_call, post_call], api_base: "{url}",
     api_key: "{key}", timeout: 5, streaming_buffer_until_moderated: true}}
- guardrail_name: leaky
  litellm_params:
    {{guardrail: generic_guardrail_api, mode: post_call, api_base: "{url}", api_key: "{key}",
     streaming_end_of_stream_only: true}}
- guardrail_name: open
  litellm_params:
    {{guardrail: generic_guardrail_api, mode: pre_call, api_base: "{url}", api_key: "{key}",
     unreachable_fallback: fail_open}}
- guardrail_name: decisions
  litellm_params:
    guardrail: decision_model
    mode: pre_call
    decision_model: labelmass
    checks: [{{name: insult, instructions: "Is it an insult?", threshold: 0.7, action: block}}]
- guardrail_name: moderations
  litellm_params:
    {{guardrail: openai_moderation, mode: pre_call, api_base: "{url}/v1", api_key: "{key}",
     model: manners-1b}}
"""

SAFE = ("generic", "decisions", "moderations")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    folder = tmp_path_factory.mktemp("service")
    file = folder / "keys.toml"
    key = make_key("litellm", file)
    with running(folder, keys=str(file), max_waiting=8) as one:
        yield one, key


@pytest.fixture(scope="module")
def proxy(service: tuple[Running, str]) -> Iterator[httpx2.Client]:
    one, key = service
    config = CONFIG.format(url=one.url, key=key, rude=f"{RUDE} " * 20)
    headers = {"authorization": f"Bearer {MASTER}"}
    with (
        litellm_proxy(config, MASTER) as server,
        httpx2.Client(base_url=server.url, headers=headers, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def model(service: tuple[Running, str]) -> Iterator[SlowModel]:
    found = service[0].model
    yield found
    found.broken = False


def chat(
    proxy: httpx2.Client, guardrail: str, content: Any, model: str = "echo", **more: Any
) -> httpx2.Response:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "guardrails": [guardrail],
        **more,
    }
    return proxy.post("/v1/chat/completions", json=body)


@pytest.mark.parametrize("guardrail", SAFE)
def test_a_kind_word_passes_and_a_rude_one_is_blocked(proxy: httpx2.Client, guardrail: str) -> None:
    kind = chat(proxy, guardrail, KIND)
    assert kind.status_code == 200, kind.text
    assert kind.json()["choices"][0]["message"]["content"] == "fine"
    rude = chat(proxy, guardrail, RUDE)
    assert rude.status_code == 400, rude.text
    assert "fine" not in rude.text


@pytest.mark.parametrize("guardrail", ["generic", "moderations"])
def test_what_is_to_be_reviewed_is_held(proxy: httpx2.Client, guardrail: str) -> None:
    assert chat(proxy, guardrail, REVIEW).status_code == 400


def test_the_end_user_reads_no_label(proxy: httpx2.Client) -> None:
    answer = chat(proxy, "generic", RUDE)
    assert "blocked by the content policy" in answer.text
    assert "threat" not in answer.text.replace(RUDE, "")


def test_a_rude_answer_is_blocked(proxy: httpx2.Client) -> None:
    answer = chat(proxy, "generic", KIND, model="rude")
    assert answer.status_code == 400 and RUDE not in answer.text


def test_a_stream_that_is_held_until_it_was_read_leaks_nothing(proxy: httpx2.Client) -> None:
    answer = chat(proxy, "generic", KIND, model="rude", stream=True)
    assert RUDE not in answer.text and "insult" not in answer.text
    assert answer.status_code == 400
    kind = chat(proxy, "generic", KIND, stream=True)
    assert kind.status_code == 200 and "fine" in streamed(kind.text)


def test_a_stream_that_is_read_at_its_end_leaks(proxy: httpx2.Client) -> None:
    answer = chat(proxy, "leaky", KIND, model="rude", stream=True)
    assert RUDE in streamed(answer.text)  # which is why the other setting is documented


def streamed(text: str) -> str:
    lines = [
        line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")
    ]
    choices = [choice for line in lines for choice in json.loads(line).get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize(
    ("guardrail", "blocks"), [("generic", True), *[(g, False) for g in SAFE[1:]]]
)
def test_only_the_generic_guardrail_sends_images(
    proxy: httpx2.Client, guardrail: str, blocks: bool
) -> None:
    parts = [
        {"type": "text", "text": KIND},
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}},
    ]
    answer = chat(proxy, guardrail, parts)
    assert (answer.status_code == 400) == blocks, answer.text


def test_a_file_and_a_rude_tool_call_do_not_pass(proxy: httpx2.Client) -> None:
    data = "data:application/pdf;base64,JVBERi0="
    file = {"type": "file", "file": {"file_data": data, "filename": "x.pdf"}}
    assert chat(proxy, "generic", [{"type": "text", "text": KIND}, file]).status_code == 400
    call = {"id": "1", "type": "function", "function": {"name": "say", "arguments": f'"{RUDE}"'}}
    turns = [
        {"role": "user", "content": KIND},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "done"},
    ]
    body = {"model": "echo", "messages": turns, "guardrails": ["generic"]}
    assert proxy.post("/v1/chat/completions", json=body).status_code == 400


@pytest.mark.parametrize("guardrail", [*SAFE, "open"])
def test_a_dead_model_lets_nothing_pass(
    proxy: httpx2.Client, model: SlowModel, guardrail: str
) -> None:
    model.broken = True
    answer = chat(proxy, guardrail, RUDE)
    assert answer.status_code >= 400 and "fine" not in answer.text
    assert "secret-in-an-error" not in answer.text


@pytest.mark.parametrize("guardrail", [*SAFE, "open"])
def test_overload_passes_only_where_it_was_told_to(
    proxy: httpx2.Client, service: tuple[Running, str], guardrail: str
) -> None:
    core = service[0].service
    core.waiting += 8
    try:
        answer = chat(proxy, guardrail, RUDE)
    finally:
        core.waiting -= 8
    passed = guardrail == "open"
    assert (answer.status_code == 200) == passed, answer.text
    assert ("fine" in answer.text) == passed


def test_more_messages_than_may_be_sent_do_not_pass(proxy: httpx2.Client) -> None:
    turns = [{"role": "user", "content": KIND}, {"role": "assistant", "content": KIND}] * 100
    body = {"model": "echo", "messages": turns, "guardrails": ["generic"]}
    answer = proxy.post("/v1/chat/completions", json=body)
    assert answer.status_code == 500 and "413" in answer.text
