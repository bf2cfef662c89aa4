"""Real model servers for tests, each on a free port of 127.0.0.1.

    with SERVERS["llama-server"]() as server:
        httpx2.get(server.url + "/props")

A server is a process of its own, and gone when its `with` block ends or the tests do.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from helpers.float32_gguf import float32_gguf
from helpers.server_environments import ENVIRONMENTS
from labelmass.lm.embedded import gguf_file
from labelmass.lm.gguf import converted

TESTS = Path(__file__).parents[1]
CONTEXT = 4096
"""Most tokens of a prompt with its answer, in every server."""

MODEL = "model"
"""Name by which requests call the model, in every server."""

TAIL = 40
"""Lines of a server's log that an error shows."""


class ServerError(RuntimeError):
    """A server that did not start; says what its log ends with."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        url: Address without a path.
        pid: Process that leads the group of all its processes.
        log: File that its output goes to.
    """

    url: str
    pid: int
    log: Path


@contextlib.contextmanager
def llama_server(model: Path, *, threads: int = 1, timeout: float = 120) -> Generator[Server]:
    """llama.cpp with one slot, without flash attention, with keys and values in float32.

    Args:
        model: A GGUF file.
        threads: Number of threads that compute.
        timeout: Seconds until it must be ready.
    """
    port = _free_port()
    arguments = ["helpers.llama_runner", "--model", str(model), "--port", str(port)]
    arguments += ["--context", str(CONTEXT), "--threads", str(threads)]
    with _running("llama-server", sys.executable, arguments, port, {}, timeout) as server:
        yield server


@contextlib.contextmanager
def vllm_server(model: Path, *, threads: int = 1, timeout: float = 300) -> Generator[Server]:
    """vLLM in float32 on the CPU, from its own virtual environment.

    Args:
        model: A folder that transformers reads.
        threads: Number of threads that compute.
        timeout: Seconds until it must be ready.
    """
    port = _free_port()
    arguments = ["vllm.entrypoints.openai.api_server", "--model", str(model)]
    arguments += ["--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--dtype", "float32", "--max-model-len", str(CONTEXT), "--enforce-eager"]
    # Blocks of 32 tokens are the smallest that can be on a CPU: more of a prompt is found again.
    arguments += ["--enable-prefix-caching", "--block-size", "32", "--enable-prompt-tokens-details"]
    settings = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "OMP_NUM_THREADS": str(threads),
    }
    python = _python("vllm")
    with _running("vLLM", python, arguments, port, settings, timeout) as server:
        yield server


@contextlib.contextmanager
def sglang_server(model: Path, *, threads: int = 1, timeout: float = 300) -> Generator[Server]:
    """SGLang in float32 on the CPU, from its own virtual environment.

    Args:
        model: A folder that transformers reads.
        threads: Number of threads that compute.
        timeout: Seconds until it must be ready.
    """
    port = _free_port()
    arguments = ["helpers.sglang_runner", "--served-model-name", MODEL]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    arguments += ["--dtype", "float32", "--context-length", str(CONTEXT)]
    arguments += ["--max-total-tokens", str(2 * CONTEXT), "--mem-fraction-static", "0.2"]
    arguments += ["--attention-backend", "torch_native", "--sampling-backend", "pytorch"]
    arguments += ["--grammar-backend", "none", "--disable-overlap-schedule"]
    settings = {
        "HF_HUB_OFFLINE": "1",
        "SGLANG_USE_CPU_ENGINE": "1",
        "OMP_NUM_THREADS": str(threads),
    }
    python = _python("sglang")
    with tempfile.TemporaryDirectory(prefix="labelmass-model-") as folder:
        _link_with_rope_theta(model, Path(folder))
        arguments += ["--model-path", folder]
        with _running("SGLang", python, arguments, port, settings, timeout) as server:
            yield server


@contextlib.contextmanager
def litellm_proxy(config: str, key: str, *, timeout: float = 120) -> Generator[Server]:
    """LiteLLM's proxy, from its own virtual environment.

    Args:
        config: Its configuration, in YAML.
        key: Its master key.
        timeout: Seconds until it must be ready.
    """
    port = _free_port()
    settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": key}
    with tempfile.TemporaryDirectory(prefix="labelmass-litellm-") as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(config)
        arguments = ["litellm.proxy.proxy_cli", "--config", str(file), "--telemetry", "False"]
        arguments += ["--host", "127.0.0.1", "--port", str(port)]
        with _running(
            "LiteLLM",
            _python("litellm"),
            arguments,
            port,
            settings,
            timeout,
            health="/health/liveliness",
        ) as server:
            yield server


SERVERS: Mapping[str, Callable[[], AbstractContextManager[Server]]] = {
    "llama-server": lambda: llama_server(float32_gguf(gguf_file())),
    "vllm": lambda: vllm_server(converted(gguf_file())[0]),
    "sglang": lambda: sglang_server(converted(gguf_file())[0]),
}
"""Start a server with the embedded model, by its short name."""


def _link_with_rope_theta(model: Path, folder: Path) -> None:
    """Links to a model's files, with `rope_theta` where transformers before 5 wrote it."""
    config = json.loads((model / "config.json").read_text())
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    (folder / "config.json").write_text(json.dumps(config))
    for file in model.iterdir():
        if file.name != "config.json":
            (folder / file.name).symlink_to(file)


def _python(name: str) -> str:
    """Interpreter of a server's environment."""
    environment = ENVIRONMENTS[name]
    if not environment.is_installed():
        raise ServerError(
            f"{environment.folder} has no {name} {environment.version}; run: "
            f".venv/bin/python tests/helpers/server_environments.py {name}"
        )
    return str(environment.python)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _running(
    name: str,
    python: str,
    arguments: Sequence[str],
    port: int,
    settings: Mapping[str, str],
    timeout: float,
    health: str = "/health",
) -> Generator[Server]:
    """Start a module that serves at `port`, wait until it is healthy, end it with its children."""
    with tempfile.TemporaryDirectory(prefix="labelmass-server-") as folder:
        log = Path(folder) / "log.txt"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VLLM_"))}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python, "-m", "helpers.tied_process", *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=TESTS,
                env={**inherited, "XDG_CACHE_HOME": folder, "XDG_CONFIG_HOME": folder, **settings},
                start_new_session=True,
            )
        server = Server(f"http://127.0.0.1:{port}", process.pid, log)
        try:
            _wait_until_healthy(name, server, process, timeout, health)
            yield server
        finally:
            _stop(process)


def _wait_until_healthy(
    name: str, server: Server, process: subprocess.Popen[bytes], timeout: float, health: str
) -> None:
    end = time.monotonic() + timeout
    with httpx2.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < end:
            if process.poll() is not None:
                raise ServerError(
                    f"{name} ended with status {process.returncode} before it was ready; "
                    f"its log ends:\n{_tail(server.log)}"
                )
            with contextlib.suppress(httpx2.TransportError):
                if client.get(server.url + health).status_code == 200:
                    return
            time.sleep(0.2)
    raise ServerError(
        f"{name} was not ready within {timeout:g} s; its log ends:\n{_tail(server.log)}"
    )


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, and whatever is left of its group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
