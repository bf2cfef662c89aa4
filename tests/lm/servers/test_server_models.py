"""A model behind a URL gives the numbers of the same model beside us, whatever the wire does."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelmass
from conftest import TASK, mood_model
from helpers.event_loops import run_async
from helpers.scripted_server import FAULTS, ScriptedServer, serving
from labelmass import AsyncScorer, Scorer
from labelmass.errors import FitError, LabelMassError, ModelError
from labelmass.lm.base import PROMPT, NodeQuery
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.lm.servers import ServerModel
from labelmass.lm.servers.model import WIRES
from labelmass.lm.servers.protocol import Question, Served
from labelmass.lm.servers.texts import TokenTexts
from labelmass.scores import Failure, Result, Scores
from labelmass.targets import Targets
from labelmass.task import Task

MOOD = Task.from_toml(TASK)
TEXTS = [f"so {mood} {n}" for n in range(6) for mood in ("happy", "grim")]
KINDS = ("vllm", "sglang", "llama-server")


def connect(server: ScriptedServer, **options: object) -> ServerModel:
    return ServerModel.connect(server.url, server.model.tokenizer, **options)  # type: ignore[arg-type]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    with serving(ScriptedServer(mood_model(), request.param)) as running:
        yield running


def same(scores: Scores, others: Scores, within: float = 1e-9) -> bool:
    assert [one.id for one in scores] == [one.id for one in others]
    return bool(abs(scores.to_numpy() - others.to_numpy()).max() <= within)


def test_the_kind_of_a_server_is_found_out(server: ScriptedServer) -> None:
    with connect(server) as model:
        assert model.engine == server.kind
        assert model.context == 4096


def test_scores_are_those_of_the_model_beside_us(server: ScriptedServer) -> None:
    with connect(server) as model:
        far = labelmass.score(TEXTS, MOOD, model, tolerance=1e-6)
        near = labelmass.score(TEXTS, MOOD, mood_model(), tolerance=1e-6)
        assert same(far, near)
        assert [one.cost.tree_tokens for one in far] == [one.cost.tree_tokens for one in near]


def test_every_kind_of_method_gives_what_it_gives_beside_us(server: ScriptedServer) -> None:
    methods = ["any-place", "sampling", "first-step", "hard"]
    with connect(server) as model:
        far = labelmass.score(TEXTS, MOOD, model, methods=methods, samples=7)
        near = labelmass.score(TEXTS, MOOD, mood_model(), methods=methods, samples=7)
    for name in methods:
        np.testing.assert_allclose(far.to_numpy(name), near.to_numpy(name), atol=1e-9)


def test_few_top_tokens_keep_the_exact_values_inside_the_bounds() -> None:
    near = labelmass.score(TEXTS[:4], MOOD, mood_model(), tolerance=1e-9)
    with (
        serving(ScriptedServer(mood_model(), "llama-server", top=1)) as server,
        connect(server) as model,
    ):
        far = labelmass.score(TEXTS[:4], MOOD, model, tolerance=1e-9)
    for one, other in zip(far, near, strict=True):
        assert isinstance(one, Result) and isinstance(other, Result)
        for label in MOOD.label_names:
            assert one[label].low - 2e-3 <= other[label].low <= other[label].high
            assert other[label].high <= one[label].high + 2e-3
            assert one[label].high - one[label].low > 0.01


@pytest.mark.parametrize(
    "server",
    [
        ScriptedServer(mood_model(), "openai"),
        ScriptedServer(mood_model(), "openai", takes_ids=False),
        ScriptedServer(mood_model(), "openai", takes_ids=False, top=2),
        ScriptedServer(mood_model(), "ollama"),
    ],
    ids=["ids", "texts", "texts-2", "ollama"],
)
def test_servers_of_texts_keep_the_exact_values_inside_the_bounds(server: ScriptedServer) -> None:
    near = labelmass.score(TEXTS[:4], MOOD, mood_model(), tolerance=1e-9)
    with serving(server), connect(server) as model:
        assert model.engine == server.kind
        far = labelmass.score(TEXTS[:4], MOOD, model, tolerance=1e-4)
    for one, other in zip(far, near, strict=True):
        assert isinstance(one, Result) and isinstance(other, Result)
        for label in MOOD.label_names:
            assert one[label].low - 2e-3 <= other[label].low <= other[label].high
            assert other[label].high <= one[label].high + 2e-3
    assert min(one["joy"].high - one["joy"].low for one in far if isinstance(one, Result)) < 0.5


def test_a_context_that_its_text_does_not_stand_for_is_not_read() -> None:
    texts = TokenTexts(mood_model().tokenizer)
    joy, letters = mood_model().tokenizer.encode("joy"), [*map(ord, "joy")]
    assert texts.context(joy) == "joy"
    assert len(joy) == 1 and texts.context([6 + letter for letter in letters]) is None


def test_a_token_that_two_ids_write_is_left_out_and_bounds_nothing() -> None:
    tokenizer = ScriptedLanguageModel({}, ["joy", "joy", "fear"]).tokenizer
    entries = [{"token": "joy", "logprob": -1.0}, {"token": "fear", "logprob": -2.0}]
    answer = TokenTexts(tokenizer).answer(entries, 2)
    assert answer.ranked == [(2, -2.0)] and answer.count == 3


def test_bytes_that_are_no_character_are_no_token_by_their_text() -> None:
    tokenizer = ScriptedLanguageModel({}, ["\ufffd", "joy"]).tokenizer
    texts = TokenTexts(tokenizer)
    assert texts.answer([{"token": "\ufffd", "logprob": -1.0}], 1).ranked == []
    told = {"token": "\ufffd", "bytes": list("\ufffd".encode()), "logprob": -1.0}
    assert texts.answer([told], 1).ranked == [(0, -1.0)]


def test_a_server_without_log_probabilities_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(ScriptedServer(mood_model(), "openai")) as server:
        answer = server.answer
        monkeypatch.setattr(
            server,
            "answer",
            lambda path, body: (
                answer(path, body)
                if path == "/v1/models"
                else {"usage": {"prompt_tokens": 1}, "choices": [{"text": "x", "logprobs": None}]}
                if path == "/v1/completions"
                else answer(path, body)
            ),
        )
        with pytest.raises(ModelError, match="gives no log-probabilities"):
            connect(server)


@pytest.mark.parametrize("kind", KINDS)
def test_most_of_a_vocabulary_is_never_named(kind: str) -> None:
    wire = WIRES[kind]
    questions = [Question((1, 2), (3, 4, 5)), Question((1, 2, 3), tuple(range(40_000)))]
    requests = wire.requests(Served("model"), questions)
    assert sorted(number for request in requests for number in request.about) == [0, 1]
    assert all(len(json.dumps(request.body)) < 1000 for request in requests)


@pytest.mark.parametrize(("allowed", "asked"), [(5, 5), (20, 20), (500, 500), (100_000, 1000)])
def test_vllm_is_asked_for_as_many_likeliest_tokens_as_it_gives(allowed: int, asked: int) -> None:
    words = [f"word{number}" for number in range(2000)]
    share = 1 / len(words)
    model = ScriptedLanguageModel({"": dict.fromkeys(words, share)}, words)
    with (
        serving(ScriptedServer(model, "vllm", max_logprobs=allowed)) as server,
        connect(server) as remote,
    ):
        before = server.requests.total()
        (record,) = remote.open([model.tokenizer.encode("Answer:\n")])
        ids = np.arange(len(words))
        (row,) = remote.rows([NodeQuery(record, PROMPT, PROMPT, -1, ids)])
        assert server.requests.total() == before + 1
        assert (~np.isnan(row.logprobs)).sum() == asked
        assert f"the {asked:,} likeliest" in remote.gives


# -- faults of the wire ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_wire_changes_no_number(kind: str, fault: str) -> None:
    near = labelmass.score(TEXTS, MOOD, mood_model())
    with (
        serving(ScriptedServer(mood_model(), kind, [fault], slow=0.05)) as server,
        connect(server, backoff=0.01) as model,
    ):
        unheard = model.traffic.requests - server.requests.total()  # they asked for no tokens
        assert same(labelmass.score(TEXTS, MOOD, model), near)
        assert server.requests[fault] > 0
        assert model.traffic.requests - unheard == server.requests.total()


def test_a_reply_that_is_late_is_asked_for_again() -> None:
    near = labelmass.score(TEXTS, MOOD, mood_model())
    with (
        serving(ScriptedServer(mood_model(), "vllm", ["slow"], slow=2)) as server,
        connect(server, timeout=0.3, backoff=0.01) as model,
    ):
        assert same(labelmass.score(TEXTS, MOOD, model), near)
        assert model.traffic.retries >= server.requests["slow"] > 0


def test_a_server_that_is_gone_stops_the_run_and_says_so() -> None:
    with serving(ScriptedServer(mood_model())) as server, connect(server, tries=2) as model:
        server.faults, server.share = ["drop before"], 1.0
        with pytest.raises(ModelError, match="gave no answer: the connection failed"):
            labelmass.score(TEXTS, MOOD, model)


def test_what_a_server_refuses_for_one_record_is_that_records_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(ScriptedServer(mood_model())) as server:
        answer = server.answer

        def picky(path: str, body: Any) -> Any:
            if path == "/v1/completions" and "odd" in str(decoded(server, body)):
                raise KeyError(path)
            return answer(path, body)

        monkeypatch.setattr(server, "answer", picky)
        with connect(server) as model:
            found = labelmass.score(["happy", "odd", "grim"], MOOD, model)
            assert [type(one) for one in found] == [Result, Failure, Result]
            assert "refuses (404): no such path" in str(found[1])


def decoded(server: ScriptedServer, body: dict[str, Sequence[Sequence[int]]]) -> list[str]:
    return [server.model.tokenizer.decode(ids) for ids in body["prompt"]]


def test_requests_stop_at_their_limit_and_the_run_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(f'{{"id": {n}, "text": "{text}"}}\n' for n, text in enumerate(TEXTS)))
    with serving(ScriptedServer(mood_model())) as server, connect(server, max_requests=24) as model:
        with pytest.raises(ModelError, match="24 requests were sent"):
            labelmass.Scorer(MOOD, model, batch_size=2).score_file(source, out)
        sent = server.requests.total()
        assert sent + 6 >= 24 >= sent  # those at the connection are among them
        with connect(server) as again:
            resumed: list[str] = []
            labelmass.Scorer(MOOD, again).score_file(source, out, say=resumed.append)
            assert any("resum" in line for line in resumed)
            near = labelmass.score(source, MOOD, mood_model())
            assert same(Scores.load(out), near, within=1e-6)


# -- callers that await ---------------------------------------------------------------------------


def test_calls_that_are_awaited_go_on_side_by_side(server: ScriptedServer) -> None:
    with connect(server) as model:
        scorer = AsyncScorer(Scorer(MOOD, model))

        async def both() -> list[Scores]:
            return await asyncio.gather(scorer.score(TEXTS[:4]), scorer.score(TEXTS[4:]))

        found = run_async(both())
        for scores, texts in zip(found, (TEXTS[:4], TEXTS[4:]), strict=True):
            assert same(scores, labelmass.score(texts, MOOD, mood_model()))


def test_a_model_in_this_process_is_awaited_too() -> None:
    scorer = AsyncScorer(Scorer(MOOD, mood_model()))

    async def both() -> tuple[Scores, list[str]]:
        scores, names = scorer.score(TEXTS), []
        async for result in scorer.stream(["happy", "grim"]):
            names.append(str(result.id))
        return await scores, names

    scores, names = run_async(both())
    assert same(scores, labelmass.score(TEXTS, MOOD, mood_model()))
    assert sorted(names) == ["1", "2"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cancelled_is_asked_no_further(kind: str) -> None:
    with (
        serving(ScriptedServer(mood_model(), kind, ["slow"], share=1.0, slow=0.05)) as server,
        connect(server) as model,
    ):
        scorer = AsyncScorer(Scorer(MOOD, model))

        async def cut() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(scorer.score(TEXTS * 20), 0.2)

        run_async(cut())
        time.sleep(0.2)
        sent = server.requests.total()
        time.sleep(0.3)
        assert server.requests.total() == sent
        assert not model._records


def test_texts_are_read_in_the_callers_thread() -> None:
    threads = set[int]()

    def texts() -> Iterator[str]:
        for text in TEXTS:
            threads.add(threading.get_ident())
            yield text

    with serving(ScriptedServer(mood_model())) as server, connect(server) as model:
        assert len(list(Scorer(MOOD, model).stream(texts()))) == len(TEXTS)
    assert threads == {threading.get_ident()}


# -- identity -------------------------------------------------------------------------------------


def test_a_server_that_comes_back_with_another_model_stops_the_run(server: ScriptedServer) -> None:
    with connect(server) as model:
        scorer = Scorer(MOOD, model)
        assert len(scorer.score(TEXTS[:2]).failures) == 0
        server.restart("others")
        with pytest.raises(ModelError, match="serves another model than at first"):
            scorer.score(TEXTS)
        with pytest.raises(ModelError, match="serves another model than at first"):
            scorer.score(TEXTS)  # and it stays so


def test_a_server_that_comes_back_with_the_same_model_goes_on(server: ScriptedServer) -> None:
    with connect(server) as model:
        scorer = Scorer(MOOD, model)
        before = scorer.score(TEXTS)
        connections = model.traffic.connections
        server.restart(server.weights)
        assert same(scorer.score(TEXTS), before)
        assert model.traffic.connections > connections


def test_the_model_is_looked_at_again_after_a_thousand_requests() -> None:
    with (
        serving(ScriptedServer(mood_model())) as server,
        connect(server, max_concurrency=1) as model,
    ):
        scorer = Scorer(MOOD, model)
        server.weights = "others"  # no connection breaks
        server._rows.clear()
        with pytest.raises(ModelError, match="serves another model"):
            scorer.score(TEXTS * 30)
        assert 1000 <= model.traffic.requests < 1500


def test_what_was_fitted_on_one_kind_of_server_serves_another() -> None:
    with (
        serving(ScriptedServer(mood_model(), "vllm")) as server,
        serving(ScriptedServer(mood_model(), "sglang")) as twin,
        serving(ScriptedServer(mood_model(), "sglang", weights="others")) as stranger,
        connect(server) as model,
        connect(twin) as same_model,
        connect(stranger) as other_model,
    ):
        scores = labelmass.score(TEXTS, MOOD, model)
        rows = [
            {"id": one.id, "labels": ["joy"] if "happy" in text else ["fear"]}
            for one, text in zip(scores, TEXTS, strict=True)
        ]
        targets = Targets.from_records(rows, MOOD.label_names)
        calibrator = labelmass.calibrate(scores, targets).calibrator
        assert labelmass.score(TEXTS, MOOD, same_model).through(calibrator).calibrated_by
        with pytest.raises(FitError, match=r"canary: 'within 0.002 nats', now '.* nats apart'"):
            labelmass.score(TEXTS, MOOD, other_model).through(calibrator)


def test_a_run_is_not_resumed_with_another_model(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(f'{{"id": {n}, "text": "{text}"}}\n' for n, text in enumerate(TEXTS)))
    with serving(ScriptedServer(mood_model())) as server:
        with connect(server, max_requests=25) as model, pytest.raises(ModelError):
            Scorer(MOOD, model, batch_size=2).score_file(source, out)
        server.restart("others")
        with (
            connect(server) as other,
            pytest.raises(LabelMassError, match=r"the model is another: .* nats apart"),
        ):
            Scorer(MOOD, other).score_file(source, out)


# -- what a user writes ---------------------------------------------------------------------------


def test_secrets_of_an_address_are_sent_and_never_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(ScriptedServer(mood_model())) as server:
        address = server.url.replace("//", "//ann:s3cret@") + "/v1?token=t0ken"
        with ServerModel.connect(address, server.model.tokenizer) as model:
            scores = labelmass.score(TEXTS[:2], MOOD, model)
            assert server.heads["authorization"] == {"Basic YW5uOnMzY3JldA=="}
            assert server.queries == {"token=t0ken"}
            shown = f"{scores.signature} {scores.signature.to_dict()} {model.name} {caplog.text}"
            assert "s3cret" not in shown and "t0ken" not in shown
            monkeypatch.setenv("LABELMASS_API_KEY", "k3y")
            with connect(server):
                assert "Bearer k3y" in server.heads["authorization"]


@pytest.mark.parametrize(
    ("address", "match"),
    [
        (
            "tgi:http://127.0.0.1:1",
            "no kind of server 'tgi': one of vllm, .*openai",
        ),
        ("http://127.0.0.1:1", "gave no answer: the connection failed"),
        ("http://:80", "not the address of a server"),
    ],
)
def test_an_address_that_leads_nowhere_says_why(address: str, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        ServerModel.connect(address, mood_model().tokenizer, tries=1)


def test_a_tokenizer_that_is_not_the_servers_is_refused(server: ScriptedServer) -> None:
    other = ScriptedLanguageModel({"": {"unsafe": 1.0}}).tokenizer
    with pytest.raises(ModelError, match="name the model's own with --tokenizer"):
        ServerModel.connect(server.url, other)


def test_the_kind_is_needed_by_no_option_of_a_local_model() -> None:
    with pytest.raises(ModelError, match="device is a matter of the server"):
        labelmass.load("http://127.0.0.1:1", device="cpu")
    with pytest.raises(ModelError, match="served_model is for a model behind a URL"):
        labelmass.load("smollm2", served_model="x")
