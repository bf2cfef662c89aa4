"""Pairs of labels against every answer a model can write, and every annotator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.brute_force import enumerate_answers, random_script
from helpers.property_tests import property_test
from helpers.trees import build_tree
from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.reporting.cooccurrence import Pairs, annotator_pairs, known_labels, model_pairs
from labelmass.targets import Targets
from labelmass.task import Record, Task
from labelmass.task.formats import comma_list

TOKENS = ["a", "b", "c", "ab", ", ", "a, ", "\n", "b\n", "x"]
LABELS = ["a", "ab", "c"]


@pytest.mark.parametrize("normalisation", Normalisation)
@property_test(25)
@given(seed=st.integers(0, 10**9))
def test_the_model_writes_both_as_often_as_its_answers_hold_both(
    normalisation: Normalisation, seed: int
) -> None:
    fmt = comma_list(separators=(", ",), stops=("\n",), empty=None).strict()
    model = ScriptedLanguageModel(random_script(seed, TOKENS, depth=6), TOKENS)
    exact = enumerate_answers(model, fmt, LABELS, masked=normalisation is Normalisation.MASKED)
    tree = build_tree(
        model, fmt, LABELS, Budget(tolerance=0.0, max_nodes=100_000), None, normalisation
    )
    found = model_pairs(Marginals(tree, normalisation))
    for one in range(3):
        for other in range(3):
            if normalisation is Normalisation.ON_FORMAT:
                both = sum(p for names, p in exact.sets.items() if {one, other} <= names)
                expected = both / exact.ended if exact.ended else np.nan
            elif one == other:
                expected = exact.label[one]
            else:
                expected = exact.pairs.get((min(one, other), max(one, other)), 0.0)
            assert found[one, other] == pytest.approx(expected, abs=1e-9, nan_ok=True)


MOODS = ("joy", "fear", "joyful")
SETS = st.lists(st.sampled_from(MOODS), unique=True)
ROWS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"annotators": st.lists(SETS, min_size=1, max_size=4)}),
        st.fixed_dictionaries({"labels": SETS}),
    ),
    min_size=1,
    max_size=6,
)


@property_test(50)
@given(rows=ROWS, unknown=st.lists(st.sampled_from([(), ("joy",), ("joy", "fear")]), min_size=6))
def test_people_chose_both_as_often_as_their_sets_hold_both(
    rows: list[dict], unknown: list[tuple[str, ...]]
) -> None:
    task = Task(name="mood", labels=list(MOODS), instruction="Which?", format="comma")
    for number, row in enumerate(rows):
        row |= {"id": number, "text": "x"}
        if "annotators" in row:
            row["unknown"] = list(unknown[number])
    targets = Targets.from_records(rows, MOODS)
    known = known_labels(targets)
    pairs = Pairs(MOODS)
    for row in rows:
        annotated = annotator_pairs(Record.from_dict(row, 0), task, *known[row["id"]])
        pairs.add(np.full((3, 3), 0.25), annotated)
    found = pairs.mean()
    for i, one in enumerate(MOODS):
        for j, other in enumerate(MOODS):
            shares = [
                np.mean([{one, other} <= set(said) for said in _said(row)])
                for row in rows
                if not {one, other} & set(row.get("unknown", ()))
            ]
            assert found.records[i, j] == len(shares)
            if shares:
                assert found.annotators[i, j] == pytest.approx(np.mean(shares))
                assert found.model[i, j] == 0.25
            else:
                assert np.isnan(found.annotators[i, j]) and np.isnan(found.model[i, j])
    off = [found.annotators[i, j] for i in range(3) for j in range(3) if i != j]
    assert found.most == pytest.approx(np.nanmax([0.25 * bool(np.isfinite(off).any()), *off, 0]))


def _said(row: dict) -> list[list[str]]:
    return row["annotators"] if "annotators" in row else [row["labels"]]


def test_alone_on_the_diagonal_is_the_share_of_people() -> None:
    rows = [
        {"id": 1, "annotators": [["joy", "fear"], ["joy"], []]},
        {"id": 2, "annotators": [["fear"], ["fear", "joy"]]},
    ]
    task = Task(name="mood", labels=list(MOODS), instruction="Which?", format="comma")
    targets = Targets.from_records(rows, MOODS)
    known = known_labels(targets)
    every = [
        annotator_pairs(Record.from_dict(row | {"text": "x"}, 0), task, *known[row["id"]])
        for row in rows
    ]
    for at, pairs in enumerate(every):
        assert np.diag(pairs) == pytest.approx(targets.shares[at])
        assert (pairs == pairs.T).all()
    assert every[0][0, 1] == pytest.approx(1 / 3) and every[1][0, 1] == 0.5
