"""The page about the architecture names files, registries and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`((?:src|tests)/[\w./-]+)`", PAGE))
    assert len(named) > 40
    assert not {path for path in named if not (ROOT / path).exists()}


def test_every_registry_it_names_is_in_the_file() -> None:
    named = re.findall(r"`([A-Z]{4,})` in `([\w./-]+)`", PAGE)
    named += re.findall(r"`([a-z_]+)` in `(src/[\w./-]+)`", PAGE)
    assert len(named) > 8
    for name, path in named:
        text = (ROOT / path).read_text()
        assert re.search(rf"^(?:def )?{name}\b", text, re.MULTILINE), (name, path)


def test_it_has_every_package() -> None:
    table = PAGE.partition("## Packages")[2].partition("## From")[0]
    named = {one for row in re.findall(r"^\| (`.*?) \|", table, re.M) for one in row.split(", ")}
    folder = ROOT / "src" / "labelmass"
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert packages <= {one.strip("`") for one in named}
