"""A plan: what is asked of each record, and how its trees become a result."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from labelmass._ranges import BETWEEN, COUNT, LABEL_PERMUTATIONS, SAMPLES
from labelmass._settings import expect
from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.calibration import Calibrator
from labelmass.decisions import Policy
from labelmass.errors import FitError, LabelMassError, MethodError, RecordError
from labelmass.estimators import ESTIMATORS, find_estimators, requirements_of, selection
from labelmass.estimators.selection import Selection
from labelmass.lm.base import LanguageModel
from labelmass.provenance import Signature
from labelmass.records import BadRecord
from labelmass.scores import Failure, Result
from labelmass.scores.signature import points_of, signature_of
from labelmass.scoring.calibration_step import CalibrationStep
from labelmass.scoring.classifiers import AppliedClassifier, check_classifiers
from labelmass.scoring.decision_step import DecisionStep
from labelmass.scoring.explorer import ExploredRecord, Explorer
from labelmass.scoring.forecast import Forecast
from labelmass.scoring.results import Bias, mean_log_odds, read_result, without_bias
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.supervised import Classifier
from labelmass.task import Record, Task
from labelmass.task.questions import ANSWER, Askable, Name, permuted, variant

Item = tuple[int, Record | BadRecord]
Outcome = Result | Failure


class Plan:
    """One way of scoring, checked before any work is done.

    Args:
        task: Task to score.
        methods: Names of estimators; the first is the headline.
        budget: Budget of each record, see `Budget`.
        normalisation: Raw, on-format or masked.
        off_format: "not-written", or "unknown" to count what left the format as open.
        every_method: Grow trees that every method can read later, except for those that draw or ask
            more.
        samples: Number of answers, or paths, that methods which draw some draw for each record.
        label_permutations: Average every method over this many orders of the labels in the prompt,
            its own first.
        contextual_calibration: "content-free" to take away what every label gets for texts without
            content, so that such a text gets `target_rate`; or "batch" to take away what it gets
            over all records, once all are there (`settle`).
        rules: Uncertainty rules with their thresholds, read beside the methods.
        classifiers: Trained on labelled records, read beside the methods.
        calibrator: Applied last, to the method it was fitted on, whose calibrated scores come
            first.
        max_text_tokens: Most tokens of each text that a prompt shows, from its start; None for all.
        policy: Decides, and has records explored further that straddle a threshold, unless the
            contextual calibration is the batch's, which is known too late.
        force: Whatever kind of scores the calibrator was fitted on, and the policy made on.

    Raises:
        MethodError: For a method that is unknown or that the task's format cannot give.
    """

    def __init__(
        self,
        task: Task,
        methods: Sequence[str] = ("any-place",),
        *,
        budget: Budget | None = None,
        normalisation: str = "raw",
        off_format: str = "not-written",
        every_method: bool = False,
        samples: int | None = None,
        label_permutations: int = 1,
        contextual_calibration: str | None = None,
        target_rate: float = 0.5,
        rules: Sequence[Selection] = (),
        classifiers: Sequence[Classifier] = (),
        calibrator: Calibrator | None = None,
        policy: Policy | None = None,
        force: bool = False,
        max_text_tokens: int | None = None,
    ) -> None:
        self.task = task
        if isinstance(methods, str):
            raise MethodError(f"methods is {methods!r}: a list of names, as [{methods!r}]")
        for name, value, kind in (
            ("budget", budget, Budget),
            ("calibrator", calibrator, Calibrator),
            ("policy", policy, Policy),
        ):
            if value is not None:
                expect(name, value, kind, error=FitError)
        for rule in rules:
            expect("rule", rule, Selection, "a fitted rule: see fit_rule", FitError)
        for classifier in classifiers:
            expect("classifier", classifier, Classifier, error=FitError)
        self.estimators = find_estimators(methods or ("any-place",))
        self.budget = budget or Budget()
        try:
            self.normalisation = Normalisation(normalisation)
        except ValueError:
            names = ", ".join(Normalisation)
            raise LabelMassError(f"no normalisation {normalisation!r}: one of {names}") from None
        for estimator in self.estimators:
            estimator.check(task, self.normalisation)
        if off_format not in ("not-written", "unknown"):
            raise LabelMassError(f"off_format is {off_format!r}: 'not-written' or 'unknown'")
        self.off_format = off_format
        if samples is not None:
            SAMPLES.check("samples", samples)
        readers = [*self.estimators]
        if every_method:
            readers += [e for e in ESTIMATORS.values() if not e.requirements.draws]
        self.requirements = requirements_of(readers).drawing(samples)
        self.rules = tuple(rules)
        if rules or every_method:
            self.requirements |= selection.REQUIREMENTS
        check_classifiers(classifiers, task)
        self.classifiers = tuple(classifiers)
        if rules or any(classifier.method == "probe" for classifier in classifiers):
            task.require_one_answer("a rule, or a probe,")
        named = [
            *(e.name for e in self.estimators),
            *(classifier.method for classifier in classifiers),
        ]
        if max_text_tokens is not None:
            COUNT.check("max_text_tokens", max_text_tokens)
        self.max_text_tokens = max_text_tokens
        LABEL_PERMUTATIONS.check("label_permutations", label_permutations)
        if contextual_calibration not in (None, "content-free", "batch"):
            raise LabelMassError(
                f"contextual_calibration is {contextual_calibration!r}: 'content-free', 'batch' or "
                "None"
            )
        BETWEEN.check("target_rate", target_rate)
        self.label_permutations, self.target_rate = label_permutations, target_rate
        self.contextual_calibration = contextual_calibration
        self.calibration: CalibrationStep | None = None
        if calibrator is not None:
            self.calibration = CalibrationStep.among(calibrator, named, task.label_names, force)
        self._decided = [*([] if self.calibration is None else [self.calibration.name]), *named]
        self._force = force
        self.decision = None if policy is None else self._step(policy)
        self.also: dict[Name, Askable] = {}
        for number, put in enumerate(permuted(task, label_permutations)):
            if number:
                self.also[variant(ANSWER, number)] = put
            for estimator in self.estimators:
                for question in estimator.questions(put):
                    self.also[variant(question.name, number)] = question

    def _step(self, policy: Policy) -> DecisionStep:
        return DecisionStep.among(
            policy, self._decided, self.task.label_names, self._force, self.calibration
        )

    def with_policy(self, policy: Policy, signature: Signature) -> Plan:
        """The same with another policy.

        Args:
            signature: Signature of this plan's scores.

        Raises:
            FitError: If the policy is for other scores.
        """
        other = copy.copy(self)
        other.decision = other._step(policy)
        other.decision.check(signature)
        return other

    @property
    def forecast(self) -> Forecast:
        """Forecast of the cost per record."""
        return Forecast.of(
            self.requirements,
            self.label_permutations,
            len(self.also) - self.label_permutations + 1,
            self.budget,
        )

    def signature(self, model: LanguageModel) -> Signature:
        """Signature of the scores of this plan on this model.

        Raises:
            FitError: If the calibrator, or the policy, is for other scores.
        """
        raw = signature_of(
            model,
            self.task,
            self._names,
            self.normalisation,
            self.budget,
            self.off_format,
            samples=self.requirements.draws,
            label_permutations=self.label_permutations,
            contextual_calibration=self.contextual_calibration,
            target_rate=self.target_rate if self.contextual_calibration else None,
            fitted=self._fitted,
            max_text_tokens=self.max_text_tokens,
        )
        return self._sign(raw)

    def explorer(self, model: LanguageModel, *, batch_size: int = 16) -> Explorer:
        """Explorer of what this plan reads, with this model."""
        return Explorer(
            model,
            self.task,
            budget=self.budget,
            requirements=self.requirements,
            normalisation=self.normalisation,
            also=self.also,
            batch_size=batch_size,
            max_text_tokens=self.max_text_tokens,
        )

    def saved_signature(self, saved: Signature) -> Signature:
        """Signature of the scores of this plan on saved trees with this signature."""
        raw = replace(
            saved,
            methods=self._names,
            points=points_of(self._names),
            normalisation=self.normalisation,
            off_format=self.off_format,
            contextual_calibration=self.contextual_calibration,
            target_rate=self.target_rate if self.contextual_calibration else None,
            calibrator=None,
            fitted=self._fitted,
        )
        return self._sign(raw)

    @property
    def _names(self) -> tuple[str, ...]:
        return (
            *(e.name for e in self.estimators),
            *(rule.name for rule in self.rules),
            *(classifier.method for classifier in self.classifiers),
        )

    @property
    def _fitted(self) -> tuple[str, ...]:
        return tuple(classifier.mark for classifier in self.classifiers)

    def applied_classifiers(self, model: LanguageModel | None = None) -> list[AppliedClassifier]:
        """The classifiers, ready to read what this model wrote; FitError if one is for another."""
        return [
            AppliedClassifier.of(classifier, self.task, model) for classifier in self.classifiers
        ]

    def _sign(self, raw: Signature) -> Signature:
        signature = raw if self.calibration is None else self.calibration.sign(raw)
        if self.decision is not None:
            self.decision.check(signature)
        return signature

    def read(
        self,
        explored: ExploredRecord,
        signature: Signature,
        applied_classifiers: Sequence[AppliedClassifier] = (),
    ) -> Outcome:
        """The result of one explored record, before any prior is taken away."""
        try:
            result = read_result(
                explored, self.task, self.estimators, signature, self.rules, applied_classifiers
            )
        except RecordError as error:
            return Failure.of(explored.record, str(error))
        return result if self.contextual_calibration else self.finish(result)

    def without(self, result: Result, bias: Bias) -> Result:
        """The result with a prior taken away, calibrated and decided."""
        single = self.task.format.single
        return self.finish(without_bias(result, bias, target_rate=self.target_rate, single=single))

    def finish(self, result: Result) -> Result:
        """Apply calibration and decisions to a result."""
        if self.calibration is not None:
            result = self.calibration.apply(result)
        return result if self.decision is None else self.decision.apply(result)

    def close(self, outcome: Outcome) -> Outcome:
        """The outcome; what a policy does with it too, if it is a failure."""
        if self.decision is None or isinstance(outcome, Result):
            return outcome
        return self.decision.fail(outcome)

    def settle(self, results: Callable[[], Iterable[Outcome]]) -> Iterator[Outcome]:
        """The results of all records, without what they have in common under calibration by batch.

        Args:
            results: Gives them anew each time it is called; they are read twice then.
        """
        if self.contextual_calibration != "batch":
            yield from map(self.close, results())
            return
        bias = mean_log_odds(result for result in results() if isinstance(result, Result))
        for result in results():
            one = self.without(result, bias) if isinstance(result, Result) else result
            yield self.close(one)

    def read_trees(
        self, saved: SavedTrees, model: LanguageModel | None = None
    ) -> Iterator[Outcome]:
        """The results of saved trees, in the order of their input; failures come as failures.

        Args:
            model: That of the trees, where a probe is among the classifiers.
        """
        signature, applied_classifiers = (
            self.saved_signature(saved.signature),
            self.applied_classifiers(model),
        )
        if model is not None and model.fingerprint != saved.signature.fingerprint:
            raise LabelMassError(
                f"{model.name}@{model.fingerprint} did not write the trees in {saved.folder}"
            )

        def results() -> Iterator[Outcome]:
            for kept in saved:
                yield (
                    kept
                    if isinstance(kept, Failure)
                    else self.read(kept, signature, applied_classifiers)
                )

        return self.settle(results)
