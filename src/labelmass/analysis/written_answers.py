"""The answers that a model wrote, as texts: how often it writes each, and how likely each is.

Formulas: docs/formulas.md#error-analysis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelmass._types import Floats
from labelmass.answers.steps import members
from labelmass.answers.tree import EXITED, AnswerTree, Ending, Status


@dataclass(frozen=True, slots=True, eq=False)
class GreedyAnswer:
    """The answer that a model writes to one record if it takes the likeliest token each time.

    Attributes:
        text: As written, without blanks at its ends; of one that left the format, up to the token
            that did.
        labels: (k,) whether it writes the label, as 0 and 1.
    """

    text: str
    ending: Ending
    labels: Floats


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer, and how often it is written.

    Attributes:
        records: To which it is the greedy answer.
        wrong: Those of them whose gold labels are known to differ from it.
        mean_p: Mean over all records of the probability that the model writes it.
        about: Label that it is about, where each label has an answer of its own.
    """

    text: str
    ending: Ending
    records: int
    wrong: int
    mean_p: float
    about: str | None = None


def greedy_answer(tree: AnswerTree) -> GreedyAnswer:
    """The greedy answer of a tree."""
    labels = members(tree.written[tree.greedy[-1]], len(tree.labels)).astype(np.float64)
    return GreedyAnswer(tree.greedy_text.strip(), Ending(tree.greedy_end), labels)


def complete_answers(tree: AnswerTree) -> dict[str, float]:
    """The probability of each complete answer that the tree holds, by its text.

    Texts that differ only in blanks at their ends are one answer.
    """
    mass = np.exp(tree.log_mass())
    results = dict[str, float]()
    for node, status in enumerate(tree.status):
        if status == Status.ENDED and tree.token[node] != EXITED and mass[node] > 0:
            text = tree.text(node).decode(errors="replace").strip()
            results[text] = results.get(text, 0.0) + float(mass[node])
    return results


def written_answers(
    greedy: Sequence[GreedyAnswer],
    gold: Floats,
    masses: Mapping[str, float],
    about: str | None = None,
) -> tuple[WrittenAnswer, ...]:
    """Answers, the one that most records get first, then the likeliest.

    Args:
        greedy: Of n records.
        gold: (n, k) their gold labels, 0 or 1; NaN unknown.
        masses: Sum over the records of the probability of each complete answer, by its text.
        about: See `WrittenAnswer`.
    """
    records: Counter[tuple[str, Ending]] = Counter()
    wrong: Counter[tuple[str, Ending]] = Counter()
    for answer, row in zip(greedy, gold, strict=True):
        key = answer.text, answer.ending
        records[key] += 1
        wrong[key] += bool(((answer.labels != row) & ~np.isnan(row)).any())
    for text in masses:
        records.setdefault((text, Ending.COMPLETE), 0)
    n = max(len(greedy), 1)
    results = [
        WrittenAnswer(
            text,
            ending,
            count,
            wrong[text, ending],
            masses.get(text, 0.0) / n if ending is Ending.COMPLETE else 0.0,
            about,
        )
        for (text, ending), count in records.items()
    ]
    return tuple(sorted(results, key=lambda one: (-one.records, -one.mean_p, one.text)))
