"""`probe`, on a model whose states say which label it writes next, and nothing of those after."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from syrupy.assertion import SnapshotAssertion

from helpers.commands import records, run, write_lines
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.supervised import Classifier

LABELS = ("joy", "fear", "rage", "calm")
TOKENS = [*LABELS, "none", ", ", "\n\n"]
TASK = """
name = "mood"
labels = ["joy", "fear", "rage", "calm"]
instruction = "Which?"
format = "comma"
chat = false
"""


def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """Writes the labels that the text names, in the order of the task, or `none`; or strays."""
    text = prompt.rsplit("text:", 1)[-1]
    left = [label for label in LABELS if label in text and label not in path]
    if "stray" in text:
        return {}
    if path and path[-1] != ", ":
        return {", ": 0.9, "\n\n": 0.1} if left else {"\n\n": 0.9, ", ": 0.1}
    if left:
        return {left[0]: 0.9, "none": 0.1}
    return {"joy": 1.0} if path else {"none": 0.9, "joy": 0.1}


class Stating(ScriptedLanguageModel):
    """State i is the distribution of token i, with noise that depends on the text."""

    def hidden(
        self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], layer: int = -1
    ) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for prompt, answer in pairs:
            text = self.tokenizer.decode(prompt)
            path = tuple(self.tokens[token] for token in answer)
            rows = np.zeros((len(path) + 1, len(TOKENS) + 2), dtype=np.float32)
            for i in range(len(path) + 1):
                for token, p in self.distribution(text, path[:i]).items():
                    rows[i, token] = p
                rows[i, -2:] = len(text) % 7, layer
            found.append(rows)
        return found


Kept = tuple[Path, dict[str, Result]]
"""Folders of probes in one folder, and what was printed of each."""

Fit = Callable[..., Result]


def texts(n: int, seed: int, name: str) -> list[dict[str, Any]]:
    """Gold is what the text names, but for one label in ten that is added."""
    draw = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for i in range(n):
        named = [label for label in LABELS if draw.random() < 0.5]
        gold = {*named, str(draw.choice(LABELS))} if draw.random() < 0.1 else {*named}
        text = f"text: {' '.join(named)} {name}{i}"
        found.append({"id": f"{name}{i}", "text": text, "labels": sorted(gold)})
    return found


@pytest.fixture(autouse=True)
def model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Stating:
    found = Stating(script, TOKENS)
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: found)
    Path("mood.toml").write_text(TASK)
    write_lines("train.jsonl", texts(160, 0, "r"))
    write_lines("dev.jsonl", texts(40, 1, "d"))
    return found


SINGLE = TASK.replace('format = "comma"', 'format = {kind = "comma", single = true, empty = false}')


def probe(*further: str, out: str = "probe", source: str = "train.jsonl") -> Result:
    return run(
        "fit", "probe", source, "-t", "mood.toml", "--hold-out", "0.3", "--out", out, *further
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return tmp_path_factory.mktemp("kept"), {}


@pytest.fixture
def fitted(model: Stating, kept: Kept) -> Fit:
    """`probe` on the records of every test, fitted once for each choice of options."""
    folder, results = kept

    def fit(*further: str) -> Result:
        name = " ".join(("probe", *further))
        if name in results:
            shutil.copytree(folder / name, "probe")
        else:
            results[name] = probe(*further)
            shutil.copytree("probe", folder / name)
        return results[name]

    return fit


def study(out: str = "probe") -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(Path(f"{out}/study.json").read_text())["rows"]}


def f1(row: dict[str, Any], side: str = "probe") -> float:
    return row[side]["micro-f1"]["value"]


def test_the_first_state_knows_the_first_label_alone_and_the_mean_knows_all(fitted: Fit) -> None:
    shown = fitted().output
    assert "Pred 2+" in shown
    rows = study()
    assert list(rows) == ["Gold", "Pred", "Pred 2+", "Perf"]
    assert f1(rows["Perf"]) > 0.9
    assert f1(rows["Pred 2+"]) < f1(rows["Pred"]) - 0.1
    shutil.rmtree("probe")
    fitted("--steps", "each")
    rows = study()
    assert f1(rows["Pred"]) > 0.99
    assert f1(rows["Pred 2+"]) > 0.99
    assert f1(rows["Gold"]) > 0.9
    gold, base = (rows["Gold"][side]["nll-cell"]["value"] for side in ("probe", "base_rate"))
    assert gold < base - 0.2


def test_the_tables_of_a_probe(
    monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    """After a change that is meant: pytest tests/cli/test_probe.py --snapshot-update."""
    monkeypatch.setenv("COLUMNS", "80")
    printed = probe().stdout
    assert not [line for line in printed.splitlines() if len(line) > 80]
    assert printed == snapshot


def test_pred_2_plus_leaves_out_the_first_label_of_each_record(fitted: Fit) -> None:
    fitted("--steps", "each")
    report = json.loads(Path("probe/study.json").read_text())
    assert report["fitted"] + report["judged"] == 160
    rows = study()
    n = report["judged"]
    assert rows["Pred"]["probe"]["micro-f1"]["cells"] == 4 * n
    cells = rows["Pred 2+"]["probe"]["micro-f1"]["cells"]
    assert 3 * n < cells < 4 * n  # records without a label keep all four


def test_a_stopped_run_goes_on_and_reads_no_state_twice(
    model: Stating, fitted: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted()
    whole = Classifier.load("probe")
    lines = Path("probe/states.journal").read_text().splitlines(keepends=True)
    Path("probe/states.journal").write_text("".join(lines[:81]) + lines[81][:20])
    seen: list[int] = []
    hidden = model.hidden

    def counted(pairs: Any, layer: int = -1) -> list[np.ndarray]:
        seen.append(len(pairs))
        return hidden(pairs, layer)

    monkeypatch.setattr(model, "hidden", counted)
    probe()
    assert sum(seen) == 80
    assert Classifier.load("probe").digest == whole.digest
    lines = Path("train.jsonl").read_text().splitlines(keepends=True)
    changed = lines[7].replace("text: ", "text: calm ")
    Path("train.jsonl").write_text("".join([*lines[100:], *lines[:7], changed, *lines[8:100]]))
    probe()
    assert sum(seen) == 81
    probe(out="fresh")
    assert Classifier.load("probe").digest == Classifier.load("fresh").digest
    again = run(
        "fit", "probe", "train.jsonl", "-t", "mood.toml", "--layer", "2", "--out", "probe", code=1
    )
    assert "begun by another run" in str(again.exception)
    probe("--layer", "2", "--overwrite")


def test_a_record_whose_state_cannot_be_read_fails_alone(
    model: Stating, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = model.hidden

    def fragile(pairs: Any, layer: int = -1) -> list[np.ndarray]:
        if any("broken" in model.tokenizer.decode(prompt) for prompt, _ in pairs):
            raise RuntimeError("no state")
        return hidden(pairs, layer)

    monkeypatch.setattr(model, "hidden", fragile)
    for source in ("train.jsonl", "dev.jsonl"):
        rows = records(source)
        rows[7]["text"] += " broken"
        write_lines(source, rows)
    probe()
    assert records("probe/skipped.jsonl") == [{"id": "r7", "error": "RuntimeError: no state"}]
    asked = ("-t", "mood.toml", "--probe", "probe")
    run("score", "dev.jsonl", *asked, "--out", "s.jsonl")
    found = records("s.jsonl")
    given = {key: value for key, value in records("dev.jsonl")[7].items() if key != "id"}
    assert found[7] == {"id": "d7", "error": "RuntimeError: no state", "input": given}
    assert sum("error" in row for row in found) == 1
    run("compare", "dev.jsonl", *asked, "--out", "run", "--draws", "20")
    (row,) = (
        row
        for row in json.loads(Path("run/comparison.json").read_text())["methods"]
        if row["name"] == "probe"
    )
    assert row["failed"] == 1


def test_a_journal_that_went_by_lines_is_refused(fitted: Fit) -> None:
    fitted()
    head, *lines = records("probe/states.journal")
    head["signature"] = {"input": "train.jsonl", "states": head["signature"]["states"]}
    rows = [line | {"key": key} for key, line in enumerate(lines, start=1)]
    write_lines("probe/states.journal", [head, *rows])
    refused = run("fit", "probe", "train.jsonl", "-t", "mood.toml", "--out", "probe", code=1)
    assert "give --overwrite to begin anew" in str(refused.exception)


def test_saved_trees_give_the_same_probe(fitted: Fit) -> None:
    fitted()
    run("score", "train.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "s.jsonl")
    run("fit", "probe", "trees", "--hold-out", "0.3", "--out", "same")
    one, other = Classifier.load("probe"), Classifier.load("same")
    assert np.array_equal(one.heads.weights, other.heads.weights)
    assert one.fitted_on == other.fitted_on


def test_its_scores_stand_beside_the_tree_in_score_and_compare(fitted: Fit) -> None:
    fitted("--steps", "each")
    run("fit", "encoder", "train.jsonl", "-t", "mood.toml", "--out", "tfidf")
    asked = ("-t", "mood.toml", "--probe", "probe", "--encoder", "tfidf")
    run("score", "dev.jsonl", *asked, "--keep-trees", "trees", "--out", "s.jsonl")
    rows = records("s.jsonl")
    assert list(rows[0]["methods"]) == ["any-place", "probe", "tfidf"]
    run("score", "trees", "--probe", "probe", "--out", "again.jsonl")
    for one, other in zip(rows, records("again.jsonl"), strict=True):
        assert other["methods"]["probe"] == one["methods"]["probe"]
    run("compare", "dev.jsonl", *asked, "--method", "any-place", "--out", "run")
    methods = json.loads(Path("run/comparison.json").read_text())["methods"]
    assert [m["name"] for m in methods][:3] == ["any-place", "probe", "tfidf"]
    p = np.array([[row["methods"]["probe"][x]["p"] for x in LABELS] for row in rows])
    gold = np.array([[label in row["labels"] for label in LABELS] for row in texts(40, 1, "d")])
    nll = -np.where(gold, np.log(p), np.log(1 - p)).mean()
    assert methods[1]["scores"]["nll-cell"]["value"] == pytest.approx(nll)
    run("compare", "run", "--probe", "probe", "--method", "hard", "--out", "judged")
    again = json.loads(Path("judged/comparison.json").read_text())["methods"]
    assert again[1]["scores"]["nll-cell"] == methods[1]["scores"]["nll-cell"]


def test_it_refuses_its_records_and_other_models(
    model: Stating, fitted: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted()
    asked = ("score", "train.jsonl", "-t", "mood.toml", "--probe", "probe")
    run(*asked, "--out", "s.jsonl")
    assert all("fitted on this record" in row["error"] for row in records("s.jsonl"))
    run("score", "dev.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "d.jsonl")
    other = Stating(script, TOKENS)
    other.fingerprint = "another"
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: other)
    refused = run("score", "dev.jsonl", *asked[2:], code=1)
    assert f"fingerprint {model.fingerprint}, now another" in str(refused.exception)
    refused = run("compare", "dev.jsonl", *asked[2:], "--out", "run", code=1)
    assert "no model of this run" in str(refused.exception)
    trees = run("fit", "probe", "trees", "--out", "p2", code=1)
    assert f"name the model that did, {model.name}" in str(trees.exception)
    wrong = run("score", "dev.jsonl", "-t", "mood.toml", "--encoder", "probe", code=2)
    assert "name it with --probe" in wrong.output
    monkeypatch.setattr(
        "helpers.commands.loader", lambda *a, **k: ScriptedLanguageModel(script, TOKENS)
    )
    without = run("fit", "probe", "train.jsonl", "-t", "mood.toml", "--out", "p2", code=1)
    assert "does not give hidden states" in str(without.exception)


def test_an_answer_that_strays_is_read_where_it_strayed() -> None:
    rows = texts(60, 3, "s")
    for row in rows[::5]:
        row["text"] += " stray"
    write_lines("stray.jsonl", rows)
    probe(source="stray.jsonl", out="stray")
    assert Classifier.load("stray").provenance["records"] == 60


def test_a_calibrator_is_fitted_on_cross_fitted_scores_of_the_same_records() -> None:
    probe("--cross-fit", "cross.jsonl")
    fit = ("calibrate", "cross.jsonl", "--targets", "train.jsonl", "-t", "mood.toml")
    run(*fit, "--out", "cal.json")
    asked = ("score", "dev.jsonl", "-t", "mood.toml", "--probe", "probe")
    run(*asked, "--calibrator", "cal.json", "--out", "c.jsonl")
    assert next(iter(records("c.jsonl")[0]["methods"])) == "calibrated:probe"
    rows = {row["id"]: row["labels"] for row in records("cross.jsonl")}
    assert len(rows) == 160
    run("evaluate", "cross.jsonl", "--targets", "train.jsonl", "-t", "mood.toml", "--out", "judged")


def test_where_exactly_one_label_is_written_the_study_has_no_pred_2_plus() -> None:
    Path("mood.toml").write_text(SINGLE)
    write_lines("train.jsonl", one_label())
    shown = probe("--cross-fit", "cross.jsonl").output
    assert list(study()) == ["Gold", "Pred", "Perf"]
    assert "nll-single" in shown
    run("score", "dev.jsonl", "-t", "mood.toml", "--probe", "probe", "--out", "s.jsonl")
    found = [row["labels"] for row in records("cross.jsonl")]
    found += [row["methods"]["probe"] for row in records("s.jsonl")]
    assert [sum(one["p"] for one in row.values()) for row in found] == pytest.approx(
        [1] * len(found)
    )


def one_label(*stray: int) -> list[dict[str, Any]]:
    """Texts that name one label, which is gold; the answers to these places go astray."""
    draw = np.random.default_rng(0)
    found: list[dict[str, Any]] = []
    for i in range(150):
        label = str(draw.choice(LABELS))
        text = f"text: {label} r{i}" + " stray" * (i in stray)
        found.append({"id": f"r{i}", "text": text, "labels": [label]})
    return found


def test_an_answer_without_the_one_label_is_wrong_and_says_nothing_of_which() -> None:
    Path("mood.toml").write_text(SINGLE)
    write_lines("train.jsonl", one_label(*range(0, 150, 3)))
    assert "50 of 150 answers of the model hold no label" in probe().output
    found = study()
    assert found["Pred"]["probe"]["micro-f1"]["cells"] < found["Perf"]["probe"]["micro-f1"]["cells"]
    assert 0.65 < f1(found["Perf"]) < 0.9
    assert f1(found["Pred"]) > 0.95
    write_lines("train.jsonl", one_label(*range(150)))
    assert "answers of the model hold no label" in probe(out="none").output
    assert list(study("none")) == ["Gold", "Perf"]
    assert f1(study("none")["Perf"]) == 0


def test_few_records_have_a_probe_and_no_study(fitted: Fit) -> None:
    fitted()
    write_lines("few.jsonl", texts(6, 2, "f"))
    few = ("fit", "probe", "few.jsonl", "-t", "mood.toml", "--hold-out", "0.001", "--out", "probe")
    assert "none of them is in few.jsonl" in str(run(*few, code=1).exception)
    shown = run(*few, "--overwrite", "--cross-fit", "c.jsonl").output
    assert "the study is left out: 0 of 6 records are held out" in shown
    assert not Path("probe/study.json").exists()
    assert Classifier.load("probe").provenance["records"] == len(records("c.jsonl")) == 6


def test_what_saved_trees_were_asked_stays_as_it_is() -> None:
    run("score", "train.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "s.jsonl")
    asked = ("-t", "nonsense", "-k", "7", "--no-chat")
    shown = run("fit", "probe", "trees", *asked, "--out", "p", code=2).output
    assert "leave out --task, --demonstrations, --chat" in " ".join(shown.split())
    assert not Path("p").exists()


def test_bad_records_are_left_out_and_listed(model: Stating) -> None:
    model.context = 200
    rows = texts(60, 2, "f")
    del rows[1]["labels"], rows[2]["text"]
    rows[3]["labels"] = ["glee"]
    rows[4]["text"] *= 40
    rows.append(rows[0])
    write_lines("some.jsonl", rows)
    shown = probe(source="some.jsonl").output
    listed = {row["id"]: row["error"] for row in records("probe/skipped.jsonl")}
    assert list(listed) == ["f1", "f2", "f3", "f0", "f4"]
    for name, error in zip(
        listed, ("no labels", "missing", "glee", "this id", "long"), strict=True
    ):
        assert error in listed[name]
        assert f"left out '{name}': {listed[name]}" in shown
    assert "5 records left out, see probe/skipped.jsonl" in shown
    assert Classifier.load("probe").provenance["records"] == 56
    asked = ("score", "some.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "s.jsonl")
    write_lines("some.jsonl", rows[:-1])
    run(*asked)
    probe_of_trees = run("fit", "probe", "trees", "--out", "same").output
    assert "4 records left out" in probe_of_trees
    write_lines("some.jsonl", rows[5:-1])
    probe(source="some.jsonl")
    assert not Path("probe/skipped.jsonl").exists()
    write_lines("some.jsonl", rows[1:4])
    none = run("fit", "probe", "some.jsonl", "-t", "mood.toml", "--out", "none", code=1)
    assert "no record is left to fit on ('f1': record 'f1' has no labels" in str(none.exception)
