"""The check at load finds ways of reading that are wrong, and takes the next that is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from labelmass.errors import ModelError
from labelmass.lm import check_cache, forward_modes, full_forward, self_check, small_copy
from labelmass.lm.architecture import Windows
from labelmass.lm.forward_modes import ForwardMode
from labelmass.lm.masked_attention import MaskedAttention
from labelmass.lm.self_check import SelfCheck
from labelmass.lm.small_copy import randomised, scaled_down
from labelmass.lm.transformers import TransformersModel
from lm import every_architecture as every
from lm.full_passes import queries_of, worst
from lm.test_architectures import BASE, MIXED, VOCABULARY, network, wrapped

WINDOW = BASE | {"sliding_window": 40}
LONG = BASE | {
    "hidden_size": 64,
    "num_key_value_heads": 4,
    "original_max_position_embeddings": 64,
    "max_position_embeddings": 256,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 8,
        "long_factor": [1.0 + 2 * i for i in range(8)],
        "original_max_position_embeddings": 64,
    },
}
DYNAMIC = BASE | {
    "max_position_embeddings": 64,
    "rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0},
}
IDS = np.arange(VOCABULARY)
NODES = {1: (0, 5), 2: (1, 9), 3: (2, 11), 4: (0, 7)}
PATHS = [(), (5,), (5, 9), (5, 9, 11), (7,)]


def text(seed: int, length: int) -> list[int]:
    return np.random.default_rng(seed).integers(3, VOCABULARY, length).tolist()


def rows_of(reader: TransformersModel, prompts: list[list[int]], shared: int = 0) -> list[Any]:
    """Rows of all nodes of each prompt, asked in one call; closed again."""
    handles = reader.open(prompts, shared)
    rows = reader.rows([query for handle in handles for query in queries_of(handle, NODES, IDS)])
    for handle in handles:
        reader.close(handle)
    size = len(NODES) + 1
    return [rows[size * place : size * (place + 1)] for place in range(len(prompts))]


def far(model: Any, prompt: list[int], rows: list[Any]) -> float:
    return worst(model, prompt, queries_of(0, NODES, IDS), rows, VOCABULARY)


@pytest.fixture(scope="module")
def phi() -> Any:
    return network("Phi3", LONG)


def test_a_row_is_the_same_alone_and_in_company(phi: Any) -> None:
    """Frequencies of `longrope` change at 64 tokens: a long record must not change a short one."""
    reader = wrapped(phi)
    assert reader.engine == "transformers/tree-attention+full-forward"
    assert reader.note is not None
    assert reader.note.startswith("phi3 is read beyond 64 tokens with one full pass per node")
    head = text(1, 20)
    short, edge, long = head + text(2, 9), head + text(3, 42), head + text(4, 70)
    alone = rows_of(reader, [short])[0]
    together = rows_of(reader, [short, edge, long], 20)
    for prompt, rows in zip([short, edge, long], together, strict=True):
        assert far(phi, prompt, rows) < 1e-4
    for one, other in zip(alone, together[0], strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    for prompt in (long, short, edge, short):  # one after the other, the beginning kept
        assert far(phi, prompt, rows_of(reader, [prompt], 20)[0]) < 1e-4


def test_a_row_does_not_depend_on_what_was_asked_before() -> None:
    """Frequencies of a dynamic embedding grow with the longest text, and stay so."""
    model = network("Llama", DYNAMIC)
    reader = wrapped(model)
    assert reader.context == 256
    prompts = [text(1, 30), text(2, 150), text(3, 62), text(4, 100), text(1, 30)]
    one_by_one = [rows_of(reader, [prompt])[0] for prompt in prompts]
    pristine = network("Llama", DYNAMIC)
    for prompt, alone, together in zip(prompts, one_by_one, rows_of(reader, prompts), strict=True):
        for path, one, other in zip(PATHS, alone, together, strict=True):
            want = every.row_after(pristine, [*prompt, *path], VOCABULARY)
            assert one.logprobs == pytest.approx(want, abs=1e-4)
            assert other.logprobs == pytest.approx(want, abs=1e-4)


@pytest.mark.usefixtures("memory")
def test_a_short_text_never_meets_a_large_chunk() -> None:
    """Llama 4 is another from its 8192nd token on, and no pass is as long."""
    config = every.configuration("llama4")[1].to_dict()
    small = scaled_down(config) | {"attention_chunk_size": 8192, "floor_scale": 8192}
    model = transformers.Llama4ForCausalLM(transformers.Llama4TextConfig.from_dict(small))
    reader = wrapped(randomised(model).eval())
    assert reader.engine == "transformers/tree-attention+full-forward"
    assert "llama4_text is read beyond 8191 tokens with" in str(reader.note)
    prompts = [text(1, 20), text(2, 90)]
    for prompt, rows in zip(prompts, rows_of(reader, prompts), strict=True):
        assert far(model, prompt, rows) < 1e-4


def test_hidden_states_and_attention_are_those_of_a_full_pass(phi: Any) -> None:
    reader = wrapped(phi)
    head = text(1, 20)
    pairs = [(head + text(2, 9), [5, 6]), (head + text(3, 42), [5, 6, 7]), (head + text(4, 70), [])]
    for layer in (-1, 1):
        for (prompt, answer), rows in zip(pairs, reader.hidden(pairs, layer), strict=True):
            ids = torch.tensor([prompt + answer])
            with torch.inference_mode():
                output: Any = phi(input_ids=ids, output_hidden_states=True)
            whole = output.hidden_states[layer][0].numpy()[len(prompt) - 1 :]
            assert rows == pytest.approx(whole, rel=1e-4, abs=1e-4)
    prompt, answer = pairs[1]
    found = reader.attention(prompt, answer)
    phi.set_attn_implementation("eager")
    with torch.inference_mode():
        output = phi(input_ids=torch.tensor([prompt + answer]), output_attentions=True)
    phi.set_attn_implementation("sdpa")
    whole = torch.stack(output.attentions)[:, 0].double().mean(dim=(0, 1)).numpy()
    assert found == pytest.approx(whole[len(prompt) :], abs=1e-6)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("near", [256, 16], ids=["own weights", "small copy"])
@pytest.mark.parametrize("change", [None, 1, -1])
def test_a_window_that_is_off_by_one_is_found(
    near: int, change: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sequences within the window are then read by tree, the rest by full passes."""

    def wrong(self: MaskedAttention, forward: Any, windows: Windows) -> None:
        size = None if windows.size is None or change is None else windows.size + change
        usual(self, forward, Windows(size, windows.types))

    usual = MaskedAttention.__init__
    monkeypatch.setattr(MaskedAttention, "__init__", wrong)
    monkeypatch.setattr(forward_modes, "MAX_ON_WEIGHTS", near)
    for kind, settings in (("Mistral", WINDOW), ("Gemma2", BASE | MIXED | {"sliding_window": 40})):
        model = network(kind, settings)
        reader = wrapped(model)
        assert reader.engine != "transformers/tree-attention"
        prompts = [text(1, 10), text(2, 38), text(3, 60)]
        for prompt, rows in zip(prompts, rows_of(reader, prompts), strict=True):
            assert far(model, prompt, rows) < 1e-4


