"""Guarantee of a threshold, its records, and the number of records it would need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from labelmass.errors import FitError, LabelMassError
from labelmass.files import shaped

STATEMENTS = {
    "precision": "at least {level:g} of what is given {label!r} is right",
    "recall": "at least {level:g} of the records with {label!r} are given it",
    "fpr": "at most {level:g} of the records without {label!r} are given it",
    "miss-rate": "at most {level:g} of the records with {label!r} are not given it",
    "record-miss-rate": "of a record's labels at most {level:g} are missed, in the mean over "
    "records that have one",
}
"""Statements about new records, by kind of guarantee."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """Guarantee of the rule "given where the exact score >= threshold", or that there is none.

    label: its name, "*" for all labels together. threshold: None if there is no guarantee; what a
        policy does then, `Rule.of` says.
    confidence: over the draw of the calibration records, that this guarantee and those made with it
        for `family` labels hold all at once; None for a guarantee in expectation over that draw.
    records: calibration records with a known score and target; counted: those (in soft counts) that
        the risk is a share of, with `errors` the worst sum of losses over their intervals.
    p_value: of the risk's being above the level; None in expectation.
    needed: without a guarantee, about how many labelled records would do if rates stay as they are;
        None if no number would.
    """

    label: str
    kind: str
    level: float
    confidence: float | None
    threshold: float | None
    records: int
    counted: float
    errors: float
    p_value: float | None = None
    family: int = 1
    needed: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in STATEMENTS:
            raise FitError(f"kind is {self.kind!r}: one of {', '.join(STATEMENTS)}")

    @property
    def met(self) -> bool:
        """True if there is a guarantee."""
        return self.threshold is not None

    @property
    def text(self) -> str:
        """The guarantee in a sentence, or the records it would take."""
        says = STATEMENTS[self.kind].format(level=self.level, label=self.label)
        if self.threshold is None:
            would = (
                f"about {self.needed} labelled records would do"
                if self.needed
                else "at these rates no number of records would do"
            )
            return f"Not certified on {self.records} records: that {says}; {would}."
        if self.confidence is None:
            how = f"In expectation over {self.records} calibration records and a new one like them"
        else:
            held = f", jointly for {self.family} labels" if self.family > 1 else ""
            how = f"With {self.confidence:.0%} confidence from {self.records} records{held}"
        return f"{how}, {says}, at threshold {self.threshold:g}."

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"text": self.text}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Guarantee:
        """Inverse of `to_dict`; the text is composed again."""
        try:
            return shaped(cls, data)
        except LabelMassError as error:
            raise FitError(f"not a guarantee of labelmass: {error}") from None
