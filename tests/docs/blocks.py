"""The fenced blocks of a page of the documentation, and running them.

A block that is not run has a comment on the line before it: `<!-- not run: why -->`.
A block with `title="NAME"` is a file of that name. A `text` block is what the block before it
prints; `...` in it stands for any number of lines, and numbers may differ a little.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labelmass.cli import cli
from labelmass.cli.models import ModelLoader
from labelmass.lm.base import LanguageModel

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

FENCE = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n)?^(?P<mark>`{3,})(?P<kind>\w*)(?P<info>[^\n`]*)\n"
    r"(?P<code>.*?)^(?P=mark)$",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
NEAR = 0.02


@dataclass(frozen=True)
class Block:
    """line: of the page. why: the reason that it is not run, None if it is."""

    page: Path
    line: int
    kind: str
    title: str | None
    why: str | None
    code: str

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block, in order."""
    text = page.read_text()
    blocks: list[Block] = []
    for match in FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', match["info"])
        blocks.append(
            Block(
                page,
                text.count("\n", 0, match.start("mark")) + 1,
                match["kind"],
                title and title[1],
                match["why"],
                match["code"],
            )
        )
    return blocks


LOOP = re.compile(r"^for (\w+) in (.+?); do\n(.+?)^done$", re.MULTILINE | re.DOTALL)


def _unrolled(loop: re.Match[str]) -> str:
    name, values, body = loop.groups()
    return "".join(re.sub(rf"\${name}\b", value, body) for value in values.split())


def commands_of(block: Block) -> list[str]:
    """The lines of a shell block: continued ones joined, loops unrolled, without comments."""
    lines = LOOP.sub(_unrolled, block.code.replace("\\\n", " ")).splitlines()
    found = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    return [line for line in found if line and not line.startswith("#")]


def same_output(expected: str, printed: str) -> bool:
    """Whether a text block says what was printed."""
    wanted, found = expected.splitlines(), printed.splitlines()
    return _match([line.rstrip() for line in wanted], [line.rstrip() for line in found])


def _match(wanted: Sequence[str], found: Sequence[str]) -> bool:
    if not wanted:
        return not found
    if wanted[0] == "...":
        return any(_match(wanted[1:], found[at:]) for at in range(len(found) + 1))
    return bool(found) and _same_line(wanted[0], found[0]) and _match(wanted[1:], found[1:])


def _same_line(one: str, other: str) -> bool:
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (one, other)]
    numbers = [[float(n) for n in NUMBER.findall(line)] for line in (one, other)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], abs=NEAR)


class Notebook:
    """Runs blocks one after the other, in the working folder, on one model."""

    def __init__(self, model: LanguageModel, names: dict[str, Any] | None = None) -> None:
        self._loader = ModelLoader(lambda *a, **k: model)
        self._names = dict(names or {})
        self.printed = ""

    def run(self, block: Block) -> None:
        if block.why is not None:
            return
        if block.title is not None:
            Path(block.title).write_text(block.code)
        elif block.kind == "sh":
            self.printed = "".join(self.command(line, block.where) for line in commands_of(block))
        elif block.kind == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block.code, block.where, "exec"), self._names)
            self.printed = output.getvalue()
        elif block.kind == "text":
            assert same_output(block.code, self.printed), f"{block.where}, printed:\n{self.printed}"

    def command(self, line: str, where: str = "") -> str:
        """Run one command of ours, its output to a file if it says so, and return the output."""
        line, _, file = line.partition(" > ")
        words = shlex.split(line)
        assert words[0] == "labelmass", f"{where}: {line}"
        result = CliRunner().invoke(cli, words[1:], catch_exceptions=False, obj=self._loader)
        assert result.exit_code == 0, (where, line, result.output)
        if file:
            Path(file.strip()).write_text(result.stdout)
        return result.stdout
