"""`labelmass serve` as a process of its own, with the embedded model."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

import labelmass
from labelmass.decisions import Policy, Rule
from labelmass.lm.base import LanguageModel
from labelmass.service.keys import make_key

TEXTS = [
    "Our team won the cup final after extra time.",
    "Heavy rain and wind are expected tonight.",
    "The bank raised its interest rates again.",
    "A slow stew with beans and smoked ham.",
]


@pytest.mark.model
def test_the_command_serves_the_numbers_of_score_and_ends_gently(
    tmp_path: Path, smol: LanguageModel
) -> None:
    topics = labelmass.Task.load("topics").label_names
    policy = Policy({label: Rule("flag", 0.3) for label in topics})
    options: dict[str, Any] = {"normalise": "on-format", "tolerance": 0.05, "policy": policy}
    expected = labelmass.score(TEXTS, "topics", smol, **options)
    policy.save(tmp_path / "policy.toml")
    key = make_key("test", tmp_path / "keys.toml")
    words = "serve --task topics --normalise on-format --tolerance 0.05 --port 0 --deadline 60"
    command = [sys.executable, "-m", "labelmass", *words.split()]
    command += ["--policy", "policy.toml", "--keys", "keys.toml"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    try:
        address = next(
            filter(None, (re.search(r"http://\S+:\d+", line) for line in process.stderr))
        )
        headers = {"x-api-key": key}
        with httpx2.Client(base_url=address[0], headers=headers, timeout=120) as client:

            def ask(text: str) -> Any:
                return client.post("/v1/labels", json={"texts": [text]}).json()["results"][0]

            with ThreadPoolExecutor(4) as pool:
                together = list(pool.map(ask, TEXTS))
            for text, one, other in zip(TEXTS, together, expected, strict=True):
                alone = ask(text)
                assert isinstance(other, labelmass.Result) and other.decisions is not None
                for label, bounds in other.labels.items():
                    for found in (one, alone):
                        assert found["labels"][label]["low"] == pytest.approx(bounds.low, abs=1e-4)
                        assert found["labels"][label]["high"] == pytest.approx(
                            bounds.high, abs=1e-4
                        )
                assert one["decisions"]["labels"] == other.decisions["labels"]
            process.send_signal(signal.SIGHUP)
            assert client.get("/healthz").json() == {"status": "ok"}
            with ThreadPoolExecutor(1) as pool:
                last = pool.submit(ask, TEXTS[0])
                while "labelmass_queue_depth 0.0" in client.get("/metrics").text:
                    pass
                process.send_signal(signal.SIGTERM)
                assert last.result()["labels"]
        said = process.stderr.read()
        assert process.wait(40) in (0, -signal.SIGTERM)
        assert "policy, names and keys were read anew" in said
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_an_extra_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text("raise ImportError('no', name='fastapi')")
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "labelmass", "serve", "--task", "topics", "--check"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "pip install 'labelmass[serve]'" in done.stderr
