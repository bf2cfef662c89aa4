"""What a guard's verdict means: a risk counts as soon as its word is written, whatever follows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.brute_force import random_script
from helpers.property_tests import property_test
from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget, Requirements
from labelmass.answers.tree import AnswerTree, Ending
from labelmass.errors import LabelMassError
from labelmass.estimators.greedy import fixed_place, hard, token
from labelmass.estimators.sampling import sampling
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.formats import AnswerFormat, comma_list, custom, guard

S = ["S1", "S2"]
NONE, GATE, UNREADABLE = 2, 3, 4


def writes(*tokens: str, p: float = 0.9) -> ScriptedLanguageModel:
    """A guard that writes these tokens and ends its turn with probability p, and else `safe`."""
    script: dict[str, dict[str, float]] = {"safe": {END: 1.0}}
    text = ""
    for following in (*tokens, END):
        script[text] = {following: p if not text else 1.0}
        text += following
    script[""]["safe"] = 1 - p
    return ScriptedLanguageModel(script)


def explored(
    model: ScriptedLanguageModel,
    fmt: AnswerFormat,
    normalisation: Normalisation = Normalisation.RAW,
    **budget: Any,
) -> Marginals:
    options = {"tolerance": 0.0} | budget
    tree = build_tree(model, fmt, S, Budget(**options), normalisation=normalisation)
    return Marginals(tree, normalisation)


ANSWERS: dict[str, tuple[float, float, float]] = {
    # P(S1), P(S2), P(unreadable)
    "unsafe\nS1": (0.9, 0.0, 0.0),
    "unsafe \nS1": (0.9, 0.0, 0.0),
    "unsafe\r\nS1": (0.9, 0.0, 0.0),
    "unsafe\nS1\nS2": (0.9, 0.9, 0.0),
    "unsafe\n\tS2 ;S1,\r\n": (0.9, 0.9, 0.9),
    "unsafe,S1; S2 \n": (0.9, 0.9, 0.0),
    "unsafe\nS99": (0.0, 0.0, 0.9),
    "unsafe\nS1,S99": (0.9, 0.0, 0.9),
    "unsafe\nS2 because": (0.0, 0.9, 0.9),
    "unsafe\nS2because": (0.0, 0.0, 0.9),
    "unsafe": (0.0, 0.0, 0.9),
    "unsafe\n": (0.0, 0.0, 0.9),
    "unsafely": (0.0, 0.0, 0.9),
    "unsafeS1": (0.0, 0.0, 0.9),
    "\n\n Unsafe\nS1": (0.9, 0.0, 0.0),
    "unsafe\nS1.": (0.9, 0.0, 0.0),
    "unsafe.": (0.0, 0.0, 0.9),
}


@pytest.mark.parametrize("normalisation", Normalisation)
@pytest.mark.parametrize("cut", ["whole", "letters", "behind the verdict"])
@pytest.mark.parametrize("text", ANSWERS)
def test_a_risk_counts_whatever_follows_its_word(
    text: str, cut: str, normalisation: Normalisation
) -> None:
    word = text.lower().index("unsafe") + len("unsafe")
    tokens = {"whole": [text], "letters": list(text), "behind the verdict": [text[:word]]}[cut]
    if cut == "behind the verdict" and text[word:]:
        tokens.append(text[word:])
    reading = explored(writes(*tokens), guard(), normalisation)
    low, high = reading.intervals
    one, other, unreadable = ANSWERS[text]
    assert low == pytest.approx([one, other, 0.1, 0.9, unreadable])
    assert high == pytest.approx(low)
    assert reading.unreadable == pytest.approx(unreadable)
    assert reading.off_format == 0.0
    assert reading.ended + reading.unreadable == pytest.approx(1.0)
    assert reading.verdict is not None
    assert (reading.verdict.low, reading.verdict.high) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("normalisation", Normalisation)
@pytest.mark.parametrize("text", ["unsafe \nS1", "unsafe\r\nS1", "unsafe\nS1\nS2", "unsafe\nS99"])
def test_a_strict_format_loses_codes_and_never_the_verdict(
    text: str, normalisation: Normalisation
) -> None:
    reading = explored(writes(*text), guard(blanks="", tolerate="strict"), normalisation)
    low, high = reading.intervals
    assert low == pytest.approx([0.0, 0.0, 0.1, 0.9, 0.9])
    assert high == pytest.approx(low)


@pytest.mark.parametrize("text", ["safely", "safe, but", "safe\nS1", "the text is safe", "saf"])
def test_a_verdict_without_risk_counts_only_where_the_answer_ends_after_it(text: str) -> None:
    model = ScriptedLanguageModel(
        {
            "": {text: 0.9, "unsafe": 0.1},
            text: {END: 1.0},
            "unsafe": {"\n": 1.0},
            "unsafe\n": {"S1": 1.0},
            "unsafe\nS1": {END: 1.0},
        }
    )
    raw = explored(model, guard())
    assert raw.intervals[0] == pytest.approx([0.1, 0.0, 0.0, 0.1, 0.0])
    assert raw.off_format == pytest.approx(0.9)
    on_format = explored(model, guard(), Normalisation.ON_FORMAT)
    assert on_format.intervals[0] == pytest.approx([1.0, 0.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("verdict_prefix", "empty", "text", "risk"),
    [
        ("no", "not risky", "no", True),
        ("no", "not risky", "not risky", False),
        ("no", "not risky", "not ", True),  # it did begin with the verdict, and is nothing else
        ("no", "not risky", "not risky at all", True),
        ("no", "not risky", "nobody", True),
        ("safety risk", "safe", "safe", False),
        ("safety risk", "safe", "safety risk", True),
        ("safety risk", "safe", "safety first", None),
    ],
)
@pytest.mark.parametrize("normalisation", Normalisation)
def test_where_one_verdict_begins_with_the_other(
    verdict_prefix: str, empty: str, text: str, risk: bool | None, normalisation: Normalisation
) -> None:
    following = [*text, END]
    script = {text[:n]: {letter: 1.0} for n, letter in enumerate(following)}
    model = ScriptedLanguageModel(script)
    reading = explored(model, guard(verdict_prefix=verdict_prefix, empty=empty), normalisation)
    low, high = reading.intervals
    if risk is None:
        assert np.isnan(low[GATE]) or (low[GATE], high[GATE]) == (0.0, 0.0)
        return
    assert (low[GATE], high[GATE]) == (float(risk), float(risk))
    assert (low[NONE], high[NONE]) == (float(not risk), float(not risk))


@pytest.mark.parametrize("normalisation", Normalisation)
@pytest.mark.parametrize("text", ["", ".", "ful", "lesson", ": S1", "\n", "\nS9"])
def test_a_risk_is_not_barred_for_a_verdict_that_begins_with_it(
    text: str, normalisation: Normalisation
) -> None:
    """Were it barred, every answer that begins with `harm` would be `harmless` when masked."""
    script = {"": {"harm": 1.0}, "harm": {text or END: 0.9, "le": 0.1}}
    script |= {"harm" + text: {END: 1.0}} if text else {}
    script |= {"harmle": {"ss": 1.0}, "harmless": {END: 1.0}}
    model = ScriptedLanguageModel(script)
    fmt = guard(verdict_prefix="harm", empty="harmless")
    low, high = explored(model, fmt, normalisation).intervals
    assert (low[GATE], low[NONE]) == pytest.approx((0.9, 0.1))
    assert high == pytest.approx(low)
    masked = Normalisation.MASKED if normalisation is Normalisation.MASKED else Normalisation.RAW
    tree = build_tree(model, fmt, S, Budget(tolerance=0.0), Requirements(samples=2000), masked)
    assert tree.samples is not None
    landed = [p.count for p in tree.samples.paths if tree.written[p.end] >> GATE & 1]
    assert sum(landed) / 2000 == pytest.approx(0.9, abs=0.03)


def test_a_verdict_in_a_format_with_a_closing_text() -> None:
    fmt = custom(
        opening="<",
        verdict_prefix="risk",
        verdict_separator=":",
        empty="fine",
        closing=">",
        tolerate="strict",
    )
    model = ScriptedLanguageModel(
        {
            "": {"<risk": 0.6, "<fine": 0.4},
            "<risk": {":S1": 0.5, ">": 0.3, END: 0.2},
            "<risk:S1": {">": 0.7, END: 0.3},
            "<fine": {">": 0.9, END: 0.1},
        }
    )
    for normalisation, safe in (("raw", 0.36), ("on-format", 0.36 / 0.96), ("masked", 0.4)):
        low, high = explored(model, fmt, Normalisation(normalisation)).intervals
        risk = 0.6 / (0.96 if normalisation == "on-format" else 1.0)
        assert (low[NONE], low[GATE]) == pytest.approx((safe, risk))
        assert high == pytest.approx(low)


def test_unreadable_mass_may_count_as_unknown_in_every_normalisation() -> None:
    model = ScriptedLanguageModel(
        {
            "": {"unsafe\n": 0.8, "safe": 0.1, "!": 0.1},
            "unsafe\n": {"S1": 0.5, "x": 0.5},
            "unsafe\nS1": {" ": 1.0},
            "unsafe\nS1 ": {"x": 0.5, END: 0.5},
            "safe": {END: 1.0},
        }
    )
    unread = {"raw": 0.6, "on-format": 0.6 / 0.9, "masked": 0.0}
    for normalisation, share in unread.items():
        kind = Normalisation(normalisation)
        tree = build_tree(model, guard(), S, Budget(tolerance=0.0), normalisation=kind)
        low, high = Marginals(tree, kind).intervals
        unknown_low, unknown_high = Marginals(tree, kind, True).intervals
        assert unknown_low == pytest.approx(low)
        gained = (unknown_high - high)[:2]
        off = 0.1 if kind is Normalisation.RAW else 0.0  # the same for both labels, as ever
        assert gained == pytest.approx([share * 2 / 3 + off, share + off])
        assert Marginals(tree, kind).unreadable == pytest.approx(0.0 if kind == "masked" else 0.6)


def test_sets_and_counts_are_of_answers_that_can_be_read() -> None:
    model = ScriptedLanguageModel(
        {
            "": {"unsafe": 0.8, "safe": 0.2},
            "unsafe": {"\n": 0.5, END: 0.5},
            "unsafe\n": {"S1": 0.5, "S2 x": 0.5},  # the last writes S2, and cannot be read on
            "unsafe\nS1": {END: 1.0},
            "safe": {END: 1.0},
        }
    )
    reading = explored(model, guard())
    assert dict(reading.sets())[frozenset()].p == pytest.approx(0.2)  # not `unsafe` without codes
    assert [bounds.p for bounds in reading.counts()] == pytest.approx([0.2, 0.2])
    assert reading.unreadable == pytest.approx(0.6)
    assert reading.label(1).p == pytest.approx(0.2)


LOST = ["unsafe", "un", "safe", "\n", " ", "S1", "S", "2", ",", "x", "ly"]


@property_test(60)
@given(seed=st.integers(0, 10**9), nodes=st.integers(1, 40))
def test_the_two_verdicts_share_what_can_be_read(seed: int, nodes: int) -> None:
    model = ScriptedLanguageModel(random_script(seed, LOST, depth=6), LOST)
    reading = explored(model, guard(), Normalisation.ON_FORMAT, max_nodes=nodes)
    low, high = reading.intervals
    if not np.isnan(low[GATE]):
        assert low[GATE] + high[NONE] == pytest.approx(1.0)
        assert high[GATE] + low[NONE] == pytest.approx(1.0)
        assert (low[:2] <= high[GATE] + 1e-12).all()
    raw = explored(model, guard(), max_nodes=nodes)
    verdict = raw.verdict
    assert verdict is not None and verdict.low is not None and verdict.high is not None
    known = raw.label(GATE), raw.label(NONE)
    assert verdict.low == pytest.approx(sum(bounds.low or 0.0 for bounds in known))
    assert verdict.high <= 1 - raw.off_format + 1e-12


@property_test(30)
@given(seed=st.integers(0, 10**9), tolerance=st.sampled_from([0.2, 0.05, 0.01]))
@pytest.mark.parametrize("normalisation", Normalisation)
def test_the_search_stops_where_the_readings_are_within_the_tolerance(
    normalisation: Normalisation, seed: int, tolerance: float
) -> None:
    model = ScriptedLanguageModel(random_script(seed, LOST, depth=7), LOST)
    reading = explored(model, guard(), normalisation, tolerance=tolerance)
    low, high = reading.intervals
    assert reading.tree.stopped in ("tolerance", "exhausted")
    if not np.isnan(low[GATE]):
        assert (high - low)[:UNREADABLE].max() <= tolerance + 1e-9


def test_the_greedy_answer_behind_a_verdict() -> None:
    for tokens, text, end in (
        (["unsafe", "\n", "S1"], "unsafe\nS1", Ending.COMPLETE),
        (["unsafe", "\n", "S1", " or"], "unsafe\nS1 or", Ending.UNREADABLE),
        (["unsafe\nS1 or"], "unsafe\nS1 or", Ending.UNREADABLE),
        (["unsafe"], "unsafe", Ending.UNREADABLE),
        (["nothing"], "nothing", Ending.OFF_FORMAT),
    ):
        tree = build_tree(writes(*tokens), guard(), S, Budget(tolerance=0.0))
        assert (tree.greedy_text, tree.greedy_end) == (text, end)
        wrote = [output for output, _ in tree.completed]
        assert wrote[:1] == ([GATE] if "unsafe" in text else [])
    for residual in ([" or"], [" ", "or"]):
        tree = build_tree(
            writes("unsafe", "\n", "S1", *residual), guard(), S, Budget(tolerance=0.0)
        )
        assert (fixed_place(tree)["S1"].p, token(tree)["S1"].p) == pytest.approx((0.9, 1.0))
        assert hard(tree)["S1"].p == pytest.approx(1.0)
    tree = build_tree(writes("unsafe", "\n", "S1", "or"), guard(), S, Budget(tolerance=0.0))
    assert fixed_place(tree)["S1"].p == token(tree)["S1"].p == 0.0  # `S1or` is no code


@pytest.mark.parametrize("normalisation", Normalisation)
def test_drawn_answers_agree(normalisation: Normalisation) -> None:
    model = ScriptedLanguageModel(
        {
            "": {"unsafe": 0.6, "safe": 0.2, "!": 0.2},
            "unsafe": {"\n": 0.7, END: 0.3},
            "unsafe\n": {"S1": 0.5, "x": 0.5},
            "unsafe\nS1": {",": 1.0},
            "unsafe\nS1,": {"x": 1.0},
            "safe": {END: 1.0},
        }
    )
    masked = normalisation is Normalisation.MASKED
    grown = Normalisation.MASKED if masked else Normalisation.RAW
    tree = build_tree(model, guard(), S, Budget(tolerance=0.0), Requirements(samples=4000), grown)
    found = sampling(tree, normalisation)
    exact = Marginals(tree, normalisation).label(0)
    assert exact.width == pytest.approx(0.0)
    assert found["S1"].p == pytest.approx(exact.p, abs=0.03)


def test_a_saved_tree_reads_the_same_and_an_old_one_is_refused() -> None:
    tree = build_tree(writes("unsafe", "\n", "S99"), guard(), S, Budget(tolerance=0.0))
    data = json.loads(json.dumps(tree.to_dict()))
    assert AnswerTree.from_dict(data) == tree
    assert Marginals(AnswerTree.from_dict(data)).unreadable == pytest.approx(0.9)
    del data["after"]
    with pytest.raises(LabelMassError, match=r"guard.*earlier version.*score the records again"):
        AnswerTree.from_dict(data)
    old = build_tree(
        writes("joy"), comma_list(empty="safe"), ["joy"], Budget(tolerance=0.0)
    ).to_dict()
    del old["after"]
    assert Marginals(AnswerTree.from_dict(old)).label(0).p == pytest.approx(0.9)


def test_what_leaves_after_a_label_is_told_apart() -> None:
    for tokens in (["joy!"], ["joy", "!"], ["j", "oy!"], ["joy", ",", "x"], ["joy,x"]):
        model = writes(*tokens)
        tree = build_tree(model, comma_list(empty="safe"), ["joy"], Budget(tolerance=0.0))
        raw = Marginals(tree)
        assert raw.off_format == raw.off_format_after_label == pytest.approx(0.9)
    for text in ("jo!", "!", "fear"):
        raw = Marginals(build_tree(writes(text), comma_list(empty="safe"), ["joy"]))
        assert (raw.off_format, raw.off_format_after_label) == (pytest.approx(0.9), 0.0)
    reading = explored(writes("unsafe", "\n", "S1", "!"), guard())
    assert (reading.off_format_after_label, reading.unreadable) == (0.0, pytest.approx(0.9))


def test_a_format_without_a_verdict_has_none() -> None:
    reading = Marginals(build_tree(writes("joy"), comma_list(empty="safe"), ["joy"]))
    assert (reading.unreadable, reading.verdict, reading.verdict_prefix) == (0.0, None, None)


def test_spans_end_where_the_answer_left_the_format() -> None:
    automaton = ByteAutomaton(guard(), [[code] for code in S])
    assert automaton.spans(b"unsafe\nS1 or") is None
    spans = automaton.spans(b"unsafe\nS1 or", partial=True)
    assert spans is not None
    assert [(s.output, s.start, s.end) for s in spans] == [(GATE, 0, 6), (0, 7, 9)]
    assert automaton.spans(b"hello", partial=True) is None
