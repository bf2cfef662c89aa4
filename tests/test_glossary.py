"""The field's words: no name, option, help text or page uses a word of the former dialect."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.commands import run
from labelmass.cli import cli, walk

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "labelmass"

FORMER_NAMES = frozenset(
    {
        "beside", "apart", "together", "remarks", "joint", "loose", "readings", "growth", "grow",
        "stuck", "lump", "stem", "ahead", "onward", "gate", "landing", "land", "recentre",
        "calibrating", "deciding", "gathered", "diagnosed", "stated", "attended", "imported",
        "judged", "judging", "choosing", "promise", "says", "pools", "people", "announce",
        "swollen", "watched",
    }
)  # fmt: skip
"""Parts of identifiers that say what a thing is not, by the snake_case parts of a name."""

FORMER_PHRASES = (
    "hangs on",
    "hang on",
    "but for",
    "so many of so many",
    "what is to be",
    "may be had",
    "people said",
    "said by people",
)

PAGES = sorted(
    page
    for page in (ROOT / "docs").rglob("*.md")
    if page.name != "lab-book.md"  # measurements, kept as they were written down
)


def parts(name: str) -> set[str]:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return set(snake.lower().strip("_").split("_"))


def public_names() -> Iterator[tuple[str, str]]:
    """(where, name) of every public module, class, function, parameter and field."""
    for path in sorted(SOURCE.rglob("*.py")):
        where = str(path.relative_to(SOURCE))
        yield where, path.stem
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield where, node.name
                for line in node.body:
                    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                        yield f"{where}: {node.name}", line.target.id
            elif isinstance(node, ast.FunctionDef):
                yield where, node.name
                for argument in (*node.args.args, *node.args.kwonlyargs):
                    yield f"{where}: {node.name}", argument.arg


def test_no_public_name_is_of_the_dialect() -> None:
    names = [(where, name) for where, name in public_names() if not name.startswith("_")]
    assert len(names) > 1000
    wrong = {f"{where}: {name}" for where, name in names if parts(name) & FORMER_NAMES}
    assert not wrong


def test_no_option_is_of_the_dialect() -> None:
    options = {
        option.strip("-")
        for _, command in walk(cli)
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert len(options) > 50
    assert not {one for one in options if set(one.split("-")) & FORMER_NAMES}


@pytest.mark.parametrize("words", [" ".join(words) for words, _ in walk(cli)])
def test_no_help_text_is_of_the_dialect(words: str) -> None:
    text = run(*words.split(), "--help").stdout.lower()
    assert "usage:" in text
    assert not [phrase for phrase in FORMER_PHRASES if phrase in text]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_no_page_is_of_the_dialect(page: Path) -> None:
    text = " ".join(page.read_text().lower().split())
    assert not [phrase for phrase in FORMER_PHRASES if phrase in text]


def test_no_docstring_is_of_the_dialect() -> None:
    wrong: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = " ".join(path.read_text().split())
        wrong += [f"{path.name}: {phrase}" for phrase in FORMER_PHRASES if phrase in text.lower()]
    assert not wrong
