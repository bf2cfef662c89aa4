"""Results: the scores of one record, and what kind of number they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._text import canonical
from labelmass._types import Normalisation
from labelmass.answers.marginals import Bounds, Marginals
from labelmass.answers.tree import AnswerTree, Ending
from labelmass.decisions.decisions import Action, DecisionRow
from labelmass.errors import LabelMassError
from labelmass.estimators import ESTIMATORS, LabelScores
from labelmass.provenance import Signature
from labelmass.records import BadRecord
from labelmass.scores.summary import AnswerSummary
from labelmass.task import Record
from labelmass.task.questions import ANSWER, Name
from labelmass.task.record import Cut

OFF_FORMAT_WARNING = 0.5
"""Off-format mass above which a result says so."""

MIN_STRAY_MASS = 0.05
"""Mass on one control token, where the answer could end, above which a result names it."""

WIDE = 0.1
"""An interval this wide, made so by what was done to both its ends, is warned of."""

ROUNDING = 1e-9
"""Excess of an interval over the tolerance that is put down to arithmetic."""

STEPWISE = {
    name
    for name, estimator in ESTIMATORS.items()
    if estimator.requirements.shares != 0 or estimator.requirements.contrast
}
"""The methods that read shares at label steps."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one record.

    Attributes:
        prompt_tokens: Prompt positions really computed (a shared beginning is on the record that
            caused it).
        tree_tokens: Answer positions.
        forward_passes: Calls of the model, each counted on one of the records it served.
        seconds: The record's share of the time.
    """

    prompt_tokens: int = 0
    tree_tokens: int = 0
    forward_passes: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, took: Mapping[str, float]) -> Cost:
        """Cost from the keys of `to_dict`, 0 where one is absent; other keys are ignored."""
        prompt, tree, passes = (
            round(took.get(name, 0)) for name in ("prompt_tokens", "tree_tokens", "forward_passes")
        )
        return cls(prompt, tree, passes, took.get("seconds", 0.0))

    def to_dict(self) -> dict[str, float]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "tree_tokens": self.tree_tokens,
            "forward_passes": self.forward_passes,
            "seconds": round(self.seconds, 6),
        }


@dataclass(frozen=True, slots=True)
class Missed:
    """Reason a method's numbers fell short of the tolerance, and its widest interval."""

    reason: str
    width: float

    def to_dict(self) -> dict[str, Any]:
        return {"reason": self.reason, "width": self.width}


@dataclass(frozen=True, slots=True)
class Masses:
    """Masses of a record read from a file, where there is no tree; NaN where not known.

    Attributes:
        verdict: The least mass on which any verdict is given.
    """

    off_format: float = np.nan
    unreadable: float = np.nan
    verdict: float = np.nan

    def to_dict(self) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for name, mass in (("off_format", self.off_format), ("unreadable", self.unreadable)):
            if not np.isnan(mass):
                results[name] = mass
        if not np.isnan(self.verdict):
            results["verdict"] = Bounds(self.verdict, 1.0, quoted=False).to_dict()
        return results


