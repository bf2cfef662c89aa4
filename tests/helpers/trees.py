"""Grow a tree on a scripted model, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass._types import Normalisation
from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.grammar import TokenGrammar, Vocabulary
from labelmass.answers.search import Budget, Requirements, Search
from labelmass.answers.tree import AnswerTree
from labelmass.lm.base import LanguageModel
from labelmass.task.formats import AnswerFormat

EVERYTHING = Requirements(tree=True, label_tries=None, min_mass=0.01, top=64)


def build_tree(
    model: LanguageModel,
    fmt: AnswerFormat,
    labels: list[str],
    budget: Budget | None = None,
    requirements: Requirements | None = None,
    normalisation: Normalisation = Normalisation.RAW,
    entropy: Sequence[int] = (0,),
    vocabulary: Vocabulary | None = None,
) -> AnswerTree:
    """The tree of one empty prompt."""
    automaton = ByteAutomaton(fmt, [[label] for label in labels])
    grammar = TokenGrammar(automaton, vocabulary or Vocabulary(model.tokenizer))
    search = Search(grammar, labels, budget, requirements, normalisation, entropy=entropy)
    (record,) = model.open([[]])
    while queries := search.queries(record):
        search.tell(model.rows(queries))
    model.close(record)
    return search.tree
