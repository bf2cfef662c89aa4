"""`report`, end to end on a scripted model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from helpers.commands import run
from labelmass.errors import LabelMassError

pytestmark = pytest.mark.usefixtures("levels")


@pytest.fixture(autouse=True)
def compared(levels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in `run`; from here on there is no model."""
    run(
        "compare", "dev.jsonl", "-t", "mood.toml", "--method", "any-place,hard",
        "--gold", "majority", "--draws", "50", "--out", "run",
    )  # fmt: skip
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: pytest.fail("no model"))


def data(name: str) -> dict:
    text = Path(name).read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return json.loads(found)


def test_a_page_and_its_figures_as_files() -> None:
    run("report", "run", "--out", "page.html", "--figures", "figures")
    (model,) = data("page.html")["runs"][0]["models"]
    assert model["method"] == "any-place"
    found = sorted(path.name for path in Path("figures").iterdir())
    assert found == sorted(
        f"{name}.{e}" for name in model["figures"] for e in ("json", "png", "svg")
    )
    for name, figure in model["figures"].items():
        assert json.loads(Path(f"figures/{name}.json").read_text()) == figure
        root = ElementTree.parse(f"figures/{name}.svg").getroot()
        named = [root.find(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc")]
        assert all(one is not None and one.text for one in named)
        assert Path(f"figures/{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    before = {path: path.read_bytes() for path in Path("figures").iterdir()}
    run("report", "run", "--out", "again.html", "--figures", "figures")
    assert {path: path.read_bytes() for path in Path("figures").iterdir()} == before
    assert Path("again.html").read_bytes() == Path("page.html").read_bytes()


def test_another_method_and_several_runs() -> None:
    run("compare", "run", "--normalise", "on-format", "--gold", "majority", "--draws", "50",
        "--method", "any-place,hard", "--out", "run")  # fmt: skip
    run("report", "run", "--scores-by", "hard", "--out", "hard.html")
    (model,) = data("hard.html")["runs"][0]["models"]
    assert model["method"] == "hard" and model["figures"]["risk-coverage"]["method"] == "hard"
    Path("other").symlink_to("run")
    run("report", "run", "other", "--out", "both.html", "--figures", "figures")
    assert [one["name"] for one in data("both.html")["runs"]] == ["run", "run"]


def test_a_folder_without_a_comparison_is_refused() -> None:
    Path("run/comparison.json").unlink()
    result = run("report", "run", code=1)
    assert isinstance(result.exception, LabelMassError)
    assert "labelmass compare run --out run" in str(result.exception)
