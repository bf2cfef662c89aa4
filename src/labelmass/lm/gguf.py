"""GGUF files: converted once into a folder of safetensors, found again by their hash.

A GGUF of 100 MB takes some 20 seconds to read into torch, the converted folder one. The folder
appears whole or not at all, so a killed conversion leaves nothing behind that is ever read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from labelmass.errors import ModelError

_LOG = logging.getLogger("labelmass")

SOURCE = "labelmass-source.json"

ENDS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom"))
"""Keys of a GGUF file that name ids which end a text, a turn or a message."""


def cache_folder() -> Path:
    """$LABELMASS_CACHE, or the platform's place for caches."""
    if set_ := os.environ.get("LABELMASS_CACHE"):
        return Path(set_)
    return user_cache_path("labelmass", appauthor=False)


def converted(file: Path, say: Callable[[str], None] = _LOG.info) -> tuple[Path, str]:
    """The safetensors folder of a GGUF file, made if need be, and the file's sha256.

    say: gets a line for each step of a conversion; none where the folder is there.
    Raises ModelError if the file cannot be read as a model or the cache cannot be written.
    """
    try:
        with file.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror or error}") from error
    folder = cache_folder() / "gguf" / digest[:16]
    if _is_whole(folder, digest):
        return folder, digest
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
    except OSError as error:
        raise ModelError(
            f"cannot write {folder.parent}: {error.strerror or error}; "
            "set LABELMASS_CACHE to a folder that can be written"
        ) from error
    try:
        _convert(file, digest, partial, lambda step: say(f"converting {file.name}, once: {step}"))
        _put_in_place(partial, folder, digest)
        say(f"converted {file.name}, kept in {folder}")
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder, digest


def end_ids(file: Path, folder: Path) -> tuple[int, ...]:
    """The ids that a GGUF file says end what a model writes.

    folder: its converted folder, whose note keeps them: to read them takes a second or more.
    """
    note = json.loads((folder / SOURCE).read_text())
    kept = note.get("end_ids")
    if not isinstance(kept, list) or not all(isinstance(one, int) for one in kept):
        import gguf

        fields: dict[str, Any] = gguf.GGUFReader(file).fields
        note["end_ids"] = sorted({int(fields[key].contents()) for key in ENDS if key in fields})
        partial = folder / f".{SOURCE}.{os.getpid()}"
        with contextlib.suppress(OSError):  # a cache that only another may write to
            partial.write_text(json.dumps(note, indent=2) + "\n")
            os.replace(partial, folder / SOURCE)
    return tuple(note["end_ids"])


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        source = json.loads((folder / SOURCE).read_text())
        return source["sha256"] == digest and all(
            (folder / name).stat().st_size == size for name, size in source["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _convert(file: Path, digest: str, folder: Path, say: Callable[[str], None]) -> None:
    """Fill `folder` with float32 weights, tokenizer and settings, and the note of their source."""
    try:
        import gguf
        import torch
        import transformers
        from transformers.utils.quantization_config import GgufConfig
    except ImportError as error:
        raise ModelError(
            f"reading GGUF needs {error.name}; run: pip install 'labelmass[transformers]'"
        ) from error

    named: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    config: Any = GgufConfig
    try:
        say("reading the tokenizer")
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(file.parent, **named)
        say("reading the weights")
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            file.parent,
            dtype=torch.float32,
            quantization_config=config(dequantize=True),
            **named,
        )
        say("writing the cache")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except Exception as error:  # a damaged file fails in many ways, deep inside the reader
        raise ModelError(f"{file}: not a GGUF model that transformers reads: {error}") from error
    source = {
        "sha256": digest,
        "name": file.name,
        "files": {path.name: path.stat().st_size for path in folder.iterdir()},
        "versions": {
            library.__name__: getattr(library, "__version__", None)
            for library in (torch, transformers, gguf)
        },
    }
    (folder / SOURCE).write_text(json.dumps(source, indent=2) + "\n")


def _put_in_place(made: Path, folder: Path, digest: str) -> None:
    """Give a finished folder its name, unless another process has been first."""
    for _ in range(3):
        try:
            os.replace(made, folder)
            return
        except OSError:
            if _is_whole(folder, digest):
                return
            shutil.rmtree(folder, ignore_errors=True)
    raise ModelError(f"cannot write {folder}; delete it, or set LABELMASS_CACHE to another folder")
