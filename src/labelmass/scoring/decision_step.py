"""Decisions while scoring: what straddles a threshold is explored until it clears."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields, replace

import numpy as np

from labelmass._types import Floats
from labelmass.answers.search import Budget
from labelmass.decisions import Policy, apply_policy, ceiling
from labelmass.decisions.decisions import DecisionRow, check_policy
from labelmass.provenance import Signature, check_labels
from labelmass.records import BadRecord
from labelmass.scores import Cost, Failure, Result
from labelmass.scores.result import verdict_masses
from labelmass.scores.signature import method_for, of_method, reads_answer
from labelmass.scoring.calibration_step import CalibrationStep
from labelmass.scoring.limits import End, Limits
from labelmass.task import Record

FINER, LARGER = 4, 2
"""Factors of each further exploration: the tolerance is divided, the nodes are multiplied."""

MAX_EXPLORATIONS = 4
"""Further explorations of a record: to 1/256 of the tolerance with 16 times the nodes."""

Item = tuple[int, Record | BadRecord] | None
"""A record by its key; None where there is none for now, see `Explorer.explore`."""

Items = Iterable[Item]
Explore = Callable[[Items, dict[int, Limits]], AsyncGenerator[tuple[int, Result | Failure]]]


@dataclass(frozen=True)
class DecisionStep:
    """A policy and the method whose scores it decides by.

    calibration: through what that method's scores went, if it is calibrated.
    """

    policy: Policy
    method: str
    force: bool = False
    calibration: CalibrationStep | None = None

    @classmethod
    def among(
        cls,
        policy: Policy,
        methods: Sequence[str],
        labels: Sequence[str],
        force: bool,
        calibration: CalibrationStep | None = None,
    ) -> DecisionStep:
        """For the method it was made on; for the first if it does not say, or `force`.

        FitError for other labels, and where its method is not among these.
        """
        check_labels("this policy", policy.labels, labels)
        method = method_for("this policy", policy.signature, methods, force=force)
        return cls(policy, method, force, calibration)

    def check(self, signature: Signature) -> None:
        """FitError for scores it is not for, unless forced."""
        given = of_method(signature.to_dict(), self.method)
        check_policy(self.policy, given, given["calibrator"], self.force)

    def apply(self, result: Result) -> Result:
        """The result with what is decided."""
        scores = result.methods[self.method]
        top, verdict = self._readable(result)
        ends = (end[None] for end in (scores.p, scores.low, scores.high))
        (row,) = apply_policy(
            self.policy, *ends, ceiling=top, verdict=verdict, force=True
        ).to_rows()
        del row["id"]
        row["policy"] = self.policy.digest
        row["explorations"] = 1
        return replace(result, decisions=row)

    def fail(self, failure: Failure) -> Failure:
        """The failure with what is decided: a record without scores goes to review."""
        return replace(failure, decisions={"action": "review"})

    def _readable(self, result: Result) -> tuple[Floats | None, Floats | None]:
        """(1, k) upper ends with what cannot be read counted as open; (1,) least verdict mass."""
        unreadable, verdict = (np.array([verdict_mass]) for verdict_mass in verdict_masses(result))
        if np.isnan(verdict).all() or not reads_answer(self.method):
            return None, None
        calibration = self.calibration
        calibrated = calibration is not None and self.method == calibration.name
        scores = result.methods[calibration.method if calibration and calibrated else self.method]
        high = np.where(np.isnan(scores.high), scores.p, scores.high)[None]
        signature = None if result.signature is None else result.signature.to_dict()
        top = ceiling(high, unreadable, verdict, signature)
        if calibration is not None and calibrated:
            (top,) = calibration.calibrator.apply(scores.labels, top, force=True)
        return top, verdict


async def explore_until_clear(
    explore: Explore, items: Items, budget: Budget, limits: dict[int, Limits]
) -> AsyncGenerator[tuple[int, Result | Failure]]:
    """(key, result) as records are decided.

    A search cannot be gone on with, so a record that straddles is explored anew, under a tighter
    budget, until nothing straddles, the budget buys no more rows, its time is up, or it was
    explored `MAX_EXPLORATIONS` times more. Its cost is that of all its explorations; what straddles
    even then is as the policy says. What straddles only because some mass cannot be read is not
    explored further: that finds no more to read.

    limits: of single records; their budgets are tightened here.
    """
    records: dict[int, Record] = {}
    before: dict[int, Result] = {}
    again: deque[int] = deque()

    def ready() -> Iterator[Item]:
        """The records, those to be explored anew as soon as they are known."""
        fresh = iter(items)
        exhausted = False
        while records or not exhausted:
            if again:
                key = again.popleft()
                yield key, records[key]
                continue
            item = None if exhausted else next(fresh, End.END)
            if item is End.END:
                exhausted = True
                continue
            if item is not None and isinstance(item[1], Record):
                records[item[0]] = item[1]
            yield item

    async with aclosing(explore(ready(), limits)) as explored:
        async for key, result in explored:
            first = before.get(key)
            more = first is None or _rows(result) > _rows(first)
            if first is not None:
                result = _after(first, result)
            one = limits.setdefault(key, Limits())
            if more and isinstance(result, Result) and _straddles(result) and not one.done:
                before[key] = result
                one.budget = tighter(one.budget or budget)
                again.append(key)
                continue
            for kept in (records, before, limits):
                kept.pop(key, None)
            yield key, result


def tighter(budget: Budget) -> Budget:
    """The budget of the next exploration of a record that straddles."""
    relative = None if budget.relative is None else budget.relative / FINER
    return replace(
        budget,
        tolerance=budget.tolerance / FINER,
        relative=relative,
        max_nodes=budget.max_nodes * LARGER,
    )


def _straddles(result: Result) -> bool:
    """True if exploring it once more may settle it, and that was not done too often."""
    row = result.decisions
    if row is None or row.get("explorations", 1) > MAX_EXPLORATIONS:
        return False
    return not set(row["straddles"]) <= set(row["unreadable"])


def _rows(result: Result | Failure) -> int:
    """Number of rows in its trees."""
    if isinstance(result, Failure):
        return 0
    return 0 if result.summary is None else result.summary.rows


def _after(first: Result, result: Result | Failure) -> Result:
    """The later result with the cost of both; the first one if the later failed."""
    if isinstance(result, Failure):
        return first
    names = [field.name for field in fields(Cost)]
    cost = Cost(*(getattr(first.cost, name) + getattr(result.cost, name) for name in names))
    decisions = result.decisions
    if decisions is not None and first.decisions is not None:
        times = first.decisions.get("explorations", 0) + 1
        decisions = DecisionRow({**decisions, "explorations": times})
    return replace(result, cost=cost, decisions=decisions)
