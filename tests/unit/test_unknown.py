"""The row of an unknown token shows its original text."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import saliency_widget as sw
from saliency_widget.models.loading.kinds import model_of
from saliency_widget.models.text.changes import Change, Text, changed
from saliency_widget.models.text.document import describe_classes, describe_text
from saliency_widget.models.text.prompting import Encoded, check_prompt, encode_source, encode_text, encode_to_classify
from saliency_widget.models.text.unknown import unknown_texts
from saliency_widget.types import Inputs, Token

from .test_tokens import META, WORDS, encode, joined, metaspace, tokens_of, word_piece

bricks = st.lists(st.sampled_from(["the", "a", " ", "🍕", "披薩", "☃", "🏳️‍🌈", ".", "喜"]), max_size=12).map("".join)


def read(tokenizer: Any, text: str) -> Any:
    """The document of a prompt, nothing written after it."""
    return describe_text(tokenizer, encode_text(tokenizer, check_prompt(text)), ())


def tokens(tokenizer: Any, text: str) -> list[Token]:
    """The rows of a text, without special tokens around it."""
    ids = encode(tokenizer, text)
    return tokens_of(tokenizer, ids, unknown=unknown_texts(tokenizer, text, ids))


# ── tokenizers that say where their tokens are ───────────────────────────────────────────────────────────────────


@given(bricks)
@settings(max_examples=200, deadline=None)
def test_the_text_of_all_rows_is_the_text(text: str) -> None:
    """Of a tokenizer that keeps every character but a first space: nothing is lost and nothing is added."""
    text = text.lstrip()
    assert joined(tokens(META, text)) == text


@given(bricks)
@settings(max_examples=200, deadline=None)
def test_a_tokenizer_that_drops_spaces_keeps_the_characters_and_where_words_begin(text: str) -> None:
    """WordPiece: every character is there; and where a space was, a space is between the rows."""
    told = joined(tokens(WORDS, text))
    assert told.replace(" ", "") == text.replace(" ", "")
    if all(token.id == WORDS.unk_token_id for token in tokens(WORDS, text)):
        assert told.split() == text.split()


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        (META, "the 🍕 a", ["the", " ", "🍕", " ", "a"]),
        (META, "🍕🍕", ["▁", "🍕🍕"]),
        (WORDS, "the 披薩 a", ["the", " 披", "薩", " a"]),
        (WORDS, "☃ the", ["☃", " the"]),
        (WORDS, "\n☃", ["☃"]),
    ],
)  # fmt: skip
def test_rows_of_unknown_tokens(tokenizer: Any, text: str, expected: list[str]) -> None:
    assert [token.text for token in tokens(tokenizer, text)] == expected


def test_an_unknown_token_is_a_token_like_any_other() -> None:
    """It has a span, a role and a place in a word and a sentence: it is hidden with no special token."""
    document = read(META, "the 🍕! ☃")
    token = next(t for t in document.tokens if t.text == "🍕")
    assert (token.id, token.role, token.span) == (META.unk_token_id, "prompt", (4, 5))
    assert [t.sentence for t in document.tokens if t.text in ("🍕", "☃")] == [0, 1]


def test_what_is_written_as_the_name_of_the_token_is_that_token() -> None:
    document = read(WORDS, "the <unk> ☃")
    assert [(t.text, t.role) for t in document.tokens] == [("the", "prompt"), ("<unk>", "special"), (" ☃", "prompt")]


def test_without_a_text_there_is_nothing_to_show() -> None:
    """Ids alone, and what the model writes, are shown by the token's name, as before."""
    ids = encode(META, "the 🍕")
    document = describe_text(META, encode_text(META, check_prompt(None, input_ids=ids)), [META.unk_token_id])
    assert [t.text for t in document.tokens if t.id == META.unk_token_id] == ["<unk>", "<unk>"]
    assert unknown_texts(META, "the", ids) == ()  # a text that gives other ids says nothing of these


def test_a_text_without_unknown_tokens_is_encoded_once() -> None:
    class Counted:
        unk_token_id = 0

        def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
            raise AssertionError

    assert unknown_texts(Counted(), "the", [4, 5]) == ()


def test_special_tokens_around_the_text_do_not_move_it() -> None:
    ids = encode(META, "the 🍕")
    framed = [META.bos_token_id, *ids, META.eos_token_id]
    assert unknown_texts(META, "the 🍕", framed) == (None, *unknown_texts(META, "the 🍕", ids), None)


def test_a_chat_shows_them_too() -> None:
    tokenizer = metaspace()
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}<s>"
    prompt = check_prompt(None, messages=[{"role": "user", "content": "the 🍕"}, {"role": "user", "content": "☃ a"}])
    document = describe_text(tokenizer, encode_text(tokenizer, prompt), ())
    found = [(t.text, t.role) for t in document.tokens if t.id == tokenizer.unk_token_id]
    assert found == [("🍕", "prompt"), ("☃", "prompt")]


