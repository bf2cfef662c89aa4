"""Rows read in company, held against one full pass over exactly each sequence.

A few records are opened, asked and closed so that what may differ does: short and long ones share
passes and stand in scattered slots, prompts are cut into several passes, and for every number at
which the model may read otherwise one record walks over it token by token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery
from labelmass.lm.checks import NOT_NUMBERS
from labelmass.lm.forward import Forward

SHARED, COMMON = 2, 10
"""Tokens that some prompts of a check begin with: said to be shared, and in truth."""

COMPARED_TOKENS = 16
"""Tokens of each row that are compared, the likeliest."""

NODES = {1: (PROMPT, 0), 2: (PROMPT, 1), 3: (2, 2), 4: (3, 3)}
"""Parent and token (its place among those of the answer) of the nodes of each record."""

Name = tuple[str, int]
"""A record and a node of it."""


class SelfCheck:
    """A check of one network.

    vocabulary: ids are below it.
    numbers: lengths at which it may read otherwise, each of which some record walks over.
    tolerance: nats by which rows may differ.
    short: hold fewer rows against full passes, for large models.
    """

    def __init__(
        self,
        forward: Forward,
        vocabulary: int,
        numbers: Sequence[int],
        tolerance: float,
        *,
        short: bool = False,
    ) -> None:
        self._forward, self._tolerance = forward, tolerance
        self._ids = np.arange(vocabulary)
        usual = np.setdiff1d(self._ids, _special(forward.model.config))
        draw = np.random.default_rng(7)

        def text(length: int) -> list[int]:
            return draw.choice(usual, length).tolist()

        head = text(COMMON)
        self._answer = text(4)
        self._walkers = {f"walker over {n}": text(n - 1) for n in numbers if n > len(self._answer)}
        self._prompts = {
            "short": [*head, *text(1)],
            "long": [*head, *text(4 + max(numbers, default=0))],
            "late": [*head[:SHARED], *text(5)],
            **self._walkers,
        }
        self._checked: list[Name] = [("short", 3), ("long", 4), ("late", 3)]
        held = (0, 3) if short else (0, 2, 3, 4)
        self._checked += [(name, node) for name in self._walkers for node in held]
        self._batch = self._checked[1:3] if short else self._checked[1:]
        self._right: dict[Name, NDArray[np.float64]] = {}

    @property
    def batch_tokens(self) -> int:
        """Tokens of all sequences together, each padded to the longest."""
        lengths = [len(self._sequence(*name)) for name in self._batch]
        return max(lengths) * len(lengths)

    def problem_of_trees(self, strategy: Any) -> str | None:
        """Difference between rows read by tree and those of full passes; None if there is none.

        strategy: opened for nothing else, such as `TreeAttention`.
        Raises ModelError where full passes fail.
        """
        return self._problem(self._checked, lambda: self._rows(strategy))

    def problem_of_batches(self, strategy: Any) -> str | None:
        """The same of reading short and long sequences in one call."""
        return self._problem(self._batch, lambda: self._rows_at_once(strategy))

    def _problem(
        self, names: list[Name], rows_of: Callable[[], dict[Name, NextTokenLogprobs]]
    ) -> str | None:
        for name in names:
            if name not in self._right:
                self._right[name] = self._full_pass(self._sequence(*name))
        try:
            rows = rows_of()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # models refuse masks and positions in their own ways
            what = " ".join(str(error).split())
            return f"it fails ({what[:100] or repr(error)})"
        differ = np.array([self._distance(name, rows[name]) for name in names])
        if (differ <= self._tolerance).all():  # NaN compares false, and is a problem
            return None
        return f"its rows differ from those of full passes by {differ.max():.2g} nats"

    def _distance(self, name: Name, row: NextTokenLogprobs) -> float:
        """Nats between a row and that of a full pass, at its likeliest tokens."""
        right = self._right[name]
        best = np.argsort(-right)[:COMPARED_TOKENS]
        return float(np.abs(row.logprobs[best] - right[best]).max())

    def _sequence(self, record: str, node: int) -> list[int]:
        path: list[int] = []
        while node != PROMPT:
            node, token = NODES[node]
            path.append(self._answer[token])
        return [*self._prompts[record], *path[::-1]]

    def _rows_at_once(self, strategy: Any) -> dict[Name, NextTokenLogprobs]:
        sequences = [self._sequence(*name) for name in self._batch]
        records = strategy.open(sequences, 0)
        rows = strategy.rows([(record, self._query(PROMPT)) for record in records])
        return dict(zip(self._batch, rows, strict=True))

    def _rows(self, strategy: Any) -> dict[Name, NextTokenLogprobs]:
        results: dict[Name, NextTokenLogprobs] = {}
        opened: dict[str, Any] = {}

        def open_(names: Sequence[str], shared: int = 0) -> None:
            records = strategy.open([self._prompts[name] for name in names], shared)
            opened.update(zip(names, records, strict=True))

        def query(*names: Name) -> None:
            queries = [(opened[record], self._query(node)) for record, node in names]
            results.update(zip(names, strategy.rows(queries), strict=True))

        walkers = tuple(self._walkers)
        open_(("short", "long"), SHARED)
        query(("short", 0), ("short", 1))
        if walkers:
            open_(walkers)
        query(*((name, 0) for name in walkers), ("long", 0), ("short", 2), ("long", 1), ("long", 2))
        query(("short", 3), *((name, 2) for name in walkers), ("long", 3))
        strategy.close(opened.pop("short"))
        open_(("late",), SHARED)
        late = (("late", 0), ("late", 2), ("late", 3))
        query(
            *late, *((name, 3) for name in walkers), *((name, 4) for name in walkers), ("long", 4)
        )
        for record in opened.values():
            strategy.close(record)
        return results

    def _query(self, node: int) -> NodeQuery:
        if node == PROMPT:
            return NodeQuery(0, PROMPT, PROMPT, -1, self._ids)
        parent, token = NODES[node]
        return NodeQuery(0, node, parent, self._answer[token], self._ids)

    @torch.inference_mode()
    def _full_pass(self, ids: Sequence[int]) -> NDArray[np.float64]:
        """(v,) log-probabilities after `ids`, by the model's plainest call."""
        kind = self._forward.model.config.model_type
        try:
            tokens = torch.tensor([list(ids)], device=self._forward.device)
            logits = self._forward.call(input_ids=tokens, use_cache=False).logits
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # what is no language model refuses text in its own way
            what = " ".join(str(error).split())
            raise ModelError(f"{kind} does not say what comes after a text: {what}") from error
        if logits.ndim != 3 or logits.shape[:2] != (1, len(ids)):
            raise ModelError(
                f"{kind} does not say what comes after a text: its output is {tuple(logits.shape)}"
            )
        row = logits[0, -1, : len(self._ids)].float().log_softmax(-1).double().cpu().numpy()
        if np.isnan(row).any():
            raise ModelError(NOT_NUMBERS)
        return row


def _special(config: Any) -> NDArray[np.int64]:
    """Ids that stand for no text: those a configuration gives a name."""
    results: list[Any] = []

    def look(values: Any) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                look(value)
            elif str(key).endswith(("_token_id", "_token_index")):
                results.extend(value if isinstance(value, list | tuple) else [value])

    look(config.to_dict())
    return np.array([one for one in results if isinstance(one, int)], np.int64)
