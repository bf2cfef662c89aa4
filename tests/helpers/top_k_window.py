"""A model as many servers show theirs: the k likeliest tokens, and the one that was sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np

from labelmass.lm.base import LanguageModel, NextTokenLogprobs, NodeQuery, Tokenizer, Usage
from labelmass.lm.ranked import ranked_row
from labelmass.lm.scripted import Script, ScriptedLanguageModel


class TopKWindow:
    """The rows of another model, as far as its `count` likeliest tokens and a sampled one tell.

    by_text: tokens are returned as text, so that ids which write the same cannot be told apart.
    """

    engine = "window"

    def __init__(
        self, model: LanguageModel, count: int, *, sampled: bool = False, by_text: bool = False
    ) -> None:
        self.model, self.count, self.sampled, self.by_text = model, count, sampled, by_text
        self.name, self.fingerprint, self.dtype = model.name, model.fingerprint, model.dtype
        self.context = model.context
        self.tokenizer: Tokenizer = model.tokenizer
        table = self.tokenizer.token_bytes
        self._all = np.arange(len(table))
        self._shared = {i for i, text in enumerate(table) if table.count(text) > 1}

    def open(self, prompts: Sequence[Sequence[int]], shared: int = 0) -> list[int]:
        return self.model.open(prompts, shared)

    def close(self, record: int) -> Usage:
        return self.model.close(record)

    def rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        everything = self.model.rows([replace(query, ids=self._all) for query in queries])
        return [self._row(query, row) for query, row in zip(queries, everything, strict=True)]

    def _row(self, query: NodeQuery, row: NextTokenLogprobs) -> NextTokenLogprobs:
        order = np.argsort(-row.logprobs, kind="stable")[: self.count].tolist()
        ranked = [(i, float(row.logprobs[i])) for i in order]
        named: dict[int, float] = {}
        if self.sampled:
            possible = np.flatnonzero(row.logprobs > -math.inf).tolist()
            drawn = Random(f"{query.record} {query.node}").choice(possible or [0])
            named = {drawn: float(row.logprobs[drawn])}
        if self.by_text:
            ranked = [pair for pair in ranked if pair[0] not in self._shared]
            named = {i: p for i, p in named.items() if i not in self._shared}
        ranked = [pair for pair in ranked if pair[1] > -math.inf]
        return ranked_row(query, ranked, count=self.count, named=named)


class TwinTokens(ScriptedLanguageModel):
    """A scripted model whose every listed token has a twin that writes the same text."""

    def __init__(self, script: Script, tokens: Sequence[str]) -> None:
        super().__init__(script, [*tokens, *tokens])
        self._half = len(tokens)

    def distribution(self, prompt: str, path: tuple[str, ...]) -> dict[int, float]:
        row: dict[int, float] = {}
        for index, p in super().distribution(prompt, path).items():
            if index >= self._half:
                row[index] = p
                continue
            share = Random(f"{index} {path}").random()
            row |= {index: p * share, index + self._half: p * (1 - share)}
        return row
