"""Progress where nobody watches a terminal."""

from __future__ import annotations

import itertools

import pytest

from labelmass.cli import progress
from labelmass.cli.progress import track_progress


def test_a_log_gets_a_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = itertools.count(0.0, 25.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(track_progress(range(6), 20, done=10)) == list(range(6))
    assert capsys.readouterr().err.splitlines() == [
        "13 of 20 records, 0.04 records/s, 3 minutes left",
        "16 of 20 records, 0.04 records/s, 2 minutes left",
    ]


def test_a_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track_progress("abc", None)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
