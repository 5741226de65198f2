"""Tokens as a reader sees them: texts, spans, words, sentences and segments. No other module derives these.

A token stands for bytes, not for characters: 橘 can be three tokens, none of which is a character. So the bytes
of all tokens are joined and decoded, and each token gets the characters that it touches.

The rules:

text      The text is that of `tokenizer.decode` without special tokens, but with the original text of unknown
          tokens, if it is known. A special token ends the text before it: no character, word or sentence continues
          over one. Invalid bytes are U+FFFD in it.
character A character is a grapheme cluster: a letter with its accents, an emoji with its joiners. (CR LF and clusters
          of more than 32 code points are split into code points.)
Token.text  The text of a token is all characters that it touches, whole. Invalid bytes are shown as ⟨E6 A9⟩, and a
          token without text (a prefix that the tokenizer adds and removes) by its name.
span      The span of a token is the code points of these characters; special tokens have none. Spans tile the text, and
          overlap if tokens share a character.
part      (k, n): the token is number k of the n tokens that share a character: the character inside which the token
          begins, otherwise the last one, which it does not end.
word      Words follow the Unicode word boundaries (UAX #29) and include the space before them. "don't" and "3.5" are
          one word; a Chinese character, a run of equal punctuation marks, a run of other white space and a special
          token are one word each. A token belongs to the word of its first character that is no white space.
sentence  A sentence ends at . ! ? … with closing quotes before white space, unless a small letter follows; at 。！？;
          and at a line's end. "3.5", "Mr. X", "U.S. president" and "1. First" end none. A run of special tokens, with
          the white space between them, is a sentence.
segment   Segments are given, or are paragraphs, which a blank line ends.

Words and sentences are numbered without gaps; segments tile the list of tokens.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import regex

from ...types import Role, Segment, Token
from .decoding import bytes_inside, special_ids, token_bytes
from .stretches import Named, stretched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def describe(
    ids: Sequence[int],
    tokenizer: Any,
    *,
    roles: Sequence[Role],
    segments: Sequence[Segment] | None = None,
    unknown: Sequence[str | None] = (),
    named: Sequence[Named] = (),
    n_given: int | None = None,
) -> tuple[list[Token], list[Segment]]:
    """Return the tokens and segments of any ids, by the rules of the module.

    `roles`: one for each token. `segments`: segments that tile the tokens; None for paragraphs. `unknown`: for each of
    the first tokens, the text of an unknown token, or None (see `unknown`). `named`: segments that the user named in
    the first `n_given` tokens. Raises: InputError for a named segment that the text does not contain.
    """
    ids = [int(i) for i in ids]
    seen, text = _read(ids, tokenizer, {at: said for at, said in enumerate(unknown) if said is not None})
    anchors = [s.anchor for s in seen]
    if named:
        read = seen[:n_given]
        end = max((s.span[1] for s in read if s.span is not None), default=0)
        whole = [Segment(kind="paragraph", name="the rest", start=0, end=len(ids))] if segments is None else segments
        tiled = stretched(whole, named, text[:end], anchors[: len(read)])
    else:
        tiled = list(segments) if segments is not None else _paragraphs(text, anchors)
    starts = [segment.start for segment in tiled]
    tokens = [
        Token(
            id=token,
            position=at,
            text=s.text,
            role=role,
            span=s.span,
            word=s.word,
            sentence=s.sentence,
            segment=max(bisect_right(starts, at) - 1, 0),
            part=s.part,
        )
        for at, (token, role, s) in enumerate(zip(ids, roles, seen, strict=True))
    ]
    return tokens, tiled


def display(tokenizer: Any, token_id: int) -> str:
    """Return the text of a single token, such as " Washington"; invalid bytes are shown as ⟨E6 A9⟩."""
    (name,) = _names(tokenizer, [token_id])
    return _Run([bytes_inside(tokenizer, token_id)]).shown_text() or name


def _read(ids: Sequence[int], tokenizer: Any, unknown: Mapping[int, str]) -> tuple[list[_Seen], str]:
    """Return the tokens with everything but their segments, and the whole text."""
    names, pieces, special = _names(tokenizer, ids), token_bytes(tokenizer, ids, unknown), special_ids(tokenizer)
    seen: list[_Seen] = []
    text = ""
    numbers = _Numbers()
    for start, end, is_special in _runs([i in special and at not in unknown for at, i in enumerate(ids)]):
        if is_special:
            for name in names[start:end]:
                numbers.special()
                seen.append(_Seen(name, None, None, len(text), numbers.word, numbers.sentence))
            continue
        run = _Run(pieces[start:end])
        numbers.begin(run.text)
        for name, (shown, (a, b), part, anchor) in zip(names[start:end], run.tokens(), strict=True):
            numbers.at(anchor)
            span = (a + len(text), b + len(text))
            seen.append(_Seen(shown or name, span, part, anchor + len(text), numbers.word, numbers.sentence))
        text += run.text
    return seen, text


def _names(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Return the tokens' names in the vocabulary, which are shown for tokens without text."""
    names = tokenizer.convert_ids_to_tokens(list(ids))
    return [f"⟨{i}⟩" if name is None else str(name) for i, name in zip(ids, names, strict=True)]


