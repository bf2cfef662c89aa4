"""Dataset sources: files as users have them, and a pure function from them to records."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from labelmass.errors import LabelMassError
from labelmass.files import unpacked

Json = dict[str, Any]
"""A record as a line of JSON holds it."""

_PART = re.compile(r"(?<![a-z])(?i:(train)|(dev|valid|validation|val)|(test))(?![a-z])")


@dataclass(frozen=True)
class SourceFile:
    """One file: its name without folders, and its bytes as they are on disk."""

    name: str
    content: bytes

    @classmethod
    def open(cls, path: str | Path) -> SourceFile:
        """Raises LabelMassError if the file cannot be read."""
        try:
            return cls(Path(path).name, Path(path).read_bytes())
        except OSError as error:
            raise LabelMassError(f"cannot read {path}: {error.strerror}") from None

    @property
    def sha256(self) -> str:
        """SHA-256 of the file as given, before it is unpacked."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def unpacked(self) -> bytes:
        """The bytes, unpacked if they are gzip or xz; raises LabelMassError."""
        with unpacked(io.BytesIO(self.content), self.name) as stream:
            return stream.read()

    @cached_property
    def text(self) -> str:
        """The text; raises LabelMassError naming the line that is not UTF-8."""
        content = self.unpacked
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self.error(line, f"byte 0x{content[error.start]:02x} is not UTF-8") from None

    @property
    def part(self) -> str | None:
        """`train`, `dev` or `test`, whichever the name says last; None if it says none."""
        results = list(_PART.finditer(self.name))
        return ("train", "dev", "test")[(results[-1].lastindex or 1) - 1] if results else None

    def error(self, line: int | str, message: str) -> LabelMassError:
        """Error for a line, given by number, or for a place in the file, given by name."""
        where = f"line {line}" if isinstance(line, int) else line
        return LabelMassError(f"{self.name}, {where}: {message}")


@dataclass(frozen=True, slots=True)
class Reading:
    """Records in the order of the files, and how many rows were left out for which reason."""

    records: list[Json] = field(default_factory=list[Json])
    left_out: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Source:
    """A public dataset in the form its authors publish it.

    home: the project or paper it comes from.
    licence: as its authors state it.
    files: what the user gives, in words.
    rules: what the loader decides, a sentence each.
    read: from the files to the records; raises LabelMassError naming the file and the line.
    """

    name: str
    summary: str
    home: str
    licence: str
    files: str
    rules: tuple[str, ...]
    read: Callable[[Sequence[SourceFile]], Reading]


def make_record(
    name: str,
    labels: Sequence[str],
    *,
    text: str | None = None,
    prompt: str | None = None,
    response: str | None = None,
    annotators: Sequence[Sequence[str]] | None = None,
    annotator_ids: Sequence[str] | None = None,
    distribution: dict[str, float] | None = None,
    unknown: Sequence[str] = (),
    split: str | None = None,
    group: str | None = None,
    **extra: Any,
) -> Json:
    """A record with its fields in the documented order; what is not given is not there."""
    fields: Json = {"id": name, "text": text, "prompt": prompt, "response": response}
    fields |= {"labels": list(labels), "annotators": annotators, "annotator_ids": annotator_ids}
    fields |= {"distribution": distribution, "unknown": list(unknown) or None}
    fields |= {"split": split, "group": group, **extra}
    return {key: value for key, value in fields.items() if value is not None}
