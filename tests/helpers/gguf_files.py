"""GGUF files of one layer, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import gguf as writer
import numpy as np

from lm.tokenizer_families import family


def write_gguf(path: Path, **ends: int) -> Path:
    """A GGUF file of one layer, with ChatML; ends: ids by the names of their keys."""
    words = family("qwen").tokenizer
    state = json.loads(words.backend_tokenizer.to_str())
    tokens = words.convert_ids_to_tokens(range(len(words)))
    size, inner, heads = 32, 48, 4
    out = writer.GGUFWriter(path, "llama")
    out.add_name("tiny")
    out.add_context_length(64)
    out.add_embedding_length(size)
    out.add_block_count(1)
    out.add_feed_forward_length(inner)
    out.add_head_count(heads)
    out.add_head_count_kv(heads)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_freq_base(1e4)
    out.add_vocab_size(len(tokens))
    out.add_tokenizer_model("gpt2")
    out.add_token_list(tokens)
    out.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    out.add_token_merges([" ".join(merge) for merge in state["model"]["merges"]])
    out.add_chat_template(words.chat_template)
    for name, index in ends.items():
        getattr(out, f"add_{name}_token_id")(index)
    draw = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), size), "output": (len(tokens), size)}
    shapes |= dict.fromkeys(("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"), (size,))
    shapes |= {f"blk.0.attn_{name}": (size, size) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{name}": (inner, size) for name in ("gate", "up")}
    shapes["blk.0.ffn_down"] = (size, inner)
    for name, shape in shapes.items():
        out.add_tensor(f"{name}.weight", draw.normal(0, 0.1, shape).astype(np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path
