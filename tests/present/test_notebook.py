"""Tables and drawings as HTML for a notebook: escaped, and readable on a light or a dark page."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from helpers.property_tests import property_test
from helpers.strict_html import read
from labelmass.present.notebook import drawing_html, table_html
from labelmass.present.tables import Cell, Head, Table, probability
from labelmass.present.theme import ON_ANY_PAGE

SCRIPT = "<script>alert('x')</script>&"
PAGES = {"light": "#ffffff", "JupyterLab's dark": "#111111"}


def test_every_text_of_a_table_is_escaped() -> None:
    cell = Cell(SCRIPT, verdict=SCRIPT, details=[SCRIPT], style="bold green")
    page = read(table_html(Table(SCRIPT, [SCRIPT, Head(SCRIPT)], [[SCRIPT, cell]], [SCRIPT])))
    assert not list(page.all("script"))
    assert [text for text, _ in page.texts() if text.strip()] == [SCRIPT] * 8


def test_a_drawing_is_escaped() -> None:
    page = read(drawing_html(Text(SCRIPT, "bold cyan")))
    assert not list(page.all("script")) and page.text.strip() == SCRIPT


def test_control_characters_are_shown_by_their_pictures() -> None:
    assert "a\u241bb" in table_html(Table("", ["x"], [["a\x1bb"]]))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("name", "page"), list(product(ON_ANY_PAGE, PAGES)))
def test_a_colour_reads_on_light_and_dark_pages(name: str, page: str) -> None:
    assert contrast(ON_ANY_PAGE[name], PAGES[page]) >= 3.9


def test_other_text_keeps_the_colour_of_the_page() -> None:
    plain = table_html(Table("title", ["id", "p"], [["a", Cell("b", style="bold")]]))
    assert set(re.findall(r"color:\w+|background", plain)) == {"color:inherit"}
    drawn = drawing_html(Text.assemble("plain", ("green", "green"), ("dim", "dim")))
    colours = set(re.findall(r"(?<!-)color: (#\w+)", drawn))
    assert len(colours) == 2 and ON_ANY_PAGE["green"] in colours
    for colour, page in product(colours, PAGES.values()):
        assert contrast(colour, page) >= 3.9


SHARES = st.floats(0, 1) | st.sampled_from([1e-9, 1 - 1e-9, 0.3, 0.0005, 0.9995])


@property_test(300)
@given(st.tuples(SHARES, SHARES, SHARES).map(sorted))
def test_rounding_never_makes_a_probability_surer(values: list[float]) -> None:
    low, p, high = values
    cell = probability(p, low, high)
    (interval,) = cell.details
    shown_low, shown_high = map(float, interval.strip("[]").split(", "))
    assert 0 <= shown_low <= low and high <= shown_high <= 1
    assert shown_low < shown_high or low == high
    if cell.text in ("0", "1"):
        assert p == float(cell.text)
    elif cell.text[0] not in "<>":
        assert shown_low <= float(cell.text) <= shown_high
        assert 0 < float(cell.text) < 1


def test_without_a_number_to_quote_the_interval_stands_alone() -> None:
    assert probability(None, 0.25, 0.75) == Cell("null", details=("[0.250, 0.750]",), style="dim")
    assert probability(float("nan"), float("nan"), float("nan")) == Cell("null", style="dim")


def test_a_probability_without_an_interval_has_none() -> None:
    assert probability(0.25, None, None) == Cell("0.250")
