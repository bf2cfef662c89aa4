"""The strictness of a guard with levels: one line, its published modes and the policy on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import TASK
from helpers.annotated_records import annotated, level_model
from helpers.commands import run
from helpers.scripted_guard import level_guard, level_records
from helpers.strict_html import data, read
from labelmass.decisions import Policy
from labelmass.reporting import draw, gather, report
from reporting.runs import make_run

PROFILE = 'extends = "qwen3guard"\nname = "levels"\nverified = ["*"]\n'
WIDE, NARROW = "unsafe or controversial", "unsafe"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strictness")
    options = ("--method", "any-place,hard")
    return make_run(folder, PROFILE, level_records(), [level_guard()], *options, named_by="--guard")


def test_each_mode_is_marked_on_the_line_of_each_level(made: Path) -> None:
    found = gather(made)
    (model,) = found.models
    numbers = draw(found)["levels"]["error-tradeoff"].numbers["labels"]
    assert [one["label"] for one in numbers] == [WIDE, NARROW]  # nobody refuses
    own = model.scores["hard"]
    flags = {"strict": own.p[:, own.labels.index(WIDE)] > 0.5}
    flags["loose"] = own.p[:, own.labels.index(NARROW)] > 0.5
    assert flags["strict"].sum() > flags["loose"].sum() > 0
    for one in numbers:
        at = found.targets.labels.index(one["label"])
        gold, p = found.targets.gold[:, at] == 1, model.p[:, at]
        given = {f"own answers, {mode}": flag for mode, flag in flags.items()}
        given["the threshold of the tables"] = p >= 0.5
        assert set(one["at"]) == set(given)
        for name, flag in given.items():
            assert one["at"][name] == pytest.approx((flag[~gold].mean(), (~flag[gold]).mean()))
        for cut, flagged, missed in zip(
            one["threshold"], one["flagged"], one["miss_rate"], strict=True
        ):
            assert flagged == pytest.approx((p >= cut).mean())
            assert missed == pytest.approx((p[gold] < cut).mean())


def test_a_policy_that_promises_few_misses_is_marked(made: Path, tmp_path: Path) -> None:
    named = ("--targets", str(made.parent / "dev.jsonl"), "--guard", str(made.parent / "task.toml"))
    goal = ("--goal", "recall>=0.95", "--out", str(tmp_path / "policy.toml"))
    run("tune", str(made / "levels"), *named, *goal)
    policy = Policy.load(tmp_path / "policy.toml")
    (out,) = report(made, tmp_path / "page.html", policy=policy)
    root = read(out.read_text(encoding="utf-8"))
    (section,) = (e for e in root.all("section") if e.attributes["id"] == "run1-thresholds")
    assert "Misses against false alarms of any-place" in section.text
    (shown,) = data(root)["runs"][0]["models"]
    (model,) = gather(made).models
    for one in shown["figures"]["error-tradeoff"]["labels"]:
        at = model.scores["any-place"].labels.index(one["label"])
        gold = gather(made).targets.gold[:, at] == 1
        given = model.p[:, at] >= policy.rules[one["label"]].threshold
        wrong, missed = one["at"]["the policy"]
        assert (wrong, missed) == pytest.approx((given[~gold].mean(), (~given[gold]).mean()))
        assert missed <= 0.05 and "the threshold of the tables" not in one["at"]
        line = np.array([one["false_positive_rate"], one["miss_rate"]]).T
        assert np.abs(line - (wrong, missed)).sum(axis=1).min() == pytest.approx(0, abs=1e-9)


def test_other_tasks_have_no_such_figure(tmp_path: Path) -> None:
    made = make_run(tmp_path, TASK, annotated(20), [level_model(name="m")], "--method", "any-place")
    found = gather(made)
    assert "error-tradeoff" not in draw(found)["m"]
