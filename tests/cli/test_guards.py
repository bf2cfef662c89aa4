"""Guards on the command line."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from helpers.commands import records, run, write_lines
from helpers.scripted_guard import level_guard, level_records
from helpers.strict_html import data, read
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.guard import guards

POLICIES = """\
extends = "yes-no"
name = "mine"
verified = ["*"]
[[labels]]
name = "violence"
policy = "Nobody may threaten anyone."
[[labels]]
name = "spam"
policy = "Nobody may advertise."
"""


def by_policy(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    if path:
        return {END: 1.0}
    return {"yes": 0.7, "no": 0.2} if "threaten" in prompt else {"yes": 0.1, "no": 0.8}


@pytest.fixture(autouse=True)
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "helpers.commands.loader",
        lambda *a, **k: ScriptedLanguageModel(by_policy, ["yes", "no"]),
    )
    Path("mine.toml").write_text(POLICIES)
    chats = [
        {"id": "a", "text": "I will find you", "labels": ["violence"]},
        {"id": "b", "prompt": "Hi", "response": "Hello", "labels": []},
    ]
    write_lines("chats.jsonl", chats)


def test_guards_are_listed_by_name() -> None:
    shown = run("list", "guards").stdout.splitlines()
    assert [line.split()[0] for line in shown] == list(guards())
    assert json.loads(run("list", "guards", "--json").stdout) == guards()


def test_each_policy_is_scored_and_used_downstream() -> None:
    run("score", "chats.jsonl", "--guard", "mine.toml", "--out", "scores.jsonl")
    a, b = records("scores.jsonl")
    for row in (a, b):
        assert row["labels"]["violence"]["p"] == pytest.approx(0.7)
        assert row["labels"]["spam"]["p"] == pytest.approx(0.1)
    assert "guard mine" in a["signature"]["prompt"]
    shown = run("evaluate", "scores.jsonl", "--targets", "chats.jsonl", "--guard", "mine.toml")
    assert "any-place" in shown.stdout
    table = run("score", "chats.jsonl", "--guard", "mine.toml", "--table").stdout
    assert "0.700" in table and "violence" in table


def test_thresholds_stand_beside_the_guards_own_answers() -> None:
    run(
        "score",
        "chats.jsonl",
        "--guard",
        "mine.toml",
        "--method",
        "any-place,hard",
        "--out",
        "s.jsonl",
    )
    words = ("--targets", "chats.jsonl", "--guard", "mine.toml", "--goal", "f1", "--out", "p.toml")
    shown = run("tune", "s.jsonl", *words).stdout.splitlines()
    (head,) = (at for at, line in enumerate(shown) if "own answers" in line)
    rows = {line.split()[0]: line.split()[1:] for line in shown[head + 1 :] if " of " in line}
    assert rows["violence"] == ["0.500", "of", "2", "1.000", "of", "1"]  # it says yes to both
    run("score", "chats.jsonl", "--guard", "mine.toml", "--out", "alone.jsonl")
    assert "own answers" not in run("tune", "alone.jsonl", *words).stdout


def test_each_published_mode_stands_beside_the_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: level_guard())
    Path("levels.toml").write_text('extends = "qwen3guard"\nname = "levels"\nverified = ["*"]\n')
    rows = level_records(60)
    write_lines("levels.jsonl", rows)
    guard = ("--guard", "levels.toml")
    run("score", "levels.jsonl", *guard, "--method", "any-place,hard", "--out", "s.jsonl")
    words = ("--targets", "levels.jsonl", *guard, "--goal", "recall>=0.95", "--out", "p.toml")
    shown = run("tune", "s.jsonl", *words).stdout.splitlines()
    (head,) = (at for at, line in enumerate(shown) if "own answers" in line)
    print("\n".join(shown))
    assert "mode" in shown[head]
    own = {tuple(cells[:2]): cells[2:] for line in shown[head:] if len(cells := _cells(line)) > 2}
    level = {row["id"]: int(row["greedy"].startswith("Safety: Uns")) for row in records("s.jsonl")}
    for row in records("s.jsonl"):
        level[row["id"]] += not row["greedy"].startswith("Safety: Safe")
    for label, wanted in (("unsafe or controversial", 1), ("unsafe", 2)):
        gold = [{0: 0, 1: 1, 2: 2}[len(row["labels"])] >= wanted for row in rows]
        for mode, at in (("strict", 1), ("loose", 2)):
            given = [level[row["id"]] >= at for row in rows]
            right = sum(a and b for a, b in zip(given, gold, strict=True))
            precision = f"{right / sum(given):.3f} of {sum(given)}"
            recall = f"{right / sum(gold):.3f} of {sum(gold)}"
            assert own[label, mode] == [precision, recall]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"\s{2,}", line.strip())]


def test_the_next_step_names_the_guard_and_runs() -> None:
    *_, last = run("score", "chats.jsonl", "--guard", "mine.toml", "--table").stderr.splitlines()
    assert last == "next: --out scores.jsonl keeps the scores and says how to calibrate them"
    many = [{"id": at, "text": f"{at}", "labels": ["violence"] * (at % 2)} for at in range(40)]
    write_lines("many.jsonl", many)
    scored = ("score", "many.jsonl", "--guard", "mine.toml", "--out", "scores.jsonl")
    for out in ("calibrator.json", "policy.toml"):
        *_, last = run(*scored).stderr.splitlines()
        words = shlex.split(last.removeprefix("next: labelmass ").split("  (")[0])
        assert words[words.index("--guard") + 1] == "mine.toml" and words[-1] == out
        run(*("many.jsonl" if word == "LABELLED" else word for word in words))
        scored = (*scored, "--calibrator", "calibrator.json", "--overwrite")
    assert Path("policy.toml").exists()


def test_the_next_step_names_the_guard_that_auto_was(monkeypatch: pytest.MonkeyPatch) -> None:
    served = ScriptedLanguageModel({"": {"No": 0.8, "Yes": 0.2}, "No": {END: 1}, "Yes": {END: 1}})
    served.name = "ibm-granite/granite-guardian-3.1-8b"
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: served)
    words = ("--guard", "auto", "-m", served.name, "--accept-template", "--out", "s.jsonl")
    *_, last = run("score", "chats.jsonl", *words).stderr.splitlines()
    assert "--guard granite-guardian-3 --accept-template --out" in last


def test_every_prompt_and_tree_of_a_record_is_shown() -> None:
    rows = run("show", "prompt", "chats.jsonl", "--guard", "mine.toml", "--json").stdout
    shown = [json.loads(row) for row in rows.splitlines()]
    assert [(row["id"], row["label"]) for row in shown] == [
        (name, label) for name in "ab" for label in ("violence", "spam")
    ]
    assert "Nobody may advertise." in shown[1]["text"]
    drawn = run("explain", "I will find you", "--guard", "mine.toml").stdout
    assert "writes violence" in drawn and "writes spam" in drawn


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--guard", "none"), "no guard 'none'"),
        (("--guard", "auto"), "auto goes by the name of one --model"),
        (("--guard", "yes-no", "--task", "emotions"), "has labels of its own"),
        (("--guard", "yes-no", "-k", "3"), "makers'"),
        (("--guard", "yes-no", "--method", "binary"), "as its makers did"),
        (("--task", "emotions", "--accept-template"), "name one with --guard"),
        (("--guard", "wildguard"), 'extends = "wildguard"'),
    ],
)
def test_what_a_guard_cannot_be_asked_is_said(words: tuple[str, ...], message: str) -> None:
    done = run("score", "chats.jsonl", *words, code=2 if "--" in message or "own" in message else 1)
    assert message in f"{done.stderr} {done.exception}"


def test_auto_goes_by_the_model_that_a_server_names(monkeypatch: pytest.MonkeyPatch) -> None:
    served = ScriptedLanguageModel({"": {"No": 0.8, "Yes": 0.2}, "No": {END: 1}, "Yes": {END: 1}})
    served.name = "ibm-granite/granite-guardian-3.1-8b"
    loaded: list[object] = []
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: loaded.append(a) or served)
    words = ("--guard", "auto", "-m", "http://localhost:8000", "--out", "scores.jsonl")
    run("score", "chats.jsonl", *words)
    assert records("scores.jsonl")[0]["signature"]["task"] == "granite-guardian-3"
    assert len(loaded) == 1


@pytest.fixture
def compared() -> Path:
    """A run of a guard that is asked about one policy at a time."""
    rows = [
        {
            "id": at,
            "text": f"text {at}",
            "labels": ["violence"] * (at % 3 > 0) + ["spam"] * (at % 2),
        }
        for at in range(12)
    ]
    write_lines("many.jsonl", rows)
    run("compare", "many.jsonl", "--guard", "mine.toml", "--draws", "2", "--out", "compared")
    return Path("compared")


def test_a_report_shows_what_needs_no_answer_to_all_labels(compared: Path) -> None:
    run("report", str(compared), "--out", "page.html")
    root = read(Path("page.html").read_text())
    sections = {str(e.attributes["id"]).removeprefix("run1-"): e for e in root.all("section")}
    assert not {"writing", "pairs"} & set(sections)
    assert "one to each of 2 labels" in sections["setup"].text
    assert "left out" in sections["setup"].text
    assert "each label has an answer of its own" in sections["warnings"].text
    (model,) = data(root)["runs"][0]["models"]
    assert model["trees"]["records"] == 12
    assert model["trees"]["endings"] == {"complete": 24}
    assert model["trees"]["off_format"] == pytest.approx(0.1)
    answers = {(one["about"], one["text"]): one for one in model["errors"]["answers"]}
    assert answers["violence", "yes"]["records"] == answers["spam", "no"]["records"] == 12
    assert answers["violence", "yes"]["wrong"] == 4 and answers["spam", "no"]["wrong"] == 6
    assert answers["violence", "yes"]["mean_p"] == pytest.approx(0.7)
    assert answers["violence", "no"]["records"] == 0
    labels = {one["label"]: one["missed"] for one in model["errors"]["labels"]}
    assert (labels["violence"]["hits"], labels["spam"]["hits"]) == (0, 6)
    assert len(model["figures"]["error-tradeoff"]["labels"]) == 2
    drawn = next(sections["disagreements"].all("article")).text
    assert "the answer tree about violence" in drawn and "the answer tree about spam" in drawn


def test_an_analysis_is_of_each_policys_answers(compared: Path) -> None:
    shown = run("analyse", str(compared))
    groups = shown.stdout.split("In brackets")[0]
    assert "off-format" in groups and "two labels or more" not in groups
    assert "what is of one answer to all labels is left out" in " ".join(shown.stdout.split())
    first, second = json.loads(run("analyse", str(compared), "--json").stdout)["runs"]
    assert [one["about"] for one in (first, second)] == ["violence", "spam"]
    assert first["name"].endswith(": violence") and first["records"] == 12
    empty = [one["endings"]["empty"]["hits"] for one in (first, second)]
    assert empty == [0, 12]  # it says no to spam
    top = first["spikiness"]["kinds"]["last"]["top"]["mean"]
    assert top == pytest.approx(0.7 / 0.9)
    for name in ("multi_label", "rank_consistency", "label_order", "second_label"):
        assert first[name]["value"] is None and "answer of its own" in first[name]["reason"]
    run("analyse", str(compared), "--figures", "drawn")
    assert sorted(path.stem for path in Path("drawn").glob("*.svg")) == ["profile", "spikiness"]


def test_guards_of_one_answer_and_of_several_stand_side_by_side(
    compared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: level_guard())
    Path("levels.toml").write_text('extends = "qwen3guard"\nname = "levels"\nverified = ["*"]\n')
    write_lines("levels.jsonl", level_records(8))
    words = ("--guard", "levels.toml", "--keep-trees", "kept", "--out", "s.jsonl")
    run("score", "levels.jsonl", *words)
    lines = run("analyse", str(compared), "kept", "--markdown").stdout.splitlines()
    (row,) = (line for line in lines if "on-format answers" in line)
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells[:2] == ["n/a", "n/a"] and cells[2].endswith("(8)")


def test_one_answer_to_all_labels_is_asked_for_where_it_is_needed(compared: Path) -> None:
    (trees,) = (str(path) for path in compared.iterdir() if path.is_dir())
    for command in (
        ("analyse", str(compared), "--attention"),
        ("fit", "rule", trees, "--uncertainty", "entropy", "--out", "rule.json"),
    ):
        assert "about one at a time" in str(run(*command, code=1).exception)