@pytest.mark.usefixtures("memory")
def test_lost_positions_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions counted from the slots are right as long as records stand in order."""
    usual = MaskedAttention.logits

    def by_slot(self: MaskedAttention, segments: Any, position: Any, top: int, keep: Any) -> Any:
        return usual(self, segments, np.arange(len(position)), top, keep)

    monkeypatch.setattr(MaskedAttention, "logits", by_slot)
    model = network("Mistral", WINDOW)
    assert wrapped(model).engine == "transformers/full-forward"


@pytest.mark.usefixtures("memory")
def test_what_cannot_be_copied_is_read_by_full_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_copy(network: Any) -> Any:
        raise ValueError("no small copy of this")

    monkeypatch.setattr(forward_modes, "small_copy", no_copy)
    reader = wrapped(network("Mistral", BASE | {"sliding_window": 4000}))
    assert reader.engine == "transformers/full-forward" and reader._mode.batches == "single"
    assert "cannot be checked (no small copy of this)" in str(reader.note)
    assert wrapped(network("Llama", BASE)).note is None  # which has nothing to be checked there


@pytest.mark.usefixtures("memory")
def test_a_model_whose_rows_come_by_chance_is_refused() -> None:
    model = network("Llama", BASE)
    model.register_forward_hook(lambda module, args, output: _shaken(output))
    with pytest.raises(ModelError, match="llama cannot be read: its rows are not reproducible"):
        wrapped(model)


def _shaken(output: Any) -> Any:
    output.logits = output.logits + torch.randn(output.logits.shape)
    return output


@pytest.mark.usefixtures("memory")
def test_a_model_of_nan_is_refused_with_a_cure() -> None:
    model = network("Llama", BASE)
    with torch.no_grad():
        model.lm_head.weight[:] = torch.nan
    with pytest.raises(ModelError, match="float16 overflows like this, so try --dtype float32"):
        wrapped(model)


@pytest.mark.usefixtures("memory")
def test_half_precision_is_read_by_tree() -> None:
    """Rounding alone moves its rows by more than a tenth of a nat, which is no problem."""
    model = network("Llama", BASE).to(torch.bfloat16)
    reader = wrapped(model)
    assert reader.dtype == "bfloat16"
    assert reader._mode == ForwardMode("split")


@pytest.mark.parametrize("batches", ["mixed", "equal", "single"])
def test_sequences_that_share_a_pass(batches: Any) -> None:
    sequences = [[0] * n for n in (3, 5, 5, 3, 9, 4)]
    found = list(full_forward.batched(sequences, batches, 15))
    assert sorted(place for batch in found for place in batch) == list(range(6))
    lengths = [[len(sequences[place]) for place in batch] for batch in found]
    assert (
        lengths
        == {
            "mixed": [[9], [5, 5, 4], [3, 3]],
            "equal": [[9], [5, 5], [4], [3, 3]],
            "single": [[9], [5], [5], [4], [3], [3]],
        }[batches]
    )


class Counted:
    """How many checks and copies were made since."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checks = self.copies = 0
        check, copy = SelfCheck.__init__, small_copy.small_copy

        def counted_check(*args: Any, **how: Any) -> None:
            self.checks += 1
            check(*args, **how)

        def counted_copy(model: Any) -> Any:
            self.copies += 1
            return copy(model)

        monkeypatch.setattr(self_check.SelfCheck, "__init__", counted_check)
        monkeypatch.setattr(forward_modes, "small_copy", counted_copy)


