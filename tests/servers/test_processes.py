"""Servers of the tests start, or say why not, and are gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from helpers.float32_gguf import float32_gguf
from helpers.servers import SERVERS, TESTS, ServerError, llama_server
from labelmass.lm.embedded import gguf_file

pytestmark = pytest.mark.llama_server


def answers(url: str) -> bool:
    try:
        return httpx2.get(url + "/health", trust_env=False).is_success
    except httpx2.TransportError:
        return False


def test_a_server_is_gone_after_its_block() -> None:
    with SERVERS["llama-server"]() as server:
        assert answers(server.url)
    assert not answers(server.url)
    with pytest.raises(ProcessLookupError):
        os.killpg(server.pid, 0)


def test_a_server_is_gone_after_an_error_in_its_block() -> None:
    with pytest.raises(ZeroDivisionError), SERVERS["llama-server"]() as server:
        _ = 1 / 0
    assert not answers(server.url)


ABANDON = """
import os, sys
from pathlib import Path
from helpers.servers import llama_server
with llama_server(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_server_is_gone_after_its_tests_are_killed() -> None:
    killed = subprocess.run(
        [sys.executable, "-c", ABANDON, str(float32_gguf(gguf_file()))],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    url = killed.stdout.strip()
    end = time.monotonic() + 20
    while answers(url) and time.monotonic() < end:
        time.sleep(0.1)
    assert not answers(url)


def test_a_server_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match=r"ended with status 1 .*\n(.*\n)*.*nothing\.gguf"),
        llama_server(tmp_path / "nothing.gguf"),
    ):
        pass


def test_a_server_that_is_late_is_ended() -> None:
    with (
        pytest.raises(ServerError, match="llama-server was not ready within 0 s"),
        llama_server(float32_gguf(gguf_file()), timeout=0),
    ):
        pass
