"""Chat templates of guards as they are published, kept outside the project.

    .venv/bin/python tests/helpers/published_templates.py

gets them with npm, unless they are there, from a package of collected templates (MIT).
"""

from __future__ import annotations

import ast
import re
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from platformdirs import user_cache_path

PACKAGE, VERSION = "@huggingface/ollama-utils", "0.0.18"
DIGEST = "8665c3d91f09"
"""First digits of the SHA-256 of the source."""

SOURCE = "package/src/chat-template-automap.ts"
NAMES = {
    "granite-guardian-3": "granite3-guardian:2b",
    "llama-guard-3": "llama-guard3:8b",
    "llama-guard-3-1b": "llama-guard3:1b",
    "shieldgemma": "shieldgemma:27b",
}
"""Names of guards in the package."""

_ENTRY = re.compile(r"""model: "library/([^"]+)",\s*gguf: ("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def file() -> Path:
    """The file that holds them."""
    return user_cache_path("labelmass-tests", appauthor=False) / f"chat-templates-{VERSION}.ts"


def templates() -> dict[str, str]:
    """Published templates by guard."""
    found = {name: ast.literal_eval(text) for name, text in _ENTRY.findall(file().read_text())}
    return {guard: found[name] for guard, name in NAMES.items()}


def get() -> None:
    """Download them."""
    with TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent"]
        subprocess.run(command, cwd=folder, check=True, timeout=120)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            source = packed.extractfile(SOURCE)
            assert source is not None
            content = source.read()
    if sha256(content).hexdigest()[:12] != DIGEST:
        raise SystemExit(f"{PACKAGE} {VERSION} is not the package that it was")
    file().parent.mkdir(parents=True, exist_ok=True)
    file().with_suffix(".part").write_bytes(content)
    file().with_suffix(".part").replace(file())


if __name__ == "__main__":
    if not file().is_file():
        get()
    for guard, template in templates().items():
        print(f"{sha256(template.encode()).hexdigest()[:12]}  {guard}")
