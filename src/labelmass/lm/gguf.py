"""GGUF files: converted once into a folder of safetensors, found again by their hash.

A GGUF of 100 MB takes some 20 seconds to read into torch, the converted folder one. The folder
appears whole or not at all, so a killed conversion leaves nothing behind that is ever read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from labelmass.errors import ModelError

SOURCE = "labelmass-source.json"


def cache_folder() -> Path:
    """$LABELMASS_CACHE, or the platform's place for caches."""
    if set_ := os.environ.get("LABELMASS_CACHE"):
        return Path(set_)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "labelmass"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "labelmass" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "labelmass"


def converted(file: Path) -> tuple[Path, str]:
    """The safetensors folder of a GGUF file, made if need be, and the file's sha256.

    Raises ModelError if the file cannot be read as a model.
    """
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    folder = cache_folder() / "gguf" / digest[:16]
    if not _is_whole(folder, digest):
        _convert(file, digest, folder)
    return folder, digest


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        source = json.loads((folder / SOURCE).read_text())
        return source["sha256"] == digest and all(
            (folder / name).stat().st_size == size for name, size in source["files"].items()
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def _convert(file: Path, digest: str, folder: Path) -> None:
    try:
        import gguf as _  # noqa: F401, PLC0415 - a clear message instead of a deep one
    except ImportError:
        raise ModelError("reading GGUF needs: pip install 'labelmass[transformers]'") from None
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.quantization_config import GgufConfig

    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
    named: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **named)
        model = AutoModelForCausalLM.from_pretrained(
            file.parent,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
            **named,
        )
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        files = {path.name: path.stat().st_size for path in partial.iterdir()}
        (partial / SOURCE).write_text(
            json.dumps({"sha256": digest, "name": file.name, "files": files})
        )
        if folder.exists():
            shutil.rmtree(folder)  # spoilt, or made by something else
        os.replace(partial, folder)
    except OSError as error:
        if not _is_whole(folder, digest):  # another process may have been first
            raise ModelError(f"{file}: cannot be converted: {error}") from error
    except (ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{file}: not a GGUF model that transformers reads: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
