"""Folders that the Hugging Face library `datasets` writes with `save_to_disk`.

DIR/dataset_info.json  features: a type for each column, and the names of classes
DIR/state.json         names of the Arrow files that hold the rows, in order
DIR/*.arrow            rows, as streams of Arrow

A folder of several splits holds dataset_dict.json and a folder like this for each. Neither
`datasets` nor anything in the folder is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from labelmass.errors import LabelMassError
from labelmass.files.documents import read_json, shaped
from labelmass.files.parquet import ArrowTable, import_pyarrow, refusing

INFO, STATE, SPLITS = "dataset_info.json", "state.json", "dataset_dict.json"

Decode = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Splits:
    splits: list[str]


@dataclass(frozen=True, slots=True)
class _DataFile:
    filename: str


@dataclass(frozen=True, slots=True)
class _State:
    _data_files: list[_DataFile]
    _indices_data_files: list[_DataFile] | None = None


@dataclass(frozen=True, slots=True)
class _Info:
    features: Mapping[str, Any] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class SavedDataset:
    """An open dataset.

    Attributes:
        table: Its columns, and its rows with classes as numbers.
    """

    table: ArrowTable
    _decoders: Mapping[str, Decode]

    def rows(self, columns: list[str] | None = None) -> Iterator[tuple[int, Any]]:
        """As `ArrowTable.rows`, with the names of classes in place of their numbers."""
        for number, row in self.table.rows(columns):
            if isinstance(row, dict):
                row = {
                    name: self._decoders[name](value) if name in self._decoders else value
                    for name, value in cast("dict[str, Any]", row).items()
                }
            yield number, row


def is_saved_dataset(folder: str | Path) -> bool:
    """True for a folder of `save_to_disk`, of one split or of several."""
    folder = Path(folder)
    return (folder / SPLITS).is_file() or all((folder / name).is_file() for name in (INFO, STATE))


@contextmanager
def open_saved_dataset(folder: str | Path) -> Generator[SavedDataset]:
    """A folder that `save_to_disk` wrote, open for reading.

    Raises:
        LabelMassError: For a folder of several splits, with their names; also later, for a folder
            that is damaged or incomplete.
    """
    folder = Path(folder)
    if (folder / SPLITS).is_file():
        splits = _read(_Splits, folder / SPLITS).splits
        example = folder / (splits[0] if splits else "train")
        raise LabelMassError(
            f"{str(folder)!r} holds several splits ({', '.join(splits)}): give the folder of one, "
            f"such as {str(example)!r}"
        )
    names = _data_files(folder)
    pyarrow, _ = import_pyarrow()
    files = [folder / name for name in names]

    def batches(columns: list[str] | None) -> Iterator[Any]:
        for file in files:
            with pyarrow.memory_map(str(file)) as source:
                for batch in pyarrow.ipc.open_stream(source):
                    yield batch if columns is None else batch.select(columns)

    with refusing(str(folder), "a saved dataset"):
        with pyarrow.memory_map(str(files[0])) as source:
            schema = pyarrow.ipc.open_stream(source).schema
        count = sum(batch.num_rows for batch in batches([]))
        table = ArrowTable.of(str(folder), schema, count, batches)
    features = _read(_Info, folder / INFO).features or {}
    decoders = {name: decode for name, one in features.items() if (decode := _decoder(one))}
    yield SavedDataset(table, decoders)


def _data_files(folder: Path) -> list[str]:
    state = _read(_State, folder / STATE)
    if state._indices_data_files:
        raise LabelMassError(
            f"{str(folder)!r} is of an old version of `datasets`, which kept the order of the rows "
            "in a file of its own: load it and save it again with a later one"
        )
    names = [one.filename for one in state._data_files]
    if not names or any(Path(name).name != name for name in names):
        raise LabelMassError(f"{folder / STATE} is damaged: its data files are {names}")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise LabelMassError(
            f"{str(folder)!r} is incomplete: {', '.join(missing)} is missing; copy the whole folder"
        )
    return names


def _read(kind: type[Any], path: Path) -> Any:
    try:
        return shaped(kind, read_json(path))
    except LabelMassError as error:
        raise LabelMassError(f"{path} is damaged: {error}") from None


def _decoder(feature: Any) -> Decode | None:
    """Function from the number of a class to its name; None for a feature without classes.

    A negative number stands for no class.
    """
    if isinstance(feature, list) and len(cast("list[Any]", feature)) == 1:  # of older versions
        feature = {"_type": "List", "feature": feature[0]}
    if not isinstance(feature, Mapping):
        return None
    described = cast("Mapping[str, Any]", feature)
    if described.get("_type") == "ClassLabel" and isinstance(described.get("names"), list):
        return _class_name(cast("list[str]", described["names"]))
    if described.get("_type") in ("List", "LargeList", "Sequence"):
        inner = _decoder(described.get("feature"))
        if inner is not None:
            return lambda value: None if value is None else [inner(one) for one in value]
    return None


def _class_name(names: list[str]) -> Decode:
    def name_of(value: Any) -> Any:
        if not isinstance(value, int) or value >= len(names):
            return value
        return None if value < 0 else names[value]

    return name_of
