"""A small copy of a network with random weights, in which large numbers are small.

Whether a way of reading is right beyond a window of 4096 tokens shows in a copy of width 64 whose
window is 48, in a second and without any weights of the model's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from labelmass.lm.critical_lengths import critical_lengths, replaced
from labelmass.lm.forward import embeddings
from labelmass.lm.sources import quiet

SCALED_STEP = 16
"""Numbers of the configuration that are larger than twice this become 3, 4, 5 ... times this."""

VOCABULARY = 300
"""Tokens of a copy."""

MAX_WEIGHTS = 20_000_000
"""Weights of a copy; more would take long, and mean that it was not scaled down."""

_LAYERS = (
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "decoder_layers",
    "encoder_layers",
    "num_blocks",
    "num_decoder_layers",
    "num_encoder_layers",
    "num_layers_per_stack",
)
_LAYER_TYPES = ("layer_types", "layers_block_type", "attention_layers", "attn_layers")
_FIRST = ("first_k_dense_replace", "num_dense_layers", "moe_layer_start_index")
"""Configuration keys of the number of special first layers."""
_LAST = ("num_kv_shared_layers",)
"""Configuration keys of the number of special last layers."""
_DROPPED = ("quantization_config", "dtype", "torch_dtype")
_OWN = "per_layer_config"
"""Configuration keys of settings by layer number."""

_SIZES = {
    name: size
    for size, names in {
        64: "hidden_size d_model n_embd emb_dim embedding_dim embedding_size input_embedding_size "
        "output_embedding_size word_embed_proj_dim lru_width hidden_size_global dim_model_base "
        "ple_embed_dim router_hidden_size pronunciation_embed_dim",
        96: "intermediate_size ffn_dim encoder_ffn_dim decoder_ffn_dim dff d_inner dim_ff n_inner "
        "feed_forward_size moe_intermediate_size expert_ffn_hidden_size ffn_hidden_size "
        "shared_expert_intermediate_size shared_experts_intermediate_size "
        "dense_intermediate_size shared_intermediate_size intermediate_size_mlp "
        "moe_shared_expert_intermediate_size",
        128: "mamba_d_ssm",
        32: "mamba_d_head mamba_head_dim mamba_headdim",
        24: "q_lora_rank kv_lora_rank o_lora_rank qk_head_dim",
        16: "head_dim kv_channels qk_nope_head_dim v_head_dim swa_head_dim swa_v_head_dim dim_head "
        "d_head attention_head_size linear_key_head_dim linear_value_head_dim linear_head_dim "
        "index_head_dim indexer_head_dim state_size mamba_d_state ssm_state_size d_rel "
        "shape_embed_dim adapter_rank prompt_length prompt_mid_dim hc_lowrank global_head_dim "
        "make_ngram_vocab_size_divisible_by",
        8: "qk_rope_head_dim rotary_dim hidden_size_per_layer_input laurel_rank",
        4: "num_attention_heads n_head n_heads attention_heads encoder_attention_heads "
        "decoder_attention_heads num_encoder_attention_heads num_decoder_attention_heads "
        "swa_num_attention_heads num_heads linear_num_value_heads linear_num_heads index_n_heads "
        "indexer_n_heads mamba_n_heads mamba_num_heads n_mamba_heads num_experts o_groups "
        "num_local_experts n_routed_experts moe_num_experts zero_expert_num mamba_dt_rank "
        "time_step_rank num_attention_heads_per_layer",
        2: "linear_num_key_heads num_key_value_heads num_kv_heads swa_num_key_value_heads "
        "num_query_groups kv_n_heads num_experts_per_tok num_experts_per_token moe_topk moe_k "
        "n_group num_expert_group n_groups mamba_n_groups mamba_ngroups heads_per_ngram "
        "split_ngram_parts num_global_key_value_heads indexer_kv_heads",
        1: "topk_group",
        VOCABULARY: "vocab_size vocab_size_per_layer_input decoder_vocab_size shape_vocab_size "
        "encoder_hash_byte_group_vocab ngram_vocab_size_base pronunciation_vocab_size "
        "unpadded_vocab_size",
        512: "max_position_embeddings n_positions n_ctx max_seq_len max_target_positions "
        "max_source_positions context_length model_max_length",
    }.items()
    for name in names.split()
}
"""Sizes that change what a network computes, but not what a token looks at, and their new value.

