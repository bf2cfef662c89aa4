"""Attention in pieces, against full passes; with one mask where pieces are not right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from labelmass.lm import prefix_split_attention as split
from labelmass.lm.base import Usage
from labelmass.lm.masked_attention import MaskedAttention
from labelmass.lm.prefix_split_attention import PrefixSplitAttention
from labelmass.lm.segments import NONE, Segment
from labelmass.lm.transformers import TransformersModel
from lm.full_passes import queries_of, worst
from lm.test_architectures import BASE, CASES, VOCABULARY, network, wrapped

IDS = np.arange(VOCABULARY)
NODES = {1: (0, 5), 2: (0, 9), 3: (2, 11), 4: (3, 5), 5: (1, 88)}
PLAIN = {"Llama", "Qwen2", "GPT2", "OPT"}


def attention(reader: TransformersModel) -> Any:
    return reader._strategy._attention  # type: ignore[union-attr]


def text(seed: int, length: int) -> list[int]:
    return np.random.default_rng(seed).integers(3, VOCABULARY, length).tolist()


@pytest.fixture(scope="module", params=[1, 2, 4], ids=lambda n: f"{n} heads of keys")
def model(request: pytest.FixtureRequest) -> Any:
    return network("Llama", BASE | {"num_key_value_heads": request.param})


@pytest.fixture(params=[7, 16, 512], ids=lambda n: f"{n} a pass")
def reader(model: Any, request: pytest.FixtureRequest) -> TransformersModel:
    made = wrapped(model, pass_tokens=request.param)
    assert isinstance(attention(made), PrefixSplitAttention), made.note
    return made


def check(reader: TransformersModel, prompts: list[list[int]], handles: list[int]) -> None:
    groups = [queries_of(handle, NODES, IDS) for handle in handles]
    rows = reader.rows([query for group in groups for query in group])
    for prompt, queries in zip(prompts, groups, strict=True):
        own, rows = rows[: len(queries)], rows[len(queries) :]
        assert worst(reader.network, prompt, queries, own, VOCABULARY) < 1e-4


@pytest.mark.parametrize("shared", [0, 1, 9], ids=lambda n: f"{n} shared")
def test_prompts_of_mixed_length(reader: TransformersModel, shared: int) -> None:
    head = text(1, shared)
    prompts = [head + text(n, n) for n in (2, 3, 3, 30, 5, 60)]
    check(reader, prompts, reader.open(prompts, shared))


def test_prompts_that_end_within_the_prefix(reader: TransformersModel) -> None:
    head = text(1, 12)
    prompts = [head, head + text(2, 4), head]
    check(reader, prompts, reader.open(prompts, 12))


def test_records_of_several_prefixes_in_a_pass(reader: TransformersModel) -> None:
    heads = [text(1, 10), text(2, 6), []]
    prompts = [head + text(n, 3 + n) for n, head in enumerate(heads)]
    handles = [reader.open([p], len(h))[0] for p, h in zip(prompts, heads, strict=True)]
    check(reader, prompts[::-1], handles[::-1])


def test_records_closed_between_levels(reader: TransformersModel) -> None:
    head = text(1, 9)
    prompts = [head + text(n, n) for n in (4, 20, 2)]
    first, second, third = reader.open(prompts, 9)
    queries = {h: queries_of(h, NODES, IDS) for h in (first, second, third)}
    early = reader.rows([*queries[first][:3], *queries[second][:3], *queries[third][:1]])
    reader.close(first)
    fourth = head + text(8, 11)
    check(reader, [fourth], reader.open([fourth], 9))
    late = reader.rows([*queries[third][1:], *queries[second][3:]])
    rows = {second: [*early[3:6], *late[5:]], third: [early[6], *late[:5]]}
    for prompt, handle in ((prompts[1], second), (prompts[2], third)):
        assert worst(reader.network, prompt, queries[handle], rows[handle], VOCABULARY) < 1e-4


@pytest.mark.parametrize("kind", [case[0] for case in CASES if case[2].endswith("tree-attention")])
def test_where_it_is_used(kind: str) -> None:
    reader = wrapped(network(kind, next(case[1] for case in CASES if case[0] == kind)))
    assert isinstance(attention(reader), PrefixSplitAttention if kind in PLAIN else MaskedAttention)


def test_attention_of_another_choice_is_left_alone() -> None:
    model = network("Llama", BASE)
    model.set_attn_implementation("eager")
    assert isinstance(attention(wrapped(model)), MaskedAttention)


@pytest.mark.usefixtures("memory")
def test_a_mask_where_pieces_give_other_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_prefix(*args: Any, plan: split.Plan, **how: Any) -> Any:
        return attend(*args, plan=split.Plan(plan.own, []), **how)

    attend = split.attend
    monkeypatch.setattr(split, "attend", without_prefix)
    reader = wrapped(network("Llama", BASE))
    assert isinstance(attention(reader), MaskedAttention)
    assert reader.note is None


def test_the_model_is_as_before(reader: TransformersModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reader.network.config._attn_implementation == "sdpa"
    monkeypatch.setattr(split, "plan", lambda *args: None)
    with pytest.raises(AttributeError):
        reader.rows(queries_of(reader.open([text(1, 5)])[0], NODES, IDS))
    assert reader.network.config._attn_implementation == "sdpa"


def test_one_long_text_is_not_padding_for_the_short() -> None:
    def segment(account: Usage, first: int, length: int) -> Segment:
        return Segment(account, [0] * length, np.arange(first, first + length), 0, NONE, NONE)

    segments = [segment(Usage(), 100 * n, 10) for n in range(8)] + [segment(Usage(), 1000, 400)]
    plan = split.plan(segments, 1400, torch.float32)
    assert sorted(block.texts for block in plan.own) == [1, 8]
    long = next(block for block in plan.own if block.texts == 1)
    assert (long.rows, long.slots) == (slice(80, 480), slice(1000, 1400))
