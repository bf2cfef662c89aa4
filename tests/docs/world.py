"""What the pages take as given: a quick model of two presets, files of records, and arrays."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import labelmass
from docs.blocks import Notebook
from labelmass import ScriptedLanguageModel, Task
from labelmass.lm.scripted import END

EMOTIONS = Task.load("emotions").label_names
CODES = tuple(str(label.code) for label in Task.load("llama-guard-3").labels)
HAZARDS = Task.load("llama-guard-3").label_names
COUNT = 24
"""Records of a file."""

OPENING, CLOSING = '{"label": [', "]}"
TOKENS = [OPENING, CLOSING, ", ", ",", "\n", "safe", "unsafe", *CODES]
TOKENS += [f'"{name}"' for name in EMOTIONS]


def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """Answers that depend on the end of the prompt, in the format that its instruction names."""
    number = zlib.crc32(prompt[-40:].encode())
    guard = "unsafe" in prompt
    words = CODES if guard else [f'"{name}"' for name in EMOTIONS]
    last = path[-1] if path else ""
    if last in (CLOSING, "safe"):
        return {END: 1.0}
    if last in words:
        more = 0.02 + number % 5 / 100
        return {"," if guard else ", ": more, END if guard else CLOSING: 0.95 - more}
    if not path:
        return {"unsafe": 0.65, "safe": 0.3} if guard else {OPENING: 0.9}
    if last == "unsafe":
        return {"\n": 1.0}
    row = {words[number // 7 % len(words)]: 0.4, words[number // 11 % len(words)]: 0.3}
    return row if last in (",", ", ", "\n") else row | {CLOSING: 0.2}


def model_of_the_pages() -> ScriptedLanguageModel:
    """With raw scores, as the rule logtoku wants."""
    return ScriptedLanguageModel(script, TOKENS, scale=3.0)


def people(count: int, names: tuple[str, ...], prefix: str, seed: int = 0) -> list[dict[str, Any]]:
    """Records with one or two labels, and three annotators of whom two agree."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for at in range(count):
        most = draw.choice(names, 1 + at % 2, replace=False).tolist()
        votes = [most, most, [name for name in names if draw.random() < 0.2]]
        text = f"{prefix} text number {at}: {' '.join(draw.choice(WORDS, 6))}"
        rows.append(
            {
                "id": f"{prefix}{at}",
                "text": text,
                "labels": most,
                "annotators": votes,
                "group": f"g{at // 2}",
                "split": ("train", "test")[at % 2],
                "source": ("forum", "mail")[at % 2],
            }
        )
    return rows


WORDS = ["bus", "cake", "rain", "door", "garden", "letter", "museum", "night", "phone", "river"]


def write(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def settle(names: tuple[str, ...] = EMOTIONS) -> None:
    """The files of records that the pages name."""
    for at, name in enumerate(("dev", "train", "test")):
        write(f"{name}.jsonl", people(COUNT if name == "train" else 10, names, name, at))
    preset = resources.files("labelmass.task") / "presets" / "emotions.toml"
    Path("mine.toml").write_text(preset.read_text())
    write("texts.jsonl", [{"id": i, "text": f"A text of {word}."} for i, word in enumerate(WORDS)])


def arrays() -> dict[str, Any]:
    """The names that Python blocks use without saying where they come from."""
    rows = people(COUNT, EMOTIONS, "dev")
    model = model_of_the_pages()
    texts = [row["text"] for row in rows]
    scores = labelmass.score(rows, "emotions", model)
    targets = labelmass.Targets.from_records(rows, EMOTIONS)
    from labelmass.decisions import Goal, certify

    low, high = scores.estimates.low, scores.estimates.high
    assert low is not None and high is not None
    goal = Goal.parse("recall>=0.8")
    return {
        "labels": scores.labels,
        "ids": [str(name) for name in scores.ids],
        "p": scores.p,
        "low": low,
        "high": high,
        "shares": targets.shares,
        "target": targets.shares,
        "gold": targets.gold,
        "goal": goal,
        "p_other": scores.p,
        "gold_other": targets.gold,
        "guarantees": certify(scores.labels, low, high, targets.gold, goal),
        "signature": None,
        "texts": texts,
        "y": targets.gold,
    }


def prepared(*commands: str) -> Callable[[Notebook], None]:
    """A preparation that runs commands after the records are written."""

    def prepare(notebook: Notebook) -> None:
        settle()
        for command in commands:
            notebook.command(command)

    return prepare


def for_guards(notebook: Notebook) -> None:
    settle(HAZARDS)


def for_data(notebook: Notebook) -> None:
    settle()
    for name in ("records", "goemotions"):
        write(f"{name}.jsonl", people(COUNT, EMOTIONS, name))
    Path("mine.csv").write_text("text,food,service\nGood soup,1,0\nSlow,,1\n")
    Path("reviews.csv").write_text("review_id,body\n1,Good soup\n2,Bad soup\n")


SCORED = "labelmass score dev.jsonl --task emotions --out scores.jsonl"
CALIBRATED = (
    "labelmass calibrate scores.jsonl --targets dev.jsonl --task emotions --out cal.json "
    "--calibration-method platt"
)

PREPARE: dict[str, Callable[[Notebook], None]] = {
    "data.md": for_data,
    "decide.md": prepared(SCORED, "labelmass score dev.jsonl --task emotions --out new.jsonl"),
    "diagnose.md": prepared(
        "labelmass score dev.jsonl --task emotions --keep-trees instruct --out instruct.jsonl",
        "labelmass score dev.jsonl --task emotions --keep-trees tuned --out tuned.jsonl",
    ),
    "methods.md": for_guards,
    "report.md": prepared(
        SCORED,
        CALIBRATED,
        "labelmass tune scores.jsonl --targets dev.jsonl --task emotions --goal f1 "
        "--calibrator cal.json --out policy.toml",
        "labelmass compare dev.jsonl --task emotions --method any-place --out run-small",
        "labelmass compare dev.jsonl --task emotions --method any-place --out run-large",
    ),
}
"""By page, what is there before its first block; records alone where none is named."""
