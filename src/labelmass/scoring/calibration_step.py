"""Scores through a calibrator: a method of its own, beside the one it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labelmass.calibration import CALIBRATED, Calibrator
from labelmass.estimators import LabelScores
from labelmass.provenance import Signature, check, check_labels
from labelmass.scores import Result
from labelmass.scores.signature import method_for, of_method


@dataclass(frozen=True)
class CalibrationStep:
    """A calibrator and the method whose scores go through it."""

    calibrator: Calibrator
    method: str
    force: bool = False

    @classmethod
    def among(
        cls, calibrator: Calibrator, methods: Sequence[str], labels: Sequence[str], force: bool
    ) -> CalibrationStep:
        """For the method it was fitted on, or the first if it does not say.

        FitError for other labels, and where its method is not among these unless `force`.
        """
        check_labels("this calibrator", calibrator.labels, labels)
        method = method_for("this calibrator", calibrator.signature, methods, force=force)
        return cls(calibrator, method, force)

    @property
    def name(self) -> str:
        """Method name of the calibrated scores."""
        return CALIBRATED + self.method

    def sign(self, signature: Signature) -> Signature:
        """With the calibrated scores in front; FitError for scores it is not for, unless forced."""
        given = of_method(signature.to_dict(), self.method)
        check("this calibrator", self.calibrator.signature, given, self.force)
        methods = self.name, *signature.methods
        return replace(signature, methods=methods, calibrator=self.calibrator.digest)

    def apply(self, result: Result) -> Result:
        """The result with the calibrated scores in front, those they were made of kept beside."""
        raw = result.methods[self.method]
        ends = self.calibrator.apply(raw.labels, raw.low[None], raw.p[None], raw.high[None])
        low, p, high = (end[0] for end in ends)
        outcome = LabelScores(raw.labels, p, low, high, raw.interval)
        methods = {self.name: outcome, **result.methods}
        return result.moved_to(methods, "calibration", {self.name: p - raw.p})
