"""Files that hold one value, in JSON or TOML, and plain data as the type that it was written from.

Every artefact that labelmass reads back (calibrators, policies, trees, classifiers, notes) goes
through here, so that a damaged one is refused in words that name the file and the key.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from labelmass.errors import LabelMassError, RecordError
from labelmass.files.lines import parse_json
from labelmass.files.opening import open_file

T = TypeVar("T")

_SHOWN = 60  # characters of a wrong value in an error


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8.

    Raises LabelMassError naming the file, and the line that is not UTF-8.
    """
    with open_file(path) as stream:
        content = stream.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LabelMassError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file "
            "as UTF-8"
        ) from None


def read_json(path: str | Path, *, infinite: bool = False) -> Any:
    """The JSON value in a file; Infinity and NaN, as Python writes them, only if `infinite`.

    Raises LabelMassError naming the file, and the place where it is malformed.
    """
    return _parsed(path, lambda text: parse_json(text, nan=infinite, infinity=infinite))


def read_toml(path: str | Path) -> dict[str, Any]:
    """The keys in a TOML file; raises as `read_json` does."""
    return _parsed(path, parse_toml)


def parse_toml(text: str) -> dict[str, Any]:
    """The keys in a TOML text; raises RecordError where it is malformed, or holds nan or inf."""
    try:
        return tomllib.loads(text, parse_float=_finite)
    except RecursionError:
        raise RecordError("malformed TOML: nested too deep") from None
    except ValueError as error:  # TOMLDecodeError among them
        raise RecordError(f"malformed TOML: {error}") from None


def current_keys(data: Mapping[str, Any], former: Mapping[str, str]) -> dict[str, Any]:
    """The data by the keys of today, where an earlier version wrote others.

    A former key stays beside its new one, so that whoever checks the keys refuses it.

    Args:
        former: {former key: key of today}.
    """
    return {
        former[key] if key in former and former[key] not in data else key: value
        for key, value in data.items()
    }


def shaped(kind: type[T], data: object, *, infinite: bool = False) -> T:
    """Plain data as the type that it was written from.

    Args:
        kind: A dataclass, whose keys are its fields, or a list, tuple or dict of such.
        data: Plain data; keys that the dataclass does not have are left out.
        infinite: True if numbers may be infinite or NaN.

    Raises:
        LabelMassError: It names the first key that is missing or wrong.
    """
    data = dict(cast("Mapping[str, Any]", data)) if isinstance(data, Mapping) else data
    try:
        return _adapter(kind, infinite).validate_python((data,))[0]
    except ValidationError as error:
        raise LabelMassError(_first_defect(error)) from None


@cache
def _adapter(kind: Any, infinite: bool) -> TypeAdapter[Any]:
    # A dataclass takes no configuration but that of what it stands in.
    holder: Any = GenericAlias(tuple, (kind,))
    return TypeAdapter(holder, config=ConfigDict(allow_inf_nan=infinite))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _parsed(path: str | Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(read_text(path))
    except RecordError as error:
        raise LabelMassError(f"{path}: {error}") from None


def _first_defect(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"][1:])
    key = "".join(steps).removeprefix(".")
    if first["type"] == "missing":
        return f"{key} is missing"
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    shown = repr(first["input"])
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return (
        f"{key or 'it'} {message}, not {shown}"
        if message.startswith("must")
        else f"{key}: {message}"
    )