def test_what_a_check_finds_is_remembered(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    model = network("Phi3", LONG)
    first = wrapped(model)
    assert (counted.checks, counted.copies) == (2, 1)
    again = wrapped(model)
    assert (counted.checks, counted.copies) == (2, 1)
    assert again._mode == first._mode and again.note == first.note
    with torch.no_grad():
        model.lm_head.weight[3] += 0.1
    wrapped(model)  # other weights: their own check, and that of the copy as it was
    assert (counted.checks, counted.copies) == (3, 1)
    wrapped(model, pass_tokens=40)
    assert (counted.checks, counted.copies) == (5, 2)
    monkeypatch.setattr(check_cache, "versions", lambda: {"torch": "another"})
    wrapped(model)
    assert (counted.checks, counted.copies) == (7, 3)
    assert not list(memory.glob(".partial-*"))


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": {}, "found": {}}', "null"])
def test_a_damaged_file_is_not_used(
    memory: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network("Llama", BASE)
    first = wrapped(model)
    (file,) = memory.glob("*.json")
    file.write_text(damage)
    counted = Counted(monkeypatch)
    assert wrapped(model)._mode == first._mode
    assert counted.checks == 1
    assert json.loads(file.read_text())["found"]["attention"] == "split"
    kept = json.loads(file.read_text())
    for changed in ({"attention": "split"}, kept["found"] | {"attention": "another"}):
        file.write_text(json.dumps(kept | {"found": changed}))
        assert wrapped(model)._mode == first._mode
    assert counted.checks == 3


def test_a_cache_that_cannot_be_written_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(check_cache, "folder", lambda: tmp_path / "file" / "checks")
    assert wrapped(network("Llama", BASE)).note is None


def test_the_cache_stands_beside_that_of_gguf_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("LABELMASS_CACHE", "/somewhere")
    from labelmass.lm import gguf

    assert gguf.cache_folder() == Path("/somewhere")
