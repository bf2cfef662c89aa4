"""Other questions about the same record: is one label reasonable, which of two labels is better.

A `Question` has what a `Task` has for a prompt and its answer, so the same tree is grown of it.
Source: P1, section 5 (unary and binary breakdown); docs/formulas.md#unary.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labelmass.task.demonstrations import Demonstration
from labelmass.task.formats import AnswerFormat
from labelmass.task.layout import Block, Parts, chat_turns, plain_turn
from labelmass.task.prompt import ANSWER, Name, Part, Prompt
from labelmass.task.record import Record, fill, join
from labelmass.task.task import Task

__all__ = ["ANSWER", "NONE", "Askable", "Name", "Question", "binary", "permuted", "unary"]

NONE = ""
"""The empty answer, where a question is about it: no label has this name."""

BREAKS = tuple(sorted(set(string.punctuation + string.whitespace) - set("-'_"))) + tuple(
    "\u2014\u2013\u2026\u201d\u00bb\u3002\u3001\uff0c\uff01\uff1f"
)
"""Characters that end a word, so that they end an answer `no`; `note` and `no-one` go on."""

LETTERS = "a", "b"
"""The answers of a question about two labels, in the order they are shown."""


@dataclass(frozen=True, eq=False)
class Question:
    """A question about a record that is answered with one of a few words.

    name: its family and its labels; a family shares all that stands before the record.
    label_names: the words. heads: system prompt and instruction. blocks: demonstrations.
    below: what stands below the record.
    """

    task: Task
    name: Name
    label_names: tuple[str, ...]
    heads: tuple[Parts, Parts]
    blocks: tuple[Block, ...]
    below: Parts

    @property
    def spellings(self) -> list[list[str]]:
        return [[name] for name in self.label_names]

    @property
    def format(self) -> AnswerFormat:
        """One word in either case, then the end or whatever cannot be part of a word."""
        return AnswerFormat(
            "word",
            empty=None,
            single=True,
            stops=BREAKS,
            blanks=" \n",
            ignore_case=True,
            tolerate=self.task.format.tolerate,
        )

    @property
    def given_opening(self) -> str:
        return ""

    def prompt(self, record: Record) -> Prompt:
        asked = join((*self.task.record.render(record), *self.below))
        if self.task.chat:
            turns = chat_turns(*self.heads, self.blocks, asked)
        else:
            cue, between = self.task.joints
            turns = plain_turn(*self.heads, self.blocks, asked, cue, between)
        return Prompt(turns, chat=self.task.chat)


def unary(task: Task) -> list[Question]:
    """For each label: is it reasonable for the record? The first word means yes."""
    wording = task.unary
    words = wording.yes, wording.no

    def below(label: str) -> Parts:
        return fill(wording.question, {"label": (Part(label),)})

    blocks = tuple(
        (join((*task.record.render(example.record), *below(label))), Part(words[not fits]))
        for example, label, fits in _judge_question(task, wording.k)
    )
    heads = task.heads(wording.instruction)
    return [
        Question(task, ("unary", label), words, heads, blocks, below(label))
        for label in task.label_names
    ]


def binary(task: Task, pairs: Iterable[tuple[str, str]]) -> list[Question]:
    """For each pair of labels, or of a label and `NONE`: which is better? In the order given."""
    wording = task.binary

    def below(pair: tuple[str, str]) -> Parts:
        shown = ((Part(name or wording.empty),) for name in pair)
        return fill(wording.question, dict(zip(LETTERS, shown, strict=True)))

    blocks = tuple(
        (join((*task.record.render(example.record), *below(pair))), Part(LETTERS[better]))
        for example, pair, better in _compared(task, wording.k)
    )
    heads = task.heads(wording.instruction)
    return [
        Question(task, ("binary", *pair), LETTERS, heads, blocks, below(pair)) for pair in pairs
    ]


def _judge_question(task: Task, k: int) -> Iterator[tuple[Demonstration, str, bool]]:
    """Demonstrations with a label each that fits, and in turn with one that does not."""
    draw = random.Random(f"unary:{task.seed}")
    with_labels = [example for example in task.demonstrations.examples if example.labels]
    others = [e for e in task.demonstrations.examples if len(e.labels) < len(task.labels)]
    half = min(k // 2, len(with_labels), len(others))
    for good, bad in zip(draw.sample(with_labels, half), draw.sample(others, half), strict=True):
        yield good, draw.choice(good.labels), True
        yield bad, draw.choice(_foreign(task, bad)), False


def _compared(task: Task, k: int) -> Iterator[tuple[Demonstration, tuple[str, str], int]]:
    """Demonstrations with a pair each, and which of the two is better: a label that fits against
    one that does not, or `NONE` against a label where no label fits."""
    draw = random.Random(f"binary:{task.seed}")
    pool = [e for e in task.demonstrations.examples if len(e.labels) < len(task.labels)]
    for example in draw.sample(pool, min(k, len(pool))):
        good = draw.choice(example.labels) if example.labels else NONE
        others = _foreign(task, example)
        bad = draw.choice([*others, NONE] if good else others)
        better = draw.randrange(2)
        yield example, ((bad, good) if better else (good, bad)), better


def _foreign(task: Task, example: Demonstration) -> list[str]:
    """The labels it has not, in an order that does not depend on that of the task's."""
    return sorted(set(task.label_names) - set(example.labels))


def variant(name: Name, number: int) -> Name:
    """The name of a question as another variant of the task asks it; 0 is the task itself."""
    return (f"{name[0]}#{number}", *name[1:]) if number else name


def permuted(task: Task, count: int) -> list[Task]:
    """The task with its labels in `count` orders in the prompt: its own first, then seeded ones."""
    draw = random.Random(f"orders:{task.seed}")
    names = list(task.label_names)
    orders = [draw.sample(names, len(names)) for _ in range(count - 1)]
    return [task, *(task.with_options(label_order=order) for order in orders)]


Askable = Task | Question
"""A task, or a question about a record."""
