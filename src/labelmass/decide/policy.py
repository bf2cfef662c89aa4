"""The policy: what is done at which score, why one may, and on which data that rests."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from labelmass._text import find
from labelmass.decide.drift import Reference
from labelmass.decide.guarantee import Guarantee
from labelmass.decide.toml import dumps
from labelmass.errors import FitError

KIND = "labelmass policy 1"

ACTIONS = ("allow", "flag", "review", "block")
"""Mildest first: a record gets the strictest of its labels' actions."""

STRADDLES = {
    "review": "goes to review",
    "point": "is decided by its point score p, without guarantee",
    "high": "is decided by its upper bound, without guarantee: on the safe side for misses",
    "low": "is decided by its lower bound, without guarantee: on the safe side for false alarms",
}
"""What becomes of a label whose interval leaves two outcomes open."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One label: at or above `threshold` the action is taken; None means never.

    review_from: scores from here to just below the threshold go to review. guarantee: of this very
    threshold. note: what a reader must know, as that a threshold was moved by hand.
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
        if low is not None and high is not None and low > high:
            raise FitError(f"review begins at {low:g}, above the threshold {high:g}")

    @property
    def certified(self) -> bool:
        return self.guarantee is not None and self.guarantee.threshold is not None

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
        promise = self.guarantee and self.guarantee.to_dict()
        return {
            "action": self.action,
            "threshold": self.threshold,
            "review_from": self.review_from,
            "note": self.note,
            "guarantee": promise,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Rule:
        """What `to_dict` wrote. A threshold edited since is one moved by hand."""
        promise = data.get("guarantee")
        guarantee = None if promise is None else Guarantee.from_dict(_filled(promise))
        threshold, review = data.get("threshold"), data.get("review_from")
        if guarantee is None or guarantee.threshold in (None, threshold):
            return cls(data["action"], threshold, review, guarantee, data.get("note", ""))
        moved = cls(data["action"], guarantee.threshold, None, guarantee).moved(threshold)
        return replace(moved, review_from=review)


def _filled(promise: Mapping[str, Any]) -> dict[str, Any]:
    """A guarantee as TOML keeps it, without null."""
    return dict.fromkeys(("confidence", "threshold")) | dict(promise)


@dataclass(frozen=True)
class Policy:
    """Rules by label, in the labels' order, and what they rest on.

    straddle: a key of `STRADDLES`. records, ids: the labelled records the thresholds were found on,
    and the `fingerprint` of their ids. signature: of their scores. calibrator: the `digest` of the
    calibrator the scores went through, None if none. reference: for `drift`.
    """

    rules: Mapping[str, Rule]
    straddle: str = "review"
    records: int | None = None
    ids: str | None = None
    signature: Mapping[str, Any] | None = field(default=None, repr=False)
    calibrator: str | None = None
    reference: Reference | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.rules:
            raise FitError("a policy without labels decides nothing: give a rule for each")
        if self.straddle not in STRADDLES:
            raise FitError(f"straddle is one of {', '.join(STRADDLES)}, not {self.straddle!r}")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.rules)

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        return tuple(rule.threshold for rule in self.rules.values())

    @property
    def digest(self) -> str:
        """12 hex digits of all it holds."""
        return sha256(json.dumps(self.to_dict()).encode()).hexdigest()[:12]

    @property
    def text(self) -> str:
        """The policy in sentences: a line a label, and what becomes of straddling records."""
        lines: list[str] = []
        for label, rule in self.rules.items():
            at = "never" if rule.threshold is None else f"at {rule.threshold:g} or more"
            band = "" if rule.review_from is None else f", review from {rule.review_from:g}"
            why = rule.guarantee.text if rule.guarantee else (rule.note or "no guarantee")
            lines.append(f"{label}: {rule.action} {at}{band}. {why}")
        lines.append(f"A label whose interval leaves two outcomes open {STRADDLES[self.straddle]}.")
        return "\n".join(lines)

    def move(self, label: str, threshold: float | None) -> Policy:
        """With one threshold moved by hand: its guarantee is gone and its note says so.

        Promises made together with it still hold. A promise for all labels together is gone whole.
        """
        name = find(label, self.rules)
        if name is None:
            raise FitError(f"no label is called {label!r}: one of {', '.join(self.rules)}")
        moved = self.rules[name].moved(threshold)
        return replace(self, rules=_together({**self.rules, name: moved}))

    # -- storage --------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain data without null: a key that is missing is a None."""
        whole = {
            "kind": KIND,
            "straddle": self.straddle,
            "labels": {label: rule.to_dict() for label, rule in self.rules.items()},
            "data": {"records": self.records, "ids": self.ids, "calibrator": self.calibrator},
            "signature": self.signature,
            "reference": self.reference and self.reference.to_dict(),
        }
        return cast("dict[str, Any]", _without_none(whole))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Policy:
        """What `to_dict` wrote, thresholds edited by hand included; FitError for anything else."""
        try:
            if data["kind"] != KIND:
                raise FitError(f"not a policy this version reads: kind {data['kind']!r}")
            origin, reference = data.get("data", {}), data.get("reference")
            rules = {label: Rule.from_dict(rule) for label, rule in data["labels"].items()}
            return cls(
                _together(rules),
                data["straddle"],
                origin.get("records"),
                origin.get("ids"),
                data.get("signature"),
                origin.get("calibrator"),
                reference and Reference.from_dict(reference),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise FitError(f"not a policy of labelmass: {error!r}") from None

    def save(self, path: str | Path) -> None:
        """As TOML where the name ends in .toml, else as JSON."""
        data = self.to_dict()
        if Path(path).suffix.lower() == ".toml":
            text = dumps(data)
        else:
            text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """FitError if the file is not there or holds no policy."""
        reads = tomllib.loads if Path(path).suffix.lower() == ".toml" else json.loads
        try:
            data = reads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FitError(f"cannot read the policy {str(path)!r}: {error}") from None
        return cls.from_dict(data)


def _together(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """A promise for all labels together holds for all rules or for none."""
    joint = [rule.guarantee is not None and rule.guarantee.label == "*" for rule in rules.values()]
    if all(joint) or not any(joint):
        return dict(rules)
    note = "another label's threshold was moved by hand: no guarantee"
    return {
        label: replace(rule, guarantee=None, note=note) if one else rule
        for one, (label, rule) in zip(joint, rules.items(), strict=True)
    }


def _without_none(value: object) -> object:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {key: _without_none(one) for key, one in items if one is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_none(one) for one in cast("Sequence[object]", value)]
    return value
