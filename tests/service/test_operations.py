"""How a service is run: keys, limits, reloads, failures, the end; and what it never says."""

from __future__ import annotations

import gzip
import io
import json
import logging
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from helpers.service import (
    CLOSE,
    KIND,
    NAMES,
    POLICY,
    RUDE,
    Running,
    SlowModel,
    make_scorer,
    running,
)
from labelmass.decisions import Policy, Rule
from labelmass.errors import LabelMassError
from labelmass.scoring import live
from labelmass.service.keys import Keys, make_key
from labelmass.service.settings import ServiceSettings

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


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service"), max_body=4096, max_texts=3) as one:
        yield one


def message(response: httpx2.Response) -> str:
    """The sentence in a face's error body, whatever its shape."""
    body = response.json()
    error = body.get("error")
    if isinstance(error, dict):
        return str(error["message"])
    return str(error or body["detail"])


# -- keys ---------------------------------------------------------------------------------------


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
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
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


# -- bodies -------------------------------------------------------------------------------------


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


# -- load ---------------------------------------------------------------------------------------


def test_more_than_may_wait_is_refused_and_the_rest_is_answered(tmp_path: Path) -> None:
    model = SlowModel()
    model.seconds = 0.02
    scorer = make_scorer(model, batch_size=1)
    with running(tmp_path, scorer=scorer, max_waiting=3) as service:

        def ask(path: str) -> int:
            return service.client.post(path, json=PATHS[path]).status_code

        for path, refused in (
            ("/v1/labels", 429),
            ("/v1/moderations", 429),
            ("/v1alpha1/comments:analyze", 429),
            ("/beta/litellm_basic_guardrail_api", 503),
        ):
            with ThreadPoolExecutor(8) as pool:
                statuses = list(pool.map(ask, [path] * 8))
            assert set(statuses) == {200, refused} and statuses.count(200) >= 3
        assert service.service.waiting == 0


def test_a_deadline_sends_what_is_open_to_review_and_says_so(tmp_path: Path) -> None:
    (whole,) = make_scorer().score([RUDE])
    model = SlowModel()
    model.seconds = 0.05
    with running(tmp_path, scorer=make_scorer(model), deadline=0.03) as service:
        (one,) = service.client.post("/v1/labels", json={"texts": [RUDE]}).json()["results"]
        blocked = service.client.post(
            "/beta/litellm_basic_guardrail_api", json=GUARD | {"texts": [RUDE]}
        ).json()
    assert one["stopped"] == "deadline" and one["action"] == "review"
    for label, bounds in one["labels"].items():
        assert bounds["low"] <= whole[label].low and whole[label].high <= bounds["high"]
    assert blocked == {
        "action": "BLOCKED",
        "blocked_reason": "held for review by the content policy",
    }


