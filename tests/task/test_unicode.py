"""Labels whose characters come in several Unicode forms are one label, wherever they stand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelmass
from helpers.property_tests import property_test
from labelmass._text import canonical
from labelmass.answers.automaton import ByteAutomaton
from labelmass.calibration import fit
from labelmass.datasets.splits import split_records
from labelmass.decisions import Policy, Reference, Rule, apply_policy, measure_drift
from labelmass.errors import FitError, LabelMassError, TaskError
from labelmass.evaluation import Threshold
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scores import Scores
from labelmass.scores.read import read_scores
from labelmass.scoring.classifier_scorer import ClassifierScorer
from labelmass.targets import Targets, targets_of
from labelmass.task import Label, Record, Task
from labelmass.task.formats import comma_list, json_list
from labelmass.task.labels import check_labels, resolve_spellings
from labelmass.workflows.training_set import text_training_set

NFC, NFD = "caf\u00e9", "cafe\u0301"
FORMS = st.sampled_from(["NFC", "NFD"])
NAMES = ("café", "Ångström", "naïveté", "가나", "joy")


def task(*names: str, **keys: Any) -> Task:
    shared = {"instruction": "Which? {label_names}", "format": "comma", "chat": False}
    return Task(name="drinks", labels=list(names), **shared | keys)


def writer(**answers: float) -> ScriptedLanguageModel:
    """A model that writes one whole answer, in NFC, whatever it is asked."""
    rows = {"": {normalize("NFC", text): p for text, p in answers.items()}}
    rows |= {normalize("NFC", text): {"<end>": 1.0} for text in answers}
    return ScriptedLanguageModel(rows)


@pytest.mark.parametrize("form", ["comma", "json"])
def test_a_label_in_another_form_than_the_model_writes(form: str) -> None:
    """The answer 'café' in NFC is the label, however the task file spells it."""
    model = writer(**{"café": 0.3, "joy": 0.2, '{"label": ["café"]}': 0.25, '{"label": []}': 0.1})
    for name in (NFC, NFD):
        (result,) = labelmass.score(["x"], task(name, "joy", format=form), model, keep_trees=True)
        expected = 0.3 if form == "comma" else 0.25
        assert result[name].low == pytest.approx(expected) == result[name].high
        assert list(result.labels) == [name, "joy"]  # shown as the task has it
        assert result[NFC] == result[NFD] and result.pair(NFC, "joy") == result.pair(NFD, "joy")


@property_test(30)
@given(forms=st.lists(FORMS, min_size=5, max_size=5), other=FORMS)
def test_numbers_do_not_depend_on_the_form(forms: list[str], other: str) -> None:
    """Names, gold and annotators, each in a form of its own, against all of them in NFC."""
    names = [normalize(form, name) for form, name in zip(forms, NAMES, strict=True)]
    data = [normalize(other, name) for name in NAMES]
    model = writer(**{"café": 0.3, "Ångström, joy": 0.2, "naïveté, 가나": 0.4})
    asked, plain = task(*names), task(*map(canonical, NAMES))
    assert asked.resolve(data) == tuple(names)
    assert asked.answer(data) == ", ".join(names)
    one, two = (labelmass.score(["x"], each, model).to_numpy() for each in (asked, plain))
    np.testing.assert_allclose(one, two)
    record = Record("r", text="x", extra={"labels": data[:2], "annotators": [data[1:3], data[:1]]})
    found, clean = (targets_of(each, [record]) for each in (asked, plain))
    assert found.labels == tuple(names)
    np.testing.assert_array_equal(found.gold, clean.gold)
    np.testing.assert_array_equal(found.shares, clean.shares)


@property_test(60)
@given(
    names=st.lists(st.text("aé\u0301e, ", min_size=1, max_size=4), min_size=1, max_size=4),
    form=st.sampled_from([comma_list(), json_list(), comma_list(ignore_case=True)]),
    forms=st.lists(FORMS, min_size=4, max_size=4),
)
def test_an_accepted_task_reads_every_label_in_both_forms(
    names: list[str], form: Any, forms: list[str]
) -> None:
    """What the check lets pass is unambiguous, and is read in NFC and as it is written."""
    labels = [Label(name=normalize(f, name)) for f, name in zip(forms, names, strict=False)]
    labels = resolve_spellings(labels, "name")
    try:
        check_labels(labels, form)
    except TaskError:
        return
    assert len({canonical(label.name) for label in labels}) == len(labels)
    automaton = ByteAutomaton(form, [label.spellings for label in labels])
    for index, label in enumerate(labels):
        for text in (label.name, canonical(label.name)):
            assert automaton.parse(form.write([text])) == [index]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([NFC, NFD], r"labels\[1\].name is 'cafe\\u0301', .* labels\[0\], 'caf\\xe9', in another"),
        ([{"name": "a", "code": NFC}, {"name": "b", "code": NFD}], r"labels\[1\].code .* another"),
        ([{"name": "a", "code": NFC}, NFD], r"labels\[0\].code is 'café', the name of labels\[1\]"),
        ([{"name": "a", "spellings": [NFC]}, NFD], r"labels\[1\].*both written"),
        ([{"name": "a", "aliases": [NFC]}, NFD], r"labels\[0\].aliases names 'café'"),
        ([{"name": "a", "spellings": [NFD, NFD]}], "twice"),
        (["a", "b", "a\u037e b"], r"labels\[2\] .*also reads as a list"),  # a Greek question mark
    ],
)
def test_equal_names_are_duplicates(labels: list[Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        task(*labels, format={"kind": "comma", "separators": ["; "]})


def test_one_label_may_be_spelled_in_both_forms() -> None:
    both = task({"name": "a", "spellings": [NFD, NFC]})
    assert both.labels[0].spellings == (NFD, NFC)
    own = task(NFD)
    assert own.labels[0].spellings == (NFD, NFC) and own.answer([NFC]) == NFD
    assert Task.from_dict(own.to_dict()) == own
    assert own.with_options(k=0).hash == Task.from_dict(own.to_dict()).with_options(k=0).hash


def test_words_of_the_format_are_in_nfc() -> None:
    """The empty answer, opening and separators are read as a model writes them."""
    parts = {"kind": "custom", "opening": "re\u0301ponse: ", "empty": "ne\u0301ant"}
    asked = task("joy", "fear", format=parts | {"separators": [" e\u0301t "]})
    automaton = ByteAutomaton(asked.format, asked.spellings)
    assert automaton.parse(normalize("NFC", "réponse: joy ét fear")) == [0, 1]
    assert automaton.parse(normalize("NFC", "réponse: néant")) == []
    assert asked.resolve([normalize("NFC", "néant")]) == ()


def test_other_names_of_a_label_in_any_form() -> None:
    asked = task(
        {"name": "drink", "code": NFD, "aliases": ["the\u0301"]},
        "joy",
        ignored=["cible\u0301:*"],
        label_order=["joy", "drink"],
        demonstrations=[{"text": "x", "labels": [NFC]}],
    )
    assert asked.resolve([NFC, "th\u00e9", "cibl\u00e9:x"]) == ("drink",)
    assert asked.demonstrations.examples[0].labels == ("drink",)
    assert task(NFD, "joy", label_order=["joy", NFC]).label_names == (NFD, "joy")
    with pytest.raises(TaskError, match=r"no label 'joy\\xa0': did you mean 'joy'\?"):
        asked.resolve(["joy\u00a0"])


def test_targets_without_a_task() -> None:
    records = [{"id": 1, "labels": [NFC]}, {"id": 2, "distribution": {NFD: 0.5}}]
    pooled = Targets.from_records(records, (NFD, "joy"), pool={"th\u00e9": NFC})
    assert pooled.shares.tolist() == [[1, 0], [0.5, 0]]
    for bad, message in (
        ({"id": 3, "labels": [NFC], "unknown": [NFD]}, "among its labels and unknown"),
        ({"id": 3, "distribution": {NFC: 0.5, NFD: 0.5}}, "both count as"),
        ({"id": 3, "labels": ["joy "]}, r"label 'joy ' .* did you mean 'joy'\? Or pool"),
    ):
        with pytest.raises(LabelMassError, match=message):
            Targets.from_records([bad], (NFD, "joy"))
    with pytest.raises(LabelMassError, match=r"'cafe\\u0301' is named twice, once as 'caf\\xe9'"):
        Targets.from_records([], (NFC, NFD))


def test_fitted_things_are_for_the_same_names() -> None:
    p = np.random.default_rng(0).random((40, 2))
    calibrator = fit((NFC, "joy"), range(40), p, (p > 0.5) * 1.0)
    for one, two in zip(
        calibrator.apply((NFD, "joy"), p), calibrator.apply((NFC, "joy"), p), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(FitError, match="labels"):
        calibrator.apply(("joy", NFD), p)
    policy = Policy({NFC: Rule("flag", 0.5), "joy": Rule("flag", None)})
    moved = policy.move(NFD, 0.7)
    assert moved.labels == (NFC, "joy") and moved.thresholds == (0.7, None)
    assert apply_policy(policy, p).labels == (NFC, "joy")
    reference = Reference.of((NFC, "joy"), p, (0.5, None))
    assert measure_drift(reference, (NFD, "joy"), p, (0.5, None)).warnings == ()
    predictions = Scores.of(tuple(range(40)), (NFC, "joy"), p)
    np.testing.assert_array_equal(predictions.at(range(40), ("joy", NFD)).p, p[:, ::-1])
    chosen = Threshold({NFD: 0.5, "joy": 0.5}).choose(p, (NFC, "joy"))
    np.testing.assert_array_equal(chosen, p >= 0.5)


def test_a_classifier_shows_the_names_of_the_task() -> None:
    rows = [{"id": i, "text": f"tea {i % 2} no {i}", "labels": [NFC] * (i % 2)} for i in range(40)]
    records = [Record.from_dict(row, i) for i, row in enumerate(rows)]
    made, asked = task(NFC, "joy"), task(NFD, "joy")
    fitted = text_training_set("tfidf", made, records, targets_of(made, records)).classifier({})
    new = [(1, Record("new", text="tea 1"))]
    ((_, result),) = ClassifierScorer(asked, [fitted]).run(new)
    assert list(result.labels) == [NFD, "joy"]
    assert result.labels[NFC].p == pytest.approx(fitted.heads(fitted.source(["tea 1"]))[0, 0])
    with pytest.raises(FitError, match="is for the labels"):
        list(ClassifierScorer(task("joy", NFD), [fitted]).run(new))


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_score_files_of_others(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"scores.{ending}"
    if ending == "jsonl":
        path.write_text(json.dumps({"id": "r", "labels": {NFC: 0.25, "joy": 0.5}}) + "\n")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", NFC, "joy"], ["r", 0.25, 0.5]])
    (found,) = read_scores(path, (NFD, "joy")).each.values()
    assert found.labels == (NFD, "joy") and found.p.tolist() == [[0.25, 0.5]]
    with pytest.raises(LabelMassError, match=r"'joy ': did you mean 'joy'\?"):
        read_scores(path, (NFD, "joy "))


def test_a_split_takes_both_forms_for_one_label() -> None:
    records = [
        Record(f"r{i}", text=f"text {i}", extra={"labels": [NFC if i % 2 else NFD]})
        for i in range(8)
    ]
    report = split_records(records, {"train": 0.5, "test": 0.5}).report
    assert report["labels"][NFC] == {"train": 4, "test": 4} and NFD not in report["labels"]
