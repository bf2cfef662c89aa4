"""Every kind of file that labelmass reads: well-formed files of it, and what commands do with them.

Each is used as far as a command would use it, so that what a reader lets through must also work.
"""

from __future__ import annotations

import gzip
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np

import labelmass
from conftest import TASK
from fuzz.dataset_files import FILES
from fuzz.file_formats import json_bytes, json_lines, parquet, table, toml_bytes
from helpers.annotated_records import LABELS, annotated, level_model
from helpers.commands import run, write_lines
from labelmass.calibration import CALIBRATORS, Calibrator, fit
from labelmass.cli.classifiers import load_rules
from labelmass.cli.records import read_targets
from labelmass.datasets.importing import import_files
from labelmass.decisions import Policy, apply_policy, measure_drift
from labelmass.errors import LabelMassError
from labelmass.estimators.selection import Selection
from labelmass.lm.adapted import check_base, name_of, read_note, trained_on
from labelmass.records import count_records, read_records
from labelmass.reporting import draw, explorers, gather, page
from labelmass.scoring.journal import Journal
from labelmass.scoring.journal_lines import read_stamps
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import SavedTrees, TreeStore
from labelmass.scoring.score import load_scores, score_trees
from labelmass.scoring.scorer import Scorer
from labelmass.supervised import Classifier
from labelmass.supervised.hidden_state_features import KIND as STATES
from labelmass.supervised.sentence_embeddings import KIND as SENTENCES
from labelmass.supervised.tfidf import TfidfFeatures
from labelmass.targets import GOLD
from labelmass.task import Record, Task
from labelmass.task.demonstrations import read_demonstrations
from labelmass.task.record import Fields

OURS = (LabelMassError, click.ClickException, OSError)
"""Errors that the command line turns into one line on stderr."""

MOOD = Task.from_toml(TASK)
PEOPLE = annotated(12)

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Artefact:
    """files: makes the well-formed files, by name. use: reads a folder of them and works on it."""

    files: Callable[[], Files]
    use: Callable[[Path], object]


# -- used as commands use them --------------------------------------------------------------------


def use_records(path: Path) -> None:
    items = list(read_records(path))
    count_records(path)
    for _, item in items:
        if isinstance(item, Record):
            MOOD.prompt(item)
            assert Record.from_dict(item.to_dict(), 0).digest == item.digest


def use_targets(path: Path) -> None:
    """As it is said which rules can be used, that each fails is no error by itself."""
    for rule in GOLD:
        try:
            read_targets(str(path), MOOD, Fields(), rule)
        except OURS:
            if rule == list(GOLD)[-1]:
                raise


def use_scores(path: Path) -> None:
    scored = load_scores(path, LABELS)
    scored.decide(Policy.from_dict(policy()), force=True)
    scored.through(Calibrator.from_dict(calibrator("platt")), force=True)


def use_task(path: Path) -> None:
    task = Task.load(path)
    if len(task.labels) < 50:
        task.prompt(Record(1, text="level 7"))
        assert Task.from_dict(task.to_dict()).hash == task.hash


def use_policy(path: Path) -> None:
    found = Policy.load(path)
    p = np.tile(np.array([[0.0], [0.5], [1.0], [math.nan]]), len(found.labels))
    apply_policy(found, p, p, p, force=True).to_rows()
    if found.reference is not None:
        assert (
            measure_drift(found.reference, found.labels, p, found.thresholds).warnings is not None
        )
    assert found.text and Policy.from_dict(found.to_dict()).digest == found.digest


def use_calibrator(path: Path) -> None:
    found = Calibrator.load(path)
    p = np.tile(np.array([[0.0], [0.5], [1.0], [math.nan]]), len(found.labels))
    (q,) = found.apply(found.labels, p, force=True)
    assert (np.isnan(q) == np.isnan(p)).all() and ((q >= 0) & (q <= 1))[:3].all()
    assert found.notes is not None and Calibrator.from_dict(found.to_dict()).digest == found.digest


def use_trees(folder: Path) -> None:
    for outcome in score_trees(folder, ("any-place", "hard", "first-step")):
        outcome.to_dict()
    assert SavedTrees(folder).changes() is None or read_stamps(folder / "trees.journal")


def use_run(folder: Path) -> None:
    model = folder / "model"
    model.mkdir()
    for name in ("run.json", "trees.journal"):
        (folder / name).rename(model / name)
    gathered = [gather(folder)]
    assert page(gathered, [draw(gathered[0])], explorers(gathered))


