"""The tutorials run as they are printed, in order and in one folder, on the embedded model."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.blocks import DOCS, ROOT, Notebook, blocks_of, same_output
from helpers.strict_html import read
from labelmass.lm.base import LanguageModel

TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


@pytest.fixture
def world(smol: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    """A folder with the examples, and the embedded model for everything that loads one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("labelmass.load", lambda *a, **k: smol)
    shutil.copytree(ROOT / "examples", "examples")
    return smol


def test_the_tutorials_are_numbered() -> None:
    assert [page.name[0] for page in TUTORIALS] == list("123456")


@pytest.mark.model
def test_the_tutorials_run_in_order(world: LanguageModel) -> None:
    for page in TUTORIALS[:5]:
        notebook = Notebook(world)
        for block in blocks_of(page):
            notebook.run(block)
    assert len(Path("decisions.jsonl").read_text().splitlines()) == 24
    assert "<html" in Path("report.html").read_text()


@pytest.mark.model
def test_tickets_become_decisions(world: LanguageModel) -> None:
    notebook = Notebook(world)
    for block in blocks_of(TUTORIALS[5]):
        notebook.run(block)
    decided = Path("decided.jsonl").read_text().splitlines()
    assert len(decided) == 40 and all("decisions" in json.loads(line) for line in decided)
    assert "<html" in Path("tickets-report.html").read_text()


@pytest.mark.model
@pytest.mark.usefixtures("world")
def test_the_notebook_shows_what_is_saved_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("examples")
    names: dict[str, Any] = {}
    for code, saved in cells_of(Path("tickets.ipynb")):
        displayed = run_cell(code, names)
        assert same_output(saved, displayed), f"{code}\n\nshows:\n{displayed}\nsaved:\n{saved}"
    assert len(Path("decided.csv").read_text().splitlines()) == 41


def cells_of(notebook: Path) -> Iterator[tuple[str, str]]:
    """The code of every cell, and its output as plain text."""
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            outputs = [one.get("data", {"text/plain": one.get("text")}) for one in cell["outputs"]]
            texts = ({kind: "".join(lines) for kind, lines in one.items()} for one in outputs)
            yield "".join(cell["source"]), "".join(map(as_text, texts))


def as_text(output: dict[str, str]) -> str:
    """Output of a cell as plain text, without the version that a table of scores names."""
    html = output.get("text/html")
    text = output["text/plain"] if html is None else "\n".join(t for t, _ in read(html).texts())
    return re.sub(r"version:\S+", "version:", text)


def run_cell(code: str, names: dict[str, Any]) -> str:
    """Run a cell as a notebook does: what it prints, and the value of an expression at its end."""
    body, value = ast.parse(code).body, None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if isinstance(last := body[-1], ast.Expr):
            exec(compile(ast.Module(body[:-1], []), "cell", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        else:
            exec(compile(code, "cell", "exec"), names)
    if value is None:
        return printed.getvalue()
    html = value._repr_html_() if hasattr(value, "_repr_html_") else None
    output = {"text/plain": repr(value)} | ({} if html is None else {"text/html": html})
    return printed.getvalue() + as_text(output)


def test_the_task_of_the_tutorial_is_that_of_the_examples() -> None:
    (block,) = [one for one in blocks_of(TUTORIALS[1]) if one.title == "reviews.toml"]
    example = (ROOT / "examples" / "reviews.toml").read_text()
    assert block.code.partition("labels =")[2] == example.partition("labels =")[2]


def test_the_record_of_the_tutorial_is_one_of_the_examples() -> None:
    (block,) = [one for one in blocks_of(TUTORIALS[2]) if one.kind == "json"]
    assert json.loads(block.code) in [
        json.loads(line) for line in (ROOT / "examples" / "reviews.jsonl").read_text().splitlines()
    ]


def test_outputs_are_compared() -> None:
    assert same_output("a 0.51\n...\nz", "a 0.52\nb\nc\nz\n")
    assert not same_output("a 0.51\n...\nz", "a 0.61\nb\nz\n")
    assert not same_output("a", "a\nb")
