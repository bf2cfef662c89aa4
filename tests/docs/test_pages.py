"""Every block of the pages runs, or its page says why it does not."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections import Counter
from pathlib import Path

import click
import pytest

import labelmass
from docs.blocks import DOCS, PAGES, ROOT, Notebook, blocks_of
from docs.world import EMOTIONS, PREPARE, arrays, model_of_the_pages, settle
from labelmass.cli import cli
from labelmass.task import Task
from labelmass.task.guard import Guard, guards

NOT_RUN = {
    "it makes the environment": 2,
    "it needs files of the source": 12,
    "it installs a package": 2,
    "it trains for minutes": 2,
    "it needs the embedded models": 3,
    "it needs a server": 8,
    "it serves until it is stopped": 4,
    "it needs weights that are not public": 1,
    "it takes hours, on public data": 6,
}
"""Why blocks are not run, and how many for each reason."""

ELSEWHERE = {"README.md", "python.md"}
"""Pages whose blocks other tests run: test_readme.py and test_pipeline.py."""

KINDS = {"sh", "python", "text", "toml", "json", "csv"}
RUN = [
    page
    for page in PAGES
    if page.parent == DOCS
    and page.name not in ELSEWHERE
    and any(b.kind in ("sh", "python", "toml") and b.why is None for b in blocks_of(page))
]


def test_blocks_say_what_they_are() -> None:
    kinds = {block.kind for page in PAGES for block in blocks_of(page)}
    assert kinds <= KINDS, [
        block.where for page in PAGES for block in blocks_of(page) if block.kind not in KINDS
    ]


def test_how_many_blocks_are_not_run_and_why() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    assert Counter(block.why for block in blocks if block.why is not None) == NOT_RUN
    marks = sum(page.read_text().count("<!-- not run") for page in PAGES)
    assert marks == sum(NOT_RUN.values())  # each stands right before its block


@pytest.mark.parametrize("page", RUN, ids=[page.stem for page in RUN])
def test_the_blocks_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = model_of_the_pages()
    monkeypatch.setattr("labelmass.lm.load.load", lambda *a, **k: model)
    blocks = [block for block in blocks_of(page) if block.why is None]
    python = any(block.kind == "python" for block in blocks)
    notebook = Notebook(model, arrays() if python else None)
    PREPARE.get(page.name, lambda notebook: settle())(notebook)
    for block in blocks:
        if block.kind == "toml":
            tomllib.loads(block.code)
        if block.kind != "text":  # drawings and formulas
            notebook.run(block)


def test_the_task_of_the_page_is_one() -> None:
    (block,) = [one for one in blocks_of(DOCS / "tasks.md") if one.kind == "toml"]
    assert Task.from_toml(block.code).name == "reviews"


def test_the_guards_of_the_page_are_those_there_are(tmp_path: Path) -> None:
    page = DOCS / "guards.md"
    named = re.findall(r"^\| `([a-z0-9.-]+)` \|", page.read_text(), re.MULTILINE)
    assert sorted(named) == list(guards())
    (block,) = [one for one in blocks_of(page) if one.kind == "toml"]
    (tmp_path / "mine.toml").write_text(block.code)
    guard = Guard.load(tmp_path / "mine.toml")
    assert guard.label_names == ("advertising", "personal data") and len(guard.passes) == 2


def test_every_guard_has_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scores.jsonl").touch()
    page = (DOCS / "guards.md").read_text()
    commands = [shlex.split(line) for line in re.findall(r"`labelmass (.* --guard [^`]*)`", page)]
    own: set[str] = set()
    for words in commands:
        command = cli.get_command(click.Context(cli), words[0])
        assert command is not None
        command.make_context(words[0], words[1:])  # a UsageError for what is no option of it
        guard = words[words.index("--guard") + 1].removesuffix(".toml")
        own.add(guard)
        if "-m" in words and guard != "yes-no":
            assert Guard.for_model(words[words.index("-m") + 1]).name == guard
    assert own == set(guards())


def test_the_model_of_the_pages_writes_answers() -> None:
    result = labelmass.score(["a text"], "emotions", model_of_the_pages())[0]
    assert result.off_format == pytest.approx(0.2, abs=0.1)
    assert set(result.labels) == set(EMOTIONS)


def test_pages_are_all_there() -> None:
    assert ROOT / "README.md" in PAGES and len(PAGES) > 25
