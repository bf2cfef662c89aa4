"""Hidden states of an answer's positions, against the network's own of one full pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from labelmass.errors import ModelError
from lm.test_architectures import BASE, CASES, VOCABULARY, network, wrapped


@pytest.mark.parametrize(("kind", "settings"), [(k, s) for k, s, _ in CASES], ids=str)
def test_they_are_those_of_a_full_pass_alone_and_in_a_batch(
    kind: str, settings: dict[str, Any]
) -> None:
    model = network(kind, settings)
    reader = wrapped(model)
    draw = np.random.default_rng(5)
    pairs = [
        (draw.integers(3, VOCABULARY, m).tolist(), draw.integers(3, VOCABULARY, n).tolist())
        for m, n in ((7, 5), (12, 0), (3, 2))
    ]
    for layer in (-1, 0, 1):
        together = reader.hidden(pairs, layer)
        for (prompt, answer), rows in zip(pairs, together, strict=True):
            with torch.inference_mode():
                output: Any = model(
                    input_ids=torch.tensor([prompt + answer]), output_hidden_states=True
                )
            whole = output.hidden_states[layer][0].numpy()
            assert rows.shape == (len(answer) + 1, whole.shape[1])
            assert rows.dtype == np.float32
            assert rows == pytest.approx(whole[len(prompt) - 1 :], rel=1e-5, abs=1e-5)
            (alone,) = reader.hidden([(prompt, answer)], layer)
            assert rows == pytest.approx(alone, rel=1e-5, abs=1e-5)


def test_what_prompts_begin_with_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network("Llama", BASE)
    reader = wrapped(model)
    read: list[tuple[int, int]] = []
    usual = model.base_model.forward

    def counted(input_ids: Any, **how: Any) -> Any:
        read.append(tuple(input_ids.shape))
        return usual(input_ids=input_ids, **how)

    monkeypatch.setattr(model.base_model, "forward", counted)
    begin = list(range(3, 23))
    batches = [[([*begin, 30, 31], [5]), ([*begin, 40], [])], [([*begin, 50], [6, 7])]]
    rows = [row for pairs in batches for row in reader.hidden(pairs)]
    assert read == [(1, 20), (2, 3), (1, 3)]
    alone = [wrapped(model).hidden([pair])[0] for pairs in batches for pair in pairs]
    for one, other in zip(rows, alone, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)
    other = [([9, *begin], [5]), ([9, 8], [])]
    (first, second), (whole,) = reader.hidden(other), wrapped(model).hidden(other[:1])
    assert first == pytest.approx(whole, rel=1e-5, abs=1e-5)
    assert second.shape == (1, first.shape[1])


def test_the_last_layer_is_after_the_final_norm_and_predicts_the_next_token() -> None:
    model = network("Llama", BASE)
    (rows,) = wrapped(model).hidden([([3, 4, 5], [6, 7])])
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[3, 4, 5, 6, 7]])).logits[0, 2:]
        assert torch.allclose(model.lm_head(torch.from_numpy(rows)), logits, atol=1e-5)
    (same,) = wrapped(model).hidden([([3, 4, 5], [6, 7])], 3)
    assert np.array_equal(same, rows)


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="layer 4: the model has 3"):
        wrapped(network("Llama", BASE)).hidden([([3, 4], [5])], 4)
