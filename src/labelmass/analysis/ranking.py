"""Runner-up of a step, and the labels written after it. Formulas: docs/formulas.md#runner-up.

The runner-up e2 is the likeliest label, or the empty answer, beside the one written: the
second-ranked, where the one written is the top-ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelmass.analysis.answer import Answer, Kind, LabelStep
from labelmass.analysis.counts import Share, Spread


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Probabilities of the runner-up and of the next label, at a step and at the one after."""

    second_now: Spread
    second_after: Spread
    next_now: Spread
    next_after: Spread


@dataclass(frozen=True, slots=True)
class RankConsistency:
    """True if the runner-up of an intermediate step is written next.

    steps: intermediate steps. hits: of those counted. Left out: the empty answer, whose runner-up
    is the empty answer; `unknown`, whose next label is not known, as the answer left the format or
    was cut; `repeats`, whose next label was written already (only where written labels are left
    out); `unread`, without a distribution or without any runner-up.
    not_top: counted steps where the label written is not the top-ranked.
    same, different: trajectories where the runner-up is, and is not, written next.
    """

    steps: int
    hits: Share
    empty: int
    unknown: int
    repeats: int
    unread: int
    not_top: int
    same: Trajectories
    different: Trajectories


@dataclass(frozen=True, slots=True)
class NeverPredicted:
    """Share of runners-up not written next that are not written later either.

    steps: intermediate steps of complete answers, runner-up not written next. corrected: without
    the steps whose runner-up is the empty answer or was `written` before. published: over all of
    them, a runner-up anywhere in the answer being predicted, and the empty answer never.
    unfinished: intermediate steps of answers that are not complete, in neither.
    """

    steps: int
    unfinished: int
    empty: int
    written: int
    corrected: Share
    published: Share


@dataclass(frozen=True, slots=True)
class SecondLabel:
    """Positions in the answer of the runner-up of its first step.

    answers: complete, with two labels or more. Left out: the empty answer, where the runner-up is
    the empty answer; `absent`, where it is not written; `unread`, without a runner-up. positions: n
    by place among the distinct labels, from 2.
    """

    answers: int
    empty: int
    absent: int
    unread: int
    positions: Mapping[int, Share]


def rank_consistency(answers: Sequence[Answer], *, unwritten: bool = False) -> RankConsistency:
    """unwritten: leave labels written before the step out of the ranking."""
    cases: list[_Case] = []
    left_out: Counter[str] = Counter()
    for answer, label_step in _intermediate(answers):
        before = answer.before(label_step) if unwritten else frozenset[int]()
        after = answer.following(label_step)
        second = None if label_step.p is None else label_step.second(before)
        if after is None:
            left_out["unknown"] += 1
        elif unwritten and (after in before or after == label_step.label):
            left_out["repeats"] += 1
        elif second is None:
            left_out["unread"] += 1
        elif second == answer.k:
            left_out["empty"] += 1
        else:
            cases.append(_Case(label_step, answer.label_step(label_step.number + 1), second, after))
    return RankConsistency(
        len(cases) + left_out.total(),
        Share.among(case.hit for case in cases),
        left_out["empty"],
        left_out["unknown"],
        left_out["repeats"],
        left_out["unread"],
        sum(case.at(case.second) > case.at(case.label_step.label) for case in cases),
        _trajectories([case for case in cases if case.hit]),
        _trajectories([case for case in cases if not case.hit]),
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """A step whose runner-up and next label are labels; later: the step of the next label."""

    label_step: LabelStep
    later: LabelStep | None
    second: int
    after: int

    @property
    def hit(self) -> bool:
        return self.second == self.after

    def at(self, label: int | None) -> float:
        """p of a label at the step."""
        return (
            0.0 if self.label_step.p is None or label is None else float(self.label_step.p[label])
        )


def _trajectories(cases: Sequence[_Case]) -> Trajectories:
    later = [(case, case.later.p) for case in cases if case.later is not None]
    return Trajectories(
        Spread.of(case.at(case.second) for case in cases),
        Spread.of(float(p[case.second]) for case, p in later if p is not None),
        Spread.of(case.at(case.after) for case in cases),
        Spread.of(float(p[case.after]) for case, p in later if p is not None),
    )


def never_predicted(answers: Sequence[Answer]) -> NeverPredicted:
    """Both rates over the same steps."""
    corrected: list[bool] = []
    published: list[bool] = []
    unfinished = empty = written = 0
    for answer, label_step in _intermediate(answers):
        if not answer.complete:
            unfinished += 1
            continue
        second = None if label_step.p is None else label_step.second()
        if second is None or second == answer.following(label_step):
            continue
        published.append(second not in answer.written)
        if second == answer.k:
            empty += 1
        elif second in answer.before(label_step):
            written += 1
        else:
            corrected.append(second not in answer.written[label_step.number :])
    return NeverPredicted(
        len(published), unfinished, empty, written, Share.among(corrected), Share.among(published)
    )


def second_label(answers: Sequence[Answer]) -> SecondLabel:
    """The released code has no such count; this one is over distinct labels, from the parser."""
    several = [answer for answer in answers if answer.complete and len(answer.labels) > 1]
    results: Counter[int] = Counter()
    empty = absent = unread = 0
    for answer in several:
        first = answer.label_step(1)
        second = None if first is None or first.p is None else first.second()
        if second is None:
            unread += 1
        elif second == answer.k:
            empty += 1
        elif second not in answer.labels:
            absent += 1
        else:
            results[answer.labels.index(second) + 1] += 1
    positions = {at: Share(results[at], results.total()) for at in sorted(results)}
    return SecondLabel(len(several), empty, absent, unread, positions)


def _intermediate(answers: Sequence[Answer]) -> list[tuple[Answer, LabelStep]]:
    return [
        (answer, label_step)
        for answer in answers
        for label_step in answer.label_steps
        if label_step.kind is Kind.INTERMEDIATE
    ]
