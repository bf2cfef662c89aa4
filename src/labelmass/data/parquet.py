"""The optional Parquet library, brought in when it is first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from labelmass.errors import LabelMassError


def import_pyarrow() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`; raises LabelMassError naming the command."""
    try:
        pyarrow = import_module("pyarrow")
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise LabelMassError(
            "Parquet needs the package pyarrow: pip install 'labelmass[parquet]'"
        ) from None
    return pyarrow, parquet
