"""Bodies, paths and numbers of texts that are refused, in the words of each face."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.service import (
    GUARD,
    KIND,
    LABELS,
    PATHS,
    Running,
    SlowModel,
    make_scorer,
    message,
    running,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service"), max_body=4096, max_texts=3) as one:
        yield one


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"", {}, 400),
        (b"null", {}, 400),
        (b"[]", {}, 400),
        (b'{"texts": [NaN]}', {}, 400),
        (b'{"input": "\\ud800"}', {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"[" * 3000, {}, 400),
        (b"[" * 900 + b"]" * 900, {}, 400),
        (b" " * 5000, {}, 413),
        (gzip.compress(b" " * 100_000, mtime=0), {"content-encoding": "gzip"}, 413),
        (b"not gzip", {"content-encoding": "gzip"}, 400),
        (gzip.compress(b'{"texts": ["a"]}', mtime=0)[:-9], {"content-encoding": "gzip"}, 400),
        (b"x", {"content-encoding": "br"}, 415),
        (b'{"texts": ["a"]}', {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b'{"texts": ["a"]}', {"content-type": "text/plain; charset=utf-8"}, 415),
    ],
)
def test_bad_bodies_get_the_faces_own_error(
    service: Running, path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    headers = {"content-type": "application/json", **headers}
    response = service.client.post(path, content=content, headers=headers)
    assert response.status_code == status, response.text
    assert message(response)
    assert response.headers["x-request-id"].startswith("req_")


def test_a_packed_body_is_read(service: Running) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    body = gzip.compress(json.dumps(LABELS).encode())
    assert service.client.post("/v1/labels", content=body, headers=headers).is_success


@pytest.mark.parametrize("path", [*PATHS, "/v1/none", "/v1alpha1/none", "/beta/none", "/none"])
def test_paths_and_methods_that_are_not_there(service: Running, path: str) -> None:
    response = service.client.get(path)
    assert response.status_code == (404 if "none" in path else 405)
    assert message(response)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/labels", {"texts": [KIND] * 4}),
        ("/v1/moderations", {"input": [KIND] * 4}),
        ("/beta/litellm_basic_guardrail_api", GUARD | {"texts": [KIND] * 4}),
    ],
)
def test_too_many_texts_are_refused(service: Running, path: str, body: Any) -> None:
    response = service.client.post(path, json=body)
    assert response.status_code == 413 and "at most 3" in message(response)


@pytest.mark.parametrize("path", PATHS)
def test_a_text_that_cannot_be_scored_never_passes(tmp_path: Path, path: str) -> None:
    model = SlowModel()
    model.context = 60
    long = "long " * 100
    body = json.loads(json.dumps(PATHS[path]).replace(KIND, long))
    with running(tmp_path, scorer=make_scorer(model)) as service:
        response = service.client.post(path, json=body)
    if path == "/v1/labels":
        (one,) = response.json()["results"]
        assert one["action"] == "review" and "too long" in one["error"]
    elif path == "/beta/litellm_basic_guardrail_api":
        assert response.json()["action"] == "BLOCKED"
    elif path == "/predict":
        assert response.json()["results"][0]["result"] == []
    else:
        assert response.status_code == 400 and "too long" in message(response)
