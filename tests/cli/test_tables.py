"""Every table of the commands, as a person reads it at 80 columns.

After a change that is meant: pytest tests/cli/test_tables.py --snapshot-update.
"""

from __future__ import annotations

import sys

import pytest
from syrupy.assertion import SnapshotAssertion

from helpers.commands import records, run, write_lines
from labelmass.errors import LabelMassError

ON = ("--targets", "dev.jsonl", "-t", "mood.toml")
GOLD = ("--gold", "majority")
METHODS = ("--method", "any-place", "--method", "max-over-generations", "--method", "hard")
TABLES: dict[str, tuple[tuple[str, ...], ...]] = {
    "score": (("score", "few.jsonl", "-t", "mood.toml", "--table"),),
    "score with many methods": (("score", "few.jsonl", "-t", "mood.toml", *METHODS, "--table"),),
    "evaluate": (("evaluate", "scores.jsonl", *ON, *GOLD, "--draws", "20"),),
    "compare": (
        ("compare", "dev.jsonl", "-t", "mood.toml", *METHODS, *GOLD, "--baseline", "hard",
         "--draws", "20", "--out", "run"),
    ),
    "analyse": (
        ("score", "few.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "x.jsonl"),
        ("analyse", "trees"),
    ),
    "analyse in Markdown": (
        ("score", "few.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "x.jsonl"),
        ("analyse", "trees", "--markdown"),
    ),
    "calibrate": (("calibrate", "scores.jsonl", *ON, "--out", "cal.json"),),
    "tune": (
        ("tune", "scores.jsonl", *ON, "--goal", "precision>=0.7", "--guarantee", "ltt",
         "--out", "policy.toml"),
    ),
    "decide": (
        ("tune", "scores.jsonl", *ON, "--goal", "f1", "--out", "policy.toml"),
        ("decide", "scores.jsonl", "--policy", "policy.toml"),
    ),
    "drift": (
        ("tune", "scores.jsonl", *ON, "--goal", "f1", "--out", "policy.toml"),
        ("drift", "scores.jsonl", "--policy", "policy.toml"),
    ),
    "fit encoder": (("fit", "encoder", "dev.jsonl", "-t", "mood.toml", "--out", "fitted"),),
    "explain": (("explain", "level 400", "-t", "mood.toml"),),
}  # fmt: skip
"""Commands, of which the last one prints the table."""


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize("name", TABLES)
def test_table(name: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_lines("few.jsonl", records("dev.jsonl")[:4])
    printed = [run(*command) for command in TABLES[name]][-1].stdout
    wide = [line for line in printed.splitlines() if len(line) > 80]
    assert not [line for line in wide if "|" not in line and not line.endswith(".")]
    assert printed == snapshot


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_report_without_the_extra_names_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelmass.reporting.rendering import environment

    run("compare", "dev.jsonl", "-t", "mood.toml", *GOLD, "--draws", "20", "--out", "run")
    monkeypatch.setitem(sys.modules, package, None)
    environment.cache_clear()
    result = run("report", "run", code=1)
    assert isinstance(result.exception, LabelMassError)
    assert 'pip install "labelmass[figures]"' in str(result.exception)
