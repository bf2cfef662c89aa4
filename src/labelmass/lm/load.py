"""A language model from its name."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator
from typing import TYPE_CHECKING

from labelmass.errors import ModelError
from labelmass.lm import embedded

if TYPE_CHECKING:
    from labelmass.lm.transformers import TransformersModel

MODELS: dict[str, str] = {embedded.NAME: embedded.ABOUT}
"""Models that need no download, and one line about each."""


def load(
    model: str | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    revision: str | None = None,
) -> TransformersModel:
    """Load a built-in model ('smollm2', or None), a folder, a .gguf file or a hub id.

    device, dtype, revision: as for `TransformersModel.load`.

    Raises ModelError with what to do about it.
    """
    name = model or embedded.NAME
    source, title = name, None
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
        return TransformersModel.load(
            source, device=device, dtype=dtype, revision=revision, name=title
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
