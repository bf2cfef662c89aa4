"""What a service never says: no text, key or id in any output."""

from __future__ import annotations

import io
import json
import logging
from hashlib import sha256
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from helpers.service import (
    COMMENT,
    KIND,
    PATHS,
    POLICY,
    RUDE,
    running,
)
from labelmass.service.keys import make_key

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
