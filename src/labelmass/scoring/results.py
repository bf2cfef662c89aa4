"""Results: what is read off one record's tree, and what kind of number it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._text import canonical
from labelmass.answers.readings import Bounds, Readings
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree, Ending, Normalisation
from labelmass.errors import MethodError
from labelmass.estimators import ESTIMATORS, Estimator, LabelScores
from labelmass.estimators.anyplace import any_place
from labelmass.estimators.selection import RULES, Selection
from labelmass.estimators.wrappers import average, log_odds, recentre
from labelmass.records import BadRecord
from labelmass.scores.signature import Signature
from labelmass.scoring.classifiers import Beside
from labelmass.scoring.explorer import Cost, Explored
from labelmass.scoring.shortfall import ROUNDING, Missed, find_missed
from labelmass.supervised import CLASSIFIERS
from labelmass.task import Record, Task
from labelmass.task.questions import ANSWER, Name
from labelmass.task.record import Cut

MUCH = 0.5
"""Off-format mass above which a result says so."""

STRAY = 0.05
"""Mass on one control token, where the answer could end, above which a result names it."""

WIDE = 0.1
"""An interval this wide, made so by what was done to both its ends, is warned of."""

STEPWISE = {name for name, one in ESTIMATORS.items() if one.needs.shares != 0 or one.needs.contrast}
"""The methods that read shares at label steps."""


Prior = Mapping[str, NDArray[np.float64]]
"""By method, (k,) log-odds to take away."""


@dataclass(frozen=True)
class Result:
    """One record's scores. Indexed by label: `result["joy"].p`, `.low`, `.high`.

    id: the record's. methods: LabelScores by method; `labels` are those of the first.
    trees: what they were read off, by question. cost: what it took. signature: what kind of number
        this is.
    moved: by cause ("orders": spread over label orders; "prior": shift by what was taken away), by
        method, by label: how far p moved.
    missed: by method, where its numbers fell short of the tolerance, and why.
    decisions: what a policy does with the record, a row of `Decisions.to_rows`, and how many times
        it was explored for that; empty without a policy.
    input: the record's fields as they were given, but for its id. cuts: which of its texts were too
        long to be shown whole.
    """

    id: str | int
    methods: Mapping[str, LabelScores] = field(repr=False)
    trees: Mapping[Name, AnswerTree] = field(repr=False)
    cost: Cost
    signature: Signature = field(repr=False)
    moved: Mapping[str, Mapping[str, Mapping[str, float]]] = field(
        default_factory=dict[str, Any], repr=False
    )
    missed: Mapping[str, Missed] = field(default_factory=dict[str, Missed], repr=False)
    decisions: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    input: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    cuts: tuple[Cut, ...] = field(default=(), repr=False)

    @property
    def tree(self) -> AnswerTree:
        """The tree of answers to the task itself."""
        return self.trees[ANSWER]

    @property
    def labels(self) -> LabelScores:
        """Scores of the first method asked for."""
        return next(iter(self.methods.values()))

    def __getitem__(self, label: str) -> Bounds:
        return self.labels[label]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {p:.3f}" for name, p in self.labels.ranked()[:5])
        return f"Result({self.id!r}: {shown}; off-format {self.off_format:.3f})"

    @cached_property
    def readings(self) -> Readings:
        """Sets, counts, pairs and the rest, in the run's normalisation."""
        return Readings(
            self.tree, self.signature.normalisation, self.signature.off_format == "unknown"
        )

    @cached_property
    def _raw(self) -> Readings:
        return Readings(self.tree)

    @property
    def off_format(self) -> float:
        """Probability, as the model generates, of leaving the format.

        In a format with a verdict, before one: what follows a risk verdict is `unreadable` instead.
        """
        return self._raw.off_format

    @property
    def off_format_after_label(self) -> float:
        """How much of `off_format` leaves after the text of a label."""
        return self._raw.off_format_after_label

    @property
    def unexplored(self) -> float:
        """Probability, as the model generates, of what was not looked at."""
        return self._raw.unexplored

    @property
    def none(self) -> Bounds | None:
        """P(the empty answer)."""
        return None if self.readings.none is None else self.quoted(self.readings.none)

    @property
    def gate(self) -> Bounds | None:
        """P(a risk verdict is written), whatever follows it; None for a format without one."""
        return None if self.readings.gate is None else self.quoted(self.readings.gate)

    def quoted(self, bounds: Bounds) -> Bounds:
        """Bounds that the tree gives beside the methods: a number only within the tolerance.

        No method need have asked for them, so the tree may say little of them.
        """
        return bounds.within(self.signature.tolerance + ROUNDING)

    @property
    def unreadable(self) -> float:
        """Probability, as the model generates, of a risk verdict whose rest cannot be read.

        0 for a format without a verdict.
        """
        return self._raw.unreadable

    @property
    def verdict(self) -> Bounds | None:
        """P(any verdict is given), as the model generates; None for a format without a verdict."""
        return self._raw.verdict

    def pair(self, one: str, other: str) -> Bounds:
        """P(both labels are written)."""
        labels = list(map(canonical, self.tree.labels))
        places = (labels.index(canonical(name)) for name in (one, other))
        return self.quoted(self.readings.pair(*places))

    def moved_to(
        self,
        methods: Mapping[str, LabelScores],
        cause: str,
        change: Mapping[str, NDArray[np.float64]],
    ) -> Result:
        """The result with other scores. change: by method, (k,) how far p moved."""
        labels = self.tree.labels
        by_label = {
            name: dict(zip(labels, far.tolist(), strict=True)) for name, far in change.items()
        }
        return replace(self, methods=methods, moved={**self.moved, cause: by_label})

    @property
    def _stray_end(self) -> tuple[str, float]:
        """The control token that takes the most mass where the answer could end, and its mass."""
        masses: dict[str, float] = {"": 0.0}
        for node, name in self.tree.stray_ends.items():
            share = float(self._raw.mass[node] * np.exp(self.tree.top[node][0][1]))
            masses[name] = masses.get(name, 0.0) + share
        return max(masses.items(), key=lambda pair: pair[1])

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What changes how these numbers should be read."""
        found: list[str] = list(map(str, self.cuts))
        raw = self.signature.normalisation is Normalisation.RAW
        if self.unreadable > MUCH:
            found.append(
                f"{self.unreadable:.0%} of the mass is a risk verdict whose rest cannot be read, "
                "so its labels get little: --off-format unknown counts that as open"
            )
        token, mass = self._stray_end
        found += self._lost_after_label(mass)
        if mass > STRAY:
            found.append(
                f"{mass:.0%} of the mass goes to the control token {token} where the answer could "
                "end: if it ends the model's turn, add its id to eos_token_id in the model's "
                "generation_config.json"
            )
        given = 1.0 if self.verdict is None else self.verdict.high or 0.0
        if given < MUCH:
            found.append(
                f"at most {given:.0%} of the mass gives a verdict: on-format and masked "
                "probabilities are of that part alone, and do not say that the text is safe; "
                "`labelmass explain` shows what is written instead"
            )
        elif raw and self.off_format - mass > MUCH:
            found.append(
                f"{self.off_format:.0%} of the mass leaves the format, so raw probabilities are "
                "small: --normalise on-format conditions on an answer that parses, --normalise "
                "masked is what constrained decoding samples; demonstrations help most"
            )
        nulls = {name for name, scores in self.methods.items() if np.isnan(scores.p).any()}
        steps = nulls & STEPWISE
        if steps:
            found.append(
                f"no label and no empty answer was found to come next, so the shares of "
                f"{', '.join(sorted(steps))} are null"
            )
        if nulls - STEPWISE:
            found.append("nothing on-format was found, so on-format probabilities are null")
        changed = [self.methods[name] for name in self.moved.get("prior", ())]
        if any((scores.high - scores.low > WIDE).any() for scores in changed):
            found.append(
                "taking the prior away has made intervals wide: a smaller --tolerance, or "
                "--relative, explores further"
            )
        if self.tree.greedy_end in (Ending.OFF_FORMAT, Ending.UNREADABLE) and any(
            method in ("hard", "token", "fixed-place") for method in self.methods
        ):
            found.append("the greedy answer leaves the format: only labels before that count")
        return tuple(found)

    def _verdict_masses(self) -> dict[str, Any]:
        """What only a format with a verdict has, or only one without."""
        if self.verdict is None:
            return {"off_format_after_label": self.off_format_after_label}
        return {"unreadable": self.unreadable, "verdict": self.quoted(self.verdict).to_dict()}

    def _lost_after_label(self, explained: float) -> list[str]:
        """Labels that are written and then lost, where the empty answer is not even as likely.

        explained: mass that has a warning of its own.
        """
        after, empty = self.off_format_after_label - explained, self._raw.none
        if empty is None or after <= max(empty.low or 0.0, self.signature.tolerance):
            return []
        return [
            f"{after:.0%} of the mass leaves the format after the text of a label, more than the "
            "empty answer has: on-format probabilities of labels are too low and of the empty "
            "answer too high; a format that reads what the model writes helps (format.tolerate, "
            "separators, stops)"
        ]

    def to_dict(self) -> dict[str, Any]:
        """The result record, plain JSON values."""
        labels = self.tree.labels
        record: dict[str, Any] = {
            "id": self.id,
            "labels": self.labels.to_dict(),
            "empty": None if self.labels.empty is None else self.labels.empty.to_dict(),
        }
        if len(self.methods) > 1:
            record["methods"] = {name: s.to_dict() for name, s in self.methods.items()}
            record["empty_by_method"] = {
                name: s.empty.to_dict() for name, s in self.methods.items() if s.empty is not None
            }
        record |= {
            "none": None if self.none is None else self.none.to_dict(),
            "gate": None if self.gate is None else self.gate.to_dict(),
            "off_format": self.off_format,
            **self._verdict_masses(),
            "unexplored": self.unexplored,
            "sets": [
                {"labels": [labels[i] for i in sorted(members)], **self.quoted(bounds).to_dict()}
                for members, bounds in self.readings.sets()
            ],
            "counts": [self.quoted(bounds).to_dict() for bounds in self.readings.counts()],
            "greedy": self.tree.greedy_text,
            "stopped": self.tree.stopped,
            "missed": {name: one.to_dict() for name, one in self.missed.items()},
            "interval": self.labels.interval,
            "cost": self.cost.to_dict(),
            "signature": self.signature.to_dict(),
        }
        if self.moved:
            record["moved"] = {cause: dict(change) for cause, change in self.moved.items()}
        if self.decisions:
            record["decisions"] = dict(self.decisions)
        if self.cuts:
            record["cut"] = [asdict(cut) for cut in self.cuts]
        if self.warnings:
            record["warnings"] = list(self.warnings)
        if self.input:
            record["input"] = dict(self.input)
        return record


def read_result(
    explored: Explored,
    task: Task,
    estimators: Sequence[Estimator],
    signature: Signature,
    rules: Sequence[Selection] = (),
    beside: Sequence[Beside] = (),
) -> Result:
    """Every estimator's reading of a record, averaged over the label orders of the signature, what
    every rule selects, and what the classifiers beside say.

    MethodError where a tree lacks what one needs, RecordError for a record that a rule or a
    classifier was fitted on.
    """
    scores: dict[str, LabelScores] = {}
    spread: dict[str, NDArray[np.float64]] = {}
    missed: dict[str, Missed] = {}
    budget = Budget(tolerance=signature.tolerance, relative=signature.relative)
    for estimator in estimators:
        variants = [_variant(explored.trees, number) for number in range(signature.orders)]
        every = [_read(estimator, trees, task, signature) for trees in variants]
        scores[estimator.name], spread[estimator.name] = average(every)
        if signature.off_format == "unknown":  # wide by what left the format, however explored
            every = [_read(estimator, trees, task, signature, "not-written") for trees in variants]
        if short := find_missed(estimator, average(every)[0], explored.trees, budget):
            missed[estimator.name] = short
    for rule in rules:
        scores[rule.rule] = rule.read(explored.tree, explored.record.digest)
    for one in beside:
        scores[one.name] = one.read(explored)
    record = explored.record
    result = Result(
        record.id,
        scores,
        explored.trees,
        explored.cost,
        signature,
        missed=missed,
        input=record.input,
        cuts=record.cuts,
    )
    return result.moved_to(scores, "orders", spread) if signature.orders > 1 else result


def mean_log_odds(results: Iterable[Result]) -> Prior:
    """By method, (k,) mean log-odds of the labels over results; nulls are left out.

    What an uncertainty rule selects is no probability, and a classifier reads no prompt: they have
    none.
    """
    odds: dict[str, list[NDArray[np.float64]]] = {}
    for result in results:
        for name in result.methods.keys() - RULES.keys() - CLASSIFIERS:
            odds.setdefault(name, []).append(log_odds(result.methods[name].p))
    return {name: _mean(np.array(found)) for name, found in odds.items()}


def without_prior(result: Result, prior: Prior, *, rate: float, single: bool) -> Result:
    """The result with a prior taken away from every method's scores, see `recentre`."""
    found = {
        name: recentre(scores, prior[name], rate=rate, single=single)
        for name, scores in result.methods.items()
        if name in prior
    }
    return result.moved_to(
        {**result.methods, **{name: scores for name, (scores, _) in found.items()}},
        "prior",
        {name: change for name, (_, change) in found.items()},
    )


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column means of what is known, 0 (no prior) where nothing is."""
    known = ~np.isnan(rows)
    return np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _variant(trees: Mapping[Name, AnswerTree], number: int) -> Mapping[Name, AnswerTree]:
    """The trees of one variant of the task, by the names of the task's own questions."""
    if not number:
        return trees
    mark = f"#{number}"
    return {
        (name[0].removesuffix(mark), *name[1:]): tree
        for name, tree in trees.items()
        if name[0].endswith(mark)
    }


