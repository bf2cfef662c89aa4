"""Files as data that can be edited: how each kind is parsed, and written whatever it then holds."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import pyarrow
import pyarrow.parquet
from hypothesis import reject


@dataclass(frozen=True)
class Part:
    """A file: the data in it, and the bytes that hold such data."""

    data: Any
    write: Callable[[Any], bytes]

    @classmethod
    def of(cls, name: str, content: bytes) -> Part:
        """A well-formed file, by the ending of its name; text of no known kind is its lines."""
        if name.endswith(".gz"):
            inner = cls.of(name.removesuffix(".gz"), gzip.decompress(content))
            return cls(inner.data, lambda data: gzip.compress(inner.write(data), mtime=0))
        parse, write = _KINDS.get(name.rpartition(".")[2], _KINDS["txt"])
        return cls(parse(content), write)


def json_bytes(data: Any) -> bytes:
    """JSON as Python writes it, NaN and lone surrogates included."""
    return json.dumps(data).encode()


def json_lines(rows: Any) -> bytes:
    return b"\n".join(map(json_bytes, many(rows))) + b"\n"


def many(rows: Any) -> list[Any]:
    """An edit may have put one value in the place of all rows."""
    return rows if isinstance(rows, list) else [rows]


def toml_bytes(data: Any) -> bytes:
    """Keys, each a line, with values as inline tables; null and NaN are what TOML refuses."""
    keys = data if isinstance(data, dict) else {"name": data}
    return "".join(f"{json.dumps(k)} = {_toml(v)}\n" for k, v in keys.items()).encode()


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


def journal(rows: Any) -> bytes:
    """A journal: its head, then lines, each with the checksum of what it says."""
    head, *lines = many(rows) or [None]
    found = [json_bytes(head)]
    for line in lines:
        body = json.dumps(line, separators=(",", ":")).encode()[1:]
        found.append(b'{"crc":"%08x",' % crc32(body) + body)
    return b"\n".join(found) + b"\n"


def _journal_rows(content: bytes) -> list[Any]:
    rows = [json.loads(line) for line in content.splitlines()]
    for row in rows[1:]:
        del row["crc"]
    return rows


def table(data: Any, separator: str) -> bytes:
    """A table whose cells are texts, or JSON where they are none."""
    rows = [row for row in many(data) if isinstance(row, dict)]
    head = list(dict.fromkeys(key for row in rows for key in row))
    cells = [head, *([_cell(row.get(key)) for key in head] for row in rows)]
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator="\n").writerows(cells)
    return stream.getvalue().encode(errors="surrogatepass")


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _table_rows(content: bytes, separator: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter=separator))


def parquet(rows: Any) -> bytes:
    """A Parquet file; rejects what none can hold."""
    buffer = pyarrow.BufferOutputStream()
    try:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(many(rows)), buffer)
    except (pyarrow.ArrowException, TypeError, ValueError, AttributeError, OverflowError):
        reject()
    return buffer.getvalue().to_pybytes()


def _text_lines(rows: Any) -> bytes:
    return "\n".join(map(_cell, many(rows))).encode(errors="surrogatepass")


_KINDS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "json": (json.loads, json_bytes),
    "jsonl": (lambda content: [json.loads(line) for line in content.splitlines()], json_lines),
    "journal": (_journal_rows, journal),
    "toml": (lambda content: tomllib.loads(content.decode()), toml_bytes),
    "csv": (lambda content: _table_rows(content, ","), lambda rows: table(rows, ",")),
    "tsv": (lambda content: _table_rows(content, "\t"), lambda rows: table(rows, "\t")),
    "txt": (lambda content: content.decode(errors="replace").split("\n"), _text_lines),
    "parquet": (
        lambda content: pyarrow.parquet.read_table(pyarrow.BufferReader(content)).to_pylist(),
        parquet,
    ),
}
"""By the ending of a name: from bytes to data, and back."""
