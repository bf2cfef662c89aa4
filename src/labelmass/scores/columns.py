"""The columns of a score table: what each holds, and what it is called, there and back.

A column's title is the shortest of a few forms that reads back as the column, so that no two have
one title whatever labels, methods and input columns are called:

    joy, joy.low, joy.high     a label, by the first method: its probability and its bounds
    label:joy                  the same, where `joy` alone would be something else
    any-place:joy              by another method; any-place:label:joy where needed
    off_format, verdict.low    what a result says of the record itself
    input:source               a field of the input
    ["label", "a:b", "x", ""]  whatever has no plainer form, as JSON: kind, method, name, side
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from labelmass.calibration import CALIBRATED
from labelmass.errors import RecordError
from labelmass.files import parse_json

SIDES = {"p": "", "low": ".low", "high": ".high"}
"""The sides of a probability with bounds, and how their columns end."""

VALUES: dict[str, type] = {
    "id": str,
    "error": str,
    "off_format": float,
    "off_format_after_label": float,
    "unexplored": float,
    "greedy": str,
    "stopped": str,
    "unreadable": float,
    "missed": str,
    "interval": str,
    "action": str,
}
"""Single values of a result record."""

BOUNDS = ("empty_answer", "verdict_prefix", "verdict", "empty")
"""Probabilities with bounds of a result record."""

FORMER_BOUNDS = ("none", "gate")
"""Names of the first two in tables of earlier versions."""

METHOD_BOUNDS = ("empty",)
"""Bounds that each method has beside its labels."""

_METHOD = re.compile(rf"((?:{re.escape(CALIBRATED)})*[^:]+):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Column:
    """Content of a column.

    kind: "label"; "field", what a result says of the record; or "input", a field of the input.
    method: "" for the first, or where there is none. side: "p", "low" or "high" of a probability,
    "" for a single value.
    """

    kind: Literal["label", "field", "input"]
    name: str
    method: str = ""
    side: str = "p"

    @property
    def title(self) -> str:
        """Title of the column; `read` parses it back."""
        sides = SIDES if self.side in SIDES else ("",)
        for form in self._forms():
            every = {side: form + SIDES.get(side, "") for side in sides}
            if _is_utf8(form) and all(
                Column.read(title) == replace(self, side=side) for side, title in every.items()
            ):
                return every[self.side]
        return json.dumps([self.kind, self.method, self.name, self.side])

    @classmethod
    def read(cls, title: str) -> Column:
        """The column of a title, of ours or of another system's: a label where nothing else is."""
        if title.startswith("[") and (column := _spelt_out(title)) is not None:
            return column
        if title in VALUES:
            return cls("field", title, side="")
        if title.startswith("input:"):
            return cls("input", title.removeprefix("input:"), side="")
        stem, side = title, "p"
        for name in ("low", "high"):
            if title.endswith(SIDES[name]):
                stem, side = title.removesuffix(SIDES[name]), name
        if stem in (*BOUNDS, *FORMER_BOUNDS):
            return cls("field", stem, side=side)
        method = ""
        if not stem.startswith("label:") and (match := _METHOD.fullmatch(stem)):
            method, stem = match[1], match[2]
            if stem in METHOD_BOUNDS:
                return cls("field", stem, method, side)
        return cls("label", stem.removeprefix("label:"), method, side)

    def _forms(self) -> Iterator[str]:
        """Plain titles, without the endings of sides, from the shortest."""
        if self.kind == "input":
            yield f"input:{self.name}"
            return
        before = f"{self.method}:" if self.method else ""
        yield f"{before}{self.name}"
        yield f"{before}label:{self.name}"


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _spelt_out(title: str) -> Column | None:
    try:
        parts: Any = parse_json(title)
    except RecordError:
        return None
    if not isinstance(parts, list) or len(cast("list[Any]", parts)) != 4:
        return None
    if not all(isinstance(part, str) for part in cast("list[Any]", parts)):
        return None
    kind, method, name, side = cast("list[str]", parts)
    if kind not in ("label", "field", "input") or side not in ("", *SIDES):
        return None
    return Column(kind, name, method, side)
