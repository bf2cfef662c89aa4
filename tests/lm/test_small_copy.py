"""Small random copies: narrow, few layers, one of each kind, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from labelmass.lm.small_copy import scaled_down, small_copy
from lm import every_architecture as every
from lm.test_architectures import BASE, network


def test_one_layer_of_each_kind_stays() -> None:
    config = every.configuration("gemma3n_text")[1].to_dict()
    small = scaled_down(config)
    kinds = {
        (kind, place >= config["num_hidden_layers"] - config["num_kv_shared_layers"], sparse)
        for place, (kind, sparse) in enumerate(
            zip(config["layer_types"], config["activation_sparsity_pattern"], strict=True)
        )
    }
    assert small["num_hidden_layers"] == len(small["layer_types"]) == len(kinds)
    assert len(small["intermediate_size"]) == len(kinds)
    assert small["num_kv_shared_layers"] == sum(shared for _, shared, _ in kinds)


def test_lists_of_places_follow_the_layers() -> None:
    config = every.configuration("llama4")[1].to_dict() | {"moe_layers": [1, 3, 5]}
    small = scaled_down(config)
    kept = len(small["layer_types"])
    assert len(small["no_rope_layers"]) == kept
    assert 0 < len(small["moe_layers"]) < kept


def test_ratios_and_shared_sizes_stay() -> None:
    grouped = scaled_down(every.configuration("llama4")[1].to_dict())
    alike = scaled_down(every.configuration("phi3")[1].to_dict())
    latent = scaled_down(every.configuration("deepseek_v3")[1].to_dict())
    assert grouped["num_attention_heads"] > grouped["num_key_value_heads"]
    assert alike["num_attention_heads"] == alike["num_key_value_heads"]
    assert latent["head_dim"] == latent["qk_rope_head_dim"]


def test_a_copy_is_made_without_a_trace() -> None:
    model = network("Mistral", BASE | {"sliding_window": 4096})
    model.set_attn_implementation("eager")
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    copy: Any = small_copy(model)
    assert torch.equal(torch.rand(3), wanted)
    assert model.config.sliding_window == 4096
    assert copy.config.sliding_window == 48 and copy.config._attn_implementation == "eager"
    again: Any = small_copy(model)
    assert all(a.equal(b) for a, b in zip(copy.parameters(), again.parameters(), strict=True))


def test_what_cannot_be_copied_says_why() -> None:
    model = network("Llama", BASE)
    model.config.num_attention_heads = 0
    with pytest.raises(Exception, match="zero"):
        small_copy(model)