# ── from bytes to characters ─────────────────────────────────────────────────────────────────────────────────────


class _Seen(NamedTuple):
    """A token with everything but its segment. `anchor`: the code point that decides its word and sentence."""

    text: str
    span: tuple[int, int] | None
    part: tuple[int, int] | None
    anchor: int
    word: int
    sentence: int


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int, bool]]:
    """Yield maximal ranges [start, end) of equal flags."""
    cuts = [at for at in range(1, len(flags)) if flags[at] != flags[at - 1]]
    for start, end in pairwise([0, *cuts, len(flags)] if flags else []):
        yield start, end, flags[start]


class _Run:
    """A run of tokens without a special one: their text, and the characters that each of them touches."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        data = b"".join(pieces)
        self._ends = list(accumulate((len(piece) for piece in pieces), initial=0))
        self.text, sizes, self._broken = _to_text(data)
        lengths = _cluster_lengths(self.text)
        self._points = list(accumulate(lengths, initial=0))  # the first code point of each cluster
        offsets = list(accumulate(sizes, initial=0))  # the first byte of each code point
        self._bytes = [offsets[point] for point in self._points]  # the first byte of each cluster

    def tokens(self) -> Iterator[tuple[str, tuple[int, int], tuple[int, int] | None, int]]:
        """Yield the text, span, part and anchor of each token, in code points of the run."""
        touched = [self._clusters(a, b) for a, b in pairwise(self._ends)]
        whole = set(self._bytes)
        sharing = {bisect_right(self._bytes, end) - 1: list[int]() for end in self._ends if end not in whole}
        for at, (first, last) in enumerate(touched) if sharing else ():
            for cluster in {first, last - 1} if first < last else ():
                if cluster in sharing:
                    sharing[cluster].append(at)
        blank = [c.isspace() for c in self.text]
        for at, (first, last) in enumerate(touched):
            a, b = self._points[first], self._points[last]
            part = None
            if sharing and first < last:
                group = sharing.get(first if self._ends[at] > self._bytes[first] else last - 1, [])
                part = (bisect_right(group, at), len(group)) if len(group) > 1 else None
            anchor = next((c for c in range(a, b) if not blank[c]), a)
            yield self._shown(a, b), (a, b), part, anchor

    def shown_text(self) -> str:
        """Return the text of the run, with invalid bytes made visible."""
        return self._shown(0, len(self.text))

    def _clusters(self, start: int, end: int) -> tuple[int, int]:
        """Return the clusters [first, last) that the bytes [start, end) touch; none for no bytes."""
        first = bisect_right(self._bytes, start) - 1
        return (first, bisect_right(self._bytes, end - 1)) if end > start else (first, first)

    def _shown(self, a: int, b: int) -> str:
        if not self._broken:
            return self.text[a:b]
        return "".join(self._broken.get(at, self.text[at]) for at in range(a, b))


def _to_text(data: bytes) -> tuple[str, list[int], dict[int, str]]:
    """Return the text, the number of bytes of each code point, and the shown form of code points of invalid bytes.

    One U+FFFD stands for as many bytes as could have begun a character (Unicode 16, section 3.9).
    """
    text = data.decode("utf-8", "surrogateescape")
    if text.isascii() or not re.search("[\udc80-\udcff]", text):
        return text, _sizes(text), {}
    parts: list[str] = []
    sizes: list[int] = []
    broken: dict[int, str] = {}
    for found in re.finditer("[\udc80-\udcff]+|[^\udc80-\udcff]+", text):
        part = found[0]
        if not "\udc80" <= part[0] <= "\udcff":
            parts.append(part)
            sizes += _sizes(part)
            continue
        for piece in _begun(part.encode("utf-8", "surrogateescape")):
            broken[len(sizes)] = f"⟨{piece.hex(' ').upper()}⟩"
            parts.append("\ufffd")
            sizes.append(len(piece))
    return "".join(parts), sizes, broken


def _begun(data: bytes) -> Iterator[bytes]:
    """Split invalid bytes where another character could begin."""
    at = 0
    while at < len(data):
        size = 1
        try:
            data[at : at + 4].decode()
        except UnicodeDecodeError as error:
            size = error.end
        yield data[at : at + size]
        at += size


def _sizes(text: str) -> list[int]:
    """Return the number of UTF-8 bytes of each code point."""
    return [1 if c < "\x80" else 2 if c < "\u0800" else 3 if c < "\U00010000" else 4 for c in text]


def _cluster_lengths(text: str) -> list[int]:
    """Return the number of code points of each grapheme cluster. A cluster of more than 32 is split into its points."""
    if text.isascii():
        return [1] * len(text)
    lengths: list[int] = []
    for cluster in regex.findall(r"\X", text):
        lengths += [len(cluster)] if len(cluster) <= 32 and cluster != "\r\n" else [1] * len(cluster)
    return lengths


# ── from characters to words, sentences, paragraphs ──────────────────────────────────────────────────────────────


class _Numbers:
    """Running numbers of words and sentences. A number is assigned when a token needs it, so there are no gaps."""

    def __init__(self) -> None:
        self.word = self.sentence = -1
        self._words: list[int] = []
        self._sentences: list[int] = []
        self._place = (-1, -1)  # word and sentence of the run
        self._blank = False  # whether the run is white space
        self._between = False  # whether the last token was special

    def special(self) -> None:
        """Number a special token: it is one word, in a sentence with its neighbouring special tokens."""
        self.word += 1
        self.sentence += not self._between
        self._between = True

    def begin(self, text: str) -> None:
        """Begin a run of text."""
        self._words = word_starts(text)
        self._sentences = _sentence_starts(text)
        self._place = (-1, -1)
        self._blank = not text.strip()

    def at(self, anchor: int) -> None:
        """Number a token with this anchor, a code point of the run. Anchors must ascend."""
        word, sentence = bisect_right(self._words, anchor), bisect_right(self._sentences, anchor)
        self.word += word != self._place[0]
        if not (self._blank and self._between):
            self.sentence += sentence != self._place[1]
            self._between = False
        self._place = (word, sentence)


_BOUNDARY = regex.compile(r"\b", regex.WORD | regex.V1)


def word_starts(text: str) -> list[int]:
    """Return the starts of words: the Unicode boundaries, except that a space stays with the next word.

    Runs of equal punctuation marks are one word.
    """
    cuts = sorted({0, *(found.start() for found in _BOUNDARY.finditer(text)), len(text)})
    starts: list[int] = []
    previous = ""
    for a, b in pairwise(cuts):
        part = text[a:b]
        if part.isspace():
            if not previous.isspace():
                starts.append(a)
            if b < len(text) and _keeps_space(text, b):
                if b - 1 > starts[-1]:
                    starts.append(b - 1)
                part = " "
        elif previous != " " and not (part == previous and not part.isalnum()):
            starts.append(a)
        previous = part
    return starts


def _keeps_space(text: str, at: int) -> bool:
    """Return whether the character before the word at `at` is its leading space."""
    return text[at - 1].isspace() and text[at - 1] not in "\n\r\x0b\x0c\x85\u2028\u2029" and not text[at].isspace()


_END = regex.compile(
    r"""(?P<wide>[。！？｡؟۔।॥]+ [\p{Pe}\p{Pf}"']*)
      | (?P<dot>[.!?…]+ [\p{Pe}\p{Pf}"']* (?= \s | $ | [\p{Han}\p{Hiragana}\p{Katakana}]))
      | \n+""",
    regex.VERBOSE | regex.V1,
)
_NO_END = regex.compile(  # abbreviations, whose full stop ends no sentence
    r"""(?: \b(?: Mr|Mrs|Ms|Mx|Dr|Prof|Rev|Hon|Gen|Col|Lt|Sgt|Capt|Sen|Rep|Gov|Pres|St|Mt|Jr|Sr|vs|cf|al|approx|ca
             | e\.g|i\.e|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec )
        | (?<![\p{L}\p{N}]) (?!I\.$) \p{Lu}
        | (?: ^|\n) \s* \p{N}{1,3}
        ) \.$""",
    regex.VERBOSE | regex.V1,
)
_NUMBERED = regex.compile(r"\b(?:No|Nr|Nos|Fig|Figs|Vol|Eq|Sec|Ch|pp?)\.$")


def _sentence_starts(text: str) -> list[int]:
    """Return the starts of sentences: the first word after each end."""
    starts = [0]
    first = len(text) - len(text.lstrip())  # the sentence's first character
    for found in _END.finditer(text):
        if found.start() <= first:  # the sentence is empty so far, so it cannot end
            continue
        at = found.end()
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            break
        if found["dot"]:
            before = text[max(found.start() - 12, 0) : found.start() + 1]
            if text[at].islower() or (len(found["dot"]) == 1 and _NO_END.search(before)):
                continue
            if text[at].isdecimal() and _NUMBERED.search(before):
                continue
        starts.append(at - _keeps_space(text, at))
        first = at
    return starts


def _paragraphs(text: str, anchors: Sequence[int]) -> list[Segment]:
    """Return paragraphs that tile the tokens. Blank lines belong to the paragraph before them."""
    first, last = len(text) - len(text.lstrip()), len(text.rstrip())
    starts = [gap.end() for gap in re.finditer(r"\n\s*\n", text) if first < gap.start() and gap.end() < last]
    firsts: list[int] = [0] if anchors else []
    number = 0
    for at, anchor in enumerate(anchors):
        here = bisect_right(starts, anchor)
        if here > number and at > 0:
            firsts.append(at)
        number = max(number, here)
    return [
        Segment(kind="paragraph", name=f"paragraph {n}", start=start, end=end)
        for n, (start, end) in enumerate(pairwise([*firsts, len(anchors)]), start=1)
    ]
