"""Models that labelmass trained: the note in their folder, and adapters on their base.

An adapter folder holds adapter_model.safetensors and adapter_config.json, as peft writes them, and
labelmass.json, which says what it was trained on and for. A folder of full weights has that, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labelmass.errors import LabelMassError, ModelError
from labelmass.files import read_json, shaped
from labelmass.lm import embedded

NOTE, RECORDS = "labelmass.json", "records.json"
VERSION = 1
"""Format version of the note, under its key `labelmass`; its `kind` is that of the weights."""
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True, slots=True)
class _Base:
    """The model that was trained, as results name it and as it is found again."""

    name: str
    asked: str
    fingerprint: str
    dtype: str
    revision: str | None


@dataclass(frozen=True, slots=True)
class _Note:
    """Part of the note that is read back."""

    labelmass: int
    kind: Literal["adapter", "full"]
    task: Mapping[str, Any]
    base: _Base
    result: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Config:
    """Settings of an adapter that determine its scale."""

    r: Any
    lora_alpha: Any


def read_note(folder: str | Path) -> dict[str, Any] | None:
    """Contents of labelmass.json; None if there is none, or for the name of the embedded model.

    Raises ModelError if it cannot be read or the training is not finished.
    """
    if folder == embedded.NAME:
        return None
    path = Path(folder).expanduser() / NOTE
    try:
        if not path.is_file():
            return None
        note = read_json(path, infinite=True)
        read = shaped(_Note, note, infinite=True)
        if read.labelmass > VERSION:
            raise LabelMassError(
                f"it is of version {read.labelmass}, written by a later labelmass; this one reads "
                f"up to {VERSION}"
            )
    except (OSError, LabelMassError) as error:
        raise ModelError(f"{path} is not of a model that labelmass trained ({error})") from None
    if read.result is None:
        raise ModelError(
            f"the training in {folder} is not finished: run the same `labelmass train` again"
        )
    return note


def name_of(folder: str | Path, note: Mapping[str, Any]) -> str:
    """Name of the model in results: its folder, and the base it was fine-tuned from."""
    return f"{Path(folder).expanduser().resolve().name} (fine-tuned {note['base']['name']})"


def trained_on(folder: str | Path) -> frozenset[str]:
    """Digests (`Record.digest`) of what a model, or its base, was trained or validated on."""
    path = Path(folder).expanduser() / RECORDS
    if read_note(folder) is None or not path.is_file():
        return frozenset()
    try:
        sides = shaped(dict[str, list[str]], read_json(path))
    except LabelMassError as error:
        raise ModelError(
            f"{path} does not say what the model was trained on ({error}): train it again"
        ) from None
    return frozenset(digest for side in sides.values() for digest in side)


def merged(network: Any, folder: str | Path, dtype: str | None) -> Any:
    """The base network with the adapter of `folder` added to its weights, in `dtype`.

    The sum is taken in the wider of the two dtypes. Raises ModelError where peft cannot read it.
    """
    import torch

    try:
        from peft import PeftModel
    except ImportError as error:
        raise ModelError(
            f"{folder} holds an adapter, which needs peft; run: pip install 'labelmass[train]'"
        ) from error
    from labelmass.lm.sources import quiet

    if dtype == "float32":
        network = network.to(torch.float32)
    try:
        with quiet():
            adapted: Any = PeftModel.from_pretrained(network, str(folder))
            network = adapted.merge_and_unload(safe_merge=True)
    except Exception as error:  # what does not fit fails in many ways
        raise ModelError(f"the adapter in {folder} does not fit its base: {error}") from error
    return network if dtype is None else network.to(getattr(torch, dtype))


def check_base(folder: str | Path, note: Mapping[str, Any], fingerprint: str) -> None:
    """Raise ModelError unless the base that was found is the one the adapter was trained on."""
    base = note["base"]
    if fingerprint != base["fingerprint"]:
        raise ModelError(
            f"the adapter in {folder} was trained on {base['asked']} with fingerprint "
            f"{base['fingerprint']}, and the model of that name here has {fingerprint}: its "
            "weights are others, so train again or put the former ones back"
        )


def fingerprint(folder: str | Path, base: str) -> str:
    """12 hex digits of the base, the adapter's weights and how strongly they count."""
    path = Path(folder).expanduser()
    try:
        config = shaped(_Config, read_json(path / CONFIG))
        digest = hashlib.sha256(f"{base} {config.r} {config.lora_alpha}".encode())
        digest.update((path / WEIGHTS).read_bytes())
    except (OSError, LabelMassError) as error:
        raise ModelError(f"{folder} holds no whole adapter ({error})") from None
    return digest.hexdigest()[:12]
