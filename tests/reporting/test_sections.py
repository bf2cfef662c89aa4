"""Every section of the report as a reader hears it: headings, texts, tables, no drawing.

After a change that is meant: pytest tests/reporting/test_sections.py --snapshot-update.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from conftest import TASK
from helpers.annotated_records import annotated, level_model
from helpers.commands import run
from helpers.strict_html import Element, read
from labelmass.decisions import Policy
from labelmass.reporting import report
from reporting.runs import make_run

SECTIONS = (
    "setup", "scores", "reliability", "curves", "writing", "pairs", "thresholds",
    "errors", "disagreements", "cost", "warnings",
)  # fmt: skip
ROWS, ARTICLES = 5, 1
"""The rows of a table and the records that are looked at; the others are alike."""
BLOCKS = {"h3", "h4", "h5", "p", "li", "dt", "dd", "summary", "figcaption", "pre", "caption"}
HIDDEN = {"script", "style"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 250 records in groups, two methods and a policy."""
    folder = tmp_path_factory.mktemp("sections")
    rows = [row | {"source": f"forum {at % 3}"} for at, row in enumerate(annotated(250))]
    made = make_run(folder, TASK, rows, [level_model(name="m")], "--gold", "majority")
    asked = ("--method", "any-place,hard", "--gold", "majority", "--baseline", "hard")
    run("compare", str(made), *asked, "--draws", "50", "--out", str(made))
    run(
        "tune", str(made / "m"), "--targets", str(folder / "dev.jsonl"), "--gold", "majority",
        "--goal", "fpr<=0.3", "--review-budget", "0.2", "--guarantee", "ltt",
        "--out", str(folder / "policy.json"),
    )  # fmt: skip
    policy = Policy.load(folder / "policy.json")
    (page,) = report(made, folder / "r.html", policy=policy, by="source")
    return page


def outline(at: Element, articles: int = ARTICLES) -> Iterator[str]:
    """The lines of an element, one a block, a row or an image."""
    for one in at.children:
        if isinstance(one, str):
            if one.strip():
                yield f"  {' '.join(one.split())}"
        elif one.name == "svg":
            if one.attributes.get("role") == "img":
                title, about = (next(one.all(name)).text for name in ("title", "desc"))
                yield f"[image] {title}: {about}"
        elif one.name == "table":
            yield f"[table] {next(one.all('caption')).text}"
            rows = list(one.all("tr"))
            yield from (" | ".join(_cells(row)) for row in rows[: ROWS + 1])
            if len(rows) > ROWS + 1:
                yield f"... {len(rows) - ROWS - 1} more"
        elif one.name == "article":
            articles -= 1
            if articles >= 0:
                yield from outline(one)
        elif one.name in BLOCKS and not any(child.name in BLOCKS for child in one.all()):
            yield f"<{one.name}> {' '.join(one.text.split())}"
        elif one.name not in HIDDEN:
            yield from outline(one, articles)


def _cells(row: Element) -> list[str]:
    return [" ".join(cell.text.split()) for cell in row.children if isinstance(cell, Element)]


@pytest.mark.parametrize("name", SECTIONS)
def test_section(name: str, path: Path, snapshot: SnapshotAssertion) -> None:
    root = read(path.read_text(encoding="utf-8"))
    assert [
        str(one.attributes["id"]).removeprefix("run1-")
        for one in root.all("section")
        if one.attributes["id"] != "run1"
    ] == list(SECTIONS)
    (found,) = (one for one in root.all("section") if one.attributes["id"] == f"run1-{name}")
    lines = list(outline(found))
    if name == "cost":  # seconds differ
        at = next(i for i, line in enumerate(lines) if line.startswith("m | "))
        cells = lines[at].split(" | ")
        lines[at] = " | ".join([*cells[:4], "...", *cells[5:]])
    assert "\n".join(lines) == snapshot


def test_a_page_of_250_records_is_small(path: Path) -> None:
    assert path.stat().st_size <= 600_000
