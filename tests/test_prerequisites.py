"""Tests that cannot be run here are left out in one line, and fail in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.prerequisites import PREREQUISITES, missing

ROOT = Path(__file__).parents[1]
EVERYTHING = frozenset(PREREQUISITES)


@pytest.mark.parametrize(
    ("markers", "available", "ci", "without", "expected"),
    [
        (["long", "browser"], EVERYTHING, False, [], []),
        (["long", "browser"], EVERYTHING - {"browser"}, False, [], ["browser"]),
        (["long", "browser"], EVERYTHING - {"browser"}, True, [], []),  # it runs, and fails
        (["browser", "model"], EVERYTHING - {"browser"}, True, ["browser"], ["browser"]),
        (["browser"], EVERYTHING, True, ["browser"], ["browser"]),
        (["data"], EVERYTHING - {"data"}, True, [], ["data"]),  # CI does not bring it
        (["model", "encoder"], frozenset[str](), False, [], ["model", "encoder"]),
        (["long"], frozenset[str](), False, [], []),
    ],
)
def test_which_prerequisites_leave_a_test_out(
    markers: list[str],
    available: frozenset[str],
    ci: bool,
    without: list[str],
    expected: list[str],
) -> None:
    assert missing(markers, available, ci=ci, without=without) == expected


def pytest_at(tmp_path: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run on a machine without a browser; no environment of this one's CI."""
    own = {key: value for key, value in os.environ.items() if key != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
        env=own | {"PATH": str(tmp_path)} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_newcomer_reads_one_line(tmp_path: Path) -> None:
    result = pytest_at(tmp_path, "tests/reporting/test_browser.py")
    assert result.returncode == 5, result.stdout  # nothing to run
    assert "left out: 7 tests for want of Chromium on PATH (install it" in result.stdout
    assert "skipped" not in result.stdout


def test_the_line_is_there_with_several_processes(tmp_path: Path) -> None:
    result = pytest_at(tmp_path, "-n", "1", "tests/reporting/test_browser.py")
    assert result.returncode == 5, result.stdout
    assert result.stdout.count("left out: 7 tests for want of Chromium on PATH") == 1


def test_in_ci_a_test_without_its_prerequisite_fails(tmp_path: Path) -> None:
    result = pytest_at(
        tmp_path, "tests/reporting/test_browser.py", "-x", "-k", "long_names", CI="true"
    )
    assert result.returncode == 1 and "no Chromium on PATH" in result.stdout


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_in_ci_a_skipped_test_fails(tmp_path: Path, ci: str, status: int) -> None:
    test = tmp_path / "test_skips.py"
    test.write_text("import pytest\n\ndef test_one():\n    pytest.skip('why not')\n")
    # The hooks of this suite over a test from elsewhere.
    result = pytest_at(
        tmp_path, "-p", "conftest", f"--rootdir={tmp_path}", "-c", os.devnull, str(test), CI=ci,
        PYTHONPATH=os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]),
    )  # fmt: skip
    assert result.returncode == status, result.stdout + result.stderr
