"""What all prompts begin with is computed once, whatever single records are like."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from labelmass.lm.base import PROMPT, NodeQuery
from labelmass.lm.tokenizer import HFTokenizer
from labelmass.lm.transformers import TransformersModel
from labelmass.scoring.explorer import ExploredRecord, Explorer
from labelmass.task import Record, Task
from lm.full_passes import full_row
from lm.tokenizer_families import Family, family, network

LONG = "Name every mood of the text. " + "The soup was cold and very sad. " * 8


@cache
def parts_of(name: str) -> tuple[Family, Any]:
    words = family(name)
    prompt, answer = (list(words.tokenizer(text)["input_ids"]) for text in ("soup was", "joy"))
    return words, network(words, [(prompt, answer)])


def prompt_tokens(name: str, texts: list[str]) -> list[int]:
    """How many tokens of its prompt are computed for each text, one after another."""
    words, net = parts_of(name)
    model = TransformersModel(net, HFTokenizer(words.tokenizer), name=name)
    asked = Task(
        name="t", labels=["joy", "fear"], instruction=LONG, format="comma", chat=words.chat
    )
    records = [(key, Record(key, text)) for key, text in enumerate(texts)]
    found: dict[int, int] = {}
    for key, _, explored in Explorer(model, asked, batch_size=1).explore(records):
        assert isinstance(explored, ExploredRecord)
        found[key] = explored.cost.prompt_tokens
    return [found[key] for key in sorted(found)]


@pytest.mark.parametrize("odd", [0, 6])
@pytest.mark.parametrize("name", ["llama2_plain", "llama2", "mistral", "unigram_bytes", "phi3"])
def test_a_record_that_spells_a_control_token_costs_the_others_nothing(name: str, odd: int) -> None:
    texts = [f"soup {number % 10}" for number in range(13)]
    usual = prompt_tokens(name, texts)
    texts[odd] = f"soup {family(name).control[-1]}"
    found = prompt_tokens(name, texts)
    assert max(usual[1:]) < 20 < usual[0]
    others = [key for key in range(13) if key not in (0, odd)]
    assert [found[key] for key in others] == [usual[key] for key in others]
    assert found[odd] <= usual[odd] + len(family(name).control[-1])


def test_a_prompt_that_begins_in_another_way_pays_for_itself() -> None:
    """As where demonstrations are chosen for each record."""
    words, net = parts_of("qwen")
    model = TransformersModel(net, HFTokenizer(words.tokenizer), name="qwen")
    usual, odd = [5, 6, 7, 8, 9, 10], [5, 6, 20, 21]
    costs: list[int] = []
    for ids, shared in ((usual, 5), (odd, 2), (usual, 5), (odd, 0), (usual, 5)):
        (handle,) = model.open([[*ids, 30]], shared)
        (row,) = model.rows([NodeQuery(handle, PROMPT, PROMPT, -1, np.arange(40))])
        expected = full_row(net, [*ids, 30], 40 + len(words.texts))[:40]
        assert np.abs(row.logprobs - expected).max() < 1e-4
        costs.append(model.close(handle).prompt_tokens)
    assert costs == [7, 3, 2, 5, 2]
