"""Errors by label and by group, and the answers written, against loops over every record."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.brute_force import random_script, read
from helpers.property_tests import property_test
from helpers.trees import build_tree
from labelmass.analysis.counts import Share
from labelmass.analysis.error_analysis import Decided, group_errors, label_errors
from labelmass.analysis.written_answers import (
    GreedyAnswer,
    complete_answers,
    greedy_answer,
    written_answers,
)
from labelmass.answers.search import Budget
from labelmass.answers.tree import Ending
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.formats import comma_list

LABELS = ("joy", "fear", "anger")
CELL = st.tuples(
    st.sampled_from([0.0, 0.2, 0.2, 0.7, math.nan]),
    st.sampled_from([0, 1, None]),
    st.sampled_from(["given", "review", "below"]),
)
RECORDS = st.lists(
    st.tuples(st.tuples(CELL, CELL, CELL), st.frozensets(st.sampled_from("xyz"))), max_size=12
)


def decided(cells: list) -> Decided:
    p, gold, outcome = (
        np.array([[cell[at] for cell in row] for row in cells], dtype=object).reshape(-1, 3)
        for at in range(3)
    )
    truth = np.array([[np.nan if y is None else y for y in row] for row in gold], dtype=float)
    return Decided(
        LABELS, p.astype(float), truth.reshape(-1, 3), outcome == "given", outcome == "review"
    )


def is_missed(cell: tuple) -> bool:
    p, gold, outcome = cell
    return not math.isnan(p) and gold == 1 and outcome == "below"


def is_false_alarm(cell: tuple) -> bool:
    p, gold, outcome = cell
    return not math.isnan(p) and gold == 0 and outcome == "given"


def judged(cells: list, gold: int) -> list:
    return [cell for cell in cells if cell[1] == gold and not math.isnan(cell[0])]


@property_test(200)
@given(RECORDS)
def test_errors_of_a_label_are_those_of_a_loop(records: list) -> None:
    rows = [row for row, _ in records]
    for at, (label, found) in enumerate(zip(LABELS, label_errors(decided(rows)), strict=True)):
        column = [row[at] for row in rows]
        missing = [i for i, cell in enumerate(column) if is_missed(cell)]
        instead: Counter[str] = Counter()
        nothing = 0
        for i in missing:
            wrong = [LABELS[j] for j, cell in enumerate(rows[i]) if is_false_alarm(cell)]
            instead.update(wrong)
            nothing += not wrong
        assert found.label == label
        assert found.missed == Share(len(missing), len(judged(column, 1)))
        alarms = sum(map(is_false_alarm, column))
        assert found.false_alarms == Share(alarms, len(judged(column, 0)))
        assert found.review == sum(cell[2] == "review" for cell in judged(column, 1))
        assert dict(found.instead) == dict(instead) and label not in instead
        assert list(found.instead.values()) == sorted(instead.values(), reverse=True)
        assert found.nothing_instead == nothing
        assert found.rows == tuple(sorted(missing, key=lambda i: (column[i][0], i)))
        assert found.p_missed.n == len(missing)
        if missing:
            assert found.p_missed.median == np.median([column[i][0] for i in missing])


@property_test(200)
@given(RECORDS)
def test_errors_of_a_group_are_those_of_its_records_alone(records: list) -> None:
    rows = [row for row, _ in records]
    groups = [names for _, names in records]
    found = group_errors(decided(rows), groups)
    assert {one.group for one in found} == set().union(*groups)
    assert [one.records for one in found] == sorted((one.records for one in found), reverse=True)
    for one in found:
        inside = [row for row, names in records if one.group in names]
        assert one.records == len(inside)
        cells = [cell for row in inside for cell in row]
        for rates, of in [
            (one.overall, cells),
            *((one.labels[label], [row[at] for row in inside]) for at, label in enumerate(LABELS)),
        ]:
            assert rates.missed == Share(sum(map(is_missed, of)), len(judged(of, 1)))
            assert rates.false_alarms == Share(sum(map(is_false_alarm, of)), len(judged(of, 0)))


# -- answers --------------------------------------------------------------------------------------

STRICT = comma_list().strict()
TOKENS = ["joy", "fear", ", ", "none", "ful", "!"]


@property_test(40)
@given(st.integers(0, 10_000))
def test_complete_answers_are_all_that_the_model_can_write(seed: int) -> None:
    script = random_script(seed, TOKENS, depth=5)
    model = ScriptedLanguageModel(script, TOKENS)
    labels = ["joy", "fear", "joyful"]
    tree = build_tree(model, STRICT, labels, Budget(tolerance=0.0, max_nodes=5000))
    wanted: dict[str, float] = {}

    def walk(path: tuple[str, ...], mass: float) -> None:
        text = "".join(path)
        for name, p in script("", path).items():
            if name == END:
                if read(STRICT, labels, text).can_end:
                    wanted[text] = wanted.get(text, 0.0) + mass * p
            elif read(STRICT, labels, text + name).viable:
                walk((*path, name), mass * p)

    walk((), 1.0)
    wanted = {text: mass for text, mass in wanted.items() if mass > 0}
    assert complete_answers(tree) == pytest.approx(wanted)
    found = greedy_answer(tree)
    assert (found.text in wanted) == (found.ending is Ending.COMPLETE)
    assert found.text == tree.greedy_text.strip()
    if found.ending is Ending.COMPLETE:
        written = found.text.split(", ")
        assert found.labels.tolist() == [float(label in written) for label in labels]


def test_answers_are_counted_and_the_most_frequent_comes_first() -> None:
    def one(text: str, ending: Ending, *labels: float) -> GreedyAnswer:
        return GreedyAnswer(text, ending, np.array(labels))

    greedy = [
        one("joy", Ending.COMPLETE, 1, 0),
        one("joy", Ending.COMPLETE, 1, 0),
        one("joy", Ending.CUT, 1, 0),
        one("fear", Ending.COMPLETE, 0, 1),
    ]
    gold = np.array([[1, 0], [1, 1], [np.nan, np.nan], [np.nan, 1]])
    found = written_answers(greedy, gold, {"joy": 2.0, "none": 1.2, "fear": 0.8})
    assert [(a.text, str(a.ending), a.records, a.wrong, a.mean_p) for a in found] == [
        ("joy", "complete", 2, 1, 0.5),
        ("fear", "complete", 1, 0, 0.2),
        ("joy", "cut", 1, 0, 0.0),
        ("none", "complete", 0, 0, pytest.approx(0.3)),
    ]
    assert written_answers([], np.empty((0, 2)), {}) == ()
