"""Sentence embeddings by a transformers encoder in a folder, pooled as the folder says.

Importing this module imports torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import LabelMassError, ModelError
from labelmass.files import read_json, shaped
from labelmass.lm.embedded import ENCODER, encoder_folder
from labelmass.lm.sources import loading, quiet

LENGTH = "sentence_bert_config.json"
"""File in which sentence-transformers keep the maximum length."""

MODULES = "modules.json"
"""File in which they list the layers and their folders."""

Pooling = Literal["mean", "cls"]

UNLIMITED = 1 << 20
"""Tokens of a text, where neither encoder nor tokenizer has a limit."""


@dataclass(frozen=True, slots=True)
class _Length:
    max_seq_length: int


@dataclass(frozen=True, slots=True)
class _Module:
    type: str
    path: str


class TextEncoder:
    """Texts to vectors of unit length, of the last layer's states.

    fingerprint: 12 hex digits of the files. length: tokens after which a text is cut. pooling:
    "mean" over the states of all tokens, or "cls" for that of the first.
    """

    def __init__(
        self, model: Any, tokenizer: Any, fingerprint: str, length: int, pooling: Pooling = "mean"
    ) -> None:
        self._model, self._tokenizer = model.eval(), tokenizer
        self.fingerprint, self.length, self.pooling = fingerprint, length, pooling

    @classmethod
    def load(cls, source: str) -> Self:
        """From a folder of config.json, tokenizer and safetensors, or 'minilm'.

        Its code is never run. Raises ModelError with what to do.
        """
        from transformers import AutoModel, AutoTokenizer

        folder = encoder_folder() if source == ENCODER else Path(source).expanduser()
        weights = sorted(folder.glob("*.safetensors"))
        if not (folder / "config.json").is_file() or not weights:
            raise ModelError(
                f"{source} is no encoder: give {ENCODER!r}, or a folder with config.json, a "
                "tokenizer and safetensors"
            )
        auto_model: Any = AutoModel
        auto_tokenizer: Any = AutoTokenizer
        with quiet(), loading(f"the encoder in {source}"):
            tokenizer = auto_tokenizer.from_pretrained(folder, local_files_only=True)
            model, found = auto_model.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
            length = min(int(tokenizer.model_max_length), _places(model))
        # the pooler comes after the states, and is not read
        if lacking := sorted(name for name in found["missing_keys"] if "pooler" not in name):
            raise ModelError(
                f"the weights in {source} lack {lacking[0]} and {len(lacking) - 1} others of a "
                f"{model.config.model_type}: give the folder of a whole encoder"
            )
        if model.config.is_encoder_decoder:
            raise ModelError(
                f"{source} holds an encoder and a decoder: give an encoder alone, or {ENCODER!r}"
            )
        if (file := folder / LENGTH).is_file():
            try:
                length = min(length, shaped(_Length, read_json(file)).max_seq_length)
            except LabelMassError as error:
                raise ModelError(
                    f"{file} does not say how long a text may be ({error}): put it right, or "
                    "delete it to take the encoder's own limit"
                ) from None
        pooling = _pooling(folder)
        return cls(model, tokenizer, _fingerprint(folder, weights, pooling), length, pooling)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], batch_size: int = 32) -> NDArray[np.float64]:
        """(n, d). Texts of like length are read together, which changes nothing but the time.

        Raises ModelError where the encoder fails on them, as one with damaged files does.
        """
        try:
            return self._embedded(texts, batch_size)
        except Exception as error:  # of tokenizers and of torch
            raise ModelError(
                f"the encoder cannot read the texts ({type(error).__name__}: {error}): are its "
                "files whole?"
            ) from error

    def _embedded(self, texts: Sequence[str], batch_size: int) -> NDArray[np.float64]:
        ids: list[list[int]] = self._tokenizer(
            list(texts), truncation=True, max_length=self.length
        )["input_ids"]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        results: list[NDArray[np.float64]] = [np.empty(0)] * len(ids)
        for first in range(0, len(order), batch_size):
            some = order[first : first + batch_size]
            width = max(len(ids[at]) for at in some)
            padded = torch.full((len(some), width), self._tokenizer.pad_token_id or 0)
            mask = torch.zeros((len(some), width), dtype=torch.long)
            for row, at in enumerate(some):
                padded[row, : len(ids[at])] = torch.tensor(ids[at])
                mask[row, : len(ids[at])] = 1
            states = self._model(input_ids=padded, attention_mask=mask).last_hidden_state.double()
            if self.pooling == "cls":
                pooled = states[:, 0]
            else:
                pooled = (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
            pooled = pooled / pooled.norm(dim=1, keepdim=True)
            for row, at in enumerate(some):
                results[at] = pooled[row].numpy()
        return np.array(results)


def _places(model: Any) -> int:
    """Number of tokens that have a position; in RoBERTa and its kin they follow the padding's."""
    for name, module in model.named_modules():
        if (
            name.endswith("position_embeddings")
            and getattr(module, "padding_idx", None) is not None
        ):
            return module.num_embeddings - module.padding_idx - 1
    return getattr(model.config, "max_position_embeddings", UNLIMITED)


def _pooling(folder: Path) -> Pooling:
    """As sentence-transformers keep it; the mean where they do not say.

    ModelError for a pooling, or a layer after it, that is not done here.
    """
    file = folder / MODULES
    if not file.is_file():
        return "mean"
    try:
        modules = shaped(list[_Module], read_json(file))
        for module in modules:
            kind = module.type.rpartition(".")[2]
            if kind not in ("Transformer", "Pooling", "Normalize"):
                raise LabelMassError(f"it has a layer {kind}")
        (place,) = (one.path for one in modules if one.type.endswith("Pooling"))
        config = shaped(dict[str, Any], read_json(folder / place / "config.json"))
    except (LabelMassError, ValueError, OSError) as error:
        raise ModelError(
            f"{file}: how its states become a vector is not known here ({error}): take an encoder "
            "that pools by the mean or by its first token"
        ) from None
    modes = [
        name.removeprefix("pooling_mode_").removesuffix("_token").removesuffix("_tokens")
        for name, used in config.items()
        if name.startswith("pooling_mode_") and used is True
    ]
    for pooling in get_args(Pooling):
        if modes == [pooling]:
            return pooling
    raise ModelError(
        f"{folder / place}: it pools by {' and '.join(modes) or 'nothing'}: take an encoder that "
        "pools by the mean or by its first token (cls)"
    )


def _fingerprint(folder: Path, weights: Sequence[Path], pooling: Pooling) -> str:
    digest = hashlib.sha256(b"" if pooling == "mean" else pooling.encode())
    for file in (folder / "config.json", folder / "tokenizer.json", folder / LENGTH, *weights):
        if file.is_file():
            with file.open("rb") as opened:
                result = hashlib.file_digest(opened, "sha256").hexdigest()
            digest.update(f"{file.name} {result}\n".encode())
    return digest.hexdigest()[:12]
