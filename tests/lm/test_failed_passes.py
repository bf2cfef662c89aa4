"""A pass that fails leaves no trace in those that follow it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from labelmass.errors import ModelError
from labelmass.lm.masked_attention import MaskedAttention
from labelmass.lm.prefix_split_attention import PrefixSplitAttention
from labelmass.lm.transformers import TransformersModel
from lm.full_passes import queries_of, worst
from lm.test_architectures import BASE, VOCABULARY, network, wrapped

IDS = np.arange(VOCABULARY)
NODES = {1: (0, 5), 2: (0, 9), 3: (2, 11)}
ODD = 77
"""A token that makes NaN of all that looks at it."""

RECURRENT = BASE | {"layer_types": ["conv", "full_attention", "conv"], "block_multiple_of": 16}
WAYS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "split": ("Llama", BASE, PrefixSplitAttention),
    "masked": ("Mistral", BASE | {"sliding_window": 6}, MaskedAttention),
    "full": ("Lfm2", RECURRENT | {"tie_word_embeddings": False}, None),
}


@pytest.fixture(params=WAYS)
def reader(request: pytest.FixtureRequest) -> TransformersModel:
    kind, settings, way = WAYS[request.param]
    made = wrapped(network(kind, settings), pass_tokens=16)
    strategy: Any = made._strategy
    assert way is None or isinstance(strategy._attention, way), made.note
    with torch.no_grad():
        made.network.get_input_embeddings().weight[ODD] = torch.nan
    return made


def rows_of(reader: TransformersModel, handles: list[int]) -> list[Any]:
    return reader.rows([query for handle in handles for query in queries_of(handle, NODES, IDS)])


def test_nan_stays_with_its_record(reader: TransformersModel) -> None:
    head = [3, 4, 5, 6, 7, 8]
    good = [[*head, 20, 21], [*head, 30], [*head, *range(40, 52)]]
    others = reader.open([[60, 61, 62, 63]], 3)  # its beginning is kept
    rows_of(reader, others)
    reader.close(others[0])
    for prompts in ([good[0], [*head, ODD, 10], good[1]], [[*head, ODD]]):
        handles = reader.open(prompts, len(head))
        with pytest.raises(ModelError, match=r"not numbers \(NaN or infinite\)"):
            rows_of(reader, handles)
        for handle in handles:
            reader.close(handle)
    pool = getattr(reader._strategy, "_pool", None)
    assert pool is None or pool.top == 0
    handles = reader.open(good, len(head))
    rows = rows_of(reader, handles)
    for prompt, handle in zip(good, handles, strict=True):
        own, rows = rows[: len(NODES) + 1], rows[len(NODES) + 1 :]
        queries = queries_of(handle, NODES, IDS)
        assert worst(reader.network, prompt, queries, own, VOCABULARY) < 1e-4


def test_a_token_without_an_embedding_is_refused_before_the_pass(
    reader: TransformersModel,
) -> None:
    size = BASE["vocab_size"]
    with pytest.raises(ModelError, match=f"token {size} has no row among the model's {size}"):
        reader.open([[3, 4, size]])
    with pytest.raises(ModelError, match="tokenizer has more tokens"):
        reader.hidden([([3, 4], [size + 3])])
    (handle,) = reader.open([[3, 4]])
    with pytest.raises(ModelError, match="has no row"):
        reader.rows(queries_of(handle, {1: (0, size)}, IDS))
    assert len(reader.rows(queries_of(handle, NODES, IDS))) == len(NODES) + 1
