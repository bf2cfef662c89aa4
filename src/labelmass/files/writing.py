"""Record files and the JSON beside them: written whole or not at all, and told by their hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Records as JSONL."""
    _write(path, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """An object that a person reads."""
    _write(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def file_hash(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
