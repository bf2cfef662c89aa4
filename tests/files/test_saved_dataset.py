"""Folders of the library `datasets`; the one here was written by its version 5.2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from labelmass.errors import LabelMassError
from labelmass.files import is_saved_dataset, open_saved_dataset

FOLDER = Path(__file__).parent / "saved_dataset"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of one split, to damage."""
    return Path(shutil.copytree(FOLDER / "train", tmp_path / "train"))


def test_rows_have_names_in_place_of_the_numbers_of_classes() -> None:
    with open_saved_dataset(FOLDER / "train") as dataset:
        assert (dataset.table.columns, dataset.table.count) == (("id", "text", "labels", "tone"), 3)
        assert dataset.table.texts == {"id", "text"}
        assert list(dataset.rows()) == [
            (1, {"id": "a", "text": "so happy", "labels": ["joy"], "tone": "calm"}),
            (2, {"id": "b", "text": "rain", "labels": [], "tone": "loud"}),
            (3, {"id": "c", "text": "grim and happy", "labels": ["fear", "joy"], "tone": None}),
        ]


def test_the_files_of_a_dataset_are_read_in_order(folder: Path) -> None:
    state = json.loads((folder / "state.json").read_text())
    shutil.copy(folder / "data-00000-of-00001.arrow", folder / "more.arrow")
    state["_data_files"].append({"filename": "more.arrow"})
    (folder / "state.json").write_text(json.dumps(state))
    with open_saved_dataset(folder) as dataset:
        assert dataset.table.count == 6
        ids = [(number, row["id"]) for number, row in dataset.rows(["id"])]
    assert ids == list(zip(range(1, 7), "abcabc", strict=True))


def test_a_folder_of_splits_names_them() -> None:
    assert is_saved_dataset(FOLDER)
    with (
        pytest.raises(LabelMassError, match=r"several splits \(train, test\).*/train'"),
        open_saved_dataset(FOLDER),
    ):
        pass


def test_other_folders_are_no_datasets(tmp_path: Path) -> None:
    assert not is_saved_dataset(tmp_path)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("{", "state.json is damaged"),
        ('{"_data_files": []}', "state.json is damaged"),
        ('{"_data_files": [{"filename": "../x.arrow"}]}', "state.json is damaged"),
        ('{"_data_files": [{"filename": "x.arrow"}]}', "x.arrow is missing"),
        (
            '{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}',
            "save it again with a later one",
        ),
    ],
)
def test_a_damaged_state_is_named(folder: Path, state: str, said: str) -> None:
    (folder / "state.json").write_text(state)
    with pytest.raises(LabelMassError, match=said), open_saved_dataset(folder):
        pass


@pytest.mark.parametrize("keep", [0, 100, 800])
def test_a_damaged_file_of_rows_is_named(folder: Path, keep: int) -> None:
    file = folder / "data-00000-of-00001.arrow"
    file.write_bytes(file.read_bytes()[:keep])
    with (
        pytest.raises(LabelMassError, match="not a saved dataset, or a damaged one"),
        open_saved_dataset(folder) as dataset,
    ):
        list(dataset.rows())
