"""The mode of a model's forward passes shows on the command line and in every result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from helpers.commands import TEXTS, records, run, write_lines
from training.tiny_model import tokenizer

LONG = "It was a long day, and nobody was happy or sad about it. " * 4
SETTINGS = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "original_max_position_embeddings": 128,
    "max_position_embeddings": 1024,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 8,
        "long_factor": [1.0 + 2 * i for i in range(8)],
        "original_max_position_embeddings": 128,
    },
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Phi-3 whose positions are encoded otherwise in texts of more than 128 tokens."""
    place = tmp_path_factory.mktemp("models") / "phi"
    torch.manual_seed(3)
    model = transformers.Phi3ForCausalLM(transformers.Phi3Config(**SETTINGS))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(0, 0.3)
    model.save_pretrained(place)
    tokenizer().save_pretrained(place)
    return place


def test_a_record_has_the_same_score_beside_a_long_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.toml").write_text(
        'name = "mood"\nlabels = ["joy", "fear", "joyful"]\n'
        'instruction = "Moods: {label_names}\\n"\nformat = "comma"\nchat = false\n'
    )
    short = TEXTS[:3]
    write_lines("alone.jsonl", short)
    write_lines("company.jsonl", [{"id": "long", "text": LONG}, *short])
    options = ["--model", str(folder), "--task", "task.toml", "--max-nodes", "30"]
    alone = run("score", "alone.jsonl", *options, "--out", "alone-out.jsonl")
    run("score", "company.jsonl", *options, "--out", "company-out.jsonl")
    assert "note: phi3 is read beyond 128 tokens with one full pass per node" in alone.stderr
    rows = {row["id"]: row for row in records("company-out.jsonl")}
    assert len(rows) == 4
    for row in records("alone-out.jsonl"):
        other = rows[row["id"]]
        assert row["signature"]["engine"] == "transformers/tree-attention+full-forward"
        assert json.dumps(row["signature"]) == json.dumps(other["signature"])
        for label, bounds in row["labels"].items():
            assert bounds == pytest.approx(other["labels"][label], abs=1e-4)
