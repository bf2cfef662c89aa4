"""Shares of attention by hand, and the published slip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.analysis.attention import AttentionWeights, attention_shares


def test_positions_are_those_of_the_tokens_themselves() -> None:
    # prompt of 2; answer of 5: label A at 0-1, separator 2, label B at 3-4
    weights = np.zeros((5, 7))
    weights[2] = [0.1, 0.2, 0.4, 0.05, 0.25, 0, 0]  # the row that predicts B's first token
    found = attention_shares([AttentionWeights(weights, 2, (0, 3))])
    assert found.answers == found.input.n == 1
    assert found.input.mean == pytest.approx(15)  # (.1 + .2) / 2
    assert found.answer.mean == pytest.approx(22.5)  # (.4 + .05) / 2, without the row's own .25
    assert found.labels.mean == pytest.approx(40)
    assert found.labels_published.mean == pytest.approx(20)  # the prompt's last token
    assert found.input_total.mean == pytest.approx(30)
    assert found.answer_total.mean == pytest.approx(45)


@property_test(30)
@given(st.integers(0, 10**9))
def test_against_loops(seed: int) -> None:
    draw = np.random.default_rng(seed)
    answers, rows = [], []
    for _ in range(draw.integers(1, 4)):
        m, n = draw.integers(1, 5), draw.integers(2, 9)
        weights = np.tril(draw.random((n, m + n)), m)
        weights /= weights.sum(axis=1, keepdims=True)
        firsts = tuple(sorted(draw.choice(n, draw.integers(1, n), replace=False).tolist()))
        answers.append(AttentionWeights(weights, int(m), firsts))
        for label_step, first in list(enumerate(firsts))[1:]:
            row = first - 1
            if row < 1:
                continue
            before = [weights[row, m + j] for j in range(row)]
            labels = [weights[row, m + j] for j in firsts[:label_step] if j < row]
            rows.append(
                (
                    np.mean([weights[row, i] for i in range(m)]),
                    np.mean(before),
                    np.mean(labels) if labels else None,
                )
            )
    found = attention_shares(answers)
    assert found.input.n == len(rows)
    for at, spread in enumerate((found.input, found.answer, found.labels)):
        values = [100 * row[at] for row in rows if row[at] is not None]
        assert spread.n == len(values)
        if values:
            assert spread.mean == pytest.approx(np.mean(values))
