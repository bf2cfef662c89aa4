from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.errors import LabelMassError
from labelmass.scoring.journal import Journal, journal_path

SIGNATURE: dict[str, Any] = {"model": "m", "tolerance": 0.01, "task": {"hash": "abc"}}


def record(key: int) -> dict[str, Any]:
    return {
        "id": f"r{key}",
        "labels": {"joy": {"p": 0.5, "low": 0.4, "high": 0.6}},
        "greedy": "ü\n",
    }


def test_records_come_back_in_input_order(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "x.jsonl")
    assert path.name == "x.jsonl.journal"
    with Journal(path, SIGNATURE) as journal:
        journal.append([(3, record(3)), (1, record(1))])
        journal.append([])
        journal.append([(2, record(2))])
        assert list(journal.records()) == [record(1), record(2), record(3)]
        assert list(journal.records([2, 3])) == [record(2), record(3)]
        assert journal.finished == {1, 2, 3}
    with Journal(path, SIGNATURE) as journal:
        assert len(journal) == 3
        assert 2 in journal
        assert 4 not in journal
        journal.append([(4, record(4))])
        assert [each["id"] for each in journal.records()] == ["r1", "r2", "r3", "r4"]
        journal.remove()
    assert not path.exists()


def test_what_is_appended_is_on_file_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append([(1, record(1))])
        lines = (tmp_path / "j").read_bytes().splitlines()
        head = {"labelmass_journal": 2, "input": "", "signature": SIGNATURE}
        assert json.loads(lines[0]) == head
        assert json.loads(lines[1]).items() >= {"key": 1, "record": record(1)}.items()


def test_no_record_twice(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append([(1, record(1))])
        with pytest.raises(ValueError, match="record 1 is in the journal"):
            journal.append([(2, record(2)), (1, record(1))])
        assert journal.finished == {1}
        assert len(list(journal.records())) == 1


def test_numbers_that_are_no_json_are_refused_whole(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        with pytest.raises(ValueError, match="JSON"):
            journal.append([(1, record(1)), (2, {"id": 2, "none": float("nan")})])
        journal.append([(1, record(1))])
        assert list(journal.records()) == [record(1)]


def test_a_failed_write_leaves_no_half_line(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append([(1, record(1))])
        real = journal._file  # pyright: ignore[reportPrivateUsage]

        class Full:
            def write(self, data: memoryview) -> int:
                real.write(data[:10])
                raise OSError("disk full")

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

        journal._file = Full()  # pyright: ignore
        with pytest.raises(OSError, match="disk full"):
            journal.append([(2, record(2))])
        journal._file = real  # pyright: ignore
        journal.append([(3, record(3))])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        assert list(journal.records()) == [record(1), record(3)]


def test_lone_surrogates_survive(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append([(1, {"id": 1, "greedy": "a\udcffb"})])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        assert next(journal.records())["greedy"] == "a\udcffb"


@property_test(200)
@given(st.data())
def test_cut_anywhere_nothing_is_lost_or_doubled(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "j")
        with Journal(path, SIGNATURE) as journal:
            journal.append((key, record(key)) for key in range(1, 5))
        whole = path.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        noise = data.draw(st.sampled_from([b"", b"\0" * 20, b'{"key": 9\n', b"\xff\n"]))
        tail = noise if cut > whole.index(b"\n") else b""
        path.write_bytes(whole[:cut] + tail)
        with Journal(path, SIGNATURE) as journal:
            expected = max(whole[:cut].count(b"\n") - 1, 0)
            assert len(journal) == expected
            missing = [key for key in range(1, 5) if key not in journal]
            journal.append((key, record(key)) for key in missing)
        assert path.read_bytes() == whole


def test_another_run_is_told_what_differs(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append([(1, record(1))])
    other = SIGNATURE | {"tolerance": 0.05, "task": {"hash": "def"}, "method": "hard"}
    with pytest.raises(LabelMassError) as caught:
        Journal(tmp_path / "j", other)
    text = str(caught.value)
    assert "tolerance was 0.01, now 0.05" in text
    assert "task.hash was 'abc', now 'def'" in text
    assert "method was None, now 'hard'" in text
    assert "model" not in text.replace("labelmass", "")
    assert "--overwrite" in text
    with Journal(tmp_path / "j", other, overwrite=True) as journal:
        assert len(journal) == 0


def test_a_run_that_finished_nothing_stands_in_no_others_way(tmp_path: Path) -> None:
    Journal(tmp_path / "j", SIGNATURE).close()
    other = SIGNATURE | {"tolerance": 0.05}
    with Journal(tmp_path / "j", other) as journal:
        journal.append([(1, record(1))])
    with Journal(tmp_path / "j", other) as journal:
        assert journal.finished == {1}
    with pytest.raises(LabelMassError, match=r"tolerance was 0\.05, now 0\.01"):
        Journal(tmp_path / "j", SIGNATURE)


def test_a_signature_of_tuples_is_its_own_after_json(tmp_path: Path) -> None:
    Journal(tmp_path / "j", {"methods": ("a", "b")}).close()
    Journal(tmp_path / "j", {"methods": ["a", "b"]}).close()


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "j"
    for content in (b"precious", b"precious\nlines\n", b'{"labelmass_journa\n'):
        file.write_bytes(content)
        with pytest.raises(LabelMassError, match="is not a journal"):
            Journal(file, SIGNATURE)
        assert file.read_bytes() == content


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
def test_two_runs_cannot_write_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append([(1, record(1))])
        with pytest.raises(LabelMassError, match="being written by another run"):
            Journal(tmp_path / "j", SIGNATURE, overwrite=True)
        assert len(list(journal.records())) == 1
    Journal(tmp_path / "j", SIGNATURE).close()


WORKER = """
import sys
from labelmass.scoring.journal import Journal
with Journal(sys.argv[1], {"run": 1}) as journal:
    print("open", flush=True)
    for start in range(1, 4001, 4):
        keys = [key for key in range(start, start + 4) if key not in journal]
        journal.append((key, {"id": key, "text": "x" * key}) for key in keys)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for delay in (0.0, 0.003, 0.01, 0.02):
        with subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE
        ) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            time.sleep(delay)
            worker.send_signal(signal.SIGKILL)
    subprocess.run([sys.executable, "-c", WORKER, str(path)], check=True, capture_output=True)
    lines = path.read_bytes().splitlines()[1:]
    assert sorted(json.loads(line)["key"] for line in lines) == list(range(1, 4001))
    with Journal(path, {"run": 1}) as journal:
        assert [each["id"] for each in journal.records()] == list(range(1, 4001))
