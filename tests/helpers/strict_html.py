"""A strict reader of HTML: elements that close in order, with what stands around each text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "br", "hr", "input", "link", "img"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    around: Element | None = None
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.children)

    def all(self, name: str | None = None) -> Iterator[Element]:
        """Below this one, in order."""
        for one in self.children:
            if isinstance(one, Element):
                if name in (None, one.name):
                    yield one
                yield from one.all(name)

    def texts(self) -> Iterator[tuple[str, Element]]:
        """Every text with the element that it stands in."""
        for one in self.children:
            if isinstance(one, str):
                yield one, self
            else:
                yield from one.texts()

    def outwards(self) -> Iterator[Element]:
        """This element and all around it."""
        at: Element | None = self
        while at is not None:
            yield at
            at = at.around


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.at = self.root = Element("")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), (tag, names)
        one = Element(tag, dict(attrs), self.at)
        self.at.children.append(one)
        if tag not in VOID:
            self.at = one

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.at.name, f"</{tag}> ends <{self.at.name}>"
        assert self.at.around is not None
        self.at = self.at.around

    def handle_data(self, data: str) -> None:
        self.at.children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


def read(text: str) -> Element:
    """AssertionError where an element does not close in order."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.at is reader.root
    return reader.root


def data(root: Element) -> dict[str, Any]:
    """The numbers that a report holds."""
    (found,) = (one for one in root.all("script") if one.attributes.get("id") == "data")
    return json.loads(found.text)
