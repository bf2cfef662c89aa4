"""Record what real servers answer.

    python -m servers.record llama-server vllm

in `tests/` writes files of `recorded/` anew, with the embedded model; `sglang` is the third server.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from helpers.server_environments import ENVIRONMENTS
from helpers.servers import CONTEXT, MODEL, SERVERS
from labelmass.lm.base import Tokenizer
from labelmass.lm.load import load
from labelmass.task.prompt import Part, Prompt, Turn
from servers.recording import FOLDER, REPEAT, Recording

USER = "Is this message safe? Write safe or unsafe.\n\nUser: How do I pick a lock?"
ANSWER = "unsafe\n"
CHAT = [{"role": "user", "content": USER}, {"role": "assistant", "content": ANSWER}]
"""A conversation that ends within the model's answer."""

TOO_LONG = {REPEAT: [33, CONTEXT + 1]}
UNKNOWN_ID = 999_999
"""A token id past the vocabulary."""

Request = tuple[str, str, Any]
"""Method, path and body."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Token ids of the requests."""

    prompt: list[int]
    answer: list[int]
    labels: list[int]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Ids:
        turns = (Turn("user", (Part(USER, trusted=True),)),)
        prompt = tokenizer.encode_prompt(Prompt(turns, chat=True))
        labels = sorted({i for text in ("safe", "unsafe", "S1") for i in tokenizer.encode(text)})
        return cls(prompt, tokenizer.encode(ANSWER), [*sorted(tokenizer.end_ids), *labels])

    @property
    def begun(self) -> list[int]:
        """The prompt with the beginning of the answer."""
        return [*self.prompt, *self.answer]


def llama_requests(ids: Ids) -> Iterator[tuple[str, Request]]:
    """Requests to llama.cpp's own endpoints, and its chat completions."""
    one = {"n_predict": 1, "n_probs": 8, "temperature": 0.0, "cache_prompt": True}

    def completion(**changes: Any) -> Request:
        return "POST", "/completion", {"prompt": ids.begun, **one, **changes}

    yield "props", ("GET", "/props", None)
    yield "models", ("GET", "/v1/models", None)
    text = {"content": USER, "add_special": False, "parse_special": False, "with_pieces": False}
    yield "tokenize", ("POST", "/tokenize", text)
    marked = {"content": "<|im_end|>", "add_special": False}
    yield "tokenize-special", ("POST", "/tokenize", {**marked, "parse_special": True})
    yield "tokenize-special-as-text", ("POST", "/tokenize", {**marked, "parse_special": False})
    yield "apply-template", ("POST", "/apply-template", {"messages": CHAT})
    yield "completion", completion()
    chat = {"messages": CHAT, "max_tokens": 1, "temperature": 0.0}
    chat |= {"logprobs": True, "top_logprobs": 8}
    yield "chat-prefill", ("POST", "/v1/chat/completions", chat)
    yield "error-too-long", completion(prompt=TOO_LONG)
    yield "error-unknown-id", completion(prompt=[UNKNOWN_ID])
    yield "error-empty-prompt", completion(prompt=[])
    yield "error-no-prompt", ("POST", "/completion", one)
    yield "error-malformed", ("POST", "/completion", '{"prompt": [1, 2')
    yield "error-not-found", ("GET", "/v2/nothing", None)


