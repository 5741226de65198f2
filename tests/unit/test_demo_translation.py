"""The translation demo as it ships: it loads, it translates, and it is as small and as free of paths as promised."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from saliency_widget.models.loading.translation import demo_translation_folder, grammar

# MarianTokenizer recommends a package for the punctuation of other languages, and uses it for nothing.
pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture(scope="module")
def translator() -> tuple[Any, Any]:
    from transformers import MarianMTModel, MarianTokenizer

    folder = demo_translation_folder()
    tokenizer = MarianTokenizer.from_pretrained(folder, local_files_only=True)
    return MarianMTModel.from_pretrained(folder, local_files_only=True).eval(), tokenizer


@pytest.fixture
def model(translator: tuple[Any, Any]) -> Any:
    return translator[0]


@pytest.fixture
def tokenizer(translator: tuple[Any, Any]) -> Any:
    return translator[1]


def translate(model: Any, tokenizer: Any, *texts: str) -> list[str]:
    inputs = tokenizer(list(texts), return_tensors="pt", padding=True)
    with torch.inference_mode():
        return tokenizer.batch_decode(model.generate(**inputs), skip_special_tokens=True)


def test_it_translates_the_homeworks_sentence(model: Any, tokenizer: Any) -> None:
    pair = grammar.homework()
    assert translate(model, tokenizer, pair.source) == [pair.target]


def test_it_translates_sentences_it_has_not_seen(model: Any, tokenizer: Any) -> None:
    """Word for word, with greedy decoding: training ended with all of 1000 right, so two mistakes in 100 are news."""
    pairs = grammar.sample(100, seed=11, held_out=True)
    texts = translate(model, tokenizer, *(pair.source for pair in pairs))
    wrong = [(pair.source, text) for pair, text in zip(pairs, texts, strict=True) if text != pair.target]
    assert len(wrong) <= 2, wrong


def test_it_is_sure_of_what_it_writes(model: Any, tokenizer: Any) -> None:
    """The first piece of every content word of the homework's sentence has most of the probability."""
    pair = grammar.homework()
    ids = tokenizer(text_target=pair.target, return_tensors="pt").input_ids
    start = torch.tensor([[model.config.decoder_start_token_id]])
    with torch.inference_mode():
        logits = model(
            **tokenizer(pair.source, return_tensors="pt"), decoder_input_ids=torch.cat([start, ids[:, :-1]], 1)
        ).logits
    probabilities = logits.softmax(-1).gather(-1, ids[..., None])
    assert probabilities.min() > 0.75


def test_a_missing_full_stop_is_no_obstacle(model: Any, tokenizer: Any) -> None:
    pair = grammar.homework()
    assert translate(model, tokenizer, pair.source.rstrip("。")) == [pair.target.rstrip(".")]


def test_source_tokens_are_the_words_of_the_grammar(tokenizer: Any) -> None:
    """One token a word, so a map has a row for 機器 and one for 學習; no span of an alignment is cut by a token."""
    assert tokenizer.tokenize(grammar.HOMEWORK) == ["我", "喜歡", "機器", "學習", "和", "人工", "智慧", "。"]
    for pair in grammar.sample(500, seed=12):
        starts, at = {}, 0
        for token in tokenizer.tokenize(pair.source):
            starts[at] = at = at + len(token)
        assert at == len(pair.source)
        assert all(starts[start] == end for word in pair.words for start, end in word.sources)


def test_target_tokens_begin_where_the_words_begin(tokenizer: Any) -> None:
    """A word is its stem and at most one ending, so the token with the meaning is the word's first."""
    ids = tokenizer(text_target="She likes machine learning.").input_ids
    assert tokenizer.convert_ids_to_tokens(ids) == ["▁She", "▁like", "s", "▁machine", "▁learning", ".", "</s>"]
    for pair in grammar.sample(500, seed=13):
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(text_target=pair.target).input_ids)[:-1]
        firsts = [token for token in tokens if token.startswith("▁") or token in ".?"]
        assert all(
            word.text.startswith(first.removeprefix("▁")) for word, first in zip(pair.words, firsts, strict=True)
        )
        assert len(tokens) <= 2 * len(pair.words)


def test_texts_come_back_from_their_tokens(tokenizer: Any) -> None:
    for pair in grammar.sample(500, seed=14):
        source, target = tokenizer(pair.source).input_ids, tokenizer(text_target=pair.target).input_ids
        assert tokenizer.unk_token_id not in {*source, *target}
        assert tokenizer.decode(source, skip_special_tokens=True) == pair.source
        assert tokenizer.decode(target, skip_special_tokens=True) == pair.target


def test_an_unknown_word_is_unk_and_raises_nothing(model: Any, tokenizer: Any) -> None:
    ids = tokenizer("我喜歡鯨魚 and 🐋。").input_ids
    assert ids.count(tokenizer.unk_token_id) >= 1
    assert tokenizer.convert_ids_to_tokens(ids)[:2] == ["我", "喜歡"]
    assert translate(model, tokenizer, "我喜歡鯨魚。")[0].startswith("I like ")


def test_special_tokens_are_marians(model: Any, tokenizer: Any) -> None:
    assert (tokenizer.eos_token, tokenizer.unk_token, tokenizer.pad_token) == ("</s>", "<unk>", "<pad>")
    assert tokenizer.eos_token_id == model.config.eos_token_id == 0
    assert tokenizer.unk_token_id == 1
    assert tokenizer.pad_token_id == model.config.pad_token_id == model.config.decoder_start_token_id
    assert len(tokenizer) == model.config.vocab_size


def test_the_auto_classes_find_it() -> None:
    """The Auto classes load the folder by its configuration."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    folder = demo_translation_folder()
    assert type(AutoTokenizer.from_pretrained(folder, local_files_only=True)).__name__ == "MarianTokenizer"
    assert type(AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True)).__name__ == "MarianMTModel"


def test_it_is_small() -> None:
    """The folder is small, because every wheel contains it."""
    sizes = {file.name: file.stat().st_size for file in demo_translation_folder().iterdir()}
    assert sizes["model.safetensors"] < 2_000_000
    assert sum(sizes.values()) < 2_100_000


def test_no_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    """SentencePiece, for one, writes down where it was trained, if it is told a place."""
    files = {file.name: file.read_bytes() for file in demo_translation_folder().iterdir()}
    assert set(files) == {
        "config.json", "generation_config.json", "model.safetensors", "source.spm", "target.spm",
        "tokenizer_config.json", "vocab.json",
    }  # fmt: skip
    del files["model.safetensors"]  # numbers, which spell anything
    for name, content in files.items():
        text = content.replace(b"</s>", b"")
        assert b"/" not in text, name
        assert b"\\" not in text or name.endswith(".spm"), name
    assert all(isinstance(json.loads(content), dict) for name, content in files.items() if name.endswith(".json"))
