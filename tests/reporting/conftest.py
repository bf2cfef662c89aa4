"""Runs to make reports of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import TASK
from helpers.annotated_records import annotated, level_model
from helpers.browser import Browser, find
from labelmass.reporting import ReportData, gather
from reporting.runs import make_run

METHODS = "any-place,max-over-generations,hard"


@pytest.fixture(scope="session")
def levels_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 records with annotators, one model."""
    folder = tmp_path_factory.mktemp("levels")
    asked = ("--method", METHODS, "--gold", "majority", "--baseline", "hard")
    return make_run(folder, TASK, annotated(), [level_model(name="m")], *asked)


@pytest.fixture(scope="session")
def gathered(levels_run: Path) -> ReportData:
    return gather(levels_run)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find()
    assert program is not None, "no Chromium on PATH"
    with Browser(program) as started:
        yield started
