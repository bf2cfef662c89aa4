"""Every kind of file gives the same records."""

from __future__ import annotations

import json
import lzma
import shutil
import zipfile
from collections.abc import Callable
from gzip import compress
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from labelmass.errors import LabelMassError
from labelmass.records import BadRecord, count_records, read_records
from labelmass.records.readers import each_record
from labelmass.task import Record
from labelmass.task.record import Fields

ROWS = [
    {"id": "a", "text": "so happy", "labels": ["joy"]},
    {"id": "b", "text": "rain", "labels": []},
    {"id": "c", "text": "grim and happy", "labels": ["fear", "joy"]},
]
DATASET = Path(__file__).parents[1] / "files" / "saved_dataset"


def as_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def as_json(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=1))


def as_csv(path: Path, separator: str = ",") -> None:
    cells = [[row["id"], row["text"], "|".join(row["labels"]) or "[]"] for row in ROWS]
    path.write_text(
        "".join(separator.join(row) + "\n" for row in [["id", "text", "labels"], *cells])
    )


def as_tsv(path: Path) -> None:
    as_csv(path, "\t")


def as_parquet(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def as_xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "text", "labels"])
    for row in ROWS:
        book.active.append([row["id"], row["text"], json.dumps(row["labels"])])
    book.save(path)


WRITERS: dict[str, Callable[[Path], None]] = {
    ".jsonl": as_jsonl,
    ".json": as_json,
    ".csv": as_csv,
    ".tsv": as_tsv,
    ".parquet": as_parquet,
    ".xlsx": as_xlsx,
}


def zipped(content: bytes, path: Path, member: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(member, content)


def written(folder: Path, ending: str, packing: str = "") -> Path:
    """A file with the records of `ROWS`."""
    plain, packed = folder / f"x{ending}", folder / f"packed{ending}{packing}"
    WRITERS[ending](plain)
    if packing == ".gz":
        packed.write_bytes(compress(plain.read_bytes()))
    elif packing == ".xz":
        packed.write_bytes(lzma.compress(plain.read_bytes()))
    elif packing == ".zip":
        packed = folder / "packed.zip"
        zipped(plain.read_bytes(), packed, plain.name)
    return packed if packing else plain


@pytest.mark.parametrize("packing", ["", ".gz", ".xz", ".zip"])
@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_of_any_kind_holds_the_same_records(
    tmp_path: Path, ending: str, packing: str
) -> None:
    path = written(tmp_path, ending, packing)
    records = [item for _, item in read_records(path)]
    assert [record.to_dict() for record in records if isinstance(record, Record)] == ROWS
    assert count_records(path) == 3


def test_a_saved_dataset_holds_the_same_records() -> None:
    records = [item for _, item in read_records(DATASET / "train")]
    assert [record.text for record in records if isinstance(record, Record)] == [
        row["text"] for row in ROWS
    ]
    assert [record.extra["labels"] for record in records if isinstance(record, Record)] == [
        row["labels"] for row in ROWS
    ]
    assert count_records(DATASET / "train") == 3


def test_a_saved_dataset_of_several_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match=r"several splits \(train, test\)"):
        count_records(DATASET)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match="is a folder, not a file of records"):
        read_records(tmp_path)


def test_records_without_an_id_are_called_by_their_number(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('["so happy", {"text": "rain"}, {"id": 2, "text": "b"}]')
    assert [item.id for _, item in read_records(path)] == [1, "line 2", 2]


def test_an_id_in_a_workbook_has_no_decimals(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["id", "text"], [17, "so happy"], [None, "rain"]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    assert [item.id for _, item in read_records(tmp_path / "x.xlsx")] == [17, 3]


def test_values_in_an_array_that_are_no_records_are_reported_in_their_place(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('["a", 3, [1], {"text": ""}, " "]')
    items = [item for _, item in read_records(path)]
    assert isinstance(items[0], Record)
    assert [item.error.split(",")[0] for item in items if isinstance(item, BadRecord)] == [
        "the record is a number",
        "the record is a list",
        "text is empty",
        "text is empty",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "a"}', r"holds an object, not an array of records: enclose"),
        ('{"data": [{"text": "a"}]}', "write the array under 'data' to a file of its own"),
        ('"a"', "holds a text, not an array"),
        ('{"text": "a"}\n{"text": "b"}\n', r"its name must end in \.jsonl"),
        ('[{"text": "a"}', "malformed JSON"),
        ('[{"text": "a", "text": "b"}]', "the key 'text' stands twice"),
        ('[{"txt": "a"}]', r"no column 'text'.*\(columns: txt\)"),
    ],
)
def test_a_json_file_of_another_shape_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(LabelMassError, match=said):
        list(read_records(path))


def test_a_sheet_of_a_file_that_has_none_is_refused(tmp_path: Path) -> None:
    fields = Fields(sheet="May")
    for source in (written(tmp_path, ".csv"), "-"):
        with pytest.raises(LabelMassError, match=r"no .*Excel workbook.*leave out --sheet"):
            read_records(source, fields=fields)


def test_a_path_in_python_is_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, ".csv")
    assert [item.to_dict() for _, item in each_record(path) if isinstance(item, Record)] == ROWS


@pytest.mark.parametrize("name", ["x.zip", "x.csv.ZIP"])
def test_an_archive_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabelMassError, match="no file"):
        read_records(tmp_path / name)


def test_an_archive_of_something_else_is_named(tmp_path: Path) -> None:
    zipped(b"?", tmp_path / "x.zip", "x.docx")
    with pytest.raises(LabelMassError, match=r"cannot tell what .*x\.zip' holds"):
        read_records(tmp_path / "x.zip")


def test_a_polars_frame_that_is_lazy_is_read() -> None:
    polars: Any = pytest.importorskip("polars")
    items = list(each_record(polars.DataFrame(ROWS).lazy()))
    assert [item.to_dict() for _, item in items if isinstance(item, Record)] == ROWS


def test_a_dataset_that_moves_is_another_source(tmp_path: Path) -> None:
    moved = shutil.copytree(DATASET / "train", tmp_path / "moved")
    assert list(read_records(moved)) == list(read_records(DATASET / "train"))
