"""Tables: whole at every width, and the same numbers in every way they are written."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from helpers.property_tests import property_test
from labelmass.estimators import ESTIMATORS
from labelmass.evaluation import evaluate
from labelmass.evaluation.metrics import METRICS
from labelmass.present.tables import Cell, Head, Table, number
from labelmass.present.writing import csv_text, latex, markdown
from labelmass.scores import Scores
from labelmass.targets import Targets

LABELS = ("joy", "fear", "joyful")


def lines(table: object, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text().splitlines()


NUMBERS = st.from_regex(r"-?[0-9]\.[0-9]{3}( \[0\.[0-9]{3}, 0\.[0-9]{3}\])?", fullmatch=True)
WORDS = st.text("abc deé日\x1b", max_size=40)


@property_test(100)
@given(
    rows=st.integers(1, 9).flatmap(
        lambda n: st.lists(st.tuples(WORDS, *[NUMBERS] * n), min_size=1, max_size=4)
    ),
    width=st.integers(50, 120),
)
def test_no_number_is_cut_and_no_line_is_too_long(rows: list[tuple[str, ...]], width: int) -> None:
    table = Table("", ["name", *(f"metric {at}" for at in range(1, len(rows[0])))], rows)
    shown = lines(table, width)
    assert max(map(cell_len, shown)) <= width
    assert "\x1b" not in "".join(shown)
    for column in range(1, len(rows[0])):
        for text in {row[column] for row in rows}:
            count = sum(row[at] == text for row in rows for at in range(1, len(row)))
            pattern = rf"(?<!\S){re.escape(text)}(?! \[)(?!\S)"
            assert len(re.findall(pattern, "\n".join(shown))) == count
    # every block says whose its rows are
    assert sum(line.startswith("name") for line in shown) >= 1


def test_the_widest_names_fit_a_terminal_of_80_columns() -> None:
    """Every method and every metric there is, with the widest values."""
    draw = np.random.default_rng(0)
    ids = tuple(range(40))
    shares = draw.random((40, 3))
    targets = Targets(ids, LABELS, shares, (shares > 0.5).astype(float), np.full(40, 3), None, "")
    methods = {name: Scores.of(ids, LABELS, draw.random((40, 3))) for name in ESTIMATORS}
    found = evaluate(methods, targets, draws=5, baseline=next(iter(methods)))
    for shown in (lines(found, 80), lines(table_of(tuple(METRICS)), 80)):
        assert max(map(len, shown)) <= 80
        assert not any("…" in line for line in shown)
    text = "\n".join(lines(found, 80))
    for row in found.methods.values():
        assert row.name in text
        for metric in found.headline:
            assert number(row.scores[metric].value) in text
    head = "\n".join(line for line in lines(table_of(tuple(METRICS)), 80))
    for metric in METRICS:
        assert all(part in head for part in metric.split("-"))


def table_of(metrics: tuple[str, ...]) -> Table:
    return Table("", ["method", *metrics], [["max-over-generations", *["-12.345"] * len(metrics)]])


TABLE = Table(
    "A title",
    ["method", Head("l1", "lower"), Head("auc", "higher"), Head("note", prose=True)],
    [
        ["a|b", Cell("0.123", best=True, details=["[0.100, 0.200]"]), "n/a", "50% of_it"],
        ["c & d", "1.000", Cell("0.900", best=True), "x\ny"],
    ],
    ["rules: all"],
)


def test_markdown() -> None:
    text = markdown(TABLE).splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text[:4]]
    assert cells[0] == ["method", "l1 ↓", "auc ↑", "note"]
    assert [cell[0] + cell[-1] for cell in cells[1]] == [":-", "-:", "-:", ":-"]
    assert cells[2:] == [
        [r"a\|b", "**0.123 [0.100, 0.200]**", "n/a", "50% of_it"],
        ["c & d", "1.000", "**0.900**", "x y"],
    ]
    assert text[4:] == ["", "- rules: all"]


def test_latex() -> None:
    assert latex(TABLE).splitlines() == [
        "% rules: all",
        r"\begin{tabular}{lrrl}",
        r"\toprule",
        r"method & l1 $\downarrow$ & auc $\uparrow$ & note \\",
        r"\midrule",
        r"a|b & \textbf{0.123} & n/a & 50\% of\_it \\",
        r"c \& d & 1.000 & \textbf{0.900} & x y \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_csv() -> None:
    rows = list(csv.reader(io.StringIO(csv_text(TABLE))))
    assert rows[0] == ["method", "l1", "auc", "note"]
    assert rows[1:] == [["a|b", "0.123", "n/a", "50% of_it"], ["c & d", "1.000", "0.900", "x\ny"]]


@pytest.mark.parametrize("table", [Table("", [], []), Table("", ["label", "given"], [])])
def test_a_table_of_nothing(table: Table) -> None:
    assert all(len(line) <= 20 for line in lines(table, 20))
    assert markdown(table) and latex(table)


def test_a_short_row_is_filled_up() -> None:
    table = Table("", ["a", "b", "c"], [["x"], ["y", "1", "2"]])
    assert list(csv.reader(io.StringIO(csv_text(table))))[1] == ["x", "", ""]
    assert lines(table, 80)[1].strip() == "x"
