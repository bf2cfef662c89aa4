"""Run commands in process, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from labelmass.cli import cli
from labelmass.cli.models import ModelLoader
from labelmass.lm.base import LanguageModel

TEXTS = [{"id": f"r{i}", "text": f"{'happy' if i % 2 else 'sad'} number {i}"} for i in range(30)]


loader: Callable[..., LanguageModel] | None = None
"""What the commands load models with; None for the product's own."""


def run(*args: str, code: int = 0, stdin: str | None = None) -> Result:
    handed = None if loader is None else ModelLoader(loader)
    result = CliRunner().invoke(
        cli, list(args), input=stdin, catch_exceptions=code != 0, obj=handed
    )
    if code == 0 and result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def records(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def write_lines(path: str, rows: Iterable[Mapping[str, Any]]) -> None:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
