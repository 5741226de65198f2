"""The grammar of the translation demo is a ground truth: its alignments hold word for word, by its own tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from saliency_widget.models.loading.translation import grammar, lexicon
from saliency_widget.models.loading.translation.grammar import Pair, Word

ENDINGS = ("", "s", "es", "d", "ed")
TABLES = {name: table for name, table in vars(lexicon).items() if name.isupper()}
MEANINGS = {entry.zh: entry.en.split()[-1] for table in TABLES.values() for entry in table}


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [grammar.homework(), *grammar.sample(3000, seed=1), *grammar.sample(1000, seed=1, held_out=True)]


def source_of(pair: Pair, word: Word) -> list[str]:
    return [pair.source[start:end] for start, end in word.sources]


def test_words_and_single_spaces_tile_the_english(pairs: list[Pair]) -> None:
    """Every word stands where it says, and between the words is nothing but one space; none before the full stop."""
    for pair in pairs:
        assert [pair.target[word.start : word.end] for word in pair.words] == [word.text for word in pair.words]
        gaps = [pair.target[a.end : b.start] for a, b in pairwise(pair.words)]
        assert gaps == [" "] * (len(gaps) - 1) + [""]
        assert pair.words[0].start == 0
        assert pair.words[-1].end == len(pair.target)


def test_source_spans_cut_whole_words_out_of_the_chinese(pairs: list[Pair]) -> None:
    """A span is one Chinese word of the lexicon, and two spans are the same or apart."""
    words = set(grammar.source_words())
    for pair in pairs:
        spans = sorted({span for word in pair.words for span in word.sources})
        assert {pair.source[start:end] for start, end in spans} <= words
        assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_a_content_word_has_one_source_and_means_what_the_table_says(pairs: list[Pair]) -> None:
    """The meaning is looked up by the text of the span, independently of how the sentence was built."""
    for pair in pairs:
        for word in pair.words:
            if word.content:
                (zh,) = source_of(pair, word)
                stem = MEANINGS[zh]
                assert word.text.lower().startswith(stem.lower())
                assert word.text[len(stem) :] in ENDINGS


def test_no_content_word_comes_twice_in_a_sentence(pairs: list[Pair]) -> None:
    """So the source that a content word comes from is one place, not two that look alike."""
    for pair in pairs:
        spans = [word.sources[0] for word in pair.words if word.content]
        texts = [pair.source[start:end] for start, end in spans]
        assert len(set(texts)) == len(texts)


def test_every_chinese_word_but_the_particles_is_the_source_of_something(pairs: list[Pair]) -> None:
    """No English word comes from measure words and 的, 地, 了, 在 as they stand between aligned spans."""
    silent: set[str] = set()
    for pair in pairs:
        aligned = {i for word in pair.words for start, end in word.sources for i in range(start, end)}
        silent |= {char for i, char in enumerate(pair.source) if i not in aligned}
    assert silent == set("的地了") | {noun.measure for noun in lexicon.NOUNS if noun.measure}


def test_a_chinese_word_has_one_meaning_and_a_meaning_one_word_in_its_table() -> None:
    """Otherwise an English word would not be decided by its source word alone."""
    words = Counter(entry.zh for table in TABLES.values() for entry in table)
    assert max(words.values()) == 1
    for name, table in TABLES.items():
        if not name.endswith("_TIMES"):  # last week, next week: two words share "week", in different tables or not
            assert len({entry.en for entry in table}) == len(table)
    stems = Counter(
        entry.en.split()[-1] for name, table in TABLES.items() if not name.endswith("TIMES") for entry in table
    )
    assert max(stems.values()) == 1


def test_held_out_sentences_are_not_trained_on(pairs: list[Pair]) -> None:
    """The split is a property of the sentence, so no seed can leak one into the other; about a tenth is held out."""
    trained = {pair.source for pair in grammar.sample(3000, seed=2)}
    held_out = {pair.source for pair in grammar.sample(1000, seed=2, held_out=True)}
    assert not trained & held_out
    assert not any(map(grammar.is_held_out, trained))
    assert all(map(grammar.is_held_out, held_out))
    assert len(trained) == 3000
    assert len(held_out) == 1000


def test_a_sample_is_the_same_in_another_process() -> None:
    """Neither hash seeds nor the order of sets may have a say."""
    code = (
        "from saliency_widget.models.loading.translation import grammar; import zlib;"
        "made = grammar.sample(200, seed=5);"
        "print(zlib.crc32(repr([made, grammar.source_words(), grammar.target_pieces()]).encode()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    assert grammar.sample(50, seed=3) == grammar.sample(80, seed=3)[:50]
    assert grammar.sample(50, seed=3) != grammar.sample(50, seed=4)


def test_the_homeworks_sentence_is_covered_and_held_out() -> None:
    """機器 is "machine", 學習 is "learning", and so on, in the sentence that the course asks about."""
    pair = grammar.homework()
    assert pair.source == grammar.HOMEWORK == "我喜歡機器學習和人工智慧。"
    assert pair.target == "I like machine learning and artificial intelligence."
    assert grammar.is_held_out(pair.source)
    assert {word.text: source_of(pair, word) for word in pair.words} == {
        "I": ["我"],
        "like": ["喜歡"],
        "machine": ["機器"],
        "learning": ["學習"],
        "and": ["和"],
        "artificial": ["人工"],
        "intelligence": ["智慧"],
        ".": ["。"],
    }


def test_neither_part_of_a_field_predicts_the_other() -> None:
    """Every modifier is seen with every head, and none of them much more often than chance would have it."""
    modifiers, heads = ({e.zh for e in table} for table in (lexicon.FIELD_MODIFIERS, lexicon.FIELD_HEADS))
    seen: Counter[tuple[str, str]] = Counter()
    for pair in grammar.sample(20_000, seed=6):
        texts = [source_of(pair, word)[0] for word in pair.words if word.content]
        seen.update((a, b) for a, b in pairwise(texts) if a in modifiers and b in heads)
    assert len(seen) == len(modifiers) * len(heads)
    mean = sum(seen.values()) / len(seen)
    assert max(seen.values()) < 2 * mean  # Poisson with mean ~ 18: four standard deviations


def test_the_two_languages_differ_in_order(pairs: list[Pair]) -> None:
    """In most sentences some content word stands before another whose source it follows."""
    crossed = 0
    for pair in pairs:
        starts = [word.sources[0][0] for word in pair.words if word.content]
        crossed += starts != sorted(starts)
    assert crossed > len(pairs) / 3


def test_the_constructions_are_there() -> None:
    """One sentence of each, found in the samples by its pattern."""
    english = " ".join(pair.target for pair in grammar.sample(2000, seed=8))
    for piece in (" does not ", " did not ", "Do ", "Does ", "Did ", " that I ", " will ", " should ", " and ", " an "):
        assert piece in english
