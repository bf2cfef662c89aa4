"""Rotary embeddings that remember how long the longest sequence was, and forgetting it.

With `rope_type: dynamic` a pass over a long sequence leaves frequencies behind that the passes
after it read with, so that a row would depend on what was asked before.
"""

from __future__ import annotations

from typing import Any

ORIGINAL = "original_inv_freq"


class RotaryMemory:
    """State that a model's rotary embeddings keep of longer passes; `forget` resets it."""

    def __init__(self, model: Any) -> None:
        self._kept: list[tuple[Any, str]] = []
        for module in model.modules():
            kinds: Any = getattr(module, "rope_type", None)
            for name in (*vars(module), *module._buffers):
                if not name.endswith(ORIGINAL):
                    continue
                prefix = name.removesuffix(ORIGINAL)
                kind = kinds.get(prefix.rstrip("_")) if isinstance(kinds, dict) else kinds
                if "dynamic" in str(kind):
                    self._kept.append((module, prefix))

    def forget(self) -> None:
        """Make every embedding that of a sequence no longer than those it was trained on."""
        for module, prefix in self._kept:
            longest, usual = f"{prefix}max_seq_len_cached", module.original_max_seq_len
            if int(getattr(module, longest, module.max_seq_len_cached)) != usual:
                frequencies = getattr(module, f"{prefix}inv_freq")
                original = getattr(module, f"{prefix}{ORIGINAL}").to(frequencies.device)
                module.register_buffer(f"{prefix}inv_freq", original.clone(), persistent=False)
                setattr(module, longest, usual)
