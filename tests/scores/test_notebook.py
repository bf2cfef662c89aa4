"""Scores, results and failures as a notebook shows them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import labelmass
from conftest import mood_model
from helpers.strict_html import Element, read
from labelmass.scores import Failure, Result, Scores
from labelmass.task import Task

SCRIPT = "<script>alert('happy')</script>"


def cells(page: Element) -> list[list[str]]:
    """The texts of a table, its head first."""
    return [[one.text for one in row.all() if one.name in ("td", "th")] for row in page.all("tr")]


def shown(thing: object) -> Element:
    return read(thing._repr_html_())  # type: ignore[attr-defined]


@pytest.fixture
def scores(mood: Task) -> Scores:
    return labelmass.score([{"id": "a", "text": "so happy"}, {"id": "b"}], mood, mood_model())


def test_scores_have_a_row_a_record_and_a_column_a_label(scores: Scores) -> None:
    head, first, second = cells(shown(scores))
    assert head == ["id", "text", "joy", "fear", "joyful", "off-format", "failure"]
    assert first[:2] == ["a", "so happy"] and first[-1] == ""
    assert all("[0." in cell for cell in first[2:5])
    assert second[0] == "b" and set(second[1:-1]) == {""}
    assert "missing 'text'" in second[-1]


def test_scores_say_how_many_failed_and_what_kind_of_number_they_are(scores: Scores) -> None:
    page = shown(scores).text
    assert "1 of 2 records failed" in page
    assert "intervals: certified" in page and str(scores.signature) in page


def test_only_the_first_records_are_shown_and_the_table_says_so() -> None:
    many = Scores.of(range(1234), ["joy"], np.full((1234, 1), 0.5))
    page = shown(many)
    assert len(cells(page)) == 21
    assert "the first 20 of 1,234 records" in page.text


def test_scores_without_texts_or_failures_have_no_such_columns() -> None:
    page = shown(Scores.of(["a"], ["joy"], np.array([[0.25]])))
    assert cells(page) == [["id", "joy"], ["a", "0.250"]]


def test_a_long_text_is_shown_by_its_start(mood: Task) -> None:
    text = "happy\n" * 100
    (_, row) = cells(shown(labelmass.score([text], mood, mood_model())))
    assert row[1].startswith("happy happy") and row[1].endswith("…") and len(row[1]) <= 60


def test_texts_ids_labels_and_errors_are_escaped() -> None:
    task = Task.from_toml(
        'name = "mood"\nlabels = ["joy", "<script>"]\ninstruction = "{label_names}"\n'
        'format = "comma"\nchat = false\n'
    )
    model = labelmass.ScriptedLanguageModel(
        lambda prompt, path: {"joy": 1.0} if not path else {"\n\n": 1.0},
        ["joy", "<script>", ", ", "\n\n", "none"],
    )
    records = [{"id": SCRIPT, "text": SCRIPT}]
    scores = labelmass.score(records, task, model)
    for thing in (scores, scores[0], Failure(SCRIPT, SCRIPT, input={"text": SCRIPT})):
        page = shown(thing)
        assert not list(page.all("script"))
        assert SCRIPT in page.text


def test_a_result_lists_its_labels_likeliest_first_by_every_method(mood: Task) -> None:
    scores = labelmass.score(["so happy"], mood, mood_model(), methods=["any-place", "hard"])
    head, *rows = cells(shown(scores[0]))
    assert head == ["label", "any-place", "hard"]
    assert [row[0] for row in rows] == [*(x for x, _ in scores[0].labels.ranked()), "empty answer"]
    assert "so happy" in shown(scores[0]).text


def test_a_result_of_a_file_needs_no_tree(scores: Scores, tmp_path: Path) -> None:
    scores.save(tmp_path / "scores.csv")
    loaded = Scores.load(tmp_path / "scores.csv")
    assert isinstance(loaded[0], Result)
    assert cells(shown(loaded[0]))[0] == ["label", "scores"]
    assert len(cells(shown(loaded))) == 3


def test_a_wide_interval_has_no_number_and_is_marked(mood: Task) -> None:
    budget = labelmass.Budget(tolerance=0.01, max_nodes=1)
    scores = labelmass.score(["so happy"], mood, mood_model(), budget=budget)
    page = shown(scores)
    assert "!" in cells(page)[1][1] + cells(page)[1][2]
    assert "! wider than the tolerance of 0.01" in page.text
    assert "≥" in cells(page)[1][-1]  # more may leave the format


def test_a_failure_shows_its_record_and_its_reason(scores: Scores) -> None:
    (failure,) = scores.failures
    assert cells(shown(failure)) == [["id", "failure"], ["b", failure.error]]


def test_no_optional_package_is_needed(scores: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "so happy" in shown(scores).text
