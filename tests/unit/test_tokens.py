from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from saliency_widget.models.text.decoding import token_bytes
from saliency_widget.models.text.tokens import describe, display
from saliency_widget.types import Segment, Token

from ..steps import lines_of

CORPUS = [
    "The first president of the United States was George Washington, who served from 1789 to 1797.",
    "我喜歡機器學習和人工智慧。橘子很好吃！",
    "Ça va? naïve café — “déjà vu” … don't 👍 👨‍👩‍👧",
    "Привет, мир! مرحبا بالعالم नमस्ते",
]


def wrapped(tokenizer: Tokenizer, unk: str = "<unk>") -> Any:
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (unk, "<s>", "</s>")])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=unk, bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False
    )


def byte_level() -> Any:
    """Byte-level BPE whose merges cross and cut characters, as in GPT-2, Llama 3, Qwen."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return wrapped(tokenizer)


def sentence_piece() -> Any:
    """Unigram with byte fallback, its decoder as in Llama 2."""
    pieces = [("<unk>", 0.0), *((f"<0x{b:02X}>", -9.0) for b in range(256)), ("▁", -3.0), ("▁the", -2.0), ("喜", -3.0)]
    pieces += [*((c, -4.0) for c in "abcdefghijklmnopqrstuvwxyz.,!?"), ("re", -3.5), ("▁s", -3.5)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return wrapped(tokenizer)


def metaspace() -> Any:
    """Unigram with a Metaspace decoder, as in T5."""
    pieces = [("<unk>", 0.0), ("▁", -3.0), ("▁the", -2.0), *((c, -4.0) for c in "abcdefghijklmnopqrstuvwxyz.,!?喜歡")]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return wrapped(tokenizer)


def word_piece() -> Any:
    """WordPiece, as in BERT."""
    words = ["<unk>", "the", "play", "##ing", "##er", "don", "'", "s", ".", ",", "!", *"abcdefg", "##a", "##b", "##c"]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return wrapped(tokenizer)


class Opaque:
    """A tokenizer that only encodes and decodes: how it does so cannot be seen."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.all_special_ids = inner.all_special_ids

    def __call__(self, text: str, **kwargs: Any) -> Any:
        return self._inner(text, **kwargs)

    def decode(self, ids: Any, **kwargs: Any) -> str:
        return str(self._inner.decode(ids, **kwargs))

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [f"piece-{i}" for i in ids]


BYTES = byte_level()
PIECES = sentence_piece()
META = metaspace()
WORDS = word_piece()
OPAQUE = Opaque(BYTES)

# Hypothesis alone rarely writes what text is made of: these are its bricks.
bricks = st.lists(
    st.one_of(
        st.text(max_size=4),
        st.sampled_from(
            [
                *[" ", "  ", "\n", "\n\n", "\r\n", "the", " The", "don't", "U.S.", "3.5", "...", "。", "<s>"],
                *[
                    "橘子",
                    "喜歡",
                    "e\u0301",
                    "\u0301",
                    "👨‍👩‍👧",
                    "👍🏽",
                    "🇹🇼",
                    "\u200d",
                    "\ufe0f",
                    "한국",
                    "नमस्ते",
                    "ﷺ",
                    "\u3000",
                ],
                "\ufffd",
            ]
        ),
    ),
    max_size=25,
).map("".join)


def encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def decode(tokenizer: Any, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def tokens_of(tokenizer: Any, ids: list[int], **kwargs: Any) -> list[Token]:
    return describe(ids, tokenizer, roles=["prompt"] * len(ids), **kwargs)[0]


def read(text: str, tokenizer: Any = BYTES) -> list[Token]:
    return tokens_of(tokenizer, encode(tokenizer, text))


def joined(tokens: list[Token]) -> str:
    """The text, put together from texts and spans alone."""
    text = ""
    for token in tokens:
        if token.span is not None:
            start, end = token.span
            assert start <= len(text), "a gap"
            if end > len(text):
                text = text[:start] + token.text
                assert len(text) == end
    return text


def groups(tokens: list[Token], what: str) -> list[str]:
    """The words, sentences or segments, each as the text of its tokens; split characters are written once."""
    out: dict[int, list[Token]] = {}
    for token in tokens:
        out.setdefault(getattr(token, what), []).append(token)
    parts = []
    for members in out.values():
        text, reached = "", -1
        for token in members:
            if token.span is None:
                text += token.text
            elif token.span[1] > reached:
                text += token.text[max(reached - token.span[0], 0) :] if reached >= 0 else token.text
                reached = token.span[1]
        parts.append(text)
    return parts


def check_order(tokens: list[Token]) -> None:
    for what in ("word", "sentence", "segment"):
        numbers = [getattr(token, what) for token in tokens]
        assert not numbers or numbers[0] == 0
        assert all(b - a in {0, 1} for a, b in pairwise(numbers)), (what, numbers)


def check_tiling(tokens: list[Token], length: int) -> None:
    """Spans ascend, leave nothing out, and overlap only where the tokens share a character."""
    spans = [(t.span, t.part) for t in tokens if t.span is not None]
    assert not length or spans
    reached, previous = 0, None
    for (start, end), part in spans:
        assert start <= reached
        if start == end:  # it stands for nothing
            continue
        assert end >= reached
        if start < reached:
            assert part is not None
            assert previous is not None
        reached, previous = end, part
    assert reached == length


def slow_parts(pieces: list[bytes], text: str) -> list[tuple[int, int] | None]:
    """By comparing every token with every character."""
    ranges, at = [], 0
    for cluster in regex.findall(r"\X", text):
        for character in [cluster] if len(cluster) <= 32 and cluster != "\r\n" else cluster:
            ranges.append((at, at + len(character.encode())))
            at = ranges[-1][1]
    where, at = [], 0
    for piece in pieces:
        where.append((at, at + len(piece)))
        at += len(piece)
    parts: list[tuple[int, int] | None] = []
    for a, b in where:
        touched = [(x, y) for x, y in ranges if max(a, x) < min(b, y)]
        if not touched:
            parts.append(None)
            continue
        x, y = touched[0] if touched[0][0] < a else touched[-1]
        mates = [(c, d) for c, d in where if max(c, x) < min(d, y)]
        parts.append((mates.index((a, b)) + 1, len(mates)) if len(mates) > 1 else None)
    return parts


@given(bricks)
def test_byte_level_pieces_are_the_text(text: str) -> None:
    """The pieces of byte-level tokens, put together, are the text that was encoded, and what `decode` says."""
    ids = encode(BYTES, text)
    if BYTES.bos_token_id in ids:
        return
    assert b"".join(token_bytes(BYTES, ids)).decode() == text == decode(BYTES, ids)
    assert joined(tokens_of(BYTES, ids)) == text


@given(bricks)
def test_every_token_has_its_characters_whole(text: str) -> None:
    """`text` is the text at `span`; spans tile it; `part` is what comparing every token with every character gives."""
    ids = encode(BYTES, text)
    if BYTES.bos_token_id in ids:
        return
    tokens = tokens_of(BYTES, ids)
    for token in tokens:
        assert token.span is not None
        assert token.text == text[slice(*token.span)]
    check_tiling(tokens, len(text))
    assert [token.part for token in tokens] == slow_parts(token_bytes(BYTES, ids), text)


@pytest.mark.parametrize(
    "tokenizer", [BYTES, PIECES, META, WORDS, OPAQUE], ids=["bytes", "pieces", "meta", "words", "opaque"]
)
@given(text=bricks)
@settings(max_examples=60)
def test_spans_tile_and_numbers_ascend(tokenizer: Any, text: str) -> None:
    """Whatever the tokenizer and the text, special tokens in it included: spans tile, numbers ascend without gaps."""
    tokens = tokens_of(tokenizer, encode(tokenizer, text))
    check_tiling(tokens, max((t.span[1] for t in tokens if t.span), default=0))
    check_order(tokens)
    assert all(token.text for token in tokens)


@given(st.lists(st.integers(0, len(BYTES) + 3), max_size=40))
def test_any_ids_can_be_described(ids: list[int]) -> None:
    """Ids that no text encodes to, and ids that do not exist: never an error; broken bytes are shown as such."""
    tokens = tokens_of(BYTES, ids)
    check_order(tokens)
    check_tiling(tokens, max((t.span[1] for t in tokens if t.span), default=0))
    if not set(ids) & set(BYTES.all_special_ids):
        assert len(decode(BYTES, ids)) == max((t.span[1] for t in tokens if t.span), default=0)


@pytest.mark.parametrize("tokenizer", [PIECES, META], ids=["pieces", "meta"])
@given(text=bricks)
@settings(max_examples=60)
def test_sentence_piece_text_is_what_decode_says(tokenizer: Any, text: str) -> None:
    """If a SentencePiece tokenizer gives the text back, our text is that text: the added space is gone."""
    ids = encode(tokenizer, text)
    if decode(tokenizer, ids) == text:
        assert joined(tokens_of(tokenizer, ids)) == text


@given(bricks)
@settings(max_examples=60)
def test_word_piece_text_is_what_decode_says(text: str) -> None:
    """WordPiece loses the text's own spaces; ours are the ones that its decoder puts in."""
    ids = encode(WORDS, text)
    assert joined(tokens_of(WORDS, ids)) == decode(WORDS, ids)


def test_word_piece_example() -> None:
    """Continuations stick, marks stand close, every other piece begins with a space."""
    assert [t.text for t in read("the player, playing!", WORDS)] == ["the", " play", "er", ",", " play", "ing", "!"]


@given(bricks)
@settings(max_examples=60)
def test_unknown_tokenizers_are_read_through_decode(text: str) -> None:
    """A tokenizer that does not say how it decodes gives the same text, and each token stands for part of it."""
    ids = encode(OPAQUE, text)
    if BYTES.bos_token_id in ids or "\ufffd" in text:  # a real U+FFFD looks like an unfinished character
        return
    assert joined(tokens_of(OPAQUE, ids)) == text


def test_a_split_character_is_whole_in_every_piece() -> None:
    """橘 in three tokens is three times 橘, numbered; so are a family emoji and a letter with its accent."""
    tokenizer = wrapped_alphabet()
    tokens = tokens_of(tokenizer, encode(tokenizer, "橘e\u0301👨‍👩‍👧"))
    assert [t.text for t in tokens[:3]] == ["橘"] * 3
    assert [t.part for t in tokens[:3]] == [(1, 3), (2, 3), (3, 3)]
    assert [(t.text, t.part) for t in tokens[3:6]] == [("e\u0301", (k, 3)) for k in (1, 2, 3)]
    assert {t.text for t in tokens[6:]} == {"👨‍👩‍👧"}
    assert tokens[-1].part == (18, 18)


def wrapped_alphabet() -> Any:
    """One token a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return wrapped(tokenizer)


@pytest.mark.parametrize("tokenizer", [BYTES, PIECES, META, WORDS], ids=["bytes", "pieces", "meta", "words"])
def test_an_id_that_does_not_exist_stands_for_nothing(tokenizer: Any) -> None:
    """It adds no text, as in `decode`, and is shown by its number."""
    ids = [*encode(tokenizer, "the"), 9999]
    missing = tokens_of(tokenizer, ids)[-1]
    assert token_bytes(tokenizer, ids)[-1] == b""
    assert decode(tokenizer, ids) == decode(tokenizer, ids[:-1])
    assert (missing.text, display(tokenizer, 9999)) == ("⟨9999⟩", "⟨9999⟩")


def test_broken_bytes_are_shown() -> None:
    """Bytes that never become a character: one U+FFFD in the text, the bytes themselves on the token."""
    tokenizer = wrapped_alphabet()
    ids = encode(tokenizer, "橘")[:2] + encode(tokenizer, "a")
    tokens = tokens_of(tokenizer, ids)
    assert [(t.text, t.span, t.part) for t in tokens] == [
        ("⟨E6 A9⟩", (0, 1), (1, 2)),
        ("⟨E6 A9⟩", (0, 1), (2, 2)),
        ("a", (1, 2), None),
    ]
    assert decode(tokenizer, ids) == "\ufffda"


def test_special_tokens_are_no_text() -> None:
    """A special token has no span, is a word of its own, and no word or sentence reaches across it."""
    tokens = read("<s>Hi the</s>\n<s>re we are")
    assert [t.text for t in tokens if t.span is None] == ["<s>", "</s>", "<s>"]
    assert joined(tokens) == "Hi the\nre we are"
    assert groups(tokens, "word") == ["<s>", "Hi", " the", "</s>", "\n", "<s>", "re", " we", " are"]
    assert groups(tokens, "sentence") == ["<s>", "Hi the", "</s>\n<s>", "re we are"]


def test_a_prefix_that_is_taken_away_shows_its_name() -> None:
    """The space that SentencePiece adds is no text: alone on a token it has an empty span and its own name."""
    first, *_ = read("喜", PIECES)
    assert (first.text, first.span, first.word) == ("▁", (0, 0), 0)


def test_one_token_alone() -> None:
    """`display` keeps the leading space, shows broken bytes, and knows special tokens and missing ids."""
    (word,) = encode(PIECES, "the")
    assert display(PIECES, word) == " the"
    assert display(BYTES, encode(BYTES, "\u0fff")[0]) == "⟨E0⟩"
    assert display(BYTES, BYTES.eos_token_id) == "</s>"
    assert display(BYTES, len(BYTES) + 7) == f"⟨{len(BYTES) + 7}⟩"
    assert display(WORDS, encode(WORDS, "the")[0]) == " the"
    assert display(WORDS, encode(WORDS, "playing")[1]) == "ing"
    assert display(OPAQUE, encode(OPAQUE, "a")[0]) == "a"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't go, it’s 3.5!", ["Don't", " go", ",", " it’s", " 3.5", "!"]),
        ("我喜歡 you", ["我", "喜", "歡", " you"]),
        ("wait ... what?!", ["wait", " ...", " what", "?", "!"]),
        ("a\n\nb  c", ["a", "\n\n", "b", " ", " c"]),
        ("Привет, мир", ["Привет", ",", " мир"]),
        (" the", [" the"]),
        ("foo_bar(x)", ["foo_bar", "(", "x", ")"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Unicode word boundaries; a space stays with what follows."""
    tokenizer = wrapped_alphabet()
    assert groups(tokens_of(tokenizer, encode(tokenizer, text)), "word") == words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is so. Is it? Yes!", ["It is so.", " Is it?", " Yes!"]),
        ("The U.S. president, Mr. J. Smith, paid 3.5 dollars. Why?", None),
        ("He said “Go!” Then he went.", ["He said “Go!”", " Then he went."]),
        ("“Why?” he asked.", ["“Why?” he asked."]),
        ("我喜歡。你呢？好！", ["我喜歡。", "你呢？", "好！"]),
        ("「好。」他說。", ["「好。」", "他說。"]),
        ("كيف الحال؟ جيد۔ نعم", ["كيف الحال؟", " جيد۔", " نعم"]),
        ("यह अच्छा है। हाँ।", ["यह अच्छा है।", " हाँ।"]),
        ("One line\nanother line\n\nlast", ["One line\n", "another line\n\n", "last"]),
        ("1. First\n2. Second", ["1. First\n", "2. Second"]),
        ("See Fig. 3 or No. 5 there. No. I will not.", ["See Fig. 3 or No. 5 there.", " No.", " I will not."]),
        ("Well… Yes... No", ["Well…", " Yes...", " No"]),
        ("!!! Hello", ["!!! Hello"]),
    ],
)
def test_sentences(text: str, sentences: list[str] | None) -> None:
    """Terminators before white space; decimals, titles, initials and list numbers do not end one."""
    tokenizer = wrapped_alphabet()
    expected = sentences or [text.removesuffix(" Why?"), " Why?"]
    assert groups(tokens_of(tokenizer, encode(tokenizer, text)), "sentence") == expected


