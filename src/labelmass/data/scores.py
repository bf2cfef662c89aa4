"""Score files read back: ours, or another system's, as predictions that can be judged."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._text import canonical, find, nearest
from labelmass.calibrate import CALIBRATED
from labelmass.data.writers import load_results
from labelmass.errors import LabelMassError
from labelmass.evaluate.predictions import Predictions
from labelmass.files import import_pyarrow

Row = dict[str, Any]
SIDES = ("p", "low", "high")


@dataclass(frozen=True, slots=True)
class ScoreFile:
    """Predictions by method, and the signature of the run that made them, if it is known.

    off_format: (n,) mass that left the format. unreadable: (n,) mass behind a risk verdict that
    cannot be read. verdict: (n,) the least mass on which any verdict is given. NaN where not known.
    """

    predictions: dict[str, Predictions]
    signature: Mapping[str, Any] | None
    off_format: NDArray[np.float64]
    unreadable: NDArray[np.float64]
    verdict: NDArray[np.float64]


def read_scores(
    path: str | Path, labels: Sequence[str], ids: Iterable[str | int] = ()
) -> ScoreFile:
    """The scores of these labels in a JSONL, CSV or Parquet file.

    ids: of the records that are scored; a table may hold a number as text, or a text as a number.

    JSONL: `id`, and `labels`: by name a number, or {`p`, `low`, `high`}; `methods` for several. CSV
    and Parquet: a column `id` and one a label, `LABEL.low` and `LABEL.high` if there are bounds,
    `METHOD:LABEL` for several methods. A record with `error` has no scores. A file that names no
    method is one method, called as the file is.
    Raises LabelMassError naming the record and the label where a score is missing or no number.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise LabelMassError(f"cannot read {path}: its name must end in {', '.join(_READERS)}")
    rows, signature = _READERS[kind](path, labels)
    if not rows:
        raise LabelMassError(f"{path} holds no scores")
    methods = next((list(row["methods"]) for row in rows if row.get("methods")), [])
    first = _headline(signature, methods) or path.stem
    known = {str(name): name for name in ids}
    given: list[str | int] = [row["id"] for row in rows]
    names = [known.get(str(name), name) for name in given]
    found = {
        method: _predictions(names, [_scores(row, method, first) for row in rows], labels, path)
        for method in dict.fromkeys([first, *methods])
    }
    cost = _mean_cost(rows)

    def mass(of: Callable[[Row], Any]) -> NDArray[np.float64]:
        return np.array([_number(of(row), f"{path}, record {row['id']!r}") for row in rows])

    return ScoreFile(
        {
            method: Predictions(
                tuple(names), tuple(labels), *sides, interval=_interval(method, sides[1]), cost=cost
            )
            for method, sides in found.items()
        },
        signature,
        mass(lambda row: row.get("off_format")),
        mass(lambda row: row.get("unreadable")),
        mass(lambda row: (row.get("verdict") or {}).get("low")),
    )


def _headline(signature: Mapping[str, Any] | None, methods: Sequence[str]) -> str | None:
    named = (signature or {}).get("methods") or methods
    return named[0] if named else None


def _scores(row: Row, method: str, first: str) -> Mapping[str, Any] | None:
    """The row's scores by this method; None for a record that failed."""
    if row.get("error"):
        return None
    many = row.get("methods") or {}
    if method in many:
        return many[method]
    if method == first:
        return row.get("labels") or {}
    raise LabelMassError(f"record {row['id']!r} has no scores by {method!r}, others have")


