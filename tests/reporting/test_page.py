"""The page: its numbers, its text alternatives, and that nothing of the data becomes markup."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import TASK
from helpers.annotated_records import annotated
from helpers.strict_html import Element, data, read
from labelmass.answers.tree import AnswerTree
from labelmass.errors import LabelMassError
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.reporting import ReportData, draw, gather, numbers, page
from reporting.runs import comparison, make_run, named, scores

ATTACK = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
WRONG = "</details></script></svg><!-- &lt; ' \" \x00 \u202e abc \u2028 ]]>"
LABELS = ("<i>one</i>", "tw\"o' & co", "שלוש")
NASTY = (
    'name = "a<b"\n'
    f"description = {json.dumps(ATTACK)}\n"
    f"labels = {json.dumps(list(LABELS), ensure_ascii=False)}\n"
    'instruction = "Which? <b>{label_names}</b>"\nformat = "comma"\nchat = false\n'
)


def nasty_rows() -> list[dict]:
    sets = [[LABELS[0]], [LABELS[0], LABELS[1]], [LABELS[2]], []]
    return [
        {"id": f"{ATTACK} {i}", "text": f"{i} {WRONG} {ATTACK}", "annotators": [sets[i % 4]] * 2}
        for i in range(12)
    ]


def nasty_model() -> ScriptedLanguageModel:
    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        if not path:
            return dict(zip(LABELS, (0.5, 0.2, 0.1), strict=True)) | {"<u>": 0.1, "none": 0.1}
        return {", ": 0.2, "\n\n": 0.8} if path[-1] != ", " else {LABELS[1]: 1.0}

    return ScriptedLanguageModel(script, [*LABELS, ", ", "\n\n", "none", "<u>"], name="<m>&'")


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    folder = tmp_path_factory.mktemp("nasty")
    asked = ("--method", "any-place,hard", "--gold", "majority")
    made = make_run(folder, NASTY, nasty_rows(), [nasty_model()], *asked)
    return gather(made.rename(folder / "a<b>&amp;"))


@pytest.mark.parametrize(
    ("held", "said"),
    [("null", "is damaged"), ("[]", "is damaged"), ("{}", "is of an earlier version")],
)
def test_a_comparison_that_is_none_is_told_from_an_old_one(
    levels_run: Path, tmp_path: Path, held: str, said: str
) -> None:
    run = shutil.copytree(levels_run, tmp_path / "run")
    (run / "comparison.json").write_text(held)
    with pytest.raises(LabelMassError, match=said):
        gather(run)


def test_each_tree_is_built_once(levels_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    build = AnswerTree.from_dict.__func__  # type: ignore[attr-defined]

    def counted(cls: type[AnswerTree], data: Any) -> AnswerTree:
        built.append(len(built))
        return build(cls, data)

    monkeypatch.setattr(AnswerTree, "from_dict", classmethod(counted))
    found = gather(levels_run)
    assert len(built) == len(found.targets) == 120


def test_the_worst_are_those_farthest_from_the_annotators(gathered: ReportData) -> None:
    (model,) = gathered.models
    far = np.abs(model.p - gathered.targets.shares).mean(axis=1)
    wanted = np.sort(far)[::-1][: len(model.worst)]
    assert [one.distance for one in model.worst] == pytest.approx(wanted.tolist())
    for one in model.worst:
        assert one.explored.record.id == gathered.targets.ids[one.row]
        assert far[one.row] == pytest.approx(one.distance)


@pytest.fixture(scope="module")
def nasty_page(nasty: ReportData) -> str:
    return page([nasty], [draw(nasty)])


@pytest.fixture(scope="module")
def whole(gathered: ReportData) -> str:
    return page([gathered], [draw(gathered)])


# -- numbers ----------------------------------------------------------------------------------


def test_the_json_of_the_page_is_all_its_numbers(
    gathered: ReportData, whole: str, levels_run: Path
) -> None:
    drawn = draw(gathered)
    found = data(read(whole))
    assert found == json.loads(json.dumps(numbers([gathered], [drawn])))
    (run,) = found["runs"]
    assert run["comparison"] == comparison(levels_run)
    (model,) = run["models"]
    assert set(model["figures"]) == {
        "reliability", "reliability-labels", "risk-coverage", "precision-recall",
        "spikiness", "profile", "co-occurrence",
    }  # fmt: skip
    for name, figure in drawn["m"].items():
        assert model["figures"][name] == json.loads(json.dumps(dict(figure.numbers)))


def test_figures_agree_with_the_comparison(gathered: ReportData, levels_run: Path) -> None:
    """Each figure has a number that `compare` found in another way."""
    drawn = {name: one.numbers for name, one in draw(gathered)["m"].items()}
    for method, one in drawn["reliability"].items():
        assert one["error"] == pytest.approx(scores(levels_run, method)["ece-pooled"]["value"])
    found = scores(levels_run, "any-place")
    for label, one in drawn["reliability-labels"].items():
        assert one["error"] == pytest.approx(found["ece"]["labels"][label])
    assert drawn["risk-coverage"]["full"] == pytest.approx(found["hamming"]["value"])
    for one in drawn["precision-recall"]["labels"]:
        label = one["label"]
        assert one["ap"] == pytest.approx(found["ap"]["labels"][label])
        precision = one["at"][0] or 0.0  # None where no record is given the label
        assert precision == pytest.approx(found["macro-precision"]["labels"][label])
        assert one["at"][1] == pytest.approx(found["macro-recall"]["labels"][label])
    cooccurrence = drawn["co-occurrence"]
    shares, p = gathered.targets.shares, gathered.models[0].p
    assert np.diag(cooccurrence["annotators"]) == pytest.approx(shares.mean(axis=0))
    assert np.diag(cooccurrence["model"]) == pytest.approx(p.mean(axis=0))


def test_what_is_shown_first_is_farthest_apart(gathered: ReportData) -> None:
    (model,) = gathered.models
    far = np.abs(model.p - gathered.targets.shares).mean(axis=1)
    assert [one.distance for one in model.worst] == pytest.approx(sorted(far)[::-1][:10])
    for one in model.worst:
        assert gathered.targets.ids[one.row] == one.explored.record.id
        assert one.distance == pytest.approx(far[one.row])


def test_each_table_below_a_figure_holds_the_points_that_are_drawn(
    gathered: ReportData, whole: str
) -> None:
    figures = {one.attributes["id"]: one for one in read(whole).all("figure")}
    drawn = draw(gathered)["m"]
    assert list(figures) == [f"run1-m1-{name}" for name in drawn]
    for name, figure in drawn.items():
        (table,) = figures[f"run1-m1-{name}"].all("table")
        rows = [[cell.text for cell in row.children if isinstance(cell, Element)]
                for row in table.all("tr")]  # fmt: skip
        assert rows == [list(figure.head), *map(list, figure.rows)]


# -- markup -----------------------------------------------------------------------------------


def test_nothing_of_the_data_becomes_markup(nasty: ReportData, nasty_page: str) -> None:
    root = read(nasty_page)
    assert [one.attributes["id"] for one in root.all("script")] == ["data"]
    assert not list(root.all("img")) and not list(root.all("i")) and not list(root.all("u"))
    for one in root.all():
        for name, value in one.attributes.items():
            assert not name.startswith("on"), (one.name, name)
            if name in ("href", "src"):
                assert value is not None and value.startswith("#")
    shown = root.text
    for said in (*LABELS, ATTACK, "Which? <b>", "a<b>&amp;"):
        assert said in shown
    assert "\x00" not in nasty_page
    texts = [one.text for one in root.all("p") if one.attributes.get("class") == "record"]
    # what HTML cannot hold is shown by its picture
    assert texts[0] == nasty.models[0].worst[0].explored.record.plain.replace("\x00", "␀")


@pytest.mark.parametrize("name", ["nasty", "gathered"])
def test_texts_of_records_are_folded(name: str, request: pytest.FixtureRequest) -> None:
    run: ReportData = request.getfixturevalue(name)
    said = ["]]>"] if name == "nasty" else [row["text"] for row in annotated()]
    found = 0
    for text, at in read(page([run], [draw(run)])).texts():
        if not any(one in text for one in said):
            continue
        around = list(at.outwards())
        folds = [one for one in around if one.name == "details"]
        assert folds and all("open" not in one.attributes for one in folds), text
        assert not any(one.name == "summary" for one in around), text
        found += 1
    assert found >= 10


def test_every_image_and_every_table_says_what_it_is(whole: str, nasty_page: str) -> None:
    for text in (whole, nasty_page):
        root = read(text)
        ids = [one.attributes["id"] for one in root.all() if "id" in one.attributes]
        assert len(set(ids)) == len(ids)
        images = list(root.all("svg"))
        assert len(images) > 10
        for one in images:
            if one.attributes.get("aria-hidden") == "true":
                continue
            title, about = (next(one.all(name)) for name in ("title", "desc"))
            assert title.text.strip() and about.text.strip()
            named = f"{title.attributes['id']} {about.attributes['id']}"
            assert one.attributes["aria-labelledby"] == named
            assert one.attributes["role"] == "img"
        for one in root.all("table"):
            first = one.children[0]
            assert isinstance(first, Element) and first.name == "caption" and first.text.strip()
            heads = [len(list(row.all("th"))) + len(list(row.all("td"))) for row in one.all("tr")]
            assert len(set(heads)) == 1
            assert all(cell.attributes["scope"] in ("row", "col") for cell in one.all("th"))
        links = {one.attributes["href"] for one in root.all("a")}
        assert {str(link).removeprefix("#") for link in links} <= set(ids)
        levels = [int(one.name[1]) for one in root.all() if re.fullmatch("h[1-6]", one.name)]
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels))


def test_the_page_asks_for_nothing(whole: str) -> None:
    root = read(whole)
    (style,) = (one.text for one in root.all("style"))
    assert not re.search(r"@import|url\(|@font-face|https?:", style)
    assert not {"img", "link", "iframe", "object", "embed", "form", "base"} & {
        one.name for one in root.all()
    }
    (policy,) = (
        one.attributes["content"] for one in root.all("meta") if "http-equiv" in one.attributes
    )
    assert policy is not None and policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy and "script-src 'unsafe" not in policy


# -- kinds of runs ------------------------------------------------------------------------------


def test_several_runs_stand_one_after_the_other(gathered: ReportData, nasty: ReportData) -> None:
    runs = [gathered, nasty]
    root = read(page(runs, [draw(run) for run in runs]))
    parts = [one for one in root.all("section") if one.attributes.get("id") in ("run1", "run2")]
    assert [next(one.all("h2")).text for one in parts] == ["run", "a<b>&amp;"]
    assert [run["task"] for run in data(root)["runs"]] == ["mood", "a<b"]
    ids = [one.attributes["id"] for one in root.all() if "id" in one.attributes]
    assert len(set(ids)) == len(ids)


def test_several_models_each_have_figures_and_their_own_failures(tmp_path: Path) -> None:
    """One fails on the longest text, the other on none; either may come first."""
    rows = annotated(12)
    rows[3]["text"] = f"{'so ' * 40}level 500"
    rows[5]["unknown"] = ["fear"]
    for row in rows:
        row["annotators"] = [[one for one in vote if one not in row.get("unknown", ())]
                             for vote in row["annotators"]]  # fmt: skip
    asked = ("--method", "any-place,hard", "--gold", "majority")
    for order in (("a-short", "b-long"), ("b-short", "a-long")):
        short, long = (name for name in order)
        models = [named(short, context=100), named(long)]
        made = make_run(tmp_path / short, TASK, rows, models, *asked)
        run = gather(made, "hard")
        assert [model.name for model in run.models] == sorted(order)
        by_name = {model.name: model for model in run.models}
        assert [name for name, _ in by_name[short].trees.failed] == ["r3"]
        assert (by_name[short].trees.records, by_name[long].trees.records) == (11, 12)
        drawn = draw(run)
        root = read(page([run], [drawn]))
        ids = [one.attributes["id"] for one in root.all() if "id" in one.attributes]
        assert len(set(ids)) == len(ids)
        assert "1 failed records of" in root.text and "r3" in root.text
        for model in run.models:
            assert drawn[model.name]["risk-coverage"].numbers["method"] == "hard"
            found = scores(made, model.title)
            full = drawn[model.name]["risk-coverage"].numbers["full"]
            judged = min(model.trees.records, len(run.targets))
            assert found["hamming"]["cells"] == 3 * judged - 1
            # one counts cells, the other records
            assert full == pytest.approx(found["hamming"]["value"], abs=0.02)
            assert drawn[model.name]["co-occurrence"].numbers["records"][1][1] == judged - 1
        assert f"1 of {3 * len(run.targets)} cells are unknown" in root.text


def test_a_single_label_has_no_pairs(tmp_path: Path) -> None:
    task = (
        'name = "side"\nlabels = ["left", "right"]\ninstruction = "Which?"\nchat = false\n'
        'format = { kind = "comma", single = true }\n'
    )
    rows: list[dict[str, Any]] = [
        {"id": i, "text": f"level {i}", "annotators": [["left"], ["right" if i % 3 else "left"]]}
        for i in range(12)
    ]
    script = {"": {"left": 0.7, "right": 0.3}, "left": {"\n\n": 1.0}, "right": {"\n\n": 1.0}}
    model = ScriptedLanguageModel(script, ["\n\n"], name="m")
    made = make_run(tmp_path, task, rows, [model], "--gold", "majority")
    run = gather(made)
    drawn = draw(run)
    assert "co-occurrence" not in drawn["m"]
    wrong = 1 - scores(made, run.models[0].title)["subset-accuracy"]["value"]
    assert drawn["m"]["risk-coverage"].numbers["full"] == pytest.approx(wrong)
    assert "one label" in read(page([run], [drawn])).text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda found: None, "judge its trees first"),
        (lambda found: found | {"task_hash": "x"}, "of another task"),
        (lambda found: found | {"items": 7}, "judges 7 records"),
        (lambda found: found | {"methods": found["methods"][-2:]}, "gives probabilities"),
        (lambda found: found | {"normalisation": "masked"}, "judge again"),
    ],
)
def test_a_comparison_that_is_not_of_these_trees_is_refused(
    change: Any, says: str, levels_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "m").symlink_to(levels_run / "m")
    changed = change(comparison(levels_run))
    if changed is not None:
        (tmp_path / "comparison.json").write_text(json.dumps(changed))
    with pytest.raises(LabelMassError, match=says):
        gather(tmp_path)


def test_an_unknown_method_is_refused(levels_run: Path) -> None:
    with pytest.raises(LabelMassError, match="any-place, max-over-generations, hard"):
        gather(levels_run, "unary")
