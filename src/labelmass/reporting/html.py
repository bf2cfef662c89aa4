"""Elements of HTML and SVG. Text is escaped wherever it goes in, unless it is a `Markup`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from labelmass._text import printable

VOID = frozenset({"meta", "br", "hr"})
"""Elements of HTML without an end tag."""


class Markup(str):
    """HTML that is ready: made here, never of a record's text."""

    __slots__ = ()


NOTHING = Markup("")
Attribute = str | int | float | None


def tag(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """An element. An attribute that is None is left out; `class_` is class, `a_b` is a-b."""
    found = "".join(
        f' {_attribute(key)}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{found}>")
    return Markup(f"<{name}{found}>{join(children)}</{name}>")


def join(children: Iterable[str], between: str = "") -> Markup:
    """One after another."""
    return Markup(between.join(c if isinstance(c, Markup) else _text(c) for c in children))


def fold(summary: str, *children: str, class_: str | None = None) -> Markup:
    """What is closed until it is asked for."""
    return tag("details", tag("summary", summary), *children, class_=class_)


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    class_: str | None = None,
    hide_caption: bool = False,
) -> Markup:
    """Each row's first cell is its header. The table scrolls in its own box where it is wide."""
    lines = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    whole = tag(
        "table",
        tag("caption", caption, class_="unseen" if hide_caption else None),
        tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head))),
        tag("tbody", *lines),
        class_=class_,
    )
    return tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Names and what they are."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", what)) for name, what in pairs))


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _value(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return _text(str(value))


def _text(text: str) -> str:
    return escape(printable(text))