def test_a_client_that_goes_away_stops_the_work(tmp_path: Path) -> None:
    model = SlowModel()
    model.seconds = 0.05
    with running(tmp_path, scorer=make_scorer(model, tolerance=0.0)) as service:
        body = json.dumps({"texts": [CLOSE]}).encode()
        head = (
            "POST /v1/labels HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(head.encode() + body)
            until(lambda: model.passes >= 1)
        until(lambda: service.service.waiting == 0)
        done = model.passes
        time.sleep(0.2)
        assert model.passes <= done + 1
        counted = service.client.get("/metrics").text
    assert 'labelmass_requests_total{face="labels",status="499"} 1.0' in counted
    assert "labelmass_decisions_total{" not in counted


@pytest.mark.parametrize("path", PATHS)
def test_a_model_that_dies_is_an_error_and_never_a_pass(tmp_path: Path, path: str) -> None:
    with running(tmp_path) as service:
        assert service.client.get("/healthz").json() == {"status": "ok"}
        service.model.broken = True
        response = service.client.post(path, json=PATHS[path])
        assert response.status_code == 500 and "does not answer" in message(response)
        assert "secret-in-an-error" not in response.text
        service.service._probed = (-1e9, "")
        assert service.client.get("/healthz").status_code == 503
        service.model.broken = False
        until(lambda: service.client.get("/healthz").status_code == 200)
        assert service.client.post(path, json=PATHS[path]).status_code == 200


def test_a_model_that_hangs_passes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GRACE", 0.1)
    model = SlowModel()
    model.seconds = 2.5
    with running(tmp_path, scorer=make_scorer(model), deadline=0.1) as service:
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            states = list(pool.map(service.client.get, ["/healthz"] * 8))
        assert {one.status_code for one in states} == {503}
        for path, body in PATHS.items():
            response = service.client.post(path, json=body)
            if path == "/v1/labels":
                (one,) = response.json()["results"]
                assert one["action"] == "review" and one["stopped"] == "deadline"
            elif path == "/beta/litellm_basic_guardrail_api":
                assert response.json()["action"] == "BLOCKED"
            elif path == "/predict":
                assert response.json()["results"][0]["result"] == []
            else:
                assert response.status_code == 503 and "no time" in message(response)
        assert time.monotonic() - began < 2.5 and model.most <= 1  # one look for all
        assert service.service.waiting == 0


def test_an_audit_log_that_cannot_be_written_lets_nothing_pass(tmp_path: Path) -> None:
    with running(tmp_path, audit="/dev/full") as service:
        for path, body in PATHS.items():
            response = service.client.post(path, json=body)
            assert response.status_code == 500, path


# -- change -------------------------------------------------------------------------------------


def test_a_changed_policy_decides_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    POLICY.save(file)
    with running(tmp_path, policy_file=file) as service:

        def action() -> str:
            response = service.client.post("/v1/labels", json={"texts": [RUDE]})
            (one,) = response.json()["results"]
            assert one["decisions"]["policy"] == response.headers["labelmass-policy"]
            return str(one["action"])

        assert action() == "block"
        other = Policy({"insult": Rule("flag", 0.5), "threat": Rule("flag", 0.3)})
        other.save(file)
        until(lambda: action() == "flag")
        assert service.service.policy == other.digest
        for wrong in ("not toml", 'kind = "labelmass policy 2"'):
            file.write_text(wrong)
            until(lambda: service.service.reload_error != "")
            assert action() == "flag"
            other.save(file)
            until(lambda: service.service.reload_error == "")
        Policy({"insult": Rule("flag", 0.5)}).save(file)  # of other labels
        until(lambda: "threat" in service.service.reload_error)
        assert action() == "flag"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('sexual = "absent"\n', "", r"\[openai\] lacks 'sexual'"),
        ('sexual = "absent"', 'sexual = "insults"', "no label is called 'insults': did you mean"),
        ('sexual = "absent"', 'sexaul = "absent"', "no table or key is called 'sexaul'"),
        ("min(insult, threat)", "min(insult, )", "no label is called ''"),
        ("not(insult)", "not(insult, threat)", "takes one expression"),
        ('default_language = "en"', 'default_language = "fr"', "one of en, de"),
        ("[perspective]", "[perspektive]", "no table or key is called 'perspektive'"),
    ],
)
def test_names_that_are_wrong_stop_the_start(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in NAMES
    with (
        pytest.raises(LabelMassError, match=message),
        running(tmp_path, names=NAMES.replace(old, new)),
    ):
        pass


def test_faces_that_decide_are_not_served_without_a_policy(tmp_path: Path) -> None:
    with running(tmp_path, scorer=make_scorer(policy=None)) as service:
        assert any("no --policy" in note for note in service.service.notes)
        for path, body in PATHS.items():
            decides = path in ("/v1/moderations", "/beta/litellm_basic_guardrail_api")
            assert service.client.post(path, json=body).status_code == (400 if decides else 200)
        (one,) = service.client.post("/v1/labels", json={"texts": [RUDE]}).json()["results"]
        assert one["action"] is None and "decisions" not in one


# -- the end ------------------------------------------------------------------------------------


def test_a_drain_answers_what_is_under_way_and_refuses_what_is_new(tmp_path: Path) -> None:
    model = SlowModel()
    model.seconds = 0.1
    with running(tmp_path, scorer=make_scorer(model)) as service:
        with ThreadPoolExecutor(4) as pool:
            asked = [
                pool.submit(service.client.post, "/v1/labels", json={"texts": [RUDE]})
                for _ in range(4)
            ]
            until(lambda: service.service.waiting == 4)
            service.server.handle_exit(signal.SIGTERM, None)
            for path, body in PATHS.items():
                response = service.client.post(path, json=body)
                assert response.status_code == 503 and message(response)
            assert service.client.get("/healthz").status_code == 503
            assert [one.result().status_code for one in asked] == [200] * 4
        service.thread.join(10)
        assert not service.thread.is_alive()


# -- what is never said -------------------------------------------------------------------------

SECRET = "xyzzy-planted-text"


def test_no_text_key_or_id_is_in_any_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    file, audit = tmp_path / "keys.toml", tmp_path / "audit.jsonl"
    key = make_key("site", file)
    caplog.set_level(logging.DEBUG)
    text = f"{SECRET} insult 90 threat 1"
    with running(tmp_path, keys=str(file), audit=str(audit)) as service:
        for path, body in PATHS.items():
            whole = json.loads(json.dumps(body).replace(KIND, text))
            if path == "/v1/labels":
                whole = {"records": [{"id": SECRET, "text": text, SECRET: SECRET}]}
            headers = {"authorization": f"Bearer {key}", "x-note": SECRET}
            assert service.client.post(f"{path}?key={key}", json=whole, headers=headers).is_success
            for wrong in ({SECRET: SECRET}, [text], text):
                service.client.post(f"{path}?key={key}{SECRET}", json=wrong)
                service.client.post(path, json=wrong, headers=headers)
        service.model.broken = True
        for path, body in PATHS.items():
            whole = json.loads(json.dumps(body).replace(KIND, text))
            service.client.post(path, json=whole, headers=headers)
        metrics = service.client.get("/metrics", headers=headers).text
    logged = [record for record in caplog.records if not record.name.startswith("http")]
    said = "".join(f"{one.getMessage()}{one.exc_text}" for one in logged)
    printed = "".join(capfd.readouterr())
    assert "does not answer" in said and "POST /v1/labels" in said + printed
    for where in (said, printed, metrics, audit.read_text()):
        for word in (SECRET, key, "secret-in-an-error"):
            assert word not in where


def test_the_audit_log_names_texts_by_a_keyed_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELMASS_AUDIT_KEY", "k")
    audit = tmp_path / "audit.jsonl"
    for _ in range(2):
        with running(tmp_path, audit=str(audit)) as service:
            service.client.post("/v1/labels", json={"texts": [RUDE, KIND]})
    rude, kind, again, _ = map(json.loads, audit.read_text().splitlines())
    assert rude["record"] == again["record"] != kind["record"]
    assert rude["record"] not in sha256(RUDE.encode()).hexdigest()
    assert rude["action"] == "block" and rude["labels"] == {"insult": "block", "threat": "allow"}
    assert rude["policy"] == POLICY.digest and rude["face"] == "labels"


def test_metrics_can_be_parsed_and_count_each_request_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        for path, body in PATHS.items():
            service.client.post(path, json=body)
            service.client.post(path, json={"wrong": 1})
        found = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(service.client.get("/metrics").text)
            for sample in family.samples
        }
    totals = {key: n for key, n in found.items() if key[0] == "labelmass_requests_total"}
    assert sum(totals.values()) == 2 * len(PATHS)
    name = "labelmass_decisions_total"
    assert found[name, ("decision", "allow"), ("label", "*")] == len(PATHS)
    assert found["labelmass_queue_depth",] == 0


