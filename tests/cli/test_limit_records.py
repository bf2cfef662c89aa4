"""`--limit-records` takes the first records, loses nothing, and a later run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result

import labelmass
from conftest import mood_script
from helpers.commands import records, run, write_lines
from labelmass.errors import LabelMassError
from labelmass.lm.base import NextTokenLogprobs, NodeQuery
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scoring.saved_trees import SavedTrees

TEXTS = [{"id": f"r{n}", "text": f"so happy {n}", "labels": ["joy"]} for n in range(8)]
ALL = [row["id"] for row in TEXTS]


class Counting(ScriptedLanguageModel):
    """The mood model. texts: those that it read, one by one. last: after so many it is stopped."""

    def __init__(self) -> None:
        super().__init__(mood_script, ["joy", "fear", "ful", "none", ", ", "\n\n"])
        self.texts: list[str] = []
        self.last: int | None = None

    def rows(self, asks: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        for ask in asks:
            if ask.node == 0:
                if len(self.texts) == self.last:
                    raise KeyboardInterrupt
                self.texts.append(self._records[ask.record][0].split("\n\n")[1].split("\n")[0])
        return super().rows(asks)


@pytest.fixture
def model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: counting)
    write_lines("in.jsonl", TEXTS)
    return counting


def score(*further: str, code: int = 0) -> Result:
    words = ("-t", "mood.toml", "--batch-size", "1", "--out", "out.jsonl")
    return run("score", "in.jsonl", *words, *further, code=code)


def ids(path: str = "out.jsonl") -> list[str]:
    return [row["id"] for row in records(path)]


def test_only_the_first_records_are_scored_and_the_run_goes_on(model: Counting) -> None:
    said = score("--limit-records", "3").stderr
    assert ids() == ALL[:3] and len(model.texts) == 3
    assert "stopped after the first 3 records; without the limit, the same run goes on" in said
    assert "resumed: 3 kept, 0 changed, 0 gone, 5 new" in score().stderr
    assert ids() == ALL and len(model.texts) == 8
    assert not Path("out.jsonl.journal").exists()


def test_a_limit_above_the_number_of_records_is_none(model: Counting) -> None:
    said = score("--limit-records", "8").stderr
    assert ids() == ALL and "stopped" not in said
    assert not Path("out.jsonl.journal").exists()


def test_a_limit_loses_nothing_of_a_stopped_run(model: Counting) -> None:
    model.last = 5
    score(code=1)
    model.last = None
    score("--limit-records", "2")
    assert ids() == ALL[:2] and len(model.texts) == 5
    score()
    assert ids() == ALL and len(model.texts) == 8


def test_a_larger_limit_goes_on(model: Counting) -> None:
    score("--limit-records", "2")
    score("--limit-records", "5")
    assert ids() == ALL[:5] and len(model.texts) == 5


def test_standard_input_is_limited(model: Counting) -> None:
    lines = "".join(f"so happy {n}\n" for n in range(8))
    printed = run("score", "-", "-t", "mood.toml", "--limit-records", "2", "--json", stdin=lines)
    assert len(printed.stdout.splitlines()) == 2 and len(model.texts) == 2


def test_trees_of_the_first_records_are_whole_and_go_on(model: Counting) -> None:
    score("--keep-trees", "trees", "--limit-records", "3")
    assert SavedTrees("trees").changes() is None
    Path("out.jsonl.journal").unlink()
    score("--keep-trees", "trees")
    assert ids() == ALL and len(model.texts) == 8
    assert SavedTrees("trees").changes() is None


def test_a_bias_of_all_records_is_not_estimated_on_some(model: Counting) -> None:
    words = ("--contextual-calibration", "batch", "--keep-trees", "trees")
    assert "leave out --limit-records" in score(*words, "--limit-records", "2", code=2).stderr
    scorer = labelmass.Scorer("mood.toml", model, contextual_calibration="batch")
    with pytest.raises(LabelMassError, match="leave out the limit of records"):
        scorer.score_file("in.jsonl", "out.jsonl", trees="trees", limit_records=2)


def test_the_limit_of_prompts_counts_the_first_records_alone(model: Counting) -> None:
    score("--limit", "3", "--limit-records", "3")
    assert ids() == ALL[:3]
    assert "3 records: " in score("--limit-records", "3", "--dry-run").stderr


def test_saved_trees_take_no_limit(model: Counting) -> None:
    score("--keep-trees", "trees")
    said = run("score", "trees", "--limit-records", "2", code=2).stderr
    assert "leave out --limit-records" in said


def test_a_classifier_of_texts_is_limited(model: Counting) -> None:
    kinds: list[tuple[str, list[str]]] = [("so", ["joy"]), ("no", [])]
    rows = [{"text": f"{text} {n}", "labels": labels} for n in range(9) for text, labels in kinds]
    write_lines("train.jsonl", rows)
    run("fit", "encoder", "train.jsonl", "-t", "mood.toml", "--out", "tfidf")
    score("--encoder", "tfidf", "--limit-records", "3")
    assert ids() == ALL[:3] and not model.texts


def compare(*further: str, out: str = "run", code: int = 0) -> Result:
    words = ("-t", "mood.toml", "--draws", "10", "--out", out)
    return run("compare", "in.jsonl", *words, *further, code=code)


def test_methods_are_compared_on_the_first_records_and_the_run_goes_on(model: Counting) -> None:
    compare("--limit-records", "3")
    assert len(model.texts) == 3
    compare()
    assert len(model.texts) == 8


def test_a_run_that_holds_more_is_not_compared_on_the_first_records(model: Counting) -> None:
    compare()
    error = compare("--limit-records", "3", code=1).exception
    assert "holds trees of 5 records after the first 3" in str(error)
