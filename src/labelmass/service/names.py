"""Names of other services' categories, each an expression over our labels, in a TOML file."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelmass._text import find, nearest
from labelmass.decisions.decisions import DecisionRow, LabelOutcome
from labelmass.errors import LabelMassError
from labelmass.estimators import LabelScores
from labelmass.files import read_toml, shaped

ABSENT = "absent"
"""In place of an expression: the service has nothing for this name."""


@dataclass(frozen=True, slots=True)
class Value:
    """An expression's value: a probability with bounds, and whether it is given.

    Attributes:
        outcome: What the policy says; None without one.
    """

    p: float
    low: float
    high: float
    outcome: LabelOutcome | None = None

    def to_dict(self) -> dict[str, float]:
        return {"p": self.p, "low": self.low, "high": self.high}


class Expression(ABC):
    """An expression over labels."""

    @abstractmethod
    def value(self, scores: LabelScores, decided: DecisionRow | None) -> Value:
        """Its value for one record.

        Args:
            scores: Scores of the labels.
            decided: The policy's decision; None without a policy.
        """


@dataclass(frozen=True, slots=True)
class _Label(Expression):
    name: str

    def value(self, scores: LabelScores, decided: DecisionRow | None) -> Value:
        at = scores.labels.index(self.name)
        p, low, high = (float(end[at]) for end in (scores.p, scores.low, scores.high))
        low, high = (p if np.isnan(end) else end for end in (low, high))
        return Value(p, low, high, None if decided is None else outcome_of(self.name, decided))


@dataclass(frozen=True, slots=True)
class _Extreme(Expression):
    """The largest, or smallest, of several values: each end is that of the ends."""

    largest: bool
    parts: tuple[Expression, ...]

    def value(self, scores: LabelScores, decided: DecisionRow | None) -> Value:
        values = [part.value(scores, decided) for part in self.parts]
        choose = max if self.largest else min
        p, low, high = (choose(getattr(v, end) for v in values) for end in ("p", "low", "high"))
        outcomes = [v.outcome for v in values if v.outcome is not None]
        return Value(p, low, high, choose(outcomes) if outcomes else None)


@dataclass(frozen=True, slots=True)
class _Complement(Expression):
    part: Expression

    def value(self, scores: LabelScores, decided: DecisionRow | None) -> Value:
        inner = self.part.value(scores, decided)
        outcome = None if inner.outcome is None else LabelOutcome(2 - inner.outcome)
        return Value(1 - inner.p, 1 - inner.high, 1 - inner.low, outcome)


def outcome_of(label: str, decided: DecisionRow) -> LabelOutcome:
    """What a policy's decision says of one label."""
    if label in decided["given"]:
        return LabelOutcome.ABOVE
    return LabelOutcome.REVIEW if label in decided["review"] else LabelOutcome.BELOW


def parse_expression(text: str, labels: Sequence[str]) -> Expression:
    """An expression: a label, or `max(...)`, `min(...)` or `not(...)` of expressions.

    Labels stand as they are, blanks and all; a label that holds one of `,()` stands alone only.

    Raises:
        LabelMassError: Naming the part that is wrong.
    """
    text = text.strip()
    if (name := find(text, labels)) is not None:
        return _Label(name)
    call = re.fullmatch(r"(max|min|not)\s*\((.*)\)", text, re.DOTALL)
    if call is None:
        raise LabelMassError(
            f"no label is called {text!r}{nearest(text, labels)} (labels: {', '.join(labels)})"
        )
    parts = [parse_expression(part, labels) for part in _split(call[2])]
    if call[1] == "not":
        if len(parts) != 1:
            raise LabelMassError(f"not(...) takes one expression, not {len(parts)}")
        return _Complement(parts[0])
    return _Extreme(call[1] == "max", tuple(parts))


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


@dataclass(frozen=True, slots=True)
class PerspectiveNames:
    """Attributes of the Perspective face.

    Attributes:
        attributes: Expressions by attribute.
        languages: Languages that the model is trusted with; empty for any.
        default_language: Language of a comment that comes without one; None to refuse it, if
            `languages` are named, for no language is detected here.
    """

    attributes: Mapping[str, Expression]
    languages: tuple[str, ...] = ()
    default_language: str | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """Names that faces give to our labels.

    Attributes:
        openai: Expressions by category of OpenAI's moderations, None for `ABSENT`; None if that
            face is not served.
        perspective: None if that face is not served.
    """

    openai: Mapping[str, Expression | None] | None = None
    perspective: PerspectiveNames | None = None

    @classmethod
    def load(cls, path: str | Path, labels: Sequence[str]) -> Names:
        """Read a file of names.

        Raises:
            LabelMassError: For an unknown table, category or label, and for a category of OpenAI's
                that the file does not name.
        """
        try:
            data = read_toml(path)
            stored = shaped(_Stored, data)
            check_tables(data, ("openai", "perspective"))
            openai = None if stored.openai is None else _openai(stored.openai, labels)
            perspective = (
                None if stored.perspective is None else _perspective(stored.perspective, labels)
            )
        except LabelMassError as error:
            raise LabelMassError(f"cannot read the names in {str(path)!r}: {error}") from None
        return cls(openai, perspective)


CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""Categories of OpenAI's moderations, all of which its clients read."""


@dataclass(frozen=True, slots=True)
class _Stored:
    openai: Mapping[str, str] | None = None
    perspective: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Perspective:
    attributes: Mapping[str, str]
    languages: Sequence[str] = ()
    default_language: str | None = None


def check_tables(data: Mapping[str, Any], known: Sequence[str]) -> None:
    """LabelMassError for a key that is none of these."""
    for name in data:
        if name not in known:
            raise LabelMassError(f"no table or key is called {name!r}{nearest(name, known)}")


def _openai(table: Mapping[str, str], labels: Sequence[str]) -> dict[str, Expression | None]:
    check_tables(table, CATEGORIES)
    if missing := [name for name in CATEGORIES if name not in table]:
        raise LabelMassError(
            f'[openai] lacks {missing[0]!r}: give an expression over the labels, or "{ABSENT}"'
        )
    return {
        name: None if table[name] == ABSENT else _named(name, table[name], labels)
        for name in CATEGORIES
    }


def _perspective(table: Mapping[str, Any], labels: Sequence[str]) -> PerspectiveNames:
    check_tables(table, ("attributes", "languages", "default_language"))
    stored = shaped(_Perspective, table)
    languages, default = tuple(stored.languages), stored.default_language
    if default is not None and languages and default not in languages:
        raise LabelMassError(f"default_language is {default!r}: one of {', '.join(languages)}")
    expressions = {
        name: _named(name, text, labels)
        for name, text in stored.attributes.items()
        if text != ABSENT
    }
    return PerspectiveNames(expressions, languages, default)


def _named(name: str, text: str, labels: Sequence[str]) -> Expression:
    try:
        return parse_expression(text, labels)
    except LabelMassError as error:
        raise LabelMassError(f"{name}: {error}") from None