def test_paragraphs() -> None:
    """A blank line ends a paragraph and belongs to it; the segments tile the tokens."""
    ids = encode(BYTES, "\n\nOne\nline.\n \nTwo.\n\n\nThree.\n\n")
    tokens, segments = describe(ids, BYTES, roles=["prompt"] * len(ids))
    assert groups(tokens, "segment") == ["\n\nOne\nline.\n \n", "Two.\n\n\n", "Three.\n\n"]
    assert [s.name for s in segments] == ["paragraph 1", "paragraph 2", "paragraph 3"]
    assert {s.kind for s in segments} == {"paragraph"}
    assert [s.start for s in segments] == [0, *(s.end for s in segments[:-1])]
    assert segments[-1].end == len(ids)


def test_given_segments_are_kept() -> None:
    """Chat turns stay as they are, and every token is in one."""
    ids = encode(BYTES, "abcdef")
    turns = [
        Segment(kind="system", name="s", start=0, end=2),
        Segment(kind="user", name="u", start=2, end=len(ids)),
    ]
    tokens, segments = describe(ids, BYTES, roles=["prompt"] * len(ids), segments=turns)
    assert segments == turns
    assert [t.segment for t in tokens] == [0, 0] + [1] * (len(ids) - 2)


def test_roles_and_ids_are_passed_on() -> None:
    """Roles and ids come out as they went in, positions count up, and nothing at all is nothing."""
    ids = encode(BYTES, "abc")
    tokens, _ = describe(ids, BYTES, roles=["prompt", "prompt", "generated"])
    assert [(t.id, t.position, t.role) for t in tokens] == [
        (ids[0], 0, "prompt"),
        (ids[1], 1, "prompt"),
        (ids[2], 2, "generated"),
    ]
    assert describe([], BYTES, roles=[]) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "The first president of the U.S. was George. Don't you think 橘子 so? ",
        "e\u0301\u0302",
        "\u0301",
        "Mr. A. ",
        "\n ",
        " ",
        "👨‍👩‍👧",
    ],
)
def test_work_is_linear(text: str) -> None:
    """Four times the tokens take four times the lines of code and are shown in four times the characters.

    Also where all of it is one character, one sentence, or one blank. Were it quadratic, it would be 16 times.
    """
    tokenizer = wrapped_alphabet()
    lines, shown = [], []
    for size in (1_000, 4_000):
        ids = (encode(tokenizer, text) * size)[:size]
        tokens: list[Token] = []
        lines.append(lines_of(lambda ids=ids, tokens=tokens: tokens.extend(tokens_of(tokenizer, ids))))
        shown.append(sum(len(token.text) for token in tokens))
    assert lines[1] < 5 * lines[0]
    assert shown[1] < 5 * shown[0]


@pytest.mark.demo
@given(bricks)
@settings(max_examples=60, deadline=None)
def test_the_demo_tokenizer_gives_the_text_back(text: str) -> None:
    """For the demo model too: spans tile the text, `text` is the text at `span`."""
    tokenizer = demo_tokenizer()
    ids = encode(tokenizer, text)
    if decode(tokenizer, ids) != text:  # its vocabulary lacks 21 bytes, U+0006 among them: it drops them
        return
    tokens = tokens_of(tokenizer, ids)
    assert joined(tokens) == text
    assert [token.part for token in tokens] == slow_parts(token_bytes(tokenizer, ids), text)


_demo: list[Any] = []


def demo_tokenizer() -> Any:
    from transformers import AutoTokenizer

    from saliency_widget.models.loading.demo import demo_folder

    if not _demo:
        _demo.append(AutoTokenizer.from_pretrained(demo_folder()))
    return _demo[0]
