"""Lengths at which a model may change how it reads a sequence, by its configuration.

Windows, chunks, blocks, kernels, buckets and lengths from which positions are encoded otherwise:
in a sequence that is no longer than any of them, none of them can be told. The length of the
context is not among them, for no sequence goes beyond it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

NAMES = re.compile(
    r"window|chunk|block_size|(topk|local)_blocks|index_topk|kpool|budget|compress|kernel"
    r"|conv|cca_time|ngram_size|buckets|distance|extent|floor|original_max|local_attention"
    r"|mem_len|clamp_len|stride|span"
)
OTHERS = re.compile(
    r"pattern|max_window_layers|chunk_size_(feed_forward|lm_head)|num_chunks|vocab|theta"
    r"|num_conv|number_of_conv|conv_dim|no_repeat|audio"
)
"""Keys that `NAMES` matches by accident: numbers of layers, widths and switches."""

OTHER_SENSES = re.compile(r"vision|image|audio|speech|video|codec|quantization")
"""Parts of a configuration through which no text goes."""

MIN_LENGTH = 3
"""Smaller numbers are exceeded by every check."""


def critical_lengths(config: Mapping[str, Any]) -> tuple[int, ...]:
    """All such numbers of a configuration (`PreTrainedConfig.to_dict`), rising, each once."""
    return tuple(sorted({value for _, _, value in places(config)}))


def replaced(config: Mapping[str, Any], by: Mapping[int, int]) -> dict[str, Any]:
    """A copy of a configuration in which these numbers are others."""
    copy = deep_copy(config)
    for holder, key, value in places(copy):
        holder[key] = type(holder[key])(by.get(value, value))
    return copy


def deep_copy(config: Any) -> Any:
    """Mappings and lists copied, what they hold shared."""
    if isinstance(config, Mapping):
        return {key: deep_copy(value) for key, value in config.items()}
    return [deep_copy(value) for value in config] if isinstance(config, list) else config


def places(config: Any, within: bool = False) -> Iterator[tuple[Any, Any, int]]:
    """Mapping, key and number of each.

    within: whether the name of the mapping itself was one of `NAMES`.
    """
    for key, value in config.items():
        name = str(key)
        named = (within or bool(NAMES.search(name))) and not OTHERS.search(name)
        if isinstance(value, Mapping):
            if not OTHER_SENSES.search(name):
                yield from places(value, named)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            continue
        elif named and value == int(value) and value >= MIN_LENGTH:
            yield config, key, int(value)
    if _dynamic(config) and isinstance(config.get("max_position_embeddings"), int):
        yield config, "max_position_embeddings", config["max_position_embeddings"]


def dynamic_factor(config: Mapping[str, Any]) -> float | None:
    """Ratio of the longest sequence to the positions, of a dynamic rotary embedding.

    None where there is none. Frequencies then change with every token beyond.
    """
    result = _dynamic(config.get("text_config") or config)
    return float(result.get("factor") or 1) if result else None


def _dynamic(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The dynamic rotary embedding of all layers, or of a type of layer."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    each = [rope, *(value for value in rope.values() if isinstance(value, Mapping))]
    return next((one for one in each if "dynamic" in str(one.get("rope_type"))), None)
