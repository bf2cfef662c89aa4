"""A rule: what is done at which score of one label, and why one may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelmass.decisions.guarantee import Guarantee
from labelmass.decisions.thresholds import FittedThreshold, Goal
from labelmass.decisions.unmet import NOTES, fallback
from labelmass.errors import FitError, LabelMassError
from labelmass.files import shaped

ACTIONS = ("allow", "flag", "review", "block")
"""Mildest first: a record gets the strictest of its labels' actions."""

NEVER = "never"
"""In a file, the threshold of a label that is never given."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One label: at or above `threshold` the action is taken; None means never.

    review_from: scores from here to just below the threshold go to review; 0 for all of them.
    guarantee: of this very threshold, or that there is none. note: what a reader must know, as that
    a threshold was moved by hand. FitError for a threshold that is not in [0, 1].
    """

    action: str
    threshold: float | None
    review_from: float | None = None
    guarantee: Guarantee | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise FitError(f"no action is called {self.action!r}: one of {', '.join(ACTIONS)}")
        low, high = self.review_from, self.threshold
        for name, cut in (("threshold", high), ("review_from", low)):
            if cut is not None:
                check_share(name, cut)
        if low is not None and high is not None and low > high:
            raise FitError(f"review begins at {low:g}, above the threshold {high:g}")

    @classmethod
    def of(
        cls,
        action: str,
        basis: Guarantee | FittedThreshold,
        unmet: str | None = None,
        best: float | None = None,
    ) -> Rule:
        """The rule with a guarantee, or with a goal reached on the records at hand.

        unmet: what is done if there is no guarantee, or no threshold reaches the goal, of `UNMET`;
            None for what keeps the goal all the same: review on every record for recall and miss
            rate, never for precision and false positives. best: the threshold of "best", as
            `nearest` gives it; without one, the default is taken.
        """
        if isinstance(basis, Guarantee):
            kind, threshold, guarantee, note = basis.kind, basis.threshold, basis, ""
        else:
            goal = Goal.parse(basis.goal)
            kind, threshold, guarantee, note = goal.kind, basis.value, None, basis.note
        if basis.met:
            return cls(action, threshold, guarantee=guarantee, note=note)
        way = fallback(kind, unmet)
        if way == "best" and best is not None:
            reason = f"{best:g} is the best threshold on these records, without a guarantee"
            return cls(action, best, None, guarantee, _joined(note, reason))
        way = fallback(kind) if way == "best" else way
        cut, review = _EXTREMES[way]
        return cls(action, cut, review, guarantee, _joined(note, NOTES[way]))

    @property
    def certified(self) -> bool:
        return self.guarantee is not None and self.guarantee.met

    @property
    def everywhere(self) -> bool:
        """True if the action, or the review, is for every record, whatever its score."""
        return self.threshold == 0 or (self.threshold is None and self.review_from == 0)

    @property
    def when(self) -> str:
        """From which score on what is done."""
        if self.everywhere:
            return f"{'review' if self.threshold is None else self.action} on every record"
        band = "" if self.review_from is None else f", review from {self.review_from:g}"
        at = "never" if self.threshold is None else f"at {self.threshold:g} or more"
        return f"{self.action} {at}{band}"

    @property
    def why(self) -> str:
        """Justification of the rule: its guarantee, or that there is none."""
        if self.guarantee is None:
            return self.note or "no guarantee"
        addition = f" {self.note[0].upper()}{self.note[1:]}." if self.note else ""
        return self.guarantee.text + addition

    def moved(self, threshold: float | None) -> Rule:
        """With another threshold, and so without guarantee; the note says from where."""
        if threshold == self.threshold:
            return self
        was = "never" if self.threshold is None else f"{self.threshold:g}"
        lost = ", which was certified" if self.certified else ""
        note = f"moved by hand from {was}{lost}: no guarantee"
        review = self.review_from
        if review is not None and threshold is not None:
            review = min(review, threshold)
        return Rule(self.action, threshold, review, None, note)

    def to_dict(self) -> dict[str, Any]:
        basis = self.guarantee and self.guarantee.to_dict()
        return {
            "action": self.action,
            "threshold": NEVER if self.threshold is None else self.threshold,
            "review_from": self.review_from,
            "note": self.note,
            "guarantee": basis,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Rule:
        """Inverse of `to_dict`. A threshold edited since counts as moved by hand.

        FitError without an action or a threshold, and for a key that a rule has not: a label whose
        threshold was lost must not be one that is never given.
        """
        check_keys("a rule", data, ("action", "threshold"), ("review_from", "note", "guarantee"))
        try:
            stored = shaped(_Stored, data)
        except LabelMassError as error:
            raise FitError(str(error)) from None
        basis, review = stored.guarantee, stored.review_from
        guarantee = None if basis is None else Guarantee.from_dict(_filled(basis))
        threshold = None if stored.threshold == NEVER else stored.threshold
        if guarantee is None or guarantee.threshold in (None, threshold):
            note = stored.note
            if not _still(note, threshold, review):
                note = "moved by hand: no guarantee"
            return cls(stored.action, threshold, review, guarantee, note)
        moved = cls(stored.action, guarantee.threshold, None, guarantee).moved(threshold)
        return replace(moved, review_from=review)

    @classmethod
    def from_earlier(cls, data: Mapping[str, Any]) -> Rule:
        """From a file of an earlier version, which never gave a label without a guarantee.

        That guaranteed no recall: such a label goes to review on every record.
        """
        rule = cls.from_dict({"threshold": NEVER, **data})
        basis, never = rule.guarantee, rule.threshold is None and rule.review_from is None
        if basis is None or basis.met or not never:
            return rule
        return cls.of(rule.action, basis)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A label's entry in a policy's file."""

    action: str
    threshold: Any  # a number, checked as such, or `NEVER`
    review_from: Any = None
    note: str = ""
    guarantee: Mapping[str, Any] | None = None


_EXTREMES = {"review": (None, 0.0), "always": (0.0, None), "never": (None, None)}
"""Threshold and start of review of a rule that fell back."""


def _joined(note: str, addition: str) -> str:
    return f"{note}; {addition}" if note else addition


def _still(note: str, threshold: float | None, review: float | None) -> bool:
    """True if a rule still does what its note says it fell back to; a band may have come below."""
    for way, (cut, start) in _EXTREMES.items():
        if note.endswith(NOTES[way]):
            return threshold == cut and start in (None, review)
    return True


def check_share(name: str, value: Any) -> None:
    """FitError unless it is a number from 0 to 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise FitError(f"{name} is {value!r}: a number from 0 to 1")


def check_keys(
    what: str, data: Mapping[str, Any], needed: Sequence[str], further: Sequence[str]
) -> None:
    """FitError naming the first key that is missing, or that is none of these."""
    for key in needed:
        if key not in data:
            hint = f', "{NEVER}" if the label is never given' if key == "threshold" else ""
            raise FitError(f"{what} without {key!r}: give one{hint}")
    for key in data:
        if key not in (*needed, *further):
            raise FitError(f"{what} with {key!r}: its keys are {', '.join((*needed, *further))}")


def _filled(basis: Mapping[str, Any]) -> dict[str, Any]:
    """A guarantee as TOML keeps it, without null."""
    return dict.fromkeys(("confidence", "threshold")) | dict(basis)
