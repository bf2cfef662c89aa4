"""Maps from a dataset's labels to a task's: a TOML file that the user may edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from labelmass._text import find
from labelmass.datasets.sources.base import Json, SourceFile
from labelmass.datasets.sources.votes import in_order, shares
from labelmass.errors import LabelMassError, RecordError
from labelmass.files import parse_toml

_KEYS = {"targets": list, "unmapped": str, "labels": dict}


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Mapping from the data's labels to the task's.

    targets: the task's labels, in their order.
    labels: source label -> targets; none for a label that is dropped.
    unmapped: "unknown" or "absent": what is said of targets that no label goes to.
    """

    file: SourceFile
    targets: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]
    unmapped: str

    @property
    def unjudged(self) -> list[str]:
        """The targets that no label goes to, if they are called unknown."""
        reached = {target for targets in self.labels.values() for target in targets}
        return [t for t in self.targets if t not in reached and self.unmapped == "unknown"]

    def apply(self, record: Json) -> Json:
        """The record in the task's labels; raises LabelMassError for a label the map lacks.

        A target is unknown if it is not chosen and a label that goes to it is unknown.
        """
        mapped = dict(record, labels=self._targets(record["labels"]))
        if "annotators" in record:
            mapped["annotators"] = [self._targets(vote) for vote in record["annotators"]]
            mapped["distribution"] = shares(mapped["annotators"], self.targets)
        unknown = {*self._targets(record.get("unknown", ())), *self.unjudged}
        mapped["unknown"] = in_order(unknown - set(mapped["labels"]), self.targets)
        if not mapped["unknown"]:
            del mapped["unknown"]
        return mapped

    def _targets(self, labels: Sequence[str]) -> list[str]:
        targets: list[str] = []
        for label in labels:
            name = find(label, self.labels)
            if name is None:
                raise LabelMassError(
                    f'{self.file.name} has no entry for the label {label!r}: add "{label}" = [...] '
                    "under [labels]"
                )
            targets += self.labels[name]
        return in_order(targets, self.targets)


def shipped_maps() -> dict[str, str]:
    """The maps that come with labelmass, by name, with their first line."""
    results = sorted(
        resources.files("labelmass.datasets.sources").joinpath("maps").iterdir(), key=str
    )
    return {
        Path(each.name).stem: each.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        for each in results
        if each.name.endswith(".toml")
    }


def open_map(name: str) -> SourceFile:
    """The file of a map that comes with labelmass, or the file at a path."""
    shipped = resources.files("labelmass.datasets.sources").joinpath("maps", f"{name}.toml")
    if name in shipped_maps():
        return SourceFile(f"{name}.toml", shipped.read_bytes())
    if not Path(name).is_file():
        raise LabelMassError(
            f"no map {name!r}: give a .toml file, or one of {', '.join(shipped_maps())}"
        )
    return SourceFile.open(name)


def load_map(file: SourceFile) -> LabelMap:
    """Raises LabelMassError naming the key."""
    try:
        keys = parse_toml(file.text)
    except RecordError as error:
        raise LabelMassError(f"{file.name}: {error}") from None
    for key, kind in _KEYS.items():
        if not isinstance(keys.get(key, "unknown" if key == "unmapped" else None), kind):
            raise LabelMassError(
                f"{file.name}: expected targets = [...], [labels] with label = [targets], and "
                f'unmapped = "unknown" or "absent"; {key} is wrong or missing'
            )
    for key in keys:
        if key not in _KEYS:
            raise LabelMassError(f"{file.name}: unknown key {key!r} (keys: {', '.join(_KEYS)})")
    targets = tuple(map(str, keys["targets"]))
    unmapped = keys.get("unmapped", "unknown")
    if unmapped not in ("unknown", "absent"):
        raise LabelMassError(f'{file.name}: unmapped is {unmapped!r}: "unknown" or "absent"')
    labels: dict[str, tuple[str, ...]] = {}
    for label, goes_to in keys["labels"].items():
        if not isinstance(goes_to, list) or not all(one in targets for one in goes_to):
            raise LabelMassError(
                f"{file.name}: labels.{label} is {goes_to!r}: expected a list of targets "
                f"({', '.join(targets)}), empty to drop the label"
            )
        labels[label] = tuple(goes_to)
    return LabelMap(file, targets, labels, unmapped)
