"""Targets: human labels of records, and how many of them agree."""

from __future__ import annotations

from labelmass.targets.aggregate import DawidSkene, Votes, dawid_skene, majority, shares
from labelmass.targets.of_records import targets_of
from labelmass.targets.targets import GOLD, Targets

__all__ = [
    "GOLD",
    "DawidSkene",
    "Targets",
    "Votes",
    "dawid_skene",
    "majority",
    "shares",
    "targets_of",
]
