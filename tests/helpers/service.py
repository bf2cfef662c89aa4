"""A service on a real socket, with a scripted model whose texts say how likely each label is."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2

from labelmass.decisions import Policy, Rule
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scoring.scorer import Scorer
from labelmass.service.core import Service
from labelmass.service.running import Server
from labelmass.service.settings import ServiceSettings
from labelmass.task import Task

TASK = """
name = "manners"
labels = ["insult", "threat"]
instruction = "Which? {label_names}"
format = "comma"
chat = false
"""

RUDE = "insult 90 threat 1"
KIND = "insult 1 threat 1"
CLOSE = "insult 50 threat 1"
"""Texts, with P(insult) and P(threat given not insult) in hundredths."""

POLICY = Policy({"insult": Rule("block", 0.5), "threat": Rule("flag", 0.3, review_from=0.2)})

NAMES = """
[openai]
harassment = "insult"
"harassment/threatening" = "min(insult, threat)"
hate = "absent"
"hate/threatening" = "absent"
illicit = "absent"
"illicit/violent" = "absent"
"self-harm" = "absent"
"self-harm/instructions" = "absent"
"self-harm/intent" = "absent"
sexual = "absent"
"sexual/minors" = "absent"
violence = "max(threat, insult)"
"violence/graphic" = "absent"

[perspective]
languages = ["en", "de"]
default_language = "en"

[perspective.attributes]
TOXICITY = "max(insult, threat)"
INSULT = "insult"
AFFINITY_EXPERIMENTAL = "not(insult)"
"""


PIECES = {"insult": ("in", "s", "ult"), "threat": ("th", "re", "at"), "none": ("no", "ne")}
"""Tokens of the labels, so that an answer takes several passes."""


def manners(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """P(insult) and P(threat) as the text has them; a few in a hundred for any other text."""
    found = re.findall(r"insult (\d+) threat (\d+)", prompt)
    insult, threat = (int(number) / 100 for number in (found[-1] if found else (3, 2)))
    if not path:
        return {"in": insult, "th": (1 - insult) * threat, "no": (1 - insult) * (1 - threat)}
    for pieces in PIECES.values():
        for piece, following in pairwise(pieces):
            if path[-1] == piece:
                return {following: 1.0}
    if path[-1] == ", ":
        return {"th": 1.0}
    return {", ": threat, "<end>": 1 - threat} if path[-1] == "ult" else {"<end>": 1.0}


class SlowModel(ScriptedLanguageModel):
    """A scripted model that takes its time, or fails, as a test wants."""

    def __init__(self) -> None:
        tokens = [piece for pieces in PIECES.values() for piece in pieces]
        super().__init__(manners, [*tokens, ", ", "<end>"], name="manners-1b")
        self.seconds = 0.0
        self.broken = False
        self.passes = 0
        self.most = 0

    def rows(self, queries: Any) -> Any:
        if self.broken:
            raise RuntimeError("CUDA error: the text was 'secret-in-an-error'")
        time.sleep(self.seconds)
        self.passes += 1
        self.most = max(self.most, len({query.record for query in queries}))
        return super().rows(queries)


def make_scorer(
    model: ScriptedLanguageModel | None = None, policy: Policy | None = POLICY, **options: Any
) -> Scorer:
    return Scorer(Task.from_toml(TASK), model or SlowModel(), policy=policy, **options)


@dataclass
class Running:
    """A service that runs. client: to its address."""

    service: Service
    url: str
    client: httpx2.Client
    server: Server
    thread: threading.Thread

    @property
    def model(self) -> SlowModel:
        model = self.service.scorer.model
        assert isinstance(model, SlowModel)
        return model


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    names: str | None = NAMES,
    scorer: Scorer | None = None,
    policy_file: Path | None = None,
    **settings: Any,
) -> Generator[Running]:
    """A service on a free port of this machine, until the block ends."""
    if names is not None:
        file = folder / "names.toml"
        file.write_text(names, encoding="utf-8")
        settings["names"] = str(file)
    service = Service(
        scorer or make_scorer(), ServiceSettings(port=0, **settings), policy=policy_file
    )
    server = Server(service)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=url, timeout=30) as client:
            yield Running(service, url, client, server, thread)
    finally:
        server.should_exit = True
        thread.join()


LABELS: dict[str, Any] = {"texts": [KIND]}
GUARD: dict[str, Any] = {"input_type": "request", "texts": [KIND]}
COMMENT: dict[str, Any] = {"comment": {"text": KIND}, "requestedAttributes": {"INSULT": {}}}
INTERFACE = (
    '<View><Text name="t" value="$x"/><Choices name="c" toName="t"><Choice value="insult"/>'
    "</Choices></View>"
)
PATHS: dict[str, dict[str, Any]] = {
    "/v1/labels": LABELS,
    "/v1/moderations": {"input": KIND},
    "/v1/decisions": {
        "input": KIND,
        "questions": [{"type": "predicate", "name": "insult", "instructions": "?"}],
    },
    "/v1alpha1/comments:analyze": COMMENT,
    "/beta/litellm_basic_guardrail_api": GUARD,
    "/predict": {"tasks": [{"data": {"x": KIND}}], "label_config": INTERFACE},
}
"""A request of each path."""


def message(response: httpx2.Response) -> str:
    """The sentence in a face's error body, whatever its shape."""
    body = response.json()
    error = body.get("error")
    if isinstance(error, dict):
        return str(error["message"])
    return str(error or body["detail"])


def until(holds: Any, seconds: float = 10) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
