"""The site is built strictly: no broken link or anchor, every public name and every option."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import labelmass
from docs.blocks import DOCS, ROOT
from labelmass.cli import cli, walk

API = (DOCS / "reference" / "api.md").read_text()


def test_the_reference_has_every_public_name() -> None:
    named = re.findall(r"^::: labelmass\.(\w+)$", API, re.MULTILINE)
    assert sorted(named) == sorted(set(labelmass.__all__) - {"__version__"})


@pytest.mark.site
def test_the_site_is_built_strictly(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    formulas = (tmp_path / "formulas.html").read_text()
    assert formulas.count("<math") > 200
    assert "arithmatex" not in formulas
    assert "$" not in re.sub(r"<script.*?</script>", "", formulas, flags=re.DOTALL)
    options = (tmp_path / "reference" / "options.html").read_text()
    commands = [" ".join(path) for path, one in walk(cli) if path and not hasattr(one, "commands")]
    assert "score" in commands
    for name in commands:
        assert f"labelmass {name} " in options, name
    reference = (tmp_path / "reference" / "api.html").read_text()
    for name in set(labelmass.__all__) - {"__version__"}:
        assert f'id="labelmass.{name}"' in reference, name
