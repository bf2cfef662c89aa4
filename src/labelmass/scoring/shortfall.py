"""Numbers that fell short of the tolerance of their run, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree, Ending, SampledPaths, Status, Termination
from labelmass.estimators import Estimator, LabelScores
from labelmass.estimators.base import no_questions
from labelmass.scores.result import ROUNDING, Missed
from labelmass.task.questions import ANSWER, Name

LIMITS = ("nodes", "depth", "seconds", "engine")
"""Reasons for a search to end short of its tolerance: a limit, or an engine."""

NOT_GROWN = "not-grown"
"""The trees are of a run that did not ask for this: other methods, or another normalisation."""

COMBINED = "combined"
"""Each question is within the tolerance, what is made of them all is not."""

Trees = Mapping[Name, AnswerTree]


def find_missed(
    estimator: Estimator, scores: LabelScores, trees: Trees, budget: Budget
) -> Missed | None:
    """None where every interval is within the tolerance, or the method guarantees none.

    trees: of all variants of the task that the scores were averaged over.
    """
    answers = [tree for name, tree in trees.items() if _question_share(name) == ANSWER[0]]
    if estimator.requirements.draws:
        return _of_draws([d for tree in answers if (d := _drawn_paths(estimator, tree))], budget)
    if estimator.questions is not no_questions:
        return _of_questions(estimator, scores, trees, budget)
    if estimator.requirements.min_mass is not None:
        reason = next((tree.stopped for tree in answers if _unread(tree, estimator)), "")
        return Missed(reason, _widest(scores)) if reason else None
    reason = next((why for tree in answers if (why := _reason(estimator, tree))), "")
    width = _too_wide(scores, budget, nulls=bool(reason))
    return None if width is None else Missed(reason or NOT_GROWN, width)


def _question_share(name: Name) -> str:
    return name[0].partition("#")[0]


def _too_wide(scores: LabelScores, budget: Budget, *, nulls: bool) -> float | None:
    """The widest interval, if one is wider than the budget allows; of nulls only if they count."""
    ends = [scores.p, scores.low, scores.high]
    if (empty := scores.empty) is not None:
        last = (np.nan if value is None else value for value in (empty.p, empty.low, empty.high))
        ends = [np.append(side, value) for side, value in zip(ends, last, strict=True)]
    p, low, high = ends
    width = np.where(np.isnan(p) & (not nulls), 0.0, np.nan_to_num(high - low))
    wide = width > budget.limits(np.nan_to_num(p)) + ROUNDING
    return float(width.max()) if wide.any() else None


def _widest(scores: LabelScores) -> float:
    return float(np.nan_to_num(scores.high - scores.low).max())


def _reason(estimator: Estimator, tree: AnswerTree) -> str:
    """Reason this tree may lack part of what the method reads; "" if there is none."""
    requirements = estimator.requirements
    if requirements.tree:
        return tree.stopped if tree.stopped in LIMITS else ""
    if requirements.shares == 0 and not requirements.contrast:
        return cut_by(tree)
    asked = tree.shares is None or (
        requirements.shares is not None and requirements.shares <= tree.shares
    )
    grown = asked and tree.contrast >= requirements.contrast
    first = requirements.shares is not None  # reads no step that the greedy path must lead to
    return tree.step_stopped or ("" if first else cut_by(tree)) or ("" if grown else NOT_GROWN)


def cut_by(tree: AnswerTree) -> str:
    """Reason the greedy path did not reach its end; "" if it did."""
    if tree.greedy_end != Ending.CUT:
        return ""
    if tree.status[tree.greedy[-1]] == Status.EXPANDED:
        return "engine"  # it named the likeliest token, and gave it no probability
    return tree.stopped if tree.stopped in ("nodes", "seconds") else "depth"


def _unread(tree: AnswerTree, estimator: Estimator) -> bool:
    """True if a limit kept a node from being read that the method wants read."""
    floor = estimator.requirements.min_mass
    if tree.stopped not in LIMITS or floor is None:
        return False
    mass = tree.log_mass()
    return any(
        child >= 0
        and tree.status[child] == Status.FRONTIER
        and mass[node] + logp >= math.log(floor)
        for node, row in tree.top.items()
        for _, logp, child in row
    )


def _of_questions(
    estimator: Estimator, scores: LabelScores, trees: Trees, budget: Budget
) -> Missed | None:
    """Shortfall of a method that asks further questions, in their trees or in combining them."""
    family = estimator.name.partition("-")[0]
    asked = [tree for name, tree in trees.items() if _question_share(name) == family]
    short = [tree for tree in asked if tree.stopped in LIMITS]
    widths = [Marginals(tree, Normalisation.ON_FORMAT).label(0).width or 0.0 for tree in short]
    widest = max(widths, default=0.0)
    if widest > budget.tolerance + ROUNDING:
        reason = short[widths.index(widest)].stopped
        return Missed(reason, max(widest, _widest(scores)))
    width = _too_wide(scores, budget, nulls=False)
    return None if width is None else Missed(short[0].stopped if short else COMBINED, width)


def _drawn_paths(estimator: Estimator, tree: AnswerTree) -> SampledPaths | None:
    return tree.samples if estimator.requirements.samples else tree.completions


def _of_draws(draws: list[SampledPaths], budget: Budget) -> Missed | None:
    """Shortfall of drawn answers: the mass of those cut, which may have written any label."""
    for draw in draws:
        cut = draw.share * sum(path.count for path in draw.paths if path.how == Termination.CUT)
        if cut > budget.tolerance + ROUNDING:
            return Missed(draw.cut or "depth", cut)
    return None


@dataclass(slots=True)
class Shortfall:
    """Over a run: how many records failed, and how many missed the tolerance, and why.

    cut: how many had a text that was not shown whole. repeated: how many have the id of an earlier
    one, and the first such id. scored: how many have a tree, and what left the format in all. raw:
    whether none is conditioned on the format.
    """

    failed: int = 0
    missed: int = 0
    widest: float = 0.0
    tolerance: float | None = None
    reasons: Counter[str] = field(default_factory=Counter[str])
    cut: int = 0
    repeated: int = 0
    repeated_id: str | int | None = None
    scored: int = 0
    off_format: float = 0.0
    raw: bool = True
    _ids: set[str] = field(default_factory=set[str])

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a result record, as `Result.to_dict` and `Failure.to_dict` give it."""
        self.failed += "error" in record
        self.cut += bool(record.get("cut"))
        if "id" in record:
            if str(record["id"]) in self._ids:
                self.repeated_id = self.repeated_id if self.repeated else record["id"]
                self.repeated += 1
            self._ids.add(str(record["id"]))
        if "off_format" in record:
            self.scored += 1
            self.off_format += record["off_format"]
            self.raw = self.raw and record["signature"]["normalisation"] == Normalisation.RAW
        results = [*(record.get("missed") or {}).values()]
        if results:
            self.missed += 1
            self.tolerance = record["signature"]["tolerance"]
        self.reasons.update({one["reason"] for one in results})
        self.widest = max([self.widest, *(one["width"] for one in results)])

    @property
    def mean_off_format(self) -> float:
        """Mean mass outside the answer format; 0 if no tree was read."""
        return self.off_format / self.scored if self.scored else 0.0

    def __bool__(self) -> bool:
        return bool(self.failed or self.missed)

    def lines(self) -> Iterator[str]:
        """Lines to print at the end of the run."""
        if self.failed:
            yield f"{self.failed} records could not be scored; each is reported in its place"
        if self.cut:
            yield f"{self.cut} records have a text that was cut; see their `cut`"
        if self.repeated:
            yield (
                f"{self.repeated} records have the id of another, first {self.repeated_id!r}: they "
                "cannot be joined to labels or to other scores"
            )
        if self.missed:
            why = ", ".join(f"{reason} ({count})" for reason, count in self.reasons.most_common())
            yield (
                f"{self.missed} records missed the tolerance of {self.tolerance:g}, the widest "
                f"interval is {self.widest:.2g}: {why}; see their `missed`"
            )
            yield from (_CURES[reason] for reason in self.reasons if reason in _CURES)


_CURES = {
    "nodes": "nodes: a larger --max-nodes or --tolerance would do",
    "depth": "depth: answers are longer than --max-depth, or than the model's context",
    "engine": "engine: it returns too few tokens of each row to say more",
    NOT_GROWN: (
        f"{NOT_GROWN}: these trees are of a run with other methods or another normalisation; "
        "score the records again"
    ),
    COMBINED: f"{COMBINED}: take a smaller --tolerance",
}
