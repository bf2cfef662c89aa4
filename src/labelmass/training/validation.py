"""Validation: how far the scores of a model in training are from human labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labelmass.answers.search import Budget
from labelmass.errors import LabelMassError
from labelmass.evaluation import METRICS, Sample
from labelmass.lm.base import Tokenizer
from labelmass.lm.transformers import TransformersModel
from labelmass.scores import Outcome
from labelmass.scoring.plan import Plan
from labelmass.scoring.score import scores_of
from labelmass.scoring.scorer import Scorer
from labelmass.targets import Targets, targets_of
from labelmass.task import Record, Task
from labelmass.training.settings import Settings


class Validation:
    """Records that nothing is learnt from.

    metric: "nll", or "nll-single" where exactly one label is right: against annotators' shares.
    """

    def __init__(self, task: Task, records: Sequence[Record], settings: Settings) -> None:
        self.records = records
        self.metric = "nll-single" if task.format.single else "nll"
        self._targets: Targets = targets_of(task, records)
        self._plan = Plan(
            task,
            [settings.method],
            budget=Budget(tolerance=settings.tolerance, max_nodes=settings.max_nodes),
        )

    def measure(
        self,
        network: Any,
        tokenizer: Tokenizer,
        stop: Callable[[], bool],
        watch: Callable[[int, int], None],
    ) -> float | None:
        """The metric, in nats an item; None if it was stopped meanwhile.

        watch: gets how many records are done, and how many there are.
        """
        model = TransformersModel(network, tokenizer, name="training", fingerprint="training")
        results: list[Outcome] = []
        for result in Scorer.of_plan(self._plan, model).run_in_order(enumerate(self.records)):
            results.append(result)
            watch(len(results), len(self.records))
            if stop():
                return None
        scores = scores_of(results).at(self._targets.ids, self._targets.labels)
        rows = np.array(~np.isnan(scores.p).any(axis=1), dtype=bool)
        sample = Sample(scores, self._targets, scores.p >= 0.5, rows)
        value = METRICS[self.metric].measure(sample).value
        if math.isnan(value):
            raise LabelMassError(f"no record to validate on has a {self.metric}: no label is known")
        return value