def test_a_source_and_a_text_to_classify_show_them_too() -> None:
    prompt = check_prompt("the ☃")
    source = describe_text(WORDS, encode_source(WORDS, prompt, (WORDS.bos_token_id,), "output"), encode(WORDS, "a"))
    assert [(t.text, t.role) for t in source.tokens][:2] == [("the", "source"), (" ☃", "source")]
    classes = describe_classes(WORDS, encode_to_classify(WORDS, prompt, ("yes", "no")), ("yes", "no"))
    assert [(t.text, t.role) for t in classes.tokens][:2] == [("the", "prompt"), (" ☃", "prompt")]


def test_what_is_left_of_a_text_keeps_what_its_unknown_tokens_stand_for() -> None:
    """Unknown tokens keep their original text after an earlier token was struck out."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = word_piece()
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=1, bos_token_id=None, eos_token_id=None)
    model = model_of(GPT2LMHeadModel(config).eval(), tokenizer, "tiny")
    encoded = model.encode(check_prompt("the ☃ a 披"))
    text = Text(name="", prompt=None, encoded=encoded, document=model.document(encoded, encode(tokenizer, "b")))
    assert [t.text for t in text.document.tokens] == ["the", " ☃", " a", " 披", " b"]
    fewer, _ = changed(model, text, Change(rows=(0, 2)))
    assert [t.text.strip() for t in fewer.document.tokens] == ["☃", "披", "b"]
    assert fewer.document.inputs == Inputs((), (tokenizer.unk_token_id,) * 2 + (encode(tokenizer, "b")[0],))


# ── tokenizers that name their pieces only ───────────────────────────────────────────────────────────────────────


class Slow:
    """A tokenizer in Python, of given pieces; an unknown one has the id 0."""

    unk_token, unk_token_id, is_fast = "<unk>", 0, False

    def __init__(self, *pieces: str, known: tuple[str, ...] = ()) -> None:
        self.pieces, self.known = pieces, known

    def tokenize(self, _text: str) -> list[str]:
        return list(self.pieces)

    def convert_tokens_to_ids(self, names: list[str]) -> list[int]:
        return [self.known.index(name) + 1 if name in self.known else 0 for name in names]

    def told(self, text: str) -> list[str | None]:
        ids = self.convert_tokens_to_ids(list(self.pieces))
        return list(unknown_texts(self, text, ids))


def test_pieces_that_were_normalised_are_shown_as_they_were_written() -> None:
    """SentencePiece makes ＫＬ to KL and é to one character; the row has what is in the text."""
    slow = Slow("▁the", "▁KL", "▁", "é", "!", known=("▁the", "!", "▁"))
    assert slow.told("the  ＫＬ e\u0301!") == [None, " ＫＬ", None, "e\u0301", None]


def test_a_piece_that_only_says_that_it_is_unknown_is_what_is_between_its_neighbours() -> None:
    slow = Slow("the", "<unk>", "play", "##ing", "<unk>", known=("the", "play", "##ing"))
    assert slow.told("The ☃☃ playing 🍕 ") == [None, " ☃☃", None, None, " 🍕"]


def test_two_of_them_side_by_side_cannot_be_told_apart() -> None:
    assert Slow("the", "<unk>", "<unk>", known=("the",)).told("the ☃ 🍕") == []


def test_pieces_that_are_not_in_the_text_are_shown_as_the_tokenizer_has_them() -> None:
    """Pieces that are not in the text are shown with the tokenizer's names."""
    slow = Slow("▁colour", "▁☃", "▁the", known=("▁colour", "▁the"))
    assert slow.told("color ☃ the colour ☃") == [None, " ☃", None]
    assert Slow("▁x", "▁Ω", known=("▁x",)).told("y ☃") == [None, " Ω"]


@pytest.mark.parametrize("text", ["我喜歡披薩和機器學習。", "我喜歡🍕和饕餮。"])
def test_the_demo_translation_shows_the_characters_it_does_not_know(text: str) -> None:
    """Marian's rows are the sentence, character for character, and the map has no <unk>."""
    a = sw.attribute("demo-translation", text, method="occlusion", progress=False)
    source = [token for token in a.rows if token.role == "source"]
    assert "".join(token.text for token in source) == text
    assert [token.span for token in source] == [
        (start, start + len(token.text))
        for start, token in zip([sum(len(t.text) for t in source[:k]) for k in range(len(source))], source, strict=True)
    ]
    assert not any(token.text == "<unk>" for token in a.rows)
    unknown = [row for row, token in enumerate(a.rows) if token.text in ("披薩", "🍕", "饕餮")]
    assert unknown
    assert (a.scores[unknown] != 0).all()  # NaN nowhere: every target sees the whole source


def test_an_encoded_prompt_says_nothing_of_unknown_tokens_unless_there_are_some() -> None:
    assert Encoded(inputs=Inputs((), (1,)), roles=("prompt",), segments=None, target=()).unknown == ()
    assert encode_text(META, check_prompt("the")).unknown == ()
