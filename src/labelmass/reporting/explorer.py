"""Data of the threshold explorer: an initial policy and the scores it is tried on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass.calibration import Calibrator
from labelmass.decisions import Policy, Rule
from labelmass.decisions.decisions import check_policy
from labelmass.decisions.rule import NEVER
from labelmass.errors import FitError
from labelmass.provenance import check_labels, fingerprint
from labelmass.reporting.rates import Rates, rates
from labelmass.reporting.report_data import Model, ReportData, threshold_of
from labelmass.scores import Scores
from labelmass.scores.signature import method_for
from labelmass.workflows.tuning import unseen

Floats = NDArray[np.float64]

Explorers = Mapping[str, "Explorer"]
"""Explorers by model; a model that the policy is not for has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Explorer:
    """A policy on the records of a run that have scores and human labels.

    given: whether the policy was given; else it stands for the threshold of the comparison.
    scored, gold: (n, k). tuned_here: whether its thresholds were found on these very records, None
    where that is not known. note: "on ..." which records, where these are not all of the run's.
    """

    policy: Policy
    given: bool
    scored: Scores
    gold: Floats
    tuned_here: bool | None
    note: str

    @property
    def rates(self) -> Rates:
        """Rates of the policy on these records."""
        one, (_, verdict) = self.scored, self.scored.method_masses
        return rates(self.policy, one.p, one.low, one.high, self.gold, one.ceiling, verdict)

    def numbers(self) -> dict[str, Any]:
        """Strict JSON: the scores by label, exactly; what the policy does; how it is saved."""
        p, found = self.scored.p, self.rates
        ends = {"low": self.scored.low, "high": self.scored.high}
        ceiling, (_, verdict) = self.scored.ceiling, self.scored.method_masses
        return {
            "method": self.scored.method,
            "given": self.given,
            "records": len(p),
            "straddle": self.policy.straddle,
            "min_verdict": self.policy.min_verdict,
            "verdict": None if verdict is None else _plain(verdict),
            "labels": [
                {
                    "label": label,
                    "action": rule.action,
                    "threshold": rule.threshold,
                    "review_from": rule.review_from,
                    "says": rule.why,
                    "p": _plain(p[:, at]),
                    **{
                        name: None if _same(end, p) else _plain(end[:, at])
                        for name, end in ends.items()
                    },
                    "ceiling": None if ceiling is None else _plain(ceiling[:, at]),
                    "gold": _plain(self.gold[:, at]),
                    "rates": {
                        name: getattr(found.labels[at], name).to_dict()
                        for name in ("precision", "recall", "false_positives", "given", "review")
                    },
                }
                for at, (label, rule) in enumerate(self.policy.rules.items())
            ],
            "review": found.review.to_dict(),
            "actions": dict(found.actions),
            "saving": asdict(Saving.of(self.policy)),
        }


@dataclass(frozen=True, slots=True)
class Saving:
    """The policy file in parts of JSON, so that what is not moved is saved to the letter.

    rest: all but its labels. never: the threshold of a label that is never given. kept: of each
    rule, what follows its threshold. moved: that of a rule whose threshold was moved. lost: that of
    a rule whose guarantee went with another's threshold, None for no such guarantee.
    """

    rest: str
    never: str
    kept: tuple[str, ...]
    moved: tuple[str, ...]
    lost: str | None

    @classmethod
    def of(cls, policy: Policy) -> Saving:
        whole = policy.to_dict()
        rules: dict[str, Any] = whole.pop("labels")
        elsewhere = {
            label: None if rule.threshold is not None else 0.0
            for label, rule in policy.rules.items()
        }
        lost = None
        first, *others = policy.labels
        if others and _shares_threshold(policy.rules[others[0]]):
            lost = policy.move(first, elsewhere[first]).rules[others[0]].note
        return cls(
            _inner(whole),
            json.dumps(NEVER),
            tuple(
                _inner({key: rule[key] for key in ("note", "guarantee") if key in rule})
                for rule in rules.values()
            ),
            tuple(
                _inner({"note": rule.moved(elsewhere[label]).note})
                for label, rule in policy.rules.items()
            ),
            None if lost is None else _inner({"note": lost}),
        )


def explorers(
    runs: Sequence[ReportData],
    policy: Policy | None = None,
    calibrator: Calibrator | None = None,
    *,
    force: bool = False,
) -> list[Explorers]:
    """For each run, by model, the policy on its scores; without one, the comparison's threshold.

    calibrator: what the scores go through first. FitError if the policy is for no model of any
    run, unless `force`.
    """
    results: list[Explorers] = []
    errors: list[FitError] = []
    for run in runs:
        there: dict[str, Explorer] = {}
        for model in run.models:
            try:
                one = _explorer(run, model, policy, calibrator, force)
            except FitError as error:
                errors.append(error)
                continue
            if one is not None:
                there[model.name] = one
        results.append(there)
    if errors and not any(results):
        raise errors[0]
    return results


def _explorer(
    run: ReportData, model: Model, policy: Policy | None, calibrator: Calibrator | None, force: bool
) -> Explorer | None:
    if policy is None:
        return _of_comparison(run, model)
    check_labels("this policy", policy.labels, run.targets.labels)
    there = [model.shown, *(name for name in model.scores if name != model.shown)]
    method = method_for("this policy", policy.signature, there, raw=True, force=force)
    scored, targets = model.scores[method].align(run.targets)
    note = ""
    if calibrator is not None:
        scored = scored.through(calibrator, force=force)
        targets, note = unseen(calibrator, targets, certain=False)
    check_policy(policy, scored.method_signature, scored.calibrated_by, force)
    scored, targets = scored.align(targets)
    here = None if policy.ids is None else policy.ids == fingerprint(targets.ids)
    return Explorer(policy, True, scored, targets.gold, here, note)


def _of_comparison(run: ReportData, model: Model) -> Explorer | None:
    """None where the likeliest label is given, whatever its score."""
    tau = threshold_of(run.comparison, model.title).tau
    if tau is None:
        return None
    labels = run.targets.labels
    at = tau if isinstance(tau, Mapping) else dict.fromkeys(labels, tau)
    note = "as in the comparison: no guarantee"
    scored, targets = model.scores[model.shown].align(run.targets)
    policy = Policy(
        {label: Rule("flag", at[label], note=note) for label in labels},
        records=len(targets),
        ids=fingerprint(targets.ids),
        signature=scored.method_signature,
    )
    return Explorer(policy, False, scored, targets.gold, None, "")


def _shares_threshold(rule: Rule) -> bool:
    return rule.guarantee is not None and rule.guarantee.label == "*"


def _inner(data: Mapping[str, Any]) -> str:
    """A JSON object without its braces."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False)[1:-1]


def _same(one: Floats, other: Floats) -> bool:
    return bool(((one == other) | np.isnan(other)).all())


def _plain(values: Floats) -> list[float | int | None]:
    """NaN as null, whole numbers short."""
    return [
        None if np.isnan(one) else int(one) if one.is_integer() else one for one in values.tolist()
    ]
