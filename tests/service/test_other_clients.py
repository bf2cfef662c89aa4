"""Clients that have an environment of their own, each as it is published."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.node_packages import folder as node_folder
from helpers.server_environments import ENVIRONMENTS
from helpers.service import KIND, RUDE, Running, make_scorer, running

pytestmark = pytest.mark.clients

SCRIPTS = Path(__file__).parent / "clients"
ALIAS = "omni-moderation-latest"
"""The model that openai-guardrails asks for."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service"), aliases=(ALIAS,)) as one:
        yield one


def run(command: list[str], **variables: str) -> Any:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **variables}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def expected(text: str) -> float:
    (result,) = make_scorer().score([text])
    return result["insult"].p


def test_clients_in_python(service: Running) -> None:
    python, script = str(ENVIRONMENTS["clients"].python), str(SCRIPTS / "python_clients.py")
    found = run([python, script, service.url, RUDE, KIND, ALIAS])
    assert found["langchain"] == pytest.approx([expected(RUDE), expected(KIND)], abs=1e-9)
    assert found["guardrails"] == [True, False]
    rude, kind = found["label studio"]
    assert rude["result"][0]["value"] == {"choices": ["insult"]} and kind["result"] == []
    assert rude["score"] == pytest.approx(expected(RUDE), abs=1e-9)


def test_clients_in_javascript(service: Running) -> None:
    script = str(SCRIPTS / "node_clients.cjs")
    modules = str(node_folder() / "node_modules")
    found = run(["node", script, service.url, RUDE, KIND], NODE_PATH=modules)
    assert found["flagged"] == [True, False]
    assert [found["score"], found["insult"]] == pytest.approx([expected(RUDE)] * 2, abs=1e-9)
    assert "non-empty" in found["empty"]
    assert found["unknown"] == 404 and found["wrong"] == [400, "model_not_found"]
