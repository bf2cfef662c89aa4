"""Rows of the embedded model, read by tree, against one full pass per prefix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelmass.errors import ModelError
from labelmass.lm.slots import SlotPool
from labelmass.lm.transformers import TransformersModel
from lm.full_passes import queries_of, worst

pytestmark = pytest.mark.model

HEAD = "Name every emotion the text shows, as a list with commas between. Say none if none.\n\n"
TEXTS = ("We won!", "He left without a word, and the house was quiet for a long, long time.", "Oh")


@pytest.fixture(scope="session")
def prompts(smol: TransformersModel) -> tuple[int, list[list[int]]]:
    """How many ids are shared, and the prompts."""
    head = smol.tokenizer.encode(HEAD)
    tails = [smol.tokenizer.encode(f"Text: {text}\nEmotions:") for text in TEXTS]
    return len(head), [head + tail for tail in tails]


@pytest.fixture(scope="session")
def nodes(smol: TransformersModel) -> dict[int, tuple[int, int]]:
    """' joy', ' joy,' and ' sad', each node's parent and token."""
    joy, sad, comma = (smol.tokenizer.encode(text)[0] for text in (" joy", " sad", ","))
    return {1: (0, joy), 2: (0, sad), 3: (1, comma), 4: (3, sad)}


def distance(smol: TransformersModel, prompt: list[int], queries: Any, rows: Any) -> float:
    return worst(smol.network, prompt, queries, rows, len(smol.tokenizer.token_bytes))


IDS = np.arange(100, 49000, 777)


def test_one_record_without_a_shared_prefix(smol: Any, prompts: Any, nodes: Any) -> None:
    prompt = prompts[1][0]
    (handle,) = smol.open([prompt])
    queries = queries_of(handle, nodes, IDS)
    assert distance(smol, prompt, queries, smol.rows(queries)) < 1e-4
    usage = smol.close(handle)
    assert (usage.prompt_tokens, usage.tree_tokens, usage.forward_passes) == (len(prompt), 4, 1)


def test_records_of_mixed_length_share_a_pass_and_a_prefix(
    smol: Any, prompts: Any, nodes: Any
) -> None:
    shared, several = prompts
    handles = smol.open(several, shared)
    queries = [queries_of(handle, nodes, IDS) for handle in handles]
    rows = smol.rows([query for group in queries for query in group])
    for prompt, group in zip(several, queries, strict=True):
        own, rows = rows[: len(group)], rows[len(group) :]
        assert distance(smol, prompt, group, own) < 1e-4
    costs = [smol.close(handle) for handle in handles]
    assert sum(cost.forward_passes for cost in costs) == 1
    own_tokens = sum(len(prompt) - shared for prompt in several)
    assert sum(cost.prompt_tokens for cost in costs) == shared + own_tokens


def test_slots_of_closed_records_are_used_again(smol: Any, prompts: Any, nodes: Any) -> None:
    shared, several = prompts
    first, second = smol.open(several[:2], shared)
    smol.rows(queries_of(first, nodes, IDS) + queries_of(second, nodes, IDS))
    smol.close(first)
    (third,) = smol.open(several[2:], shared)
    queries = queries_of(third, nodes, IDS)
    assert distance(smol, several[2], queries, smol.rows(queries)) < 1e-4
    assert smol.close(third).prompt_tokens == len(several[2]) - shared
    deeper = queries_of(second, nodes | {5: (4, 28), 6: (2, 28)}, IDS)
    rows = smol.rows(deeper[-2:])
    assert distance(smol, several[1], deeper, [*smol.rows(deeper[:-2]), *rows]) < 1e-4
    smol.close(second)


def test_a_new_prefix_leaves_open_records_alone(smol: Any, prompts: Any, nodes: Any) -> None:
    shared, several = prompts
    (first,) = smol.open(several[:1], shared)
    queries = queries_of(first, nodes, IDS)
    before = smol.rows(queries[:2])
    other = [several[1][::-1]]
    (second,) = smol.open(other, 20)
    mixed = queries_of(second, nodes, IDS)
    assert distance(smol, other[0], mixed, smol.rows(mixed)) < 1e-4
    assert distance(smol, several[0], queries, [*before, *smol.rows(queries[2:])]) < 1e-4
    smol.close(first)
    smol.close(second)


def test_level_by_level_gives_the_rows_of_one_call(smol: Any, prompts: Any, nodes: Any) -> None:
    shared, several = prompts
    one, other = smol.open([several[1], several[1]], shared)
    together = smol.rows(queries_of(one, nodes, IDS))
    apart = [smol.rows([query])[0] for query in queries_of(other, nodes, IDS)]
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)
        assert [i for i, _ in a.top] == [i for i, _ in b.top]
    smol.close(one)
    assert smol.close(other).forward_passes == 5


def test_a_prompt_of_nothing_but_the_prefix(smol: Any, prompts: Any) -> None:
    shared, several = prompts
    prompt = several[0][:shared]
    (handle,) = smol.open([prompt], shared)
    queries = queries_of(handle, {}, IDS)
    assert distance(smol, prompt, queries, smol.rows(queries)) < 1e-4
    smol.close(handle)


def test_a_failed_pass_is_not_read_on_from(
    smol: Any, prompts: Any, nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, several = prompts
    (handle,) = smol.open([several[0]], shared)
    queries = queries_of(handle, nodes, IDS)
    with monkeypatch.context() as patch:
        patch.setattr(smol._forward, "logits", lambda *args, **how: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            smol.rows(queries)
    with pytest.raises(ModelError, match="open the records again"):
        smol.rows(queries)
    smol.close(handle)
    (again,) = smol.open([several[0]], shared)
    queries = queries_of(again, nodes, IDS)
    assert distance(smol, several[0], queries, smol.rows(queries)) < 1e-4
    smol.close(again)


def test_an_empty_prompt_is_refused(smol: Any) -> None:
    with pytest.raises(ModelError, match="at least one token"):
        smol.open([[]])


def test_a_pool_gives_the_lowest_free_slots_and_keeps_its_limit() -> None:
    pool = SlotPool(limit=3000)
    assert pool.top == 0
    first, second = pool.take(1500), pool.take(3)
    assert pool.top == 1503
    pool.give_back(first[:2])
    assert pool.take(3).tolist() == [0, 1, 1503]
    pool.give_back(second)
    with pytest.raises(ModelError, match="max_slots = 3000"):
        pool.take(2000)
