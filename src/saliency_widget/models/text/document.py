"""A text as the model reads and wrote it: what a map is drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...checks import whole_number
from ...errors import InputError
from ...export.reading import unprinted
from ...types import Inputs, Role, Segment, Target, Token
from .prompting import Encoded
from .tokens import describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`tokens[:first_target]` are given, the rest are what is explained, one a column."""

    inputs: Inputs
    first_target: int
    targets: tuple[Target, ...]
    tokens: tuple[Token, ...]
    segments: tuple[Segment, ...]

    @property
    def rows(self) -> tuple[Token, ...]:
        """Every token that some target can see: source, prompt and all generated tokens but the last."""
        return self.tokens[: max(target.n_seen for target in self.targets)]

    @property
    def first_written(self) -> int:
        """The position of the first written token (or class): before a span that is explained there may be others."""
        written = (token.position for token in self.tokens[: self.first_target] if token.role == "generated")
        return next(written, self.first_target)

    @property
    def cols(self) -> tuple[Token, ...]:
        """The generated tokens, or the classes."""
        return self.tokens[self.first_target :]


def describe_text(tokenizer: Any, encoded: Encoded, written: Sequence[int]) -> Document:
    """A prompt, or a source, and what was written (or forced) after it."""
    source, given, _ = encoded.inputs
    ids = (*given, *written)
    special = set(tokenizer.all_special_ids)
    after: list[Role] = ["special" if i in special else "generated" for i in written]
    roles = [*encoded.roles[len(source) :], *after]
    n = len(source)
    if not n:
        segments = list(encoded.segments) if encoded.segments is not None else None
        if segments:
            segments[-1] = replace(segments[-1], end=len(ids))
        tokens, tiled = describe(
            ids, tokenizer, roles=roles, segments=segments, unknown=encoded.unknown, named=encoded.named,
            n_given=len(given),
        )  # fmt: skip
    else:
        read, read_as = encoded.segments or ()
        wrote = replace(read_as, end=n + len(ids))
        before, tiles = describe(
            source, tokenizer, roles=encoded.roles[:n], segments=[read], unknown=encoded.unknown[:n],
            named=encoded.named,
        )  # fmt: skip
        behind, _ = describe(ids, tokenizer, roles=roles, segments=[replace(wrote, start=0, end=len(ids))])
        words, sentences = before[-1].word + 1, before[-1].sentence + 1
        tokens = before + [
            replace(
                t, position=t.position + n, word=t.word + words, sentence=t.sentence + sentences, segment=len(tiles)
            )
            for t in behind
        ]
        tiled = [*tiles, wrote]
    first = n + len(given)
    return Document(
        inputs=Inputs(source, ids),
        first_target=first,
        targets=tuple(Target(position, (i,)) for position, i in enumerate(written, start=first)),
        tokens=tuple(tokens),
        segments=tuple(tiled),
    )


def describe_classes(tokenizer: Any, encoded: Encoded, labels: Sequence[str]) -> Document:
    """A text, and the classes that are asked about."""
    ids = encoded.inputs.ids
    n = len(ids)
    tokens, segments = describe(
        ids, tokenizer, roles=encoded.roles, segments=encoded.segments, unknown=encoded.unknown, named=encoded.named
    )
    words, sentences = tokens[-1].word + 1, tokens[-1].sentence + 1
    classes = [
        Token(
            id=index,
            position=n + at,
            text=labels[index],
            role="class",
            span=None,
            word=words + at,
            sentence=sentences,
            segment=len(segments),
        )
        for at, index in enumerate(encoded.target)
    ]
    return Document(
        inputs=encoded.inputs,
        first_target=n,
        targets=tuple(Target(n, (index,)) for index in encoded.target),
        tokens=(*tokens, *classes),
        segments=(*segments, Segment(kind="target", name="classes", start=n, end=n + len(classes))),
    )


def check_span(span: object) -> tuple[int, int]:
    """A span as two whole numbers. Raises: InputError."""
    if not isinstance(span, tuple | list) or len(span) != 2:
        raise InputError(f"span={span!r} is not a stretch of tokens.", cure="Give (first, last + 1).")
    where = f"In span={span!r} an end"
    first, stop = (whole_number(where, end, cure="Give (first, last + 1), counted from 0.") for end in span)
    return first, stop


def spanning(document: Document, start: int, stop: int) -> Document:
    """The document with one column: the written tokens start … stop - 1, explained together.

    Raises: InputError where there are no such tokens.
    """
    n = len(document.cols)
    if not (0 <= start < stop <= n):
        raise InputError(
            f"span=({start}, {stop}) is not a stretch of the {n} tokens that were written.",
            cure=f"Give (first, last + 1) with 0 ≤ first < last + 1 ≤ {n}.",
        )
    if document.cols[start].role == "class":
        raise InputError("A span is a stretch of written tokens; classes have none.", cure="Leave span= out.")
    chosen = document.cols[start:stop]
    first, last = document.first_target + start, document.first_target + stop - 1
    return replace(
        document,
        inputs=document.inputs.at(range(last + 1)),
        first_target=last,
        targets=(Target(first, tuple(t.id for t in chosen)),),
        tokens=(*document.tokens[:last], joined(chosen)),
    )


def joined(tokens: Sequence[Token]) -> Token:
    """One token that stands for several neighbours: their text, the position of the first.

    It is special only where all of them are.
    """
    first, last = tokens[0], tokens[-1]
    if first is last:
        return first
    spans = [token.span for token in tokens if token.span is not None]
    whole = (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None
    return replace(
        first,
        text=_text_of(tokens),
        role=next((token.role for token in tokens if token.role != "special"), "special"),
        span=whole,
        part=None,
        length=last.position + last.length - first.position,
    )


def _text_of(tokens: Sequence[Token]) -> str:
    """Their text, each character once; not that within which they begin: it is of the tokens before."""
    span, (k, _) = tokens[0].span, tokens[0].part or (1, 1)
    return "".join(text for _, text in unprinted(tokens, span[0] + 1 if span and k > 1 else 0))
