"""The policy: a rule for each label, and on which data they rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from labelmass._text import canonical, find
from labelmass.artifacts import ArtifactKind
from labelmass.decisions.drift import Reference
from labelmass.decisions.rule import NEVER, Rule, check_keys, check_share
from labelmass.errors import FitError, LabelMassError
from labelmass.files import shaped

KIND = ArtifactKind("policy", 2, FitError)
"""In version 1 a label without a threshold is never given, see `Rule.from_earlier`."""

MIN_VERDICT = 0.5
"""A record of which less than this gives any verdict goes to review, unless a policy says else."""

STRADDLES = {
    "review": "goes to review",
    "point": "is decided by its point score p, without guarantee",
    "high": "is decided by its upper bound, without guarantee: on the safe side for misses",
    "low": "is decided by its lower bound, without guarantee: on the safe side for false alarms",
}
"""Outcome of a label whose interval leaves two outcomes open."""


@dataclass(frozen=True)
class Policy:
    """Rules by label, in the labels' order, and what they rest on.

    Attributes:
        straddle: A key of `STRADDLES`.
        records, ids: The labelled records the thresholds were found on, and the `fingerprint` of
            their ids.
        signature: Signature of their scores.
        calibrator: The `digest` of the calibrator the scores went through, None if none.
        reference: For `drift`.
        min_verdict: A record of which less mass than this gives any verdict goes to review, where
            the format has one.
    """

    rules: Mapping[str, Rule]
    straddle: str = "review"
    records: int | None = None
    ids: str | None = None
    signature: Mapping[str, object] | None = field(default=None, repr=False)
    calibrator: str | None = None
    reference: Reference | None = field(default=None, repr=False)
    min_verdict: float = MIN_VERDICT

    def __post_init__(self) -> None:
        if not self.rules:
            raise FitError("a policy without labels decides nothing: give a rule for each")
        if self.straddle not in STRADDLES:
            raise FitError(f"straddle is one of {', '.join(STRADDLES)}, not {self.straddle!r}")
        check_share("min_verdict", self.min_verdict)
        known = self.rules if self.reference is None else self.reference.scores
        rules, scores = (set(map(canonical, names)) for names in (self.rules, known))
        if rules != scores:
            odd = sorted(rules ^ scores)[0]
            lacks = "its rules lack it" if odd in scores else "its reference does"
            raise FitError(
                f"the policy has label {odd!r} in one place and not in another ({lacks}): a label "
                f'that is never given has a rule with threshold "{NEVER}"'
            )

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.rules)

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        return tuple(rule.threshold for rule in self.rules.values())

    @property
    def requires_verdict(self) -> bool | None:
        """True if the scores it was made on say how much of a record gives a verdict.

        None where it remembers no scores.
        """
        return None if self.reference is None else "verdict" in self.reference.masses

    @cached_property
    def digest(self) -> str:
        """12 hex digits of all it holds."""
        return sha256(json.dumps(self.to_dict()).encode()).hexdigest()[:12]

    @property
    def text(self) -> str:
        """The policy in sentences: a line a label, and what becomes of straddling records."""
        lines: list[str] = []
        for label, rule in self.rules.items():
            lines.append(f"{label}: {rule.when}. {rule.why}")
        lines.append(f"A label whose interval leaves two outcomes open {STRADDLES[self.straddle]}.")
        lines.append(
            f"Where the format has a verdict, a record of which less than {self.min_verdict:g} "
            "gives one goes to review."
        )
        return "\n".join(lines)

    def move(self, label: str, threshold: float | None) -> Policy:
        """With one threshold moved by hand: its guarantee is gone and its note says so.

        Guarantees made together with it still hold. One for all labels together is lost entirely.
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
            "kind": KIND.mark,
            "straddle": self.straddle,
            "min_verdict": self.min_verdict,
            "labels": {label: rule.to_dict() for label, rule in self.rules.items()},
            "data": {"records": self.records, "ids": self.ids, "calibrator": self.calibrator},
            "signature": self.signature,
            "reference": self.reference and self.reference.to_dict(),
        }
        return cast("dict[str, Any]", _without_none(whole))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Policy:
        """Inverse of `to_dict`; thresholds may be edited by hand. FitError for other data."""
        try:
            earlier = KIND.version_of(data) == 1
            if not earlier:
                check_keys("a policy", data, ("kind", "straddle", "labels"), _FURTHER)
            stored = shaped(_Stored, data)
        except FitError:
            raise
        except LabelMassError as error:
            raise FitError(f"not a policy of labelmass: {error}") from None
        read = Rule.from_earlier if earlier else Rule.from_dict
        calibrator = (stored.signature or {}).get("calibrator")
        if "calibrator" in data.get("data", {}):
            calibrator = stored.data.calibrator
        return cls(
            _together(_rules(stored.labels, read)),
            stored.straddle,
            stored.data.records,
            stored.data.ids,
            stored.signature,
            calibrator,
            None if stored.reference is None else Reference.from_dict(stored.reference),
            stored.min_verdict,
        )

    def save(self, path: str | Path) -> None:
        """As TOML where the name ends in .toml, else as JSON."""
        KIND.save(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """FitError if the file is not there or holds no policy."""
        return KIND.load(path, cls.from_dict)


@dataclass(frozen=True, slots=True)
class _Origin:
    records: int | None = None
    ids: str | None = None
    calibrator: str | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    """Contents of a policy's file."""

    straddle: str
    labels: Mapping[str, Mapping[str, Any]]
    data: _Origin = _Origin()
    signature: Mapping[str, Any] | None = None
    reference: Mapping[str, Any] | None = None
    min_verdict: Any = MIN_VERDICT  # checked as a share


_FURTHER = ("min_verdict", "data", "signature", "reference")


def _rules(
    labels: Mapping[str, Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Rule]
) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for label, rule in labels.items():
        try:
            rules[label] = read(rule)
        except FitError as error:
            raise FitError(f"label {label!r}: {error}") from None
    return rules


def _together(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """A guarantee for all labels together holds for all rules or for none."""
    joint = [rule.guarantee is not None and rule.guarantee.label == "*" for rule in rules.values()]
    if all(joint) or not any(joint):
        return dict(rules)
    note = "another label's threshold was moved by hand: no guarantee"
    return {
        label: replace(rule, guarantee=None, note=note) if is_joint else rule
        for is_joint, (label, rule) in zip(joint, rules.items(), strict=True)
    }


def _without_none(value: object) -> object:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {key: _without_none(item) for key, item in items if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_none(item) for item in cast("Sequence[object]", value)]
    return value
