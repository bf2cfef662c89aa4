"""Scores: n records by k labels, by one method or several; what everything after scoring takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from labelmass._settings import expect
from labelmass._text import canonical
from labelmass._types import Bools, Floats
from labelmass.calibration import CALIBRATED, Calibrator
from labelmass.decisions import Decisions, Policy, apply_policy, ceiling
from labelmass.decisions.drift import MASSES
from labelmass.errors import FitError, LabelMassError, MethodError
from labelmass.estimators import LabelScores
from labelmass.provenance import Signature
from labelmass.scores.result import Cost, Failure, Masses, Missed, Outcome, Result, verdict_masses
from labelmass.scores.signature import methods_for, of_method, reads_answer
from labelmass.targets import Targets

if TYPE_CHECKING:
    import pandas
    import polars

Ids = Sequence[str | int]

_SLACK = 1e-6
"""Rounding error outside of [0, 1] that is clipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """One method's probabilities, a row a record.

    Attributes:
        p: (n, k); a row with NaN is a record the method failed on.
        low, high: (n, k) bounds, NaN where not known; or None.
        interval: "certified", "sampled", "unknown" or "none", as `LabelScores` says it.
        reasons: Reasons by record that its numbers fell short of the run's tolerance, "" where they
            did not; None where that is not known.
        note: Note on the method for readers of a table.
    """

    p: Floats
    low: Floats | None = None
    high: Floats | None = None
    interval: str = "none"
    reasons: tuple[str, ...] | None = None
    note: str = ""

    @property
    def missed(self) -> Bools | None:
        """(n,) whether the record's numbers fell short of the tolerance; None where not known."""
        return None if self.reasons is None else np.array(self.reasons, dtype=np.str_) != ""

    def take(self, rows: NDArray[np.int64], columns: Sequence[int]) -> Estimates:
        """These rows and columns; NaN in the rows called -1."""
        return replace(
            self,
            p=_take(self.p, rows)[:, columns],
            low=None if self.low is None else _take(self.low, rows)[:, columns],
            high=None if self.high is None else _take(self.high, rows)[:, columns],
            reasons=None
            if self.reasons is None
            else tuple("" if row < 0 else self.reasons[row] for row in rows.tolist()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scores(Sequence[Outcome]):
    """Scores of n records and k labels. `p`, `low`, `high` are of the first method.

    `scores[i]` is the result of a record, or its failure: `scores[0]["joy"].p`.

    Attributes:
        ids: Ids of the records.
        labels: Their names, in the order of the columns.
        methods: Estimates of each method, by name.
        signature: Signature of the run that made them; None where it is not known.
        failures: Failures of the records without scores.
        off_format: (n,) mass that left the format.
        unreadable: (n,) mass behind a risk verdict that cannot be read.
        verdict: (n,) the least mass on which any verdict is given. NaN, or None for all, where not
            known.
        costs: Cost of each record, (n,) by name: passes, tokens, seconds; NaN where not known.
        calibrator: Calibrator of the first method's scores, where it is at hand.
        results: Full results of the records that were scored here; None for a record that was not.
            Their scores are those of `methods`.

    Raises:
        LabelMassError: Naming the record if a p is no probability, or outside its bounds, and for
            other shapes.
    """

    ids: tuple[str | int, ...]
    labels: tuple[str, ...]
    methods: Mapping[str, Estimates] = field(repr=False)
    signature: Signature | None = field(default=None, repr=False)
    failures: tuple[Failure, ...] = field(default=(), repr=False)
    off_format: Floats | None = field(default=None, repr=False)
    unreadable: Floats | None = field(default=None, repr=False)
    verdict: Floats | None = field(default=None, repr=False)
    costs: Mapping[str, Floats] = field(default_factory=dict[str, Floats], repr=False)
    calibrator: Calibrator | None = field(default=None, repr=False)
    results: tuple[Outcome | None, ...] | None = field(default=None, repr=False)
    _failed: Mapping[str | int, Failure] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.labels))
        checked = {
            name: self._checked(name, estimates, shape) for name, estimates in self.methods.items()
        }
        object.__setattr__(self, "methods", checked)
        object.__setattr__(self, "_failed", {failure.id: failure for failure in self.failures})

    def _checked(self, name: str, estimates: Estimates, shape: tuple[int, int]) -> Estimates:
        for side, values in (("p", estimates.p), ("low", estimates.low), ("high", estimates.high)):
            if values is not None and values.shape != shape:
                raise LabelMassError(
                    f"{name}: {side} has shape {values.shape}: {shape[0]} records, {shape[1]} "
                    "labels"
                )
        wrong = np.argwhere((estimates.p < -_SLACK) | (estimates.p > 1 + _SLACK))
        if len(wrong):
            row, column = wrong[0].tolist()
            raise LabelMassError(
                f"record {self.ids[row]!r}: P({self.labels[column]}) is "
                f"{estimates.p[row, column]:g}, not in [0, 1]"
            )
        estimates = replace(estimates, p=np.clip(estimates.p, 0.0, 1.0))
        self._check_bounds(estimates)
        return estimates

    def _check_bounds(self, estimates: Estimates) -> None:
        nothing = np.full(estimates.p.shape, np.nan)
        low = nothing if estimates.low is None else estimates.low
        high = nothing if estimates.high is None else estimates.high
        crossed = np.argwhere(
            (low < -_SLACK)
            | (high > 1 + _SLACK)
            | (low > high + _SLACK)
            | (estimates.p < low - _SLACK)
            | (estimates.p > high + _SLACK)
        )
        if len(crossed):
            row, column = at = tuple(crossed[0].tolist())
            raise LabelMassError(
                f"record {self.ids[row]!r}: P({self.labels[column]}) is {estimates.p[at]:g} "
                f"between {low[at]:g} and {high[at]:g}: bounds are low <= p <= high, in [0, 1]"
            )

    # -- made of --------------------------------------------------------------------------------

    @classmethod
    def of(
        cls,
        ids: Ids,
        labels: Sequence[str],
        p: Floats,
        low: Floats | None = None,
        high: Floats | None = None,
        *,
        method: str = "scores",
        interval: str | None = None,
        note: str = "",
    ) -> Scores:
        """Scores of one method, from arrays of (n, k) or anything numpy makes one of.

        Args:
            interval: Kind of the bounds, see `Estimates`; by default "unknown" if there are any.

        Raises:
            LabelMassError: If two records have one id.
        """
        for name in ids:
            expect("id", name, (str, int), "a text or a whole number")
        p = np.asarray(p, dtype=np.float64)
        low, high = (None if e is None else np.asarray(e, dtype=np.float64) for e in (low, high))
        if len(set(ids)) < len(ids):
            twice = next(name for at, name in enumerate(ids) if name in ids[:at])
            raise LabelMassError(f"record {twice!r} is scored twice")
        if interval is None:
            interval = "none" if low is None else "unknown"
        estimates = Estimates(p, low, high, interval, note=note)
        return cls(tuple(ids), tuple(labels), {method: estimates})

    @classmethod
    def from_results(
        cls, results: Sequence[Outcome], labels: Sequence[str], signature: Signature | None = None
    ) -> Scores:
        """Scores from the results of a run, in their order; failures are NaN."""
        good = [result for result in results if isinstance(result, Result)]
        empty = np.full(len(labels), np.nan)
        methods: dict[str, Estimates] = {}
        for name, first in good[0].methods.items() if good else ():
            rows = [
                result.methods[name] if isinstance(result, Result) else None for result in results
            ]
            p, low, high = (
                np.array([empty if row is None else getattr(row, side) for row in rows])
                for side in ("p", "low", "high")
            )
            short = tuple(
                result.missed[name].reason
                if isinstance(result, Result) and name in result.missed
                else ""
                for result in results
            )
            methods[name] = Estimates(p, low, high, first.interval, short)
        if not good:
            nothing = np.full((len(results), len(labels)), np.nan)
            names = signature.methods if signature else ("any-place",)
            methods = {name: Estimates(nothing) for name in names}
        lost = np.array([verdict_masses(result) for result in results], dtype=np.float64)
        unreadable, verdict = lost.reshape(-1, 2).T
        off = [np.nan if isinstance(result, Failure) else result.off_format for result in results]
        costs = [{} if isinstance(result, Failure) else result.cost.to_dict() for result in results]
        return cls(
            ids=tuple(result.id for result in results),
            labels=tuple(labels),
            methods=methods,
            signature=signature if signature or not good else good[0].signature,
            failures=tuple(result for result in results if isinstance(result, Failure)),
            off_format=np.array(off, dtype=np.float64),
            unreadable=unreadable,
            verdict=verdict,
            costs={
                key: np.array([cost.get(key, np.nan) for cost in costs], dtype=np.float64)
                for key in (good[0].cost.to_dict() if good else ())
            },
            results=tuple(results),
        )

    @classmethod
    def load(
        cls, path: str | Path, labels: Sequence[str] | None = None, *, ids: Iterable[str | int] = ()
    ) -> Scores:
        """From a JSONL, CSV, TSV or Parquet file, ours or another system's.

        Args:
            labels: The columns, None for all that the file has.
            ids: Ids of the scored records; a table may hold numbers as texts, or texts as numbers.

        Raises:
            LabelMassError: Naming the record and the label where a score is missing or no number.
        """
        from labelmass.scores.read import read_scores

        return read_scores(path, labels, ids)

    @classmethod
    def from_frame(
        cls,
        frame: pandas.DataFrame | polars.DataFrame | Iterable[Mapping[str, object]],
        labels: Sequence[str] | None = None,
        *,
        ids: Iterable[str | int] = (),
    ) -> Scores:
        """From a table of pandas, polars or Arrow, or its rows; columns as those of a file.

        Args:
            labels: See `load`.
            ids: See `load`.
        """
        from labelmass.scores.read import read_frame

        return read_frame(frame, labels, ids)

    @property
    def cost(self) -> dict[str, float]:
        """Mean cost of a record, by name of the cost."""
        known = {key: values[~np.isnan(values)] for key, values in self.costs.items()}
        return {key: float(values.mean()) for key, values in known.items() if len(values)}

    # -- one method -----------------------------------------------------------------------------

    @property
    def method(self) -> str:
        """The name of the first method."""
        return next(iter(self.methods))

    @property
    def estimates(self) -> Estimates:
        """Estimates of the first method."""
        return self.methods[self.method]

    @property
    def p(self) -> Floats:
        """(n, k) probabilities by the first method; NaN for records that failed."""
        return self.estimates.p

    @property
    def low(self) -> Floats:
        """(n, k) lower ends; p where there is no bound."""
        return _end(self.estimates.low, self.p)

    @property
    def high(self) -> Floats:
        """(n, k) upper ends; p where there is no bound."""
        return _end(self.estimates.high, self.p)

    def select(self, method: str | None = None, likely: Sequence[str] = ()) -> Scores:
        """Scores of one method; where they are calibrated, those they were made of come second.

        Args:
            method: None for the first of `likely` that is there, else the first there is.

        Raises:
            MethodError: For one that is not there.
        """
        name = method or next(
            (candidate for candidate in likely if candidate in self.methods), self.method
        )
        if name not in self.methods:
            raise MethodError(f"no scores by {name!r}: there are {', '.join(self.methods)}")
        names = [name, name.removeprefix(CALIBRATED)]
        methods = {key: self.methods[key] for key in names if key in self.methods}
        same = name == self.method
        signature = self.signature
        if signature is not None and tuple(methods) != signature.methods:
            signature = replace(signature, methods=tuple(methods))
        calibrator = self.calibrator if same else None
        return replace(self, methods=methods, signature=signature, calibrator=calibrator)

    @property
    def each(self) -> dict[str, Scores]:
        """Scores of each method alone."""
        return {name: self.select(name) for name in self.methods}

    @property
    def method_signature(self) -> dict[str, object] | None:
        """The signature of the first method alone: what something fitted on it is for."""
        if self.signature is None:
            return None
        return of_method(self.signature.to_dict(), self.method)

    @property
    def calibrated_by(self) -> str | None:
        """The digest of what the first method's scores went through, as far as is known."""
        if self.calibrator is not None:
            return self.calibrator.digest
        digest = (self.method_signature or {}).get("calibrator")
        return digest if isinstance(digest, str) else None

    # -- other rows and columns -----------------------------------------------------------------

    def at(self, ids: Ids, labels: Sequence[str] | None = None) -> Scores:
        """These records and labels in this order; a record that is not there is NaN.

        Names are compared in NFC.

        Raises:
            LabelMassError: If the labels differ by more than their order, or two records have one
                id.
        """
        columns = range(len(self.labels)) if labels is None else self._columns(labels)
        place = {name: at for at, name in enumerate(self.ids)}
        if len(place) < len(self.ids):
            twice = next(name for at, name in enumerate(self.ids) if place[name] != at)
            raise LabelMassError(f"record {twice!r} is scored twice")
        rows = np.array([place.get(name, -1) for name in ids], dtype=np.int64)
        wanted = set(ids)

        def masses(values: Floats | None) -> Floats | None:
            return None if values is None else _take(values, rows)

        return replace(
            self,
            ids=tuple(ids),
            labels=self.labels if labels is None else tuple(labels),
            methods={
                name: estimates.take(rows, list(columns))
                for name, estimates in self.methods.items()
            },
            failures=tuple(failure for failure in self.failures if failure.id in wanted),
            off_format=masses(self.off_format),
            unreadable=masses(self.unreadable),
            verdict=masses(self.verdict),
            costs={key: _take(values, rows) for key, values in self.costs.items()},
            results=None
            if self.results is None
            else tuple(None if row < 0 else self.results[row] for row in rows.tolist()),
        )

    def _columns(self, labels: Sequence[str]) -> list[int]:
        wanted, known = list(map(canonical, labels)), list(map(canonical, self.labels))
        if set(wanted) != set(known):
            odd = sorted(set(wanted) ^ set(known))[0]
            whose = "scores lack it" if odd in wanted else "targets lack it"
            raise LabelMassError(f"labels differ: {odd!r} ({whose})")
        return [known.index(label) for label in wanted]

    def align(self, targets: Targets) -> tuple[Scores, Targets]:
        """Both on the records that have a score and a target, in the order of the targets.

        Raises:
            LabelMassError: If there is none.
        """
        both = self.at(targets.ids, targets.labels)
        rows = np.flatnonzero(np.isfinite(both.p + targets.shares).any(axis=1)).tolist()
        if not rows:
            raise LabelMassError(
                f"no record has both scores by {self.method} and targets; ids of targets look "
                f"like {targets.ids[:1]}, of scores like {self.ids[:1]}: a table may hold numbers "
                "as texts, which Scores.load(path, ids=targets.ids) tells apart"
            )
        ids = [targets.ids[row] for row in rows]
        return both.at(ids), targets.at(ids)

    # -- calibrated and decided -----------------------------------------------------------------

    def through(self, calibrator: Calibrator, *, force: bool = False) -> Scores:
        """Scores calibrated, before what they were made of: by the calibrator's method, if there.

        Scores that went through this calibrator already stay as they are. A table says that scores
        are calibrated but not by what: then the raw ones beside them are.

        Raises:
            FitError: If it is for other scores, unless `force`; LabelMassError if none are raw.
        """
        expect("calibrator", calibrator, Calibrator, error=FitError)
        if self.calibrated_by == calibrator.digest:
            return replace(self, calibrator=calibrator)
        wanted = methods_for(calibrator.signature)
        if self.method not in wanted and set(wanted) & self.methods.keys():
            return self.select(likely=wanted).through(calibrator, force=force)
        method = self.method
        if self.signature is None and method.startswith(CALIBRATED):
            method = method.removeprefix(CALIBRATED)
            if method not in self.methods:
                raise LabelMassError(
                    f"the scores by {self.method} went through some calibrator already, and there "
                    f"are none by {method} to take through this one"
                )
            return self.select(method).through(calibrator, force=force)
        estimates, name = self.estimates, CALIBRATED + method
        low, high = (
            np.full_like(estimates.p, np.nan) if e is None else e
            for e in (estimates.low, estimates.high)
        )
        low, p, high = calibrator.apply(
            self.labels, low, estimates.p, high, signature=self.method_signature, force=force
        )
        signature = self.signature
        if signature is not None:
            methods = name, *(m for m in signature.methods if m != name)
            signature = replace(signature, methods=methods, calibrator=calibrator.digest)
        return replace(
            self,
            methods={name: replace(estimates, p=p, low=low, high=high), method: estimates},
            signature=signature,
            calibrator=calibrator,
        )

    @property
    def masses(self) -> dict[str, Floats]:
        """Known masses of the records, by name in `MASSES`, for `drift`."""
        unreadable, verdict = self.method_masses
        named = zip(MASSES, (self.off_format, unreadable, verdict), strict=True)
        known = ((name, mass[~np.isnan(mass)]) for name, mass in named if mass is not None)
        return {name: mass for name, mass in known if len(mass)}

    @property
    def method_masses(self) -> tuple[Floats | None, Floats | None]:
        """`unreadable` and `verdict`, where a record has a verdict that the first method reads."""
        if self.unreadable is None or self.verdict is None or np.isnan(self.verdict).all():
            return None, None
        return (self.unreadable, self.verdict) if reads_answer(self.method) else (None, None)

    @property
    def ceiling(self) -> Floats | None:
        """(n, k) upper ends if what cannot be read counts as open; None if all could be read.

        Raises:
            LabelMassError: For calibrated scores whose calibrator, or raw scores, are not known.
        """
        unreadable, verdict = self.method_masses
        if unreadable is None or verdict is None:
            return None
        if (unreadable[~np.isnan(self.p).all(axis=1)] == 0).all():
            return None
        if self.calibrated_by is None:
            return ceiling(self.high, unreadable, verdict, self.method_signature)
        raw = self.methods.get(self.method.removeprefix(CALIBRATED))
        if raw is None or self.calibrator is None:
            lacks = "give --calibrator" if self.calibrator is None else "take raw scores"
            raise LabelMassError(
                f"some of what was answered cannot be read, and how far it could raise the scores "
                f"by {self.method} depends on the calibrator {self.calibrated_by}: {lacks}"
            )
        raised = ceiling(_end(raw.high, raw.p), unreadable, verdict, self.method_signature)
        (top,) = self.calibrator.apply(self.labels, raised, force=True)
        return top

    def decide(self, policy: Policy, *, force: bool = False) -> Decisions:
        """Decisions of a policy on these scores, see `labelmass.decisions.apply_policy`."""
        return apply_policy(
            policy,
            self.p,
            self.low,
            self.high,
            ids=self.ids,
            ceiling=self.ceiling,
            verdict=self.method_masses[1],
            signature=self.method_signature,
            calibrator=self.calibrated_by,
            force=force,
        )

    # -- as a sequence, an array, a table -------------------------------------------------------

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Outcome, ...]: ...
    def __getitem__(self, index: int | slice) -> Outcome | tuple[Outcome, ...]:
        """A record's result: by every method, and what its tree said where it was scored here."""
        places = range(len(self.ids))[index]
        return self._result(places) if isinstance(places, int) else tuple(map(self._result, places))

    def _result(self, row: int) -> Outcome:
        if self.results is not None and (scored := self.results[row]) is not None:
            return self._scored(scored, row) if isinstance(scored, Result) else scored
        if (failed := self._failed.get(self.ids[row])) is not None:
            return failed
        methods = {
            name: self._label_scores(estimates, row) for name, estimates in self.methods.items()
        }
        missed = {
            name: Missed(estimates.reasons[row], scores.width)
            for (name, estimates), scores in zip(
                self.methods.items(), methods.values(), strict=True
            )
            if estimates.reasons is not None and estimates.reasons[row]
        }
        known = (self.off_format, self.unreadable, self.verdict)
        masses = Masses(*(np.nan if mass is None else float(mass[row]) for mass in known))
        took = {key: float(values[row]) for key, values in self.costs.items()}
        cost = Cost.of({key: value for key, value in took.items() if not np.isnan(value)})
        return Result(
            self.ids[row], methods, cost, self.signature, missed=missed, known_masses=masses
        )

    def _scored(self, result: Result, row: int) -> Result:
        """The result with these scores: by the methods that are left, in their order."""
        if tuple(result.methods) == tuple(self.methods) and result.labels.labels == self.labels:
            return result
        methods = {
            name: self._label_scores(estimates, row, result.methods.get(name))
            for name, estimates in self.methods.items()
        }
        missed = {name: shortfall for name, shortfall in result.missed.items() if name in methods}
        return replace(result, methods=methods, missed=missed, signature=self.signature)

    def _label_scores(
        self, estimates: Estimates, row: int, scored: LabelScores | None = None
    ) -> LabelScores:
        unknown = np.full(len(self.labels), np.nan)
        low, high = (
            unknown if end is None else end[row] for end in (estimates.low, estimates.high)
        )
        empty = None if scored is None else scored.empty
        return LabelScores(self.labels, estimates.p[row], low, high, estimates.interval, empty)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Outcome]:
        return (self[row] for row in range(len(self)))

    def to_numpy(self, method: str | None = None) -> Floats:
        """(n, k) probabilities, NaN for failures; `method` other than the first by name."""
        return self.select(method).p

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> Floats:
        return np.array(self.p, dtype=dtype)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Result records, plain JSON values."""
        return [result.to_dict() for result in self]

    def to_pandas(self) -> pandas.DataFrame:
        """A row a record, its columns as those of a CSV (`save`)."""
        try:
            import pandas
        except ImportError:
            raise LabelMassError("to_pandas needs the package pandas: pip install pandas") from None
        from labelmass.scores.writers import flat_table

        return pandas.DataFrame(flat_table(self.to_dicts(), self.labels))

    def to_polars(self) -> polars.DataFrame:
        """A row a record, its columns as those of a CSV (`save`)."""
        try:
            import polars
        except ImportError:
            raise LabelMassError("to_polars needs the package polars: pip install polars") from None
        from labelmass.scores.writers import flat_table

        return polars.DataFrame(flat_table(self.to_dicts(), self.labels))

    def save(self, path: str | Path) -> None:
        """As JSONL, CSV or Parquet, as the ending says; written whole or not at all."""
        from labelmass.scores.writers import write_scores

        about: dict[str, Any] = {"labels": list(self.labels)}
        if self.signature is not None:
            about["run"] = self.signature.to_dict()
        write_scores(path, self.to_dicts, about)

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences that a reader should know.

        The prompt, where it was chosen for the model; much mass outside the answer format; how many
        records failed; and then the next step.
        """
        from labelmass.scores.notices import notices_of

        return tuple(notices_of(self))

    def __repr__(self) -> str:
        prompt = "" if self.signature is None else self.signature.prompt
        about = f"{len(self)} records, {len(self.labels)} labels, by {', '.join(self.methods)}"
        return f"Scores({about}{prompt and f'; prompt: {prompt}'})"

    def __str__(self) -> str:
        return "\n".join(repr(result) for result in self)

    def _repr_html_(self) -> str:
        """The first records as a table, for a notebook."""
        from labelmass.present.notebook import table_html
        from labelmass.scores.notebook import scores_table

        return table_html(scores_table(self))


def _take(values: Floats, rows: NDArray[np.int64]) -> Floats:
    """These rows; NaN in the rows called -1."""
    return np.concatenate([values, np.full((1, *values.shape[1:]), np.nan)])[rows]


def _end(end: Floats | None, p: Floats) -> Floats:
    return p if end is None else np.where(np.isnan(end), p, end)
