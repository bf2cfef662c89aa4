"""The error analysis of the page: counted again record by record, by threshold and by policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labelmass
from conftest import TASK
from helpers import scripted_guard
from helpers.annotated_records import annotated, level_model
from helpers.strict_html import Element, data, read
from labelmass.decisions import Policy, Rule
from labelmass.errors import LabelMassError
from labelmass.reporting import ReportData, draw, explorers, gather, page, report
from reporting.runs import make_run

ROWS: list[dict[str, Any]] = [
    row | ({} if at % 7 == 0 else {"source": ["a", "b"] if at % 3 else "a"})
    for at, row in enumerate(annotated(60))
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("errors")
    options = ("--method", "any-place,hard", "--gold", "majority")
    return make_run(folder, TASK, ROWS, [level_model(name="m")], *options)


def errors_of(found: ReportData, policy: Policy | None = None) -> tuple[dict[str, Any], Element]:
    """The numbers of the one model's errors, and the section."""
    tried = explorers([found], policy)
    root = read(page([found], [draw(found)], tried))
    (section,) = (e for e in root.all("section") if e.attributes["id"] == "run1-errors")
    return data(root)["runs"][0]["models"][0]["errors"], section


def test_errors_at_the_threshold_of_the_comparison(run: Path) -> None:
    found = gather(run)
    numbers, section = errors_of(found)
    assert "P >= 0.5, as no threshold was chosen" in section.text
    (model,) = found.models
    for at, (label, one) in enumerate(zip(found.targets.labels, numbers["labels"], strict=True)):
        missed, of = list[tuple[float, str]](), 0
        for name, p, gold in zip(
            found.targets.ids, model.p[:, at], found.targets.gold[:, at], strict=True
        ):
            of += gold == 1
            if gold == 1 and p < 0.5:
                missed.append((p, name))
        assert one["label"] == label
        assert (one["missed"]["hits"], one["missed"]["of"]) == (len(missed), of)
        assert one["records"] == [name for _, name in sorted(missed)]
        assert one["p_missed"]["n"] == len(missed) and not one["review"]
    assert any(one["missed"]["hits"] for one in numbers["labels"])
    assert not numbers["groups"] and "Under-flagging" not in section.text


def test_the_threshold_of_the_comparison_is_told(run: Path, tmp_path: Path) -> None:
    changed = json.loads((run / "comparison.json").read_text())
    for row in changed["methods"]:
        if row["threshold"]["tau"] is not None:
            row["threshold"]["tau"] = 0.25
    (tmp_path / "m").symlink_to(run / "m")
    (tmp_path / "comparison.json").write_text(json.dumps(changed))
    numbers, section = errors_of(gather(tmp_path))
    assert "the threshold of the comparison (P >= 0.25)" in section.text
    before, _ = errors_of(gather(run))
    hits = [sum(one["missed"]["hits"] for one in each["labels"]) for each in (numbers, before)]
    assert hits[0] < hits[1]


def test_what_a_policy_sends_to_review_is_not_missed(run: Path) -> None:
    found = gather(run)
    signature = found.models[0].scores["any-place"].method_signature
    for review, missing in ((None, True), (0.0, False)):
        rules = {label: Rule("block", 0.99, review) for label in found.targets.labels}
        numbers, section = errors_of(found, Policy(rules, signature=signature))
        assert "By the policy, on scores of any-place." in section.text
        for one in numbers["labels"]:
            assert (one["missed"]["hits"] > 0) is missing
            assert one["review"] == (0 if missing else one["missed"]["of"])


def test_errors_are_counted_in_each_group(run: Path) -> None:
    found = gather(run, by="source")
    numbers, section = errors_of(found)
    assert "Errors by source" in section.text
    (model,) = found.models
    sources = {row["id"]: row.get("source", []) for row in ROWS}
    for one in numbers["groups"]:
        rows = [at for at, name in enumerate(found.targets.ids) if one["group"] in sources[name]]
        assert one["records"] == len(rows)
        for at, label in enumerate(found.targets.labels):
            gold, p = found.targets.gold[rows, at], model.p[rows, at]
            missed, alarms = one["labels"][label]["missed"], one["labels"][label]["false_alarms"]
            assert (missed["hits"], missed["of"]) == (((gold == 1) & (p < 0.5)).sum(), gold.sum())
            assert alarms["hits"] == ((gold == 0) & (p >= 0.5)).sum()
    assert [one["group"] for one in numbers["groups"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("src", "no record has the field 'src'"),
        ("annotators", "not the name of a group"),
        ("text", "no record has the field"),
    ],
)
def test_a_field_that_names_no_groups_is_refused(run: Path, field: str, message: str) -> None:
    with pytest.raises(LabelMassError, match=message):
        gather(run, by=field)


def test_a_field_of_many_values_is_refused(tmp_path: Path) -> None:
    rows = [row | {"user": at} for at, row in enumerate(annotated(60))]
    made = make_run(tmp_path, TASK, rows, [level_model(name="m")], "--method", "any-place")
    with pytest.raises(LabelMassError, match="60 values: errors are counted in at most 50"):
        gather(made, by="user")


def test_the_answers_of_a_guard_are_counted(tmp_path: Path) -> None:
    rows = scripted_guard.guard_records(40)
    model = scripted_guard.guard_model()
    made = make_run(tmp_path, scripted_guard.TASK, rows, [model], "--method", "any-place,hard")
    (out,) = report(made, tmp_path / "page.html")
    root = read(out.read_text(encoding="utf-8"))
    answers = data(root)["runs"][0]["models"][0]["errors"]["answers"]
    assert sum(one["records"] for one in answers) == 40
    by_text = {(one["text"], one["ending"]): one for one in answers}
    methods = ["any-place", "hard"]
    results = labelmass.score(rows, scripted_guard.guard_task(), model, methods=methods)
    gold = {row["id"]: set(row["labels"]) for row in rows}
    hard = results.methods["hard"].p > 0.5
    names = [[x for x, on in zip(results.labels, row, strict=True) if on] for row in hard]
    given = {name: set(labels) for name, labels in zip(results.ids, names, strict=True)}
    safe = by_text["safe", "complete"]
    kept = [r.id for r in results if r.to_dict()["greedy"] == "safe"]
    assert safe["records"] == len(kept) > 5
    assert safe["wrong"] == sum(gold[name] != given[name] for name in kept)
    mean = sum(r.empty_answer.p for r in results) / 40
    assert safe["mean_p"] == pytest.approx(mean, abs=0.02)
    assert ("unsafe\nS1", "complete") in by_text
    (table,) = (t for t in root.all("table") if next(t.all("caption")).text == "Answers written")
    assert "'unsafe\\nS1'" in table.text
