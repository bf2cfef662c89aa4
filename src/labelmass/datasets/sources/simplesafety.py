"""SimpleSafetyTests: one harm area for each of 100 prompts."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import read_table


def read(files: Sequence[SourceFile]) -> Reading:
    """A prompt a row."""
    reading = Reading()
    for file in files:
        for row in read_table(file, ("id", "prompts_final", "harm_area")):
            reading.records.append(
                make_record(row["id"], [row["harm_area"]], text=row["prompts_final"])
            )
    return reading


SIMPLE_SAFETY = Source(
    "simple-safety-tests",
    "5 harm areas of 100 unsafe prompts",
    "SimpleSafetyTests (Vidgen et al., 2023), bertiev/SimpleSafetyTests",
    "CC BY 4.0",
    "SimpleSafetyTests - test cases.csv",
    ("labels are the harm area, one each; every prompt is unsafe",),
    read,
)
