"""Results of earlier model checks, one small JSON file each, in the cache folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labelmass.lm import gguf


def folder() -> Path:
    return gguf.cache_folder() / "checks"


def read(key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Cached findings for a key; None if there are none, or the file is damaged."""
    try:
        kept = json.loads(_path(key).read_text(encoding="utf-8"))
        return dict(kept["found"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(key: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Keep what was found; a folder that cannot be written is left alone."""
    path = _path(key)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump({"key": key, "found": found}, file, indent=2)
            os.replace(partial, path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise


@functools.cache
def versions() -> dict[str, str]:
    """Versions of all code that reads a model; of our own also a digest of the content."""
    import torch
    import transformers

    own = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        own.update(file.read_bytes())
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "labelmass": f"{version('labelmass')} {own.hexdigest()[:12]}",
    }


def _path(key: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return folder() / f"{digest[:24]}.json"
