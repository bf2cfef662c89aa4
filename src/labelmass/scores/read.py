"""Score files read back: ours, or another system's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._text import find, nearest
from labelmass.calibration import CALIBRATED
from labelmass.errors import LabelMassError, RecordError
from labelmass.files import bad_byte, ending, open_file, open_parquet, parse_json, read_table
from labelmass.provenance import Signature
from labelmass.records.readers import rows_of
from labelmass.scores.columns import VALUES
from labelmass.scores.result import Cost, Failure
from labelmass.scores.scores import Estimates, Scores
from labelmass.scores.table import RowReader
from labelmass.scores.writers import load_results
from labelmass.task.values import plain_row, read_id

Row = dict[str, Any]
SIDES = ("p", "low", "high")
INTERVALS = ("certified", "sampled", "unknown", "none")
_WHOLE = re.compile(r"-?\d+\.0+")


def read_scores(
    path: str | Path, labels: Sequence[str] | None = None, ids: Iterable[str | int] = ()
) -> Scores:
    """The scores of these labels in a JSONL, CSV or Parquet file; None for all that it has.

    ids: of the records that are scored; a table may hold a number as text, or a text as a number.

    JSONL: `id`, and `labels`: by name a number, or {`p`, `low`, `high`}; `methods` for several.
    CSV, TSV and Parquet: a column `id` and one a label, `LABEL.low` and `LABEL.high` if there are
    bounds, `METHOD:LABEL` for several methods; `columns` says what of names that look like these.
    A record with `error` has no scores. A file that names no method is one method, called as the
    file is. All but Parquet may be packed.
    Raises LabelMassError naming the record and the label where a score is missing or no number.
    """
    path = Path(path)
    kind = ending(path)
    if kind not in _READERS:
        raise LabelMassError(f"cannot read {path}: its name must end in {', '.join(_READERS)}")
    return _scores_of(
        _READERS[kind](path, labels), str(path), path.stem, ids, typed=kind == ".jsonl"
    )


def read_frame(
    frame: Any, labels: Sequence[str] | None = None, ids: Iterable[str | int] = ()
) -> Scores:
    """The scores in a table of pandas, polars or Arrow, its columns as those of a file."""
    rows = rows_of(frame)
    if not all(isinstance(row, Mapping) for row in rows):
        raise LabelMassError("not a table of scores: its rows have no columns")
    rows = [plain_row(row) for row in rows]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    reader = RowReader.of(columns, labels, "the table")
    named = [
        _named(reader.read(dict.fromkeys(columns) | row), f"row {at} of the table")
        for at, row in enumerate(rows)
    ]
    return _scores_of(_Read(named, reader.labels), "the table", "scores", ids, typed=True)


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows of a file, the labels they have, and the signature of their run, if it is known."""

    rows: list[Row]
    labels: Sequence[str]
    signature: Mapping[str, Any] | None = None


def _scores_of(
    found: _Read, source: str, name: str, ids: Iterable[str | int], *, typed: bool
) -> Scores:
    rows, labels = found.rows, found.labels
    if not rows:
        raise LabelMassError(f"{source} holds no scores")
    methods = next((list(row["methods"]) for row in rows if row.get("methods")), [])
    first = _headline(found.signature, methods) or name
    names = _match([row["id"] for row in rows], ids, source, typed=typed)
    tables: dict[str, Estimates] = {}
    for method in dict.fromkeys([first, *methods]):
        p, low, high = _table(names, [_scores(row, method, first) for row in rows], labels, source)
        tables[method] = Estimates(
            *(p, low, high, _interval(rows, method, first, low)),
            _reasons(rows, None if len(methods) < 2 else method),
        )

    def mass(of: Callable[[Row], Any]) -> NDArray[np.float64]:
        return np.array([_number(of(row), f"{source}, record {row['id']!r}") for row in rows])

    return Scores(
        tuple(names),
        tuple(labels),
        tables,
        signature=Signature.read(found.signature),
        failures=tuple(
            Failure(given, str(row["error"]))
            for given, row in zip(names, rows, strict=True)
            if row.get("error")
        ),
        off_format=mass(lambda row: row.get("off_format")),
        unreadable=mass(lambda row: row.get("unreadable")),
        verdict=mass(lambda row: (row.get("verdict") or {}).get("low")),
        costs=_costs(rows),
    )


def _match(
    given: Sequence[str | int], ids: Iterable[str | int], source: str, *, typed: bool
) -> list[str | int]:
    """The ids of a file as those of the records: a table may hold 7 for "7", and "7" or 7.0 for 7.

    typed: whether the file tells 7 from "7". LabelMassError where one could be that of two records,
    or two rows are of one record.
    """
    exact = set(ids)
    known: dict[str, list[str | int]] = {}
    for name in exact:
        known.setdefault(str(name), []).append(name)
    results: list[str | int] = []
    for name in given:
        if not (typed and name in exact):
            text = str(name)
            if text not in known and _WHOLE.fullmatch(text):
                text = text.partition(".")[0]
            names = known.get(text, [name])
            if len(names) > 1:
                raise LabelMassError(
                    f"{source}: id {name!r} may be that of record {names[0]!r} or {names[1]!r}: "
                    "give them ids that differ as texts"
                )
            name = names[0]
        results.append(name)
    if len(set(results)) < len(results):
        name = next(name for name, count in Counter(results).items() if count > 1)
        raise LabelMassError(f"{source}: record {name!r} has several rows of scores")
    return results


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


