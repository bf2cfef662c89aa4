"""Answer formats: how a list of labels is written, and read back.

Every format is the same machine given by its parts (docs/formulas.md, answers and boundaries):

    opening  ( empty | [verdict_prefix verdict_separator] item (separator item)* )  closing-or-end

`verdict_prefix` is the word of a risk verdict, such as `unsafe`.

`AnswerFormat` holds the parts; the named constructors below are the formats people use. Reading
is done by the format's byte automaton (`answers/automaton.py`), so that the parser, the token
grammar and the tree can never disagree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelmass._text import canonical
from labelmass.errors import TaskError

_TEXTS = ("opening", "empty", "verdict_prefix", "verdict_separator", "item", "closing")


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The parts of an answer format; all texts are written as UTF-8, in NFC.

    Attributes:
        opening: Text before the first item.
        empty: Text of the empty list; None if every answer holds a label.
        verdict_prefix, verdict_separator: The word of a risk verdict, which must be written before
            any label, and what parts it from them. It counts as soon as its last byte is written,
            whatever follows.
        item: Template of a label; `{label}` stands for its spelling.
        separators: The first is written, all are read.
        closing: Text that completes the answer; None if it is complete only at an end id or a stop.
        stops: Texts that end the answer where there is no closing text.
        blanks: ASCII characters tolerated at the joints (before and after opening, around
            separators, before the end); "" reads nothing but what is written.
        ignore_case: Read labels, the verdict prefix and the empty answer in either case.
        repeats: "accept" a label written twice (it adds nothing), or call the answer "off-format".
        single: Exactly one label, no separators.
        escape_json: Labels are escaped as in a JSON string (mandatory escapes only).
        tolerate: "usual" also reads what models commonly write instead: blanks and line breaks at
            the joints, either case, a full stop at the end; JSON compact, spread out, in a code
            block, with escapes or single quotation marks; lists on lines, with bullets or in
            quotation marks; codes behind a risk verdict parted by blanks, line breaks, `,` and `;`.
            "strict" reads what the other parts say and nothing else.
    """

    name: str
    opening: str = ""
    empty: str | None = "none"
    verdict_prefix: str | None = None
    verdict_separator: str = "\n"
    item: str = "{label}"
    separators: tuple[str, ...] = (", ",)
    closing: str | None = None
    stops: tuple[str, ...] = ()
    blanks: str = ""
    ignore_case: bool = False
    repeats: str = "accept"
    single: bool = False
    escape_json: bool = False
    tolerate: str = "usual"

    def __post_init__(self) -> None:
        for key in _TEXTS:
            if isinstance(text := getattr(self, key), str):
                object.__setattr__(self, key, canonical(text))
        for key in ("separators", "stops"):
            if isinstance(texts := getattr(self, key), tuple):
                object.__setattr__(self, key, tuple(map(canonical, texts)))
        if "{label}" not in self.item:
            raise TaskError(f"format.item is {self.item!r}: it must contain {{label}}")
        if not self.single and (not self.separators or not all(self.separators)):
            raise TaskError("format.separators: at least one, and none of them empty")
        if self.verdict_prefix is not None and not (self.verdict_prefix and self.verdict_separator):
            raise TaskError("format.verdict_prefix and format.verdict_separator must not be empty")
        if self.closing == "" or not all(self.stops):
            raise TaskError("format.closing and format.stops must not be empty texts")
        if self.closing is not None and self.stops:
            raise TaskError("format.stops: a format with a closing text ends there; drop one")
        if self.empty == "" and self.closing is None:
            raise TaskError("format.empty is empty: a format without closing text needs a word")
        if any(blank not in " \t\r\n" for blank in self.blanks):
            raise TaskError(f"format.blanks is {self.blanks!r}: only blank, tab, CR and LF")
        if self.repeats not in ("accept", "off-format"):
            raise TaskError(f"format.repeats is {self.repeats!r}: 'accept' or 'off-format'")
        if self.tolerate not in ("usual", "strict"):
            raise TaskError(f"format.tolerate is {self.tolerate!r}: 'usual' or 'strict'")
        if self.verdict_prefix is not None and self.verdict_prefix == self.empty:
            raise TaskError(
                f"format.verdict_prefix and format.empty are both {self.empty!r}: change one"
            )

    @property
    def reading(self) -> str:
        """The name, and by which rules answers are read: a part of every number's signature."""
        marks = ["verdict"] * (self.verdict_prefix is not None) + ["usual"] * (
            self.tolerate == "usual"
        )
        return "+".join([self.name, *marks])

    def spell(self, spelling: str) -> str:
        """The item text of one label spelling."""
        if self.escape_json:
            spelling = json.dumps(spelling, ensure_ascii=False)[1:-1]
        return self.item.replace("{label}", spelling)

    def write(self, spellings: Sequence[str]) -> str:
        """The answer that lists these label spellings, in this order; [] writes `empty`."""
        if not spellings:
            if self.empty is None:
                raise TaskError(
                    "this format cannot write an empty answer: every answer has a label"
                )
            return self.opening + self.empty + (self.closing or "")
        if self.single and len(spellings) > 1:
            raise TaskError(f"this format writes exactly one label, not {len(spellings)}")
        prefix = self.verdict_prefix
        verdict = "" if prefix is None else prefix + self.verdict_separator
        body = (self.separators[0] if self.separators else "").join(map(self.spell, spellings))
        return self.opening + verdict + body + (self.closing or "")

    def examples(self, spellings: Sequence[Sequence[str]]) -> Iterator[str]:
        """Short answers: each label alone, given by its spellings, and the empty list."""
        for forms in spellings:
            yield self.write([forms[0]])
        if self.empty is not None:
            yield self.write([])

    def strict(self) -> AnswerFormat:
        """The same format reading only what it writes: first separator, exact case, no blanks."""
        return replace(
            self, separators=self.separators[:1], blanks="", ignore_case=False, tolerate="strict"
        )


