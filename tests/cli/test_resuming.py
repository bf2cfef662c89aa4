"""Runs that stop and go on, with an input that has changed meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import labelmass
from conftest import TASK, mood_script
from helpers.commands import records, run, write_lines
from helpers.property_tests import LONG
from labelmass.errors import LabelMassError
from labelmass.lm.base import NextTokenLogprobs, NodeQuery
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.task import Task

TEXTS = [{"id": f"r{n}", "text": f"{'happy' if n % 2 else 'sad'} {n}"} for n in range(40)]


class Counting(ScriptedLanguageModel):
    """The mood model. seen: texts that it read, one by one. last: after so many it is stopped.

    broken: what it cannot read.
    """

    def __init__(self) -> None:
        super().__init__(mood_script, ["joy", "fear", "ful", "none", ", ", "\n\n"])
        self.seen: list[str] = []
        self.last: int | None = None
        self.broken: set[str] = set()

    def rows(self, asks: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        for ask in asks:
            text = self._records[ask.record][0].split("\n\n")[1].split("\n")[0]
            if text in self.broken:
                raise MemoryError
            if ask.node == 0:
                if len(self.seen) == self.last:
                    raise KeyboardInterrupt
                self.seen.append(text)
        return super().rows(asks)


@pytest.fixture
def model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    found = Counting()
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: found)
    write_lines("in.jsonl", TEXTS)
    return found


def score(*further: str, source: str = "in.jsonl", out: str = "out.jsonl", **how: Any) -> Result:
    asked = ("-t", "mood.toml", "--batch-size", "1", "--out", out)
    return run("score", source, *asked, *further, **how)


def stop(model: Counting, *further: str, after: int = 32, **how: Any) -> None:
    """Begin a run that is interrupted after so many records."""
    model.last = after
    score(*further, code=1, **how)
    model.last = None
    assert len(model.seen) == after
    model.seen.clear()


def resumed(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("resumed")]


def fresh(rows: Sequence[dict[str, Any]]) -> list[Any]:
    found = labelmass.score(rows, Task.from_toml(TASK), Counting()).to_dicts()
    return [(row["id"], row["labels"]) for row in found]


def written(path: str = "out.jsonl") -> list[Any]:
    return [(row["id"], row["labels"]) for row in records(path)]


def test_the_same_input_goes_on(model: Counting) -> None:
    stop(model)
    again = score()
    assert resumed(again) == ["resumed: 32 kept, 0 changed, 0 gone, 8 new"]
    assert len(model.seen) == 8
    assert written() == fresh(TEXTS)
    assert not Path("out.jsonl.journal").exists()
    assert resumed(score()) == []


def test_nothing_is_left_of_another_input(model: Counting) -> None:
    stop(model)
    other = [{"id": f"q{n}", "text": f"happy other {n}"} for n in range(40)]
    write_lines("in.jsonl", other)
    assert resumed(score()) == ["resumed: 0 kept, 0 changed, 32 gone, 40 new"]
    assert len(model.seen) == 40
    assert written() == fresh(other)


@pytest.mark.parametrize("further", [(), ("--keep-trees", "trees")])
def test_what_changed_is_scored_anew(model: Counting, further: tuple[str, ...]) -> None:
    stop(model, *further)
    rows = [dict(row) for row in TEXTS[3:]]
    for n in (0, 4, 9, 15, 20):
        rows[n]["text"] += " again"
    rows[7]["id"] = "renamed"
    rows = [*rows[20:], {"id": "more", "text": "happy more"}, *rows[:20]]
    write_lines("in.jsonl", rows)
    assert resumed(score(*further)) == ["resumed: 24 kept, 5 changed, 3 gone, 9 new"]
    assert len(model.seen) == 14
    assert written() == fresh(rows)
    if further:
        kept = [one for one in SavedTrees("trees") if isinstance(one, ExploredRecord)]
        assert [one.record.to_dict() for one in kept] == rows


def test_lines_without_ids_keep_their_results_wherever_they_stand(model: Counting) -> None:
    lines = [row["text"] for row in TEXTS]
    Path("in.txt").write_text("\n".join(lines))
    stop(model, source="in.txt")
    lines.insert(0, "a new first line")
    Path("in.txt").write_text("\n".join(lines))
    assert resumed(score(source="in.txt")) == ["resumed: 32 kept, 0 changed, 0 gone, 9 new"]
    assert written() == fresh([{"id": n, "text": text} for n, text in enumerate(lines, 1)])


def test_standard_input_goes_on(model: Counting) -> None:
    def lines(rows: Sequence[dict[str, Any]]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    stop(model, source="-", stdin=lines(TEXTS))
    rows = [{**TEXTS[5], "text": "rain"}, *TEXTS[8:]]
    again = score(source="-", stdin=lines(rows))
    assert resumed(again) == ["resumed: 24 kept, 1 changed, 7 gone, 8 new"]
    assert written() == fresh(rows)


def test_sampling_depends_on_what_a_record_says_alone(model: Counting) -> None:
    asked = ("--method", "sampling", "--samples", "7")
    rows = [*TEXTS[:6], {"id": "twin", "text": TEXTS[0]["text"]}]
    write_lines("in.jsonl", rows)
    stop(model, *asked, after=4)
    write_lines("in.jsonl", [{**row, "id": f"{row['id']}!"} for row in reversed(rows)])
    assert resumed(score(*asked)) == ["resumed: 4 kept, 0 changed, 0 gone, 3 new"]
    found = {row["id"].rstrip("!"): row["labels"] for row in records("out.jsonl")}
    task = Task.from_toml(TASK)
    plain = labelmass.score(rows, task, Counting(), methods=["sampling"], samples=7).to_dicts()
    assert found == {row["id"]: row["labels"] for row in plain}
    assert found["twin"] == found["r0"]
    assert len({json.dumps(one) for one in found.values()}) > 2


def test_failures_are_tried_again_and_results_are_not(model: Counting) -> None:
    model.broken = {TEXTS[3]["text"], TEXTS[9]["text"]}
    Path("in.jsonl").write_text(Path("in.jsonl").read_text() + "not json\n")
    first = score("--keep-trees", "trees")
    assert "3 records could not be scored" in first.stderr
    third = {"id": "r3", "error": "MemoryError", "input": {"text": TEXTS[3]["text"]}}
    assert records("out.jsonl")[3] == third
    model.broken, model.seen = set(), []
    again = score("--keep-trees", "trees")
    told = "38 kept, 0 changed, 0 gone, 0 new, 3 failed before and tried again"
    assert resumed(again) == [f"resumed, trees in trees: {told}"]
    assert sorted(model.seen) == sorted([TEXTS[3]["text"], TEXTS[9]["text"]])
    assert [row["id"] for row in records("out.jsonl")] == [*(row["id"] for row in TEXTS), 41]
    assert [(r["id"], r["labels"]) for r in records("out.jsonl")[:40]] == fresh(TEXTS)
    assert [isinstance(one, ExploredRecord) for one in SavedTrees("trees")] == [True] * 40 + [False]


def test_trees_of_a_finished_run_are_read_and_only_changes_are_grown(model: Counting) -> None:
    score("--keep-trees", "trees")
    assert len(model.seen) == 40
    model.seen.clear()
    rows = [*TEXTS[1:], {"id": "new", "text": "happy new"}]
    rows[0] = {**rows[0], "labels": ["joy"]}
    write_lines("in.jsonl", rows)
    told = "resumed, trees in trees: 39 kept, 0 changed, 1 gone, 1 new"
    assert resumed(score("--keep-trees", "trees")) == [told]
    assert model.seen == ["happy new"]
    assert written() == fresh(rows)
    shown = run("score", "in.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--json")
    assert resumed(shown) == ["resumed, trees in trees: 40 kept, 0 changed, 0 gone, 0 new"]
    printed = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(row["id"], row["labels"]) for row in printed] == fresh(rows)
    assert next(iter(SavedTrees("trees").records())).extra == {"labels": ["joy"]}


def test_a_prior_of_the_batch_is_that_of_the_input_as_it_is(model: Counting) -> None:
    asked = ("--contextual-calibration", "batch", "--keep-trees", "trees")
    stop(model, *asked)
    rows = [*TEXTS[10:], {"id": "new", "text": "happy new"}]
    write_lines("in.jsonl", rows)
    told = "resumed, trees in trees: 22 kept, 0 changed, 10 gone, 9 new"
    assert resumed(score(*asked)) == [told]
    run("score", "in.jsonl", "-t", "mood.toml", *asked[:2], "--keep-trees", "other",
        "--out", "other.jsonl")  # fmt: skip
    assert written() == written("other.jsonl")


@pytest.mark.usefixtures("model")
def test_saved_trees_say_when_their_file_has_changed() -> None:
    run("score", "in.jsonl", "-t", "mood.toml", "--keep-trees", "deep/trees", "--out", "out.jsonl")
    read = ("score", "deep/trees", "--out", "again.jsonl")

    def note() -> list[str]:
        return [line for line in run(*read).stderr.splitlines() if line.startswith("note")]

    assert note() == []
    write_lines("in.jsonl", [{**row, "labels": ["joy"]} for row in TEXTS])
    (line,) = note()
    assert "in.jsonl has changed since the trees in deep/trees were grown" in line
    assert "(ids, order or fields other than the text)" in line
    write_lines("in.jsonl", [{**TEXTS[0], "text": "rain"}, *TEXTS[3:]])
    (line,) = note()
    assert "(37 kept, 1 changed, 2 gone, 0 new)" in line
    assert [name for name, _ in written("again.jsonl")] == [row["id"] for row in TEXTS]
    assert "37 kept" in run("explain", "deep/trees", "--id", "r1").stderr
    os.rename("in.jsonl", "elsewhere.jsonl")
    assert note() == []
    write_lines("in.jsonl", TEXTS)
    Path("moved").mkdir()
    os.rename("deep", "moved/deep")
    os.rename("in.jsonl", "moved/in.jsonl")
    result = run("score", "moved/deep/trees", "--out", "again.jsonl")
    assert "note" not in result.stderr
    write_lines("moved/in.jsonl", TEXTS[1:])
    assert "1 gone" in run("score", "moved/deep/trees", "--out", "again.jsonl").stderr


def test_a_comparison_reads_what_changed_and_judges_by_the_labels_of_today(
    model: Counting,
) -> None:
    rows = [{**row, "labels": ["joy"] if n % 2 else []} for n, row in enumerate(TEXTS)]
    write_lines("in.jsonl", rows)
    asked = ("compare", "in.jsonl", "-t", "mood.toml", "--method", "any-place", "--draws", "20")
    run(*asked, "--out", "run")
    model.seen.clear()
    rows = [{**row, "labels": ["fear"]} for row in rows[2:]]
    rows[0]["text"] = "rain"
    write_lines("in.jsonl", rows)
    again = run("compare", "run", "--out", "judged", "--draws", "20")
    assert "(37 kept, 1 changed, 2 gone, 0 new)" in again.stderr
    again = run(*asked, "--out", "run")
    told = "resumed, trees in run/scripted: 37 kept, 1 changed, 2 gone, 0 new"
    assert resumed(again) == [told]
    assert model.seen == ["rain"]
    run(*asked, "--out", "new")
    ours, fresh_run = (json.loads(Path(f"{f}/comparison.json").read_text()) for f in ("run", "new"))
    for one in (ours, fresh_run):
        for row in one["methods"]:
            row.pop("cost", None)
    assert ours["methods"] == fresh_run["methods"]
    assert ours["items"] == 38


def test_classifiers_of_texts_go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelmass.supervised import TfidfFeatures

    labelled = [{**row, "labels": ["joy"] if n % 2 else ["fear"]} for n, row in enumerate(TEXTS)]
    write_lines("train.jsonl", [{**row, "text": f"{row['text']} t"} for row in labelled])
    write_lines("in.jsonl", TEXTS)
    run("fit", "encoder", "train.jsonl", "-t", "mood.toml", "--out", "tfidf")
    asked = ("score", "in.jsonl", "-t", "mood.toml", "--encoder", "tfidf", "--out", "out.jsonl")
    run(*asked)
    whole = written()
    usual, seen = TfidfFeatures.__call__, list[str]()

    def counted(self: TfidfFeatures, texts: list[str]) -> Any:
        if seen:
            raise KeyboardInterrupt
        seen.extend(texts)
        return usual(self, texts)

    monkeypatch.setattr("labelmass.scoring.classifier_scorer.BATCH", 16)
    with monkeypatch.context() as patch:
        patch.setattr(TfidfFeatures, "__call__", counted)
        run(*asked, code=1)
    write_lines("in.jsonl", [{**TEXTS[0], "text": "rain"}, *TEXTS[2:]])
    again = run(*asked)
    assert resumed(again) == ["resumed: 14 kept, 1 changed, 1 gone, 24 new"]
    assert written()[1:] == whole[2:]


def test_an_old_journal_is_refused_and_old_trees_are_read(model: Counting) -> None:
    score("--keep-trees", "trees")
    stop_at = {"input": "in.jsonl", "run": SavedTrees("trees").signature.to_dict()}
    lines = [json.loads(line) for line in Path("trees/trees.journal").read_text().splitlines()]
    old = [{"key": line["key"], "record": line["record"]} for line in lines[1:]]
    write_lines("trees/trees.journal", [{"labelmass_journal": 1, "signature": stop_at}, *old])
    info = json.loads(Path("trees/run.json").read_text())
    del info["input"]
    Path("trees/run.json").write_text(json.dumps(info))
    run("score", "trees", "--out", "again.jsonl")
    assert written("again.jsonl") == fresh(TEXTS)
    for name in ("trees/trees.journal", "out.jsonl.journal"):
        old = [{"labelmass_journal": 1, "signature": stop_at}, {"key": 1, "record": {}}]
        write_lines("out.jsonl.journal", old)
        further = ("--keep-trees", "trees") if name.startswith("trees") else ()
        with pytest.raises(LabelMassError) as caught:
            score(*further)
        assert f"{name} is of journal version 1" in str(caught.value)
        assert "give --overwrite to begin anew" in str(caught.value)
    score("--keep-trees", "trees", "--overwrite")
    assert written() == fresh(TEXTS)


def test_what_differs_is_named(model: Counting) -> None:
    stop(model)
    file = Path("out.jsonl.journal")
    file.write_text(file.read_text().replace('"version":"', '"version":"9.', 1))
    with pytest.raises(LabelMassError, match=r"begun by another run \(run\.version was '9\."):
        score()
    file.write_text("x" + file.read_text())
    with pytest.raises(LabelMassError, match="is not a journal of labelmass"):
        score()


def test_reading_trees_leaves_the_journal_of_another_run_alone(model: Counting) -> None:
    score("--keep-trees", "trees", out="first.jsonl")
    model.seen.clear()
    stop(model)
    run("score", "trees", "--out", "out.jsonl")
    assert resumed(score()) == ["resumed: 32 kept, 0 changed, 0 gone, 8 new"]


def test_a_policy_decides_off_kept_trees_as_it_did(levels: Path) -> None:
    run("tune", "scores.jsonl", "--targets", "dev.jsonl", "-t", "mood.toml", "--goal", "f1",
        "--out", "policy.toml")  # fmt: skip
    asked = ("score", "dev.jsonl", "-t", "mood.toml", "--policy", "policy.toml")
    found: list[Any] = []
    for _ in range(2):
        run(*asked, "--keep-trees", "trees", "--out", "kept.jsonl")
        rows = records("kept.jsonl")
        found.append([(row["id"], row["labels"], row["decisions"]) for row in rows])
    assert found[0] == found[1]
    assert any(decisions["explorations"] > 1 for _, _, decisions in found[0])


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_again_and_again_while_the_input_changes() -> None:
    """0 results lost, 0 doubled, 0 of texts that are no longer there."""
    seeds = 100 if LONG else 5
    script = Path(__file__).with_name("killed_runs.py")
    done = subprocess.run(
        [sys.executable, str(script), "0", str(seeds)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kills, went_on = map(int, done.stdout.split()[-2:])
    assert kills >= 2 * seeds
    assert went_on >= seeds
