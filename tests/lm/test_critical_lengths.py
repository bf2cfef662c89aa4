"""Numbers of a configuration at which a model may read otherwise are found, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.lm.critical_lengths import (
    NAMES,
    OTHER_SENSES,
    OTHERS,
    critical_lengths,
    dynamic_factor,
    replaced,
)
from labelmass.lm.small_copy import smaller
from lm import every_architecture as every

_SIZES = """
L_cycles _sliding_window_pattern adapter_rank alibi_bias_max altup_num_inputs attention_head_dim
attention_head_size attention_heads attention_hidden_size attn_layer_offset attn_layer_period
audio_chunk_size audio_merge_size audio_token_id audio_vocab_size block_multiple_of boa_token_id
boi_token_id boi_token_index bos_token_id classifier_proj_size cls_token_id context_length
d_head d_inner d_model d_rel decoder_attention_heads decoder_ffn_dim decoder_layers
decoder_start_token_id decoder_vocab_size dense_intermediate_size dff dim_ff dim_head
dim_model_base emb_dim embedding_dim embedding_size encoder_attention_heads encoder_ffn_dim
encoder_hash_byte_group_vocab encoder_layers encoder_no_repeat_ngram_size end_n_top
eoa_token_index eod_token_id eoi_token_id eoi_token_index eos_token_id expansion_ratio
expert_ffn_hidden_size feed_forward_size ffn_dim ffn_hidden_size ffn_round_up_to_multiple_of
first_k_dense_replace gated_norm_rank global_attn_every_n_layers hc_count hc_lowrank hc_mult
hc_sinkhorn_iters head_dim heads_per_ngram hidden_size hidden_size_global
hidden_size_per_layer_input image_seq_length image_size image_token_id image_token_index
index_head_dim index_n_heads indexer_head_dim indexer_n_heads input_embedding_size input_size
intermediate_multiple_size intermediate_size intermediate_size_mlp kv_channels kv_lora_rank
kv_n_heads laurel_rank layer_group_size linear_head_dim linear_key_head_dim linear_num_heads
linear_num_key_heads linear_num_value_heads linear_value_head_dim lru_width
make_ngram_vocab_size_divisible_by mamba_d_head mamba_d_ssm mamba_d_state mamba_dt_rank
mamba_head_dim mamba_headdim mamba_n_heads mamba_num_heads mask_feature_length mask_index
mask_time_length max_position_embeddings max_seq_len max_source_positions max_target_positions
max_window_layers median_filter_width mm_tokens_per_image model_max_length moe_intermediate_size
moe_k moe_layer_end_index moe_num_experts moe_shared_expert_intermediate_size moe_topk n_ctx
n_embd n_group n_groups n_head n_heads n_layer n_layers n_layers_per_attn_res_block
n_mamba_heads n_positions n_routed_experts ngram_vocab_size_base no_rope_layer_interval
num_attention_heads num_blocks num_channels num_codebooks num_decoder_attention_heads
num_decoder_layers num_encoder_attention_heads num_encoder_layers num_expert_group num_experts
num_experts_per_tok num_experts_per_token num_heads num_hidden_layers num_key_value_heads
num_kv_heads num_kv_shared_layers num_layers num_layers_per_stack num_local_experts num_mel_bins
num_query_groups num_random_blocks number_of_conv_states o_groups o_lora_rank
output_embedding_size pad_token_id patch_size ple_embed_dim prompt_length prompt_mid_dim
prompt_types pronunciation_embed_dim pronunciation_vocab_size q_lora_rank qk_head_dim
qk_nope_head_dim qk_rope_head_dim query_pre_attn_scalar rescale_every rotary_dim
router_hidden_size scale_emb seed segment_types sep_token_id shape_embed_dim shape_vocab_size
shared_expert_intermediate_size shared_experts_intermediate_size shared_intermediate_size
sliding_window_pattern split_ngram_parts ssm_state_size start_n_top state_size swa_head_dim
swa_num_attention_heads swa_num_key_value_heads task_type_vocab_size time_step_rank topk_group
unk_index unpadded_vocab_size v_head_dim video_token_id vocab_size vocab_size_per_layer_input
word_embed_proj_dim zero_expert_num
"""
SIZES = frozenset(_SIZES.split())
"""Numbers that say how large or how many, by which no sequence is read otherwise."""


def numbers(config: Mapping[str, Any]) -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            if not OTHER_SENSES.search(str(key)):
                yield from numbers(value)
        elif isinstance(value, int) and not isinstance(value, bool) and value >= 3:
            yield str(key)


def test_every_number_of_every_architecture_is_known() -> None:
    """A new name in a new version of transformers belongs to `NAMES` or to `SIZES` above."""
    named = {n for name in every.names() for n in numbers(every.configuration(name)[1].to_dict())}
    spanning = {name for name in named if NAMES.search(name) and not OTHERS.search(name)}
    compressed = {"compressed_sparse_attention", "heavily_compressed_attention"}
    assert named - spanning - compressed - SIZES == set()
    assert SIZES - named == set()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("llama", ()),
        ("mistral", (4096,)),
        ("gpt_neo", (256,)),
        ("gpt_oss", (128, 4096)),
        ("llama4", (8192,)),
        ("llama:dynamic", (2048,)),
        ("modernbert-decoder", (64, 128)),
        ("phi3:window and longrope", (2047, 4096)),
        ("gemma3_text:longrope", (4096, 8192)),
        ("deepseek_v4", (4, 128, 512)),
        ("minimax_m3_vl_text", (16, 128)),
        ("inkling2_text", (4, 1024, 128000)),
    ],
)
def test_numbers_are_found(name: str, found: tuple[int, ...]) -> None:
    assert critical_lengths(every.configuration(name)[1].to_dict()) == found


def test_a_dynamic_embedding_lengthens_the_context() -> None:
    assert dynamic_factor(every.configuration("llama:dynamic")[1].to_dict()) == 4
    assert dynamic_factor(every.configuration("llama:yarn")[1].to_dict()) is None


def test_numbers_are_replaced_wherever_they_stand() -> None:
    config = {
        "sliding_window": 4096,
        "hidden_size": 4096,
        "rope_parameters": {"full_attention": {"original_max_position_embeddings": 8192.0}},
        "vision_config": {"window_size": 4096},
    }
    new = replaced(config, {4096: 48, 8192: 64})
    assert critical_lengths(config) == (4096, 8192) and critical_lengths(new) == (48, 64)
    assert new["hidden_size"] == new["vision_config"]["window_size"] == 4096
    rope = new["rope_parameters"]["full_attention"]
    assert isinstance(rope["original_max_position_embeddings"], float)


@property_test(50)
@given(st.sets(st.integers(3, 200_000), max_size=6))
def test_numbers_keep_their_order_in_a_small_copy(numbers: set[int]) -> None:
    new = smaller(sorted(numbers))
    scaled = [new.get(number, number) for number in sorted(numbers)]
    assert scaled == sorted(set(scaled))
    assert all(value <= 32 + 16 * len(numbers) for value in scaled)
