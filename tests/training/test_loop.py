"""What a step does with the loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from labelmass.errors import LabelMassError
from labelmass.training import Settings, loop, train
from labelmass.training.batches import IGNORED
from labelmass.training.loss import answer_nll
from training.tiny_model import annotated, save_base, task

ONCE = Settings(
    full=True, learning_rate=1e-2, epochs=1, batch_size=16, dev_share=0.0, answers="gold"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("bases") / "base"))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_it(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    def broken(network: Any, batch: Any) -> torch.Tensor:
        return answer_nll(network, batch) * loss

    monkeypatch.setattr(loop, "answer_nll", broken)
    with pytest.raises(LabelMassError, match=r"the loss of step 1 is \w+: lower --learning-rate"):
        train(annotated(), task(), base, out=tmp_path / "out", settings=ONCE)


def test_the_gradient_is_that_of_nats_a_token(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean over records, divided by the mean length of their answers, before it is clipped."""
    expected: list[float] = []
    found: list[float] = []

    def norm(gradients: Any) -> float:
        return float(torch.cat([one.flatten() for one in gradients if one is not None]).norm())

    def track_progress(network: Any, batch: Any) -> torch.Tensor:
        losses = answer_nll(network, batch)
        tokens = int((batch.targets != IGNORED).sum())
        weights = list(network.parameters())
        expected.append(
            norm(torch.autograd.grad(losses.sum() / tokens, weights, retain_graph=True))
        )
        return losses

    def clipped(weights: Any, most: float) -> None:
        found.append(norm([weight.grad for weight in weights]))

    monkeypatch.setattr(loop, "answer_nll", track_progress)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clipped)
    train(annotated(), task(), base, out=tmp_path / "out", settings=ONCE)
    assert len(found) == 1
    assert found == pytest.approx(expected, rel=1e-5)


def test_weight_decay_makes_weights_smaller(base: str, tmp_path: Path) -> None:
    def size(name: str, settings: Settings) -> float:
        train(annotated(), task(), base, out=tmp_path / name, settings=settings)
        weights = load_file(tmp_path / name / "model.safetensors")
        return float(sum(weight.square().sum() for weight in weights.values()))

    assert size("decayed", replace(ONCE, weight_decay=20.0)) < 0.8 * size("plain", ONCE)


@pytest.mark.parametrize("autocast", [False, True])
def test_autocast_is_on_where_it_is_asked_for(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autocast: bool
) -> None:
    seen: list[tuple[bool, torch.dtype]] = []

    def track_progress(network: Any, batch: Any) -> torch.Tensor:
        seen.append((torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return answer_nll(network, batch)

    monkeypatch.setattr(loop, "answer_nll", track_progress)
    train(
        annotated(), task(), base, out=tmp_path / "out", settings=replace(ONCE, autocast=autocast)
    )
    assert [on for on, _ in seen] == [autocast]
    if autocast:
        assert seen[0][1] is torch.bfloat16
