"""Clients that are slow, silent, in a hurry or out of bounds: none may hold a place for ever."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.service import KIND, RUDE, Running, running
from labelmass.service import routing
from labelmass.service import running as running_module
from labelmass.service.keys import make_key

BODY = json.dumps({"texts": [KIND]}).encode()
SECONDS = 0.4
"""Patience of the service in these tests."""


def head(length: int = len(BODY), path: str = "/v1/labels", extra: str = "") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {length}\r\n{extra}\r\n"
    ).encode()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "BODY_SECONDS", SECONDS)
        patch.setattr(running_module, "HEAD_SECONDS", SECONDS)
        with running(folder) as one:
            yield one


@pytest.fixture
def sock(service: Running) -> Iterator[socket.socket]:
    with connect(service) as one:
        yield one


def connect(service: Running) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def rest(sock: socket.socket) -> bytes:
    """All that comes until the service ends the connection."""
    pieces: list[bytes] = []
    try:
        while piece := sock.recv(65_536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def test_a_silent_connection_is_ended(sock: socket.socket) -> None:
    began = time.monotonic()
    assert rest(sock) == b""
    assert SECONDS / 2 < time.monotonic() - began < 5


def test_a_head_that_trickles_is_ended(sock: socket.socket) -> None:
    began = time.monotonic()
    try:
        for byte in head():
            sock.send(bytes([byte]))
            time.sleep(SECONDS / 10)
    except OSError:
        pass
    else:
        pytest.fail("the head was waited for")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("trickles", [False, True])
def test_a_body_that_does_not_come_is_answered_in_time(
    sock: socket.socket, service: Running, trickles: bool
) -> None:
    sock.sendall(head(length=1000) + BODY[:5])
    began = time.monotonic()
    if trickles:
        while time.monotonic() - began < SECONDS * 0.8:
            sock.send(b" ")
            time.sleep(SECONDS / 10)
    answer = rest(sock)
    assert answer.startswith(b"HTTP/1.1 408") and b"did not come within" in answer
    assert b"connection: close" in answer.lower() and b"application/problem+json" in answer
    assert time.monotonic() - began < 5
    assert service.service.waiting == 0


def test_a_body_that_does_not_come_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "BODY_SECONDS", SECONDS)
    file = tmp_path / "keys.toml"
    key = make_key("small", file)
    limit = "[keys.small]\nrequests_at_once = 1\n"
    file.write_text(file.read_text().replace("[keys.small]\n", limit))
    with running(tmp_path, keys=str(file)) as service, connect(service) as sock:
        headers = {"x-api-key": key}

        def status() -> int:
            body = {"texts": [KIND]}
            return service.client.post("/v1/labels", json=body, headers=headers).status_code

        sock.sendall(head(length=1000, extra=f"x-api-key: {key}\r\n"))
        time.sleep(SECONDS / 4)
        assert status() == 429
        assert rest(sock).startswith(b"HTTP/1.1 408")
        assert status() == 200


def test_what_follows_an_answer_for_ever_is_cut_off(sock: socket.socket) -> None:
    sock.sendall(head(length=10**9, path="/v1/none"))
    began = time.monotonic()
    try:
        while time.monotonic() - began < 5:
            sock.sendall(b" " * 1000)
            time.sleep(SECONDS / 20)
    except OSError:
        return
    pytest.fail("it was read on and on")


def test_pipelined_requests_are_answered_in_their_order(sock: socket.socket) -> None:
    texts = [RUDE, KIND, RUDE, KIND, KIND]
    bodies = [json.dumps({"texts": [text]}).encode() for text in texts]
    sock.sendall(b"".join(head(len(body)) + body for body in bodies))
    answer = rest(sock)
    actions = [part.split(b'"')[1] for part in answer.split(b'"action":')[1::2]]
    assert answer.count(b"HTTP/1.1 200") == len(texts)
    assert [part[:7] for part in actions] == [
        b"block" if text is RUDE else b"allow" for text in texts
    ]


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ("".join(f"x-{n}: {n}\r\n" for n in range(500)), b"200"),
        ("".join(f"x-{n}: {n}\r\n" for n in range(10_000)), b"400"),
        (f"x: {'y' * 1_000_000}\r\n", b"400"),
        ("no colon\r\n", b"400"),
        ("content-length: 3\r\n", b"400"),
    ],
)
def test_heads_out_of_bounds(
    service: Running, sock: socket.socket, extra: str, status: bytes
) -> None:
    with contextlib.suppress(OSError):  # it may stop reading
        sock.sendall(head(extra=extra) + BODY)
    answer = rest(sock)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 " + status)
    assert answer or status == b"400"
    assert service.client.post("/v1/labels", json={"texts": [KIND]}).is_success


def test_what_follows_a_gzip_file_is_refused(service: Running) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    body = gzip.compress(BODY)
    assert service.client.post("/v1/labels", content=body, headers=headers).is_success

    def endless() -> Iterator[bytes]:
        yield body
        for _ in range(100):
            yield b"x" * 100_000

    for more in (body + gzip.compress(BODY), body + b"x"):
        answer = service.client.post("/v1/labels", content=more, headers=headers)
        assert answer.status_code == 400 and "follows" in answer.json()["detail"]
    answer = service.client.post("/v1/labels", content=endless(), headers=headers)
    assert answer.status_code == 400


def test_a_text_is_sent_nowhere_else(service: Running) -> None:
    for path in ("/v1/labels/", "/v1/moderations/", "/predict/", "/v1alpha1/comments:analyze/"):
        answer: Any = service.client.post(path, json={"texts": [KIND]}, follow_redirects=False)
        assert answer.status_code == 404 and "location" not in answer.headers
