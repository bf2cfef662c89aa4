"""Errors and warnings, as one small tree.

LabelMassError
 +- TaskError      the task file, its labels or its answer format
 +- RecordError    one input record: reported beside the good ones, never fatal by itself
 +- ModelError     a model that cannot be found, loaded or asked
 +- MethodError    an estimator that this task or this tree cannot give
 +- FitError       what cannot be fitted, or a fitted thing that is not for these scores
"""

from __future__ import annotations

import warnings
from inspect import currentframe
from pathlib import Path


class LabelMassError(Exception):
    """Base of everything labelmass raises on purpose; its text names the cause and the fix."""


class LabelMassWarning(UserWarning):
    """Warning that scores may be useless although they can be given; its text suggests a remedy."""


class TaskError(LabelMassError):
    """A task that cannot be used as written; the message names the key or the label."""


class RecordError(LabelMassError):
    """A record that cannot be scored; the message names the field and what was expected."""


class ModelError(LabelMassError):
    """A model that cannot be found, loaded or asked; the message names the command that helps."""


class MethodError(LabelMassError):
    """An estimator that this task or this tree cannot give; the message says what it lacks."""


class FitError(LabelMassError):
    """Fitting, or applying a fit, is impossible; the message says what differs or is missing."""


_PACKAGE = str(Path(__file__).parent)


def warn_caller(message: str) -> None:
    """A LabelMassWarning at the line outside of labelmass that led here."""
    level, frame = 1, currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, LabelMassWarning, stacklevel=level)
