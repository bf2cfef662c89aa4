"""Who may ask: keys, their limits, and the names that are answered without them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from helpers.service import (
    COMMENT,
    LABELS,
    PATHS,
    Running,
    message,
    running,
    until,
)
from labelmass.errors import LabelMassError
from labelmass.service.keys import Keys, make_key
from labelmass.service.settings import ServiceSettings


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service"), max_body=4096, max_texts=3) as one:
        yield one


def test_an_address_that_others_reach_needs_keys(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(LabelMassError, match="no keys are asked for"):
            ServiceSettings(host=host)
    for host in ("127.0.0.1", "localhost", "::1"):
        ServiceSettings(host=host)
    ServiceSettings(host="0.0.0.0", keys=str(tmp_path / "keys.toml"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "keys.toml"
    make_key("other", file)
    key = make_key("site", file)
    with running(folder, keys=str(file)) as one:
        yield one, key


@pytest.mark.parametrize("path", PATHS)
def test_every_face_asks_for_a_key(guarded: tuple[Running, str], path: str) -> None:
    service, key = guarded
    for headers in ({}, {"authorization": "Bearer lm-wrong"}, {"x-api-key": key[:-1]}):
        response = service.client.post(path, json=PATHS[path], headers=headers)
        assert response.status_code == (400 if "v1alpha1" in path else 401)
        assert "key" in message(response) and key not in response.text
    good = {"authorization": f"Bearer {key}"}
    assert service.client.post(path, json=PATHS[path], headers=good).status_code == 200


def test_a_key_may_stand_where_clients_put_it(guarded: tuple[Running, str]) -> None:
    service, key = guarded
    for name in ("x-api-key", "api-key", "x-goog-api-key"):
        assert service.client.post("/v1/labels", json=LABELS, headers={name: key}).is_success
    assert service.client.post("/v1/labels", json=LABELS, auth=("any", key)).is_success
    path = "/v1alpha1/comments:analyze"
    assert service.client.post(f"{path}?key={key}", json=COMMENT).is_success
    assert service.client.post(f"/v1/labels?key={key}", json=LABELS).status_code == 401
    assert service.client.get("/metrics").status_code == 401
    assert service.client.get("/metrics", headers={"x-api-key": key}).is_success
    assert service.client.get("/openapi.json").status_code == 401
    assert service.client.get("/openapi.json", headers={"x-api-key": key}).is_success
    assert service.client.get("/healthz").is_success


def test_keys_are_rotated_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    first = make_key("first", file)
    with running(tmp_path, keys=str(file)) as service:

        def status(key: str) -> int:
            headers = {"x-api-key": key}
            return service.client.post("/v1/labels", json=LABELS, headers=headers).status_code

        second = make_key("second", file)
        until(lambda: status(second) == 200)
        assert status(first) == 200
        lines = file.read_text().partition("\n[keys.second]")
        file.write_text(lines[1] + lines[2])
        until(lambda: status(first) == 401)
        assert status(second) == 200
        file.write_text("keys = {")
        until(lambda: service.service.reload_error != "")
        assert status(second) == 200  # a file that is wrong changes nothing
        assert "reload" in service.client.get("/healthz").json()


def test_a_key_has_its_own_limits(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    key, free = make_key("small", file), make_key("free", file)
    text = file.read_text()
    file.write_text(text.replace("[keys.small]\n", "[keys.small]\nrequests_per_minute = 2\n"))
    with running(tmp_path, keys=str(file)) as service:

        def ask(key: str, path: str = "/v1/moderations") -> httpx2.Response:
            return service.client.post(path, json=PATHS[path], headers={"x-api-key": key})

        assert [ask(key).status_code for _ in range(3)] == [200, 200, 429]
        assert 1 <= int(ask(key).headers["retry-after"]) <= 60
        assert ask(key, "/beta/litellm_basic_guardrail_api").status_code == 503
        assert ask(key, "/v1alpha1/comments:analyze").json()["error"]["status"] == (
            "RESOURCE_EXHAUSTED"
        )
        assert ask(free).status_code == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "keys"),
        ("[keys]", "no keys"),
        ('[keys.a]\nsha256 = "lm-secret"', "64 hexadecimal digits"),
        (f'[keys.a]\nsha256 = "{"0" * 64}"\nlimit = 1', "'limit' is no field"),
        (f'[keys.a]\nsha256 = "{"0" * 64}"\nrequests_at_once = 0', "requests_at_once is 0"),
        ("".join(f'[keys.{n}]\nsha256 = "{"0" * 64}"\n' for n in "ab"), "the same key"),
    ],
)
def test_a_file_of_keys_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(LabelMassError, match=message) as failed:
        Keys.load(file)
    assert "lm-secret" not in str(failed.value)


def test_a_key_is_made_once_and_kept_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    key = make_key("a", file)
    assert key not in file.read_text() and sha256(key.encode()).hexdigest() in file.read_text()
    with pytest.raises(LabelMassError, match="a key called 'a'"):
        make_key("a", file)


def test_without_keys_only_addresses_of_this_machine_are_answered(service: Running) -> None:
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::1", ""):
        for path, body in PATHS.items():
            response = service.client.post(path, json=body, headers={"host": host})
            assert response.status_code == 400 and "--keys" in message(response)
    for host in ("127.0.0.1", "localhost:1", "[::1]:8000"):
        response = service.client.post("/v1/labels", json=LABELS, headers={"host": host})
        assert response.status_code == 200


def test_with_keys_any_name_is_answered(guarded: tuple[Running, str]) -> None:
    service, key = guarded
    headers = {"host": "labels.example", "x-api-key": key}
    assert service.client.post("/v1/labels", json=LABELS, headers=headers).status_code == 200
