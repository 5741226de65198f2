"""Random models of a few thousand parameters, one of each family, without a download and always with equal weights.

And beside each the plain way to run it, which knows none of our code: what the engine computes is held against it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from saliency_widget.models.base import Model

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer(
    *, unk: str | None = "<|unk|>", pad: str | None = None, mask: str | None = None, language: str | None = None,
    frame: bool = False,
) -> Any:  # fmt: skip
    """Return a tokenizer with a token for each byte and a few merged words and special tokens, which encodes any text.

    `language`: a token that names one. `frame`: each text stands between a first and a last token, as in BERT.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate(alphabet)}
    merges = []
    for left, right in [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "a"), ("Ġ", "b"), ("Ġ", "c"), ("Ġ", "d")]:
        vocabulary[left + right] = len(vocabulary)
        merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    first, last = "<|im_start|>", "<|im_end|>"
    special = [t for t in ("<|unk|>", first, last, pad, mask, language) if t]
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in special])
    if frame:
        ids = [(name, tokenizer.token_to_id(name)) for name in (first, last)]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ids)
    roles = {"unk_token": unk, "pad_token": pad, "mask_token": mask, "eos_token": last, "bos_token": first}
    roles = {role: token for role, token in roles.items() if token}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)
    fast.chat_template = CHAT
    return fast


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────

_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
_WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
LLAMA = _WIDE | {"intermediate_size": 48, "num_key_value_heads": 2}
_BERT = _WIDE | {"intermediate_size": 48, "num_labels": 3}
_BART = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 128, "scale_embedding": True,
    "forced_eos_token_id": None,
}  # fmt: skip
_FRAME = {"frame": True}
_NO_PAD = {"pad": None}
_LOW_PAD = {"pad": '"'}  # where positions are counted from the padding token's id on, as in RoBERTa: no large one
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}


@dataclass(frozen=True, kw_only=True)
class Family:
    """The construction of a family's tiny model. `words`: those of its tokenizer, see `byte_tokenizer`.

    `dtype`: of its weights. `computes`: the coarsest type in which it adds numbers of several tokens up (in attention)
    or hands its logits out, whatever the weights are: sums whose rounding depends on what else is in the pass.
    `scales`: whether it scales what the embedding module gives, and that of the encoder not when it is handed over.
    `forced`: whether the language is set on the generation config, and not on the tokenizer.
    """

    network: str
    config: dict[str, Any]
    words: dict[str, Any] = field(default_factory=dict)
    scales: bool = False
    forced: bool = False
    starts: Literal["pad", "eos"] = "pad"  # what the decoder begins with
    causal: bool = True
    dtype: torch.dtype = torch.float64
    computes: torch.dtype = torch.float64

    @property
    def tolerance(self) -> float:
        """Return the largest allowed difference of two computations of a score, as a share of the largest score.

        Scores are stored in float32 (6e-8): 1e-6. Where float32 is in the computation a logit of 10 is off by 6e-7, and
        so is the logarithm of the probability; a score is a difference of probabilities, of which it may be a
        tenth or less: 1e-4. Where all of it is float32, a gradient is off by up to 2e-4 of itself: 1e-3.
        """
        if self.dtype == torch.float32:
            return 1e-3
        return 1e-4 if self.computes == torch.float32 else 1e-6


