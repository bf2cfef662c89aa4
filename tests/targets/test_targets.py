"""Records with annotators, shares, labels and unknown labels, as rows of numbers."""

from __future__ import annotations

import json
from collections.abc import Collection
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.errors import LabelMassError, RecordError
from labelmass.targets import Targets, targets_of
from labelmass.task import Record
from labelmass.task.guard import Guard

LABELS = ("joy", "fear", "rage")
FINE = {"love": "joy", "dread": "fear", "joy": "joy", "neutral": None}


def test_annotators_come_before_shares_and_shares_before_labels() -> None:
    people = [["joy"], ["joy", "fear"], []]
    records = [
        {"id": 1, "labels": ["rage"], "annotators": people, "distribution": {"rage": 1.0}},
        {"id": 2, "labels": ["rage"], "distribution": {"joy": 0.25}},
        {"id": 3, "labels": ["rage"]},
        {"id": 4, "annotators": people},
    ]
    targets = Targets.from_records(records, LABELS)
    thirds = [2 / 3, 1 / 3, 0]
    np.testing.assert_allclose(targets.shares, [thirds, [0.25, 0, 0], [0, 0, 1], thirds])
    np.testing.assert_array_equal(targets.gold, [[0, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 0]])
    assert targets.raters.tolist() == [3, 0, 0, 3]
    assert targets.gold_rule == (
        "the labels given; share of annotators >= 0.5 for 1 of 4 records without"
    )
    assert targets.groups is None


def test_majority_rules_differ_at_one_half() -> None:
    record = {"id": 1, "labels": ["rage"], "annotators": [["joy"], ["fear"], ["joy"], []]}
    half = Targets.from_records([record], LABELS, gold="majority")
    more = Targets.from_records([record], LABELS, gold="more-than-half")
    assert half.gold.tolist() == [[1, 0, 0]] and more.gold.tolist() == [[0, 0, 0]]
    assert "0.5" in half.gold_rule and half.gold_rule != more.gold_rule


def test_labels_nobody_judged_are_unknown_whatever_else_is_said() -> None:
    records = [
        {"id": 1, "labels": ["joy"], "unknown": ["fear"]},
        {"id": 2, "annotators": [["joy"], ["fear"]], "unknown": ["fear"]},
        {"id": 3, "distribution": {"joy": 1, "fear": 1}, "unknown": ["dread"]},
    ]
    targets = Targets.from_records(records, LABELS, pool=FINE)
    for cells in (targets.shares, targets.gold):
        assert np.isnan(cells[:, 1]).all() and not np.isnan(cells[:, [0, 2]]).any()


def test_finer_labels_are_pooled_per_annotator() -> None:
    """One who chose both joy and love chose joy once; two annotators never add up beyond 1."""
    record = {"id": 1, "annotators": [["joy", "love"], ["love"], ["dread", "neutral"], ["neutral"]]}
    targets = Targets.from_records([record], LABELS, pool=FINE)
    assert targets.shares.tolist() == [[0.5, 0.25, 0]]


def test_shares_that_may_overlap_are_not_added() -> None:
    record = {"id": "r7", "distribution": {"joy": 0.5, "love": 0.5}}
    with pytest.raises(RecordError, match=r"'r7': 'joy' and 'love' both count as 'joy'"):
        Targets.from_records([record], LABELS, pool=FINE)
    record = {"id": "r7", "distribution": {"joy": 0.0, "love": 0.5, "neutral": 0.5}}
    assert Targets.from_records([record], LABELS, pool=FINE).shares.tolist() == [[0.5, 0, 0]]


def test_a_label_nobody_declared_is_an_error_unless_others_are_ignored() -> None:
    record = {"id": "r7", "labels": ["joy", "awe"]}
    with pytest.raises(RecordError, match=r"'r7': label 'awe' is not in the task"):
        Targets.from_records([record], LABELS)
    kept = Targets.from_records([record], LABELS, ignore_others=True)
    assert kept.gold.tolist() == [[1, 0, 0]]
    dropped = Targets.from_records([record], LABELS, empty="awe")
    assert dropped.gold.tolist() == [[1, 0, 0]]