def test_spans_hold_scores_and_no_text(tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with running(tmp_path) as service:
        service.service.telemetry.tracer = provider.get_tracer("test")
        service.client.post("/v1/labels", json={"texts": [f"{SECRET} {RUDE}"]})
        service.client.post("/v1/labels", json={"texts": SECRET})
        service.model.broken = True
        service.client.post("/v1/moderations", json={"input": SECRET})
    good, bad, broken = exporter.get_finished_spans()
    assert good.attributes is not None and good.attributes["gen_ai.request.model"] == "manners-1b"
    insult, threat = (dict(event.attributes or {}) for event in good.events)
    assert insult["gen_ai.evaluation.name"] == "insult"
    assert insult["gen_ai.evaluation.score.value"] == pytest.approx(0.9, abs=0.01)
    assert insult["gen_ai.evaluation.score.label"] == "block"
    assert threat["gen_ai.evaluation.score.label"] == "allow"
    assert bad.attributes and bad.attributes["http.response.status_code"] == 400
    assert broken.attributes and broken.attributes["error.type"] == "500"
    assert all(SECRET not in one.to_json() for one in (good, bad, broken))


def test_the_access_log_shows_no_query_and_no_id(tmp_path: Path) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    log = logging.getLogger("uvicorn.access")
    with running(tmp_path) as service:
        log.addHandler(handler)
        service.client.post("/v1alpha1/comments:analyze?key=planted", json=COMMENT)
        service.client.get("/none?key=planted")
        service.client.get(f"/v1/files/file-{'a1' * 16}/content")
        service.client.post(f"/v1/batches/batch_{'a1' * 16}/cancel")
    log.removeHandler(handler)
    said = stream.getvalue()
    assert "/none" in said and "/v1/files/file-.../content" in said and "/v1/batches" in said
    assert "planted" not in said and "a1a1" not in said


def until(holds: Any, seconds: float = 10) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
