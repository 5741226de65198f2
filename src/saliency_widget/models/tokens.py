"""From token ids to what a reader sees: text, spans, words, sentences, segments. Done once, here.

A token stands for bytes, not for characters: 橘 can be three tokens, and none of them is a character. So the bytes
of all tokens are put together, made into text, and each token is given the characters that it touches.

The rules:

text      What `tokenizer.decode` would say, special tokens left out. A special token ends the text before it: no
          character, word or sentence reaches across one. Bytes that are no character are U+FFFD in it.
character A grapheme cluster: a letter with its accents, an emoji with its joiners. (A cluster of more than 32 code
          points, and CR LF, is taken apart into its code points.)
Token.text  All characters the token touches, whole. Bytes that are no character are shown as ⟨E6 A9⟩, and a token that
          stands for nothing (a prefix that the tokenizer adds and takes away) by its own name.
span      The code points of these characters. Special tokens have none. Spans tile the text, and overlap where tokens
          share a character.
part      (k, n): the token is number k of the n that share a character. Where it begins inside a character, that one
          is meant; else the last, which it does not end.
word      By the Unicode word boundaries (UAX #29), with the space before it: "don't" and "3.5" are one word, a Chinese
          character is one, a punctuation mark (or several alike) is one, a stretch of other white space is one, a
          special token is one. A token belongs to the word of its first character that is no white space.
sentence  Ends at . ! ? … with closing quotes, before white space and not a small letter; at 。！？; at a line's end.
          "3.5", "Mr. X", "U.S. president" and "1. First" do not end one. Special tokens in a row, and white space
          between them, are a sentence of their own.
segment   Those that are given, or else paragraphs: a blank line ends one.

Words and sentences are numbered without gaps; segments tile the list of tokens.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import regex

from saliency_widget.types import Role, Segment, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def describe(
    ids: Sequence[int], tokenizer: Any, *, roles: Sequence[Role], segments: Sequence[Segment] | None = None
) -> tuple[list[Token], list[Segment]]:
    """The tokens as a reader sees them, and the segments they are in. Any ids go; see the module for the rules.

    `roles`: one a token, passed on. `segments`: tiling the tokens; paragraphs are made where it is None.
    """
    ids = [int(i) for i in ids]
    names = tokenizer.convert_ids_to_tokens(ids)
    special = _special_ids(tokenizer)
    pieces = token_bytes(tokenizer, ids)
    seen: list[_Seen] = []
    text = ""
    numbers = _Numbers()
    for start, end, is_special in _runs([i in special for i in ids]):
        if is_special:
            for at in range(start, end):
                numbers.special()
                seen.append(_Seen(str(names[at]), None, None, len(text), numbers.word, numbers.sentence))
            continue
        run = _Run(pieces[start:end])
        numbers.begin(run.text)
        for (shown, (a, b), part, anchor), name, token in zip(
            run.tokens(), names[start:end], ids[start:end], strict=True
        ):
            numbers.at(anchor)
            own = shown or (f"⟨{token}⟩" if name is None else str(name))
            span = (a + len(text), b + len(text))
            seen.append(_Seen(own, span, part, anchor + len(text), numbers.word, numbers.sentence))
        text += run.text
    tiled = list(segments) if segments is not None else _paragraphs(text, [s.anchor for s in seen])
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
    """One token alone, as a reader sees it: " Washington"; bytes that are no character as ⟨E6 A9⟩."""
    (name,) = tokenizer.convert_ids_to_tokens([token_id])
    if name is None:
        return f"⟨{token_id}⟩"
    steps = _decoding_steps(tokenizer)
    if steps is None:
        return str(tokenizer.decode([token_id])) or str(name)
    piece = _decoded(steps, ["x", name], set())[1]  # not the first: what is taken from a text's beginning stays
    return _Run([piece]).shown_text() or str(name)


# ── from ids to bytes ────────────────────────────────────────────────────────────────────────────────────────────


def token_bytes(tokenizer: Any, ids: Sequence[int]) -> list[bytes]:
    """The bytes that each token contributes to the text. A special token's are those of its name.

    Put together without the special tokens they are what `tokenizer.decode` says, except where that loses something:
    it takes all leading spaces of some SentencePiece tokenizers, where only one was added.
    """
    special = _special_ids(tokenizer)
    names = tokenizer.convert_ids_to_tokens(list(ids))
    pieces = ["" if name is None else str(name) for name in names]
    plain = [at for at, i in enumerate(ids) if i not in special]
    steps = _decoding_steps(tokenizer)
    if steps is None:
        own = _by_windows(tokenizer, [ids[at] for at in plain])
    else:
        added = getattr(tokenizer, "added_tokens_decoder", {})
        literal = {k for k, at in enumerate(plain) if ids[at] in added}
        own = _decoded(steps, [pieces[at] for at in plain], literal)
    out = [_utf8(piece) for piece in pieces]
    for at, piece in zip(plain, own, strict=True):
        out[at] = piece
    return out


def _special_ids(tokenizer: Any) -> set[int]:
    """What `decode(skip_special_tokens=True)` leaves out."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {*tokenizer.all_special_ids, *(i for i, token in added.items() if getattr(token, "special", False))}


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoding_steps(tokenizer: Any) -> list[dict[str, Any]] | None:
    """The decoder of the `tokenizers` backend, as its serialised steps; None where it does not tell, or too much."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        if any(hasattr(tokenizer, name) for name in ("sp_model", "spm_source")):  # Marian and other slow ones
            return _SENTENCEPIECE
        return None
    if backend.decoder is None:
        return [{"type": "Join"}]
    try:
        steps = _flat(json.loads(backend.decoder.__getstate__()))
    except Exception:  # noqa: BLE001 - a decoder written in Python has no state to tell; the type raised is not fixed
        return None
    known = all(step["type"] in _STEPS and "Regex" not in step.get("pattern", ()) for step in steps)
    return steps if known else None


def _flat(step: dict[str, Any]) -> list[dict[str, Any]]:
    if step["type"] != "Sequence":
        return [step]
    return [inner for part in step["decoders"] for inner in _flat(part)]


_SENTENCEPIECE: list[dict[str, Any]] = [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
]


def _decoded(steps: list[dict[str, Any]], names: list[str], literal: set[int]) -> list[bytes]:
    """Do to each token what the decoder does to the sequence. `literal`: places of tokens that stand for themselves."""
    pieces = [_utf8(name) for name in names]
    fused = False
    for step in steps:
        if step["type"] == "Fuse":
            fused = True
        elif step["type"] == "Strip" and fused:
            _strip_ends(pieces, step)
        else:
            change = _STEPS[step["type"]]
            keep = literal if step["type"] == "ByteLevel" else ()
            pieces = [piece if k in keep else change(step, piece, k == 0) for k, piece in enumerate(pieces)]
    return pieces


# Bytes 33-126, 161-172 and 174-255 stand for themselves; the others were moved up, in order, to code point 256 on.
_MOVED = [b for b in range(256) if b not in {*range(33, 127), *range(161, 173), *range(174, 256)}]
_BYTE_LEVEL = dict(enumerate(_MOVED, start=256))


def _byte_level(_step: dict[str, Any], piece: bytes, _first: bool) -> bytes:
    try:
        return piece.decode().translate(_BYTE_LEVEL).encode("latin-1")
    except UnicodeError:  # not in the alphabet: it stands for itself
        return piece


def _metaspace(step: dict[str, Any], piece: bytes, first: bool) -> bytes:
    piece = piece.replace(_utf8(step.get("replacement", "▁")), b" ")
    return piece[1:] if first and step.get("prepend_scheme") != "never" and piece[:1] == b" " else piece


def _byte_fallback(_step: dict[str, Any], piece: bytes, _first: bool) -> bytes:
    found = re.fullmatch(rb"<0x([0-9A-Fa-f]{2})>", piece)
    return bytes.fromhex(found[1].decode()) if found else piece


def _replace(step: dict[str, Any], piece: bytes, _first: bool) -> bytes:
    return piece.replace(_utf8(step["pattern"]["String"]), _utf8(step["content"]))


def _word_piece(step: dict[str, Any], piece: bytes, first: bool) -> bytes:
    prefix = _utf8(step.get("prefix", "##"))
    if first:
        return piece
    if piece.startswith(prefix):
        return piece[len(prefix) :]
    tight = step.get("cleanup") and piece.startswith((b".", b"?", b"!", b",", b"n't", b"'m", b"'s", b"'ve", b"'re"))
    return piece if tight else b" " + piece


def _strip(step: dict[str, Any], piece: bytes, _first: bool) -> bytes:
    pieces = [piece]
    _strip_ends(pieces, step)
    return pieces[0]


def _strip_ends(pieces: list[bytes], step: dict[str, Any]) -> None:
    """Take up to `start` times the content from the front of what all pieces are together, `stop` from the back."""
    content = _utf8(step["content"])
    left = step.get("start", 0)
    for at, piece in enumerate(pieces):
        while left and piece.startswith(content):
            piece, left = piece[len(content) :], left - 1  # noqa: PLW2901
        pieces[at] = piece
        if piece:
            break
    right = step.get("stop", 0)
    for at in reversed(range(len(pieces))):
        while right and pieces[at].endswith(content):
            pieces[at], right = pieces[at][: -len(content)], right - 1
        if pieces[at]:
            break


_STEPS: dict[str, Callable[[dict[str, Any], bytes, bool], bytes]] = {
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "ByteFallback": _byte_fallback,
    "Replace": _replace,
    "WordPiece": _word_piece,
    "Strip": _strip,
    "Fuse": lambda _step, piece, _first: piece,
    "Join": lambda _step, piece, first: piece if first else b" " + piece,  # what a backend without a decoder does
}


def _by_windows(tokenizer: Any, ids: Sequence[int]) -> list[bytes]:
    """For a tokenizer that does not say how it decodes: what each token adds to the decoded text, seen locally.

    A token that leaves a character unfinished adds nothing yet; the bytes of the finished one are dealt out evenly.
    """

    def text(part: Sequence[int]) -> str:
        return str(tokenizer.decode(part, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    out: list[bytes] = []
    context = done = 0
    for end in range(1, len(ids) + 1):
        before, after = text(ids[context:done]), text(ids[context:end])
        same = next((k for k, (x, y) in enumerate(zip(before, after, strict=False)) if x != y), len(before))
        new = after[same:]
        if new.endswith("\ufffd") and end < len(ids) and end - done < 8:
            continue
        data, n = _utf8(new), end - done
        cuts = [k * len(data) // n for k in range(n + 1)]
        out += [data[a:b] for a, b in pairwise(cuts)]
        context, done = done, end
    return out


# ── from bytes to characters ─────────────────────────────────────────────────────────────────────────────────────


class _Seen(NamedTuple):
    """A token with everything but its segment. `anchor`: the code point that decides where it belongs."""

    text: str
    span: tuple[int, int] | None
    part: tuple[int, int] | None
    anchor: int
    word: int
    sentence: int


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int, bool]]:
    """Maximal stretches [start, end) of equal flags."""
    cuts = [at for at in range(1, len(flags)) if flags[at] != flags[at - 1]]
    for start, end in pairwise([0, *cuts, len(flags)] if flags else []):
        yield start, end, flags[start]


class _Run:
    """Tokens with no special one between them: their bytes as text, and which characters each of them touches."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        data = b"".join(pieces)
        self._ends = list(accumulate((len(piece) for piece in pieces), initial=0))
        self.text, sizes, self._broken = _to_text(data)
        lengths = _cluster_lengths(self.text)
        self._points = list(accumulate(lengths, initial=0))  # of each cluster, its first code point
        offsets = list(accumulate(sizes, initial=0))  # of each code point, its first byte
        self._bytes = [offsets[point] for point in self._points]  # of each cluster, its first byte

    def tokens(self) -> Iterator[tuple[str, tuple[int, int], tuple[int, int] | None, int]]:
        """Of each token: text, span, part and anchor, in code points of the run."""
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
        """All of it, with what is no character made visible."""
        return self._shown(0, len(self.text))

    def _clusters(self, start: int, end: int) -> tuple[int, int]:
        """The clusters [first, last) that the bytes [start, end) touch; none for no bytes."""
        first = bisect_right(self._bytes, start) - 1
        return (first, bisect_right(self._bytes, end - 1)) if end > start else (first, first)

    def _shown(self, a: int, b: int) -> str:
        if not self._broken:
            return self.text[a:b]
        return "".join(self._broken.get(at, self.text[at]) for at in range(a, b))