def use_journal(path: Path) -> None:
    items = [(at, Record.from_dict(row, at)) for at, row in enumerate(PEOPLE[:3], start=1)]
    with Journal(path, json.loads(trees()["run.json"])["signature"]) as journal:
        journal.resume(lambda: items, lambda line, record: line)
        for key, item in journal.left(items):
            journal.append([(key, {"id": item.id})])
        assert sum(1 for _ in journal.records()) >= len(items)


def use_classifier(folder: Path) -> None:
    found = Classifier.load(folder)
    found.check(MOOD)
    assert found.digest and found.heads.notes is not None
    if isinstance(found.source, TfidfFeatures):
        p = found.heads(found.source(["level 3", "level 900"]))
        assert p.shape == (2, len(LABELS)) and ((p >= 0) & (p <= 1)).all()


def use_note(folder: Path) -> None:
    if (note := read_note(folder)) is not None:
        name_of(folder, note)
        Task.from_dict(note["task"])
        trained_on(folder)
        check_base(folder, note, note["base"]["fingerprint"])


# -- well-formed ----------------------------------------------------------------------------------


def conversations() -> list[dict[str, Any]]:
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "level 3"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "level 5"}]}]
    return [
        {"id": 1, "messages": turns, "labels": ["joy"]},
        {"id": "b", "messages": parts, "annotators": [["joy"], []]},
        {"prompt": "level 1", "response": "Yes", "distribution": {"joy": 0.5, "fear": None}},
        {"id": 4, "text": "level 9", "labels": [], "unknown": ["fear"]},
    ]


RECORDS = PEOPLE[:3] + conversations()
JUDGED = [row | {"labels": ["joy"], "annotator_ids": [1, "b", "c"]} for row in PEOPLE]
CELLS = {"labels": "joy|joyful", "annotators": "joy;fear||joy", "annotator_ids": "a|b|c"}
FLAT = [row | CELLS for row in PEOPLE]
SCORES = [
    {"id": row["id"], "joy": 0.5, "joy.low": 0.4, "fear": 0.2, "joyful": 0.1} for row in PEOPLE
]
RULE = Selection("entropy", 0.4, frozenset({"0" * 16})).to_dict()
EMBEDDED = {"kind": SENTENCES, "encoder": "minilm", "fingerprint": "0" * 12, "length": 256}
STATED = {
    "kind": STATES, "layer": -1, "steps": "each", "model": "small", "fingerprint": "0" * 12,
    "tokenizer": "t", "dtype": "float32", "task_hash": "0" * 12,
}  # fmt: skip
KEYS: dict[str, Any] = {
    "name": "mood", "labels": [{"name": "joy", "code": "J"}, {"name": "fear"}, {"name": "joyful"}],
    "instruction": "Moods? {label_names}", "format": {"kind": "comma"}, "chat": False,
    "label_order": "given", "seed": 1, "ignored": ["x*"], "answer_cue": "\nAnswer:\n",
    "demonstrations": {"k": 1, "examples": [{"text": "level 7", "labels": ["joy"]}]},
}  # fmt: skip
MAP = {"targets": ["joy", "fear"], "unmapped": "absent", "labels": {"food": ["joy"], "service": []}}
NOTE = {
    "labelmass": 1, "kind": "adapter", "task": MOOD.to_dict(), "settings": {}, "data": {},
    "base": {"name": "small", "asked": "smollm2", "fingerprint": "0" * 12, "dtype": "float32",
             "revision": None},
    "result": {},
}  # fmt: skip


@cache
def scores() -> list[dict[str, Any]]:
    return labelmass.score(PEOPLE, MOOD, level_model(), methods=("any-place", "hard")).to_dicts()


@cache
def calibrator(method: str) -> dict[str, Any]:
    p = np.linspace(0.05, 0.95, 36).reshape(12, 3)
    ids = [row["id"] for row in PEOPLE]
    return fit(LABELS, ids, p, (p > 0.4) * 1.0, method=method).to_dict()


@cache
def policy() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_lines(str(folder / "dev.jsonl"), PEOPLE)
        write_lines(str(folder / "scores.jsonl"), scores())
        (folder / "mood.toml").write_text(TASK)
        given = ("--targets", f"{folder}/dev.jsonl", "-t", f"{folder}/mood.toml")
        made = ("--goal", "precision>=0.6", "--guarantee", "ltt", "--gold", "majority")
        run("tune", f"{folder}/scores.jsonl", *given, *made, "--out", f"{folder}/policy.toml")
        return Policy.load(folder / "policy.toml").to_dict()


@cache
def trees() -> Files:
    with tempfile.TemporaryDirectory() as name:
        plan, model = Plan(MOOD, ("any-place", "first-step", "sampling")), level_model()
        store = TreeStore(name, MOOD, plan.signature(model))
        items = [(at, Record.from_dict(row, at)) for at, row in enumerate(PEOPLE[:3], start=1)]
        for _ in Scorer.of_plan(plan, model).run(items, store=store):
            pass
        store.close()
        return contents(Path(name))


