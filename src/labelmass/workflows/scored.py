"""One method's scores of many records, from a score file or saved trees: what people fit on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass.calibration import CALIBRATED, Calibrator
from labelmass.decisions import Decisions, Policy, ceiling, decide
from labelmass.decisions.drift import MASSES
from labelmass.errors import LabelMassError
from labelmass.estimators import ESTIMATORS
from labelmass.evaluation import Predictions
from labelmass.scores.read import read_scores
from labelmass.scores.signature import of_method
from labelmass.scoring.decision_step import reads_answer, verdict_masses
from labelmass.scoring.results import Result
from labelmass.scoring.score import read_saved
from labelmass.targets import Targets
from labelmass.workflows.compare import predictions_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores, and what kind of number they are.

    off_format: (n,) mass that left the format, NaN where not known.
    signature: of this method alone; None where the file does not say.
    calibrator: the digest of what they went through, as far as is known.
    unreadable: (n,) mass behind a risk verdict that cannot be read. verdict: (n,) the least mass on
    which any verdict is given. Both None where the format has no verdict, or the method reads none.
    raw, curves: the scores that these calibrated ones were made of, and through what; None where
    not known.
    """

    method: str
    predictions: Predictions
    off_format: Floats
    signature: Mapping[str, Any] | None
    calibrator: str | None = None
    unreadable: Floats | None = None
    verdict: Floats | None = None
    raw: Predictions | None = None
    curves: Calibrator | None = None

    @classmethod
    def read(
        cls,
        source: str | Path,
        labels: Sequence[str],
        method: str | None = None,
        *,
        likely: Sequence[str] = (),
        ids: Iterable[str | int] = (),
    ) -> Scored:
        """From a score file, or a folder of saved trees, which are read raw.

        method: whose scores; None for the first of `likely` that is there, else the first there is.
        ids: of the records that count, see `read_scores`.
        """
        if Path(source).is_dir():
            return cls._off_trees(source, labels, method, likely)
        file = read_scores(source, labels, ids)
        there = list(file.predictions)
        name = method or next((one for one in likely if one in there), there[0])
        if name not in there:
            raise LabelMassError(f"{source} has no scores by {name!r}: it has {', '.join(there)}")
        signature = None if file.signature is None else of_method(file.signature, name)
        calibrator = (signature or {}).get("calibrator")
        raw = name.removeprefix(CALIBRATED)
        return cls(
            name,
            file.predictions[name],
            file.off_format,
            signature,
            calibrator,
            *read_masses(name, file.unreadable, file.verdict),
            file.predictions.get(raw) if raw != name else None,
        )

    @classmethod
    def _off_trees(
        cls,
        folder: str | Path,
        labels: Sequence[str],
        method: str | None,
        likely: Sequence[str],
    ) -> Scored:
        name = method or next((one for one in likely if one in ESTIMATORS), "any-place")
        results = list(read_saved(folder, (name,)))
        predictions = predictions_of(results)[name]
        mass = [one.off_format if isinstance(one, Result) else np.nan for one in results]
        read = np.array([verdict_masses(one) for one in results])
        first = next(one for one in results if isinstance(one, Result))
        return cls(
            name,
            predictions.at(predictions.ids, labels),
            np.array(mass),
            of_method(first.signature.to_dict(), name),
            None,
            *read_masses(name, *read.T),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        return self.predictions.labels

    @property
    def p(self) -> Floats:
        """(n, k), NaN for records that failed."""
        return self.predictions.p

    @property
    def low(self) -> Floats:
        """(n, k); p where there is no bound."""
        return self._end(self.predictions.low, self.p)

    @property
    def high(self) -> Floats:
        return self._end(self.predictions.high, self.p)

    @staticmethod
    def _end(end: Floats | None, p: Floats) -> Floats:
        return p if end is None else np.where(np.isnan(end), p, end)

    @property
    def masses(self) -> dict[str, Floats]:
        """What is known of the records' masses, of `MASSES`, for `drift`."""
        named = zip(MASSES, (self.off_format, self.unreadable, self.verdict), strict=True)
        known = ((name, mass[~np.isnan(mass)]) for name, mass in named if mass is not None)
        return {name: mass for name, mass in known if len(mass)}

    @property
    def ceiling(self) -> Floats | None:
        """(n, k) upper ends if what cannot be read counts as open; None if all could be read.

        LabelMassError for calibrated scores whose calibrator, or raw scores, are not known.
        """
        if self.unreadable is None or self.verdict is None:
            return None
        if (self.unreadable[~np.isnan(self.p).all(axis=1)] == 0).all():
            return None
        if self.calibrator is None:
            return ceiling(self.high, self.unreadable, self.verdict, self.signature)
        if self.raw is None or self.curves is None:
            lacks = "give --calibrator" if self.curves is None else "take raw scores"
            raise LabelMassError(
                f"some of what was answered cannot be read, and how far it could raise the scores "
                f"by {self.method} depends on the calibrator {self.calibrator}: {lacks}"
            )
        high = self._end(self.raw.high, self.raw.p)
        raised = ceiling(high, self.unreadable, self.verdict, self.signature)
        (top,) = self.curves.apply(self.labels, raised, force=True)
        return top

    def decide(self, policy: Policy, *, force: bool = False) -> Decisions:
        """What a policy does with these scores, see `labelmass.decisions.decide`."""
        return decide(
            policy,
            self.p,
            self.low,
            self.high,
            ceiling=self.ceiling,
            verdict=self.verdict,
            signature=self.signature,
            calibrator=self.calibrator,
            force=force,
        )

    def through(self, calibrator: Calibrator, *, force: bool = False) -> Scored:
        """Calibrated; as they are if they went through this calibrator already.

        A table says that scores are calibrated but not by what: then the raw ones beside them are.
        FitError if it is for other scores, unless `force`; LabelMassError if none are raw.
        """
        if self.calibrator == calibrator.digest:
            return replace(self, curves=calibrator)
        if self.signature is None and self.method.startswith(CALIBRATED):
            method = self.method.removeprefix(CALIBRATED)
            if self.raw is None:
                raise LabelMassError(
                    f"the scores by {self.method} went through some calibrator already, and there "
                    f"are none by {method} to take through this one"
                )
            raw = replace(self, method=method, predictions=self.raw, raw=None)
            return raw.through(calibrator, force=force)
        one, name = self.predictions, CALIBRATED + self.method
        low, high = (np.full_like(one.p, np.nan) if e is None else e for e in (one.low, one.high))
        low, p, high = calibrator.apply(
            self.labels, low, one.p, high, signature=self.signature, force=force
        )
        signature = None
        if self.signature is not None:
            signature = dict(self.signature)
            signature |= {"methods": [name], "calibrator": calibrator.digest}
        return replace(
            self,
            method=name,
            predictions=replace(one, p=p, low=low, high=high),
            signature=signature,
            calibrator=calibrator.digest,
            raw=one,
            curves=calibrator,
        )

    def beside(self, targets: Targets) -> tuple[Scored, Targets]:
        """Both on the records that have a score and a target, in the order of the targets.

        LabelMassError if there is none.
        """
        found = self.predictions.at(targets.ids, targets.labels)
        rows = np.flatnonzero(np.isfinite(found.p + targets.shares).any(axis=1)).tolist()
        if not rows:
            raise LabelMassError(
                f"no record has both scores by {self.method} and targets; ids of targets look "
                f"like {targets.ids[:1]}, of scores like {self.predictions.ids[:1]}"
            )
        kept = [targets.ids[row] for row in rows]
        place = {name: at for at, name in enumerate(self.predictions.ids)}
        at = [place[name] for name in kept]
        both = replace(
            self,
            predictions=found.at(kept, targets.labels),
            off_format=self.off_format[at],
            unreadable=None if self.unreadable is None else self.unreadable[at],
            verdict=None if self.verdict is None else self.verdict[at],
            raw=None if self.raw is None else self.raw.at(kept, targets.labels),
        )
        return both, targets.at(kept)


def read_masses(
    method: str, unreadable: Floats, verdict: Floats
) -> tuple[Floats | None, Floats | None]:
    """Both, where any record has a verdict that the method reads."""
    if np.isnan(verdict).all() or not reads_answer(method):
        return None, None
    return unreadable, verdict