def _read(
    estimator: Estimator,
    trees: Mapping[Name, AnswerTree],
    task: Task,
    signature: Signature,
    off_format: str | None = None,
) -> LabelScores:
    if estimator.name == "any-place" and (off_format or signature.off_format) == "unknown":
        return any_place(trees[ANSWER], signature.normalisation, off_format_unknown=True)
    try:
        return estimator.read(trees, signature.normalisation, task)
    except KeyError:
        raise MethodError(
            f"{estimator.name}: its questions were not asked when these trees were grown; "
            f"score again with --method {estimator.name}"
        ) from None


@dataclass(frozen=True, slots=True)
class Failure:
    """A record without scores, and why.

    decisions: the action a policy takes, `{"action": "review"}`; empty without a policy.
    input: the record's fields as they were given, but for its id, as far as they could be read.
    """

    id: str | int
    error: str
    decisions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    input: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)

    @classmethod
    def of(cls, item: Record | BadRecord, error: str | None = None) -> Failure:
        """Of a record, or of one that could not be read, which says itself why."""
        if isinstance(item, BadRecord):
            return cls(item.id, error or item.error, input=item.input)
        return cls(item.id, error or "", input=item.input)

    def to_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = {"id": self.id, "error": self.error}
        for key, value in (("decisions", self.decisions), ("input", self.input)):
            if value:
                record[key] = dict(value)
        return record


@dataclass(frozen=True)
class Scores(Sequence["Result | Failure"]):
    """Results in the order of their records; failures stand in their places."""

    labels: tuple[str, ...]
    results: tuple[Result | Failure, ...] = field(repr=False)
    signature: Signature

    def __getitem__(self, index: Any) -> Any:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result | Failure]:
        return iter(self.results)

    def to_numpy(self, method: str | None = None) -> NDArray[np.float64]:
        """(n, k) probabilities, NaN for failures; `method` other than the first by name."""
        empty = np.full(len(self.labels), np.nan)
        rows = [
            (r.methods[method] if method else r.labels).p if isinstance(r, Result) else empty
            for r in self.results
        ]
        return np.array(rows, dtype=np.float64).reshape(-1, len(self.labels))

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> NDArray[np.float64]:
        return np.array(self.to_numpy(), dtype=dtype)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Result records, plain JSON values."""
        return [result.to_dict() for result in self.results]

    def __str__(self) -> str:
        return "\n".join(repr(result) for result in self.results)
