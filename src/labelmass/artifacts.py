"""Artefacts: what labelmass fits or keeps, in files that say their kind and its version.

A file appears whole or not at all, holds no code, and stays readable: a kind's version rises when
its layout changes, and files of every earlier version load (`tests/formats` holds one of each).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from labelmass.errors import LabelMassError
from labelmass.files import read_json, read_toml, shaped
from labelmass.files.toml import dumps
from labelmass.files.writing import write_json, write_text

T = TypeVar("T")

_MARK = re.compile(r"(?:labelmass )?(?P<name>.+) (?P<version>[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class ArtifactKind:
    """A kind of artefact.

    Attributes:
        name: Name of the kind in its files and in errors.
        version: Version of the layout that is written now.
        error: Raised for a file that cannot be read.
        unmarked: True if files of version 0 exist, which do not state their kind.
    """

    name: str
    version: int = 1
    error: type[LabelMassError] = LabelMassError
    unmarked: bool = False

    @property
    def mark(self) -> str:
        """The value of the key `kind` in its files."""
        return f"labelmass {self.name} {self.version}"

    def version_of(self, data: object) -> int:
        """The version of the layout of stored data.

        Raises:
            LabelMassError: The data is of another kind or a later version, or does not say.
        """
        if self.unmarked and isinstance(data, Mapping) and "kind" not in data:
            return 0
        try:
            kind = shaped(_Marked, data).kind
        except LabelMassError as error:
            raise self.error(f"not a {self.name} of labelmass: {error}") from None
        match = _MARK.fullmatch(kind)
        if match is None or match["name"] != self.name:
            raise self.error(f"not a {self.name} of labelmass: kind is {kind!r}")
        if (version := int(match["version"])) > self.version:
            raise self.error(
                f"not a {self.name} this version reads: it is of version {version}, written by a "
                f"later labelmass; this one reads up to {self.version}"
            )
        return version

    def save(self, path: str | Path, data: Mapping[str, Any]) -> None:
        """Write data as TOML where the name ends in .toml, else as JSON, `kind` first."""
        marked = {"kind": self.mark} | dict(data)
        if Path(path).suffix.lower() == ".toml":
            write_text(path, dumps(marked))
        else:
            write_json(path, marked)

    def load(
        self, path: str | Path, build: Callable[[Mapping[str, Any]], T], *, infinite: bool = False
    ) -> T:
        """Build an object from the data in a file; raises the kind's error, naming the file.

        infinite: whether its JSON may hold Infinity and NaN.
        """
        try:
            if Path(path).suffix.lower() == ".toml":
                return build(read_toml(path))
            return build(read_json(path, infinite=infinite))
        except LabelMassError as error:
            raise self.error(f"cannot read the {self.name} {str(path)!r}: {error}") from None


@dataclass(frozen=True, slots=True)
class _Marked:
    kind: str
