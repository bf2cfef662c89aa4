"""A guard's policy fails closed: in `score --policy`, in `decide`, calibrated or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelmass
from helpers.commands import records, run, write_lines
from helpers.scripted_guard import TASK, guard_model, guard_records, guard_task, record
from labelmass.calibration import Calibrator
from labelmass.decisions import Policy, Rule
from labelmass.errors import LabelMassError
from labelmass.scores import Result
from labelmass.scores.signature import reads_answer
from labelmass.scoring.journal import Journal, export
from labelmass.scoring.score import load_scores

NORMALISATIONS = ("raw", "on-format", "masked")
LABELS = ("S1", "S2")
LOST = record("lost", safe=300, one=300, lost=300)
SILENT = record("silent", safe=100, one=20, lost=0)


def one(row: dict[str, Any], policy: Policy | None, normalise: str = "raw", **more: Any) -> Result:
    (found,) = labelmass.score(
        [row], guard_task(), guard_model(), normalise=normalise, policy=policy, **more
    )
    assert isinstance(found, Result)
    return found


@pytest.mark.parametrize("normalise", NORMALISATIONS)
def test_what_cannot_be_read_opens_a_label_as_far_as_it_could_be_it(normalise: str) -> None:
    plain = one(LOST, None, normalise)
    top, share = plain["S2"].high, 0.3 if normalise == "raw" else 0.3 / 0.9
    assert top is not None and plain.unreadable == pytest.approx(0.3)
    for cut, open_ in ((top + share - 0.01, True), (top + share + 0.01, False)):
        policy = Policy({"S1": Rule("flag", None), "S2": Rule("block", cut)})
        found = one(LOST, policy, normalise).decisions
        assert found["straddles"] == found["unreadable"] == ["S2"] * open_
        assert found["action"] == ("review" if open_ else "allow")
        assert found["explorations"] == 1  # looking further finds no more to read
    for straddle, action in (("low", "allow"), ("point", "allow"), ("high", "block")):
        policy = Policy({"S1": Rule("flag", None), "S2": Rule("block", top + 0.01)}, straddle)
        assert one(LOST, policy, normalise).decisions["action"] == action


@pytest.mark.parametrize("normalise", NORMALISATIONS)
def test_a_record_that_gives_too_little_of_a_verdict_goes_to_review(normalise: str) -> None:
    never = {"S1": Rule("flag", None), "S2": Rule("flag", None)}
    found = one(SILENT, Policy(never), normalise).decisions
    assert found["no_verdict"] and found["action"] == "review" and found["straddles"] == []
    assert one(SILENT, Policy(never, min_verdict=0.1), normalise).decisions["action"] == "allow"
    assert not one(LOST, Policy(never), normalise).decisions["no_verdict"]


def test_methods_that_ask_other_questions_have_no_verdict() -> None:
    policy = Policy({"S1": Rule("flag", None), "S2": Rule("flag", None)})
    found = one(SILENT, policy, methods=["hard"])
    assert found.decisions["no_verdict"]  # it stands for the answer to the task
    assert [reads_answer(name) for name in ("any-place", "hard", "unary", "binary", "tfidf")] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: guard_model())
    monkeypatch.chdir(tmp_path)
    Path("watch.toml").write_text(TASK)
    write_lines("dev.jsonl", guard_records())
    write_lines("new.jsonl", [*guard_records(40, seed=1), LOST, SILENT, {"id": "bad"}])
    return tmp_path


def write(source: str, *outs: str, **options: Any) -> list[dict[str, Any]]:
    """Score files, in the form that their names say, of one run."""
    results = labelmass.score(records(source), guard_task(), guard_model(), **options)
    rows = results.to_dicts()
    with Journal(Path("journal"), {"run": results.signature.to_dict()}, overwrite=True) as journal:
        journal.append(list(enumerate(rows)))
        for out in outs:
            export(journal, out)
        journal.remove()
    return rows


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("normalise", NORMALISATIONS)
def test_files_are_decided_as_records_are(normalise: str, calibrated: bool) -> None:
    write("dev.jsonl", "scores.jsonl", normalise=normalise)
    through: tuple[str, ...] = ()
    cal = None
    if calibrated:
        on = ("--targets", "dev.jsonl", "-t", "watch.toml", "--gold-targets")
        run("calibrate", "scores.jsonl", *on, "--hold-out", "0.6", "--out", "cal.json")
        cal, through = Calibrator.load("cal.json"), ("--calibrator", "cal.json")
    run("tune", "scores.jsonl", "--targets", "dev.jsonl", "-t", "watch.toml", *through,
        "--goal", "f1", "--out", "policy.toml")  # fmt: skip
    policy = Policy.load("policy.toml")
    assert policy.reference is not None
    assert set(policy.reference.masses) == {"off_format", "unreadable", "verdict"}
    options = {"normalise": normalise, "calibrator": cal}
    wanted = write("new.jsonl", "decided.jsonl", policy=policy, **options)
    open_ = [row["decisions"].get("unreadable") for row in wanted]
    assert sum(map(bool, open_)) >= 3 and wanted[41]["decisions"]["no_verdict"]
    assert wanted[42]["decisions"] == {"action": "review"}
    endings = ("jsonl", "csv", "parquet")
    write("new.jsonl", *(f"plain.{ending}" for ending in endings), normalise=normalise)
    write("new.jsonl", *(f"after.{ending}" for ending in endings), **options)
    for ending in endings:
        for name in ("plain", "after") if calibrated else ("plain",):
            run("decide", f"{name}.{ending}", "--policy", "policy.toml", *through,
                "--out", "decisions.jsonl")  # fmt: skip
            for row, whole in zip(records("decisions.jsonl"), wanted, strict=True):
                found = whole["decisions"]
                assert row["action"] == found["action"]
                if found.get("explorations") == 1:
                    assert {key: row[key] for key in found if key in row} == {
                        key: one
                        for key, one in found.items()
                        if key not in ("policy", "explorations")
                    }


@pytest.mark.usefixtures("folder")
def test_calibrated_scores_alone_do_not_say_how_far_they_could_rise() -> None:
    write("dev.jsonl", "scores.jsonl")
    on = ("--targets", "dev.jsonl", "-t", "watch.toml", "--gold-targets")
    run("calibrate", "scores.jsonl", *on, "--hold-out", "0.6", "--out", "cal.json")
    run("tune", "scores.jsonl", *on[:4], "--calibrator", "cal.json", "--goal", "f1",
        "--out", "policy.toml")  # fmt: skip
    write("new.jsonl", "after.jsonl", calibrator=Calibrator.load("cal.json"))
    result = run("decide", "after.jsonl", "--policy", "policy.toml", code=1)
    assert isinstance(result.exception, LabelMassError)
    assert "give --calibrator" in str(result.exception)


@pytest.mark.usefixtures("folder")
def test_a_ceiling_is_never_below_the_exact_score_with_the_lost_mass() -> None:
    """Whatever the calibrator, it maps the raised end, and does not fall."""
    write("dev.jsonl", "scores.jsonl")
    scored = load_scores("scores.jsonl", LABELS)
    targets = np.array([[float(x in row["labels"]) for x in LABELS] for row in guard_records()])
    for method in ("platt", "isotonic", "venn-abers"):
        cal = labelmass.calibration.fit(
            LABELS, scored.ids, scored.p, targets, method=method,
            signature=scored.method_signature,
        )  # fmt: skip
        after = scored.through(cal)
        assert scored.ceiling is not None and after.ceiling is not None
        assert scored.unreadable is not None
        raised = np.minimum(scored.high + scored.unreadable[:, None], 1)
        assert np.array_equal(after.ceiling, cal.apply(LABELS, raised)[0])
        assert (after.ceiling >= after.high).all()


@pytest.mark.usefixtures("folder")
def test_a_file_without_its_verdicts_is_refused() -> None:
    write("dev.jsonl", "scores.jsonl")
    on = ("--targets", "dev.jsonl", "-t", "watch.toml")
    run("tune", "scores.jsonl", *on, "--goal", "f1", "--out", "policy.toml")
    rows = [
        {key: value for key, value in row.items() if key not in ("unreadable", "verdict")}
        for row in records("scores.jsonl")
    ]
    write_lines("stripped.jsonl", rows)
    result = run("decide", "stripped.jsonl", "--policy", "policy.toml", code=1)
    assert "how much of each record gives a verdict" in str(result.exception)
    for row in rows[1:]:
        row["verdict"] = {"p": 1.0, "low": 1.0, "high": 1.0}
    write_lines("part.jsonl", rows)  # of what is not said, nothing is taken as read
    run("decide", "part.jsonl", "--policy", "policy.toml", "--out", "decisions.jsonl")
    first, *rest = records("decisions.jsonl")
    assert first["no_verdict"] and not any(row["no_verdict"] for row in rest)
    assert all(set(row["straddles"]) | set(row["given"]) == set(LABELS) for row in rest)


@pytest.mark.usefixtures("folder")
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_what_was_made_when_verdicts_were_lost_is_refused(ending: str) -> None:
    """By a version whose signature says nothing of verdicts, and whose scores did not either."""
    write("dev.jsonl", f"scores.{ending}", "scores.jsonl")
    on = ("--targets", "dev.jsonl", "-t", "watch.toml", "--gold-targets")
    run("tune", "scores.jsonl", *on, "--goal", "f1", "--out", "policy.json")
    run("calibrate", "scores.jsonl", *on, "--out", "cal.json")
    for name in ("policy.json", "cal.json"):
        data = json.loads(Path(name).read_text())
        assert data["signature"]["format"] == "guard+verdict+usual"
        data["signature"]["format"] = "guard"
        for mass in ("unreadable", "verdict"):
            data.get("reference", {}).pop(mass, None)
        Path(name).write_text(json.dumps(data))
    said = str(run("decide", f"scores.{ending}", "--policy", "policy.json", code=1).exception)
    assert "this policy is for" in said
    if ending == "csv":  # which holds no signature
        assert "do not say how much of each record gives a verdict, and these do" in said
        return
    for words in (
        "format: 'guard', now 'guard+verdict+usual'",
        "lost a risk verdict",
        "fit one on",
    ):
        assert words in said
    asked = ("--calibrator", "cal.json", "--goal", "f1", "--out", "x.json")
    said = str(run("tune", f"scores.{ending}", *on, *asked, code=1).exception)
    assert "this calibrator is for other scores (format: 'guard', now" in said
    score = ("score", "new.jsonl", "-t", "watch.toml", "--policy", "policy.json")
    assert "lost a risk verdict" in str(run(*score, code=1).exception)


@pytest.mark.usefixtures("folder")
def test_drift_sees_verdicts_that_cannot_be_read_and_records_without_scores() -> None:
    write("dev.jsonl", "scores.jsonl")
    on = ("--targets", "dev.jsonl", "-t", "watch.toml")
    run("tune", "scores.jsonl", *on, "--goal", "f1", "--out", "policy.toml")
    rows = guard_records(160, seed=5)
    write_lines("same.jsonl", rows)
    write("same.jsonl", "same-scores.jsonl")
    asked = ("--policy", "policy.toml", "--strict")
    assert "no change" in run("drift", "same-scores.jsonl", *asked).stdout
    shifted = records("same-scores.jsonl")
    for row in shifted:
        row["unreadable"] = 0.5 + row["unreadable"] / 2
    write_lines("lost.jsonl", shifted)
    said = run("drift", "lost.jsonl", *asked, code=2).stdout
    assert "warning: mass that cannot be read behind a risk verdict 0." in said
    failed = [{"id": row["id"], "error": "no"} if at % 5 == 0 else row
              for at, row in enumerate(records("same-scores.jsonl"))]  # fmt: skip
    write_lines("failed.jsonl", failed)
    said = run("drift", "failed.jsonl", *asked, code=2).stdout
    assert "warning: 20.0% of records have no score, were 0.0%" in said
