"""CSV and TSV: as the csv module reads what is well formed; what is not costs one row."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelmass.errors import LabelMassError, RecordError
from labelmass.files import Row, bad_byte, read_rows, read_table
from labelmass.files.delimited import write_row

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
CELL = TEXT | st.text('a",;\r\n\t |', max_size=6)
TABLE = st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=5)


def rows(text: str, separator: str = ",", **options: Any) -> list[tuple[int, Any]]:
    """Line, and cells or, after a `!`, the error."""
    found = read_rows(io.BytesIO(text.encode()), separator, **options)
    return [(row.line, _shown(row)) for row in found]


def _shown(row: Row) -> Any:
    return f"! {row.cells}" if isinstance(row.cells, RecordError) else row.cells


def errors(text: str) -> dict[int, str]:
    return {line: cells for line, cells in rows(text) if isinstance(cells, str)}


@settings(max_examples=300, deadline=None)
@given(TABLE, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_well_formed_tables_are_read_as_the_csv_module_reads_them(
    table: list[list[str]], separator: str, end: str, all_quoted: bool
) -> None:
    # The module leaves a bare carriage return unquoted where it quotes only what it must.
    quoting = csv.QUOTE_ALL if all_quoted or "\r" in str(table) else csv.QUOTE_MINIMAL
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting).writerows(table)
    text = file.getvalue()
    theirs = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    assert [cells for _, cells in rows(text, separator)] == [row for row in theirs if row]


@settings(max_examples=300, deadline=None)
@given(TABLE)
def test_what_is_written_is_read_back_by_both(table: list[list[str]]) -> None:
    text = "".join(map(write_row, table))
    assert [cells for _, cells in rows(text)] == table
    assert list(csv.reader(io.StringIO(text, newline=""))) == table


@settings(max_examples=300, deadline=None)
@given(st.text('a,"\n', max_size=30))
def test_every_line_is_in_one_row_or_error(text: str) -> None:
    found = list(read_rows(io.BytesIO(text.encode()), ","))
    lines = text.split("\n")
    covered = [line for row in found for line in range(row.line, row.last + 1)]
    assert covered == sorted(set(covered))
    left_out = set(range(1, len(lines) + 1)) - set(covered)
    assert all(not lines[line - 1] for line in left_out)


def test_an_unclosed_cell_costs_its_own_row() -> None:
    found = rows('1,"a\n2,b\n3,"c, d"\n4,e\n')
    assert found[1:] == [(2, ["2", "b"]), (3, ["3", "c, d"]), (4, ["4", "e"])]
    assert "line 1 begins a cell that goes on behind its closing quotation mark" in found[0][1]
    found = rows('1,a\n2,"b\n3,c\n')
    assert [cells for _, cells in found[::2]] == [["1", "a"], ["3", "c"]]
    assert found[1] == (2, found[1][1])
    assert "line 2 has a quotation mark that is never closed" in found[1][1]


def test_the_error_names_the_line_on_which_the_cell_begins() -> None:
    found = rows('1,"two\nlines","three\n2,b,c\n')
    assert found[0][0] == 1 and "line 2 has a quotation mark" in found[0][1]
    assert found[1:] == [(3, ["2", "b", "c"])]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,6'2\"", "in a cell that does not begin with one"),
        ('1, "a"', "in a cell that does not begin with one"),
        ('1,"a"b', "goes on behind its closing quotation mark"),
        ('1,"He said "hi""', "goes on behind its closing quotation mark"),
        ('1,"', "never closed"),
    ],
)
def test_a_stray_quotation_mark_is_an_error_and_changes_nothing_else(
    line: str, message: str
) -> None:
    found = rows(f'0,"x"\n{line}\n2,y\n')
    assert (found[0], found[2]) == ((1, ["0", "x"]), (3, ["2", "y"]))
    assert found[1][0] == 2 and message in found[1][1]


def test_ragged_rows_are_errors_that_name_their_lines() -> None:
    found = rows('a,b\nc\n"d\ne",f,g\nh,i\n', width=2)
    assert [cells for _, cells in found[::3]] == [["a", "b"], ["h", "i"]]
    assert found[1] == (2, "! 1 cells where there are 2 columns")
    assert found[2] == (3, "! 3 cells where there are 2 columns (lines 3 to 4)")


def test_reading_takes_time_in_line_with_the_length() -> None:
    began = time.perf_counter()
    found = rows('1,"never closed\n' + '2,""\n' * 20_000)
    assert len(found) == 20_001 and len(errors('1,"x\n' + '"",2\n' * 10)) == 1
    assert time.perf_counter() - began < 5


def table(text: str, *wanted: str, **options: Any):
    return read_table(io.BytesIO(text.encode()), "x.csv", wanted, **options)


@pytest.mark.parametrize(
    ("header", "wanted", "separator"),
    [
        ("text", ("text",), ","),
        ("id,text", ("text",), ","),
        ("id;text", ("text",), ";"),
        ("id\ttext", ("text",), "\t"),
        ("id;text;more, of it", ("id", "text"), ";"),
        ("id,text,a;b;c;d", ("id", "text"), ","),
        ('id,"a;b;c;d",text', ("id",), ","),
        ("a;b", (), ";"),
        ("a,b;c", (), ","),
    ],
)
def test_the_header_tells_the_separator(
    header: str, wanted: tuple[str, ...], separator: str
) -> None:
    assert table(f"\n{header}\n", *wanted).separator == separator


def test_headers() -> None:
    found = table('\ufeff\n"a\nb", c \n1,2\n', strip=True)
    assert (found.columns, found.line) == (("a\nb", "c"), 2)
    assert [row.line for row in found.rows] == [4]
    assert table(" a,b\n").columns == (" a", "b")
    with pytest.raises(LabelMassError, match=r"x.csv: no header \(the file is empty\)"):
        table("\n\n")
    with pytest.raises(LabelMassError, match=r"x.csv: no header .*line 1 has a quotation mark"):
        table('a,"b\n1,2\n')
    with pytest.raises(LabelMassError, match="'a' stands 2 times \\(columns 1, 3\\)"):
        table("a,b,a\n").check_unique()
    assert table(",a,\n").check_unique().columns == ("", "a", "")
    assert "separated by semicolons" in str(table("a;b\n").error("no column 'c'"))


def test_bytes_that_are_not_utf8_stay_in_their_cells() -> None:
    (row,) = read_rows(io.BytesIO(b"a,\xff\n"), ",")
    assert isinstance(row.cells, list)
    assert [bad_byte(cell) for cell in row.cells] == [None, 0xFF]
