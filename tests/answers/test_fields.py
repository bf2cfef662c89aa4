"""Answers of fields: what is written where, against every answer written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.brute_force import random_script
from helpers.field_answers import Reference, answers
from helpers.property_tests import property_test
from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree
from labelmass.errors import TaskError
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.fields import Field, FieldFormat, Value
from labelmass.task.formats import guard


def choice(name: str, lead: str, *values: str, risk: str = "", **more) -> Field:
    """A choice; the values in `risk` are one, and write the labels of `writes`."""
    writes = more.pop("writes", {})
    return Field(
        name,
        lead,
        tuple(Value(v, (v,), v in risk.split("|"), writes.get(v, ())) for v in values),
        **more,
    )


LEVELS = FieldFormat(
    "fields",
    tolerate="strict",
    fields=(
        choice("Safety", "S: ", "ok", "bad", "mid", risk="bad|mid", writes={"bad": (2,)}),
        Field("Categories", "\nC: ", labels=(0, 1), none="None", separators=(", ",),
              when=(("Safety", ("bad", "mid")),)),
        choice("Refusal", "\nR: ", "yes", "no", writes={"yes": (3,)}, optional=True),
    ),
)  # fmt: skip
QUESTIONS = FieldFormat(
    "fields",
    tolerate="strict",
    fields=(
        choice("Request", "Q: ", "yes", "no", risk="yes", writes={"yes": (0,)}),
        choice("Refusal", "\nF: ", "yes", "no", "n/a", writes={"yes": (1,)}),
        choice("Response", "\nA: ", "yes", "no", "n/a", risk="yes", writes={"yes": (2,)}),
    ),
)
OBJECT = FieldFormat(
    "fields",
    opening='{"',
    closing='"}',
    tolerate="strict",
    fields=(
        choice("User", 'U": "', "safe", "unsafe", risk="unsafe"),
        choice("Agent", '", "A": "', "safe", "unsafe", risk="unsafe", optional=True),
        Field("Categories", '", "C": "', labels=(0, 1), separators=(", ",),
              when=(("User", ("unsafe",)),)),
    ),
)  # fmt: skip
EITHER = FieldFormat(
    "fields",
    tolerate="strict",
    fields=(
        choice("User", "U: ", "safe", "unsafe", risk="unsafe"),
        choice("Agent", "\nA: ", "safe", "unsafe", risk="unsafe", optional=True),
        Field("Categories", "\nC: ", labels=(0, 1), separators=(", ",), optional=True,
              when=(("User", ("unsafe",)), ("Agent", ("unsafe",))), match="any"),
    ),
)  # fmt: skip
FORMATS = {
    "levels": (LEVELS, ["V", "VP", "bad", "refusal"]),
    "questions": (QUESTIONS, ["request", "refusal", "response"]),
    "object": (OBJECT, ["V", "W"]),
    "either": (EITHER, ["V", "W"]),
}
TOKENS = {
    "levels": ["S: ", "S", ": ", "ok", "bad", "mid", "\nC: ", "None", "V", "P", ", ", "\nR: ",
               "yes", "no", "ok\nC: None", "bad\nC", "V, VP", "ba", "d", "mid!", "\n"],
    "questions": ["Q: yes", "Q: ", "no", "yes", "\nF: ", "n/a", "\nA: ", "no\nF", ": ", "\n",
                  "yes\nF: no\nA: no", "n", "o", "ye", "s, "],
    "object": ['{"U": "', "safe", "un", "unsafe", '", "A": "', '"}', '", "', 'C": "', "V", "W",
               ", ", "V, W", 'C": "V"} and', "sa", "fe", "unsafe!", '"'],
    "either": ["U: ", "U: safe", "unsafe", "safe", "un", "\nA: ", "\nA: unsafe", "\nC: ", "V", "W",
               ", ", "V, W", "safe\nC: V", "\n", "unsafe\nC: W"],
}  # fmt: skip


def grown(
    model: ScriptedLanguageModel, kind: str, normalisation: Normalisation, **budget: float
) -> AnswerTree:
    fmt, spellings = FORMATS[kind]
    options = {"tolerance": 0.0} | budget
    return build_tree(model, fmt, spellings, Budget(**options), normalisation=normalisation)


@property_test(60)
@given(seed=st.integers(0, 10**9))
@pytest.mark.parametrize("normalisation", [Normalisation.RAW, Normalisation.ON_FORMAT])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_output_is_what_the_paths_add_up_to(
    kind: str, normalisation: Normalisation, seed: int
) -> None:
    fmt, spellings = FORMATS[kind]
    model = ScriptedLanguageModel(random_script(seed, TOKENS[kind], 8, 6), TOKENS[kind])
    exact = Reference(model, fmt, spellings)
    tree = grown(model, kind, normalisation)
    reading = Marginals(tree, normalisation)
    low, high = reading.intervals
    for output in range(tree.width):
        if output == tree.unreadable:
            continue
        wanted = exact.probability(output, normalisation)
        if output == tree.empty and normalisation is Normalisation.RAW:
            wanted = sum(p.mass for p in exact.paths if p.ended and output in p.written)
        if wanted is None:
            assert np.isnan(low[output])
            continue
        assert low[output] == pytest.approx(wanted, abs=1e-9), tree.name(output)
        assert high[output] == pytest.approx(wanted, abs=1e-9), tree.name(output)
    assert reading.off_format == pytest.approx(exact.off_format, abs=1e-9)
    total = reading.ended + reading.off_format + reading.unreadable + reading.unexplored
    assert normalisation is not Normalisation.RAW or total == pytest.approx(1.0)


@property_test(40)
@given(seed=st.integers(0, 10**9), nodes=st.integers(1, 12))
@pytest.mark.parametrize("normalisation", [Normalisation.RAW, Normalisation.ON_FORMAT])
@pytest.mark.parametrize("kind", FORMATS)
def test_bounds_hold_what_is_exact_under_any_budget(
    kind: str, normalisation: Normalisation, seed: int, nodes: int
) -> None:
    fmt, spellings = FORMATS[kind]
    model = ScriptedLanguageModel(random_script(seed, TOKENS[kind], 8, 6), TOKENS[kind])
    exact = Reference(model, fmt, spellings)
    low, high = Marginals(grown(model, kind, normalisation, max_nodes=nodes)).intervals
    reading = Marginals(grown(model, kind, normalisation, max_nodes=nodes), normalisation)
    low, high = reading.intervals
    for output in range(reading.tree.width):
        wanted = exact.probability(output, normalisation)
        if output == reading.tree.unreadable or wanted is None:
            continue
        if output == reading.tree.empty and normalisation is Normalisation.RAW:
            wanted = sum(p.mass for p in exact.paths if p.ended and output in p.written)
        assert low[output] - 1e-9 <= wanted <= high[output] + 1e-9, reading.tree.name(output)


@property_test(40)
@given(seed=st.integers(0, 10**9), tolerance=st.sampled_from([0.2, 0.05]))
@pytest.mark.parametrize("normalisation", Normalisation)
@pytest.mark.parametrize("kind", FORMATS)
def test_the_search_stops_where_every_output_is_within_the_tolerance(
    kind: str, normalisation: Normalisation, seed: int, tolerance: float
) -> None:
    model = ScriptedLanguageModel(random_script(seed, TOKENS[kind], 8, 6), TOKENS[kind])
    tree = grown(model, kind, normalisation, tolerance=tolerance)
    low, high = Marginals(tree, normalisation).intervals
    assert tree.stopped in ("tolerance", "exhausted")
    widths = np.delete(high - low, tree.unreadable)
    assert widths[~np.isnan(widths)].max(initial=0.0) <= tolerance + 1e-9


CODES = ["S1", "S2", "S10"]
VERDICT = FieldFormat(
    "fields",
    fields=(
        choice("verdict", "", "safe", "unsafe", risk="unsafe"),
        Field("codes", "\n", labels=(0, 1, 2), when=(("verdict", ("unsafe",)),)),
    ),
)
PIECES = ["safe", "un", "unsafe", "\n", "S1", "S2", "0", ",", " ", "S", "1", "\n\n", ", S2", "!",
          "unsafe\nS1,", "Safe", "."]  # fmt: skip


@property_test(60)
@given(seed=st.integers(0, 10**9))
@pytest.mark.parametrize("normalisation", Normalisation)
def test_a_verdict_and_a_list_are_the_format_of_guards(
    normalisation: Normalisation, seed: int
) -> None:
    model = ScriptedLanguageModel(random_script(seed, PIECES, 7, 6), PIECES)
    budget = Budget(tolerance=0.0)
    ours, other = (
        Marginals(build_tree(model, fmt, CODES, budget, normalisation=normalisation), normalisation)
        for fmt in (VERDICT, guard())
    )
    shared = range(len(CODES) + 2)
    for side, expected in zip(ours.intervals, other.intervals, strict=True):
        assert side[shared] == pytest.approx(expected[shared], nan_ok=True)
    left = ours.unexplored + other.unexplored  # rest of answers that decide nothing
    assert ours.off_format == pytest.approx(other.off_format, abs=left + 1e-9)
    assert ours.unreadable == pytest.approx(other.unreadable, abs=left + 1e-9)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_answer_is_read_whole_and_letter_by_letter(kind: str) -> None:
    fmt, spellings = FORMATS[kind]
    usual = replace(fmt, tolerate="usual")
    for form in (fmt, usual):
        automaton = ByteAutomaton(form, [[spelling] for spelling in spellings])
        for text, events in answers(fmt, spellings).items():
            state, written = automaton.start, ()
            for byte in text.encode():
                moved = automaton.step(state, byte)
                assert moved is not None, (text, byte)
                state, written = moved[0], written + moved[1]
            written += automaton.end(state) or ()
            assert sorted(written) == sorted(output for _, output in events), text


@pytest.mark.parametrize(
    ("text", "labels", "risk"),
    [
        ("S: bad\nC: V, VP\nR: no", {0, 1, 2}, True),
        ("\n\nS: Bad\r\nC: V,VP", {0, 1, 2}, True),
        ("S: mid\nC: V\nVP", {0, 1}, True),
        ("S:  ok\n\nC: None\nR: Yes", {3}, False),
        ("s: ok\nc: none.", set(), False),
        ("S: bad\nC: None", {2}, True),
    ],
)
def test_what_models_commonly_write_is_read(text: str, labels: set[int], risk: bool) -> None:
    fmt, spellings = FORMATS["levels"]
    automaton = ByteAutomaton(replace(fmt, tolerate="usual"), [[s] for s in spellings])
    spans = automaton.spans(text.encode())
    assert spans is not None
    outputs = {span.output for span in spans}
    assert {output for output in outputs if output < automaton.size} == labels
    assert (automaton.verdict_prefix in outputs) == risk


@pytest.mark.parametrize(
    "rest", ["", "!", " and more", "\n", "\nC: other", "\nC: V and W", "ly", "\nR: no"]
)
def test_a_risk_counts_whatever_follows_it(rest: str) -> None:
    text = "S: bad" + rest
    model = ScriptedLanguageModel({"": {text: 0.9, "S: ok\nC: None": 0.1}, text: {END: 1.0},
                                   "S: ok\nC: None": {END: 1.0}})  # fmt: skip
    for normalisation in Normalisation:
        reading = Marginals(grown(model, "levels", normalisation), normalisation)
        assert reading.label(reading.tree.verdict_prefix).p == pytest.approx(0.9)
        assert reading.label(2).p == pytest.approx(0.9)  # the label that the value writes
        assert reading.unreadable == pytest.approx(0.9)


def test_no_risk_counts_only_where_the_answer_ends() -> None:
    text = "S: ok\nC: V"  # a category without a risk: this answer is none
    model = ScriptedLanguageModel({"": {text: 0.9, "S: bad\nC: V": 0.1}, text: {END: 1.0},
                                   "S: bad\nC: V": {END: 1.0}})  # fmt: skip
    raw = Marginals(grown(model, "levels", Normalisation.RAW))
    assert raw.off_format == pytest.approx(0.9)
    reading = Marginals(grown(model, "levels", Normalisation.ON_FORMAT), Normalisation.ON_FORMAT)
    assert reading.label(reading.tree.verdict_prefix).p == pytest.approx(1.0)
    assert reading.label(reading.tree.width - 1).p == pytest.approx(0.0)


def test_fields_that_cannot_be_are_refused() -> None:
    good = choice("a", "", "yes", "no", risk="yes")
    for fields, word in (
        ((choice("a", "", "yes", "no"),), "risk"),
        ((choice("a", "", "yes", risk="yes"),), "no risk"),
        ((good, choice("b", "", "x")), "lead"),
        ((good, choice("a", "\n", "x")), "another field"),
        ((good, Field("b", "\n")), "values"),
        ((good, choice("b", "\n", "x", when=(("c", ("x",)),))), "when"),
        ((good, choice("b", "\n", "x", "x")), "twice"),
    ):
        with pytest.raises(TaskError, match=word):
            FieldFormat("fields", fields=fields)