def test_dawid_skene_must_know_who_chose_what() -> None:
    votes = [["joy"], ["joy"], []]
    records = [{"id": 1, "annotators": votes, "annotator_ids": ["a", "b", "c"]}]
    records += [{"id": 2, "annotators": votes}]
    with pytest.raises(RecordError, match=r"record 2 has no annotator_ids.*gold = majority"):
        Targets.from_records(records, LABELS, gold="dawid-skene")
    records[1]["annotator_ids"] = ["a", "b", "c"]
    targets = Targets.from_records(records, LABELS, gold="dawid-skene")
    assert targets.gold.tolist() == [[1, 0, 0], [1, 0, 0]]
    with pytest.raises(RecordError, match="record 3 has no annotators"):
        Targets.from_records([{"id": 3, "labels": []}], LABELS, gold="dawid-skene")


def test_one_careful_annotator_outweighs_two_careless_ones() -> None:
    """Careless ones choose the same at random: majority follows them where they agree."""
    draw = np.random.default_rng(5)
    truth = draw.random(300) < 0.5
    noise = draw.random((300, 2)) < 0.5
    careful = draw.random((300, 3)) < 0.97
    records = []
    for at, true in enumerate(truth):
        chosen = [bool(true) == bool(ok) for ok in careful[at]] + noise[at].tolist()
        votes = [["joy"] if yes else [] for yes in chosen]
        records.append({"id": at, "annotators": votes, "annotator_ids": list("abcde")})
    right = {
        rule: (Targets.from_records(records, LABELS, gold=rule).gold[:, 0] == truth).mean()
        for rule in ("majority", "dawid-skene")
    }
    assert right["dawid-skene"] > 0.99 > right["majority"]


def test_groups_and_records_that_stand_alone() -> None:
    records = [
        {"id": 1, "labels": [], "group": "x"},
        {"id": 2, "labels": []},
        {"id": 3, "labels": [], "group": "x"},
        {"id": "x", "labels": []},
    ]
    groups = Targets.from_records(records, LABELS).groups
    assert groups is not None and groups[0] == groups[2] and len(set(groups)) == 3
    assert Targets.from_records(records, LABELS, group=None).groups is None


