"""`calibrate`, and scores through what it fitted, end to end on a scripted model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import labelmass
from helpers.annotated_records import LABELS, annotated, level_model
from helpers.commands import records, run, write_lines
from labelmass.calibration import Calibrator, HoldOut, fit
from labelmass.errors import FitError, LabelMassError
from labelmass.scores.read import read_scores
from labelmass.scores.signature import of_method
from labelmass.targets import Targets
from labelmass.task import Task

pytestmark = pytest.mark.usefixtures("levels")

ON = ("--targets", "dev.jsonl", "-t", "mood.toml")


def scored(*more: str, out: str = "scores.jsonl", texts: str = "dev.jsonl") -> None:
    run("score", texts, "-t", "mood.toml", *more, "--out", out)


def refused(*args: str) -> str:
    result = run(*args, code=1)
    assert isinstance(result.exception, LabelMassError)
    return str(result.exception)


def test_it_is_fitted_on_annotator_shares_and_says_whether_it_helps() -> None:
    printed = run("calibrate", "scores.jsonl", *ON, "--out", "cal.json").output
    cal = Calibrator.load("cal.json")
    targets = Targets.from_records(annotated(), LABELS)
    p = read_scores("scores.jsonl", LABELS).each["any-place"].p
    alone = fit(LABELS, targets.ids, p, targets.shares)
    assert cal.curves == alone.curves
    assert cal.ids == alone.ids
    assert cal.signature is not None and cal.signature["methods"] == ["any-place"]
    joy = next(line for line in printed.splitlines() if line.startswith("joy "))
    assert f"{targets.shares[:, 0].sum():.1f} of 120" in joy
    raw, after = (float(cell) for cell in joy.split()[4:6])
    q = p[:, 0].clip(1e-8)
    h = targets.shares[:, 0]
    assert raw == pytest.approx(np.mean(-h * np.log(q) - (1 - h) * np.log1p(-q)), abs=5e-4)
    assert after < raw
    assert "NLL a cell from raw to calibrated: -0.0" in printed
    assert "sure" in printed


def test_scores_come_calibrated_with_the_raw_beside_and_in_order() -> None:
    run("calibrate", "scores.jsonl", *ON, "--calibration-method", "venn-abers", "--out", "cal.json")
    write_lines("new.jsonl", annotated(30, seed=1, first=500))
    scored("--calibrator", "cal.json", texts="new.jsonl", out="new-scores.jsonl")
    scored(texts="new.jsonl", out="raw.jsonl")
    cal = Calibrator.load("cal.json")
    for row, raw in zip(records("new-scores.jsonl"), records("raw.jsonl"), strict=True):
        assert row["methods"]["any-place"] == raw["labels"]
        sides = [np.array([[raw["labels"][x][s] for x in LABELS]]) for s in ("low", "p", "high")]
        for side, mapped in zip(("low", "p", "high"), cal.apply(LABELS, *sides), strict=True):
            assert [row["labels"][x][side] for x in LABELS] == mapped[0].tolist()
        for label in LABELS:
            one = row["labels"][label]
            assert one["low"] <= one["p"] <= one["high"]
            far = row["moved"]["calibration"]["calibrated:any-place"][label]
            assert far == pytest.approx(one["p"] - raw["labels"][label]["p"])
        assert row["signature"]["calibrator"] == cal.digest
        assert row["signature"]["methods"] == ["calibrated:any-place", "any-place"]
    run("evaluate", "new-scores.jsonl", "--targets", "new.jsonl", "-t", "mood.toml",
        "--draws", "0", "--out", "judged")  # fmt: skip
    rows = json.loads(Path("judged/evaluation.json").read_text())["methods"]
    nll = {row["name"]: row["scores"]["nll"]["value"] for row in rows}
    assert nll["calibrated:any-place"] < nll["any-place"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_flat_files_hold_both(ending: str) -> None:
    scored(out=f"scores.{ending}")
    note = run("calibrate", f"scores.{ending}", *ON, "--out", "cal.json").stderr
    assert ("does not say what kind" in note) == (ending == "csv")
    scored("--calibrator", "cal.json", out=f"both.{ending}")
    found = read_scores(f"both.{ending}", LABELS).each
    assert list(found)[-2:] == ["calibrated:any-place", "any-place"]
    assert (found["calibrated:any-place"].p != found["any-place"].p).any()


def test_saved_trees_are_fitted_on_and_read_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scored("--keep-trees", "trees")
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: pytest.fail("no model"))
    run("calibrate", "trees", "--targets", "dev.jsonl", "--scores-by", "max-over-generations",
        "--shared", "--out", "cal.json")  # fmt: skip
    cal = Calibrator.load("cal.json")
    assert cal.shared
    run("score", "trees", "--calibrator", "cal.json", "--out", "read.jsonl")
    first = records("read.jsonl")[0]
    assert list(first["methods"]) == ["calibrated:max-over-generations", "max-over-generations"]
    raw, after = (
        np.array([[m[x]["p"] for x in LABELS]]) for m in reversed(first["methods"].values())
    )
    assert cal.apply(LABELS, raw)[0].tolist() == after.tolist()
    run(
        "score",
        "trees",
        "--calibrator",
        "cal.json",
        "--contextual-calibration",
        "batch",
        "--force",
        "--out",
        "x.csv",
    )
    assert "contextual_calibration: None, now 'batch'" in refused(
        "score", "trees", "--calibrator", "cal.json", "--contextual-calibration", "batch"
    )


def test_scores_of_another_kind_are_refused_unless_forced(mood: Task) -> None:
    run("calibrate", "scores.jsonl", *ON, "--out", "cal.json")
    asked = ("score", "dev.jsonl", "-t", "mood.toml", "--calibrator", "cal.json")
    assert "normalisation: 'raw', now 'on-format'" in refused(*asked, "--normalise", "on-format")
    assert "tolerance: 0.01, now 0.1" in refused(*asked, "--tolerance", "0.1")
    assert "is for any-place, not for hard" in refused(*asked, "--method", "hard")
    run(*asked, "--method", "hard", "--force", "--out", "forced.jsonl")
    assert list(records("forced.jsonl")[0]["methods"]) == ["calibrated:hard", "hard"]
    run(
        *asked,
        "--tolerance",
        "0.001",
        "--method",
        "hard",
        "--method",
        "any-place",
        "--out",
        "o.csv",
    )
    cal = Calibrator.load("cal.json")
    other = level_model()
    other.fingerprint = "other"
    with pytest.raises(FitError, match="fingerprint"):
        labelmass.score(["level 5"], mood, other, calibrator=cal)
    (one,) = labelmass.score(["level 5"], mood, level_model(), calibrator=cal)
    assert one.labels is one.methods["calibrated:any-place"]


def test_what_is_calibrated_already_is_not_calibrated_again() -> None:
    run("calibrate", "scores.jsonl", *ON, "--out", "cal.json")
    scored("--calibrator", "cal.json", out="both.jsonl")
    said = refused("calibrate", "both.jsonl", *ON, "--out", "again.json")
    assert "take scores by any-place" in said
    run("calibrate", "both.jsonl", *ON, "--scores-by", "any-place", "--out", "again.json")
    assert Calibrator.load("again.json") == Calibrator.load("cal.json")


def test_a_method_is_known_by_what_it_needs_itself() -> None:
    scored("--method", "sampling", "--method", "any-place", out="two.jsonl")
    signature = records("two.jsonl")[0]["signature"]
    assert of_method(signature, "sampling")["samples"] == 100
    assert of_method(signature, "any-place")["samples"] == 0
    run("calibrate", "two.jsonl", *ON, "--scores-by", "any-place", "--out", "cal.json")
    scored("--calibrator", "cal.json", out="after.jsonl")


def test_hold_out_choice_and_rare_labels_are_recorded() -> None:
    rows = [row | {"talk": f"t{i // 2}"} for i, row in enumerate(annotated())]
    write_lines("dev.jsonl", rows)
    scored()
    printed = run("calibrate", "scores.jsonl", *ON, "--calibration-method", "auto",
                  "--hold-out", "0.4", "--group", "talk", "--seed", "3",
                  "--out", "cal.json").output  # fmt: skip
    cal = Calibrator.load("cal.json")
    groups = [f"talk:{row['talk']}" for row in rows]
    out = HoldOut(0.4, 3).out(groups)
    assert cal.hold_out == HoldOut(0.4, 3)
    assert cal.records == int((~out).sum())
    assert out[::2].tolist() == out[1::2].tolist()
    assert cal.selection is not None and cal.selection.best.method in printed
    assert "few: borrows 20" in printed


def test_targets_are_shares_or_gold() -> None:
    asked = ("calibrate", "scores.jsonl", *ON, "--gold", "majority")
    run(*asked, "--gold-targets", "--out", "gold.json")
    run(*asked, "--out", "soft.json")
    gold, soft = (Calibrator.load(f"{name}.json").curves[0].positives for name in ("gold", "soft"))
    shares = Targets.from_records(annotated(), LABELS).shares[:, 0]
    assert gold == (shares >= 0.5).sum()
    assert soft == pytest.approx(shares.sum())


def test_what_cannot_be_fitted_is_named() -> None:
    out = ("--out", "cal.json")
    asked = "calibrate", "scores.jsonl", "--targets"
    assert "--task" in run(*asked, "dev.jsonl", *out, code=2).output
    assert "there are any-place" in refused(*asked, *ON[1:], "--scores-by", "hard", *out)
    write_lines("other.jsonl", annotated(5, first=900))
    said = refused(*asked, "other.jsonl", *ON[2:], *out)
    assert "no record has both scores by any-place and targets" in said
