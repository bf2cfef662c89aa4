"""Matplotlib's SVG made small, accessible, and coloured by the page it stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from labelmass._text import printable
from labelmass.present.theme import TEXT, VARIABLES

NAMESPACE = "http://www.w3.org/2000/svg"
FONT_SIZE = 12
"""Pixels."""
DEFAULTS = {
    "stroke-dashoffset": "0",
    "opacity": "1",
    "stroke-width": "1",
    "font-size": f"{FONT_SIZE}px",
    "text-anchor": "start",
}
DROPPED = {"font-family", "stroke-linecap", "stroke-linejoin", "font"}
NUMBER = re.compile(r"-?\d+\.\d+")


def inline(source: str, name: str, title: str = "", about: str = "") -> str:
    """For a page, in its colours; without a title it is hidden from screen readers.

    name: Prefix of ids. about: The text alternative.
    """
    root = _small(source, VARIABLES, name)
    if title:
        _describe(root, name, title, about)
    else:
        root.set("aria-hidden", "true")
    return ElementTree.tostring(root, encoding="unicode")


def document(source: str, name: str, title: str, about: str) -> str:
    """For a file, on white."""
    root = _small(source, {}, name)
    root.set("xmlns", NAMESPACE)
    root.set("color", TEXT)
    _describe(root, name, title, about)
    return f"{ElementTree.tostring(root, encoding='unicode')}\n"


def _describe(root: Element, name: str, title: str, about: str) -> None:
    for at, (tag, text) in enumerate((("title", title), ("desc", about))):
        child = Element(tag, id=f"{name}-{tag}")
        child.text = printable(text)
        root.insert(at, child)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")


def _small(source: str, colours: dict[str, str], name: str) -> Element:
    """The drawing without what no reader sees; ids begin with the name."""
    old = ElementTree.fromstring(source)
    box = old.get("viewBox", "").split()
    root = Element(
        "svg",
        {
            "viewBox": " ".join(box),
            "width": box[2],
            "height": box[3],
            "fill": "currentColor",
            "font-family": "system-ui,sans-serif",
            "font-size": str(FONT_SIZE),
        },
    )
    ids: dict[str, str] = {}
    for use in old.iter(f"{{{NAMESPACE}}}use"):
        target = use.get("{http://www.w3.org/1999/xlink}href", "").removeprefix("#")
        ids.setdefault(target, f"{name}.{len(ids)}")
    for child in old:
        root.extend(_retained(child, colours, ids))
    return root


def _retained(old: Element, colours: dict[str, str], ids: dict[str, str]) -> Iterator[Element]:
    """The element as it is worth keeping, or its children if it adds nothing to them."""
    tag = old.tag.removeprefix(f"{{{NAMESPACE}}}")
    if tag in ("metadata", "style", "clipPath"):
        return
    children = [kept for child in old for kept in _retained(child, colours, ids)]
    attributes = dict(_attributes(old, colours, ids))
    if tag == "g" and not attributes:
        yield from children
        return
    shapeless = tag in ("g", "defs") and not children
    unseen = attributes.get("fill") == "none" and "stroke" not in attributes
    if shapeless or unseen:
        return
    new = Element(tag, attributes)
    new.text = old.text if tag == "text" else None
    new.extend(children)
    yield new


def _attributes(
    old: Element, colours: dict[str, str], ids: dict[str, str]
) -> Iterator[tuple[str, str]]:
    for key, value in old.items():
        if key == "id":
            if value in ids:
                yield "id", ids[value]
        elif key.endswith("href"):
            yield "href", f"#{ids[value.removeprefix('#')]}"
        elif key == "style":
            yield from _style(value, colours)
        elif key == "d":
            yield key, re.sub(r"\s*([A-Za-z])\s*", r"\1", _rounded(value)).strip()
        elif key != "clip-path" and not value.startswith("rotate(-0 "):
            yield key, _rounded(value)


def _style(value: str, colours: dict[str, str]) -> Iterator[tuple[str, str]]:
    for declaration in value.split(";"):
        key, _, what = (part.strip() for part in declaration.partition(":"))
        if not key or key in DROPPED or DEFAULTS.get(key) == what:
            continue
        shown = colours.get(what, "currentColor" if what == TEXT else what)
        if (key, shown) != ("fill", "currentColor"):
            yield key, _rounded(shown)


def _rounded(text: str) -> str:
    """Numbers to a tenth of a pixel, opacities to a hundredth."""
    return NUMBER.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    value = float(match[0])
    text = f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
