"""Labels: what they are called, how they are written, and whether they can be told apart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BeforeValidator

from labelmass._text import canonical, caseless, quoted
from labelmass.errors import TaskError
from labelmass.files import current_keys
from labelmass.task.formats import AnswerFormat
from labelmass.task.keys import TaskPart

FORMER_LABEL_KEYS = {"pools": "aliases"}
"""Keys of a label as earlier versions wrote them, and their names of today."""


class Label(TaskPart):
    """One label of a task.

    name: how results call it.
    code: a short form such as `S1`; written in answers where the task says `write = "code"`.
    description: one line for the prompt; "" for none.
    spellings: what stands in an answer. The first is written, all are read, each also in NFC; left
        empty, it is the name or the code, as the task's `write` says.
    aliases: names of finer labels in data that count as this one.
    """

    name: str
    code: str | None = None
    description: str = ""
    spellings: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """A label that says how far a verdict of risk goes.

    Attributes:
        mode: Name that a guard's makers give to deciding by it, such as "strict"; "" for none.
    """

    label: str
    mode: str = ""

    def __str__(self) -> str:
        return self.mode or self.label


def modes_of(label: str, levels: Sequence[Sequence[Level]]) -> tuple[Level, ...]:
    """The levels by which a guard's own answer may decide about a label; else the label itself."""
    chain = next((chain for chain in levels if label in {one.label for one in chain}), ())
    return tuple(Level(one.label, str(one)) for one in chain) if len(chain) > 1 else (Level(label),)


