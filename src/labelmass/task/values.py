"""Values as people bring them, from Python, NumPy, pandas and Arrow, as the plain ones of JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, cast

import numpy as np

from labelmass.errors import RecordError

EXACT = 2**53
"""Whole numbers up to here are told apart from their neighbours as floats."""


def plain(value: Any) -> Any:
    """The value in None, bool, int, float, str, list and dict, as far as it has such a form.

    Arrays, tuples and sets are lists, sets sorted. A decimal is a number, a time is its ISO text,
    what is no finite number is the text "nan", "inf" or "-inf". What has no such form (bytes, an
    image) stays as it is.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal):
        value = _of_decimal(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in cast("list[Any]", value)]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in cast("set[Any]", value)), key=repr)
    if is_missing(value):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if callable(as_list := getattr(value, "tolist", None)):
        listed = as_list()
        return plain(listed) if type(listed) is not type(value) else listed
    return value


def plain_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row in plain values; None for the fields that pandas or Parquet hold without a value."""
    return {str(key): None if is_missing(one) else plain(one) for key, one in row.items()}


def is_missing(value: Any) -> bool:
    """True if a value says that there is none: None, NaN, and what pandas has for it."""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def for_json(value: Any) -> Any:
    """The value as `plain` gives it; bytes in base64, and what else has no form, as its text."""
    value = plain(value)
    if isinstance(value, dict):
        return {key: for_json(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [for_json(one) for one in cast("list[Any]", value)]
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def read_id(value: Any) -> str | int | None:
    """The id that a value is; None where there is none. A whole float or decimal is its integer.

    RecordError for what is no text and no whole number.
    """
    name = None if is_missing(value) else plain(value)
    if isinstance(name, float) and name.is_integer() and abs(name) <= EXACT:
        name = int(name)
    if name is None or name == "":
        return None
    if isinstance(name, bool) or not isinstance(name, str | int):
        shown = f" ({name})" if isinstance(name, float) else ""
        raise RecordError(f"id is {kind(name)}{shown}, not a text or a whole number")
    return name


def kind(value: object) -> str:
    """Type of a value, in a reader's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _of_decimal(value: Decimal) -> int | float:
    whole = value.is_finite() and value == value.to_integral_value()
    return int(value) if whole else float(value)