def _predictions(
    ids: Sequence[Any], rows: Sequence[Mapping[str, Any] | None], labels: Sequence[str], path: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sides = np.full((3, len(rows), len(labels)), np.nan)
    for at, (name, scores) in enumerate(zip(ids, rows, strict=True)):
        if scores is None:
            continue
        for column, label in enumerate(labels):
            key = find(label, scores)
            if key is None:
                hint = nearest(label, scores)
                raise LabelMassError(f"{path}, record {name!r}: no score for label {label!r}{hint}")
            score = scores[key]
            values = [score.get(s) for s in SIDES] if isinstance(score, Mapping) else [score]
            for side, value in enumerate(values):
                sides[side, at, column] = _number(value, f"{path}, record {name!r}, {label!r}")
    return sides[0], sides[1], sides[2]


def _number(value: Any, where: str) -> float:
    if value is None or value == "":
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise LabelMassError(f"{where}: {value!r} is not a number") from None


def _interval(method: str, low: np.ndarray) -> str:
    """What kind of bounds a method's are."""
    from labelmass.estimators import ESTIMATORS

    if np.isnan(low).all():
        return "none"
    known = ESTIMATORS.get(method.removeprefix(CALIBRATED))
    return "sampled" if known is not None and known.needs.draws else "certified"


def _mean_cost(rows: Iterable[Row]) -> dict[str, float]:
    costs = [row["cost"] for row in rows if row.get("cost")]
    return {key: float(np.mean([cost[key] for cost in costs])) for key in costs[0]} if costs else {}


def _read_jsonl(path: Path, labels: Sequence[str]) -> tuple[list[Row], Mapping[str, Any] | None]:
    rows = load_results(path)
    return rows, next((row["signature"] for row in rows if row.get("signature")), None)


def _read_csv(path: Path, labels: Sequence[str]) -> tuple[list[Row], None]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_flat(csv.DictReader(file), labels, path)), None
    except OSError as error:
        raise LabelMassError(f"cannot read {path}: {error.strerror}") from None


def _read_parquet(path: Path, labels: Sequence[str]) -> tuple[list[Row], Mapping[str, Any] | None]:
    _, parquet = import_pyarrow()
    try:
        table = parquet.read_table(path)
    except OSError as error:
        raise LabelMassError(f"cannot read {path}: {error}") from None
    kept = (table.schema.metadata or {}).get(b"labelmass")
    signature = None if kept is None else json.loads(kept).get("run")
    return list(_flat(table.to_pylist(), labels, path)), signature


def _flat(rows: Iterable[Mapping[str, Any]], labels: Sequence[str], path: Path) -> Iterator[Row]:
    """Rows of a flat table as those of a JSONL file; columns of other names are left out.

    Names are compared in NFC.
    """
    for number, cells in enumerate(rows, start=1):
        cells = {canonical(name): cell for name, cell in cells.items()}
        methods = dict.fromkeys(
            name.removesuffix(f":{label}")
            for name in cells
            for label in map(canonical, labels)
            if name.endswith(f":{label}") and name != f"label:{label}"
        )
        name = cells.get("id")
        row: Row = {"id": number if name in (None, "") else name, "error": cells.get("error")}
        row["off_format"] = None if "off_format" in labels else cells.get("off_format")
        labelled = {name for name in labels if f"label:{name}" not in cells}
        row["unreadable"] = None if "unreadable" in labelled else cells.get("unreadable")
        row["verdict"] = None if "verdict" in labelled else {"low": cells.get("verdict.low")}
        row["labels"] = _cells(cells, labels, "", path)
        row["methods"] = {m: _cells(cells, labels, f"{m}:", path) for m in methods}
        yield row


def _cells(
    cells: Mapping[str, Any], labels: Sequence[str], prefix: str, path: Path
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for label in labels:
        column = canonical(f"label:{prefix}{label}")
        if column not in cells:
            column = canonical(f"{prefix}{label}")
        if column not in cells:
            raise LabelMassError(f"{path} has no column {column!r}{nearest(column, cells)}")
        ends = (column, f"{column}.low", f"{column}.high")
        found[label] = {side: cells.get(end) for side, end in zip(SIDES, ends, strict=True)}
    return found


_READERS: dict[str, Callable[[Path, Sequence[str]], tuple[list[Row], Mapping[str, Any] | None]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
