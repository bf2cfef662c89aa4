"""Uncertainty rules: how many labels to take, from one look at the scores of all.

After the text that every answer with a label begins with, the labels have raw scores. A rule turns
them into an uncertainty u: above a threshold the best label alone is taken, else the two best. So
sure records get two labels, as P2 has it. Formulas: docs/formulas.md#uncertainty-rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.answers.search import Requirements
from labelmass.answers.steps import NextLabel
from labelmass.answers.tree import AnswerTree, Status
from labelmass.artifacts import ArtifactKind
from labelmass.errors import LabelMassError, MethodError, RecordError
from labelmass.estimators.base import LabelScores
from labelmass.estimators.greedy import EPS
from labelmass.files import shaped


def raw_scores(tree: AnswerTree, rule: str = "logtoku") -> Floats:
    """(k,) raw score of each label after the common beginning: its log-probability and the scale.

    A label's whole text through its boundary counts, so labels that share a first token differ.
    Only `logtoku` reads the scale; to the others raw scores and log-probabilities are the same.
    """
    if tree.status[tree.common_prefix] != Status.EXPANDED or not REQUIREMENTS.met_by(tree):
        raise MethodError(
            f"{rule}: this tree was grown without the labels' scores that the rule reads; score "
            "again with --rule, or with --keep-trees"
        )
    if rule == "logtoku" and tree.common_prefix not in tree.scale:
        raise MethodError("this engine does not give raw scores, which the rule logtoku reads")
    result = NextLabel(tree).after(tree.common_prefix).mass
    with np.errstate(divide="ignore"):
        return np.log(result[: len(tree.labels)]) + tree.scale.get(tree.common_prefix, 0.0)


def probability(scores: Floats) -> float:
    """1 / (1 + the largest share): from 1/2, sure, to almost 1."""
    return float(1 / (1 + _shares(scores).max()))


def entropy(scores: Floats) -> float:
    """Entropy of the shares, in nats."""
    p = _shares(scores)
    return float(-(p * np.log(p + 1e-10)).sum())


def logtoku(scores: Floats) -> float:
    """Epistemic over aleatoric uncertainty of the two best, their raw scores taken as evidence.

    A score below 0 is no evidence and counts as 0, where the published formula hits a pole. Without
    evidence for a second label there is nothing aleatoric: infinite, so the best is taken alone.
    """
    from scipy.special import digamma  # slow to import, and seldom wanted

    evidence = np.maximum(np.sort(scores)[::-1][:2], 0.0)
    total = evidence.sum()
    epistemic = 2 / (total + 2)
    if len(evidence) < 2 or evidence[1] <= 0:
        return float("inf")
    aleatoric = -(evidence / total * (digamma(evidence + 1) - digamma(total + 1))).sum()
    return float(epistemic / aleatoric)


def _shares(scores: Floats) -> Floats:
    """The softmax of the scores."""
    odds = np.exp(scores - scores.max())
    return odds / odds.sum()


RULES: dict[str, Callable[[Floats], float]] = {
    "probability": probability,
    "entropy": entropy,
    "logtoku": logtoku,
}


ABOUT = {
    "probability": "few labels where the likeliest stands out least, by 1 / (1 + its share)",
    "entropy": "few labels where the shares of the labels are spread most",
    "logtoku": "few labels where the evidence, the raw scores, is thin for its spread",
}
"""A line about each rule."""

SOURCE = "P2, after arXiv 2502.00290"
COST = "the shares after the text all labels begin with; a threshold from `labelmass fit rule`"
REQUIREMENTS = Requirements(tree=False, label_tries=1, prefix_shares=True)

KIND = ArtifactKind("fitted rule", error=MethodError, unmarked=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """A rule with its threshold, and the digests of the records it was fitted on.

    It refuses those records: nothing is judged on what it was fitted on.
    most: how many labels a sure record gets.
    """

    rule: str
    threshold: float
    fitted_on: frozenset[str]
    most: int = 2

    @classmethod
    def fit(
        cls,
        rule: str,
        trees: Mapping[str, AnswerTree],
        gold: Mapping[str, Iterable[str]],
        *,
        most: int = 2,
    ) -> Selection:
        """The threshold that does best on records with known labels, by digest (P2's search).

        In order of u, a running score gains 1 where the `most` best are all right and loses 1 where
        only the best is; the threshold is u at its first maximum.
        """
        if rule not in RULES:
            raise MethodError(f"no uncertainty rule {rule!r}: one of {', '.join(RULES)}")
        if not trees:
            raise MethodError(f"{rule}: no records to fit the threshold on")
        if most < 2:
            raise MethodError(f"{rule}: most is {most}, at least 2")
        results: list[tuple[float, int]] = []
        for identity, tree in trees.items():
            scores, right = raw_scores(tree, rule), set(gold[identity])
            best = [tree.labels[i] in right for i in _best(scores, most)]
            whole = len(best) == most and all(best)
            results.append((RULES[rule](scores), whole - (best[0] and not any(best[1:]))))
        results.sort(key=lambda pair: pair[0])
        running = np.cumsum([gain for _, gain in results])
        return cls(rule, results[int(np.argmax(running))][0], frozenset(trees), most)

    @property
    def name(self) -> str:
        """The rule with its numbers, for a signature."""
        return f"{self.rule}@{self.threshold:.6g}" + (f",{self.most}" if self.most != 2 else "")

    def read(self, tree: AnswerTree, identity: str) -> LabelScores:
        """1 - 1e-8 for the labels taken and 1e-8 for the others, as `hard` does.

        Raises RecordError for a record, by digest, that the threshold was fitted on.
        """
        if identity in self.fitted_on:
            raise RecordError(
                f"the threshold of {self.rule} was fitted on this record: fit on other records"
            )
        scores = raw_scores(tree, self.rule)
        taken = _best(scores, 1 if RULES[self.rule](scores) > self.threshold else self.most)
        p = np.full(len(tree.labels), EPS)
        p[taken] = 1 - EPS
        return LabelScores.points(tree.labels, p)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": KIND.mark,
            "rule": self.rule,
            "threshold": self.threshold,
            "most": self.most,
            "fitted_on": sorted(self.fitted_on),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Selection:
        """The selection that `to_dict` wrote; MethodError if it is none."""
        KIND.version_of(data)
        try:
            result = shaped(cls, data, infinite=True)
        except LabelMassError as error:
            raise MethodError(f"not a fitted rule: {error}") from None
        if result.rule not in RULES:
            raise MethodError(f"no uncertainty rule {result.rule!r}: one of {', '.join(RULES)}")
        if result.most < 2 or np.isnan(result.threshold):
            raise MethodError("not a fitted rule: most is at least 2, and the threshold a number")
        return result

    def save(self, path: str | Path) -> None:
        """As JSON, whole or not at all."""
        KIND.save(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Selection:
        """MethodError if the file is not there or holds no fitted rule."""
        return KIND.load(path, cls.from_dict, infinite=True)


def _best(scores: Floats, count: int) -> Sequence[int]:
    return np.argsort(-scores, kind="stable")[:count].tolist()
