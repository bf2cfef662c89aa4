"""Files and batches on OpenAI's face: its own client, and what goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from helpers.service import KIND, RUDE, Running, SlowModel, make_scorer, running
from labelmass.service import batches, storage
from labelmass.service.keys import make_key


def client_of(service: Running, key: str = "any") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, state=str(tmp_path / "state")) as one:
        yield one


@pytest.fixture
def client(service: Running) -> Iterator[openai.OpenAI]:
    with client_of(service) as one:
        yield one


def line(name: str, text: Any, **other: Any) -> str:
    row = {"custom_id": name, "method": "POST", "url": "/v1/moderations", "body": {"input": text}}
    return json.dumps(row | other)


def begin(client: openai.OpenAI, lines: list[str]) -> Any:
    file = client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
    return client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/moderations",
        completion_window="24h",
        metadata={"note": "a"},
    )


def finish(client: openai.OpenAI, name: str) -> Any:
    end = time.monotonic() + 20
    while (batch := client.batches.retrieve(name)).status in ("in_progress", "cancelling"):
        assert time.monotonic() < end
        time.sleep(0.05)
    return batch


def rows(client: openai.OpenAI, name: str) -> list[Any]:
    return [json.loads(row) for row in client.files.content(name).text.splitlines()]


def test_a_batch_answers_each_line_as_a_request_would_be(client: openai.OpenAI) -> None:
    texts = [RUDE, KIND] * 20
    batch = begin(client, [line(f"r{number}", text) for number, text in enumerate(texts)])
    assert batch.status == "in_progress" and batch.request_counts.total == 40
    batch = finish(client, batch.id)
    assert batch.status == "completed" and batch.request_counts.completed == 40
    assert batch.metadata == {"note": "a"}
    answers = rows(client, batch.output_file_id)
    assert [row["custom_id"] for row in answers] == [f"r{number}" for number in range(40)]
    alone = client.moderations.create(input=RUDE).results[0].category_scores.harassment
    for row, text in zip(answers, texts, strict=True):
        assert row["response"]["status_code"] == 200 and row["error"] is None
        (result,) = row["response"]["body"]["results"]
        assert result["flagged"] == (text == RUDE)
        if text == RUDE:
            assert result["category_scores"]["harassment"] == pytest.approx(alone, abs=1e-9)
    assert rows(client, batch.error_file_id) == []
    assert [one.id for one in client.batches.list()] == [batch.id]


def test_lines_that_are_wrong_are_reported_and_the_rest_is_answered(client: openai.OpenAI) -> None:
    lines = [
        line("a", RUDE),
        "not json",
        line("a", KIND),
        line("b", ""),
        line("c", KIND, url="/v1/chat/completions"),
        json.dumps({"custom_id": 7, "method": "POST", "url": "/v1/moderations", "body": {}}),
        line("d", [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/"}}]),
        line("e", KIND),
    ]
    batch = finish(client, begin(client, lines).id)
    assert batch.request_counts.completed == 2 and batch.request_counts.failed == 6
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == ["a", "e"]
    messages = [row["error"]["message"] for row in rows(client, batch.error_file_id)]
    for message, part in zip(
        messages, ("a line is", "earlier line", "empty", "POST", "a text", "images"), strict=True
    ):
        assert part in message


def test_files_are_listed_read_and_deleted(client: openai.OpenAI) -> None:
    file = client.files.create(file=("in.jsonl", b"{}\n"), purpose="batch")
    assert file.bytes == 3 and client.files.retrieve(file.id).filename == "in.jsonl"
    assert [one.id for one in client.files.list()] == [file.id]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.content(file.id)
    with pytest.raises(openai.NotFoundError):
        client.batches.create(
            input_file_id=file.id, endpoint="/v1/moderations", completion_window="24h"
        )
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("in.jsonl", b"{}\n"), purpose="assistants")


def test_files_and_batches_are_seen_by_their_key_alone(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    one, two = make_key("one", keys), make_key("two", keys)
    with (
        running(tmp_path, state=str(tmp_path / "state"), keys=str(keys)) as service,
        client_of(service, one) as mine,
        client_of(service, two) as other,
    ):
        batch = finish(mine, begin(mine, [line("a", RUDE)]).id)
        for name in (batch.input_file_id, batch.output_file_id):
            for call in (other.files.retrieve, other.files.content, other.files.delete):
                with pytest.raises(openai.NotFoundError):
                    call(name)
        for call in (other.batches.retrieve, other.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                call(batch.id)
        assert [*other.files.list()] == [] == [*other.batches.list()]
        assert len(rows(mine, batch.output_file_id)) == 1
    folder = tmp_path / "state" / "files"
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.data"))


def test_a_batch_can_be_cancelled(tmp_path: Path) -> None:
    model = SlowModel()
    model.seconds = 0.02
    with (
        running(tmp_path, scorer=make_scorer(model), state=str(tmp_path / "state")) as service,
        client_of(service) as client,
    ):
        batch = begin(client, [line(f"r{number}", RUDE) for number in range(200)])
        assert client.batches.cancel(batch.id).status == "cancelling"
        batch = finish(client, batch.id)
        done = batch.request_counts.completed
        assert batch.status == "cancelled" and done < 200
        assert len(rows(client, batch.output_file_id)) == done


def test_a_batch_goes_on_after_a_restart(tmp_path: Path) -> None:
    model = SlowModel()
    model.seconds = 0.01
    state = tmp_path / "state"
    lines = [line(f"r{number}", RUDE if number % 2 else "") for number in range(120)]
    with (
        running(tmp_path, scorer=make_scorer(model), state=str(state)) as service,
        client_of(service) as client,
    ):
        batch = begin(client, lines)
        while not rows(client, batch.output_file_id):
            time.sleep(0.01)
    output, errors = (
        state / "files" / f"{name}.data" for name in (batch.output_file_id, batch.error_file_id)
    )
    with output.open("a") as file:  # as a crash leaves it, the errors not yet written
        file.write('{"id": "torn')
    errors.write_text("".join(errors.read_text().splitlines(keepends=True)[:-3]))
    with running(tmp_path, state=str(state)) as service, client_of(service) as client:
        batch = finish(client, batch.id)
        answers = rows(client, batch.output_file_id)
        assert [row["custom_id"] for row in answers] == [f"r{n}" for n in range(1, 120, 2)]
        assert batch.request_counts.completed == batch.request_counts.failed == 60
        assert len(rows(client, batch.error_file_id)) == 60


def test_a_model_that_is_gone_for_a_while_fails_no_line(service: Running) -> None:
    with client_of(service) as client:
        service.model.broken = True
        batch = begin(client, [line("a", RUDE)])
        time.sleep(0.3)
        assert client.batches.retrieve(batch.id).status == "in_progress"
        service.model.broken = False
        assert finish(client, batch.id).request_counts.completed == 1


def test_quotas_and_time_to_live(
    service: Running, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MOST_FILES", 2)
    first = client.files.create(file=("a", b"{}"), purpose="batch")
    client.files.create(file=("b", b"{}"), purpose="batch")
    with pytest.raises(openai.APIStatusError, match="at most 2 files"):
        client.files.create(file=("c", b"{}"), purpose="batch")
    monkeypatch.setattr(storage, "MOST_FILES", 20)
    monkeypatch.setattr(storage, "MOST_BYTES", 10)
    with pytest.raises(openai.APIStatusError, match="delete a file"):
        client.files.create(file=("c", b"{}" * 5), purpose="batch")
    monkeypatch.setattr(storage, "SECONDS_KEPT", -1)
    short = client.files.create(file=("d", b"{}"), purpose="batch")
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(short.id)
    found = service.service.batches
    assert found is not None
    found.files.sweep()
    assert short.id not in found.files and first.id in found.files


def test_a_batch_that_takes_too_long_expires(
    service: Running, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "WINDOW", -1)
    assert finish(client, begin(client, [line("a", RUDE)]).id).status == "expired"


def test_without_state_nothing_is_kept(tmp_path: Path) -> None:
    with (
        running(tmp_path) as service,
        client_of(service) as client,
        pytest.raises(openai.NotFoundError, match="--state"),
    ):
        client.files.create(file=("a", b"{}"), purpose="batch")
