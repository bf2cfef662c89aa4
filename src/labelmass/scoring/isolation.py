"""Errors of single records, kept apart from their neighbours and from errors of the whole run.

Whatever a model or a classifier raises for a record is that record's failure. It is the run's own
error, and stops the run, if the simplest text there is meets an error as well.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from labelmass.errors import LabelMassError, ModelError, RecordError

T = TypeVar("T")
R = TypeVar("R")

PLAIN = "x"
"""The text that is tried where a record met an error."""


def describe(error: BaseException) -> str:
    """An error in one line: with its type unless it is one of ours."""
    text = " ".join(str(error).split())
    if isinstance(error, LabelMassError):
        return text
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind


def blame(error: Exception, plain: Callable[[], object]) -> RecordError:
    """The error as that of its record.

    plain: asks the same for the text `PLAIN`; what it returns does not matter.
    Raises the error where `plain` meets an error too; as a ModelError unless it is our own.
    """
    if isinstance(error, RecordError):
        return error
    logging.getLogger("labelmass").debug("%s", "".join(traceback.format_exception(error)))
    error.with_traceback(None)  # its frames hold on to the model's memory
    try:
        plain()
    except Exception:
        if isinstance(error, LabelMassError):
            raise error from None
        raise ModelError(f"every text fails, a plain {PLAIN!r} too: {describe(error)}") from error
    result = RecordError(describe(error))
    result.__cause__ = error
    return result


def apply_in_batch(
    call: Callable[[Sequence[T]], Iterable[R]], items: Sequence[T], plain: Callable[[], object]
) -> list[R | RecordError]:
    """Results of `call` for all items at once, or for each by itself where that fails.

    plain: see `blame`. An item that fails by itself has its error in its place.
    """
    try:
        return list(call(items))
    except Exception as error:
        if len(items) == 1:
            return [blame(error, plain)]
    outcomes: list[R | RecordError] = []
    for item in items:
        outcomes += apply_in_batch(call, [item], plain)
    return outcomes
