"""The prompt of a task that is only a list of labels: its question, form of answer, demonstrations.

Measured on the embedded model, see docs/lab-book.md: demonstrations that quote a label teach it to
copy words of the text, so that every second one is a plain sentence without labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelmass.task.formats import AnswerFormat
from labelmass.task.labels import Label

FORMAT = "json"
"""Kind of answer, where neither the task nor a measurement says another."""

INSTRUCTION = "{question}\n\n{labels}\n\n{answer_form}"

QUESTION = "Which of these labels fit the text? There may be none, one or several."
QUESTION_OF_SOME = "Which of these labels fit the text? There is at least one."
QUESTION_OF_ONE = "Which of these labels fits the text best?"

MAX_DEMONSTRATIONS = 12

_ONE = ("My question is about {}.", "This is about {}.", "I would like to say something on {}.")
_TWO = ("It has to do with {} and {}.", "This concerns {} and {}.")
_NONE = (
    "The package arrived two days late, but nothing in it was broken.",
    "We are going to the lake on Sunday if it does not rain.",
    "Can somebody tell me who is in charge of the third floor?",
    "I read the letter twice and still do not know what they want.",
)


def default_question(form: AnswerFormat) -> str:
    """The question about labels that answers of this format can answer."""
    if form.single:
        return QUESTION_OF_ONE
    return QUESTION if form.empty is not None else QUESTION_OF_SOME


def answer_form(form: AnswerFormat, labels: Sequence[Label]) -> str:
    """A sentence on how the answer is written, which shows one."""
    names = [label.spellings[0] for label in labels]
    shown = form.write(names[: 1 if form.single else 2])
    sentence = f"Answer in this form and write nothing else: {shown}"
    if form.empty is None:
        return sentence
    return f"{sentence}\nIf no label fits: {form.write([])}"


def label_demonstrations(labels: Sequence[Label], form: AnswerFormat) -> list[dict[str, Any]]:
    """Short records made of the labels themselves, each with the answer that it must have.

    A sentence that names one label, by its description where it has one; a plain sentence that
    names none; a sentence that names two; and so on, `MAX_DEMONSTRATIONS` in all, for labels that
    are spread over the list.
    """
    kinds = 1 if form.single else 2 if form.empty is None else 3
    count = min(len(labels), MAX_DEMONSTRATIONS // kinds)
    picked = [labels[index * len(labels) // count] for index in range(count)]
    examples: list[dict[str, Any]] = []
    for index, label in enumerate(picked):
        text = _ONE[index % len(_ONE)].format(_words(label))
        examples.append({"text": text, "labels": [label.name]})
        if form.single:
            continue
        if form.empty is not None:
            examples.append({"text": _NONE[index % len(_NONE)], "labels": []})
        if count > 1:
            pair = sorted((picked[index - 1], label), key=labels.index)
            text = _TWO[index % len(_TWO)].format(*map(_words, pair))
            examples.append({"text": text, "labels": [each.name for each in pair]})
    return examples


def _words(label: Label) -> str:
    return label.description or label.name
