"""Guard tasks end to end: what results say of a verdict, and which older artefacts are refused."""

from __future__ import annotations

import io
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import labelmass
from labelmass._types import Normalisation
from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.errors import FitError, LabelMassError
from labelmass.estimators.breakdown import unary_scores
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.provenance import check
from labelmass.scores import Result
from labelmass.scores.signature import of_method
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.journal_lines import read_head, record_of, write_line
from labelmass.scoring.saved_trees import TREES, SavedTrees, TreeStore
from labelmass.scoring.score import score_trees
from labelmass.task import Record, Task
from labelmass.task.questions import BREAKS, unary
from labelmass.workflows.tree_drawing import drawing

KEYS: dict[str, Any] = {
    "name": "guard",
    "labels": [{"name": "Hate", "code": "S1"}, {"name": "Fraud", "code": "S2"}],
    "instruction": "Safe? {labels}",
    "write": "code",
    "chat": False,
}
TASK = Task(**KEYS, format="guard")
GUARD = ScriptedLanguageModel(
    {
        "": {"unsafe": 0.9, "safe": 0.08, "!": 0.02},
        "unsafe": {"\n": 1.0},
        "unsafe\n": {"S1": 0.3, "S9": 0.7},
        "unsafe\nS1": {"\n\n": 1.0},
        "safe": {END: 1.0},
    }
)


def scored(model: ScriptedLanguageModel, task: Task, **options: Any) -> Result:
    result = labelmass.score(["How?"], task, model, tolerance=0.0, **options, keep_trees=True)[0]
    assert isinstance(result, Result)
    return result


@pytest.mark.parametrize("normalisation", Normalisation)
def test_a_result_says_what_the_guard_answered(normalisation: Normalisation) -> None:
    result = scored(GUARD, TASK, normalise=normalisation)
    share = {"raw": 1.0, "on-format": 0.98, "masked": 0.98}[normalisation]
    assert result.verdict_prefix is not None and result.empty_answer is not None
    assert result.verdict_prefix.p == pytest.approx(0.9 / share)
    assert result.empty_answer.p == pytest.approx(0.08 / share)
    hate = 0.9 if normalisation is Normalisation.MASKED else 0.27  # only S1 can be read
    assert result["Hate"].p == pytest.approx(hate / share)
    assert result.unreadable == pytest.approx(0.63)  # as the model generates, in all three
    assert result.verdict is not None
    assert result.verdict.to_dict() == pytest.approx({"p": 0.98, "low": 0.98, "high": 0.98})
    assert result.off_format == pytest.approx(0.02)
    record = result.to_dict()
    assert record["unreadable"] == pytest.approx(0.63)
    assert record["verdict"]["low"] == pytest.approx(0.98)
    assert "off_format_after_label" not in record
    assert any("63% of the mass is a risk verdict whose rest" in note for note in result.warnings)