def vllm_requests(ids: Ids) -> Iterator[tuple[str, Request]]:
    """Requests to vLLM's OpenAI-compatible server."""
    one = {"model": MODEL, "prompt": ids.begun, "max_tokens": 1, "temperature": 0.0}
    named = {"return_tokens_as_token_ids": True}
    chosen = {"logprobs": 0, "logprob_token_ids": ids.labels, **named}

    def completion(**changes: Any) -> Request:
        return "POST", "/v1/completions", {**one, **changes}

    yield "models", ("GET", "/v1/models", None)
    yield "version", ("GET", "/version", None)
    text = {"model": MODEL, "prompt": USER, "add_special_tokens": False}
    yield "tokenize", ("POST", "/tokenize", text)
    begun = {"messages": CHAT, "add_generation_prompt": False, "continue_final_message": True}
    yield "tokenize-chat-prefill", ("POST", "/tokenize", {"model": MODEL, **begun})
    yield "completion", completion(**chosen, prompt=[ids.prompt, ids.begun])
    yield "completion-ids-and-top-5", completion(**chosen | {"logprobs": 5})
    yield "completion-top-20", completion(logprobs=20, **named)
    chat = {"model": MODEL, **begun, "max_tokens": 1, "temperature": 0.0}
    chat |= {"logprobs": True, "top_logprobs": 5, "logprob_token_ids": ids.labels}
    yield (
        "chat-prefill",
        ("POST", "/v1/chat/completions", {**chat, **named, "return_token_ids": True}),
    )
    yield "error-unknown-id", completion(**chosen | {"logprob_token_ids": [UNKNOWN_ID]})
    yield "error-unknown-id-in-prompt", completion(**chosen, prompt=[UNKNOWN_ID])
    yield "error-too-long", completion(**chosen, prompt=TOO_LONG)
    yield "error-unknown-model", completion(**chosen, model="another")
    yield "error-129-ids", completion(**chosen | {"logprob_token_ids": list(range(129))})
    yield "error-top-21", completion(logprobs=21, **named)
    yield "error-ids-without-logprobs", completion(logprob_token_ids=ids.labels)
    yield "error-empty-prompt", completion(**chosen, prompt=[])
    yield "error-malformed", ("POST", "/v1/completions", '{"prompt": [1, 2')


def sglang_requests(ids: Ids) -> Iterator[tuple[str, Request]]:
    """Requests to SGLang's own endpoints, and its chat completions."""
    one = {"sampling_params": {"max_new_tokens": 1, "temperature": 0.0}, "return_logprob": True}
    chosen = {**one, "token_ids_logprob": [ids.labels, ids.labels], "top_logprobs_num": [3, 3]}

    def generate(**changes: Any) -> Request:
        return "POST", "/generate", {"input_ids": [ids.prompt, ids.begun], **chosen, **changes}

    yield "get-model-info", ("GET", "/get_model_info", None)
    yield "models", ("GET", "/v1/models", None)
    text = {"model": MODEL, "prompt": USER, "add_special_tokens": False}
    yield "tokenize", ("POST", "/tokenize", text)
    yield "generate", generate()
    items = [ids.answer[:length] for length in range(1, len(ids.answer) + 1)]
    score = {"model": MODEL, "query": ids.prompt, "items": items, "label_token_ids": ids.labels}
    yield "score", ("POST", "/v1/score", {**score, "apply_softmax": False})
    chat = {"model": MODEL, "messages": CHAT, "continue_final_message": True, "max_tokens": 1}
    chat |= {"temperature": 0.0, "logprobs": True, "top_logprobs": 3}
    yield "chat-prefill", ("POST", "/v1/chat/completions", chat)
    yield "error-too-long", generate(input_ids=[TOO_LONG, ids.begun])
    # An unknown id in a prompt, and an empty prompt among others, end the server.
    yield "error-unknown-id", generate(token_ids_logprob=[[UNKNOWN_ID], ids.labels])
    yield "error-no-prompt", ("POST", "/generate", one)
    yield "another-model", ("POST", "/v1/chat/completions", {**chat, "model": "another"})
    yield "error-malformed", ("POST", "/generate", '{"input_ids": [1, 2')


@dataclass(frozen=True, slots=True)
class Recorder:
    """How the answers of one server are recorded."""

    version: Callable[[], str]
    requests: Callable[[Ids], Iterator[tuple[str, Request]]]


RECORDERS = {
    "llama-server": Recorder(
        lambda: f"llama.cpp of xllamacpp {version('xllamacpp')}", llama_requests
    ),
    "vllm": Recorder(lambda: f"vLLM {ENVIRONMENTS['vllm'].version}", vllm_requests),
    "sglang": Recorder(lambda: f"SGLang {ENVIRONMENTS['sglang'].version}", sglang_requests),
}
"""By short name."""


def record(name: str, ids: Ids, folder: Path) -> None:
    """Write the answers of one server, in place of those that are there."""
    recorder = RECORDERS[name]
    with SERVERS[name]() as server:
        answers = {
            title: Recording.ask(recorder.version(), server.url, *request)
            for title, request in recorder.requests(ids)
        }
    shutil.rmtree(folder, ignore_errors=True)
    for title, answer in answers.items():
        answer.write(folder / f"{title}.json")


if __name__ == "__main__":
    token_ids = Ids.of(load(device="cpu", dtype="float32").tokenizer)
    for chosen in sys.argv[1:]:
        record(chosen, token_ids, FOLDER / chosen)