def test_rows_are_chosen_by_id_and_written_without_nan() -> None:
    records = [{"id": i, "labels": ["joy"] * (i % 2), "unknown": ["fear"]} for i in range(4)]
    targets = Targets.from_records(records, LABELS)
    some = targets.at([3, 0])
    assert some.ids == (3, 0) and some.gold[:, 0].tolist() == [1, 0]
    written = json.loads(json.dumps(some.to_dict(), allow_nan=False))
    assert written["records"][0]["gold"] == {"joy": 1.0, "fear": None, "rage": 0.0}
    with pytest.raises(LabelMassError, match="record 9"):
        targets.at([9])
    assert "4 records" in repr(targets)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"labels": []}, "needs an id"),
        ({"id": 1}, "record 1 has no labels"),
        ({"id": 1, "labels": "joy"}, "not a list"),
        ({"id": 1, "annotators": ["joy"]}, "not a list"),
        ({"id": 1, "annotators": [["joy"]], "annotator_ids": ["a", "b"]}, "annotator_ids"),
        ({"id": 1, "annotators": [[], []], "annotator_ids": ["a", "a"]}, "each once"),
        ({"id": 1, "distribution": {"joy": 1.5}}, "'joy' is 1.5"),
        ({"id": 1, "distribution": {"joy": float("nan")}}, "'joy' is 'nan'"),
        ({"id": 1, "labels": ["joy"], "unknown": ["joy"]}, "among its labels and unknown"),
    ],
)
def test_what_cannot_be_read_is_named(record: dict, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        Targets.from_records([record], LABELS)


def test_declarations_are_checked() -> None:
    one = [{"id": 1, "labels": []}]
    with pytest.raises(RecordError, match="record 1 comes twice"):
        Targets.from_records(one * 2, LABELS)
    with pytest.raises(LabelMassError, match="'glee', which is no label"):
        Targets.from_records(one, LABELS, pool={"joy": "glee"})
    with pytest.raises(LabelMassError, match="named twice"):
        Targets.from_records(one, ("joy", "joy"))
    with pytest.raises(LabelMassError, match="gold is 'vote'"):
        Targets.from_records(one, LABELS, gold="vote")
    with pytest.raises(LabelMassError, match="empty answer and a label"):
        Targets.from_records(one, LABELS, empty="joy")


@property_test(60)
@given(st.lists(st.lists(st.lists(st.sampled_from([*LABELS, "love", "neutral"])), min_size=1)))
def test_shares_are_counts_over_counts(people: list[list[list[str]]]) -> None:
    records = [{"id": at, "annotators": votes} for at, votes in enumerate(people)]
    targets = Targets.from_records(records, LABELS, pool=FINE, gold="majority")
    for at, votes in enumerate(people):
        for column, label in enumerate(LABELS):
            names = {"joy", "love"} if label == "joy" else {label}
            share = Fraction(sum(bool(names & set(vote)) for vote in votes), len(votes))
            assert targets.shares[at, column] == pytest.approx(float(share))
            assert targets.gold[at, column] == (share >= Fraction(1, 2))


# -- labels that imply others -----------------------------------------------------------------

GUARD = ("wide", "narrow", "S1", "S2")
IMPLIED = {"narrow": ["wide"], "S1": ["wide", "narrow"], "S2": ["narrow", "wide"]}


def closed(names: Collection[str]) -> set[str]:
    return {one for name in names for one in (name, *IMPLIED.get(name, ()))}


NAMES = st.frozensets(st.sampled_from(GUARD))


@property_test(100)
@given(votes=st.lists(NAMES, min_size=1, max_size=4), labels=st.none() | NAMES, blank=NAMES)
def test_a_label_is_chosen_with_those_that_it_implies(
    votes: list[frozenset[str]], labels: frozenset[str] | None, blank: frozenset[str]
) -> None:
    votes = [vote - blank for vote in votes]
    record = {"id": 1, "annotators": [sorted(vote) for vote in votes], "unknown": sorted(blank)}
    if labels is not None:
        record["labels"] = sorted(labels - blank)
    found = Targets.from_records([record], GUARD, resolve=closed)

    def means(names: frozenset[str], label: str) -> bool:
        return any(label == name or label in IMPLIED.get(name, ()) for name in names)

    everything = [*votes, *([] if labels is None else [labels - blank])]
    for at, label in enumerate(GUARD):
        known = label not in blank and (
            not means(blank, label) or all(means(names, label) for names in everything)
        )
        if not known:
            assert np.isnan(found.shares[0, at]) and np.isnan(found.gold[0, at])
            continue
        share = Fraction(sum(means(vote, label) for vote in votes), len(votes))
        assert found.shares[0, at] == pytest.approx(float(share))
        gold = share >= Fraction(1, 2) if labels is None else means(labels - blank, label)
        assert found.gold[0, at] == gold


@pytest.mark.parametrize(
    ("distribution", "shares"),
    [
        ({"S1": 0.3}, [0.3, 0.3, 0.3, 0]),
        ({"S1": 0.3, "S2": 0.2}, [np.nan, np.nan, 0.3, 0.2]),  # anything from .3 to .5
        ({"S1": 0.3, "S2": 0.2, "narrow": 0.4}, [0.4, 0.4, 0.3, 0.2]),
        ({"S1": 0.3, "wide": 0.6}, [0.6, 0.3, 0.3, 0]),
        ({}, [0, 0, 0, 0]),
    ],
)
def test_shares_of_implied_labels_are_known_or_unknown(
    distribution: dict[str, float], shares: list[float]
) -> None:
    found = Targets.from_records([{"id": 1, "distribution": distribution}], GUARD, resolve=closed)
    assert found.shares[0].tolist() == pytest.approx(shares, nan_ok=True)


def test_a_category_makes_a_guards_record_unsafe() -> None:
    guard = Guard.load("qwen3guard")
    records = [
        Record.from_dict({"id": name, "text": "x", "labels": labels}, 0)
        for name, labels in (
            ("a", ["PII"]),
            ("b", ["controversial"]),
            ("c", ["refusal"]),
            ("d", ["PII", "controversial"]),
            ("e", ["refusal", "PII"]),
        )
    ]
    found = targets_of(guard, records)
    columns = [found.labels.index(one) for one in ("unsafe or controversial", "unsafe", "PII")]
    assert found.gold[:, columns].tolist() == [
        [1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1],
    ]  # fmt: skip