@cache
def compared() -> Files:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        for file, content in trees().items():
            (folder / "model" / file).write_bytes(content)
        methods = ("--method", "any-place,hard")
        run("compare", name, *methods, "--gold", "majority", "--draws", "0", "--out", name)
        return trees() | {"comparison.json": (folder / "comparison.json").read_bytes()}


@cache
def classifier() -> Files:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_lines(str(folder / "dev.jsonl"), annotated(40))
        (folder / "mood.toml").write_text(TASK)
        run(
            "fit",
            "encoder",
            f"{folder}/dev.jsonl",
            "-t",
            f"{folder}/mood.toml",
            "--out",
            f"{folder}/out",
        )
        return contents(folder / "out")


def read_by(features: Mapping[str, Any]) -> Files:
    """The heads of the classifier on features of another kind, which are not computed."""
    return classifier() | {"features.json": json_bytes(features)}


def contents(folder: Path) -> Files:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


# -- all of them ----------------------------------------------------------------------------------


def one(name: str, make: Callable[[], bytes], use: Callable[[Path], object]) -> Artefact:
    return Artefact(lambda: {name: make()}, lambda folder: use(folder / name))


def imported(source: str) -> Artefact:
    files = {name: content.encode() for name, content in FILES[source].items()}
    return Artefact(
        lambda: files, lambda folder: import_files(source, [folder / name for name in files])
    )


def mapped(folder: Path) -> None:
    import_files("wide-csv", [folder / "rows.csv"], str(folder / "map.toml"))


def note() -> Files:
    digests = {"train": ["0" * 16], "dev": []}
    return {"labelmass.json": json_bytes(NOTE), "records.json": json_bytes(digests)}


def mapping() -> Files:
    return {"map.toml": toml_bytes(MAP), "rows.csv": FILES["wide-csv"]["rows.csv"].encode()}


def calibrators() -> dict[str, Artefact]:
    def of(method: str) -> Artefact:
        return one("c.json", lambda: json_bytes(calibrator(method)), use_calibrator)

    return {f"calibrator-{method}": of(method) for method in (*CALIBRATORS, "auto")}


def use_rule(path: Path) -> None:
    load_rules([str(path)])


ARTEFACTS: dict[str, Artefact] = {
    "records": one("r.jsonl", lambda: json_lines(RECORDS), use_records),
    "records-packed": one("r.jsonl.gz", lambda: gzip.compress(json_lines(RECORDS)), use_records),
    "records-csv": one("r.csv", lambda: table(FLAT, ","), use_records),
    "records-tsv": one("r.tsv", lambda: table(FLAT, "\t"), use_records),
    "records-parquet": one("r.parquet", lambda: parquet(RECORDS[:3] + RECORDS[4:5]), use_records),
    "texts": one("r.txt", lambda: b"level 1\nlevel 2\n", use_records),
    "targets": one("t.jsonl", lambda: json_lines(JUDGED), use_targets),
    "targets-csv": one("t.csv", lambda: table(FLAT, ","), use_targets),
    "scores": one("s.jsonl", lambda: json_lines(scores()), use_scores),
    "scores-csv": one("s.csv", lambda: table(SCORES, ","), use_scores),
    "scores-parquet": one("s.parquet", lambda: parquet(SCORES), use_scores),
    "task-toml": one("task.toml", lambda: toml_bytes(KEYS), use_task),
    "task-json": one("task.json", lambda: json_bytes(MOOD.to_dict()), use_task),
    "demonstrations": one(
        "d.jsonl", lambda: json_lines(JUDGED + RECORDS[3:4]), read_demonstrations
    ),
    "policy-json": one("policy.json", lambda: json_bytes(policy()), use_policy),
    "policy-toml": one("policy.toml", lambda: toml_bytes(policy()), use_policy),
    "rule": one("rule.json", lambda: json_bytes(RULE), use_rule),
    "trees": Artefact(trees, use_trees),
    "compared": Artefact(compared, use_run),
    "journal": one("out.journal", lambda: trees()["trees.journal"], use_journal),
    "tfidf": Artefact(classifier, use_classifier),
    "encoder": Artefact(lambda: read_by(EMBEDDED), use_classifier),
    "probe": Artefact(lambda: read_by(STATED), use_classifier),
    "note": Artefact(note, use_note),
    "map": Artefact(mapping, mapped),
    **calibrators(),
    **{f"import-{source}": imported(source) for source in FILES},
}
"""By name."""
