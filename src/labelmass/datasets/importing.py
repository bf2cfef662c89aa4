"""From a dataset's own files to records, with a note of where they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labelmass.datasets.sources import SOURCES, Source, SourceFile
from labelmass.datasets.sources.base import Json
from labelmass.datasets.sources.maps import LabelMap, load_map, open_map
from labelmass.errors import LabelMassError, RecordError
from labelmass.files.writing import file_hash, write_json, write_records
from labelmass.task.record import Record


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Records of a source, and what was done to get them.

    left_out: reason -> how many rows, answers or records.
    """

    source: Source
    files: tuple[SourceFile, ...]
    map: LabelMap | None
    records: list[Json]
    left_out: dict[str, int]

    def counts(self) -> dict[str, int]:
        """Label -> how many records have it; every label that is known of, rarest last."""
        results: Counter[str] = Counter(dict.fromkeys(self.map.targets, 0) if self.map else {})
        for record in self.records:
            results.update(record["labels"])
            results.update(dict.fromkeys(record.get("distribution", ()), 0))
            results.update(dict.fromkeys(record.get("unknown", ()), 0))
        return dict(results.most_common())

    def provenance(self) -> dict[str, Any]:
        """Source, files and their hashes, rules, and counts; for JSON."""
        kept: dict[str, Any] = {
            "source": self.source.name,
            "home": self.source.home,
            "licence": self.source.licence,
            "files": [_describe(file) for file in self.files],
        }
        if self.map is not None:
            kept["map"] = _describe(self.map.file) | {"unmapped": self.map.unmapped}
        return kept | {
            "rules": list(self.source.rules),
            "records": len(self.records),
            "splits": dict(Counter(record.get("split") or "none" for record in self.records)),
            "labels": self.counts(),
            "left_out": self.left_out,
            "labelmass": version("labelmass"),
        }

    def write(self, out: str | Path) -> Path:
        """Write the records to `out` (.jsonl) and beside it the provenance; returns its path."""
        path = Path(out)
        if path.suffix != ".jsonl":
            raise LabelMassError(f"cannot write {str(out)!r}: its name must end in .jsonl")
        beside = path.with_suffix(".source.json")
        write_records(path, self.records)
        written = {"name": path.name, "sha256": file_hash(path)}
        write_json(beside, self.provenance() | {"written": written})
        return beside


def import_files(name: str, paths: Sequence[str | Path], map: str | None = None) -> ImportResult:
    """Read files as the source `name` says.

    map: a TOML file that says where each label goes, or the name of one that comes with labelmass.
    A record without a text is left out and counted. Raises LabelMassError naming file and line.
    """
    if name not in SOURCES:
        raise LabelMassError(f"no source {name!r}: one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    files = tuple(SourceFile.open(path) for path in paths)
    label_map = None if map is None else load_map(open_map(map))
    reading = source.read(files)
    records: list[Json] = []
    seen: set[str] = set()
    for number, record in enumerate(reading.records, start=1):
        try:
            Record.from_dict(record, number)
        except RecordError as error:
            reading.left_out[f"records: {error}"] += 1
            continue
        if record["id"] in seen:
            raise LabelMassError(
                f"two records have the id {record['id']!r}: is a file given twice, or are these "
                "files of different sets?"
            )
        seen.add(record["id"])
        records.append(record if label_map is None else label_map.apply(record))
    left_out = {reason: count for reason, count in reading.left_out.items() if count}
    return ImportResult(source, files, label_map, records, left_out)


def _describe(file: SourceFile) -> dict[str, Any]:
    return {"name": file.name, "bytes": len(file.content), "sha256": file.sha256}
