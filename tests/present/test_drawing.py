"""Figures as a reader gets them: all that is in the value, in the page's colours, every time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.errors import LabelMassError
from labelmass.present.drawing import panel_svg, save_figure, swatch_svg
from labelmass.present.figures import (
    MARKERS,
    SOFT,
    Axis,
    Bars,
    Dots,
    Figure,
    Heat,
    Line,
    Mark,
    Notes,
    Panel,
    Spans,
)
from labelmass.present.theme import VARIABLES

MARKS: list[Mark] = [
    Bars("bars", [(0, 0.2, 0.5), (0.2, 0.4, 0.1)]),
    Line("line", [(0, 0), (0.5, 0.7), (1, 1)], 2, "dashed"),
    Dots("dots", [(0.1, 0.3), (0.9, 0.4)], 1, "s", hollow=[True, False]),
    Spans("spans", [(0.5, 0.1, 0.9)], 3),
    Notes([(0.5, 0.5, "n = 3")], to_the_right=True),
]
PANEL = Panel("a panel", "two dots", Axis("across"), Axis("up"), MARKS)
HEAT = Heat("a map", "two labels", ["joy", "fear"], [[0.3, 0.1], [0.1, None]], 0.1)
FIGURE = Figure("both", "Both", "A panel and a map.", [PANEL, HEAT])
WORDS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\x00\x1b\u202e<>&\"'$_^")),
    max_size=30,
)


def texts(source: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(source).iter("text")]


def test_a_panel_says_what_is_on_it() -> None:
    source = panel_svg(PANEL, "p")
    root = ElementTree.fromstring(source)
    assert root.get("role") == "img" and root.get("aria-labelledby") == "p-title p-desc"
    assert [one.text for one in list(root)[:2]] == ["a panel", "two dots"]
    assert set(texts(source)) == {"a panel", "across", "up", "n = 3", "0", ".5", "1"}
    assert {".30", ".10", "joy", "fear", "a map"} <= set(texts(panel_svg(HEAT, "h")))
    assert (root.get("width"), root.get("height")) == ("200", "200")


def test_a_page_chooses_the_colours() -> None:
    for source in (panel_svg(PANEL, "p"), panel_svg(HEAT, "h"), swatch_svg(MARKS[1], "s")):
        assert not re.search(r"#[0-9a-f]{6}|rgb\(", source)
        assert set(re.findall(r"var\(--\w+\)", source)) <= set(VARIABLES.values())
    dots = [
        (one.get("fill"), one.get("stroke"))
        for one in ElementTree.fromstring(panel_svg(PANEL, "p")).iter()
        if one.get("stroke") == "var(--c1)"
    ]
    # each in its own colour, the hollow one filled with the page's
    assert dots == [("var(--page)", "var(--c1)"), ("var(--c1)", "var(--c1)")]


def test_ids_are_of_their_own_panel() -> None:
    many = Panel("p", "many", Axis("x"), Axis("y"), [Dots("", [(i / 20, 0.5) for i in range(20)])])
    for name in ("one", "two"):
        root = ElementTree.fromstring(panel_svg(many, name))
        assert len(list(root.iter("use"))) == 20
        ids = {one.get("id") for one in root.iter() if one.get("id")}
        assert all(str(one).startswith(name) for one in ids)
        assert {str(one.get("href")) for one in root.iter("use")} <= {f"#{one}" for one in ids}


@property_test(25)
@given(title=WORDS, label=WORDS, note=WORDS)
def test_texts_are_texts_whatever_is_in_them(title: str, label: str, note: str) -> None:
    panel = Panel(title, note, Axis(label), Axis("y"), [Notes([(0.5, 0.5, note)])])
    root = ElementTree.fromstring(panel_svg(panel, "p"))
    assert {one.tag for one in root.iter()} <= {"svg", "title", "desc", "path", "text", "g"}
    heat = Heat(title, note, [label, "other"], [[0.1, 0.2], [0.2, 0.3]], 0.2)
    assert ElementTree.fromstring(panel_svg(heat, "h")).tag == "svg"


@pytest.mark.parametrize("mark", [one for one in MARKS if not isinstance(one, Notes)])
def test_a_swatch_is_hidden_from_screen_readers(mark: Mark) -> None:
    root = ElementTree.fromstring(swatch_svg(mark, "s"))
    assert root.get("aria-hidden") == "true" and (root.get("width"), root.get("height")) == (
        "24",
        "12",
    )
    assert len(list(root)) >= 1


@pytest.mark.parametrize("marker", MARKERS)
def test_an_empty_mark_draws_nothing_but_is_in_the_legend(marker, tmp_path: Path) -> None:
    panel = Panel("p", "none", Axis("x"), Axis("y"), [Dots("_dots", [], SOFT, marker)])
    save_figure(Figure("one", "One", "Nothing.", [panel]), tmp_path)
    assert "_dots" in (tmp_path / "one.svg").read_text()


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save_figure(FIGURE, tmp_path)]
    assert [path.read_bytes() for path in save_figure(FIGURE, tmp_path)] == first
    root = ElementTree.fromstring(first[0])
    namespace = "{http://www.w3.org/2000/svg}"
    assert [root.findtext(f"{namespace}{tag}") for tag in ("title", "desc")] == [
        "Both",
        "A panel and a map.",
    ]
    shown = {one.text for one in root.iter(f"{namespace}text")}
    assert {"Both", "a panel", "a map", "bars", "line", "dots", "spans", "joy", ".30"} <= shown
    assert b"var(--" not in first[0] and first[1][:8] == b"\x89PNG\r\n\x1a\n"


def test_without_matplotlib_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(LabelMassError, match=r'pip install "labelmass\[figures\]"'):
        panel_svg(PANEL, "p")


def test_nothing_but_drawing_loads_matplotlib() -> None:
    script = (
        "import sys, labelmass, labelmass.cli, labelmass.reporting, labelmass.analysis.figures,"
        "labelmass.training.saved\n"
        "print(sorted({'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