@dataclass(frozen=True)
class Result:
    """One record's scores. Indexed by label: `result["joy"].p`, `.low`, `.high`.

    Attributes:
        id: Id of the record.
        methods: LabelScores by method; `labels` are those of the first.
        cost: Cost of the record.
        signature: Signature of the run, which identifies the kind of score.
        summary: Summary of the tree of answers; None where the scores are of classifiers
            that read texts alone, or of a file.
        trees: Trees of answers, by question; empty unless they were to be kept.
        moved: Change of p by cause ("label_permutations": spread over them;
            "contextual_calibration": its shift), by method, by label.
        missed: Shortfalls by method, where its numbers miss the tolerance, and why.
        decisions: Decision of the policy on the record, and the number of explorations for it; None
            without a policy.
        input: The record's fields as they were given, except for its id.
        cuts: Its texts that were too long to be shown whole.
        known_masses: Masses that are known without a summary.
        spelt_delimiters: Delimiters of a guard's prompt, plain text, that the record spells.
    """

    id: str | int
    methods: Mapping[str, LabelScores] = field(repr=False)
    cost: Cost
    signature: Signature | None = field(repr=False)
    summary: AnswerSummary | None = field(default=None, repr=False)
    trees: Mapping[Name, AnswerTree] = field(default_factory=dict[Name, AnswerTree], repr=False)
    moved: Mapping[str, Mapping[str, Mapping[str, float]]] = field(
        default_factory=dict[str, Any], repr=False
    )
    missed: Mapping[str, Missed] = field(default_factory=dict[str, Missed], repr=False)
    decisions: DecisionRow | None = field(default=None, repr=False)
    input: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    cuts: tuple[Cut, ...] = field(default=(), repr=False)
    known_masses: Masses = field(default=Masses(), repr=False)
    spelt_delimiters: tuple[str, ...] = field(default=(), repr=False)

    @property
    def labels(self) -> LabelScores:
        """Scores of the first method asked for."""
        return next(iter(self.methods.values()))

    def __getitem__(self, label: str) -> Bounds:
        return self.labels[label]

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {p:.3f}" for name, p in self.labels.ranked()[:5])
        lost = "" if np.isnan(self.off_format) else f"; off-format {self.off_format:.3f}"
        return f"Result({self.id!r}: {scores}{lost})"

    def _repr_html_(self) -> str:
        """Its labels as a table, for a notebook."""
        from labelmass.present.notebook import table_html
        from labelmass.scores.notebook import result_table

        return table_html(result_table(self))

    # -- what the tree says of itself -----------------------------------------------------------

    @property
    def off_format(self) -> float:
        """Probability, as the model generates, of leaving the format; NaN where not known.

        In a format with a verdict, before one: what follows a risk verdict is `unreadable` instead.
        """
        return (self.known_masses if self.summary is None else self.summary).off_format

    @property
    def off_format_after_label(self) -> float:
        """Part of `off_format` that leaves after the text of a label; NaN where not known."""
        return np.nan if self.summary is None else self.summary.off_format_after_label

    @property
    def unexplored(self) -> float:
        """Probability, as the model generates, of what was not looked at; NaN where not known."""
        return np.nan if self.summary is None else self.summary.unexplored

    @property
    def unreadable(self) -> float:
        """Probability, as the model generates, of a risk verdict whose rest cannot be read.

        0 for a format without a verdict, NaN where not known.
        """
        return (self.known_masses if self.summary is None else self.summary).unreadable

    @property
    def empty_answer(self) -> Bounds | None:
        """P(the empty answer)."""
        return None if self.summary is None else self._quoted(self.summary.empty_answer)

    @property
    def verdict_prefix(self) -> Bounds | None:
        """P(a risk verdict is written), whatever follows it; None for a format without one."""
        return None if self.summary is None else self._quoted(self.summary.verdict_prefix)

    @property
    def values(self) -> dict[str, Bounds]:
        """P of each value of a guard's answer, such as "Safety: Controversial"."""
        values = {} if self.summary is None else self.summary.values
        return {name: self._within_tolerance(bounds) for name, bounds in values.items()}

    @property
    def given_risk(self) -> dict[str, Bounds]:
        """P(label, given a risk verdict) of a guard's answer, by label; wide where that is rare."""
        return {} if self.summary is None else dict(self.summary.given_risk)

    @property
    def verdict(self) -> Bounds | None:
        """P(any verdict is given), as the model generates; None for a format without a verdict."""
        if self.summary is not None:
            return self.summary.verdict
        least = self.known_masses.verdict
        return None if np.isnan(least) else Bounds(least, 1.0, quoted=False)

    @property
    def tree(self) -> AnswerTree:
        """The tree of answers to the task itself; LabelMassError if trees were not kept."""
        if ANSWER not in self.trees:
            raise LabelMassError(
                f"record {self.id!r}: its trees were not kept; score with keep_trees=True"
            )
        return self.trees[ANSWER]

    @cached_property
    def marginals(self) -> Marginals:
        """Sets, counts, pairs and the rest of its tree, in the run's normalisation."""
        unknown = self.signature is not None and self.signature.off_format == "unknown"
        return Marginals(self.tree, self.normalisation, unknown)

    def pair(self, label: str, other: str) -> Bounds:
        """P(both labels are written); LabelMassError if trees were not kept."""
        labels = list(map(canonical, self.tree.labels))
        first, second = (labels.index(canonical(name)) for name in (label, other))
        return self._within_tolerance(self.marginals.pair(first, second))

    def _quoted(self, bounds: Bounds | None) -> Bounds | None:
        return None if bounds is None else self._within_tolerance(bounds)

    def _within_tolerance(self, bounds: Bounds) -> Bounds:
        """Bounds that the tree gives beside the methods: a number only within the tolerance.

        No method need have asked for them, so the tree may say little of them.
        """
        return bounds if self.signature is None else bounds.within(self.tolerance + ROUNDING)

    @property
    def normalisation(self) -> Normalisation:
        """Normalisation of the run; raw where it is not known."""
        return Normalisation.RAW if self.signature is None else self.signature.normalisation

    @property
    def tolerance(self) -> float:
        """Tolerance of the run; 0 where it is not known."""
        return 0.0 if self.signature is None else self.signature.tolerance

    # -- changes --------------------------------------------------------------------------------

    def without_trees(self) -> Result:
        """The same, free of what takes most of the memory."""
        return replace(self, trees={})

    def moved_to(
        self,
        methods: Mapping[str, LabelScores],
        cause: str,
        change: Mapping[str, NDArray[np.float64]],
    ) -> Result:
        """The result with other scores. change: by method, (k,) how far p moved."""
        labels = self.labels.labels
        by_label = {
            name: dict(zip(labels, far.tolist(), strict=True)) for name, far in change.items()
        }
        return replace(self, methods=methods, moved={**self.moved, cause: by_label})

    # -- warnings -------------------------------------------------------------------------------

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Warnings that change how these numbers should be read."""
        summary = self.summary
        results: list[str] = list(map(str, self.cuts))
        if self.spelt_delimiters:
            results.append(
                f"the record spells {', '.join(map(repr, self.spelt_delimiters))}, which the "
                "guard's prompt uses as structure, in plain text: it may steer the verdict"
            )
        if summary is not None:
            results += self._warnings_of(summary)
        nulls = {name for name, scores in self.methods.items() if np.isnan(scores.p).any()}
        steps = nulls & STEPWISE
        if steps:
            results.append(
                f"no label and no empty answer was found to come next, so the shares of "
                f"{', '.join(sorted(steps))} are null"
            )
        if nulls - STEPWISE and summary is not None:
            results.append("nothing on-format was found, so on-format probabilities are null")
        changed = [self.methods[name] for name in self.moved.get("contextual_calibration", ())]
        if any((scores.high - scores.low > WIDE).any() for scores in changed):
            results.append(
                "contextual calibration has made intervals wide: a smaller --tolerance, or "
                "--relative, explores further"
            )
        if summary is not None and summary.greedy_end in (Ending.OFF_FORMAT, Ending.UNREADABLE):
            if {"hard", "token", "fixed-place"} & self.methods.keys():
                results.append("the greedy answer leaves the format: only labels before that count")
        return tuple(results)

    def _warnings_of(self, summary: AnswerSummary) -> list[str]:
        results: list[str] = []
        raw = self.normalisation is Normalisation.RAW
        if summary.unreadable > OFF_FORMAT_WARNING:
            results.append(
                f"{summary.unreadable:.0%} of the mass is a risk verdict whose rest cannot be "
                "read, so its labels get little: --off-format unknown counts that as open"
            )
        token, mass = summary.stray_end
        results += self._lost_after_label(summary, mass)
        if mass > MIN_STRAY_MASS:
            results.append(
                f"{mass:.0%} of the mass goes to the control token {token} where the answer could "
                "end: if it ends the model's turn, add its id to eos_token_id in the model's "
                "generation_config.json"
            )
        given = 1.0 if summary.verdict is None else summary.verdict.high or 0.0
        if given < OFF_FORMAT_WARNING:
            results.append(
                f"at most {given:.0%} of the mass gives a verdict: on-format and masked "
                "probabilities are of that part alone, and do not say that the text is safe; "
                "`labelmass explain` shows what is written instead"
            )
        elif raw and summary.off_format - mass > OFF_FORMAT_WARNING:
            results.append(
                f"{summary.off_format:.0%} of the mass leaves the format, so raw probabilities are "
                "small: --normalise on-format conditions on an answer that parses, --normalise "
                "masked is what constrained decoding samples; demonstrations help most"
            )
        return results

    def _lost_after_label(self, summary: AnswerSummary, explained: float) -> list[str]:
        """Labels that are written and then lost, where the empty answer is not even as likely.

        Args:
            explained: Mass that has a warning of its own.
        """
        after, empty = summary.off_format_after_label - explained, summary.raw_empty_answer
        if empty is None or after <= max(empty.low or 0.0, self.tolerance):
            return []
        return [
            f"{after:.0%} of the mass leaves the format after the text of a label, more than the "
            "empty answer has: on-format probabilities of labels are too low and of the empty "
            "answer too high; a format that reads what the model writes helps (format.tolerate, "
            "separators, stops)"
        ]

    # -- JSON -----------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The result record, plain JSON values; without what only a tree says where none was."""
        record: dict[str, Any] = {"id": self.id, "labels": self.labels.to_dict()}
        if self.summary is not None:
            record["empty"] = None if self.labels.empty is None else self.labels.empty.to_dict()
        if len(self.methods) > 1:
            record["methods"] = {name: s.to_dict() for name, s in self.methods.items()}
            if self.summary is not None:
                record["empty_by_method"] = {
                    name: s.empty.to_dict() for name, s in self.methods.items() if s.empty
                }
        if self.summary is not None:
            record |= self._tree_fields(self.summary)
        else:
            record |= self.known_masses.to_dict()
            if self.missed:
                record["missed"] = {name: missed.to_dict() for name, missed in self.missed.items()}
        record |= {
            "interval": self.labels.interval,
            "cost": self.cost.to_dict(),
        }
        if self.signature is not None:
            record["signature"] = self.signature.to_dict()
        if self.moved:
            record["moved"] = {cause: dict(change) for cause, change in self.moved.items()}
        if self.decisions is not None:
            record["decisions"] = dict(self.decisions)
        if self.cuts:
            record["cut"] = [asdict(cut) for cut in self.cuts]
        if self.warnings:
            record["warnings"] = list(self.warnings)
        if self.input:
            record["input"] = dict(self.input)
        return record

    def _tree_fields(self, summary: AnswerSummary) -> dict[str, Any]:
        quoted = self._within_tolerance
        empty_answer, verdict_prefix = self.empty_answer, self.verdict_prefix
        fields: dict[str, Any] = {
            "empty_answer": None if empty_answer is None else empty_answer.to_dict(),
            "verdict_prefix": None if verdict_prefix is None else verdict_prefix.to_dict(),
            "off_format": summary.off_format,
        }
        if summary.verdict is None:
            fields["off_format_after_label"] = summary.off_format_after_label
        else:
            fields["unreadable"] = summary.unreadable
            fields["verdict"] = quoted(summary.verdict).to_dict()
        for name in ("values", "given_risk"):
            if table := getattr(self, name):
                fields[name] = {key: bounds.to_dict() for key, bounds in table.items()}
        return fields | {
            "unexplored": summary.unexplored,
            "sets": [
                {"labels": list(names), **quoted(bounds).to_dict()}
                for names, bounds in summary.sets
            ],
            "counts": [quoted(bounds).to_dict() for bounds in summary.counts],
            "greedy": summary.greedy,
            "stopped": summary.stopped,
            "missed": {name: missed.to_dict() for name, missed in self.missed.items()},
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A record without scores, and why. Indexed by label, it says that nothing is known.

    Attributes:
        decisions: The action a policy takes, `{"action": "review"}`; None without a policy.
        input: The record's fields as they were given, except for its id, as far as they could be
            read.
    """

    id: str | int
    error: str
    decisions: Action | None = None
    input: Mapping[str, object] = field(
        default_factory=dict[str, object], repr=False, compare=False
    )

    @classmethod
    def of(cls, item: Record | BadRecord, error: str | None = None) -> Failure:
        """Failure of a record, or of one that could not be read and brings its own error."""
        if isinstance(item, BadRecord):
            return cls(item.id, error or item.error, input=item.input)
        return cls(item.id, error or "", input=item.input)

    def __getitem__(self, label: str) -> Bounds:
        return Bounds(0.0, 1.0, quoted=False)

    def _repr_html_(self) -> str:
        """Why the record has no scores, for a notebook."""
        from labelmass.present.notebook import table_html
        from labelmass.scores.notebook import failure_table

        return table_html(failure_table(self))

    def to_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = {"id": self.id, "error": self.error}
        if self.decisions is not None:
            record["decisions"] = dict(self.decisions)
        if self.input:
            record["input"] = dict(self.input)
        return record


Outcome = Result | Failure


def verdict_masses(result: Outcome) -> tuple[float, float]:
    """The mass that cannot be read, and the least with any verdict; NaN for a format without."""
    verdict = None if isinstance(result, Failure) else result.verdict
    if isinstance(result, Failure) or verdict is None or verdict.low is None:
        return np.nan, np.nan
    return result.unreadable, verdict.low
