"""Scores as tables of pandas and polars, and back."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas
import polars
import pytest

import labelmass
from conftest import mood_model
from labelmass.errors import LabelMassError
from labelmass.scores import Scores
from labelmass.task import Task

TEXTS = ["so happy", {"id": "b"}, "rain"]


@pytest.fixture
def scores(mood: Task) -> Scores:
    return labelmass.score(TEXTS, mood, mood_model(), methods=["any-place", "hard"])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_there_and_back(scores: Scores, kind: str) -> None:
    frame = scores.to_pandas() if kind == "pandas" else scores.to_polars()
    assert len(frame) == 3 and {"id", "error", "joy", "hard:joy", "joy.low"} <= set(frame.columns)
    again = Scores.from_frame(frame, scores.labels)
    assert [str(name) for name in again.ids] == [str(name) for name in scores.ids]
    for method in ("any-place", "hard"):
        one, other = again.select(method), scores.select(method)
        for side in ("p", "low", "high"):
            found, wanted = getattr(one, side), getattr(other, side)
            assert np.allclose(found, wanted, equal_nan=True)
    assert [str(one.id) for one in again.failures] == ["b"]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_missing_package_is_named(
    scores: Scores, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(LabelMassError, match=f"to_{kind} needs the package .*pip install {kind}"):
        getattr(scores, f"to_{kind}")()


def test_all_labels_are_found_where_none_are_named(scores: Scores, tmp_path: Path) -> None:
    for name in ("s.jsonl", "s.csv", "s.parquet"):
        scores.save(tmp_path / name)
        again = Scores.load(tmp_path / name)
        assert again.labels == scores.labels
        assert np.allclose(again.p, scores.p, equal_nan=True)
    theirs = polars.DataFrame({"id": ["x", "y"], "spam": [0.5, 0.25], "ham": [0.5, math.nan]})
    found = Scores.from_frame(theirs)
    assert found.labels == ("spam", "ham") and found.ids == ("x", "y")
    assert np.isnan(found.p[1, 1]) and found.p[0].tolist() == [0.5, 0.5]


def test_what_is_no_table_of_scores_is_refused() -> None:
    with pytest.raises(LabelMassError, match="has no column 'id'"):
        Scores.from_frame(pandas.DataFrame({"joy": [0.5]}))
    with pytest.raises(LabelMassError, match="no column of scores"):
        Scores.from_frame(pandas.DataFrame({"id": ["a"]}))
    with pytest.raises(LabelMassError, match="its rows have no columns"):
        Scores.from_frame(["a", "b"])  # type: ignore[list-item]
