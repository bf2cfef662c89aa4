"""Hidden states behind the answers of a run: read by the model, off trees saved or fresh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.answers.token_positions import label_token_positions
from labelmass.errors import ModelError, RecordError
from labelmass.lm.base import LanguageModel
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.isolation import PLAIN
from labelmass.supervised import HiddenStateFeatures
from labelmass.task import Record, Task


class StateReader:
    """Reads what `HiddenStateFeatures` says of explored records of a task.

    Raises ModelError for a model without hidden states, FitError for another than is said.
    """

    def __init__(self, states: HiddenStateFeatures, task: Task, model: LanguageModel) -> None:
        states.check(model, task.hash)
        self._hidden: Any = getattr(model, "hidden", None)
        if self._hidden is None:
            raise ModelError(f"{model.name} does not give hidden states")
        self.states = states
        self._joint = PromptBoundary(task, model.tokenizer)

    def __call__(self, some: Sequence[ExploredRecord]) -> list[Floats]:
        """(d,) of each record, all read in one pass.

        RecordError for a record whose greedy answer is not known.
        """
        pairs: list[tuple[Sequence[int], Sequence[int]]] = []
        places: list[tuple[int, ...]] = []
        for one in some:
            tree, start = one.tree, self._joint.start(one.record)
            result = label_token_positions(tree, start.grammar.automaton, start.grammar.given)
            answer = tree.greedy_tokens[: max(result)]
            if min(answer, default=0) < 0:
                raise RecordError(
                    "its greedy answer is not known token by token; score it again with more "
                    "--max-nodes"
                )
            pairs.append((start.ids, answer))
            places.append(result)
        rows: list[Any] = self._hidden(pairs, self.states.layer)
        if any(np.isnan(row).any() for row in rows):
            raise ModelError("the model's hidden states are not numbers (NaN)")
        return [self.states.pool(row, at) for row, at in zip(rows, places, strict=True)]

    def read_plain(self) -> None:
        """Read a state of the simplest text; raises what the model raises."""
        start = self._joint.start(Record(id=PLAIN, text=PLAIN))
        self._hidden([(start.ids, ())], self.states.layer)