def _table(
    ids: Sequence[Any], rows: Sequence[Mapping[str, Any] | None], labels: Sequence[str], source: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sides = np.full((3, len(rows), len(labels)), np.nan)
    for at, (name, scores) in enumerate(zip(ids, rows, strict=True)):
        if scores is None:
            continue
        for column, label in enumerate(labels):
            key = find(label, scores)
            if key is None:
                hint = nearest(label, scores)
                raise LabelMassError(
                    f"{source}, record {name!r}: no score for label {label!r}{hint}"
                )
            score = scores[key]
            values = [score.get(s) for s in SIDES] if isinstance(score, Mapping) else [score]
            for side, value in enumerate(values):
                sides[side, at, column] = _number(value, f"{source}, record {name!r}, {label!r}")
    return sides[0], sides[1], sides[2]


def _number(value: Any, where: str) -> float:
    if value is None or value == "":
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        hint = ": write a decimal point" if "," in str(value) else ""
        raise LabelMassError(f"{where}: {value!r} is not a number{hint}") from None


def _interval(rows: Sequence[Row], method: str, first: str, low: np.ndarray) -> str:
    """Kind of a method's bounds: as the file states for the first method, else by its name."""
    from labelmass.estimators import ESTIMATORS

    if np.isnan(low).all():
        return "none"
    kinds = {row["interval"] for row in rows if row.get("interval")} if method == first else set()
    if kinds:
        (kind, *more) = kinds
        return kind if not more and kind in INTERVALS else "unknown"
    known = ESTIMATORS.get(method.removeprefix(CALIBRATED))
    if known is None:
        return "unknown"
    return "sampled" if known.requirements.draws else "certified"


def _reasons(rows: Sequence[Row], method: str | None) -> tuple[str, ...] | None:
    """Reason each record's numbers fell short; None if no row says whether they did.

    method: None where there is one, which a table does not name.
    """
    if not any(row.get("missed") is not None for row in rows):
        return None
    missed = [row.get("missed") or {} for row in rows]
    results = [
        by_method.get(method) if method else next(iter(by_method.values()), None)
        for by_method in missed
    ]
    return tuple(str((entry or {}).get("reason", "")) for entry in results)


def _costs(rows: Sequence[Row]) -> dict[str, NDArray[np.float64]]:
    """Costs of each record, as far as `Cost` has fields for them."""
    names = [field_.name for field_ in fields(Cost)]
    costs = [row.get("cost") or {} for row in rows]
    known = [name for name in names if any(name in cost for cost in costs)]
    return {
        name: np.array([_number(cost.get(name), f"cost, {name}") for cost in costs])
        for name in known
    }


def _read_jsonl(path: Path, labels: Sequence[str] | None) -> _Read:
    rows = load_results(path)
    if labels is None:
        labels = next((list(row["labels"]) for row in rows if row.get("labels")), ())
    return _Read(rows, labels, next((r["signature"] for r in rows if r.get("signature")), None))


def _read_csv(path: Path, labels: Sequence[str] | None) -> _Read:
    separator = "\t" if ending(path) == ".tsv" else None
    rows: list[Row] = []
    with open_file(path) as stream:
        wanted = ("id", *VALUES, *(labels or ()))
        table = read_table(stream, str(path), wanted, separator=separator).check_unique()
        reader = RowReader.of(table.columns, labels, str(path))
        for line, _, cells in table.rows:
            if isinstance(cells, RecordError):
                raise LabelMassError(f"{path}, line {line}: {cells}")
            results = dict(zip(table.columns, cells, strict=True))
            if (bad := next((t for t in reader.titles if bad_byte(results[t])), None)) is not None:
                raise LabelMassError(f"{path}, line {line}: {bad} is not UTF-8")
            rows.append(_named(reader.read(results), f"{path}, line {line}"))
    return _Read(rows, reader.labels)


def _read_parquet(path: Path, labels: Sequence[str] | None) -> _Read:
    rows: list[Row] = []
    with open_parquet(path) as table:
        reader = RowReader.of(table.columns, labels, str(path))
        for number, cells in table.rows(reader.titles):
            if isinstance(cells, RecordError):
                raise LabelMassError(f"{path}, row {number}: {cells}")
            rows.append(_named(reader.read(cells), f"{path}, row {number}"))
        metadata = table.metadata.get(b"labelmass")
    if metadata is None:
        return _Read(rows, reader.labels)
    try:
        signature = parse_json(metadata.decode(errors="replace")).get("run")
    except (RecordError, AttributeError):
        raise LabelMassError(
            f"{path}: what it says of its run (metadata `labelmass`) is damaged: write it again"
        ) from None
    return _Read(rows, reader.labels, signature)


def _named(row: Row, where: str) -> Row:
    """The row with its id; LabelMassError if it has none: by its place it would be another's."""
    try:
        name = read_id(row["id"])
    except RecordError as error:
        raise LabelMassError(f"{where}: {error}") from None
    if name is None:
        raise LabelMassError(f"{where}: no id, by which scores are joined to records")
    return row | {"id": name}


_READERS: dict[str, Callable[[Path, Sequence[str] | None], _Read]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}
