"""Shares, majority and Dawid-Skene: against a peer library's numbers and an EM in plain Python."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.targets import Votes, dawid_skene, majority, shares

# 40 records, annotators a to e, "-" where one did not see the record. The numbers below are what
# crowd-kit 1.4.2 (crowdkit.aggregation.DawidSkene, n_iter=3000, tol=0) makes of them.
_SEEN = (
    "--111 -01-0 0---0 -1-1- 1---1 00000 --111 11110 -01-1 0-11- -1011 1-00- 0-100 -1-1- 1-111 "
    "0010- -0011 0-000 1000- 0-00- 00-0- --0-1 -00-- 000-- 1---1 1-000 11111 -000- -000- 1111- "
    "-0000 111-1 11-11 1-1-- 00111 11011 001-- 1111- 001-- -1111"
)
SEEN = _SEEN.split()
_PEER = (
    "1 .04865 .01939 1 1 0 1 1 1 1 1 0 0 1 1 0 1 0 0 0 0 1 .09403 .02367 1 0 1 0 0 1 0 1 1 .91598 "
    "1 1 .15233 1 .15233 1"
)
PEER = [float(p) for p in _PEER.split()]
PEER_SENSITIVITY = [0.823, 0.76014, 0.76317, 1.0, 0.93353]
PEER_SPECIFICITY = [0.75786, 1.0, 0.697, 1.0, 1.0]
PEER_PREVALENCE = 0.56015965


def votes_of(rows: list[str]) -> Votes:
    cells = [(i, a, c) for i, row in enumerate(rows) for a, c in enumerate(row) if c != "-"]
    return Votes(
        np.array([[float(c)] for *_, c in cells]).reshape(-1, 1),
        np.array([i for i, *_ in cells], dtype=np.int64),
        len(rows),
        np.array([a for _, a, _ in cells], dtype=np.int64),
        tuple("abcde"),
    )


def test_dawid_skene_is_what_crowd_kit_finds() -> None:
    found = dawid_skene(votes_of(SEEN))
    assert found.posteriors[:, 0] == pytest.approx(PEER, abs=2e-4)
    assert found.sensitivities[:, 0] == pytest.approx(PEER_SENSITIVITY, abs=2e-4)
    assert found.specificities[:, 0] == pytest.approx(PEER_SPECIFICITY, abs=2e-4)
    assert found.prevalence[0] == pytest.approx(PEER_PREVALENCE, abs=2e-5)


def slow_steps(rows: list[str], steps: int) -> tuple[list[float], list[float]]:
    """EM with products of probabilities; the posteriors, and the log-likelihood of every step."""
    annotators = range(len(rows[0]))
    true = [sum(c == "1" for c in row) / sum(c != "-" for c in row) for row in rows]
    likelihoods: list[float] = []
    for _ in range(steps):
        rate = sum(true) / len(true)
        sens, spec = [], []
        for a in annotators:
            hits = sum(t for t, row in zip(true, rows, strict=True) if row[a] == "1")
            cases = sum(t for t, row in zip(true, rows, strict=True) if row[a] != "-")
            sens.append((hits + 1e-10) / (cases + 2e-10))
            hits = sum(1 - t for t, row in zip(true, rows, strict=True) if row[a] == "0")
            cases = sum(1 - t for t, row in zip(true, rows, strict=True) if row[a] != "-")
            spec.append((hits + 1e-10) / (cases + 2e-10))
        total = 0.0
        for i, row in enumerate(rows):
            yes, no = rate, 1 - rate
            for a in annotators:
                if row[a] != "-":
                    yes *= sens[a] if row[a] == "1" else 1 - sens[a]
                    no *= 1 - spec[a] if row[a] == "1" else spec[a]
            total += math.log(yes + no)
            true[i] = yes / (yes + no)
        likelihoods.append(total)
    return true, likelihoods


@property_test(25)
@given(st.integers(0, 10**9))
def test_dawid_skene_is_the_slow_em(seed: int) -> None:
    draw = np.random.default_rng(seed)
    truth = draw.random(25) < 0.4
    rows = [
        "".join(
            "-" if draw.random() < 0.25 else str(int(draw.random() < (0.8 if true else 0.25)))
            for _ in range(4)
        )
        for true in truth
    ]
    rows = [row for row in rows if row != "----"]
    found = dawid_skene(votes_of(rows))
    expected, likelihoods = slow_steps(rows, int(found.iterations[0]))
    assert found.posteriors[:, 0] == pytest.approx(expected, abs=1e-6)
    assert all(after >= before - 1e-7 for before, after in pairwise(likelihoods))


def test_labels_are_fitted_apart_and_cells_nobody_judged_stay_unknown() -> None:
    one = votes_of(SEEN)
    other = 1 - one.chosen
    other[one.record == 3] = np.nan
    never = np.full_like(other, np.nan)
    both = Votes(
        np.hstack([one.chosen, other, never]),
        one.record,
        one.records,
        one.annotator,
        tuple("abcde"),
    )
    found = dawid_skene(both)
    assert np.array_equal(found.posteriors[:, 0], dawid_skene(one).posteriors[:, 0])
    assert list(np.flatnonzero(np.isnan(found.posteriors[:, 1]))) == [3]
    assert np.isnan(found.posteriors[:, 2]).all() and found.iterations[2] == 0


def test_many_annotators_do_not_underflow() -> None:
    right = ["1" * 3000, "0" * 3000, "1" * 2999 + "0", "0" * 2999 + "1"]
    cells = np.array([[float(c)] for row in right for c in row])
    votes = Votes(
        cells,
        np.repeat(np.arange(4), 3000),
        4,
        np.tile(np.arange(3000), 4),
        tuple(map(str, range(3000))),
    )
    assert dawid_skene(votes).posteriors[:, 0] == pytest.approx([1, 0, 1, 0])


def test_shares_are_over_those_who_judged_the_label() -> None:
    chosen = np.array([[1, np.nan], [0, 1], [1, 1], [np.nan, np.nan]])
    found = shares(Votes(chosen, np.array([0, 0, 1, 3]), 4))
    expected = [[0.5, 1], [1, 1], [np.nan, np.nan], [np.nan, np.nan]]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(majority(found)[:2], [[1, 1], [1, 1]])
    np.testing.assert_array_equal(majority(found, strict=True)[:2], [[0, 1], [1, 1]])
    assert np.isnan(majority(found)[2:]).all()