def json_list(key: str = "label", *, empty: str = "", **options: Any) -> AnswerFormat:
    """`{"label": ["joy", "love"]}`, the empty list as `{"label": []}`."""
    opening = "{" + json.dumps(key, ensure_ascii=False) + ": ["
    parts: dict[str, Any] = {"separators": (", ", ","), "blanks": " \n"} | options
    return AnswerFormat(
        "json", opening, empty, item='"{label}"', closing="]}", escape_json=True, **parts
    )


def comma_list(*, empty: str = "none", **options: Any) -> AnswerFormat:
    """`joy, love`, the empty list as `none`; complete at the model's end or a stop text."""
    parts: dict[str, Any] = {"separators": (", ", ","), "blanks": " "} | options
    return AnswerFormat("comma", empty=empty, **parts)


def guard(*, verdict_prefix: str = "unsafe", empty: str = "safe", **options: Any) -> AnswerFormat:
    """`safe`, or `unsafe` and on the next line `S1,S3`: what guard models write."""
    parts: dict[str, Any] = {"separators": (",",), "blanks": " \n"} | options
    return AnswerFormat("guard", empty=empty, verdict_prefix=verdict_prefix, **parts)


def polysyndeton(*, article: str = "the", empty: str = "nothing", **options: Any) -> AnswerFormat:
    """`the cup and the bell`, the empty list as `nothing`."""
    item = f"{article} {{label}}" if article else "{label}"
    parts: dict[str, Any] = {"separators": (" and ",), "blanks": ""} | options
    return AnswerFormat("polysyndeton", empty=empty, item=item, **parts)


def custom(**parts: Any) -> AnswerFormat:
    """A format given by its parts, see `AnswerFormat`."""
    return AnswerFormat("custom", **parts)


FORMATS: dict[str, Callable[..., AnswerFormat]] = {
    "json": json_list,
    "comma": comma_list,
    "guard": guard,
    "polysyndeton": polysyndeton,
    "custom": custom,
}


LIST_FORMATS = tuple(name for name in FORMATS if name not in ("guard", "custom"))
"""Kinds that write any labels and need nothing but their name."""


def make_format(kind: str, **options: Any) -> AnswerFormat:
    """The format called `kind` with options as they stand in a task file."""
    if kind not in FORMATS:
        raise TaskError(f"format.kind is {kind!r}: one of {', '.join(FORMATS)}")
    for key, value in options.items():
        if isinstance(value, list):
            options[key] = tuple(value)  # pyright: ignore[reportUnknownArgumentType]
    try:
        return FORMATS[kind](**options)
    except TypeError as error:
        raise TaskError(f"format ({kind}): {error}") from None