Smaller ones stay as they are.
"""

_TIED = {
    "head_dim": ("qk_rope_head_dim", "qk_head_dim"),
    "num_key_value_heads": ("num_attention_heads",),
    "v_head_dim": ("head_dim",),
}
"""Sizes that stay equal to others where they were, by name."""

_SHARES = {
    "attention_hidden_size": "hidden_size",
    "attention_head_dim": "hidden_size",
    "axial_pos_embds_dim": "hidden_size",
}
"""Sizes that stay in proportion to others."""


def smaller(numbers: Sequence[int]) -> dict[int, int]:
    """Values of a configuration's numbers in its small copy; their order stays."""
    large = sorted({number for number in numbers if number > 2 * SCALED_STEP})
    return {number: SCALED_STEP * (3 + place) for place, number in enumerate(large)}


def small_copy(network: Any) -> Any:
    """The copy of a network in float32 on its device, in which `smaller` numbers stand.

    Raises ValueError, or what the network's own class raises, where there can be none.
    """
    device = embeddings(network).device
    if hasattr(network, "get_base_model"):  # an adapter around it
        network = network.get_base_model()
    first: Exception | None = None
    with quiet(), torch.random.fork_rng(devices=[]):
        for copies in (1, 2):
            try:
                with torch.device("meta"):
                    weights = sum(weight.numel() for weight in _built(network, copies).parameters())
                if weights > MAX_WEIGHTS:
                    raise ValueError(f"its small copy has {weights} weights")
                return randomised(_built(network, copies)).eval().to(device)
            except Exception as error:  # a class refuses in its own way what it cannot be
                first = first or error
    raise first or ValueError("no copy")


def _built(network: Any, copies: int) -> Any:
    config = network.config
    small = type(config).from_dict(scaled_down(config.to_dict(), copies))
    implementation = config._attn_implementation
    return type(network)._from_config(
        small, attn_implementation=implementation, dtype=torch.float32
    )


def scaled_down(config: Mapping[str, Any], copies: int = 1) -> dict[str, Any]:
    """A configuration with narrow layers, `copies` of each kind, and small numbers."""
    return _narrow(replaced(config, smaller(critical_lengths(config))), copies)


def _narrow(config: dict[str, Any], copies: int) -> dict[str, Any]:
    small = {key: value for key, value in config.items() if key not in _DROPPED}
    _keep_layers(small, copies)
    for key, value in small.items():
        if key == _OWN and value:
            small[key] = {layer: _narrow(own, copies) for layer, own in value.items()}
        elif isinstance(value, dict) and (key.endswith("_config") or "model_type" in value):
            small[key] = _narrow(value, copies)
    former = dict(small)
    for key, value in small.items():
        if isinstance(value, bool):
            continue
        if key in _SIZES:
            small[key] = _at_most(value, _SIZES[key])
        elif key.endswith(("_token_id", "_index")):
            small[key] = _at_most(value, VOCABULARY - 1)
    for key, others in _TIED.items():
        for other in others:
            if former.get(key) is not None and former[key] == former.get(other):
                small[key] = small[other]
    if {"qk_nope_head_dim", "qk_rope_head_dim"} <= small.keys() and "head_dim" in small:
        if former["head_dim"] != former["qk_rope_head_dim"]:
            small["head_dim"] = small["qk_nope_head_dim"] + small["qk_rope_head_dim"]
    for key, other in _SHARES.items():
        if small.get(key) and other in small:
            small[key] = _scaled(former[key], small[other], former[other])
    _fit_heads(small)
    for key in ("rope_parameters", "rope_scaling"):
        if isinstance(small.get(key), dict):
            small[key] = _fewer_factors(small[key], small)
    return small


def _at_most(value: Any, size: int) -> Any:
    if isinstance(value, list | tuple):
        return [_at_most(one, size) for one in value]
    return min(value, size) if isinstance(value, int) else value


def _scaled(value: Any, new: int, former: int) -> Any:
    if isinstance(value, list | tuple):
        return [_scaled(one, new, former) for one in value]
    return value * new // former


