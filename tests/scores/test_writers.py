from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labelmass.errors import LabelMassError
from labelmass.scores.writers import load_results, output_writer
from labelmass.scoring.journal import Journal, export


def mass(p: float | None) -> dict[str, float | None]:
    return {"p": p, "low": None if p is None else p - 0.1, "high": None if p is None else p + 0.1}


GOOD: dict[str, Any] = {
    "id": "a",
    "labels": {"joy": mass(0.5), "id": mass(0.25)},
    "methods": {"token": {"joy": mass(0.75)}},
    "empty_answer": mass(0.5),
    "off_format": 0.125,
    "unexplored": 0.0,
    "greedy": 'joy, "fear"\nü',
    "stopped": "tolerance",
    "sets": [{"labels": ["joy"], "p": 0.5}],
}
NULL: dict[str, Any] = {"id": 7, "labels": {"joy": mass(None), "id": mass(None)}, "greedy": ""}
BAD: dict[str, Any] = {"id": "b", "error": "text is empty"}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "j", {"model": "m"}) as opened:
        opened.append([(5, NULL), (2, BAD), (1, GOOD)])
        yield opened


def test_jsonl_is_the_records_as_they_are(journal: Journal, tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    export(journal, out)
    assert load_results(out) == [GOOD, BAD, NULL]
    assert [json.loads(line) for line in out.read_text().split("\n") if line] == [GOOD, BAD, NULL]
    export(journal, out, order=[5, 1])
    assert load_results(out) == [NULL, GOOD]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["j", "x.jsonl"]


COLUMNS = [
    *("id", "error", "joy", "joy.low", "joy.high", "label:id", "label:id.low", "label:id.high"),
    *(
        "token:joy",
        "token:joy.low",
        "token:joy.high",
        "empty_answer",
        "empty_answer.low",
        "empty_answer.high",
    ),
    *("off_format", "unexplored", "greedy", "stopped"),
]


def test_csv_is_flat(journal: Journal, tmp_path: Path) -> None:
    export(journal, tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    first, second, third = rows
    assert (first["id"], first["joy"], first["joy.low"], first["error"]) == ("a", "0.5", "0.4", "")
    assert (first["label:id"], first["token:joy"], first["empty_answer.high"]) == (
        "0.25",
        "0.75",
        "0.6",
    )
    assert first["greedy"] == GOOD["greedy"]
    assert (second["id"], second["error"], second["joy"]) == ("b", "text is empty", "")
    assert (third["id"], third["joy"]) == ("7", "")


def test_parquet_is_flat_and_typed(journal: Journal, tmp_path: Path) -> None:
    from pyarrow import parquet

    export(journal, tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column_names == COLUMNS
    types = {
        name: str(kind) for name, kind in zip(table.schema.names, table.schema.types, strict=True)
    }
    assert (types["id"], types["joy.low"], types["greedy"]) == ("string", "double", "string")
    rows = table.to_pylist()
    assert (rows[0]["joy"], rows[0]["off_format"], rows[0]["unexplored"]) == (0.5, 0.125, 0.0)
    assert (rows[1]["error"], rows[1]["joy"], rows[2]["joy"]) == ("text is empty", None, None)
    assert json.loads(table.schema.metadata[b"labelmass"]) == {"model": "m"}


def test_whole_ids_stay_numbers_and_bad_records_alone_are_written(tmp_path: Path) -> None:
    from pyarrow import parquet

    with Journal(tmp_path / "j", {}) as journal:
        journal.append([(1, {"id": 1, "error": "x"})])
        export(journal, tmp_path / "x.parquet")
        export(journal, tmp_path / "x.csv")
    assert parquet.read_table(tmp_path / "x.parquet").to_pylist()[0]["id"] == 1
    assert (tmp_path / "x.csv").read_text().splitlines()[1].startswith("1,x,")


def test_odd_ids_and_texts_are_written(tmp_path: Path) -> None:
    from pyarrow import parquet

    with Journal(tmp_path / "j", {}) as journal:
        journal.append(
            [(1, {"id": 2**70, "greedy": "a\udcff"}), (2, {"id": "\ud800", "error": "x"})]
        )
        export(journal, tmp_path / "x.parquet")
        export(journal, tmp_path / "x.csv")
        export(journal, tmp_path / "x.jsonl")
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert [row["id"] for row in rows] == [str(2**70), "\\ud800"]
    assert rows[0]["greedy"] == "a\\udcff"
    assert "\\ud800,x," in (tmp_path / "x.csv").read_text(encoding="utf-8")
    assert load_results(tmp_path / "x.jsonl")[1]["id"] == "\ud800"


def test_an_empty_run_gives_an_empty_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}) as journal:
        for ending in ("jsonl", "csv", "parquet"):
            export(journal, tmp_path / f"x.{ending}")
    assert load_results(tmp_path / "x.jsonl") == []


def test_a_failed_export_leaves_the_old_file(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.jsonl"
    out.write_text("old")

    def broken(order: object = None) -> Iterator[dict[str, Any]]:
        yield GOOD
        raise OSError("disk full")

    monkeypatch.setattr(journal, "records", broken)
    with pytest.raises(OSError, match="disk full"):
        export(journal, out)
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["j", "x.jsonl"]


def test_endings_and_packages_are_named(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LabelMassError, match=r"must end in \.jsonl, \.csv, \.parquet"):
        export(journal, tmp_path / "x.xlsx")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LabelMassError, match="pip install"):
        export(journal, tmp_path / "x.parquet")


def test_a_folder_that_is_not_there_is_named_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match=r"cannot write .*: there is no folder '.*nowhere'"):
        output_writer(tmp_path / "nowhere" / "x.jsonl")
    assert output_writer("x.jsonl")


def test_results_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    for line, message in (("{", "line 2: malformed"), ('{"text": 1}', "line 2: not a result")):
        file.write_text('{"id": 1, "error": "x"}\n' + line)
        with pytest.raises(LabelMassError, match=message):
            load_results(file)
    with pytest.raises(LabelMassError, match="no file"):
        load_results(tmp_path / "none.jsonl")
