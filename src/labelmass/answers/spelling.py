"""Forms in which a tokenizer writes the labels of a task, if it can.

Many tokenizers normalise what they read, so a model has only seen its labels as the normaliser
writes them, and writes them so. And a tokenizer without a token for every byte cannot write every
label. Both are found by encoding a text and looking at the bytes of its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labelmass.answers.automaton import DONE, ByteAutomaton
from labelmass.answers.grammar import TokenGrammar, Vocabulary
from labelmass.errors import TaskError
from labelmass.task.fields import FieldFormat
from labelmass.task.formats import AnswerFormat
from labelmass.task.questions import Askable

WORDS = ("opening", "empty", "verdict_prefix", "closing")
"""Parts of a format that are words, not blanks or marks between them."""

CURE = "give it a code, or another spelling that the tokenizer can write"


@dataclass(frozen=True, slots=True)
class Spelling:
    """The answers to a task as they are read under one tokenizer.

    labels: spellings of each label. given: the beginning of the answer that the prompt holds.
    """

    format: AnswerFormat
    labels: tuple[tuple[str, ...], ...]
    given: str


def spelling_of(task: Askable, vocabulary: Vocabulary) -> Spelling:
    """The task's format and spellings, and those that the tokenizer's normaliser makes of them.

    Raises TaskError for a label that no tokens write, and for two labels that become one.
    """
    form = task.format
    if isinstance(form, FieldFormat):
        return _of_fields(task, form, vocabulary)
    words: dict[str, str] = {}
    for key in WORDS:
        if (text := getattr(form, key)) and (written := as_written(text, vocabulary)):
            words[key] = written
    form = replace(form, **words)
    labels = tuple(tuple(_forms(each, vocabulary)) for each in task.spellings)
    _check_distinct(task, form, labels)
    for name, forms in zip(task.label_names, labels, strict=True):
        _check_label(name, forms, form, vocabulary)
    for key in ("empty", "verdict_prefix"):
        if word := getattr(form, key):
            _check_word(key, word, labels, form, vocabulary)
    given = as_written(task.given_opening, vocabulary)
    return Spelling(form, labels, task.given_opening if given is None else given)


def _of_fields(task: Askable, form: FieldFormat, vocabulary: Vocabulary) -> Spelling:
    """`spelling_of` where answers have fields."""
    form = form.respelt(lambda text: as_written(text, vocabulary))
    labels = tuple(tuple(_forms(each, vocabulary)) for each in task.spellings)
    listed = {label for field in form.fields for label in field.labels}
    texts = [form.opening, form.closing or "", *(forms[0] for forms in labels)]
    for field in form.fields:
        texts += [field.lead, field.none or "", *(value.spellings[0] for value in field.values)]
    if not all(_is_kept(text, vocabulary) for text in texts):
        grammar = TokenGrammar(ByteAutomaton(form, labels), vocabulary)
        names = [*task.label_names, "", "", "", *grammar.automaton.values]
        for output, name in enumerate(names):
            if name and (output in listed or output > len(labels)):
                if not _can_write(output, grammar):
                    raise TaskError(f"{name!r} can never be written by the model's tokenizer")
    return Spelling(form, labels, "")


def as_written(text: str, vocabulary: Vocabulary) -> str | None:
    """A text as the tokenizer's normaliser writes it; None if it has no token for part of it."""
    written = b""
    for index in vocabulary.encode(text):
        if (piece := vocabulary.bytes_of[index]) is None:
            return None
        written += piece
    try:
        return written.decode()
    except UnicodeDecodeError:
        return None


def _forms(spellings: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """The spellings, and what the normaliser makes of each."""
    written = ((as_written(spelling, vocabulary) or "").strip() for spelling in spellings)
    return list(dict.fromkeys([*spellings, *filter(None, written)]))


def _check_distinct(task: Askable, form: AnswerFormat, labels: Sequence[Sequence[str]]) -> None:
    """TaskError for labels that can no longer be told apart."""
    words = ((f"format.{key}", getattr(form, key)) for key in ("empty", "verdict_prefix"))
    owner = {_folded(word, form): key for key, word in words if word}
    for name, forms in zip(task.label_names, labels, strict=True):
        for spelling in forms:
            other = owner.setdefault(_folded(spelling, form), repr(name))
            if other != repr(name):
                raise TaskError(
                    f"{other} and {name!r} are both written {spelling!r} by the model's tokenizer: "
                    "give one of them a code or another spelling"
                )


def _folded(text: str, form: AnswerFormat) -> str:
    return text.casefold() if form.ignore_case else text


def _check_label(
    name: str, forms: Sequence[str], form: AnswerFormat, vocabulary: Vocabulary
) -> None:
    """TaskError for a label that no tokens write, in whatever way they cut the answer."""
    if any(_is_kept(form.write([spelling]), vocabulary) for spelling in forms):
        return
    if not _can_write(0, TokenGrammar(ByteAutomaton(form, [forms]), vocabulary)):
        raise TaskError(
            f"the label {name!r} can never be written: {_lacking(forms[0], vocabulary)}; {CURE}"
        )


def _check_word(
    key: str, word: str, labels: Sequence[Sequence[str]], form: AnswerFormat, vocabulary: Vocabulary
) -> None:
    """TaskError for a word of the format that no tokens write."""
    if _is_kept(word, vocabulary):
        return
    automaton = ByteAutomaton(form, labels[:1])
    output = automaton.empty if key == "empty" else automaton.verdict_prefix
    if not _can_write(output, TokenGrammar(automaton, vocabulary)):
        raise TaskError(
            f"format.{key} is {word!r}, which can never be written: "
            f"{_lacking(word, vocabulary)}; choose another word"
        )


def _is_kept(text: str, vocabulary: Vocabulary) -> bool:
    """True if the tokenizer's own tokens write the text just as it stands."""
    return as_written(text, vocabulary) == text


def _can_write(output: int, grammar: TokenGrammar) -> bool:
    """True if some tokens write an output: a search through every state of the grammar."""
    seen, todo = {grammar.start}, [grammar.start]
    while todo:
        transitions = grammar.transitions(todo.pop())
        for state, outputs in zip(transitions.next_state, transitions.outputs, strict=True):
            if output in outputs:
                return True
            if state != DONE and state not in seen:
                seen.add(state)
                todo.append(state)
    return False


def _lacking(text: str, vocabulary: Vocabulary) -> str:
    """Message that names the characters for which a tokenizer has no token."""
    signs = dict.fromkeys(sign for sign in text if as_written(sign, vocabulary) is None)
    return f"the model's tokenizer has no token for {', '.join(map(repr, signs or [text]))}"
