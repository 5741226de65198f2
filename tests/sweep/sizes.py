"""Tables of the small size of each config field by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VOCABULARY = 320  # of the model; the byte tokenizer has fewer, so ids above its own are free for images and the like
POSITIONS = 512
WIDTH = 32
HEADS = 4
KEY_HEADS = 2  # where the family shares keys among heads
WINDOW = 20  # shorter than the text, so that windows matter
BORDER = 41  # a longrope or dynamic rope changes its factors here: between the second target and the third


def _sizes(names_by_size: Mapping[int, str]) -> Mapping[str, int]:
    return {name: size for size, names in names_by_size.items() for name in names.split()}


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


LAYERS = _names("""
    num_hidden_layers num_layers n_layer n_layers encoder_layers decoder_layers num_encoder_layers num_decoder_layers
    num_encoder_blocks depth speech_encoder_layers text_encoder_layers num_blocks num_self_attends_per_block
""")
HEAD_COUNTS = _names("""
    num_attention_heads n_head n_heads num_heads encoder_attention_heads decoder_attention_heads
    num_encoder_attention_heads num_decoder_attention_heads swa_num_attention_heads num_self_attention_heads
    num_cross_attention_heads
""")
KEY_HEAD_COUNTS = _names("""
    num_key_value_heads num_kv_heads n_head_kv num_cross_attention_key_value_heads kv_n_heads
    num_global_key_value_heads swa_num_key_value_heads multi_query_group_num attention_groups
""")

# Fields that hold a number, wherever they stand in a config.
SIZES = _sizes({
    VOCABULARY: """
        vocab_size src_vocab_size tgt_vocab_size text_vocab_size n_vocab vocabulary_size unpadded_vocab_size
        vocab_size_per_layer_input encoder_hash_byte_group_vocab entity_vocab_size decoder_vocab_size shape_vocab_size
        pronunciation_vocab_size
    """,
    POSITIONS: "max_position_embeddings n_positions n_ctx",
    128: """
        max_seq_len max_sequence_length max_source_positions max_target_positions max_seq_length seq_length
        encoder_max_position_embeddings decoder_max_position_embeddings max_encoder_position_embeddings
        max_decoder_position_embeddings context_length
    """,
    64: "max_2d_position_embeddings expert_capacity mamba_d_ssm",
    48: """
        intermediate_size ffn_dim encoder_ffn_dim decoder_ffn_dim d_ff n_inner ffn_hidden_size hidden_dim dim_ff dff
        intermediate_size_mlp feed_forward_size mlp_dim ffn_size block_ff_dim num_encoder_ffn encoder_ffn_size
        speech_encoder_intermediate_size d_inner
    """,
    WIDTH: """
        hidden_size d_model n_embd dim emb_dim embedding_size word_embed_proj_dim embed_dim model_dim dim_model width
        cross_attention_hidden_size text_hidden_size lm_hidden_size projection_dim out_hidden_size d_embed lru_width
        embedding_dim
        hidden_size_per_layer_input encoder_hidden_size decoder_hidden_size text_dim
        backbone_hidden_size projection_size hidden_size_global audio_hidden_size adapter_in_dim adapter_out_dim
        adapter_input_size entity_emb_size d_latents pooler_hidden_size router_hidden_size shape_embed_dim
        pronunciation_embed_dim input_embedding_size output_embedding_size
    """,
    WINDOW: """
        sliding_window window_size local_attention attention_chunk_size sliding_window_size attention_window_size
        local_window_size attention_sliding_window local_attention_window_len
    """,
    16: """
        moe_intermediate_size expert_ffn_hidden_size shared_expert_intermediate_size shared_experts_intermediate_size
        moe_shared_expert_intermediate_size shared_intermediate_size moe_ffn_hidden_size expert_dim bottleneck_size
        q_lora_rank kv_lora_rank attention_window index_n_heads
    """,
    12: "qk_head_dim",
    8: """
        head_dim kv_channels d_kv d_head attention_head_size swa_head_dim swa_v_head_dim global_head_dim v_head_dim
        qk_nope_head_dim laurel_rank rank lora_rank o_lora_rank gate_low_rank_dim hc_lowrank
        block_size index_head_dim index_topk position_buckets
        mamba_d_state mamba_n_heads mamba_d_head mamba_num_heads mamba_head_dim mamba_headdim mamba_chunk_size
        ssm_state_size state_size chunk_size linear_key_head_dim linear_value_head_dim linear_head_dim
    """,
    4: """
        rotary_dim adapter_rank qk_rope_head_dim num_experts n_routed_experts num_local_experts moe_num_experts
        mamba_dt_rank time_step_rank linear_num_value_heads
    """,
    3: "num_labels",
    2: """
        num_experts_per_tok num_experts_per_token moe_top_k moe_topk moe_k num_selected_experts top_k_experts
        num_hash_functions altup_num_inputs mamba_expand n_mamba_heads linear_num_key_heads linear_num_heads
    """,
    1: """
        n_shared_experts num_shared_experts n_group topk_group num_expert_group first_k_dense_replace mamba_n_groups
        mamba_ngroups n_groups num_hidden_groups inner_group_num rescale_every
    """,
    0: "num_mtp_layers num_nextn_predict_layers",
})  # fmt: skip

# Fields of the part that sees or hears: it is never asked, and is there to be as small as it can.
SENSES = _sizes({
    32: "image_size max_source_positions",
    16: "num_mel_bins",
    8: "patch_size",
    3: "num_channels in_channels",
    2: "spatial_merge_size temporal_patch_size",
})  # fmt: skip
SENSE_NAMES = ("vision", "audio", "image", "speech", "sound", "codec", "vq", "acoustic", "semantic_tok")

# Fields that are not taken over: who made the config, names of classes, and how transformers answers.
LEFT_OUT = _names("""
    transformers_version model_type architectures torch_dtype dtype _name_or_path id2label label2id
    _attn_implementation output_hidden_states output_attentions return_dict problem_type per_layer_config
    forced_bos_token_id forced_eos_token_id
