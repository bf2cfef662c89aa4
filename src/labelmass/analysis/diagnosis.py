"""All analyses of one run together. Formulas: docs/formulas.md#analysis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from labelmass.analysis.answer import Answer, Item, read_answer
from labelmass.analysis.attention import AttentionShares
from labelmass.analysis.counts import plain
from labelmass.analysis.order import (
    LabelOrder,
    OrderAccuracy,
    label_order,
    order_accuracy,
)
from labelmass.analysis.outputs import (
    Endings,
    MultiLabel,
    Repeats,
    endings,
    multi_label,
    repeats,
)
from labelmass.analysis.profile import Profile, profile
from labelmass.analysis.ranking import (
    NeverPredicted,
    RankConsistency,
    SecondLabel,
    never_predicted,
    rank_consistency,
    second_label,
)
from labelmass.analysis.spikiness import Spikiness, spikiness
from labelmass.analysis.stopping import Stopping, stopping

ONE_LABEL = "each label has an answer of its own, and this is of one answer to all labels"
"""Reason that most analyses of a guard asked about one policy at a time are left out."""
OF_ONE_LABEL = frozenset({"model", "records", "about", "endings", "spikiness", "profile"})
"""Analyses that say something of an answer about one label."""
NO_ATTENTION = "saved trees hold no attention weights: ask for them with the run's model"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Analyses of a run's trees, each with its counts.

    model: its name. records: that have a tree. rank_consistency ranks all labels,
    rank_consistency_unwritten only those not written before. order_accuracy: None where no record
    has gold labels. attention: None unless the model read the answers again, see NO_ATTENTION.
    about: label that the answers are about, where each label has an answer of its own; see
    OF_ONE_LABEL for what is said of these.
    """

    model: str
    records: int
    endings: Endings
    multi_label: MultiLabel
    repeats: Repeats
    spikiness: Spikiness
    stopping: Stopping
    rank_consistency: RankConsistency
    rank_consistency_unwritten: RankConsistency
    never_predicted: NeverPredicted
    second_label: SecondLabel
    order_accuracy: OrderAccuracy | None
    profile: Profile
    label_order: LabelOrder
    attention: AttentionShares | None = None
    about: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON; where there is no analysis, why."""
        results = {each.name: plain(getattr(self, each.name)) for each in fields(self)}
        if self.order_accuracy is None:
            results["order_accuracy"] = {"value": None, "reason": "no record has gold labels"}
        if self.attention is None:
            results["attention"] = {"value": None, "reason": NO_ATTENTION}
        if self.about is None:
            return results
        left_out = {"value": None, "reason": ONE_LABEL}
        return {key: value if key in OF_ONE_LABEL else left_out for key, value in results.items()}


def diagnose(items: Iterable[Item], model: str = "", about: str | None = None) -> Diagnosis:
    """Every analysis of these trees, which are read one at a time; model: whose they are.

    about: the label that they are about, where each has an answer of its own.
    Raises MethodError if the label tries of a tree were not grown.
    """
    return diagnose_answers([read_answer(item) for item in items], model, about)


def diagnose_answers(
    answers: Sequence[Answer], model: str = "", about: str | None = None
) -> Diagnosis:
    """Every analysis of these answers."""
    gold = any(answer.gold is not None for answer in answers)
    return Diagnosis(
        model,
        len(answers),
        endings(answers),
        multi_label(answers),
        repeats(answers),
        spikiness(answers),
        stopping(answers),
        rank_consistency(answers),
        rank_consistency(answers, unwritten=True),
        never_predicted(answers),
        second_label(answers),
        order_accuracy(answers) if gold else None,
        profile(answers),
        label_order(answers),
        about=about,
    )
