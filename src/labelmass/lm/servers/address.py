"""The address of a model server, as a user writes it and as results may show it."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from labelmass.errors import ModelError

_ADDRESS = re.compile(r"(?:(?P<kind>[a-z][a-z0-9-]*):)?(?P<url>https?://.*)", re.IGNORECASE)

KEY_VARIABLES = ("LABELMASS_API_KEY", "OPENAI_API_KEY")
"""Environment variables that hold the key of a server; the first one set is sent."""


def is_address(model: str) -> bool:
    """True if a model's name is the address of a server: `http://host:8000`, `vllm:http://...`."""
    return _ADDRESS.fullmatch(model) is not None


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Address of a server, with what is secret in it kept apart.

    Attributes:
        kind: Kind of server, such as "vllm"; None if it is to be found out.
        url: Scheme, host, port and path without a trailing `/v1`; safe to show.
        query: Query of the address, sent with every request and never shown.
        authorization: Value of the header of that name; None for none.
    """

    kind: str | None
    url: str
    query: str = field(default="", repr=False)
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """The address in a text; ModelError, which does not repeat secrets, if it is none."""
        match = _ADDRESS.fullmatch(text)
        try:
            parts = urlsplit(match["url"] if match else "")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if match is None or host is None:
            raise ModelError("not the address of a server: write it as http://host:8000")
        shown = f"[{host}]" if ":" in host else host
        place = shown if port is None else f"{shown}:{port}"
        path = re.sub(r"(/v1)?/*$", "", parts.path)
        kind = match["kind"].lower() if match["kind"] else None
        return cls(kind, f"{parts.scheme}://{place}{path}", parts.query, _authorization(parts))

    def __str__(self) -> str:
        return self.url if self.kind is None else f"{self.kind}:{self.url}"


def _authorization(parts: SplitResult) -> str | None:
    """User and password of the address, or else the key in the environment."""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()
    for name in KEY_VARIABLES:
        if key := os.environ.get(name):
            return f"Bearer {key}"
    return None
