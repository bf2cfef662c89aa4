"""Texts whose scores are spread, for what is fitted on scores: each names how joyful it is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from labelmass.lm.scripted import ScriptedLanguageModel

LABELS = ("joy", "fear", "joyful")


def level_script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """Joy or joyful is written with the probability that the text says, in thousandths."""
    joy = int(re.findall(r"level (\d+)", prompt)[-1]) / 1000
    text = "".join(path)
    if not path:
        return {"joy": joy, "fear": 0.6 * (1 - joy), "none": 0.3 * (1 - joy)}
    if text == "joy":
        return {"ful": 0.4, ", ": 0.1, "\n\n": 0.5}
    if text.endswith(", "):
        return {"fear": 0.5, "joy": 0.5}
    return {"\n\n": 0.9, ", ": 0.1}


def level_model(**options: Any) -> ScriptedLanguageModel:
    tokens = ["joy", "fear", "ful", "none", ", ", "\n\n"]
    return ScriptedLanguageModel(level_script, tokens, **options)


def annotated(
    n: int = 120, seed: int = 0, *, most: int = 999, first: int = 0
) -> list[dict[str, Any]]:
    """Records with three annotators each, who find far less joy than the model does."""
    draw = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for i in range(first, first + n):
        level = int(draw.integers(1, most))
        share = level / 1000
        chances = (0.5 * share**2, 1 - share, 0.4 * share)
        votes = [
            [label for label, chance in zip(LABELS, chances, strict=True) if draw.random() < chance]
            for _ in range(3)
        ]
        found.append({"id": f"r{i}", "text": f"level {level}", "annotators": votes})
    return found
