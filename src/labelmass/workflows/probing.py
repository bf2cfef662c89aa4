"""States of training records, and what a probe on them knows of gold and of the model's answer.

Source: the probe study of P1, docs/formulas.md#probe-study.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats
from labelmass.answers.search import Requirements
from labelmass.errors import FitError, RecordError
from labelmass.estimators.greedy import EPS, hard
from labelmass.evaluation import Score, evaluate
from labelmass.lm.base import LanguageModel
from labelmass.provenance import HoldOut
from labelmass.scores import Scores
from labelmass.scoring.explorer import ExploredRecord, Explorer, Keyed
from labelmass.scoring.hidden_states import StateReader
from labelmass.scoring.isolation import apply_in_batch
from labelmass.scoring.journal import Journal
from labelmass.supervised import HiddenStateFeatures, fit_heads
from labelmass.supervised.logistic import base_rate
from labelmass.targets import Targets
from labelmass.task import Record, Task
from labelmass.workflows.training_set import groups_of

BATCH = 8
"""Records whose states are read in one pass."""


def explore_greedily(
    records: Iterable[Keyed], model: LanguageModel, task: Task, batch_size: int
) -> Iterator[tuple[int, ExploredRecord | RecordError]]:
    """Each record with its greedy answer, or with the error that kept it from one."""
    explorer = Explorer(model, task, requirements=Requirements(tree=False), batch_size=batch_size)
    for key, _, outcome in explorer.explore(records):
        yield key, outcome


def save_states(
    explored: Iterable[tuple[int, ExploredRecord | RecordError]],
    read: StateReader,
    journal: Journal,
) -> Iterator[int]:
    """Write states, and what the model wrote, to a journal, some at a time; how many, each time."""
    waiting = iter(explored)
    while some := list(islice(waiting, BATCH)):
        good = [(key, one) for key, one in some if isinstance(one, ExploredRecord)]
        errors = [(key, one) for key, one in some if isinstance(one, RecordError)]
        states = apply_in_batch(read, [one for _, one in good], read.read_plain) if good else []
        lines: list[tuple[int, dict[str, Any]]] = []
        for (key, one), state in zip(good, states, strict=True):
            if isinstance(state, RecordError):
                errors.append((key, state))
                continue
            data = base64.b64encode(state.astype("<f4").tobytes()).decode()
            written = [out for out, _ in one.tree.completed if out < len(one.tree.labels)]
            chosen = np.flatnonzero(hard(one.tree).p > 0.5).tolist()
            first = next((out for out in written if out in chosen), None)
            lines.append((key, {"state": data, "written": chosen, "first": first}))
        journal.append([*lines, *((key, {"error": str(error)}) for key, error in errors)])
        yield len(some)


@dataclass(frozen=True, eq=False)
class ProbeData:
    """Records with states, and what the model answered.

    x: (n, d). written: (n, k), 1 for a label of the greedy answer. first: (n,) the label that it
    writes first, -1 where it writes none. failed: by id, why a record has no state.
    """

    records: tuple[Record, ...]
    x: Floats
    written: Floats
    first: NDArray[np.int64]
    failed: Mapping[str | int, str]

    @classmethod
    def of(cls, journal: Journal, records: Sequence[Record], k: int) -> ProbeData:
        """Data from the journal for these records, by position; FitError if it holds none."""
        kept: list[Record] = []
        states: list[NDArray[np.float32]] = []
        written: list[Floats] = []
        first: list[int] = []
        failed: dict[str | int, str] = {}
        lines = journal.records(range(len(records)))
        for record, line in zip(records, lines, strict=True):
            if "error" in line:
                failed[record.id] = line["error"]
                continue
            kept.append(record)
            states.append(np.frombuffer(base64.b64decode(line["state"]), dtype="<f4"))
            row = np.zeros(k)
            row[line["written"]] = 1
            written.append(row)
            first.append(-1 if line["first"] is None else line["first"])
        if not kept:
            why = next(iter(failed.values()), "there are none")
            raise FitError(f"no record has a state: {why}")
        x = np.array(states, dtype=np.float64)
        return cls(tuple(kept), x, np.array(written), np.array(first), failed)


@dataclass(frozen=True)
class StudyRow:
    """A probe judged on records it has not seen, beside base rates: micro-F1, and NLL a cell.

    probe, base: by metric.
    """

    name: str
    about: str
    probe: Mapping[str, Score]
    base: Mapping[str, Score]

    def to_dict(self) -> dict[str, Any]:
        sides = {"probe": self.probe, "base_rate": self.base}
        scores = {side: {m: s.to_dict() for m, s in by.items()} for side, by in sides.items()}
        return {"name": self.name, "about": self.about, **scores}


@dataclass(frozen=True)
class Study:
    """fitted, judged: how many records. hold_out: which were judged on."""

    rows: tuple[StudyRow, ...]
    fitted: int
    evaluated: int
    hold_out: HoldOut

    def to_dict(self) -> dict[str, Any]:
        return {
            "fitted": self.fitted,
            "judged": self.evaluated,
            "hold_out": {"share": self.hold_out.share, "seed": self.hold_out.seed},
            "rows": [row.to_dict() for row in self.rows],
        }


def probe_study(
    probe_data: ProbeData,
    targets: Targets,
    states: HiddenStateFeatures,
    *,
    hold_out: HoldOut,
    single: bool = False,
    draws: int = 1000,
    seed: int = 0,
) -> Study:
    """Gold, Pred, Pred 2+ and Perf on the records held out, by probes fitted on the others.

    Gold: fitted and judged on gold. Pred: on the labels of the model's own greedy answer. Pred 2+:
    Pred without the label that the answer writes first, record by record. Perf: the answer, judged
    on gold. targets: of the records of `probe_data`, in their order. FitError where a side is
    empty.
    single: an answer without a label is wrong in Perf, and left out of Pred: it says nothing of
    which label; there is no Pred 2+, and no Pred where a side is empty.
    """
    groups = groups_of(probe_data.records, targets)
    out = hold_out.out(groups)
    evaluated = int(out.sum())
    if not evaluated or len(set(np.array(groups)[~out].tolist())) < 2:
        raise FitError(
            f"{evaluated} of {len(out)} records are held out for the study: take more records or "
            "another --hold-out"
        )
    kept = targets.at([name for name, one in zip(targets.ids, out, strict=True) if one])
    metrics = ("micro-f1", "nll-single" if single else "nll-cell")

    def fitted(truth: Floats) -> tuple[Floats, Floats]:
        """P(label) for the held-out records, by a probe and by base rates."""
        seen, inside = truth[~out], [g for g, one in zip(groups, out, strict=True) if not one]
        heads = fit_heads(
            targets.labels,
            probe_data.x[~out],
            seen,
            inside,
            strengths=states.strengths,
            seed=seed,
            single=single,
        )
        known = ~np.isnan(seen)
        pooled = float(seen[known].mean())
        rates = [base_rate(seen[known[:, at], at], pooled) for at in range(seen.shape[1])]
        return heads(probe_data.x[out]), np.tile(rates, (evaluated, 1))

    def row(name: str, about: str, p: Floats, base: Floats, truth: Floats) -> StudyRow:
        said = Targets(kept.ids, kept.labels, truth, truth, kept.raters, kept.groups, name)
        rows = {
            "probe": Scores.of(kept.ids, kept.labels, p),
            "fitted-base-rate": Scores.of(kept.ids, kept.labels, base),
        }
        result = evaluate(rows, said, metrics, single=single, draws=draws, seed=seed)
        of = {name: result[name].scores for name in rows}
        return StudyRow(name, about, of["probe"], of["fitted-base-rate"])

    p, base = fitted(targets.gold)
    written = probe_data.written[out]
    rows = [row("Gold", "gold, from the state", p, base, kept.gold)]
    answer = np.where(written > 0, 1 - EPS, EPS)
    perf = row("Perf", "gold, from the model's answer", answer, base, kept.gold)
    said = probe_data.written.copy()
    if single:
        said[probe_data.first < 0] = np.nan
    if not any(np.isnan(side).all() for side in (said[~out], said[out])):
        p, base = fitted(said)
        rows.append(row("Pred", "the model's answer, from the state", p, base, said[out]))
    if not single:
        rest, first = written.copy(), probe_data.first[out]
        rest[first >= 0, first[first >= 0]] = np.nan
        rows.append(row("Pred 2+", "the same, except for its first label", p, base, rest))
    return Study((*rows, perf), int((~out).sum()), evaluated, hold_out)