def _to_text(data: bytes) -> tuple[str, list[int], dict[int, str]]:
    """Text, the bytes of each of its code points, and what to show for the code points that are broken bytes.

    As everywhere (Unicode 16, section 3.9), one U+FFFD stands for as many bytes as could have begun a character.
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
    """Cut bytes, none of which is in a character, where another character could begin."""
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
    """Of each code point, its bytes in UTF-8."""
    return [1 if c < "\x80" else 2 if c < "\u0800" else 3 if c < "\U00010000" else 4 for c in text]


def _cluster_lengths(text: str) -> list[int]:
    """Of each grapheme cluster, its code points. One that would make every token as long as the text is cut up."""
    if text.isascii():
        return [1] * len(text)
    lengths: list[int] = []
    for cluster in regex.findall(r"\X", text):
        lengths += [len(cluster)] if len(cluster) <= 32 and cluster != "\r\n" else [1] * len(cluster)
    return lengths


# ── from characters to words, sentences, paragraphs ──────────────────────────────────────────────────────────────


class _Numbers:
    """Running numbers of words and sentences. A number is given when a token needs it, so there are no gaps."""

    def __init__(self) -> None:
        self.word = self.sentence = -1
        self._words: list[int] = []
        self._sentences: list[int] = []
        self._place = (-1, -1)  # word and sentence of the run
        self._blank = False  # the run is white space
        self._between = False  # among special tokens

    def special(self) -> None:
        """A special token: a word of its own, in a sentence with its like."""
        self.word += 1
        self.sentence += not self._between
        self._between = True

    def begin(self, text: str) -> None:
        """A run of text begins."""
        self._words = _word_starts(text)
        self._sentences = _sentence_starts(text)
        self._place = (-1, -1)
        self._blank = not text.strip()

    def at(self, anchor: int) -> None:
        """A token that belongs to the code point `anchor` of the run; anchors ascend."""
        word, sentence = bisect_right(self._words, anchor), bisect_right(self._sentences, anchor)
        self.word += word != self._place[0]
        if not (self._blank and self._between):
            self.sentence += sentence != self._place[1]
            self._between = False
        self._place = (word, sentence)


_BOUNDARY = regex.compile(r"\b", regex.WORD | regex.V1)


def _word_starts(text: str) -> list[int]:
    """Where words begin: at the Unicode boundaries, but a space stays with what follows, and like marks together."""
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
    """Whether the word at `at` has the character before it for its leading space."""
    return text[at - 1].isspace() and text[at - 1] not in "\n\r\x0b\x0c\x85\u2028\u2029" and not text[at].isspace()


_END = regex.compile(
    r"""(?P<wide>[。！？｡]+ [\p{Pe}\p{Pf}"']*)
      | (?P<dot>[.!?…]+ [\p{Pe}\p{Pf}"']* (?= \s | $ | [\p{Han}\p{Hiragana}\p{Katakana}]))
      | \n+""",
    regex.VERBOSE | regex.V1,
)
_NO_END = regex.compile(  # what a sentence does not end with, though it has a full stop
    r"""(?: \b(?: Mr|Mrs|Ms|Mx|Dr|Prof|Rev|Hon|Gen|Col|Lt|Sgt|Capt|Sen|Rep|Gov|Pres|St|Mt|Jr|Sr|vs|cf|al|approx|ca
             | e\.g|i\.e|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec )
        | (?<![\p{L}\p{N}]) (?!I\.$) \p{Lu}
        | (?: ^|\n) \s* \p{N}{1,3}
        ) \.$""",
    regex.VERBOSE | regex.V1,
)
_NUMBERED = regex.compile(r"\b(?:No|Nr|Nos|Fig|Figs|Vol|Eq|Sec|Ch|pp?)\.$")


def _sentence_starts(text: str) -> list[int]:
    """Where sentences begin: at the first word after an end."""
    starts = [0]
    said = len(text) - len(text.lstrip())  # where the sentence's first character is
    for found in _END.finditer(text):
        if found.start() <= said:  # nothing is said so far: no sentence to end
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
        said = at
    return starts


def _paragraphs(text: str, anchors: Sequence[int]) -> list[Segment]:
    """Paragraphs that tile the tokens. The blank lines after one are its own."""
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
