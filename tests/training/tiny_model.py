"""A tiny language model with a tokenizer of its own, and records to teach it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, trainers

from labelmass.task import Task

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TASK = """
name = "mood"
labels = ["joy", "fear", "joyful"]
instruction = "Moods: {label_names}\\n"
format = "comma"
"""
WORDS = "Moods: joy, fear, joyful, none user assistant happy sad loud calm number Answer:"


def tokenizer() -> Any:
    """Bytes and a few merges, control tokens and a chat template."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator([WORDS] * 20, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", chat_template=CHATML
    )


def save_base(folder: Path, seed: int = 3) -> Path:
    """A Llama of two layers with random weights, saved with its tokenizer."""
    words = tokenizer()
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
    )
    model = transformers.LlamaForCausalLM(config)
    with (
        torch.no_grad()
    ):  # as large as those of a real model, so that an adapter can move its output
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(0, 0.3)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def task(**keys: Any) -> Task:
    made = Task.from_toml(TASK)
    return Task(**made.to_dict() | keys) if keys else made


MEANT = {"happy": ["joy"], "sad": ["fear"], "loud": ["fear", "joyful"], "calm": []}


def annotated(count: int = 16) -> list[dict[str, Any]]:
    """Records whose word tells their labels."""
    words = list(MEANT)
    return [
        {"id": f"r{i}", "text": f"{words[i % 4]} {i}", "labels": MEANT[words[i % 4]]}
        for i in range(count)
    ]
