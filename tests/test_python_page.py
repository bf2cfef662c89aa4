"""The page about Python: its pipeline, run as it is printed, on a model that is handed in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelmass
from conftest import TASK
from helpers.annotated_records import LABELS, annotated, level_model
from helpers.commands import write_lines

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


def test_the_pipeline_runs_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.toml").write_text(TASK)
    write_lines("dev.jsonl", annotated())
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[0]
    assert len(block.strip().split("\n\n")[1].splitlines()) == 10
    names: dict[str, Any] = {"labelmass": labelmass, "model": level_model()}
    exec(block.replace('"a new text"', '"level 999", "level 1"'), names)
    assert "Evaluation" in capsys.readouterr().out
    decisions, policy = names["decisions"], names["policy"]
    assert decisions.labels == policy.labels and set(policy.labels) == set(LABELS)
    joy = decisions.labels.index("joy")
    assert decisions.outcomes[0, joy] > decisions.outcomes[1, joy]
    assert "<html" in Path("report.html").read_text()
    assert np.isfinite(names["scores"].p).all()
