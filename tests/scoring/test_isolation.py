"""One bad record is one failure, whatever the model does with it; what all records meet is not."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelmass
from conftest import TASK, mood_model
from helpers.property_tests import property_test
from labelmass.answers.search import Search
from labelmass.errors import ModelError, TaskError
from labelmass.lm.base import NextTokenLogprobs, NodeQuery
from labelmass.lm.checks import flaw
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scores import Failure, Result, Scores
from labelmass.scoring.isolation import apply_in_batch, blame
from labelmass.task import Task

MOOD = Task.from_toml(TASK)
Spoil = Callable[[NodeQuery, NextTokenLogprobs], NextTokenLogprobs]


class Fragile(ScriptedLanguageModel):
    """The mood model, which spoils the rows of texts that hold one of some words.

    spoiled: by word, what becomes of a row. seen: how many rows of such a text come out well first.
    most: prompts that it reads at once, at most.
    """

    def __init__(
        self, spoiled: Mapping[str, Spoil], seen: int = 0, most: int | None = None
    ) -> None:
        sound = mood_model()
        super().__init__(sound._script, sound.tokens)
        self._spoiled, self._seen, self._most = spoiled, seen, most
        self.calls: list[int] = []

    def rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        handles = {ask.record for ask in queries}
        self.calls.append(len(handles))
        if self._most is not None and len(handles) > self._most:
            raise ModelError("out of memory: score fewer records at once")
        return [
            self._spoil(ask, row) for ask, row in zip(queries, super().rows(queries), strict=True)
        ]

    def _spoil(self, ask: NodeQuery, row: NextTokenLogprobs) -> NextTokenLogprobs:
        prompt, _, _, paths = self._records[ask.record]
        text = prompt.rsplit("joyful", 1)[-1]
        for word, spoil in self._spoiled.items():
            if word in text and len(paths) > self._seen:
                return spoil(ask, row)
        return row


def raising(error: BaseException) -> Spoil:
    def spoil(ask: NodeQuery, row: NextTokenLogprobs) -> NextTokenLogprobs:
        raise error

    return spoil


def scores_of(texts: Sequence[str], model: Any, **options: Any) -> Scores:
    return labelmass.score(texts, MOOD, model, **options)


def alone(text: str) -> np.ndarray:
    return scores_of([text], mood_model()).to_numpy()


ERRORS = (
    IndexError("index out of range in self"),
    RuntimeError("shape mismatch"),
    MemoryError(),
    ModelError("out of memory on cuda:0"),
    KeyError("layer"),
)
SPOILS: dict[str, tuple[Spoil, str]] = {
    **{f"raises{n}": (raising(error), "") for n, error in enumerate(ERRORS)},
    "nan": (lambda a, r: replace(r, logprobs=r.logprobs * np.nan), "not numbers"),
    "inf": (lambda a, r: replace(r, logprobs=np.full_like(r.logprobs, np.inf)), "not numbers"),
    "rest": (lambda a, r: replace(r, residual=float("nan")), "not numbers"),
    "top": (lambda a, r: replace(r, top=((0, float("nan")),)), "not numbers"),
    "short": (lambda a, r: replace(r, logprobs=r.logprobs[1:]), "log-probabilities for"),
    "above": (lambda a, r: replace(r, logprobs=-r.logprobs), "above 0|not numbers"),
    "negative": (lambda a, r: replace(r, residual=-0.5), "sum to"),
    "little": (lambda a, r: replace(r, residual=r.residual / 2 + 2.0), "sum to"),
}


@property_test(80)
@given(
    st.lists(st.sampled_from(["happy", "rain", "dark road", *SPOILS]), max_size=8),
    st.integers(1, 6),
    st.integers(0, 3),
)
def test_every_other_record_is_scored_as_if_it_were_alone(
    words: list[str], batch: int, seen: int
) -> None:
    texts = [f"{word} {n}" for n, word in enumerate(words)]
    model = Fragile({word: spoil for word, (spoil, _) in SPOILS.items()}, seen)
    found = scores_of(texts, model, batch_size=batch)
    assert model._records == {}
    for text, word, result in zip(texts, words, found, strict=True):
        if word in SPOILS:
            assert isinstance(result, Failure)
        else:
            assert isinstance(result, Result)
            assert np.array_equal(result.labels.p, alone(text)[0])


@pytest.mark.parametrize("word", SPOILS)
def test_the_failure_says_what_went_wrong(word: str) -> None:
    spoil, text = SPOILS[word]
    (result,) = scores_of([f"{word} happy"], Fragile({word: spoil}))
    assert isinstance(result, Failure)
    if word.startswith("raises"):
        error = ERRORS[int(word[-1])]
        assert str(error).strip("'") in result.error
        assert type(error).__name__ in result.error or isinstance(error, ModelError)
    else:
        assert re.search(text, result.error)


def test_an_engine_that_returns_too_few_rows() -> None:
    model = mood_model()
    rows = model.rows

    def fewer(queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        cut = any("odd" in model._records[ask.record][0] for ask in queries)
        return rows(queries)[cut:]

    model.rows = fewer  # type: ignore[method-assign]
    first, second = scores_of(["odd", "happy"], model)
    assert "returned 0 rows for 1 asks" in first.error
    assert isinstance(second, Result)


@pytest.mark.parametrize("where", ["encode_prompt", "open", "close"])
def test_errors_before_and_after_the_rows(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mood_model()
    of: Any = model.tokenizer if where == "encode_prompt" else model
    usual = getattr(of, where)

    def fails(argument: Any, *more: Any) -> Any:
        if where == "encode_prompt":
            text = model.tokenizer.render_prompt(argument)
        elif where == "open":
            text = model.tokenizer.decode(argument[0])
        else:
            text = model._records[argument][0]
        if "odd" in text:
            raise IndexError("no such token")
        return usual(argument, *more)

    monkeypatch.setattr(of, where, fails)
    odd, happy = scores_of(["odd", "happy"], model)
    assert np.array_equal(happy.labels.p, alone("happy")[0])
    if where == "close":  # its rows have come: only the cost is not known
        assert np.array_equal(odd.labels.p, alone("odd")[0])
        assert odd.cost.tree_tokens == 0
    else:
        assert odd == Failure(1, "IndexError: no such token")


@pytest.mark.parametrize("batch", [1, 3])
def test_an_error_that_a_plain_text_meets_too_stops_the_run(batch: int) -> None:
    model = Fragile({"": raising(RuntimeError("device-side assert"))})
    with pytest.raises(ModelError, match="a plain 'x' too: RuntimeError: device-side assert"):
        scores_of(["happy", "rain", "sun"], model, batch_size=batch)
    assert model._records == {}
    model = Fragile({"": raising(ModelError("no memory at all"))})
    with pytest.raises(ModelError, match=r"^no memory at all$"):
        scores_of(["happy", "rain", "sun"], model, batch_size=batch)
    with pytest.raises(ModelError, match="not numbers"):
        scores_of(["happy"], Fragile({"": SPOILS["nan"][0]}))


def test_a_task_that_no_record_can_be_put_to_stops_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any) -> Any:
        raise TaskError("check the chat template")

    model = mood_model()
    monkeypatch.setattr(model.tokenizer, "encode_prompt", refuse)
    with pytest.raises(TaskError, match="check the chat template"):
        scores_of(["happy", "rain"], model)


def test_a_model_that_breaks_down_for_good_stops_the_run() -> None:
    words = dict.fromkeys(("happy 5", "rain", "x"), raising(RuntimeError("device lost")))
    texts = [f"happy {n}" for n in range(6)] + ["rain"] * 50
    found: list[Any] = []
    scorer = labelmass.Scorer(MOOD, Fragile(words), batch_size=1)
    with pytest.raises(ModelError, match="device lost"):
        found += scorer.run(enumerate(map(_record, texts)))


def _record(text: str) -> Any:
    return labelmass.task.Record(text, text=text)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interrupt_is_no_failure(error: BaseException) -> None:
    model = Fragile({"rain": raising(error)})
    with pytest.raises(type(error)):
        scores_of(["happy", "rain"], model)
    assert model._records == {}


def test_a_fault_of_the_search_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = Search.tell

    def broken(self: Search, rows: Sequence[NextTokenLogprobs]) -> None:
        tell(self, rows)
        raise AssertionError("masses do not add up")

    monkeypatch.setattr(Search, "tell", broken)
    with pytest.raises(AssertionError, match="do not add up"):
        scores_of(["happy", "rain"], mood_model())


def test_too_many_at_once_are_read_one_by_one_and_then_fewer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    texts = [f"{'happy' if n % 3 else 'rain'} {n}" for n in range(40)]
    model = Fragile({}, most=3)
    with caplog.at_level(logging.WARNING, "labelmass"):
        found = scores_of(texts, model, batch_size=16)
    assert np.array_equal(found.to_numpy(), np.vstack([alone(text) for text in texts]))
    assert [record.args[2] for record in caplog.records] == [8, 4, 2]  # type: ignore[index]
    assert "out of memory" in caplog.text
    assert sum(n > 3 for n in model.calls) == 3


def test_what_a_first_try_cost_is_counted() -> None:
    model = Fragile({"odd": raising(RuntimeError("no"))}, seen=2)
    odd, happy = scores_of(["odd", "happy"], model)
    (once,) = scores_of(["happy"], mood_model())
    assert isinstance(odd, Failure)
    assert happy.cost.prompt_tokens == 2 * once.cost.prompt_tokens
    assert happy.cost.tree_tokens >= once.cost.tree_tokens


def test_questions_and_drawing_methods_fail_with_their_record() -> None:
    model = Fragile({"odd": raising(RuntimeError("no"))}, seen=1)
    found = scores_of(["happy", "odd", "rain"], model, methods=["unary", "sampling"], samples=5)
    assert [type(one) for one in found] == [Result, Failure, Result]


# -- the parts ------------------------------------------------------------------------------------


@property_test(200)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 1), st.booleans())
def test_every_distribution_is_let_through(
    weights: list[float], hidden: float, complete: bool
) -> None:
    probs = np.array(weights) / max(sum(weights), 1.0)
    logprobs = np.log(probs, where=probs > 0, out=np.full(len(probs), -np.inf))
    if not complete and probs[0] > 1e-9:
        logprobs[0] = np.nan
    residual = max(1 - float(np.exp(logprobs[~np.isnan(logprobs)]).sum()), 0.0)
    unseen = residual if np.isnan(logprobs).any() else 0.0
    top = ((int(np.argmax(probs)), float(np.log(max(probs.max(), 1e-300)))),)
    row = NextTokenLogprobs(logprobs, top, residual, unseen)
    ask = NodeQuery(0, 0, 0, -1, np.arange(len(probs)))
    assert flaw(row, ask) is None
    assert flaw(replace(row, residual=row.residual + 0.02 + hidden), ask) is not None
    assert flaw(replace(row, logprobs=np.full(len(probs), np.nan), unseen=0.0), ask) is not None
    assert flaw(replace(row, unseen=row.residual + 0.01), ask) is not None


def test_items_fail_by_themselves_unless_plain_ones_do_too() -> None:
    def halve(items: Sequence[int]) -> list[float]:
        return [1 / item for item in items]

    found = apply_in_batch(halve, [1, 2, 0, 4], lambda: halve([1]))
    assert [found[at] for at in (0, 1, 3)] == [1.0, 0.5, 0.25]
    assert str(found[2]) == "ZeroDivisionError: division by zero"
    with pytest.raises(ModelError, match="every text fails"):
        apply_in_batch(halve, [0, 0], lambda: halve([0]))
    assert str(blame(KeyError("a\nb"), lambda: None)) == r"KeyError: 'a\nb'"
