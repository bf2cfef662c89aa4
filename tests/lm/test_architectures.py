"""Every kind of layer is read rightly, by the fastest way that is right for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from labelmass.lm.transformers import TransformersModel
from lm.full_passes import queries_of, worst

VOCABULARY, PADDED = 90, 96
TREE, FULL = "transformers/tree-attention", "transformers/full-forward"
BASE: dict[str, Any] = {
    "vocab_size": PADDED,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MIXED = {
    "head_dim": 8,
    "sliding_window": 6,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
SMALL = {"vocab_size": PADDED, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("Llama", BASE, TREE),
    ("Qwen2", BASE, TREE),
    ("Mistral", BASE | {"sliding_window": 6}, TREE),
    ("Gemma2", BASE | MIXED, TREE),
    ("Gemma3Text", BASE | MIXED, TREE),
    ("GPT2", SMALL | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}, TREE),
    (
        "OPT",
        SMALL
        | {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        | {"max_position_embeddings": 128, "word_embed_proj_dim": 32},
        TREE,
    ),
    ("Bloom", SMALL | {"hidden_size": 32, "n_layer": 2, "n_head": 4}, FULL),
    ("Mamba", SMALL | {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, FULL),
    (
        "Lfm2",
        BASE | {"layer_types": ["conv", "full_attention", "conv"], "block_multiple_of": 16},
        FULL,
    ),
]


def network(kind: str, settings: dict[str, Any]) -> Any:
    """A tiny model with random weights, large enough to tell a wrong row from a right one."""
    torch.manual_seed(7)
    config_class = getattr(transformers, f"{kind}Config")
    family = {"Gemma3Text": "Gemma3", "GPT2": "GPT2LMHead"}.get(kind, kind)
    suffix = "Model" if kind == "GPT2" else "ForCausalLM"
    model = getattr(transformers, family + suffix)(config_class(**settings)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.normal_(0, 0.3)
    return model


def wrapped(model: Any, **options: Any) -> TransformersModel:
    tokenizer: Any = SimpleNamespace(token_bytes=(b"x",) * VOCABULARY, end_ids=frozenset({2}))
    return TransformersModel(model, tokenizer, name="tiny", **options)


@pytest.mark.parametrize(("kind", "settings", "engine"), CASES, ids=[case[0] for case in CASES])
def test_rows_equal_full_passes(kind: str, settings: dict[str, Any], engine: str) -> None:
    model = network(kind, settings)
    reader = wrapped(model, pass_tokens=16)
    assert reader.engine == engine, reader.note
    assert (reader.note is None) == (engine == TREE)

    rng = np.random.default_rng(3)
    shared = rng.integers(3, VOCABULARY, 8).tolist()
    prompts = [shared + rng.integers(3, VOCABULARY, n).tolist() for n in (1, 4, 7)]
    ids = np.arange(VOCABULARY)
    nodes = {1: (0, 5), 2: (0, 9), 3: (2, 11), 4: (3, 5), 5: (1, 88)}
    handles = reader.open(prompts, 8)
    queries = [queries_of(handle, nodes, ids) for handle in handles]
    rows = reader.rows([query for group in queries for query in group])
    for prompt, group in zip(prompts, queries, strict=True):
        own, rows = rows[: len(group)], rows[len(group) :]
        assert worst(model, prompt, group, own, VOCABULARY) < 1e-4
        assert all(row.residual < 1e-5 for row in own)


def test_padding_rows_of_the_output_have_no_probability() -> None:
    model = network("Llama", BASE)
    with torch.no_grad():
        model.lm_head.weight[VOCABULARY:] += 5
    reader = wrapped(model)
    (handle,) = reader.open([[3, 4, 5]])
    (row,) = reader.rows(queries_of(handle, {}, np.arange(PADDED))[:1])
    assert np.isneginf(row.logprobs[VOCABULARY:]).all()
    assert np.exp(row.logprobs).sum() == pytest.approx(1, abs=1e-6)
    assert all(index < VOCABULARY for index, _ in row.top)
