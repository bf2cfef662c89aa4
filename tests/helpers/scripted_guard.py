"""A scripted guard, some of whose verdicts nobody can read on: each text says how much of what."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task import Task

TASK = """
name = "watch"
labels = ["S1", "S2"]
instruction = "Which codes? {label_names}"
format = "guard"
chat = false
"""


def guard_task() -> Task:
    return Task.from_toml(TASK)


def record(name: str, *, safe: int, one: int, lost: int, **more: Any) -> dict[str, Any]:
    """In thousandths: `safe`, `unsafe` with S1, `unsafe` and nonsense; the rest leaves the format.

    Of the answers with S1 a fourth has S2 too.
    """
    return {"id": name, "text": f"safe {safe} one {one} lost {lost}", **more}


def guard_script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    numbers = re.findall(r"safe (\d+) one (\d+) lost (\d+)", prompt)[-1]
    safe, one, lost = (int(number) / 1000 for number in numbers)
    text = "".join(path)
    if not path:
        return {"safe": safe, "unsafe": one + lost, "!": 1 - safe - one - lost}
    if text == "unsafe":
        return {"\n": 1.0}
    if text.endswith("\n"):
        return {"S1": one / (one + lost), "!": lost / (one + lost)}
    if text.endswith("S1"):
        return {",": 0.25, "<end>": 0.75}
    return {"S2": 1.0} if text.endswith(",") else {"<end>": 1.0}


def guard_model() -> ScriptedLanguageModel:
    tokens = ["safe", "unsafe", "\n", "S1", "S2", ",", "!", "<end>"]
    return ScriptedLanguageModel(guard_script, tokens, name="watch")


def guard_records(n: int = 160, seed: int = 0) -> list[dict[str, Any]]:
    """Records with gold labels; about a third of them is lost in part, some nearly whole."""
    draw = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for at in range(n):
        safe, one, lost, _ = (draw.dirichlet([2, 2, 0.3, 0.3]) * 998 + 0.5).astype(int).tolist()
        given = ["S1"] * bool(draw.random() < (one + lost) / 1000)
        given += ["S2"] * bool(draw.random() < one / 4000)
        found.append(record(f"g{at}", safe=safe, one=one, lost=lost, labels=given))
    return found