FAMILIES: dict[str, Family] = {
    # decoder-only
    "gpt2": Family(network="GPT2LMHeadModel", config=_GPT2, words=_NO_PAD | {"mask": None}),
    "llama": Family(network="LlamaForCausalLM", config=LLAMA, words=_NO_PAD | {"mask": None}),
    "qwen3": Family(network="Qwen3ForCausalLM", config=LLAMA | {"head_dim": 8}),
    "mistral": Family(network="MistralForCausalLM", config=LLAMA | {"sliding_window": None}),
    "mistral_sliding": Family(network="MistralForCausalLM", config=LLAMA | {"sliding_window": 4}),
    "gemma2": Family(  # the soft caps are low enough to bite
        network="Gemma2ForCausalLM",
        computes=torch.float32,
        config=LLAMA
        | {"head_dim": 8, "sliding_window": 4, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    ),
    "gemma3": Family(network="Gemma3ForCausalLM", config=LLAMA | {"head_dim": 8, "sliding_window": 4}),
    "phi": Family(network="PhiForCausalLM", config=_WIDE | {"intermediate_size": 48}),
    "phi3": Family(network="Phi3ForCausalLM", config=LLAMA),
    "gpt_neox": Family(network="GPTNeoXForCausalLM", config=_WIDE | {"intermediate_size": 48}),
    "gpt_neo": Family(
        network="GPTNeoForCausalLM",
        computes=torch.float32,
        config={
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "max_position_embeddings": 128,
            "window_size": 4,
            "attention_types": [[["global", "local"], 1]],
        },
    ),
    "opt": Family(network="OPTForCausalLM", config=_WIDE | {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    "bloom": Family(
        network="BloomForCausalLM", config={"hidden_size": 32, "n_layer": 2, "n_head": 4}, computes=torch.float32
    ),
    "falcon": Family(network="FalconForCausalLM", config=_WIDE),
    "mamba": Family(
        network="MambaForCausalLM",
        computes=torch.float32,
        config={"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "time_step_rank": 4},
    ),
    "bare": Family(
        network="LlamaForCausalLM", config=LLAMA, words=_NO_PAD | {"mask": None, "unk": None}
    ),  # no unk, no pad, no mask
    # causal in name alone: an earlier token sees later ones
    "llama_both_ways": Family(network="LlamaForCausalLM", config=LLAMA | {"is_causal": False}, causal=False),
    "bert_lm": Family(network="BertLMHeadModel", config=_BERT, causal=False),
    # encoder-decoder
    "marian": Family(network="MarianMTModel", config=_BART, scales=True),
    "pegasus": Family(network="PegasusForConditionalGeneration", config=_BART, scales=True),
    "bart": Family(network="BartForConditionalGeneration", config=_BART, starts="eos"),
    "mbart": Family(
        network="MBartForConditionalGeneration",
        config=_BART,
        words={"language": "<|fr|>"},
        forced=True,
        starts="eos",
    ),
    "m2m100": Family(
        network="M2M100ForConditionalGeneration", config=_BART, words=_LOW_PAD | {"language": "<|fr|>"}, starts="eos"
    ),
    "fsmt": Family(
        network="FSMTForConditionalGeneration",
        config=_BART | {"langs": ["en", "de"], "tie_word_embeddings": False, "num_beams": 1},
        starts="eos",
        dtype=torch.float32,  # its mask is written for that alone
        computes=torch.float32,
    ),
    "t5": Family(network="T5ForConditionalGeneration", config=_T5),
    "t5_gated": Family(
        network="T5ForConditionalGeneration",
        config=_T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    # classifiers
    "bert": Family(network="BertForSequenceClassification", config=_BERT, words=_FRAME),
    "distilbert": Family(
        network="DistilBertForSequenceClassification",
        config={
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": 128,
            "num_labels": 3,
        },
        words=_FRAME,
    ),
    "roberta": Family(network="RobertaForSequenceClassification", config=_BERT, words=_FRAME | _LOW_PAD),
    "deberta_v2": Family(
        network="DebertaV2ForSequenceClassification",
        config=_BERT
        | {
            "relative_attention": True,
            "position_buckets": 4,
            "pos_att_type": ["p2c", "c2p"],
            "norm_rel_ebd": "layer_norm",
        },
        words=_FRAME,
    ),
    "gpt2_classifier": Family(  # without a padding token, so one text at a time
        network="GPT2ForSequenceClassification",
        config=_GPT2 | {"num_labels": 3},
        words=_NO_PAD,
    ),
    "gpt2_classifier_padded": Family(
        network="GPT2ForSequenceClassification",
        config=_GPT2 | {"num_labels": 3},
    ),
    "llama_classifier": Family(
        network="LlamaForSequenceClassification", config=LLAMA | {"num_labels": 3}, words=_NO_PAD
    ),
    "llama_classifier_padded": Family(network="LlamaForSequenceClassification", config=LLAMA | {"num_labels": 3}),
}
# More decoders that have attention of their own, for tests of that alone.
MORE: dict[str, Family] = {
    "codegen": Family(network="CodeGenForCausalLM", config=_GPT2 | {"rotary_dim": 4}),
    "ctrl": Family(network="CTRLLMHeadModel", config=_GPT2 | {"dff": 48}),
    "falcon_alibi": Family(
        network="FalconForCausalLM", config=_WIDE | {"alibi": True, "bias": True, "multi_query": False}
    ),
    "gptj": Family(network="GPTJForCausalLM", config=_GPT2 | {"rotary_dim": 4}),
    "mpt": Family(network="MptForCausalLM", config={"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 128}),
    "xglm": Family(
        network="XGLMForCausalLM",
        config={"d_model": 32, "ffn_dim": 48, "num_layers": 2, "attention_heads": 4, "max_position_embeddings": 128},
        words=_LOW_PAD,
        dtype=torch.float32,  # its mask is written for that alone
    ),
    "xlnet": Family(network="XLNetLMHeadModel", config={"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}),
}
CLASSIFIERS = tuple(name for name, f in FAMILIES.items() if f.network.endswith("ForSequenceClassification"))
SEQ2SEQ = tuple(
    name for name, f in FAMILIES.items() if "ConditionalGeneration" in f.network or f.network == "MarianMTModel"
)
DECODERS = tuple(name for name in FAMILIES if name not in CLASSIFIERS + SEQ2SEQ)


def make(name: str, dtype: torch.dtype | None = None) -> Model:
    """Return a new `Model` of a family, in float64 if the family supports it."""
    import transformers

    from saliency_widget.models.loading.kinds import model_of

    family = (FAMILIES | MORE)[name]
    tokenizer = byte_tokenizer(**({"pad": "<|pad|>", "mask": "<|mask|>"} | family.words))
    size: dict[str, Any] = {"vocab_size": len(tokenizer), "bos_token_id": None, "eos_token_id": None}
    size["pad_token_id"] = tokenizer.pad_token_id
    if name in SEQ2SEQ:
        size["decoder_start_token_id"] = getattr(tokenizer, f"{family.starts}_token_id")
    if name == "fsmt":
        size |= {"src_vocab_size": len(tokenizer), "tgt_vocab_size": len(tokenizer)}
    network = getattr(transformers, family.network)
    torch.manual_seed(0)
    model = network(network.config_class(**(size | family.config)))
    for parameter in model.parameters():  # away from the flat start, where every gradient is nearly the same
        parameter.data.normal_(0, 0.3)
    language = family.words.get("language")
    if family.forced:
        model.generation_config.forced_bos_token_id = tokenizer.convert_tokens_to_ids(language)
    elif language is not None:
        tokenizer.tgt_lang = language
    return model_of(model.to(dtype or family.dtype).eval(), tokenizer, f"tiny-{name}")


@cache
def made(name: str, dtype: torch.dtype | None = None) -> Model:
    """Return the model of a family that all tests share."""
    return make(name, dtype)


@contextmanager
def roomy() -> Iterator[Model]:
    """Enter a context in which the tiny Llama reads longer texts: its positions are angles, so any number will do."""
    model = made("llama")
    config = model.model.config
    before, config.max_position_embeddings = config.max_position_embeddings, 8192
    try:
        yield model
    finally:
        config.max_position_embeddings = before


# ── the plain way ────────────────────────────────────────────────────────────────────────────────────────────────


class Column(NamedTuple):
    """The target of one column: a token or a class, predicted after `source` and `ids`."""

    source: tuple[int, ...]
    ids: tuple[int, ...]
    target: int

    @property
    def rows(self) -> tuple[int, ...]:
        """Return the id of each visible row."""
        return self.source + self.ids

    def changed(self, rows: dict[int, int | None]) -> Column:
        """Return the column with other ids at some rows; None removes a row."""
        after = [rows.get(i, token) for i, token in enumerate(self.rows)]
        n = len(self.source)
        source, ids = (tuple(t for t in part if t is not None) for part in (after[:n], after[n:]))
        return Column(source, ids, self.target)


def columns_of(name: str, text: str, target: str) -> list[Column]:
    """Return the columns of a text's map, computed by the tokenizer alone: one for each target token or class."""
    model, tokenizer = made(name).model, made(name).tokenizer
    ids = tuple(tokenizer(text)["input_ids"])
    if name in CLASSIFIERS:
        return [Column((), ids, i) for i in range(model.config.num_labels)]
    source: tuple[int, ...] = ()
    if name in SEQ2SEQ:
        source, ids = ids, (model.config.decoder_start_token_id,)
        language = FAMILIES[name].words.get("language")
        ids += () if language is None else (tokenizer.convert_tokens_to_ids(language),)
    written = tuple(tokenizer(target)["input_ids"])
    return [Column(source, ids + written[:i], token) for i, token in enumerate(written)]


def plain_logits(name: str, column: Column) -> torch.Tensor:
    """Return the logits [vocabulary] of a column from a plain call with ids, as float64."""
    model, ids = made(name).model, torch.tensor([column.ids])
    with torch.no_grad():
        if name in SEQ2SEQ:
            source = torch.tensor([column.source])
            return model(source, decoder_input_ids=ids, use_cache=False).logits[0, -1].double()
        logits = model(ids).logits[0].double()
        return logits if name in CLASSIFIERS else logits[-1]


def plain_embeddings(name: str, column: Column) -> torch.Tensor:
    """Return the outputs of the embedding modules, [n, d], source first."""
    model = made(name).model
    with torch.no_grad():
        if name not in SEQ2SEQ:
            return model.get_input_embeddings()(torch.tensor(column.ids))
        parts = zip((model.get_encoder(), model.get_decoder()), (column.source, column.ids), strict=True)
        return torch.cat([part.embed_tokens(torch.tensor(ids)) for part, ids in parts])


def plain_logits_of(name: str, column: Column, embeddings: torch.Tensor) -> torch.Tensor:
    """Return logits as `plain_logits` does, from embeddings [n, d] that are passed as `inputs_embeds`."""
    model, x = made(name).model, embeddings[None]
    if name not in SEQ2SEQ:
        logits = model(inputs_embeds=x).logits[0].double()
        return logits if name in CLASSIFIERS else logits[-1]
    n = len(column.source)
    if name == "fsmt":
        return _fsmt_logits_of(model, column, embeddings)
    source, ids = x[:, :n], x[:, n:]
    if FAMILIES[name].scales:
        source = source * model.get_encoder().embed_scale
    return model(inputs_embeds=source, decoder_inputs_embeds=ids, use_cache=False).logits[0, -1]


def _fsmt_logits_of(model: Any, column: Column, embeddings: torch.Tensor) -> torch.Tensor:
    """Replace FSMT's embedding tables, because with `inputs_embeds` it uses no causal mask. No id may occur twice."""
    tables = {}
    n = len(column.source)
    for part, ids, x in (("encoder", column.source, embeddings[:n]), ("decoder", column.ids, embeddings[n:])):
        assert len(set(ids)) == len(ids)
        name = f"model.{part}.embed_tokens.weight"
        tables[name] = model.get_parameter(name).detach().index_put((torch.tensor(ids),), x)
    inputs = {"decoder_input_ids": torch.tensor([column.ids]), "use_cache": False}
    return torch.func.functional_call(model, tables, (torch.tensor([column.source]),), inputs).logits[0, -1]