def _as_table(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    return (
        current_keys(cast("dict[str, Any]", value), FORMER_LABEL_KEYS)
        if isinstance(value, dict)
        else value
    )


LabelEntry = Annotated[Label, BeforeValidator(_as_table)]
"""A label as task files hold it: a table, or the name alone."""


def resolve_spellings(labels: Sequence[Label], write: str) -> tuple[Label, ...]:
    """The same labels, none of them without spellings; `write` is "name" or "code".

    A spelling that is not in NFC is also read in NFC, as many tokenizers write it.
    """
    resolved: list[Label] = []
    for index, label in enumerate(labels):
        spellings = label.spellings
        if not spellings:
            if write == "code" and not label.code:
                raise TaskError(
                    f'labels[{index}].code is missing ({label.name!r}): write = "code" needs one'
                )
            spellings = (label.code if write == "code" and label.code else label.name,)
        also = dict.fromkeys(map(canonical, spellings))
        spellings += tuple(text for text in also if text not in spellings)
        resolved.append(label.model_copy(update={"spellings": spellings}))
    return tuple(resolved)


LABEL_PERMUTATIONS = ("given", "alphabetical", "reversed", "shuffled")
"""Orders of the labels in a prompt that have a name."""


def ordered(labels: Sequence[Label], order: str | Sequence[str], seed: int) -> list[Label]:
    """The labels in the order a prompt lists them.

    order: given, alphabetical, reversed or shuffled, or all names in their order.
    """
    listed = list(labels)
    if not isinstance(order, str):
        by_name = {canonical(label.name): label for label in labels}
        return [by_name[canonical(name)] for name in order]
    if order == "alphabetical":
        listed.sort(key=lambda label: label.name.casefold())
    elif order == "reversed":
        listed.reverse()
    elif order == "shuffled":
        random.Random(f"labels:{seed}").shuffle(listed)
    return listed


def label_line(label: Label, write: str) -> str:
    """The label in the prompt's list: `- joy: being happy`, or `S1: Hate. Of people.` by code."""
    written, description = label.spellings[0], label.description
    if write == "code":
        return f"{written}: {label.name}." + (f" {description}" if description else "")
    return f"- {written}" + (f": {description}" if description else "")


def check_labels(labels: Sequence[Label], form: AnswerFormat) -> None:
    """Raise TaskError, naming the key, unless answers in this format tell the labels apart.

    `labels` have their spellings (see `resolve_spellings`). Names are compared in NFC.
    """
    if not labels:
        raise TaskError("labels is empty: a task needs at least one label")
    names: dict[str, int] = {}
    codes: dict[str, int] = {}
    spelled: dict[str, int] = {}
    for index, label in enumerate(labels):
        _check_texts(index, label)
        name = canonical(label.name)
        if name in names:
            raise TaskError(_same("name", label.name, index, labels[names[name]].name, names[name]))
        names[name] = index
        if label.code is not None:
            code = canonical(label.code)
            if code in codes:
                other = labels[codes[code]].code or ""
                raise TaskError(_same("code", label.code, index, other, codes[code]))
            codes[code] = index
        for place, spelling in enumerate(label.spellings):
            key = _folded(spelling, form)
            # Two Unicode forms of one spelling differ as bytes, and both are read.
            own = label.spellings[:place]
            another_form = spelling not in own and canonical(spelling) in map(canonical, own)
            if spelled.get(key, index) != index or (key in spelled and not another_form):
                raise TaskError(_same_spelling(spelling, index, spelled[key], labels, form))
            spelled[key] = index
            _check_reserved(spelling, index, label, form)
    for code, index in codes.items():
        if names.get(code, index) != index:
            raise TaskError(
                f"labels[{index}].code is {labels[index].code!r}, the name of labels[{names[code]}]"
            )
    _check_aliases(labels)
    _check_boundaries(labels, form)


def _same(key: str, text: str, index: int, other: str, place: int) -> str:
    shown = f"labels[{index}].{key} is {quoted(text, other)}, the same as labels[{place}]"
    return shown if text == other else f"{shown}, {quoted(other, text)}, in another Unicode form"


def _check_aliases(labels: Sequence[Label]) -> None:
    """A name in data stands for one label."""
    owner = {
        canonical(word): index
        for index, label in enumerate(labels)
        for word in (label.name, label.code)
        if word is not None
    }
    for index, label in enumerate(labels):
        for pooled in label.aliases:
            other = owner.setdefault(canonical(pooled), index)
            if other != index:
                raise TaskError(
                    f"labels[{index}].aliases names {pooled!r}, which stands for labels[{other}]"
                )


def _check_texts(index: int, label: Label) -> None:
    texts = [("name", label.name), ("description", label.description)]
    texts += [("code", label.code)] if label.code is not None else []
    texts += [(f"spellings[{n}]", spelling) for n, spelling in enumerate(label.spellings)]
    for key, text in texts:
        where = f"labels[{index}].{key}"
        if not text.strip() and key != "description":
            raise TaskError(f"{where} is empty")
        if text != text.strip():
            raise TaskError(f"{where} is {text!r}: drop the blanks around it")
        if "\n" in text or "\r" in text:
            raise TaskError(f"{where} is {text!r}: it must be one line")


def _folded(text: str, form: AnswerFormat) -> str:
    return caseless(text) if form.ignore_case else canonical(text)


def _same_spelling(
    spelling: str, index: int, other: int, labels: Sequence[Label], form: AnswerFormat
) -> str:
    if other == index:
        return f"labels[{index}].spellings holds {spelling!r} twice"
    case = " once case is ignored (format.ignore_case)" if form.ignore_case else ""
    return (
        f"labels[{index}] ({labels[index].name!r}) and labels[{other}] ({labels[other].name!r}) "
        f"are both written {spelling!r}{case}: change labels[{index}].spellings"
    )


def _check_reserved(spelling: str, index: int, label: Label, form: AnswerFormat) -> None:
    for key, word in (("empty", form.empty), ("verdict_prefix", form.verdict_prefix)):
        # The word stands bare in the answer, so compare it with the item as it is written.
        if word and _folded(word, form) in (
            _folded(form.spell(spelling), form),
            _folded(spelling, form),
        ):
            raise TaskError(
                f"labels[{index}] ({label.name!r}) is written {spelling!r}, which is "
                f"format.{key}: rename one of them"
            )
    for stop in form.stops:
        if stop in form.spell(spelling):
            raise TaskError(
                f"labels[{index}] ({label.name!r}) is written {spelling!r}, which holds the stop "
                f"text {stop!r}: change format.stops or the label"
            )


def _check_boundaries(labels: Sequence[Label], form: AnswerFormat) -> None:
    """Refuse a label that also reads as a list of others (`a, b` beside `a` and `b`)."""
    items = [
        (_folded(form.spell(spelling), form), index)
        for index, label in enumerate(labels)
        for spelling in label.spellings
    ]
    separators = () if form.single else tuple(_folded(mark, form) for mark in form.separators)
    closing = _folded(form.closing, form) if form.closing else None
    marks = separators if closing is None else (*separators, closing)
    for item, index in items:
        if not any(mark in item for mark in marks):
            continue
        others = [(text, other) for text, other in items if text != item]
        for text, other in others:
            if closing is not None and item.startswith(text + closing):
                raise TaskError(
                    f"labels[{index}] ({labels[index].name!r}) begins with labels[{other}] "
                    f"({labels[other].name!r}) and format.closing: change a spelling or format.item"
                )
        if _reads_as_list(item, [text for text, _ in others], separators):
            raise TaskError(
                f"labels[{index}] ({labels[index].name!r}) also reads as a list of other labels: "
                f"change its spelling, format.separators or format.item"
            )


def _reads_as_list(text: str, items: Sequence[str], separators: Sequence[str]) -> bool:
    """True if `text` is item, separator, item, ...: two items or more."""
    starts = [0]  # where an item may begin; grows while it is read
    for start in starts:
        for item in items:
            if not text.startswith(item, start):
                continue
            end = start + len(item)
            if end == len(text):
                return True
            for mark in separators:
                if text.startswith(mark, end) and end + len(mark) not in starts:
                    starts.append(end + len(mark))
    return False
