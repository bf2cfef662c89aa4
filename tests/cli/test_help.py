"""The help of every command, as a person reads it at 80 columns."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from syrupy.assertion import SnapshotAssertion

from labelmass.cli import cli, walk


@pytest.mark.parametrize("words", [words for words, _ in walk(cli)], ids=" ".join)
def test_help(words: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    """After a change that is meant: pytest tests/cli/test_help.py --snapshot-update."""
    shown = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80, prog_name="labelmass")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert all(len(line) <= 80 or line.lstrip().startswith("labelmass ") for line in lines)
    assert shown.output == snapshot
