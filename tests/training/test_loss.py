"""The loss is that of the answer's tokens, each of them and no other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from labelmass.training.batches import IGNORED, collate
from labelmass.training.loss import answer_nll
from training.tiny_model import save_base

PAIRS = [([5, 6, 7, 8, 9], [10, 11, 2]), ([5, 9], [12, 2]), ([7] * 9, [2]), ([8] * 4, [3, 4, 5, 2])]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = save_base(tmp_path_factory.mktemp("base"))
    model: Any = transformers.AutoModelForCausalLM
    return model.from_pretrained(folder)


def test_targets_are_the_answer_token_by_token() -> None:
    batch = collate(PAIRS, [1.0] * 4)
    for row, (prompt, answer) in enumerate(PAIRS):
        end = len(prompt) + len(answer)
        padding = batch.ids.shape[1] - end
        assert batch.ids[row].tolist() == [*prompt, *answer, *[0] * padding]
        assert batch.mask[row].tolist() == [1] * end + [0] * padding
        wanted = [IGNORED] * len(prompt) + answer + [IGNORED] * padding
        assert batch.targets[row].tolist() == wanted
    assert (batch.tokens, batch.answer_tokens) == (30, 10)


def test_the_loss_is_the_sum_over_the_answer_read_one_by_one(network: Any) -> None:
    found = answer_nll(network, collate(PAIRS, [1.0] * 4))
    for (prompt, answer), nll in zip(PAIRS, found.tolist(), strict=True):
        slow = 0.0
        for place, token in enumerate(answer):  # no batch, no padding, no mask
            with torch.no_grad():
                logits = network(torch.tensor([[*prompt, *answer[:place]]])).logits[0, -1]
            slow -= float(logits.log_softmax(-1)[token])
        assert nll == pytest.approx(slow, abs=1e-4)


def test_nothing_is_learnt_of_the_prompt(network: Any) -> None:
    """Rows of the output layer other than the softmax's: the gradient is of answer places only."""
    prompt, answer = [5, 6, 7, 8], [10, 2]
    places: list[torch.Tensor] = []

    def look(module: Any, inputs: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        places.append(output)

    hook = network.lm_head.register_forward_hook(look)
    try:
        network.zero_grad()
        answer_nll(network, collate([(prompt, answer)], [1.0])).sum().backward()
    finally:
        hook.remove()
    (logits,) = places
    assert logits.shape[1] == len(answer)  # the head is not even computed elsewhere
    gradient = logits.grad
    assert gradient is not None
    for place, token in enumerate(answer):
        wanted = logits[0, place].detach().softmax(-1)
        wanted[token] -= 1
        torch.testing.assert_close(gradient[0, place], wanted, atol=1e-6, rtol=1e-4)
