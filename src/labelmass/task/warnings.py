"""Warnings of a task whose prompt keeps the labels, or the form of the answer, from the model.

A model that is not told them writes prose, and nearly all of its mass leaves the format. The rules
are cautious: whatever may be meant as a hint counts as one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from labelmass._text import caseless
from labelmass.task.record import FIELD

if TYPE_CHECKING:
    from labelmass.task.task import Task

NAMED = 5
"""Labels that a warning names."""

SHORT = 2
"""Length in characters up to which a label counts as shown only where it stands alone."""

MARK_NAMES = {
    ",": (
        "comma",
        "komma",
        "virgul",
        "vírgul",
        "virgol",
        "coma",
        "przecin",
        "запят",
        "逗",
        "カンマ",
    ),
    ";": ("semicolon", "semikolon", "strichpunkt", "point-virgule", "punto y coma"),
    "\n": ("line", "zeile", "ligne", "línea", "linha", "riga", "wiersz", "строк", "行"),
}
"""Words of instructions for the marks between labels, besides their Unicode names."""


def prompt_warnings(task: Task) -> tuple[str, ...]:
    """Warnings on what the prompt does not show the model, with remedies; empty if it shows all.

    A label is shown if the instruction, the system prompt, the record template or a demonstration
    writes it. The form is shown by a demonstration, by a given opening, or where the instruction
    holds a mark of the format. A plain-text prompt may be for a model that was trained on it, so
    it is warned of only where it shows neither.
    """
    text, examples = _fixed_text(task), _answers(task)
    shown = caseless(text)
    written = {name for labels in examples for name in labels}
    missing = [
        label.name
        for label in task.labels
        if label.name not in written
        and not any(_stands(spelling, shown) for spelling in label.spellings)
    ]
    formless = not examples and not task.given_opening and not _shows_form(task, shown)
    if not task.chat and not (formless and len(missing) == len(task.labels)):
        return ()
    results: list[str] = []
    if missing:
        results.append(
            f"the prompt shows the model {_how_many(missing, len(task.labels))}: write {{labels}} "
            "or {label_names} in the instruction"
        )
    if formless:
        names = task.label_names[: 1 if task.format.single else 2]
        results.append(
            f"the prompt does not show how an answer is written, such as {task.answer(names)!r}: "
            "write it in the instruction, or give demonstrations"
        )
    return tuple(results)


def _how_many(missing: Sequence[str], k: int) -> str:
    if len(missing) == k:
        return f"none of its {k} labels" if k > 1 else "no label"
    listed = ", ".join(map(repr, missing[:NAMED])) + (", ..." if len(missing) > NAMED else "")
    return f"only {k - len(missing)} of its {k} labels, not {listed}"


def _fixed_text(task: Task) -> str:
    """Text that every prompt holds besides record and demonstrations, and the record templates."""
    heads = ("".join(part.text for part in head) for head in task.heads(task.instruction))
    record = task.record
    templates = [record.text, record.pair, record.conversation, record.message]
    cue = "" if task.chat else task.answer_cue
    return "\n".join([*heads, *(FIELD.sub("", template) for template in templates), cue])


def _answers(task: Task) -> list[tuple[str, ...]]:
    """The labels of the demonstrations that may be shown."""
    pool = task.demonstrations
    if pool.k == 0:
        return []
    examples = pool.examples if pool.varies else pool.choose(task.seed)
    return [example.labels for example in examples]


def _stands(word: str, text: str) -> bool:
    """True if the text writes the word; `S1` does not stand in `S10`, nor `a` in `raise`."""
    word = caseless(word)
    edge = "[0-9a-z]" if len(word) <= SHORT else "[0-9]"
    before = rf"(?<!{edge})" if re.match(edge, word[0]) else ""
    after = rf"(?!{edge})" if re.match(edge, word[-1]) else ""
    return re.search(before + re.escape(word) + after, text) is not None


def _shows_form(task: Task, text: str) -> bool:
    """True if the text holds a mark of the format: its opening, a word of its own, a separator."""
    form = task.format
    if opening := form.opening.strip():
        brackets = set(opening) & set("{[(<")
        return any(mark in text for mark in brackets) or _squeezed(opening) in _squeezed(text)
    if any(word and _stands(word, text) for word in (form.verdict_prefix, form.empty)):
        return True
    if form.single:
        return True  # the answer is a label, as it stands
    items = [
        caseless(form.spell(spelling)) for label in task.labels for spelling in label.spellings
    ]
    if form.item != "{label}" and any(item in text for item in items):
        return True
    return any(_parts(mark, items, text) for mark in form.separators)


def _parts(separator: str, items: Iterable[str], text: str) -> bool:
    """True if the text names the separator, or shows it between two items."""
    mark = caseless(separator).strip(" \t") or separator
    if any(name in text for name in _names(mark)):
        return True
    one = "|".join(re.escape(item) for item in items)
    blank = "" if mark.isspace() else "[ \t]*"
    return re.search(f"(?:{one}){blank}{re.escape(mark)}{blank}(?:{one})", text) is not None


def _names(mark: str) -> Iterable[str]:
    """Names of a mark that is one character and no letter; none for others."""
    if len(mark) != 1 or mark.isalnum():
        return ()
    own = unicodedata.name(mark, "").lower()
    return (*MARK_NAMES.get(mark, ()), *([own] if own else []))


def _squeezed(text: str) -> str:
    return "".join(caseless(text).split())
