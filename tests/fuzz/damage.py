"""Damage to well-formed files: edits of the data they hold, and of their bytes."""

from __future__ import annotations

import copy
import gzip
import lzma
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ODD = (
    None, True, False, 0, -1, 2, 1.5, 10**30, 1e308, float("nan"), float("inf"), -float("inf"),
    "", " ", "0", "nan", "9" * 5000, "joy", "none", "*", "\x00", "\ud800", "e\u0301", "\u2028",
    "x" * 300, "{}", "[[", [], {}, [[]], [None], [1, "a"], [0.5], {"": None}, {"p": None},
    {"id": [1]}, ["joy", "joy"],
)  # fmt: skip
"""Values that stand where another kind of value is expected."""

SPLICES = (
    b"", b"\n", b"\r\n", b"\r", b'"', b'""', b"'", b",", b";", b"\t", b"{", b"}", b"[", b"]", b":",
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"nan", b"-1", b"1e999", b"=", b"#", b"\\",
    b"\\u", b"\\ud800", b"id", b"text", b"labels", b'"""', b"[[", b"\x1f\x8b", b"PAR1",
    b"9" * 5000, b"[" * 5000,
)  # fmt: skip
"""Bytes put into a file, some of which mean something to a reader."""

Edit = tuple[str, float, float, Any]
"""What to do, at which place, with which other place, and with what; places are shares of all."""

_SHARE = st.floats(0, 1, exclude_max=True)


def _edits(ways: tuple[str, ...], pieces: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Edit]]:
    one = st.tuples(st.sampled_from(ways), _SHARE, _SHARE, pieces)
    return st.lists(one, min_size=1, max_size=3)


EDITS_OF_DATA = _edits(("replace", "delete", "copy", "rename"), st.sampled_from(ODD))

EDITS_OF_BYTES = _edits(
    ("splice", "splice", "cut", "drop", "double", "flip", "encode"),
    st.sampled_from(SPLICES) | st.binary(max_size=3),
)


def edited(data: Any, edits: list[Edit]) -> Any:
    """Plain data (dictionaries, lists, scalars) after edits; the original stays."""
    root = {"": copy.deepcopy(data)}
    for way, at, other, value in edits:
        places = list(_places(root))
        holder, key = places[int(at * len(places))]
        if way == "replace":
            holder[key] = copy.deepcopy(value)
        elif way == "copy":
            source, name = places[int(other * len(places))]
            holder[key] = copy.deepcopy(source[name])
        elif way == "delete" and holder is not root:
            del holder[key]
        elif way == "rename" and isinstance(holder, dict) and holder is not root:
            holder[str(value)] = holder.pop(key)
    return root[""]


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """(holder, key) of every value below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def damaged(content: bytes, edits: list[Edit]) -> bytes:
    """Bytes after edits."""
    for way, at, other, piece in edits:
        start, stop = sorted((int(at * (len(content) + 1)), int(other * (len(content) + 1))))
        if way == "splice":
            content = content[:start] + piece + content[start:]
        elif way == "cut":
            content = content[:start]
        elif way == "drop":
            content = content[:start] + content[min(stop, start + 8) :]
        elif way == "double":
            content = content[:stop] + content[start:stop][:200] + content[stop:]
        elif way == "flip" and content:
            start = min(start, len(content) - 1)
            flipped = content[start] ^ (1 << int(other * 8))
            content = content[:start] + bytes([flipped]) + content[start + 1 :]
        elif way == "encode":
            content = _ENCODINGS[int(other * len(_ENCODINGS))](content)
    return content


_ENCODINGS = (
    gzip.compress,
    lzma.compress,
    lambda content: content.decode(errors="replace").encode("utf-16"),
    lambda content: content.decode(errors="replace").encode("utf-16-le"),
    lambda content: content.decode(errors="replace").encode("latin-1", "replace"),
    lambda content: b"\xef\xbb\xbf" + content,
)
"""Of a whole file: packed, or in another encoding."""
