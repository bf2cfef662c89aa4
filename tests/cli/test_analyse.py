"""`labelmass analyse`, end to end on saved trees."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from conftest import TASK
from helpers.commands import TEXTS, run
from labelmass.errors import LabelMassError, MethodError, RecordError

GOLD = [
    text | {"labels": [["joy", "fear"], ["glee"], [], None][i % 4]} for i, text in enumerate(TEXTS)
]
DEMONSTRATIONS = """
demonstrations.k = 4
demonstrations.multi_share = {share}
demonstrations.examples = [
  {{text = "a", labels = ["joy"]}}, {{text = "b", labels = ["fear"]}},
  {{text = "c", labels = ["joy"]}}, {{text = "d", labels = ["fear"]}},
  {{text = "e", labels = ["joy", "fear"]}}, {{text = "f", labels = ["fear", "joy"]}},
  {{text = "g", labels = ["joy", "fear"]}}, {{text = "h", labels = ["fear", "joy"]}},
]
"""


def grow(folder: str, share: float, texts: list[dict] = GOLD) -> None:
    Path("gold.jsonl").write_text("".join(json.dumps(t) + "\n" for t in texts))
    Path("with.toml").write_text(TASK + DEMONSTRATIONS.format(share=share))
    run("score", "gold.jsonl", "-t", "with.toml", "--keep-trees", folder, "--out", "out.jsonl")


@pytest.fixture
def saved(folder: Path) -> Path:
    grow("sweep/run-0.0", 0.0)
    grow("sweep/run-0.5", 0.5)
    grow("other/run-0.5", 0.5)
    return folder


@pytest.mark.usefixtures("saved")
def test_runs_stand_side_by_side_with_every_number_in_the_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: pytest.fail("no model"))
    shown, printed = run("analyse", "sweep"), run("analyse", "sweep", "--json")
    for word in ("run-0.0", "run-0.5", "never predicted", "P(stop)", "as in the prompt"):
        assert word in shown.stdout
    assert "gold labels that the task does not know are ignored: glee (8)" in shown.stderr
    assert "7 records have no 'labels'" in shown.stderr
    data = json.loads(printed.stdout)
    first, second = data["runs"]
    assert (first["name"], second["name"]) == ("run-0.0", "run-0.5")
    assert first["gold"] == {"field": "labels", "known": 23, "ignored": {"glee": 8}}
    assert first["records"] == 30 and first["failed"] == 0
    assert second["multi_label"]["demonstrations"] == {"share": 0.5, "hits": 60, "of": 120}
    assert [point["demonstrations"] for point in data["demo_sweep"]] == [0.0, 0.5]
    # happy: joy .49, joyful .21, fear .1, none .09; sad: fear .5, none .36; then all end
    last = first["spikiness"]["kinds"]["last"]
    assert last["top"]["n"] == 30
    assert last["top"]["mean"] == pytest.approx((0.49 / 0.89 + 0.5 / 0.86) / 2, abs=0.01)
    assert first["stopping"]["boundary"]["last"]["mean"] == pytest.approx((5 / 7 + 0.9) / 2)
    lines = run("analyse", "sweep", "--markdown").stdout.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")] == ["", "", "run-0.0", "run-0.5", ""]
    assert all(line.count("|") == 4 for line in lines if line.startswith("|"))


@pytest.mark.usefixtures("saved")
def test_a_table_is_as_wide_as_the_terminal_and_names_tell_runs_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    out = run("analyse", "sweep/run-0.5", "other/run-0.5").stdout
    assert "sweep/run-0.5" in out and "other/run-0.5" in out
    assert max(map(len, out.splitlines())) <= 50
    assert out.count("never predicted") == 2


@pytest.mark.usefixtures("saved")
def test_figures_are_drawn_the_same_every_time() -> None:
    for folder in ("one", "two"):
        run("analyse", "sweep", "--figures", folder)
    names = sorted(path.name for path in Path("one").iterdir())
    assert {"spikiness.svg", "spikiness.png", "profile.svg", "demo_sweep.png"} <= set(names)
    assert all((Path("one") / n).read_bytes() == (Path("two") / n).read_bytes() for n in names)
    svg = Path("one/spikiness.svg").read_text()
    assert "run-0.5" in svg and "label step r" in svg and "<dc:date>" not in svg


@pytest.mark.usefixtures("saved")
def test_another_field_may_hold_gold_labels() -> None:
    grow("noted", 0.0, [text | {"noted": ["joy", "fear"]} for text in TEXTS])
    printed = run("analyse", "noted", "--gold-field", "noted", "--json").stdout
    (found,) = json.loads(printed)["runs"]
    assert found["gold"]["known"] == 30
    shown = run("analyse", "noted", "--json")
    assert "no record has 'labels'" in shown.stderr
    (found,) = json.loads(shown.stdout)["runs"]
    assert found["order_accuracy"]["value"] is None


@pytest.mark.usefixtures("saved")
def test_what_cannot_be_diagnosed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def error(*args: str) -> Exception:
        with pytest.raises(LabelMassError) as caught:
            run("analyse", *args)
        return caught.value

    Path("empty").mkdir()
    assert "no saved trees" in str(error("empty"))
    assert "named twice" in str(error("sweep", "sweep/run-0.0"))
    grow("wrong", 0.0, [TEXTS[0] | {"labels": "joy"}])
    found = error("wrong")
    assert isinstance(found, RecordError) and "'r0'" in str(found)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "labelmass[figures]" in str(error("sweep", "--figures", "f"))


@pytest.mark.usefixtures("saved")
def test_trees_of_one_method_alone_are_refused() -> None:
    from labelmass.scoring.saved_trees import SavedTrees, TreeStore

    old = SavedTrees("sweep/run-0.0")
    store = TreeStore("bare", old.task, old.signature)
    for key, kept in enumerate(old, start=1):
        kept.tree.label_tries = 1
        store.add(key, kept)
    store.close()
    with pytest.raises(MethodError, match=r"bare: .*--keep-trees"):
        run("analyse", "bare")
