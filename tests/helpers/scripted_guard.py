"""Scripted guards, each of whose texts says how much of what the guard writes."""

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


# -- ordered levels, as qwen3guard writes them ----------------------------------------------------

LEVELS = ("Safe", "Controversial", "Unsafe")


def level_guard_script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """A level with the probability that the text says, in thousandths; a risk has one category."""
    numbers = re.findall(r"levels (\d+) (\d+) (\d+)", prompt)[-1]
    text = "".join(path)
    if not path:
        return {f"Safety: {x}": int(n) / 1000 for x, n in zip(LEVELS, numbers, strict=True)}
    if "Categories" in text:
        return {"<end>": 1.0}
    return {"\nCategories: None": 1.0} if "Safe" in path[0].split() else {"\nCategories: PII": 1.0}


def level_guard() -> ScriptedLanguageModel:
    tokens = [*(f"Safety: {level}" for level in LEVELS), "\nCategories: None", "\nCategories: PII"]
    return ScriptedLanguageModel(level_guard_script, [*tokens, "<end>"], name="levels")


def level_records(n: int = 120, seed: int = 0) -> list[dict[str, Any]]:
    """Records whose gold level is drawn from a sharper distribution than the guard's."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for at in range(n):
        shares = draw.dirichlet([0.8, 0.5, 0.5])
        numbers = (shares * 997 + 1).astype(int).tolist()
        sharp = shares**2 / (shares**2).sum()
        labels = ([], ["controversial"], ["unsafe", "PII"])[draw.choice(3, p=sharp)]
        text = f"levels {' '.join(map(str, numbers))}"
        rows.append({"id": f"q{at}", "text": text, "labels": labels})
    return rows
