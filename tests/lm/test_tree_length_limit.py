"""Trees up to a length and full passes beyond it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.lm.full_forward import FullForward
from labelmass.lm.limited_trees import LimitedTrees
from labelmass.lm.masked_attention import MaskedAttention
from labelmass.lm.prefix_split_attention import PrefixSplitAttention
from labelmass.lm.transformers import TransformersModel
from lm.full_passes import queries_of, worst
from lm.test_architectures import VOCABULARY, network, wrapped
from lm.test_self_check import LONG, text

IDS = np.arange(VOCABULARY)
NODES = {1: (0, 5), 2: (1, 9), 3: (2, 11), 4: (0, 7), 5: (3, 20)}
PHI = network("Phi3", LONG)
LENGTHS = st.lists(st.integers(58, 70) | st.integers(1, 90), min_size=1, max_size=4)


@property_test(15)
@given(LENGTHS, st.integers(0, 66), st.data())
def test_rows_are_right_in_any_company(lengths: list[int], shared: int, data: Any) -> None:
    reader = wrapped(PHI, pass_tokens=data.draw(st.sampled_from([16, 100, 512])))
    assert isinstance(reader._strategy, LimitedTrees)
    shared = min(shared, *lengths)
    head = text(1, shared)
    prompts = [head + text(n, length - shared) for n, length in enumerate(lengths)]
    handles = reader.open(prompts, shared)
    groups = [queries_of(handle, NODES, IDS) for handle in handles]
    rows: dict[int, list[Any]] = {handle: [] for handle in handles}
    for start, stop in ((0, 2), (2, 4), (4, 6)):  # level by level, all records in one call
        queries = [query for queries in groups for query in queries[start:stop]]
        for query, row in zip(queries, reader.rows(queries), strict=True):
            rows[query.record].append(row)
    for prompt, handle, queries in zip(prompts, handles, groups, strict=True):
        assert worst(PHI, prompt, queries, rows[handle], VOCABULARY) < 1e-4
        reader.close(handle)


def test_no_pass_of_a_tree_sees_a_later_position(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    usual = {kind: kind.logits for kind in (MaskedAttention, PrefixSplitAttention)}
    for kind, logits in usual.items():

        def counted(self: Any, segments: Any, *args: Any, logits: Any = logits) -> Any:
            seen.extend(segment.first_position + len(segment) for segment in segments)
            return logits(self, segments, *args)

        monkeypatch.setattr(kind, "logits", counted)
    reader = wrapped(PHI)
    prompts = [text(1, 62), text(2, 80), text(3, 64)]
    handles = reader.open(prompts, 0)
    reader.rows([query for handle in handles for query in queries_of(handle, NODES, IDS)])
    assert max(seen) == 64
    costs = [reader.close(handle) for handle in handles]
    assert costs[0].prompt_tokens == 62 * (1 + 2)  # the prompt, and two nodes that go beyond 64
    assert costs[1].prompt_tokens == 80 * 6
    assert costs[2].prompt_tokens == 64 * (1 + 5)


def test_full_passes_alone_where_nothing_else_is_right() -> None:
    reader: TransformersModel = wrapped(network("Bloom", {"vocab_size": 96, "hidden_size": 32}))
    assert isinstance(reader._strategy, FullForward)
