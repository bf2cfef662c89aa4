"""Environments of servers are installed once, and never over somebody's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.server_environments import ENVIRONMENTS


def test_a_variable_names_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELMASS_VLLM_VENV", str(tmp_path))
    assert ENVIRONMENTS["vllm"].python == tmp_path / "bin" / "python"


def test_an_interrupted_installation_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELMASS_VLLM_VENV", str(tmp_path))
    (tmp_path / "pyvenv.cfg").touch()
    assert not ENVIRONMENTS["vllm"].is_installed()


def test_a_folder_that_is_no_environment_is_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELMASS_VLLM_VENV", str(tmp_path))
    (tmp_path / "letters.txt").touch()
    with pytest.raises(SystemExit, match=r"is no virtual environment; LABELMASS_VLLM_VENV must"):
        ENVIRONMENTS["vllm"].install()
    assert (tmp_path / "letters.txt").exists()
