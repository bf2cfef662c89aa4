"""Excel workbooks: values as a person sees them, and errors where there is no value."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from labelmass.errors import LabelMassError, RecordError
from labelmass.files import open_sheet


def workbook(path: Path, **sheets: Sequence[Sequence[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def rewritten(path: Path, member: str, change: Callable[[str], str]) -> Path:
    """The workbook with one of its XML files changed, as another program may have written it."""
    with zipfile.ZipFile(path) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    contents[member] = change(contents[member].decode()).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def rows_of(path: Path, sheet: str | None = None) -> list[tuple[int, Any]]:
    with open_sheet(path, sheet) as opened:
        return list(opened.rows)


def test_rows_are_numbered_as_in_the_sheet_and_empty_cells_are_left_out(tmp_path: Path) -> None:
    rows = [[None, None], ["id", " text "], [17, "a"], [], [None, "b"]]
    assert rows_of(workbook(tmp_path / "x.xlsx", Sheet=rows)) == [
        (3, {"id": 17, "text": "a"}),
        (5, {"text": "b"}),
    ]


def test_a_whole_number_has_no_decimals(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["id", "n"], [17, 0.5]])
    path = rewritten(path, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(">17<", ">17.0<"))
    ((_, row),) = rows_of(path)
    assert row == {"id": 17, "n": 0.5} and type(row["id"]) is int


def test_a_date_without_a_time_is_a_date(tmp_path: Path) -> None:
    noon, midnight = datetime(2024, 1, 5, 12), datetime(2024, 1, 5)
    path = workbook(
        tmp_path / "x.xlsx", Sheet=[["a", "b", "c"], [date(2024, 1, 5), noon, midnight]]
    )
    ((_, row),) = rows_of(path)
    assert row == {"a": date(2024, 1, 5), "b": noon, "c": midnight}
    assert type(row["a"]) is date and type(row["c"]) is datetime


def test_truth_values_and_texts_that_look_like_numbers_stay(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["a", "b"], [True, "007"]])
    assert rows_of(path) == [(2, {"a": True, "b": "007"})]


def test_escaped_characters_are_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["text"], ["a_x000D_\nb_x005F_x0041_"]])
    assert rows_of(path) == [(2, {"text": "a\r\nb_x0041_"})]


def test_a_formula_without_a_result_is_an_error_in_its_place(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["id", "text"], [1, '="so "&"happy"'], [2, "b"]])
    (_, first), second = rows_of(path)
    assert isinstance(first, RecordError)
    assert "text: cell B2 holds a formula without a result" in str(first)
    assert second == (3, {"id": 2, "text": "b"})


@pytest.mark.parametrize(
    ("cell", "row"),
    [
        ('<c r="A2" t="str"><f>"so"</f><v>so</v></c>', {"text": "so", "id": 1}),
        ('<c r="A2" t="str"><f>IF(1=1,"","a")</f><v></v></c>', {"id": 1}),
        ('<c r="A2"><f>1+1</f><v>2</v></c>', {"text": 2, "id": 1}),
    ],
)
def test_a_formula_is_the_result_that_was_saved(
    tmp_path: Path, cell: str, row: dict[str, Any]
) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["text", "id"], ["=1", 1]])
    path = rewritten(
        path, "xl/worksheets/sheet1.xml", lambda xml: re.sub(r'<c r="A2".*?</c>', cell, xml)
    )
    assert rows_of(path) == [(2, row)]


def test_an_error_value_is_an_error_in_its_place(tmp_path: Path) -> None:
    ((_, row),) = rows_of(workbook(tmp_path / "x.xlsx", Sheet=[["text"], ["#N/A"]]))
    assert isinstance(row, RecordError) and "text: cell A2 holds the error #N/A" in str(row)


def test_the_only_sheet_with_contents_is_taken(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Empty=[], Data=[["text"], ["a"]], Other=[])
    assert rows_of(path) == [(2, {"text": "a"})]


def test_several_sheets_are_listed_and_one_can_be_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", May=[["text"], ["a"]], June=[["text"], ["b"]], July=[])
    with pytest.raises(LabelMassError, match=r"2 sheets are not empty \(May, June\).*--sheet"):
        rows_of(path)
    assert rows_of(path, "June") == [(2, {"text": "b"})]
    with pytest.raises(LabelMassError, match=r"no sheet 'August' \(sheets: May, June, July\)"):
        rows_of(path, "August")
    with pytest.raises(LabelMassError, match="sheet 'July' is empty"):
        rows_of(path, "July")


def test_an_empty_workbook_has_no_header(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match=r"no header \(the workbook is empty\)"):
        rows_of(workbook(tmp_path / "x.xlsx", Sheet=[]))


def test_columns_of_one_name_are_refused_and_nameless_ones_left_out(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["text", "text"], ["a", "b"]])
    with pytest.raises(LabelMassError, match="the column 'text' stands 2 times"):
        rows_of(path)
    path = workbook(tmp_path / "y.xlsx", Sheet=[[None, "text"], [0, "a", "a note"], [1, None]])
    assert rows_of(path) == [(2, {"text": "a"})]


def test_the_size_that_a_sheet_states_is_not_trusted(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["id", "text"], [1, "a"]])
    path = rewritten(
        path, "xl/worksheets/sheet1.xml", lambda xml: xml.replace('ref="A1:B2"', 'ref="A1"')
    )
    assert rows_of(path) == [(2, {"id": 1, "text": "a"})]


def test_a_row_beyond_the_last_of_the_format_is_damage(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["text"], ["a"]])
    path = rewritten(
        path,
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace('r="2"', 'r="999999999"').replace('"A2"', '"A999999999"'),
    )
    with pytest.raises(LabelMassError, match="damaged"):
        rows_of(path)


@pytest.mark.parametrize("member", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_damaged_workbook_is_named(tmp_path: Path, member: str) -> None:
    path = workbook(tmp_path / "x.xlsx", Sheet=[["text"], ["a"], ["b"]])
    path = rewritten(path, member, lambda xml: xml[: len(xml) // 2])
    with pytest.raises(LabelMassError, match=r"x\.xlsx: not an Excel workbook, or a damaged one"):
        rows_of(path)


def test_what_is_no_workbook_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"text\na\n")
    with pytest.raises(LabelMassError, match="not an Excel workbook"):
        rows_of(path)


def test_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(LabelMassError, match=r"pip install 'labelmass\[excel\]'"):
        rows_of(tmp_path / "x.xlsx")
