"""One request of each face, to a service that was started for it."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.sax.saxutils import quoteattr

import uvicorn

from labelmass.service.app import create_app
from labelmass.service.core import Service
from labelmass.service.keys import Key, Keys

TEXT = "This is a plain text."
INTERFACE = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="choice" toName="text">{}</Choices>
</View>
"""
SECONDS = 60

HIDDEN = ("signature", "id")
"""Fields of answers that are not shown: long, or of no meaning."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request. failed: whether that is a fault."""

    path: str
    status: int
    note: str
    failed: bool


def check(service: Service) -> list[Answer]:
    """Make one request of each face that is served, on a port of its own."""
    secret = secrets.token_hex(16)
    service.keys = Keys((Key("check", sha256(secret.encode()).hexdigest()),))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()  # requests wait here until it has started
        config = uvicorn.Config(create_app(service), log_level="error", lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            port = sock.getsockname()[1]
            return [_ask(port, path, body, secret) for path, body in _requests(service).items()]
        finally:
            server.should_exit = True
            thread.join()


def _requests(service: Service) -> dict[str, dict[str, Any] | None]:
    """A body for each path; None for one that is only read."""
    labels, names = service.task.label_names, service.names
    question = {"type": "predicate", "name": labels[0], "instructions": labels[0]}
    interface = INTERFACE.format("".join(f"<Choice value={quoteattr(label)}/>" for label in labels))
    found: dict[str, dict[str, Any] | None] = {
        "/healthz": None,
        "/v1/models": None,
        "/v1/labels": {"texts": [TEXT]},
        "/v1/decisions": {"model": service.models[0], "input": TEXT, "questions": [question]},
        "/predict": {
            "tasks": [{"data": {"text": TEXT}}],
            "label_config": interface,
        },
    }
    if service.policy is not None:
        found["/beta/litellm_basic_guardrail_api"] = {"input_type": "request", "texts": [TEXT]}
        if names.openai is not None:
            found["/v1/moderations"] = {"input": TEXT}
    if names.perspective is not None:
        wanted: dict[str, Any] = {name: {} for name in names.perspective.attributes}
        found["/v1alpha1/comments:analyze"] = {
            "comment": {"text": TEXT},
            "languages": [*names.perspective.languages[:1]],
            "requestedAttributes": wanted,
        }
    return found


def _ask(port: int, path: str, body: dict[str, Any] | None, key: str) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urlopen(request, timeout=SECONDS) as response:
            status, text = response.status, response.read().decode()
    except HTTPError as error:
        status, text = error.code, error.read().decode()
    shown = json.loads(text)
    for name in HIDDEN:
        shown.pop(name, None)
    return Answer(path, status, json.dumps(shown), status != 200)
