"""A journal that goes on with a changed input, against a dictionary; and what damage does to it."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.errors import LabelMassError
from labelmass.records import BadRecord
from labelmass.scoring.journal import Journal
from labelmass.scoring.journal_lines import read_journal, read_stamps
from labelmass.scoring.resuming import Input, Stamp, match
from labelmass.task import Record

SIGNATURE = {"model": "m"}
Items = list[tuple[int, Record | BadRecord]]


def items_of(rows: Sequence[tuple[Any, str, str]]) -> Items:
    """(id, text, label) each; a text 'unreadable' is none."""
    return [
        (number, BadRecord(name, "no text"))
        if text == "unreadable"
        else (number, Record(name, text=text, extra={"labels": [label]}))
        for number, (name, text, label) in enumerate(rows, start=1)
    ]


def result_of(item: Record | BadRecord) -> dict[str, Any]:
    """What a run would say of it: all depends on the text, except for the copies of its fields."""
    if isinstance(item, BadRecord) or "fails" in (item.text or ""):
        return {"id": item.id, "error": "no"}
    return {"id": item.id, "score": f"of {item.text}", "labels": item.extra["labels"]}


def renew(line: dict[str, Any], record: Record) -> dict[str, Any]:
    return line | {"id": record.id, "labels": record.extra["labels"]}


ROWS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(["a", "b", 3, "3"]), st.integers(0, 9)),
        st.sampled_from(["x", "y", "z", "w", "fails", "unreadable"]),
        st.sampled_from(["joy", "fear"]),
    ),
    max_size=8,
)


@property_test(150)
@given(st.data())
def test_any_number_of_stops_and_changes_lose_double_and_keep_nothing_old(
    data: st.DataObject,
) -> None:
    """Counts and content against a dictionary of what was scored well, by content."""
    scored: Counter[str] = Counter()
    lines: list[str] = []  # digests, line by line, "" for a failure
    with TemporaryDirectory() as folder:
        path = Path(folder, "j")
        for _ in range(data.draw(st.integers(1, 4))):
            items = items_of(data.draw(ROWS))
            with Journal(path, SIGNATURE, source="in") as journal:
                changes = journal.resume(lambda items=items: iter(items), renew)
                wanted = Counter(Stamp.of(item).digest for _, item in items)
                kept = (wanted & scored).total()
                assert (changes.kept if changes else 0) == kept == len(journal)
                if changes is not None:
                    tried = changes.kept + changes.changed + changes.new + changes.failed
                    assert tried == len(items)
                    assert changes.kept + changes.changed + changes.gone + changes.failed == len(
                        lines
                    )
                for key in journal.finished:
                    assert journal.read(key) == result_of(items[key - 1][1])
                left = list(journal.left(items))
                assert len(left) == len(items) - kept
                some = data.draw(st.permutations(left))[: data.draw(st.integers(0, len(left)))]
                for key, item in some:
                    journal.append([(key, result_of(item))])
                if len(some) == len(left):
                    assert list(journal.records()) == [result_of(item) for _, item in items]
            if data.draw(st.booleans()):
                with path.open("ab") as file:  # killed while it wrote a line
                    file.write(b'{"crc":"0123')
            lines = [
                "" if row.get("failed") else row["digest"]
                for row in map(json.loads, path.read_bytes().splitlines()[1 : len(journal) + 1])
            ]
            scored = Counter(digest for digest in lines if digest)
            assert scored.total() == sum(
                "error" not in result_of(items[key - 1][1]) for key in journal.finished
            )


@property_test(120)
@given(st.data())
def test_a_damaged_line_costs_one_record(data: st.DataObject) -> None:
    items = items_of([(n, f"text {n}", "joy") for n in range(6)])
    with TemporaryDirectory() as folder:
        path = Path(folder, "j")
        with Journal(path, SIGNATURE) as journal:
            journal.append((key, result_of(item)) for key, item in journal.left(items))
        rows = path.read_bytes().splitlines(keepends=True)
        index = data.draw(st.integers(1, 6))
        at = data.draw(st.integers(0, len(rows[index]) - 2))
        byte = data.draw(st.integers(0, 255).filter(lambda b: b not in (rows[index][at], 10)))
        rows[index] = rows[index][:at] + bytes([byte]) + rows[index][at + 1 :]
        path.write_bytes(b"".join(rows))
        if index < 6:
            with pytest.raises(LabelMassError, match=f"line {index + 1} of .* is damaged"):
                list(read_journal(path))
        else:
            assert len(list(read_journal(path))) == 5
        with Journal(path, SIGNATURE) as journal:
            changes = journal.resume(lambda: iter(items), renew)
            assert changes is not None
            assert (changes.kept, changes.new, changes.damaged) == (5, 1, int(index < 6))
            assert f"{index}" not in {str(key) for key in journal.finished}
            journal.append((key, result_of(item)) for key, item in journal.left(items))
        found = [line for _, line in read_journal(path)]
        assert found == [result_of(item) for _, item in items]


def test_two_lines_run_together_are_two_damaged_records(tmp_path: Path) -> None:
    items = items_of([(n, f"text {n}", "joy") for n in range(4)])
    path = tmp_path / "j"
    with Journal(path, SIGNATURE) as journal:
        journal.append((key, result_of(item)) for key, item in journal.left(items))
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([rows[0], rows[1], rows[2].rstrip(b"\n"), *rows[3:]]))
    with Journal(path, SIGNATURE) as journal:
        changes = journal.resume(lambda: iter(items), renew)
        assert str(changes) == "2 kept, 0 changed, 0 gone, 2 new, 1 damaged"
        assert journal.finished == {1, 4}


def test_what_changed_is_counted_by_id(tmp_path: Path) -> None:
    before = items_of([(f"r{n}", f"text {n}", "joy") for n in range(40)])
    with Journal(tmp_path / "j", SIGNATURE, source="in") as journal:
        journal.append((key, result_of(item)) for key, item in [*journal.left(before)][:32])
    rows = [(f"r{n}", f"text {n}{'!' if n in (1, 5, 9) else ''}", "joy") for n in range(4, 40)]
    rows[3:3] = [("new", "text 30", "joy")]
    with Journal(tmp_path / "j", SIGNATURE, source="in") as journal:
        changes = journal.resume(lambda: iter(items_of(rows)), renew)
        assert str(changes) == "26 kept, 2 changed, 4 gone, 9 new"
    rows = [(f"other {n}", f"another text {n}", "joy") for n in range(40)]
    with Journal(tmp_path / "j", SIGNATURE, source="in") as journal:
        changes = journal.resume(lambda: iter(items_of(rows)), renew)
        assert str(changes) == "0 kept, 0 changed, 26 gone, 40 new"
        assert len(journal) == 0
        assert len(list(journal.left(items_of(rows)))) == 40


def test_neither_place_nor_id_nor_labels_cost_a_result(tmp_path: Path) -> None:
    before = items_of([(n, f"text {n}", "joy") for n in range(9)])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append((key, result_of(item)) for key, item in journal.left(before))
    after = items_of([(f"id {n}", f"text {n}", "fear") for n in reversed(range(9))])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        changes = journal.resume(lambda: iter(after), renew)
        assert str(changes) == "9 kept, 0 changed, 0 gone, 0 new"
        assert list(journal.records()) == [result_of(item) for _, item in after]
    inode = (tmp_path / "j").stat().st_ino
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.resume(lambda: iter(after), renew)
    assert (tmp_path / "j").stat().st_ino == inode  # nothing moved: not written again


def test_records_of_equal_content_have_a_line_each(tmp_path: Path) -> None:
    twins = items_of([("a", "x", "joy"), ("b", "x", "joy"), ("c", "y", "joy"), ("d", "x", "joy")])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append((key, result_of(item)) for key, item in [*journal.left(twins)][:2])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        changes = journal.resume(lambda: iter(twins[1:]), renew)
        assert str(changes) == "2 kept, 0 changed, 0 gone, 1 new"
        assert [row["id"] for row in journal.records()] == ["b", "d"]
    matching = match({1: Stamp("a", "x"), 2: Stamp("b", "x")}, [])
    assert (matching.changes.gone, dict(matching.key_of)) == (2, {})


def test_failures_are_tried_again(tmp_path: Path) -> None:
    rows = [("a", "x", "joy"), ("b", "fails", "joy"), ("c", "unreadable", "joy"), ("d", "z", "joy")]
    items = items_of(rows)
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append((key, result_of(item)) for key, item in [*journal.left(items)][:3])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        changes = journal.resume(lambda: iter(items), renew)
        told = "1 kept, 0 changed, 0 gone, 1 new, 2 failed before and tried again"
        assert str(changes) == told
        assert journal.finished == {1}


def test_the_journal_of_another_input_is_not_spent(tmp_path: Path) -> None:
    ours = items_of([(n, f"text {n}", "joy") for n in range(5)])
    other = items_of([(n, f"another {n}", "joy") for n in range(5)])
    with Journal(tmp_path / "j", SIGNATURE, source="ours.jsonl") as journal:
        journal.append((key, result_of(item)) for key, item in journal.left(ours))
    with (
        Journal(tmp_path / "j", SIGNATURE, source="other.jsonl") as journal,
        pytest.raises(LabelMassError, match=r"keeps 5 records of ours\.jsonl, and none"),
    ):
        journal.resume(lambda: iter(other), renew)
    with Journal(tmp_path / "j", SIGNATURE, source="renamed.jsonl") as journal:
        assert str(journal.resume(lambda: iter(ours[1:]), renew)) == (
            "4 kept, 0 changed, 1 gone, 0 new"
        )
    with Journal(tmp_path / "j", SIGNATURE, source="renamed.jsonl") as journal:
        assert str(journal.resume(lambda: iter(other), renew)) == (
            "0 kept, 4 changed, 0 gone, 1 new"
        )


def test_lines_are_not_used_before_the_input_is_known(tmp_path: Path) -> None:
    items = items_of([(n, f"text {n}", "joy") for n in range(3)])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append((key, result_of(item)) for key, item in [*journal.left(items)][:2])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        with pytest.raises(RuntimeError, match="resume"):
            list(journal.left(items))
        with pytest.raises(RuntimeError, match="resume"):
            journal.expect(3, items[2][1])


def test_a_failed_rewrite_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = items_of([(n, f"text {n}", "joy") for n in range(4)])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append((key, result_of(item)) for key, item in journal.left(items))
    before = (tmp_path / "j").read_bytes()

    def full(line: dict[str, Any], record: Record) -> dict[str, Any]:
        raise OSError("disk full")

    renamed = items_of([(f"id {n}", f"text {n}", "joy") for n in range(4)])
    with Journal(tmp_path / "j", SIGNATURE) as journal, pytest.raises(OSError, match="disk full"):
        journal.resume(lambda: iter(renamed), full)
    assert (tmp_path / "j").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["j"]


def test_what_a_killed_rewrite_left_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / ".j.partial").write_text("half a journal")
    Journal(tmp_path / "j", SIGNATURE).close()
    assert [file.name for file in tmp_path.iterdir()] == ["j"]


def test_journals_of_other_versions_are_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_text(
        json.dumps({"labelmass_journal": 1, "signature": {"input": "in", "run": SIGNATURE}})
        + "\n"
        + json.dumps({"key": 2, "record": {"id": "b", "p": 0.5}})
        + "\n"
        + json.dumps({"key": 1, "record": {"id": "a"}})
        + "\n"
    )
    with pytest.raises(LabelMassError) as caught:
        Journal(path, SIGNATURE)
    assert "is of journal version 1, which does not say what its records said" in str(caught.value)
    assert "give --overwrite to begin anew" in str(caught.value)
    assert list(read_journal(path)) == [(1, {"id": "a"}), (2, {"id": "b", "p": 0.5})]
    assert read_stamps(path) == {}
    path.write_text('{"labelmass_journal": 3, "input": "", "signature": {}}\n{"key": 1}\n')
    with pytest.raises(LabelMassError, match="is of journal version 3; this labelmass writes"):
        Journal(path, SIGNATURE)
    for head in ('{"labelmass_journal":2,"inp\n', '{"labelmass_journal":}\n'):
        path.write_text(head + '{"key": 1}\n')
        with pytest.raises(LabelMassError, match=r"first line of .* is damaged"):
            Journal(path, SIGNATURE)
        with pytest.raises(LabelMassError, match="or is damaged"):
            list(read_journal(path))
    Journal(path, SIGNATURE, overwrite=True).close()
    assert list(read_journal(path)) == []


def test_ids_of_every_kind_come_back(tmp_path: Path) -> None:
    names = ['a","record":{', "ü\u2028\n", -7, 0, 10**20, "", "\\", "3", 3]
    items = items_of([(name, f"text {n}", "joy") for n, name in enumerate(names)])
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        journal.append((key, result_of(item)) for key, item in journal.left(items))
    with Journal(tmp_path / "j", SIGNATURE) as journal:
        assert journal.resume(lambda: iter(items), renew) is not None
        assert [row["id"] for row in journal.records()] == names
    assert [stamp.id for stamp in read_stamps(tmp_path / "j").values()] == names


def test_standard_input_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b'{"text": "a"}\n{"text": "b"}\n')

    monkeypatch.setattr("sys.stdin", Stdin())
    with Input("-") as source:
        first = list(source.reread())
        assert [item.plain for _, item in first if isinstance(item, Record)] == ["a", "b"]
        assert list(source.reread()) == first
        assert list(source.read()) == first
    Stdin.buffer.seek(0)
    with Input("-") as source:
        assert list(source.read()) == first
        assert list(source.read()) == []  # nothing was copied
