"""What a configuration says about how a model may be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labelmass.errors import ModelError

FULL, SLIDING = "full_attention", "sliding_attention"

ALIBI = frozenset({"bloom", "mpt"})
"""Model types whose positions come from the order of the tokens alone."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How far back a token looks.

    size: tokens a sliding layer sees, the token itself among them; None if no layer slides.
    mixed: whether some layers slide and others see everything.
    """

    size: int | None = None
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Architecture:
    """windows: for tree attention; obstacle: why it cannot be used, in a few words, or None.

    context: longest sequence in tokens; None if unlimited.
    """

    windows: Windows
    obstacle: str | None
    context: int | None


def inspect(model: Any) -> Architecture:
    """Read a loaded model's configuration. Raises ModelError for models that do not generate."""
    config = model.config
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{config.model_type} is an encoder-decoder; use a decoder-only model")
    text = config.get_text_config(decoder=True)
    context = getattr(text, "max_position_embeddings", None)
    types = frozenset(getattr(text, "layer_types", None) or ())
    size = getattr(text, "sliding_window", None)
    if not types and size:
        types = frozenset({SLIDING})
    windows = Windows(size, FULL in types) if SLIDING in types else Windows()
    obstacle = None
    if getattr(model, "_is_stateful", False):
        obstacle = "its layers keep a running state"
    elif other := sorted(types - {FULL, SLIDING}):
        obstacle = f"it has layers of type {', '.join(other)}"
    elif config.model_type in ALIBI or getattr(text, "alibi", False):
        obstacle = "its positions are biases of the attention (ALiBi)"
    recurrent = config.model_type in {"mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm"}
    return Architecture(windows, obstacle, None if recurrent else context)
