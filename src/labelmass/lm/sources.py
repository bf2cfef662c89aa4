"""Location of a model's files, and loading them."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelmass.errors import LabelMassError, ModelError
from labelmass.lm import gguf
from labelmass.lm.tokenizer import HFTokenizer

_LOG = logging.getLogger("labelmass")

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class Source:
    """Source of a model, resolved for `from_pretrained`.

    requested: what the user wrote.
    name: what results call it.
    place: a local folder or a hub id.
    local: whether it is a folder.
    revision: of a hub id.
    fingerprint: 12 hex digits of the weights, where they are known without reading them.
    end_ids: ids that end a turn, where the place does not say so itself.
    """

    requested: str
    name: str
    place: str
    local: bool
    revision: str | None = None
    fingerprint: str | None = None
    end_ids: tuple[int, ...] = ()


def find(requested: str, revision: str | None, say: Callable[[str], None]) -> Source:
    """Tell folders, GGUF files and hub ids apart. Raises ModelError for a path to nothing.

    say: gets a line for each step of a GGUF file's conversion.
    """
    path = Path(requested).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            what = "it must be a transformers model, or what `labelmass train` wrote"
            if (path / "adapter_config.json").is_file():
                what = "an adapter made elsewhere must be merged into its base and saved first"
            raise ModelError(f"{requested} holds no config.json; {what}")
        return Source(requested, path.resolve().name, str(path), True)
    if path.is_file():
        if path.suffix != ".gguf":
            raise ModelError(f"{requested} is a file but no .gguf; give the model's folder")
        with quiet():
            folder, digest = gguf.converted(path, say)
            ends = gguf.end_ids(path, folder)
        return Source(requested, path.stem, str(folder), True, None, digest[:12], ends)
    if not HUB_ID.fullmatch(requested) or requested.startswith(".") or path.suffix == ".gguf":
        raise ModelError(f"there is no model at {requested}")
    return Source(requested, requested, requested, False, revision)


def load(source: Source, dtype: str, device: str) -> tuple[Any, HFTokenizer]:
    """The model on its device, and its tokenizer. Raises ModelError with what to do."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise ModelError(
            "this model needs torch and transformers; run: pip install 'labelmass[transformers]'"
        ) from error
    auto_model: Any = AutoModelForCausalLM
    auto_tokenizer: Any = AutoTokenizer
    where: dict[str, Any] = {"local_files_only": True}
    if source.revision is not None:
        where["revision"] = source.revision
    how: dict[str, Any] = {"dtype": dtype}
    if device == "auto":
        how["device_map"] = "auto"
    with quiet(), loading(source.requested):
        try:
            try:
                tokenizer = auto_tokenizer.from_pretrained(source.place, **where)
                model = auto_model.from_pretrained(source.place, **where, **how)
            except OSError:
                if source.local or os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
                    raise
                where["local_files_only"] = False
                tokenizer = auto_tokenizer.from_pretrained(source.place, **where)
                model = auto_model.from_pretrained(source.place, **where, **how)
        except OSError as error:
            raise ModelError(_missing(source, error)) from error
        if device != "auto":
            model = model.to(device)
        ends = {*end_ids(model), *source.end_ids}
        rows: int = model.get_input_embeddings().weight.shape[0]
        return model, HFTokenizer(tokenizer, ends, rows=rows)


def load_tokenizer(
    requested: str, revision: str | None = None, say: Callable[[str], None] = _LOG.info
) -> HFTokenizer:
    """The tokenizer of a model, without the model: of a folder, a .gguf file or a hub id.

    Args:
        say: As for `find`.
    """
    try:
        from transformers import AutoTokenizer, GenerationConfig
    except ImportError as error:
        raise ModelError(
            "a model's tokenizer needs transformers; run: pip install 'labelmass[servers]'"
        ) from error
    source = find(requested, revision, say)
    auto_tokenizer: Any = AutoTokenizer
    with quiet(), loading(source.requested):
        try:
            tokenizer = auto_tokenizer.from_pretrained(source.place, revision=source.revision)
        except OSError as error:
            raise ModelError(_missing(source, error)) from error
        ends = set(source.end_ids)
        with contextlib.suppress(OSError):  # not every model has such a file
            settings: Any = GenerationConfig.from_pretrained(source.place)
            ends |= _ids(settings.eos_token_id)
        return HFTokenizer(tokenizer, ends)


@contextlib.contextmanager
def loading(what: str) -> Generator[None]:
    """ModelError for whatever damaged or unfinished files make transformers and its kin raise.

    Their readers have errors of every kind: those of safetensors and tokenizers, KeyError,
    TypeError, AttributeError.
    """
    try:
        yield
    except LabelMassError:
        raise
    except Exception as error:
        raise ModelError(
            f"cannot load {what} ({type(error).__name__}: {error}); if it is no matter of options "
            "or packages, its files are damaged or unfinished: fetch or save them again"
        ) from error


def end_ids(model: Any) -> set[int]:
    """Every id that some configuration of a transformers model says ends a text or a turn.

    Generation settings and configuration often name different ones, and each may be the one that
    the model was taught to write.
    """
    configs = model.generation_config, model.config, model.config.get_text_config()
    results: set[int] = set()
    for config in configs:
        results |= _ids(getattr(config, "eos_token_id", None))
    return results


def _ids(ends: int | list[int] | None) -> set[int]:
    return set(ends if isinstance(ends, list) else [] if ends is None else [ends])


def _missing(source: Source, error: OSError) -> str:
    if source.local:
        return f"cannot load the model in {source.requested}: {error}"
    return (
        f"the model {source.requested} is neither a folder nor in the hub cache, and could not "
        f"be fetched; run: hf download {source.requested} (with 'hf auth login' first if it is "
        "gated), or give a folder, a .gguf file or 'smollm2'"
    )


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """No progress bars and no notices, which say nothing a user can act on."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