""")

# Parameters that set how fast a state forgets: large random ones would let it explode.
RATES = _names("""
    A A_log D dt_bias recurrent_param time_decay time_first lambda_q1 lambda_k1 lambda_q2 lambda_k2
""")

_QWEN4 = {"indexer_n_heads": 4, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 8}
_QWEN4 |= {"indexer_compress_ratio": 2}
_GEMMA3N = {"num_kv_shared_layers": 0, "activation_sparsity_pattern": [0.0, 0.0]}
_GEMMA3N |= {"layer_types": ["full_attention", "sliding_attention"], "intermediate_size": [48, 48]}
_DOTS3 = {"1": {"num_attention_heads": HEADS, "num_key_value_heads": HEADS, "kv_lora_rank": 16, "qk_nope_head_dim": 8}}

# Families of which no model can stand alone.
NOT_ALONE: Mapping[str, str] = dict.fromkeys(
    ("gemma4_assistant", "gemma4_unified_assistant"), "It drafts for another model, whose keys and values it reads."
)

# What single families need besides. "_layers": how many there must be.
FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "gemma3n": {"text_config": _GEMMA3N},
    "gemma3n_text": _GEMMA3N,
    "gemma4_text": {"num_kv_shared_layers": 0, "hidden_size_per_layer_input": 8},
    "gemma4_unified_text": {"num_kv_shared_layers": 0},
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "use_mamba_kernels": False,
    },
    "funnel": {"block_sizes": [1, 1], "block_repeats": [1, 1], "d_head": 8, "num_decoder_layers": 1},
    "reformer": {
        "axial_pos_shape": [8, 16],
        "axial_pos_embds_dim": [16, 16],
        "attn_layers": ["local", "lsh"],
        "num_buckets": 4,
        "lsh_attn_chunk_length": 8,
        "local_attn_chunk_length": 8,
        "max_position_embeddings": 128,
    },
    "mamba2": {"num_heads": 8, "head_dim": 8},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"]},
    "lfm2_moe": {"num_dense_layers": 1, "layer_types": ["conv", "full_attention"]},
    "recurrent_gemma": {"_layers": 3},
    "cohere_compass_text": {
        "layer_types": ["full_attention", "sliding_attention"],
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    },
    "dbrx": {"attn_config": {"kv_n_heads": KEY_HEADS, "rope_theta": 10000.0, "clip_qkv": 8.0}},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1},
    "deepseek_v2": {"num_experts_per_tok": 2, "n_group": 1, "topk_group": 1},
    "nemotron": {"num_key_value_heads": KEY_HEADS},
    "qwen4_exp_text": _QWEN4,
    "qwen4_exp": {"text_config": _QWEN4},
    "lilt": {"hidden_size": 48},  # each of six coordinates gets a sixth of it
    "layoutlmv3": {"coordinate_size": 6, "shape_size": 4},
    "minimax_m3_vl_text": {
        "index_n_heads": 4,
        "index_block_size": 4,
        "index_topk_blocks": 2,
        "layer_types": ["full_attention", "minimax_m3_sparse"],
    },
    "xmod": {"default_language": "en_XX"},
    "zamba2": {
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "hybrid_layer_ids": [1],
    },
    "zamba": {
        "_layers": 4,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "use_mamba_kernels": False,
    },
    "zaya": {"num_experts_per_tok": 1},
    "esm": {"vocab_size": VOCABULARY},
    "dots3_note_text": {"head_dim": 12, "per_layer_config": _DOTS3},
    "dots3_note": {"text_config": {"head_dim": 12, "per_layer_config": _DOTS3}},
    "vibevoice_asr": {
        "acoustic_tokenizer_encoder_config": {"num_filters": 2, "depths": [1] * 7},
        "semantic_tokenizer_encoder_config": {"num_filters": 2, "depths": [1] * 7},
    },
}

# What a family needs for one task alone.
OF_TASK: Mapping[str, Mapping[str, Mapping[str, Any]]] = {"causal": {"reformer": {"is_decoder": True}}}

# How large random weights are; without norms, or with a large scale, a family needs smaller ones to stay undecided.
SPREAD = 0.25  # far enough from the flat start, where every gradient is nearly the same
SPREADS: Mapping[str, float] = {"mobilebert": 0.05, "minicpm3": 0.1}

FLOAT32 = _names("prophetnet")  # families whose masks overflow in float64

# Families whose decoder begins with the padding token; that of others begins with the one that ends a text.
STARTS_WITH_PADDING = _names("bigbird_pegasus longt5 marian mt5 pegasus pegasus_x switch_transformers t5 umt5")

BOTH_WAYS = frozenset({"xlm", "xlnet"})  # writers that let earlier tokens see later ones, and cannot be told not to

# Settings of rotary positions, wherever they are given.
ROPE: Mapping[str, Any] = {
    "mrope_section": [2, 1, 1],
    "original_max_position_embeddings": BORDER,
    "short_factor": [1.0, 1.0, 1.0, 1.0],
    "long_factor": [1.0, 1.2, 1.5, 2.0],
}

# Configs that are common and that no default shows: by task, then (model type, name of the variant).
VARIANTS: Mapping[str, Mapping[tuple[str, str], Mapping[str, Any]]] = {
    "causal": {
        ("falcon", "alibi"): {"alibi": True},
        ("llama", "both ways"): {"is_causal": False},
        ("llama", "dynamic rope"): {
            "max_position_embeddings": BORDER,
            "rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
        },
        ("opt", "narrow embeddings"): {"word_embed_proj_dim": WIDTH // 2},
        ("phi3", "longrope"): {
            "original_max_position_embeddings": BORDER,
            "rope_parameters": {"rope_type": "longrope", "rope_theta": 10000.0, **ROPE},
        },
        ("qwen2", "window"): {"use_sliding_window": True, "max_window_layers": 1},
        ("gemma2", "low caps"): {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    },
    "seq2seq": {
        ("t5", "gated"): {
            "feed_forward_proj": "gated-gelu",
            "dense_act_fn": "gelu_new",
            "is_gated_act": True,
            "tie_word_embeddings": False,
        },
    },
    "classify": {
        ("bert", "several at once"): {"problem_type": "multi_label_classification"},
        ("deberta-v2", "relative"): {
            "relative_attention": True,
            "position_buckets": 8,
            "pos_att_type": ["p2c", "c2p"],
            "norm_rel_ebd": "layer_norm",
        },
    },
}
