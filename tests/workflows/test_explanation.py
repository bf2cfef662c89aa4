"""An explanation as it is printed, saved and shown in a notebook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import labelmass
from conftest import mood_model
from helpers.strict_html import read
from labelmass.errors import LabelMassError
from labelmass.present.theme import ON_ANY_PAGE
from labelmass.task import Task
from labelmass.workflows.explanation import Explanation

SCRIPT = "happy <script>alert(1)</script>"


@pytest.fixture
def explanation(mood: Task) -> Explanation:
    return labelmass.explain("so happy", mood, mood_model())


def test_it_prints_as_the_drawn_tree(explanation: Explanation) -> None:
    shown = str(explanation)
    assert shown.startswith("1: so happy")
    assert "greedy path" in shown and "step 1" in shown and "P(label is written)" in shown
    assert repr(explanation) == shown


def test_it_prints_no_colour_codes(
    explanation: Explanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in str(explanation)


def test_it_is_as_wide_as_the_terminal(
    explanation: Explanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in (60, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, str(explanation).splitlines())) == columns


def test_lighter_branches_are_left_out(mood: Task) -> None:
    every, few = (
        str(labelmass.explain("so happy", mood, mood_model(), min_mass=least)).partition("step")[0]
        for least in (0.01, 0.5)
    )
    assert "answers heavier than 0.5" in few
    assert len(few.splitlines()) < len(every.splitlines())


def test_a_mass_that_is_no_share_is_refused(mood: Task) -> None:
    with pytest.raises(LabelMassError, match="min_mass is 2"):
        labelmass.explain("so happy", mood, mood_model(), min_mass=2)


def test_in_a_notebook_nothing_else_is_displayed(
    explanation: Explanation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rich displays what any of its consoles prints in a notebook, unless it is told not to."""
    displayed: list[object] = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *args: displayed.append(args))
    assert "greedy path" in str(explanation) and "greedy path" in explanation._repr_html_()
    explanation.save_svg(tmp_path / "tree.svg")
    assert displayed == []


def test_a_notebook_shows_it_escaped(mood: Task) -> None:
    page = read(labelmass.explain(SCRIPT, mood, mood_model())._repr_html_())
    assert not list(page.all("script"))
    assert SCRIPT in page.text and "greedy path" in page.text


def test_the_colours_of_a_notebook_are_those_that_read_on_any_page(
    explanation: Explanation,
) -> None:
    colours = set(re.findall(r"(?<!-)color: (#\w+)", explanation._repr_html_()))
    assert colours <= {*ON_ANY_PAGE.values(), "#7f7f7f"}


def test_it_is_saved_as_an_image_that_loads_nothing(
    explanation: Explanation, tmp_path: Path
) -> None:
    explanation.save_svg(tmp_path / "tree.svg")
    picture = (tmp_path / "tree.svg").read_text()
    assert picture.startswith("<svg") and "url(http" not in picture
