"""Guards under the tokenizers that they really have: prompts, and answers against every path."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import pytest

from helpers import published_tokenizers
from helpers.field_answers import Reference, answers
from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.grammar import Vocabulary
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.lm.tokenizer import HFTokenizer
from labelmass.task.fields import FieldFormat
from labelmass.task.guard import Guard

pytestmark = pytest.mark.guards

FAMILIES = {
    "llama-guard-1": ["llama-2"],
    "llama-guard-2": ["llama-3.1"],
    "llama-guard-3": ["llama-3.1", "llama-2", "qwen-3", "gemma", "harmony"],
    "llama-guard-3-1b": ["llama-3.1"],
    "shieldgemma": ["gemma"],
    "qwen3guard": ["qwen-3", "gemma"],
    "granite-guardian-3": ["llama-3.1"],
    "gpt-oss-safeguard": ["harmony"],
    "yes-no": ["llama-2", "qwen-3", "gemma"],
}
"""Tokenizers by guard: its own first, others of the same shape after it."""

CASES = [(guard, family) for guard, families in FAMILIES.items() for family in families]
NOISE = [" ", "\n\n", "!", "I", " because", "Safe", "no", "S", "0", "S99"]
MOST_LABELS = 4
DEPTH = 12


class RealTokens(ScriptedLanguageModel):
    """A scripted model whose tokens are those of a published tokenizer.

    At each step it may write some tokens that go on with one of the answers, in any spelling, some
    that do not, and the end.
    """

    def __init__(self, tokenizer: HFTokenizer, answers: list[str], seed: int) -> None:
        table = tokenizer.token_bytes

        def tokens_of(text: str) -> dict[str, int]:
            ends = [piece for at in range(len(text)) for piece in (text[at:], text[: at + 1])]
            found = {index: table[index] for piece in ends for index in tokenizer.encode(piece)}
            return {data.decode(): index for index, data in found.items() if data}

        noise = {word: index for text in NOISE for word, index in tokens_of(text).items()}
        used = noise | {w: index for text in answers for w, index in tokens_of(text).items()}

        def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
            rng = random.Random(f"{seed}|{path}")
            text = "".join(path)
            after = {a[len(text) :] for a in answers if a.startswith(text)}
            fitting = [
                word for word in sorted(used) if any(rest.startswith(word) for rest in after)
            ]
            if len(path) >= DEPTH or not fitting:
                return {END: 1.0}
            chosen = rng.sample(fitting, min(2, len(fitting)))
            chosen += [word for word in rng.sample(sorted(noise), 1) if word not in chosen]
            weights = [rng.expovariate(1.0) + 1e-3 for _ in [*chosen, END]]
            return {w: p / sum(weights) for w, p in zip([*chosen, END], weights, strict=True)}

        super().__init__(script)
        self.tokenizer = tokenizer  # type: ignore[assignment]
        self.tokens = self._words = [(data or b"").decode("latin-1") for data in table]
        self._id = used | {END: min(tokenizer.end_ids)}


@cache
def read(family: str) -> tuple[HFTokenizer, Vocabulary]:
    tokenizer = HFTokenizer(published_tokenizers.tokenizer(family))
    return tokenizer, Vocabulary(tokenizer)


def few_labels(guard: Guard) -> tuple[FieldFormat, list[str]]:
    """A guard's format with few of its labels, so that all answers can be written out."""
    fmt = guard.format
    assert isinstance(fmt, FieldFormat)
    spelt = [spellings[0] for spellings in guard.spellings]
    fields = [
        replace(field, labels=(*field.labels[:2], *field.labels[-2:])[:MOST_LABELS])
        if len(field.labels) > MOST_LABELS
        else field
        for field in fmt.fields
    ]
    return replace(fmt, tolerate="strict", fields=tuple(fields)), spelt


@pytest.mark.parametrize("normalisation", [Normalisation.RAW, Normalisation.ON_FORMAT])
@pytest.mark.parametrize(("name", "family"), CASES)
def test_every_output_is_what_the_paths_add_up_to(
    name: str, family: str, normalisation: Normalisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpers.field_answers.MOST", 2)
    tokenizer, vocabulary = read(family)
    guard = next(iter(Guard.load(name).passes.values()))
    fmt, spellings = few_labels(guard)
    texts = texts_of(fmt, spellings)
    seen = 0
    for seed in range(6):
        model = RealTokens(tokenizer, texts, seed)
        exact = Reference(model, fmt, spellings)
        tree = build_tree(
            model,
            fmt,
            spellings,
            Budget(tolerance=0.0),
            normalisation=normalisation,
            vocabulary=vocabulary,
        )
        reading = Marginals(tree, normalisation)
        low, high = reading.intervals
        for output in range(tree.width):
            wanted = exact.probability(output, normalisation)
            if output == tree.unreadable or wanted is None:
                continue
            if output == tree.empty and normalisation is Normalisation.RAW:
                wanted = sum(p.mass for p in exact.paths if p.ended and output in p.written)
            assert low[output] == pytest.approx(wanted, abs=1e-9), (seed, tree.name(output))
            assert high[output] == pytest.approx(wanted, abs=1e-9), (seed, tree.name(output))
            seen += 0 < wanted < 1
    assert seen > 10


def texts_of(fmt: FieldFormat, spellings: list[str]) -> list[str]:
    """Some of the answers of a format."""
    found = sorted(answers(fmt, spellings))
    return random.Random(0).sample(found, min(30, len(found)))
