"""The fixed texts that a model is known by, and how an engine is asked about them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelmass._canary import Canary
from labelmass.lm.base import PROMPT, LanguageModel, NodeQuery, Tokenizer
from labelmass.task.prompt import Part, Prompt, Turn

TEXTS = (
    "The capital of France is",
    "1, 2, 3, 4,",
    "Labels: joy, fear. Text: We won! Answer:",
    "Is this text safe or unsafe? Answer with one word:",
    '{"labels": ["',
    "def add(a, b):\n    return",
    "La lluvia en España cae",
    "Once upon a time there was a",
)
"""Texts of several kinds, short enough for any context."""

LENGTH = 16
"""Most tokens of a text that are read."""

TOP = 3
"""Likeliest tokens that are compared."""


def contexts(tokenizer: Tokenizer) -> list[list[int]]:
    """The texts as token ids, with what the tokenizer puts before a text."""
    turns = [(Turn("user", (Part(text, trusted=True),)),) for text in TEXTS]
    encoded = (tokenizer.encode_prompt(Prompt(turn, chat=False)) for turn in turns)
    return [ids[:LENGTH] for ids in encoded if ids]


def queries(handles: Sequence[int]) -> list[NodeQuery]:
    """A query for the likeliest tokens after each context, opened under these handles."""
    nothing = np.array([], dtype=np.int64)
    return [NodeQuery(handle, PROMPT, PROMPT, -1, nothing, TOP) for handle in handles]


def read_canary(model: LanguageModel, tolerance: float) -> Canary:
    """The canary of a model that is asked row by row.

    Args:
        tolerance: Nats by which log-probabilities of its engine may be off.
    """
    handles = model.open(contexts(model.tokenizer))
    try:
        rows = model.rows(queries(handles))
    finally:
        for handle in handles:
            model.close(handle)
    return Canary.of(tolerance, [row.top[:TOP] for row in rows])
