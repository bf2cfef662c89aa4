"""TOML out: nested tables of texts, numbers, truth values and lists of them. `tomllib` reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast


def dumps(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """A document, in the order of the keys, values of a table before its tables."""
    plain = {key: value for key, value in data.items() if not isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}\n" for key, value in plain.items()]
    if path and (lines or not data):
        lines.insert(0, f"\n[{'.'.join(map(_key, path))}]\n")
    tables = (
        dumps(cast("Mapping[str, Any]", value), (*path, key))
        for key, value in data.items()
        if key not in plain
    )
    return "".join([*lines, *tables])


def inline(table: Mapping[str, Any]) -> str:
    """A table in one line, as it stands in a list of tables."""
    return "{ " + ", ".join(f"{_key(key)} = {_value(value)}" for key, value in table.items()) + " }"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return inline(cast("Mapping[str, Any]", value))
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, cast('Sequence[object]', value)))}]"
    return json.dumps(value, allow_nan=False)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
