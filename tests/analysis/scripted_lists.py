"""Scripted models that write comma lists from written-down step distributions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from helpers.trees import build_tree
from labelmass.analysis import Answer, Item, read_answer
from labelmass.answers.search import Budget, Requirements
from labelmass.answers.tree import AnswerTree
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.formats import AnswerFormat, comma_list

LABELS = ("joy", "fear", "anger", "pride")
ALL = Requirements(tree=True, label_tries=None, min_mass=1e-300)
Rows = Mapping[tuple[str, ...], Mapping[str, float]]


def listing(rows: Rows, stop: Mapping[tuple[str, ...], float]) -> ScriptedLanguageModel:
    """rows: labels written so far -> P(next label or none). stop: -> P(end after them), else 1."""

    def script(prompt: str, path: tuple[str, ...]) -> Mapping[str, float]:
        written = path[::2]
        if len(path) % 2 == 0:
            return rows.get(written, {})
        ends = 1.0 if written == ("none",) else stop.get(written, 1.0)
        return {END: ends, ", ": 1 - ends}

    return ScriptedLanguageModel(script, [*LABELS, "none", ", "])


def tree_of(rows: Rows, stop: Mapping[tuple[str, ...], float], **format: object) -> AnswerTree:
    """Everything that such a model can write."""
    fmt = comma_list(blanks="", separators=(", ",), **format)
    return everything(listing(rows, stop), fmt, LABELS)


def everything(
    model: ScriptedLanguageModel, fmt: AnswerFormat, labels: Sequence[str]
) -> AnswerTree:
    return build_tree(model, fmt, list(labels), Budget(tolerance=0.0, max_nodes=10**6), ALL)


def answer_of(
    tree: AnswerTree, gold: Iterable[str] | None = None, order: Sequence[str] | None = None
) -> Answer:
    known = None if gold is None else frozenset(gold)
    return read_answer(Item(tree, known, tuple(order or tree.labels)))


def writes(*labels: str, second: Sequence[str] = (), p: float = 0.7, q: float = 0.2) -> AnswerTree:
    """The answer `labels` is likeliest at each step, with p; the second of the step has q."""
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    stop: dict[tuple[str, ...], float] = {}
    for r, label in enumerate(labels):
        rows[labels[:r]] = {label: p}
        if r < len(second) and second[r]:
            rows[labels[:r]][second[r]] = q
        stop[labels[: r + 1]] = 0.9 if r == len(labels) - 1 else 0.2
    if not labels:
        rows[()] = {"none": p}
    return tree_of(rows, stop)
