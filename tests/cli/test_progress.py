"""Progress on a terminal, and where nobody watches one."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from helpers.commands import run
from helpers.gguf_files import write_gguf
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


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A command for a GGUF file that is not in the cache."""
    monkeypatch.setenv("LABELMASS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "texts.txt").write_text("a text\n")
    file = write_gguf(tmp_path / "tiny.gguf", eos=0)
    return "show", "prompt", str(tmp_path / "texts.txt"), "-t", "topics", "--model", str(file)


def test_a_conversion_is_seen_on_a_terminal_and_only_once(
    asked: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    assert "converting tiny.gguf, once: reading the weights" in run(*asked).stderr
    again = run(*asked).stderr
    assert "loading the model" in again and "converting" not in again


def test_a_conversion_is_silent_in_a_log(asked: tuple[str, ...]) -> None:
    assert run(*asked).stderr == ""
