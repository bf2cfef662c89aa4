"""Every command and the Python of the README run, on the embedded model."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from labelmass.cli import cli
from labelmass.cli.models import ModelLoader
from labelmass.lm.base import LanguageModel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^labelmass .*$", README, re.MULTILINE)

pytestmark = pytest.mark.model


def test_the_commands_run_in_order(
    smol: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(COMMANDS) >= 8
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", "examples")
    for command in COMMANDS:
        words, models = shlex.split(command)[1:], ModelLoader(lambda *a, **k: smol)
        result = CliRunner().invoke(cli, words, catch_exceptions=False, obj=models)
        assert result.exit_code == 0, (command, result.output)
    assert len(Path("scores.jsonl").read_text().splitlines()) == 6
    assert Path("both.csv").is_file()
    assert Path("tree.svg").is_file()


def test_the_python_prints_what_the_readme_says(
    smol: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    output = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert code is not None
    assert output is not None
    monkeypatch.setattr("labelmass.load", lambda *a, **k: smol)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.group(1), {})
    number = re.compile(r"\d+\.\d+")
    assert number.sub("#", printed.getvalue()) == number.sub("#", output.group(1))
    ours = [float(n) for n in number.findall(printed.getvalue())]
    theirs = [float(n) for n in number.findall(output.group(1))]
    assert ours == pytest.approx(theirs, abs=2e-3)  # another machine rounds otherwise
