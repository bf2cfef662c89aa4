"""The attention behind the answers of a run: read by the model again, off the saved trees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labelmass.analysis.attention import AttentionWeights
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.answers.token_positions import first_tokens
from labelmass.errors import ModelError
from labelmass.lm.base import LanguageModel
from labelmass.scores import Failure
from labelmass.scoring.saved_trees import SavedTrees


def attention_weights(saved: SavedTrees, model: LanguageModel) -> Iterator[AttentionWeights]:
    """Every answer of two labels or more, with what its positions attend to.

    model: that of the run. Raises ModelError if it does not give attention.
    """
    read: Any = getattr(model, "attention", None)
    if read is None:
        raise ModelError(f"{model.name} does not give attention weights")
    boundary = PromptBoundary(saved.task, model.tokenizer)
    for kept in saved:
        if isinstance(kept, Failure):
            continue
        start = boundary.start(kept.record)
        firsts = first_tokens(kept.tree, start.grammar.automaton, start.grammar.given)
        if len(firsts) > 1:
            answer = kept.tree.greedy_tokens
            yield AttentionWeights(read(start.ids, answer), len(start.ids), firsts)
