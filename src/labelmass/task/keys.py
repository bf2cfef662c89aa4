"""The keys of task files: unknown ones, wrong ones, and the table of the answer format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from inspect import signature
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from labelmass._text import nearest
from labelmass.errors import TaskError
from labelmass.files import current_keys
from labelmass.task.formats import FORMATS, AnswerFormat, make_format

_FORMAT_KEYS = tuple(field.name for field in fields(AnswerFormat) if field.name != "name")
_ABSENT = ("empty", "verdict_prefix", "closing")
FORMER_KEYS = {
    "none": "empty",
    "gate": "verdict_prefix",
    "gate_separator": "verdict_separator",
}
"""Parts of a format as task files of earlier versions call them."""

_VARIADIC = ("options", "parts")
_FORMAT_TYPES = TypeAdapter(AnswerFormat)


def with_keys(table: Mapping[str, Any], of_today: Mapping[str, str]) -> dict[str, Any]:
    """A table by the keys that `of_today` renames: {former: today}."""
    former = {today: old for old, today in of_today.items()}
    return {former.get(key, key): value for key, value in table.items()}


class TaskPart(BaseModel):
    """Base of everything a task file holds: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def explain(error: ValidationError, tables: Mapping[tuple[str, ...], type[BaseModel]]) -> str:
    """The first defect, by its key, in one line.

    tables: the model of each table, by the names of the keys that lead to it; () is the whole.
    """
    result = error.errors(include_url=False)
    # A misspelt key also leaves the right one missing: name the misspelling.
    first = next((each for each in result if each["type"] == "extra_forbidden"), result[0])
    places = [place for place in first["loc"] if place != "examples"] or [*first["loc"]]
    key = "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in places)
    key = key.removeprefix(".")
    if first["type"] == "extra_forbidden":
        table = tuple(place for place in first["loc"][:-1] if isinstance(place, str))
        known = [field.alias or name for name, field in tables[table].model_fields.items()]
        return f"{key} is unknown{_instead(str(places[-1]), known)}"
    if first["type"] == "missing":
        return f"{key} is missing"
    return f"{key}: {_plainly(first['msg'])}, not {first['input']!r}"


def _instead(key: str, known: Iterable[str]) -> str:
    known = sorted(known)
    return nearest(key, known) or f" (keys: {', '.join(known)})"


def _plainly(message: str) -> str:
    """Pydantic's message as the end of a sentence."""
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def format_table(value: Any) -> dict[str, Any]:
    """A format as plain data: `kind` and options, `False` for a part that is absent."""
    if isinstance(value, AnswerFormat):
        own = value.name in FORMATS and value.name != "custom"
        if own and make_format(value.name) == value:
            return {"kind": value.name}
        value = {"kind": "custom"} | {key: asdict(value)[key] for key in _FORMAT_KEYS}
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping) or "kind" not in value:
        raise TaskError(f"format.kind is missing: one of {', '.join(FORMATS)}")
    table: dict[str, Any] = {}
    for key, option in current_keys(cast("Mapping[str, Any]", value), FORMER_KEYS).items():
        if isinstance(option, tuple):
            option = list(cast("tuple[Any, ...]", option))
        table[key] = False if option is None and key in _ABSENT else option
    format_of(table)
    return table


def format_of(table: Mapping[str, Any]) -> AnswerFormat:
    """The format that a table from `format_table` stands for; TaskError names a wrong key."""
    options = dict(table)
    kind = str(options.pop("kind"))
    for key in _ABSENT:
        if options.get(key) is False:
            options[key] = None
    if kind in FORMATS:
        known = {name for name in signature(FORMATS[kind]).parameters if name not in _VARIADIC}
        known |= set(_FORMAT_KEYS)
        for key in options:
            if key not in known:
                raise TaskError(f"format.{key} is unknown{_instead(key, known)}")
    form = make_format(kind, **options)
    try:
        return _FORMAT_TYPES.validate_python(asdict(form))
    except ValidationError as error:
        first = error.errors()[0]
        raise TaskError(f"format.{first['loc'][0]}: {_plainly(first['msg'])}") from None
