"""Every citation of docs/formulas.md names a section that the page has."""

from __future__ import annotations

import re
from pathlib import Path

from labelmass.estimators import ESTIMATORS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "formulas.md").read_text()


def anchors(page: str) -> set[str]:
    """The anchors that GitHub and MkDocs give the headings of a page."""
    titles = re.findall(r"^#{1,6} (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


def test_every_citation_names_a_section() -> None:
    cited: set[str] = set()
    for folder in ("src", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            cited |= set(re.findall(r"docs/formulas\.md#([\w-]+)", path.read_text()))
    assert len(cited) > 15
    assert cited <= anchors(PAGE)


def test_every_method_has_a_section() -> None:
    assert set(ESTIMATORS) <= anchors(PAGE)
