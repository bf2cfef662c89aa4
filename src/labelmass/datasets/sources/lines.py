"""JSONL files: objects a line that know their line."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, cast

from labelmass.datasets.sources.base import SourceFile
from labelmass.errors import RecordError
from labelmass.files import read_json_lines


def read_objects(
    file: SourceFile, needs: Mapping[str, type]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object; raises LabelMassError unless it holds the fields of these types."""
    for number, result in read_json_lines(io.BytesIO(file.unpacked)):
        if isinstance(result, RecordError):
            raise file.error(number, str(result))
        if not isinstance(result, dict):
            raise file.error(number, "expected an object")
        result = cast("dict[str, Any]", result)
        for key, kind in needs.items():
            if not isinstance(result.get(key), kind):
                given = f"{result[key]!r:.40}" if key in result else "missing"
                raise file.error(number, f"{key} is {given}: expected a {_KINDS[kind]}")
        yield number, result


_KINDS = {str: "text", list: "list", dict: "object"}
