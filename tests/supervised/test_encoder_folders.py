"""Folders of encoders that are not like BERT's: read rightly, or refused by what they lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from labelmass.errors import ModelError
from labelmass.lm.encoder import TextEncoder
from training.tiny_model import tokenizer

SMALL: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}


def save(model: Any, folder: Path) -> None:
    """With a tokenizer that says nothing of a limit."""
    words = tokenizer()
    words.pad_token = "<|endoftext|>"
    words.save_pretrained(folder)
    model.save_pretrained(folder)


def test_a_text_is_cut_before_its_positions_run_out(tmp_path: Path) -> None:
    """RoBERTa's begin behind that of the padding."""
    config = transformers.RobertaConfig(**SMALL, max_position_embeddings=34, pad_token_id=1)
    save(transformers.RobertaModel(config), tmp_path)
    encoder = TextEncoder.load(str(tmp_path))
    assert encoder.length == 32
    assert np.array_equal(encoder(["happy " * 100]), encoder(["happy " * 200]))


def test_weights_that_are_not_the_encoders_are_refused(tmp_path: Path) -> None:
    """They would be drawn at random, others every time."""
    save(transformers.BertModel(transformers.BertConfig(**SMALL)), tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    few = {name: weight for name, weight in weights.items() if "pooler" not in name}
    save_file(few, file, {"format": "pt"})
    TextEncoder.load(str(tmp_path))  # the pooler is not read
    save_file({f"x.{name}": weight for name, weight in weights.items()}, file, {"format": "pt"})
    with pytest.raises(ModelError, match=r"lack embeddings\.\S+ and \d+ others of a bert"):
        TextEncoder.load(str(tmp_path))


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=400, d_model=16, num_layers=1, num_heads=2, d_ff=24, d_kv=8
    )
    save(transformers.T5Model(config), tmp_path)
    with pytest.raises(ModelError, match="an encoder and a decoder: give an encoder alone"):
        TextEncoder.load(str(tmp_path))
