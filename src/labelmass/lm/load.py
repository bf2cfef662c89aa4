"""A language model from its name."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelmass.errors import ModelError
from labelmass.lm import adapted, embedded
from labelmass.lm.base import LanguageModel, Tokenizer
from labelmass.lm.servers.address import is_address
from labelmass.task import Task

if TYPE_CHECKING:
    from labelmass.lm.servers import ServerModel
    from labelmass.lm.transformers import TransformersModel

_LOG = logging.getLogger("labelmass")

MODELS: dict[str, str] = {embedded.NAME: embedded.ABOUT}
"""Models that need no download, and one line about each."""


def as_model(model: LanguageModel | str | Path | None) -> LanguageModel:
    """A model as it is, or the one that is called so; None for the embedded one.

    Raises ModelError for anything else, and as `load` does.
    """
    if model is None or isinstance(model, str | Path):
        return load(model)
    if isinstance(model, type) or not all(hasattr(model, name) for name in ("open", "fingerprint")):
        wanted = "a model, its name or folder, or None for the embedded one"
        raise ModelError(f"model is {model!r:.60}, not {wanted}")
    return model


def load(
    model: str | Path | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
    tokenizer: Tokenizer | str | Path | None = None,
    served_model: str | None = None,
    max_requests: int | None = None,
    say: Callable[[str], None] = _LOG.info,
) -> LanguageModel:
    """Load a model by its name, or reach one by its URL.

    Args:
        model: A built-in model ('smollm2', or None), a folder, a .gguf file or a hub id; or the URL
            of a server, with its kind before it if that is known: 'vllm:http://localhost:8000'. A
            folder may be what `labelmass train` wrote: an adapter is merged into its base.
        device: As for `TransformersModel.load`.
        dtype: As for `TransformersModel.load`.
        revision: As for `TransformersModel.load`.
        tokenizer: Tokenizer of a model behind a URL, or the model it is of; None for the one that
            the server names.
        served_model: Name of the model behind a URL, where several are served.
        max_requests: Number of requests to a server, after which a run stops.
        say: As for `TransformersModel.load`.

    Raises:
        ModelError: With what to do about it.
    """
    name = embedded.NAME if model is None else str(model)
    if is_address(name):
        for option, value in (("device", device), ("dtype", dtype), ("revision", revision)):
            if value is not None:
                raise ModelError(f"{option} is a matter of the server that runs the model")
        return _connect(name, tokenizer, served_model, max_requests, say)
    for option, value in (("tokenizer", tokenizer), ("served_model", served_model)):
        if value is not None:
            raise ModelError(f"{option} is for a model behind a URL, not for {name}")
    return load_here(name, device=device, dtype=dtype, revision=revision, say=say)


def load_here(
    model: str | Path | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
    say: Callable[[str], None] = _LOG.info,
) -> TransformersModel:
    """A model that runs in this process, see `load`."""
    name = embedded.NAME if model is None else str(model)
    note = adapted.read_note(name)
    if note is not None and note["kind"] == "adapter":
        return _for_its_task(_adapted(name, note, device, dtype, say), note)
    source, title = name, None if note is None else adapted.name_of(name, note)
    if name == embedded.NAME:
        source, title = str(embedded.gguf_file()), embedded.TITLE
    with _no_collection():
        try:
            from labelmass.lm.transformers import TransformersModel
        except ImportError as error:
            raise ModelError(
                f"the model {name} needs torch and transformers; "
                "run: pip install 'labelmass[transformers]'"
            ) from error
        result = TransformersModel.load(
            source, device=device, dtype=dtype, revision=revision, name=title, say=say
        )
    return _for_its_task(result, note)


def _connect(
    address: str,
    tokenizer: Tokenizer | str | Path | None,
    served_model: str | None,
    max_requests: int | None,
    say: Callable[[str], None],
) -> ServerModel:
    try:
        from labelmass.lm.servers import ServerModel
    except ImportError as error:
        raise ModelError(
            "a model behind a URL needs an HTTP client; run: pip install 'labelmass[servers]'"
        ) from error
    if isinstance(tokenizer, str | Path):
        from labelmass.lm import sources

        path = embedded.gguf_file() if str(tokenizer) == embedded.NAME else tokenizer
        tokenizer = sources.load_tokenizer(str(path), say=say)
    return ServerModel.connect(address, tokenizer, model=served_model, max_requests=max_requests)


def _for_its_task(model: TransformersModel, note: dict[str, Any] | None) -> TransformersModel:
    """The model, which knows the task it was trained on."""
    if note is not None:
        model.trained_for = Task.from_dict(note["task"]).hash
    return model


def _adapted(
    folder: str,
    note: dict[str, Any],
    device: str | None,
    dtype: str | None,
    say: Callable[[str], None],
) -> TransformersModel:
    """The base as it was trained on, with the adapter merged into it."""
    kept = note["base"]
    try:
        base = load_here(
            kept["asked"], device=device, dtype=kept["dtype"], revision=kept["revision"], say=say
        )
    except ModelError as error:
        raise ModelError(f"the base of the adapter in {folder}: {error}") from error
    adapted.check_base(folder, note, base.fingerprint)
    if dtype is None and base.network.device.type == "cpu":
        dtype = "float32"
    return type(base)(
        adapted.merged(base.network, folder, dtype),
        base.tokenizer,
        name=adapted.name_of(folder, note),
        fingerprint=adapted.fingerprint(folder, base.fingerprint),
    )


@contextlib.contextmanager
def _no_collection() -> Generator[None]:
    """No search for garbage meanwhile: importing makes a million objects and next to none.

    It is a fifth of the time of loading a small model.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
