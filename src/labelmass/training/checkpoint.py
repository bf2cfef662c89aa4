"""Checkpoints: tensors and a few facts in one safetensors file, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from labelmass.errors import LabelMassError
from labelmass.files.writing import replacing


def save(path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Put the file in place of an earlier one; a kill leaves one of the two."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as partial:
        save_file(kept, partial, metadata={"facts": json.dumps(facts, allow_nan=False)})


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors, on the CPU, and the facts. LabelMassError if the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["facts"])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except Exception as error:  # the reader has errors of its own
        raise LabelMassError(f"{path} is no checkpoint ({error}): begin anew elsewhere") from None
