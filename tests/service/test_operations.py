"""How a service is run: load, deadlines, failures, changes of files, and its end."""

from __future__ import annotations

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers.service import (
    CLOSE,
    GUARD,
    NAMES,
    PATHS,
    POLICY,
    RUDE,
    SlowModel,
    make_scorer,
    message,
    running,
    until,
)
from labelmass.decisions import Policy, Rule
from labelmass.errors import LabelMassError
from labelmass.scoring import live


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
