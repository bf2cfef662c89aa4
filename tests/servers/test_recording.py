"""Recorded answers are read as they were written, and hold nothing of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers.recording import FOLDER, REPEAT, Recording, expanded, lasting, pretty

FILES = sorted(FOLDER.glob("*/*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_recording_is_written_as_it_was_read(file: Path, tmp_path: Path) -> None:
    recording = Recording.read(file)
    recording.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == file.read_text()


def test_what_is_fleeting_is_replaced() -> None:
    answer = {"id": "cmpl-1f", "created": 17, "choices": [{"id": 33, "root": "/home/me/model"}]}
    assert lasting(answer) == {
        "id": "cmpl-0",
        "created": 0,
        "choices": [{"id": 33, "root": "/models/smollm2"}],
    }


def test_a_shortened_list_is_sent_whole() -> None:
    assert expanded({"prompt": [{REPEAT: [7, 3]}], "n": 1}) == {"prompt": [[7, 7, 7]], "n": 1}


def test_lists_of_numbers_stand_on_one_line() -> None:
    assert pretty({"a": [1, -2.5e-07], "b": ["[\n1\n]"]}) == (
        '{\n  "a": [1, -2.5e-07],\n  "b": [\n    "[\\n1\\n]"\n  ]\n}\n'
    )
