"""Thousands of requests over a wire on which all goes wrong: nothing is lost, doubled or wrong."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

import labelmass
from conftest import TASK, mood_model
from helpers.property_tests import LONG
from helpers.scripted_server import ANSWERED, FAULTS, ScriptedServer, serving
from labelmass import Scorer
from labelmass.errors import ModelError
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.lm.servers import ServerModel
from labelmass.scores import Failure, Result
from labelmass.scoring.journal import journal_path
from labelmass.scoring.journal_lines import read_journal
from labelmass.task import Task

MOOD = Task.from_toml(TASK)
KINDS = ("vllm", "sglang", "llama-server")
REQUESTS = 10_000 if LONG else 300
RESTARTS = range(20, 620, 30) if LONG else (21, 90, 400)
RECORDS_AT_ONCE = 32
COUNT = 200
"""Records that are scored while the server restarts."""


def model_of(weights: str) -> ScriptedLanguageModel:
    """A model whose distribution is another for every text and path, and for other weights."""

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        draw = Random(f"{weights} {prompt} {path}").random
        text = "".join(path)
        if not path:
            words = {"joy": draw(), "fear": draw(), "none": draw()}
        elif text == "joy":
            words = {"ful": draw(), ", ": 0.3 * draw(), "\n\n": 1.0}
        elif text.endswith(", "):
            words = {"fear": draw(), "joy": draw()}
        else:
            words = {"\n\n": 1.0, ", ": 0.1 * draw()}
        return {word: share / sum(words.values()) for word, share in words.items()}

    return ScriptedLanguageModel(script, mood_model().tokens)


def connect(server: ScriptedServer) -> ServerModel:
    return ServerModel.connect(server.url, server.model.tokenizer, tries=20, backoff=0.02)


def texts(count: int) -> list[str]:
    return [f"text {n} is {'happy' if n % 3 else 'grim'}" for n in range(count)]


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_faults_lose_double_and_change_nothing(kind: str) -> None:
    steady = ScriptedServer(model_of("trained"), kind, slots=RECORDS_AT_ONCE)
    with serving(steady), connect(steady) as model:
        sample = list(Scorer(MOOD, model).stream(texts(20)))
    asked = sum(one.cost.forward_passes for one in sample if isinstance(one, Result))
    records = texts(REQUESTS * len(sample) // asked)

    faulty = ScriptedServer(
        model_of("trained"), kind, FAULTS, share=0.3, slow=0.02, slots=RECORDS_AT_ONCE
    )
    with serving(faulty) as server, connect(server) as model:
        others = model.traffic.requests - server.requests.total()  # they asked for no tokens
        results = list(Scorer(MOOD, model, batch_size=RECORDS_AT_ONCE).stream(records))
        requests, traffic = server.requests, model.traffic
    print(kind, len(records), "records;", dict(requests), traffic)

    assert requests.total() >= REQUESTS
    assert requests.keys() == {"none", *FAULTS}
    assert traffic.requests - others == requests.total()
    assert traffic.retries == requests.total() - sum(requests[fault] for fault in ANSWERED)
    assert Counter(one.id for one in results) == Counter(range(1, len(records) + 1))
    assert not model._records

    near = labelmass.score(records, MOOD, model_of("trained"))
    far = {one.id: one for one in results}
    for one in near:
        other = far[one.id]
        assert isinstance(one, Result) and isinstance(other, Result)
        np.testing.assert_allclose(other.labels.p, one.labels.p, rtol=0, atol=1e-9)
        np.testing.assert_allclose(other.labels.low, one.labels.low, rtol=0, atol=1e-9)
        np.testing.assert_allclose(other.labels.high, one.labels.high, rtol=0, atol=1e-9)
        assert other.cost.tree_tokens == one.cost.tree_tokens
        assert other.cost.prompt_tokens == one.cost.prompt_tokens


@functools.cache
def expected_results() -> dict[int, Result | Failure]:
    """Results of the model beside us, by place."""
    return dict(enumerate(labelmass.score(texts(COUNT), MOOD, model_of("trained")), start=1))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("records_at_once", [1, RECORDS_AT_ONCE])
def test_nothing_is_written_that_another_model_said(
    kind: str, records_at_once: int, tmp_path: Path
) -> None:
    """The server restarts with another model after some requests, wherever a record then is."""
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts(COUNT)))
    expected = expected_results()
    kept = 0
    for number in RESTARTS:
        server = ScriptedServer(
            model_of("trained"),
            kind,
            slots=RECORDS_AT_ONCE,
            restart_after=number,
            next_model=model_of("others"),
        )
        out = tmp_path / f"{number}.jsonl"
        with serving(server), connect(server) as model:
            scorer = Scorer(MOOD, model, batch_size=records_at_once)
            with pytest.raises(ModelError, match="serves another model than at first"):
                scorer.score_file(source, out)
        assert server.weights == "others" and not out.exists()
        for key, written in read_journal(journal_path(out)):
            one = expected[key]
            assert isinstance(one, Result)
            kept += 1
            for label in MOOD.label_names:
                assert written["labels"][label]["p"] == pytest.approx(one[label].p, abs=1e-6), key
    assert kept > 0
