"""Records as they come: the numbers of `score`, for many callers, with deadlines and failures."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import labelmass
from conftest import TASK, mood_model
from helpers.event_loops import run_async
from helpers.scripted_server import ScriptedServer, serving
from helpers.service import CLOSE, KIND, POLICY, RUDE, SlowModel, make_scorer
from labelmass.answers.search import Budget
from labelmass.decisions import Policy, Rule
from labelmass.errors import LabelMassError
from labelmass.lm.servers import ServerModel
from labelmass.scores import Failure, Result
from labelmass.scoring.live import GRACE, LiveScorer
from labelmass.scoring.saved_trees import TreeStore
from labelmass.task import Record, Task

NEVER_GIVEN = Rule("flag", None)
MIXED = "insult 50 threat 8"
TEXTS = [f"insult {n} threat {100 - n}" for n in range(1, 100, 3)]


def records() -> list[Record]:
    return [Record(number, text=text) for number, text in enumerate(TEXTS)]


def straddled() -> Policy:
    """A policy whose threshold `MIXED` straddles at a tolerance of 0.1, and not at a finer one."""
    (rough,) = make_scorer(policy=None, tolerance=0.1).score([MIXED])
    (fine,) = make_scorer(policy=None, tolerance=1e-6).score([MIXED])
    low, exact = rough["threat"].low, fine["threat"].p
    assert low is not None and exact is not None and exact - low > 0.01
    return Policy({"insult": Rule("flag", None), "threat": Rule("block", (low + exact) / 2)})


def test_many_callers_get_the_numbers_of_score() -> None:
    expected = make_scorer().score(records())
    model = SlowModel()
    model.seconds = 0.002

    async def work() -> list[Result | Failure]:
        async with LiveScorer(make_scorer(model)) as live:
            return await asyncio.gather(*(live.score(record) for record in records()))

    found = run_async(work())
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, Result) and isinstance(other, Result)
        assert one.id == other.id and one.decisions == other.decisions
        assert one.labels.p == pytest.approx(other.labels.p, abs=1e-12)
    assert model.most == 16  # they were read together, as many as a batch holds


def test_one_that_comes_later_joins_those_under_way() -> None:
    model = SlowModel()
    model.seconds = 0.03

    async def work() -> float:
        async with LiveScorer(make_scorer(model)) as live:
            first = asyncio.ensure_future(live.score(Record(0, text=CLOSE)))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await asyncio.gather(first, *(live.score(record) for record in records()[:8]))
            return time.monotonic() - began

    run_async(work())
    assert model.most == 9


def test_a_straddling_record_is_explored_until_it_clears_while_others_come() -> None:
    policy = straddled()
    scorer = make_scorer(policy=policy, tolerance=0.1)
    (expected,) = scorer.score([MIXED])
    assert isinstance(expected, Result) and expected.decisions is not None
    assert expected.decisions["explorations"] > 1 and not expected.decisions["straddles"]

    async def work() -> Result | Failure:
        async with LiveScorer(make_scorer(policy=policy, tolerance=0.1)) as live:
            found, *_ = await asyncio.gather(
                live.score(Record(0, text=MIXED)), *(live.score(one) for one in records())
            )
            return found

    found = run_async(work())
    assert isinstance(found, Result) and found.decisions == expected.decisions


def test_a_deadline_gives_what_is_known_and_its_bounds_hold_the_rest() -> None:
    (whole,) = make_scorer().score([RUDE])
    model = SlowModel()
    model.seconds = 0.05

    async def work() -> tuple[Result | Failure, Result | Failure]:
        async with LiveScorer(make_scorer(model, batch_size=1)) as live:
            first = asyncio.ensure_future(live.score(Record(0, text=RUDE), seconds=0.02))
            late = asyncio.ensure_future(live.score(Record(1, text=RUDE), seconds=0.01))
            return await first, await late

    found, late = run_async(work())
    assert isinstance(found, Result) and found.summary is not None
    assert found.summary.stopped == "seconds"
    assert found.decisions is not None and found.decisions["action"] == "review"
    for label, bounds in found.labels.items():
        assert bounds.low <= whole[label].low and whole[label].high <= bounds.high
    assert isinstance(late, Failure) and "time was up" in late.error
    assert late.decisions == {"action": "review"}


def test_a_caller_that_goes_away_stops_its_record() -> None:
    model = SlowModel()
    model.seconds = 0.02

    async def work() -> int:
        async with LiveScorer(make_scorer(model, tolerance=0.0)) as live:
            gone = asyncio.ensure_future(live.score(Record(0, text=CLOSE)))
            await asyncio.sleep(0.03)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            found = await live.score(Record(1, text=KIND))
            assert isinstance(found, Result)
            return model.passes

    alone = SlowModel()
    for record in (Record(0, text=CLOSE), Record(1, text=KIND)):
        make_scorer(alone, tolerance=0.0).score([record])
    assert run_async(work()) < alone.passes


def test_a_model_that_fails_fails_its_callers_and_may_come_back() -> None:
    model = SlowModel()

    async def work() -> None:
        async with LiveScorer(make_scorer(model)) as live:
            model.broken = True
            for failed in await asyncio.gather(
                *(live.score(record) for record in records()[:3]), return_exceptions=True
            ):
                assert isinstance(failed, LabelMassError)
            assert live.error is not None
            model.broken = False
            assert isinstance(await live.score(Record(0, text=KIND)), Result)
            assert live.error is None

    run_async(work())


def test_a_record_that_cannot_be_scored_fails_alone() -> None:
    model = SlowModel()
    model.context = 60

    async def work() -> list[Result | Failure]:
        async with LiveScorer(make_scorer(model)) as live:
            long = Record(0, text="long " * 100)
            return await asyncio.gather(live.score(long), live.score(Record(1, text=KIND)))

    failure, result = run_async(work())
    assert isinstance(failure, Failure) and "too long" in failure.error
    assert isinstance(result, Result)


def test_nothing_is_taken_after_the_end_and_all_before_it_is_answered() -> None:
    model = SlowModel()
    model.seconds = 0.01

    async def work() -> None:
        live = LiveScorer(make_scorer(model))
        pending = [asyncio.ensure_future(live.score(record)) for record in records()[:5]]
        await asyncio.sleep(0)
        await live.aclose()
        assert all(isinstance(one, Result) for one in await asyncio.gather(*pending))
        with pytest.raises(LabelMassError, match="closed"):
            await live.score(Record(9, text=KIND))

    run_async(work())


def test_a_small_budget_is_for_one_exploration() -> None:
    async def work() -> Result | Failure:
        async with LiveScorer(make_scorer(tolerance=0.1)) as live:
            return await live.score(Record(0, text=CLOSE), budget=Budget(max_nodes=1))

    found = run_async(work())
    assert isinstance(found, Result) and found.decisions is not None
    assert found.decisions["explorations"] == 1 and found.decisions["straddles"]


def test_trees_that_are_kept_already_are_explored_further_where_they_straddle(
    tmp_path: Path,
) -> None:
    scorer = make_scorer(policy=None, tolerance=0.1)
    task = scorer.plan.task
    items = [(number, record) for number, record in enumerate([*records()[:3], Record("c", MIXED)])]
    store = TreeStore(tmp_path / "trees", task, scorer.signature)
    dict(scorer.run(iter(items), store=store))
    store.close()
    deciding = make_scorer(policy=straddled(), tolerance=0.1)
    again = TreeStore(tmp_path / "trees", task, scorer.signature)
    again.resume(lambda: iter(items))
    found = dict(deciding.run(iter(items), store=again))
    again.close()
    assert set(found) == {0, 1, 2, 3}
    last = found[3]
    assert isinstance(last, Result) and last.decisions is not None
    assert last.decisions["explorations"] > 1 and not last.decisions["straddles"]


def test_the_policy_that_decided_is_named() -> None:
    (found,) = make_scorer().score([RUDE])
    assert isinstance(found, Result) and found.decisions is not None
    assert found.decisions["policy"] == POLICY.digest


@pytest.mark.parametrize("kind", ["vllm", "llama-server"])
def test_a_model_behind_a_url_gives_the_same(kind: str) -> None:
    texts = [f"so happy {number}" for number in range(12)]
    task = Task.from_toml(TASK)
    policy = Policy({"joy": Rule("flag", 0.4), "fear": Rule("block", 0.25), "joyful": NEVER_GIVEN})
    expected = labelmass.score(texts, task, mood_model(), policy=policy)

    async def work(model: ServerModel) -> list[Result | Failure]:
        scorer = labelmass.Scorer(task, model, policy=policy)
        async with LiveScorer(scorer) as live:
            calls = (live.score(Record(number, text=text)) for number, text in enumerate(texts))
            found = await asyncio.gather(*calls)
            gone = asyncio.ensure_future(live.score(Record("gone", text="so grim")))
            await asyncio.sleep(0)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            late = await live.score(Record("late", text="so grim"), seconds=1e-9)
            assert isinstance(late, Result | Failure)
        return found

    with (
        serving(ScriptedServer(mood_model(), kind)) as server,
        ServerModel.connect(server.url, server.model.tokenizer) as model,
    ):
        found = run_async(work(model))
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, Result) and isinstance(other, Result)
        assert one.labels.p == pytest.approx(other.labels.p, abs=1e-9)
        assert one.decisions == other.decisions


def test_a_server_that_is_gone_costs_no_more_than_the_deadline_and_a_grace() -> None:
    task = Task.from_toml(TASK)
    policy = Policy(dict.fromkeys(task.label_names, NEVER_GIVEN))
    with serving(ScriptedServer(mood_model(), "vllm")) as server:
        model = ServerModel.connect(server.url, server.model.tokenizer)

    async def work() -> Result | Failure:
        async with LiveScorer(labelmass.Scorer(task, model, policy=policy)) as live:
            return await live.score(Record(0, text="so happy"), seconds=0.1)

    began = time.monotonic()
    with model:
        found = run_async(work())
    assert time.monotonic() - began < 0.1 + GRACE + 2
    assert isinstance(found, Failure) and found.decisions == {"action": "review"}


def test_a_pass_that_hangs_keeps_no_caller() -> None:
    model = SlowModel()
    model.seconds = GRACE + 1

    async def work() -> tuple[float, Result | Failure]:
        live = LiveScorer(make_scorer(model))
        began = time.monotonic()
        found = await live.score(Record(0, text=RUDE), seconds=0.1)
        took = time.monotonic() - began
        model.seconds = 0.0
        await live.aclose()
        return took, found

    took, found = run_async(work())
    assert took < 0.1 + GRACE + 0.5
    assert isinstance(found, Failure) and found.decisions == {"action": "review"}
