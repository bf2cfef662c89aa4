"""Every causal architecture of the installed transformers, built tiny with random weights.

The configuration of each class, with `SETTINGS` where its defaults are not enough, is scaled down
by the same function that a model's own check uses. `VARIANTS` are settings that read otherwise
than the defaults do: windows, switches of the positions, layers of other kinds.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CLASSES

from labelmass.lm.small_copy import randomised, scaled_down
from labelmass.lm.sources import quiet

NOT_BUILT = {
    "gemma3n": "the whole model needs timm for its images; gemma3n_text is its text",
    "gemma4_assistant": "drafts for another model, whose states it reads",
    "gemma4_unified_assistant": "drafts for another model, whose states it reads",
}
"""Architectures without a tiny model here, and why."""

REFUSED = {
    "musicgen": "writes codes of sound, several at a time",
    "musicgen_melody": "writes codes of sound, several at a time",
    "xlstm": "its own code fails on texts longer than a chunk where keys and values differ in size",
}
"""Architectures that are refused by name at load."""

SETTINGS: dict[str, dict[str, Any]] = {
    "cohere_compass_text": {
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "full_attention": None,
        }
    },
    "dbrx": {"attn_config": {"rope_theta": 10000.0, "kv_n_heads": 8, "clip_qkv": 8.0}},
    "deepseek_v2": {"num_experts_per_tok": 6},
    "dots1": {
        "n_routed_experts": 64,
        "num_experts_per_tok": 4,
        "n_shared_experts": 1,
        "moe_intermediate_size": 1408,
    },
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16},
    "ministral": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 8},
    "qwen4_exp": {
        "indexer_n_heads": 4,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 256,
        "indexer_budget": 64,
        "indexer_compress_ratio": 8,
    },
    "reformer": {"hash_seed": 1},
    "xmod": {"default_language": "en_XX"},
}
SETTINGS["qwen4_exp_text"] = SETTINGS["qwen4_exp"]


def _long(factors: int, switch: int, **further: Any) -> dict[str, Any]:
    """A rotary embedding with other frequencies in sequences longer than `switch`."""
    return {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1 + 0.02 * i for i in range(factors)],
        "long_factor": [1.5 + 0.5 * i for i in range(factors)],
        "original_max_position_embeddings": switch,
        **further,
    }


def _rope(kind: str, **further: Any) -> dict[str, Any]:
    return {"rope_type": kind, "rope_theta": 10000.0, "factor": 4.0, **further}


def _by_turns(layers: int, *kinds: str) -> dict[str, Any]:
    kinds = kinds or ("sliding_attention", "full_attention")
    types = [kinds[i % len(kinds)] for i in range(layers)]
    return {"layer_types": types, "num_hidden_layers": layers}


_PHI3_LONG = {
    "rope_parameters": _long(48, 4096),
    "original_max_position_embeddings": 4096,
    "max_position_embeddings": 131072,
}
_DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "bert:reads both ways": {"is_decoder": False},
    "dots1:windows": SETTINGS["dots1"] | _by_turns(62),
    "falcon:biases": {"alibi": True},
    "falcon:grouped": {"new_decoder_architecture": True, "num_kv_heads": 8},
    "gemma3_text:longrope": {
        "rope_parameters": {
            "sliding_attention": _DEFAULT_ROPE,
            "full_attention": _long(128, 8192),
        }
    },
    "gpt_bigcode:heads": {"multi_query": False},
    "gpt_neox:dynamic": {"rope_parameters": _rope("dynamic", partial_rotary_factor=0.25)},
    "laguna:windows": _by_turns(40),
    "lfm2:convolutions": {"layer_types": ["conv", "full_attention"] * 16},
    "llama:dynamic": {"rope_parameters": _rope("dynamic")},
    "llama:linear": {"rope_parameters": _rope("linear")},
    "llama:llama3": {
        "rope_parameters": _rope(
            "llama3",
            original_max_position_embeddings=4096,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
        )
    },
    "llama:yarn": {"rope_parameters": _rope("yarn", original_max_position_embeddings=4096)},
    "mellum:windows": _by_turns(28),
    "minicpm3:longrope": {
        "rope_parameters": _long(16, 32768),
        "max_position_embeddings": 65536,
    },
    "minimax_m3_vl_text:sparse": _by_turns(60, "full_attention", "minimax_m3_sparse"),
    "mixtral:window": {"sliding_window": 4096},
    "mpt:learned": {"attn_config": {"alibi": False}},
    "olmo3:yarn": {
        "rope_parameters": {
            "sliding_attention": _DEFAULT_ROPE,
            "full_attention": _rope("yarn", original_max_position_embeddings=4096),
        }
    },
    "opt:projected": {
        "do_layer_norm_before": False,
        "hidden_size": 64,
        "word_embed_proj_dim": 32,
    },
    "phi3:longrope": _PHI3_LONG,
    "phi3:window": {"sliding_window": 2047},
    "phi3:window and longrope": _PHI3_LONG | {"sliding_window": 2047},
    "phimoe:longrope": {
        "rope_parameters": _long(64, 4096, short_mscale=1.2, long_mscale=1.5),
        "max_position_embeddings": 131072,
    },
    "phimoe:window": {"sliding_window": 2047},
    "qwen2:windows": {
        "use_sliding_window": True,
        "sliding_window": 4096,
        "max_window_layers": 16,
    },
    "qwen2_moe:windows": {
        "use_sliding_window": True,
        "sliding_window": 4096,
        "max_window_layers": 12,
    },
    "qwen3:windows": {"use_sliding_window": True, "sliding_window": 4096} | _by_turns(32),
    "qwen3_moe:window": {"use_sliding_window": True, "sliding_window": 4096},
    "smollm3:windows": {"use_sliding_window": True, "sliding_window": 4096} | _by_turns(36),
    "starcoder2:window": {"sliding_window": 4096},
    "xlstm:even": {"qk_dim_factor": 1.0},
}


def names() -> list[str]:
    """All that can be built: architectures and their variants."""
    return sorted({*CLASSES, *VARIANTS} - NOT_BUILT.keys())


def configuration(name: str) -> tuple[Any, Any]:
    """The class of an architecture or variant, and a configuration of it, of full size."""
    kind = name.partition(":")[0]
    build = getattr(transformers, CLASSES[kind])
    made = CONFIG_MAPPING[kind]
    if build.config_class.__name__.removesuffix("Config").startswith(made.__name__[:4]):
        made = build.config_class  # that of the text alone, where the class is for text alone
    settings = VARIANTS.get(name, SETTINGS.get(kind, {}))
    with quiet():
        config = made(**settings)
    if config.is_encoder_decoder:
        config.is_encoder_decoder = False
    if hasattr(config, "is_decoder"):
        config.is_decoder = settings.get("is_decoder", True)
    return build, config


def network(name: str) -> Any:
    """A tiny model; the same each time."""
    build, config = configuration(name)
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        for copies in (1, 2):
            small = type(config).from_dict(scaled_down(config.to_dict(), copies))
            with contextlib.suppress(ValueError):  # zamba ties the second layer of a kind
                return randomised(build._from_config(small, dtype=torch.float32)).eval()
    raise AssertionError(f"{name} cannot be built tiny")


def row_after(pristine: Any, ids: Sequence[int], vocabulary: int) -> NDArray[np.float64]:
    """(vocabulary,) log-probabilities after `ids`, by a network that nothing was asked before."""
    fresh = copy.deepcopy(pristine)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logits = fresh(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0, -1]
    return logits[:vocabulary].double().log_softmax(-1).numpy()


class ByteTokenizer:
    """Three control tokens, the single bytes, and some words; encodes the longest first."""

    has_chat_template = False
    fingerprint = "bytes"
    end_ids = frozenset({2})

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word.encode() for word in sorted(words, key=len, reverse=True)]
        single = tuple(bytes([value]) for value in range(256))
        self.token_bytes: tuple[bytes | None, ...] = (None, None, None, *single, *self._words)

    def encode(self, text: str) -> list[int]:
        residual, ids = text.encode(), list[int]()
        while residual:
            word = next((word for word in self._words if residual.startswith(word)), residual[:1])
            ids.append(self.token_bytes.index(word, 3))
            residual = residual[len(word) :]
        return ids

    def token_name(self, index: int) -> str:
        return f"<{index}>"

    def render_prompt(self, prompt: Any) -> str:
        return "\n\n".join(turn.text for turn in prompt.turns) + prompt.opening

    def encode_prompt(self, prompt: Any) -> list[int]:
        return self.encode(self.render_prompt(prompt))
