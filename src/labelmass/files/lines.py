"""Lines of text, and the JSON on them; what cannot be read is an error in its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from labelmass.errors import RecordError

_BOM = b"\xef\xbb\xbf"


def read_lines(stream: Iterable[bytes]) -> Iterator[tuple[int, str | RecordError]]:
    """Line number, from 1, and text in UTF-8, without its end; blank lines are only counted."""
    for number, line in enumerate(stream, start=1):
        if number == 1:
            line = line.removeprefix(_BOM)
        line = line.rstrip(b"\r\n")
        if not line.strip():
            continue
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            byte, at = error.object[error.start], error.start
            yield (
                number,
                RecordError(
                    f"invalid UTF-8: byte 0x{byte:02x} at byte {at} of the line; save the file as "
                    "UTF-8"
                ),
            )


def read_json_lines(stream: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """Line number and JSON value, or the RecordError that stands in its place."""
    for number, line in read_lines(stream):
        if isinstance(line, RecordError):
            yield number, line
            continue
        try:
            yield number, parse_json(line)
        except RecordError as error:
            yield number, error


def parse_json(text: str, *, nan: bool = True, infinity: bool = False) -> Any:
    """The JSON value of a text. nan, infinity: whether these are taken, as Python writes them.

    RecordError where it is malformed, or an object holds one key twice.
    """
    taken = ("NaN",) * nan + ("Infinity", "-Infinity") * infinity

    def constant(word: str) -> float:
        if word not in taken:
            raise ValueError(f"{word} is no number of JSON")
        return float(word)

    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=constant)
    except json.JSONDecodeError as error:
        where = f"column {error.colno}"
        if error.lineno > 1:
            where = f"line {error.lineno}, {where}"
        raise RecordError(f"malformed JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise RecordError("malformed JSON: nested too deep") from None
    except ValueError as error:
        raise RecordError(f"malformed JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    results = dict(pairs)
    if len(results) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return results