def test_unknown_counts_what_cannot_be_read_in_every_normalisation(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    for normalise, share in (("raw", 1.0), ("on-format", 0.98)):
        (result,) = score_trees(folder, normalise=normalise, off_format="unknown")
        assert isinstance(result, Result)
        off = 0.02 if normalise == "raw" else 0.0
        assert result["Hate"].low == pytest.approx(0.27 / share)
        assert result["Hate"].high == pytest.approx(0.9 / share + off)
        assert result.verdict_prefix is not None and result.verdict_prefix.low == pytest.approx(
            0.9 / share
        )


def kept(folder: Path) -> Path:
    """A folder with the trees of one record."""
    result = scored(GUARD, TASK)
    store = TreeStore(folder, TASK, result.signature)
    store.add(0, ExploredRecord(Record(1, text="How?"), result.trees, result.cost))
    store.close()
    return folder


COMMA = Task(
    name="mood",
    labels=["joy"],
    instruction="{labels}",
    format={"kind": "comma", "tolerate": "strict"},
    chat=False,
)


@pytest.mark.parametrize("tokens", [["joy."], ["joy", "."]])
def test_labels_lost_behind_their_text_are_warned_of(tokens: list[str]) -> None:
    script = {"": {tokens[0]: 0.9, "none": 0.1}, "joy": {".": 1.0}}
    script |= {"joy.": {END: 1.0}, "none": {END: 1.0}}
    model = ScriptedLanguageModel(script)
    result = scored(model, COMMA, normalise="on-format")
    assert (
        result["joy"].p == 0.0 and result.empty_answer is not None and result.empty_answer.p == 1.0
    )
    assert result.off_format_after_label == pytest.approx(0.9)
    record = result.to_dict()
    assert record["off_format_after_label"] == pytest.approx(0.9)
    assert "unreadable" not in record and "verdict" not in record
    assert any("90% of the mass leaves the format after" in note for note in result.warnings)
    usual = Task.from_dict(COMMA.to_dict() | {"format": "comma"})
    result = scored(model, usual, normalise="on-format")
    assert result["joy"].p == pytest.approx(0.9)  # a full stop is read
    assert result.off_format_after_label == 0.0 and not result.warnings


@pytest.mark.parametrize("normalisation", Normalisation)
def test_a_guard_that_seldom_gives_a_verdict_is_warned_of(normalisation: Normalisation) -> None:
    script = {"": {"**unsafe**": 0.6, "safe": 0.4}, "safe": {END: 1.0}}
    result = scored(ScriptedLanguageModel(script), TASK, normalise=normalisation)
    (warning,) = result.warnings
    assert "at most 40% of the mass gives a verdict" in warning
    script[""] = {"**unsafe**": 0.4, "safe": 0.6}
    assert not scored(ScriptedLanguageModel(script), TASK, normalise=normalisation).warnings


def test_a_little_lost_behind_labels_is_no_warning() -> None:
    script = {"": {"joy": 0.6, "none": 0.4}, "joy": {"\n\n": 0.5, "!": 0.5}, "none": {END: 1.0}}
    result = scored(ScriptedLanguageModel(script), COMMA)
    assert result.off_format_after_label == pytest.approx(0.3)
    assert not result.warnings


def test_scores_of_another_reading_are_refused_by_name() -> None:
    now = scored(GUARD, TASK).signature.to_dict()
    assert now["format"] == "guard+verdict+usual"
    before = now | {"format": "guard"}
    with pytest.raises(
        FitError, match=r"this policy.*'guard', now 'guard\+verdict\+usual'.*lost a risk"
    ):
        check("this policy", before, now, force=False)
    with pytest.raises(FitError, match=r"'comma', now 'comma\+usual'.*format\.tolerate"):
        check("this calibrator", {"format": "comma"}, {"format": "comma+usual"}, force=False)
    with pytest.raises(FitError, match=r"\(format: 'json', now 'comma'\): fit"):
        check("this calibrator", {"format": "json"}, {"format": "comma"}, force=False)
    check("this policy", now, now, force=False)
    texts = now | {"fitted": ["tfidf@1"]}
    assert of_method(texts, "tfidf")["format"] == "guard"  # it reads no answer


def test_saved_trees_of_earlier_versions_are_refused(tmp_path: Path) -> None:
    journal = kept(tmp_path) / TREES
    (again,) = SavedTrees(tmp_path)
    assert isinstance(again, ExploredRecord) and again.tree == scored(GUARD, TASK).tree
    head, line = journal.read_bytes().splitlines(keepends=True)
    found, record = read_head(line), record_of(line)
    assert found is not None and b'"after":{}' in record
    journal.write_bytes(head + write_line(*found, record.replace(b'"after":{},', b"")))
    with pytest.raises(LabelMassError, match="grown by an earlier version"):
        list(SavedTrees(tmp_path))


def test_a_drawn_tree_shows_what_cannot_be_read() -> None:
    result = scored(GUARD, TASK)
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(drawing(Record(1, text="How?"), result.tree, Normalisation.RAW, 0.01))
    shown = console.export_text()
    assert "writes the verdict" in shown
    assert "0.630  cannot be read on" in shown
    assert "unreadable 0.630" in shown
    assert "then leaves the format with 'S9'" in shown


# -- questions of two words ---------------------------------------------------------------------

ASKED = Task(
    **KEYS | {"unary": {"yes": "yes", "no": "no", "question": "\nIs it {label}?"}}, format="guard"
)


@pytest.mark.parametrize("word", ["yes", "no"])
def test_a_word_ends_where_nothing_goes_on_with_it(word: str) -> None:
    question = unary(ASKED)[0]
    reader = ByteAutomaton(question.format, question.spellings)
    for code in range(128):
        text = word + chr(code)
        goes_on = chr(code) not in string.printable or chr(code).isalnum() or chr(code) in "-_"
        assert (reader.parse(text) is None) == goes_on, repr(text)
    assert reader.parse(word.upper()) == [("yes", "no").index(word)]
    assert reader.parse(f'"{word}"') is not None
    assert len(set(BREAKS)) == len(BREAKS)


@pytest.mark.parametrize(
    "text", ["not", "note", "nothing", "no-one", "no's", "yesterday", "yes-man", "y"]
)
def test_neither_word_gains_from_a_longer_one(text: str) -> None:
    question = unary(ASKED)[0]
    assert ByteAutomaton(question.format, question.spellings).parse(text) is None
    script = {"": {text: 0.6, "yes": 0.1, "no": 0.3}, "yes": {"?": 1.0}, "no": {END: 1.0}}
    result = scored(ScriptedLanguageModel(script), ASKED, methods=["unary"])
    assert result["Hate"].p == pytest.approx(0.25)
    trees = result.trees
    assert unary_scores(trees, Normalisation.RAW, ASKED)["Fraud"].p == pytest.approx(0.25)


# -- where the prompt ends ----------------------------------------------------------------------


def test_the_end_of_a_prompt_is_read_as_it_stands() -> None:
    """The last line break of the prompt fuses with the answer's first bracket."""
    task = Task(
        name="mood", labels=["joy"], instruction="{labels}", format="json", chat=False,
    )  # fmt: skip
    script = {
        "": {'\n{"label"': 0.6, "\n": 0.2, ' \n{"label"': 0.2},
        "\n": {'{"label"': 1.0},
    }
    for begun in ('\n{"label"', '\n{"label"'):
        script[begun] = {':["joy"]}': 0.5, ": []}": 0.5}
    model = ScriptedLanguageModel(script, ['\n{"label"'])
    start = PromptBoundary(task, model.tokenizer).start(Record(1, text="x"))
    assert start.grammar.automaton.before == b"\n"
    assert start.grammar.given == b""
    result = scored(model, task)
    assert result["joy"].p == pytest.approx(0.4)
    assert result.off_format == pytest.approx(0.2)  # a blank before what the prompt says


def test_what_is_given_is_read_as_it_stands() -> None:
    task = Task(
        name="mood",
        labels=["joy"],
        instruction="{labels}",
        format="json",
        chat=False,
        opening="given",
        opening_text='{"label":',
    )  # fmt: skip
    with np.errstate(all="raise"):
        script = {
            "": {": [": 0.5, ":[": 0.3, " : [": 0.2},
            ": [": {'"joy"]}': 1.0},
            ":[": {'"joy"]}': 0.5, '"Joy" ]}': 0.5},
        }
        model = ScriptedLanguageModel(script, [": ["])
        start = PromptBoundary(task, model.tokenizer).start(Record(1, text="x"))
        assert start.grammar.given == b'{"label"'
        result = scored(model, task)
    assert result["joy"].p == pytest.approx(0.8)
    assert result.off_format == pytest.approx(0.2)
