"""Architecture of a model, as far as it limits how trees are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labelmass.errors import ModelError
from labelmass.lm.critical_lengths import critical_lengths, dynamic_factor

FULL, SLIDING = "full_attention", "sliding_attention"

STATES = frozenset({"conv", "linear_attention", "hybrid", "hybrid_sliding"})
"""Types of layers that carry a state from token to token, which cannot branch."""

ALIBI = frozenset({"bloom", "mpt"})
"""Model types whose positions come from the order of the tokens alone."""

CONTEXTS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_target_positions",
    "model_max_length",
)
"""Configuration keys of the longest sequence."""

RECURRENT = frozenset({"mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm"})
"""Model types without a longest sequence."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Attention windows.

    size: tokens a sliding layer sees, the token itself among them; None if no layer slides.
    types: the types of all layers, as the model names its masks; none if it has one for all.
    """

    size: int | None = None
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Architecture:
    """windows: for tree attention; obstacle: why it cannot be used, in a few words, or None.

    context: longest sequence in tokens; None if unlimited.
    critical_lengths: lengths at which it may read otherwise, rising, see `lm.critical_lengths`.
    """

    windows: Windows
    obstacle: str | None
    context: int | None
    critical_lengths: tuple[int, ...]


def inspect(model: Any) -> Architecture:
    """Read a loaded model's configuration. Raises ModelError for models that do not generate."""
    config = model.config
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{config.model_type} is an encoder-decoder; use a decoder-only model")
    text = config.get_text_config(decoder=True)
    types: frozenset[str] = frozenset(_value(text, "layer_types") or ())
    size = _value(text, "sliding_window")
    windows = Windows(size if SLIDING in types or not types else None, types)
    obstacle = None
    if getattr(model, "_is_stateful", False):
        obstacle = "its layers keep a running state"
    elif other := sorted(types & STATES):
        obstacle = f"it has layers of type {', '.join(other)}"
    elif config.model_type in ALIBI or _value(text, "alibi"):
        obstacle = "its positions are biases of the attention (ALiBi)"
    stated = (_value(text, name) for name in CONTEXTS)
    context = next((length for length in stated if length and length > 0), None)  # XLNet says -1
    if context and (factor := dynamic_factor(config.to_dict())):
        context = int(context * factor)
    recurrent = config.model_type in RECURRENT
    lengths = critical_lengths(config.to_dict())
    return Architecture(windows, obstacle, None if recurrent else context, lengths)


def _value(config: Any, name: str) -> Any:
    """Value of a field; None if it is absent or differs between layers."""
    try:
        return getattr(config, name, None)
    except (AttributeError, ValueError):
        return None
