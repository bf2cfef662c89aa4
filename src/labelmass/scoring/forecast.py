"""Forecast of a plan's cost: exact where it is fixed, a cap where a search adapts."""

from __future__ import annotations

from dataclasses import dataclass

from labelmass._ranges import COUNT
from labelmass.answers.search import SAMPLING_FACTOR, Budget, Requirements
from labelmass.errors import LabelMassError
from labelmass.scoring.explorer import WORD


@dataclass(frozen=True, slots=True)
class Forecast:
    """For each record: `prompts` asked, exactly; `rows` read besides, at most."""

    prompts: int
    rows: int

    @classmethod
    def of(
        cls, requirements: Requirements, variants: int, questions: int, budget: Budget
    ) -> Forecast:
        """Forecast of `variants` trees with these requirements and of `questions` further ones."""
        drawn = SAMPLING_FACTOR * budget.max_nodes if requirements.draws else 0
        rows = variants * (budget.max_nodes + drawn) + questions * WORD.max_nodes
        return cls(variants + questions, rows)

    def __str__(self) -> str:
        plural = "" if self.prompts == 1 else "s"
        return f"{self.prompts} prompt{plural} a record, at most {self.rows:,} rows"

    def check(self, records: int | None, limit: int | None) -> None:
        """Raise LabelMassError if this many records need more than `limit` prompts in all."""
        if limit is None:
            return
        COUNT.check("limit", limit)
        if records is None:
            raise LabelMassError(
                "a limit on prompts needs to know how many records there are: give a file"
            )
        if (asked := records * self.prompts) > limit:
            raise LabelMassError(
                f"this would ask {asked:,} prompts ({records:,} records, {self}), more than the "
                f"limit of {limit:,}: take fewer records or methods, or raise the limit"
            )
