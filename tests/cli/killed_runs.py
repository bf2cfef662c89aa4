"""Runs that are killed with SIGKILL again and again while their input changes; see test_resuming.

    python tests/cli/killed_runs.py FIRST SEEDS

Every run is a fork of this process, so that a hundred of them take seconds. What is wrong at the
end raises AssertionError; the last line printed says how many were killed, and how many went on
with something that was kept.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

sys.path.insert(0, str(Path(__file__).parents[1]))

import labelmass.lm.load
from conftest import TASK
from labelmass.cli import main
from labelmass.lm.base import NextTokenLogprobs, NodeQuery
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task

MOOD = Task.from_toml(TASK)
METHODS = ([], ["any-place", "sampling"])
MOST_KILLS, NEVER = 6, 1 << 40
WORDS = ("sun", "rain", "night", "bread", "fails")


def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """P(joy) depends on the whole text, so that a result of another text is known at once."""
    p = 0.1 + 0.8 * (crc32(prompt.encode()) % 10_000) / 10_000
    return {END: 1.0} if path else {"joy": p, "none": 1 - p}


class Slow(ScriptedLanguageModel):
    def rows(self, asks: Any) -> list[NextTokenLogprobs]:
        time.sleep(0.002)
        return [self._slow_row(ask) for ask in asks]

    def _slow_row(self, ask: NodeQuery) -> NextTokenLogprobs:
        if "fails" in self._records[ask.record][0]:
            raise IndexError("index out of range in self")
        return self._row(ask)


def model() -> Slow:
    return Slow(script, ["joy", "fear", "ful", "none", ", "])


def expected(text: str, methods: list[str], known: dict[str, Any]) -> Any:
    """Scores by method of a text, alone and under another id; None if it fails."""
    if text not in known:
        plan = Plan(MOOD, methods, every_method=True, samples=4)
        scorer = Scorer.of_plan(plan, model(), keep_trees=True)
        ((_, found),) = scorer.run([(7, Record("any", text=text))])
        scores = getattr(found, "methods", None)
        known[text] = scores and {name: one.to_dict() for name, one in scores.items()}
    return known[text]


class World:
    """An input that changes."""

    def __init__(self, draw: random.Random) -> None:
        self.draw, self.made = draw, 0
        self.rows: list[dict[str, Any]] = []
        for _ in range(draw.randint(12, 30)):
            self.insert()

    def text(self) -> str:
        return f"{self.draw.choice(WORDS)} {self.draw.randint(0, 400)}"

    def insert(self) -> None:
        self.made += 1
        row = {"id": f"r{self.made}", "text": self.text(), "labels": [["joy"], []][self.made % 2]}
        self.rows.insert(self.draw.randint(0, len(self.rows)), row)

    def change(self) -> None:
        """A few of all that may happen to a file of records."""
        for _ in range(self.draw.randint(1, 5)):
            row = self.draw.choice(self.rows)
            self.made += 1
            kind = self.draw.randrange(8)
            if kind == 0:
                row["text"] = self.text()
            elif kind == 1:
                row["id"] = f"r{self.made}"
            elif kind == 2:
                row["labels"] = ["fear"]
            elif kind == 3 and len(self.rows) > 3:
                self.rows.remove(row)
            elif kind == 4:
                self.rows.append({**row, "id": f"r{self.made}"})
            elif kind == 5:
                self.draw.shuffle(self.rows)
            elif kind == 6:
                row.pop("text", None)
            else:
                self.insert()

    def write(self, path: Path) -> None:
        path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))


def start(arguments: list[str]) -> int:
    """The pid of a run of the command line."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    with open("log", "a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.argv = ["labelmass", *arguments]
    code = 0
    try:
        main()
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


def killed(pid: int, growth: int, further: float) -> bool:
    """Whether a run was killed: some seconds further than its trees had grown by so many bytes.

    AssertionError if it failed by itself.
    """
    least = size = _size()
    while size - least < growth:
        if _ended(pid):
            return False
        time.sleep(0.0005)
        size = _size()
        least = min(least, size)  # it is written anew where the input has changed
    time.sleep(further)
    if _ended(pid):
        return False
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def _ended(pid: int) -> bool:
    done, status = os.waitpid(pid, os.WNOHANG)
    assert not done or status == 0, Path("log").read_text()
    return bool(done)


def _size() -> int:
    trees = Path("trees/trees.journal")
    return trees.stat().st_size if trees.exists() else 0


def check(world: World, methods: list[str], known: dict[str, Any]) -> None:
    """Each record has its own result, once, in the order of the input, in both files."""
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in found] == [row["id"] for row in world.rows]
    kept = list(SavedTrees("trees"))
    assert len(kept) == len(world.rows)
    for row, result, trees in zip(world.rows, found, kept, strict=True):
        scores = expected(row["text"], methods, known) if "text" in row else None
        if scores is None:
            assert "error" in result, (row, result)
            assert not isinstance(trees, ExploredRecord)
            continue
        assert result.get("methods", {"any-place": result["labels"]}) == scores, (row, result)
        assert isinstance(trees, ExploredRecord)
        assert trees.record == Record.from_dict(row, 0)
        assert trees.record.extra == {"labels": row["labels"]}
    left = {file.name for file in Path().rglob("*") if file.is_file()}
    assert left <= {"log", "in.jsonl", "mood.toml", "out.jsonl", "run.json", "trees.journal"}, left


def one(seed: int) -> tuple[int, int]:
    """How often the run of a seed was killed, and how often one went on with what was kept."""
    draw = random.Random(seed)
    methods = METHODS[seed % len(METHODS)]
    arguments = ["score", "in.jsonl", "-t", "mood.toml", "--out", "out.jsonl"]
    arguments += ["--keep-trees", "trees", "--batch-size", str(draw.randint(1, 4))]
    arguments += [part for name in methods for part in ("--method", name)] + ["--samples", "4"]
    world, known, kills = World(draw), dict[str, Any](), 0
    Path("mood.toml").write_text(TASK)
    world.write(Path("in.jsonl"))
    while kills < MOST_KILLS and killed(
        start(arguments), draw.randrange(0, 12_000), draw.uniform(0, 0.004)
    ):
        kills += 1
        if draw.random() < 0.7:
            world.change()
            world.write(Path("in.jsonl"))
    if kills == MOST_KILLS:
        assert not killed(start(arguments), NEVER, 0)
    check(world, methods, known)
    world.change()  # and once more, after it has ended
    world.write(Path("in.jsonl"))
    assert not killed(start(arguments), NEVER, 0)
    check(world, methods, known)
    resumed = re.findall(r"^resumed: ([1-9]\d*) kept", Path("log").read_text(), re.MULTILINE)
    return kills, len(resumed)


if __name__ == "__main__":
    labelmass.lm.load.load = lambda *a, **k: model()  # type: ignore[assignment]
    kills = resumed = 0
    for seed in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
        with TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                more = one(seed)
            except BaseException:
                print(f"seed {seed}")
                raise
            finally:
                os.chdir("/")
        kills, resumed = kills + more[0], resumed + more[1]
    print(kills, resumed)
