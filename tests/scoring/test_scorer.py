"""The session: what its calls share, what they stream, and what a stopped file goes on from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelmass
from conftest import mood_model
from labelmass import Failure, LabelMassError, Result, Scorer, Task

TEXTS = ["so happy today", "a dark road", "happy again", "rain", "happy " * 3]
METHODS = ("any-place", "max-over-generations", "hard")


def of(result: Result | Failure) -> dict[str, Any]:
    """What a result says, without the time it took."""
    found = result.to_dict()
    found.get("cost", {}).pop("seconds", None)
    return found


def asked(model: Any, name: str) -> list[Any]:
    """Notes every call of the model."""
    call, calls = getattr(model, name), list[Any]()

    def noted(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return call(*args, **options)

    setattr(model, name, noted)
    return calls


def test_score_is_one_line_over_it(mood: Task) -> None:
    scorer = Scorer(mood, mood_model(), methods=METHODS)
    once = labelmass.score(TEXTS, mood, mood_model(), methods=METHODS)
    assert [of(one) for one in scorer.score(TEXTS)] == [of(one) for one in once]


def test_a_session_gives_the_same_again_and_a_stream_the_same_in_any_order(mood: Task) -> None:
    scorer = Scorer(mood, mood_model(), methods=METHODS, batch_size=2)
    first, again = scorer.score(TEXTS), scorer.score(TEXTS)
    assert np.array_equal(first.p, again.p)
    assert np.array_equal(first.low, again.low)
    streamed = sorted(scorer.stream(TEXTS), key=lambda one: str(one.id))
    for one, other in zip(streamed, first, strict=True):
        assert one.id == other.id
        assert {name: one[name] for name in mood.label_names} == {
            name: other[name] for name in mood.label_names
        }


def test_a_stream_reads_its_texts_as_it_needs_them(mood: Task) -> None:
    read: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            read.append(len(read))
            yield f"happy {len(read)}"

    stream = Scorer(mood, mood_model(), batch_size=4).stream(endless())
    taken = [next(stream) for _ in range(20)]
    assert all(isinstance(one, Result) for one in taken)
    assert len(read) <= 20 + 2 * 4


def test_a_result_keeps_its_trees_only_where_it_is_asked_to(mood: Task) -> None:
    without, with_trees = (
        Scorer(mood, mood_model(), keep_trees=keep).score(TEXTS)[0] for keep in (False, True)
    )
    assert isinstance(without, Result)
    assert isinstance(with_trees, Result)
    assert not without.trees
    assert len(with_trees.trees) == 1
    assert of(without) == of(with_trees)


def test_a_bad_text_is_a_failure_and_the_session_goes_on(mood: Task) -> None:
    scorer = Scorer(mood, mood_model())
    assert isinstance(scorer.score(["happy", {"id": "x"}])[1], Failure)
    assert isinstance(scorer.score(["happy"])[0], Result)


def test_a_stream_cannot_know_the_mean_of_a_batch(mood: Task) -> None:
    scorer = Scorer(mood, mood_model(), contextual_calibration="batch")
    assert len(scorer.score(TEXTS)) == len(TEXTS)
    with pytest.raises(LabelMassError, match="call score"):
        list(scorer.stream(TEXTS))


def test_texts_without_content_are_asked_once_a_session(mood: Task) -> None:
    model = mood_model()
    scorer = Scorer(mood, model, contextual_calibration="content-free")
    calls = asked(model, "open")
    scorer.score(TEXTS[:1])
    first = len(calls)
    scorer.score(TEXTS[1:2])
    assert 0 < len(calls) - first < first


def test_a_file_that_was_stopped_goes_on_where_it_was(mood: Task, tmp_path: Path) -> None:
    source, out, whole = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    rows = [{"id": f"r{number}", "text": text} for number, text in enumerate(TEXTS)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    Scorer(mood, mood_model(), methods=METHODS).score_file(source, whole)

    def stopping(results: Any, total: Any, done: int) -> Iterator[Any]:
        for number, one in enumerate(results, start=1):
            yield one
            if number == 2:
                raise KeyboardInterrupt

    model, said = mood_model(), list[str]()
    scorer = Scorer(mood, model, methods=METHODS, batch_size=1)
    with pytest.raises(KeyboardInterrupt):
        scorer.score_file(source, out, watch=stopping)
    assert not out.exists()
    calls = asked(model, "open")
    summary = scorer.score_file(source, out, say=said.append)
    assert (summary.records, len(said)) == (len(TEXTS), 1)
    assert len(calls) == len(TEXTS) - 2

    def lines(path: Path) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in path.read_text().splitlines()]
        for one in found:
            del one["cost"]
        return found

    assert lines(out) == lines(whole)


def test_a_path_is_the_records_of_a_file(tmp_path: Path, mood: Task) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,text\na,so happy\nb,rain\n")
    assert Scorer(mood, mood_model()).score(path).ids == ("a", "b")
