"""Summary of an answer tree: numbers that are kept when the tree is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from labelmass._types import Normalisation
from labelmass.answers.marginals import Bounds, Marginals
from labelmass.answers.tree import AnswerTree
from labelmass.task.questions import ANSWER, Name


@dataclass(frozen=True, slots=True)
class AnswerSummary:
    """Summary of the tree of answers to the task.

    empty_answer, verdict_prefix: P(the empty answer) and P(a risk verdict) in the run's
        normalisation; None where the format has none. raw_empty_answer: the former as the model
        generates.
    sets: (labels, P) of the sets found, likeliest first; counts: P of 0, 1, ... labels.
    off_format, off_format_after_label, unreadable, unexplored, verdict: as the model generates, see
        `Marginals`. stray_end: the control token that takes the most mass where the answer could
        end, and that mass.
    greedy: text of the greedy answer; greedy_end: how it ends. stopped: why the search stopped.
    rows: expanded nodes, of all trees of the record.
    values: P of each value of a guard's answer, by its name. given_risk: P(label, given a risk
        verdict) there.

    Of a guard that is asked about one policy at a time, masses are the largest of its trees, the
    greedy answers stand one below the other, and no verdict is given: the policies have no joint
    distribution.
    """

    empty_answer: Bounds | None
    verdict_prefix: Bounds | None
    raw_empty_answer: Bounds | None
    verdict: Bounds | None
    off_format: float
    off_format_after_label: float
    unreadable: float
    unexplored: float
    sets: tuple[tuple[tuple[str, ...], Bounds], ...]
    counts: tuple[Bounds, ...]
    stray_end: tuple[str, float]
    greedy: str
    greedy_end: str
    stopped: str
    rows: int
    values: Mapping[str, Bounds] = field(default_factory=dict[str, Bounds])
    given_risk: Mapping[str, Bounds] = field(default_factory=dict[str, Bounds])

    @classmethod
    def of(
        cls,
        trees: Mapping[Name, AnswerTree],
        normalisation: Normalisation,
        off_format_unknown: bool = False,
    ) -> AnswerSummary:
        """Summary of a record's trees, read in this normalisation."""
        tree = trees[ANSWER]
        passes = [one for name, one in trees.items() if name[0] == ANSWER[0]]
        if len(passes) > 1:
            alone = [cls.of({ANSWER: one}, normalisation, off_format_unknown) for one in passes]
            return cls._joined(alone)
        marginals, raw = Marginals(tree, normalisation, off_format_unknown), Marginals(tree)
        names = tree.labels
        return cls(
            empty_answer=marginals.empty,
            verdict_prefix=marginals.verdict_prefix,
            raw_empty_answer=raw.empty,
            verdict=raw.verdict,
            off_format=raw.off_format,
            off_format_after_label=raw.off_format_after_label,
            unreadable=raw.unreadable,
            unexplored=raw.unexplored,
            sets=tuple(
                (tuple(names[at] for at in sorted(members)), bounds)
                for members, bounds in marginals.sets()
            ),
            counts=tuple(marginals.counts()),
            stray_end=_stray_end(tree, raw),
            greedy=tree.greedy_text,
            greedy_end=tree.greedy_end,
            stopped=tree.stopped,
            rows=sum(question_tree.expanded for question_tree in trees.values()),
            values=marginals.values(),
            given_risk=marginals.given_risk() if tree.values else {},
        )

    @classmethod
    def _joined(cls, passes: Sequence[AnswerSummary]) -> AnswerSummary:
        """Summary of the trees of several policies."""
        worst = max(passes, key=lambda one: one.off_format)
        stopped = [one.stopped for one in passes if one.stopped not in ("tolerance", "exhausted")]
        return cls(
            empty_answer=None,
            verdict_prefix=None,
            raw_empty_answer=None,
            verdict=min(
                (one.verdict for one in passes if one.verdict is not None),
                key=lambda bounds: bounds.low or 0.0,
                default=None,
            ),
            off_format=worst.off_format,
            off_format_after_label=worst.off_format_after_label,
            unreadable=max(one.unreadable for one in passes),
            unexplored=max(one.unexplored for one in passes),
            sets=(),
            counts=(),
            stray_end=max((one.stray_end for one in passes), key=lambda pair: pair[1]),
            greedy="\n".join(one.greedy for one in passes),
            greedy_end=worst.greedy_end,
            stopped=next(iter(stopped), passes[0].stopped),
            rows=sum(one.rows for one in passes),
        )


def _stray_end(tree: AnswerTree, raw: Marginals) -> tuple[str, float]:
    masses: dict[str, float] = {"": 0.0}
    for node, name in tree.stray_ends.items():
        share = float(raw.mass[node] * np.exp(tree.top[node][0][1]))
        masses[name] = masses.get(name, 0.0) + share
    return max(masses.items(), key=lambda pair: pair[1])