def _fit_heads(config: dict[str, Any]) -> None:
    """Make the heads of a state-space layer as wide as its inner width needs."""

    def first(*names: str) -> Any:
        return next((name for name in names if isinstance(config.get(name), int)), None)

    expand = first("mamba_expand", "expand")
    heads = first("mamba_n_heads", "n_mamba_heads", "mamba_num_heads", "num_heads")
    size = first("mamba_d_head", "mamba_headdim", "mamba_head_dim", "head_dim")
    if expand and heads and size:
        inner = config.get("mamba_d_ssm") or config[expand] * config["hidden_size"]
        config[size] = inner // config[heads]


def _keep_layers(config: dict[str, Any], copies: int) -> None:
    """Leave the first `copies` layers of each kind; kinds are told by lists of a value a layer."""
    counts = [config[key] for key in _LAYERS if isinstance(config.get(key), int)]
    lists = [config[key] for key in _LAYER_TYPES if isinstance(config.get(key), list | tuple)]
    count = len(lists[0]) if lists else counts[0] if counts else 0
    if not count:
        return
    each: dict[str, list[Any]] = {}
    places: dict[str, list[int]] = {}
    for key, value in config.items():
        if isinstance(value, list | tuple) and value:
            if _are_places(value, count):
                places[key] = list(value)
            elif len(value) == count:
                each[key] = list(value)
    first = {key: config[key] for key in _FIRST if isinstance(config.get(key), int)}
    last = {key: count - config[key] for key in _LAST if isinstance(config.get(key), int)}
    own = {int(layer): values for layer, values in (config.get(_OWN) or {}).items()}
    kinds: dict[Any, list[int]] = {}
    for layer in range(count):
        kind = (
            repr(own.get(layer)),
            *(repr(values[layer]) for values in each.values()),
            *(layer in layers for layers in places.values()),
            *(layer < start for start in (*first.values(), *last.values())),
        )
        kinds.setdefault(kind, []).append(layer)
    periods = [v for k, v in config.items() if k.endswith("_period") and isinstance(v, int)]
    if len(kinds) == 1:
        kept = list(range(min(count, max(2, *periods, 0))))
    else:
        kept = sorted(layer for layers in kinds.values() for layer in layers[:copies])
    for key, values in each.items():
        config[key] = [values[layer] for layer in kept]
    if own:
        config[_OWN] = {place: own[layer] for place, layer in enumerate(kept) if layer in own}
    for key, layers in places.items():
        config[key] = [place for place, layer in enumerate(kept) if layer in layers]
    for key, start in first.items():
        config[key] = sum(layer < start for layer in kept)
    for key, start in last.items():
        config[key] = sum(layer >= start for layer in kept)
    for key in _LAYERS:
        if isinstance(config.get(key), int):
            config[key] = len(kept)


def _are_places(values: Sequence[Any], count: int) -> bool:
    """True if a list names layers by their place rather than saying something of each."""
    if not all(type(value) is int for value in values):
        return False
    return list(values) == sorted(set(values)) and values[-1] < count


def _fewer_factors(rope: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Rotary parameters whose lists fit the new size of a head; by type of layer, too."""
    head = config.get("head_dim") or (
        config["hidden_size"] // config["num_attention_heads"]
        if "num_attention_heads" in config and "hidden_size" in config
        else 16
    )
    size = int(
        head * (rope.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1)
    )
    new: dict[str, Any] = {}
    for key, value in rope.items():
        if isinstance(value, dict):
            value = _fewer_factors(value, config)
        elif key in ("short_factor", "long_factor") and value:
            wanted = size // 2
            value = [value[i * len(value) // wanted] for i in range(wanted)]
        elif key == "mrope_section" and value:
            rest = size // 2 - (len(value) - 1) * (size // 2 // len(value))
            value = [rest, *[size // 2 // len(value)] * (len(value) - 1)]
        new[key] = value
    return new


def randomised(network: Any) -> Any:
    """Weights large enough that what a token looks at moves its row far."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim >= 2:
                spread = 1.5 / math.sqrt(weight.shape[-1])
                weight.copy_(torch.empty(weight.shape).normal_(0, spread, generator=draw))
            elif not weight.isfinite().all():
                weight.zero_()
    return network
