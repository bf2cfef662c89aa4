"""The tutorials run as they are printed, in order and in one folder, on the embedded model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from docs.blocks import DOCS, ROOT, Notebook, blocks_of, same_output
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
