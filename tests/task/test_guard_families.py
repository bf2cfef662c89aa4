"""The guards that come with labelmass: what each writes, read as its makers mean it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.brute_force import random_script
from helpers.field_answers import Reference
from helpers.property_tests import property_test
from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.errors import TaskError
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task import Record, Task
from labelmass.task.guard import Guard, guards

WRITTEN: dict[str, list[tuple[str, set[str], bool]]] = {
    # an answer, the labels that it means, whether it is a risk
    "llama-guard-1": [("\n\nsafe", set(), False), ("unsafe\nO3", {"unsafe", "O3"}, True)],
    "llama-guard-2": [("safe", set(), False), ("unsafe\nS9,S1", {"unsafe", "S9", "S1"}, True)],
    "llama-guard-3": [
        ("\n\nsafe", set(), False),
        ("\n\nunsafe\nS1,S10", {"unsafe", "S1", "S10"}, True),
        ("unsafe\nS14", {"unsafe", "S14"}, True),
    ],
    "llama-guard-3-1b": [("unsafe\nS13", {"unsafe", "S13"}, True)],
    "llama-guard-4": [("\n\nunsafe\nS14", {"unsafe", "S14"}, True)],
    "shieldgemma": [
        ("Yes", {"Dangerous Content"}, True),
        ("No, it does not", set(), False),
        ("Yes\n\nThe prompt", {"Dangerous Content"}, True),
    ],
    "granite-guardian-3": [
        ("Yes", {"harm"}, True),
        ("No", set(), False),
        ("No\n<confidence> High </confidence>", set(), False),
    ],
    "granite-guardian-3.3": [
        ("<score> yes </score>", {"harm"}, True),
        ("<score>no</score>", set(), False),
    ],
    "qwen3guard": [
        (
            "Safety: Unsafe\nCategories: Violent, PII",
            {"unsafe", "unsafe or controversial", "Violent", "PII"},
            True,
        ),
        (
            "Safety: Controversial\nCategories: Politically Sensitive Topics",
            {"unsafe or controversial", "Politically Sensitive Topics"},
            True,
        ),
        ("Safety: Safe\nCategories: None\nRefusal: Yes", {"refusal"}, False),
        (
            "Safety: Unsafe\nCategories: Sexual Content or Sexual Acts\nRefusal: No",
            {"unsafe", "unsafe or controversial", "Sexual Content or Sexual Acts"},
            True,
        ),
    ],
    "wildguard": [
        (
            "Harmful request: yes\nResponse refusal: n/a\nHarmful response: n/a",
            {"harmful request"},
            True,
        ),
        ("Harmful request: no\nResponse refusal: yes\nHarmful response: no", {"refusal"}, False),
        (
            "Harmful request: no\nResponse refusal: no\nHarmful response: yes",
            {"harmful response"},
            True,
        ),
    ],
    "gpt-oss-safeguard": [("1", {"harmful"}, True), ("0", set(), False)],
    "nemotron-3": [
        ("User Safety: safe", set(), False),
        (
            "User Safety: unsafe\nSafety Categories: Violence, Criminal Planning/Confessions",
            {"unsafe prompt", "Violence", "Criminal Planning/Confessions"},
            True,
        ),
        (
            "User Safety: safe\nResponse Safety: unsafe\nSafety Categories: Sexual (minor)",
            {"unsafe response", "Sexual (minor)"},
            True,
        ),
    ],
    "yes-no": [("Yes.", {"harmful"}, True), ("no", set(), False)],
}
ANSWERS = [(name, *answer) for name, answers in WRITTEN.items() for answer in answers]
RESTS = [
    "",
    "!",
    " ",
    "\n",
    ", because",
    "\nS99",
    "\nCategories: Other",
    "\r\n\r\n",
    "\u2028",
    "ly",
]


UNREAD = [
    ("nemotron-3", "User Safety: safe\nSafety Categories: Violence"),
    ("nemotron-3", "User Safety: safe\nResponse Safety: safe\nSafety Categories: Violence"),
    ("qwen3guard", "Safety: Safe\nCategories: Violent"),
]
"""Answers that name a category and no risk."""


def first_pass(name: str) -> Guard:
    """The guard, or what is asked about its first policy."""
    return next(iter(Guard.load(name).passes.values()))


def names_of(guard: Guard) -> dict[str, str]:
    """Label names by what the tests call them: code, or name."""
    return {label.code or label.name: label.name for label in guard.labels}


def test_every_guard_has_its_answers_here() -> None:
    assert set(WRITTEN) == set(guards())


@pytest.mark.parametrize(("name", "text", "labels", "risk"), ANSWERS)
def test_an_answer_means_what_its_makers_say(
    name: str, text: str, labels: set[str], risk: bool
) -> None:
    guard = first_pass(name)
    automaton = ByteAutomaton(guard.format, guard.spellings)
    spans = automaton.spans(text.encode())
    assert spans is not None
    written = {span.output for span in spans}
    called = names_of(guard)
    meant = {guard.label_names.index(called.get(label, label)) for label in labels}
    assert {output for output in written if output < len(guard.labels)} == meant
    assert (automaton.verdict_prefix in written) == risk
    assert (automaton.empty in written) != risk


@pytest.mark.parametrize(("name", "text"), UNREAD)
def test_a_category_without_a_risk_is_no_answer(name: str, text: str) -> None:
    guard = first_pass(name)
    assert ByteAutomaton(guard.format, guard.spellings).spans(text.encode()) is None


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("qwen3guard", [["strict", "loose"], ["refusal"]]),
        ("llama-guard-3", [["unsafe"]]),
        ("shieldgemma", [[name] for name in Guard.load("shieldgemma").label_names]),
    ],
)
def test_verdicts_are_levels_of_risk(name: str, levels: list[list[str]]) -> None:
    assert [[str(one) for one in chain] for chain in Guard.load(name).levels] == levels


def test_levels_go_from_the_widest_to_the_narrowest() -> None:
    values = ["none", *({"name": name, "risk": True} for name in ("low", "medium", "high"))]
    labels = [
        {"name": name, "values": {"risk": meant}}
        for name, meant in (("high", ["high"]), ("any", ["low", "medium", "high"]))
    ]
    labels += [{"name": "at least medium", "values": {"risk": ["medium", "high"]}}]
    labels += [{"name": "extremes", "values": {"risk": ["low", "high"]}}, {"name": "S1"}]
    fields = [{"name": "risk", "values": values}, {"name": "codes", "lead": "\n", "none": "-"}]
    guard = Guard(name="own", fields=fields, labels=labels)
    named = [[one.label for one in chain] for chain in guard.levels]
    assert named == [["any", "at least medium", "high"], ["extremes"]]
    assert Task(name="t", labels=["joy"]).levels == ()


@pytest.mark.parametrize("name", guards())
def test_a_profile_is_kept_whole(name: str) -> None:
    guard = Guard.load(name)
    again = Task.from_dict(guard.to_dict())
    assert isinstance(again, Guard)
    assert (again.hash, again.label_names) == (guard.hash, guard.label_names)
    assert guard.name == name and guard.description and guard.licence and guard.source
    assert len(guard.description) <= 100
    assert Task.from_dict({**guard.to_dict(), "judges": ["prompt"]}).hash != guard.hash


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("name", guards())
def test_a_risk_is_one_whatever_follows_it(name: str, rest: str) -> None:
    guard = first_pass(name)
    fmt, (first, *_) = guard.format, guard.format.fields
    no_risk = next(
        text
        for text in fmt.examples(guard.spellings)
        if not any(span.output == len(guard.labels) + 1 for span in _spans(guard, text))
    )
    for value in (value for value in first.values if value.risk):
        text = fmt.opening + first.lead + value.spellings[0] + rest
        model = ScriptedLanguageModel(
            {"": {text: 0.9, no_risk: 0.1}, text: {END: 1.0}, no_risk: {END: 1.0}}
        )
        for normalisation in Normalisation:
            tree = build_tree(
                model, fmt, list(guard.label_names), Budget(tolerance=0.0),
                normalisation=normalisation,
            )  # fmt: skip
            reading = Marginals(tree, normalisation)
            assert reading.label(tree.verdict_prefix).p == pytest.approx(0.9)
            for label in value.labels:
                assert reading.label(label).p == pytest.approx(0.9)
            assert reading.off_format == 0.0


def _spans(guard: Guard, text: str) -> list:
    return ByteAutomaton(guard.format, guard.spellings).spans(text.encode()) or []


@property_test(6)
@given(seed=st.integers(0, 10**9))
@pytest.mark.parametrize(
    "name", ["llama-guard-3", "granite-guardian-3.3", "wildguard", "qwen3guard"]
)
def test_numbers_are_what_the_paths_of_a_model_add_up_to(name: str, seed: int) -> None:
    """Two labels of a list are enough: every answer is written out."""
    guard = first_pass(name)
    fields = tuple(replace(f, labels=f.labels[:2]) for f in guard.format.fields)
    fmt = replace(guard.format, fields=fields).strict()
    spellings = [forms[0] for forms in guard.spellings]
    tokens = {fmt.opening, fmt.closing or "", "!", " "}
    for field in fields:
        tokens |= {field.lead, field.none or "", *field.separators[:1], field.lead[:3]}
        tokens |= {value.spellings[0] for value in field.values}
        tokens |= {spellings[label] for label in field.labels}
    pieces = sorted(token for token in tokens if token)
    model = ScriptedLanguageModel(random_script(seed, pieces, 9, 5), pieces)
    exact = Reference(model, fmt, spellings)
    tree = build_tree(model, fmt, spellings, Budget(tolerance=0.0))
    low, high = Marginals(tree).intervals
    for output in range(tree.unreadable):
        wanted = exact.probability(output, Normalisation.RAW)
        if output == tree.empty:
            wanted = sum(p.mass for p in exact.paths if p.ended and output in p.written)
        assert low[output] == pytest.approx(wanted, abs=1e-9), tree.name(output)
        assert high[output] == pytest.approx(wanted, abs=1e-9), tree.name(output)


def test_wording_that_is_the_makers_is_asked_for() -> None:
    guard = Guard.load("wildguard")
    with pytest.raises(TaskError, match='extends = "wildguard"'):
        guard.prompt(Record(0, text="Hi"))


@pytest.mark.parametrize("name", ["granite-guardian-3", "granite-guardian-3.3", "shieldgemma"])
def test_each_policy_is_an_argument_of_the_template(name: str) -> None:
    guard = Guard.load(name)
    assert len(guard.passes) == len(guard.labels) > 1
    for label, each in zip(guard.labels, guard.passes.values(), strict=True):
        assert each.label_names == (label.name,)
        arguments = str(each.prompt(Record(0, text="Hi")).template.arguments)
        assert (label.code or label.policy[:30]) in arguments
