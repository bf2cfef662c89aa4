"""Estimators: pure functions from a tree of answers to label scores, by name."""

from __future__ import annotations

from collections.abc import Iterable

from labelmass.answers.search import Requirements
from labelmass.errors import MethodError
from labelmass.estimators.anyplace import ANY_PLACE, ANY_PLACE_PRUNED
from labelmass.estimators.base import Estimator, LabelScores
from labelmass.estimators.baselines import DEMONSTRATION_RATE
from labelmass.estimators.breakdown import BINARY, BINARY_OUTCOME, UNARY
from labelmass.estimators.greedy import FIXED_PLACE, HARD, TOKEN
from labelmass.estimators.sampling import ANY_PLACE_COMPLETED, COMBINED, HAZARD, SAMPLING
from labelmass.estimators.stepwise import COMPARE_TO_NONE, FIRST_STEP, MAX_OVER_GENERATIONS
from labelmass.estimators.vendor import VENDOR_SCORE

__all__ = ["ESTIMATORS", "Estimator", "LabelScores", "find_estimators", "requirements_of"]

ESTIMATORS: dict[str, Estimator] = {
    estimator.name: estimator
    for estimator in (
        ANY_PLACE,
        MAX_OVER_GENERATIONS,
        FIRST_STEP,
        COMPARE_TO_NONE,
        TOKEN,
        FIXED_PLACE,
        HARD,
        ANY_PLACE_PRUNED,
        UNARY,
        BINARY,
        BINARY_OUTCOME,
        SAMPLING,
        HAZARD,
        COMBINED,
        ANY_PLACE_COMPLETED,
        DEMONSTRATION_RATE,
        VENDOR_SCORE,
    )
}


def find_estimators(names: Iterable[str]) -> list[Estimator]:
    """The estimators called so; MethodError lists what there is."""
    results: list[Estimator] = []
    for name in dict.fromkeys(names):
        if name not in ESTIMATORS:
            raise MethodError(f"no method is called {name!r}: one of {', '.join(ESTIMATORS)}")
        results.append(ESTIMATORS[name])
    return results


def requirements_of(estimators: Iterable[Estimator]) -> Requirements:
    """Union of the estimators' requirements: explore once, read many."""
    total = Requirements(tree=False)
    for estimator in estimators:
        total = total | estimator.requirements
    return total
