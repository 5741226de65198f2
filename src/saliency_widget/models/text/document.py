"""A document: the tokens that a model read and wrote, and their segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...checks import whole_number
from ...errors import InputError
from ...export.reading import answer_begin, first_shown, unprinted
from ...types import Inputs, Role, Segment, Target, Token
from .prompting import Encoded
from .thinking import with_thinking
from .tokens import describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text as tokens: `tokens[:first_target]` are given, and each of the others is a column to explain."""

    inputs: Inputs
    first_target: int
    targets: tuple[Target, ...]
    tokens: tuple[Token, ...]
    segments: tuple[Segment, ...]

    @property
    def rows(self) -> tuple[Token, ...]:
        """Return every token that some target can see: source, prompt and all generated tokens but the last."""
        return self.tokens[: max(target.n_seen for target in self.targets)]

    @property
    def first_written(self) -> int:
        """Return the position of the first written token (or class), which may lie before an explained span."""
        written = (token.position for token in self.tokens[: self.first_target] if token.role == "generated")
        return next(written, self.first_target)

    @property
    def first_shown(self) -> int:
        """Return the column that a page shows first."""
        return first_shown(self.cols, self.segments)

    @property
    def answer(self) -> range:
        """Return the columns of the answer: all, or those after the last thinking."""
        return range(answer_begin(self.cols, self.segments), len(self.cols))

    @property
    def cols(self) -> tuple[Token, ...]:
        """Return the generated tokens, or the classes."""
        return self.tokens[self.first_target :]


def describe_text(tokenizer: Any, encoded: Encoded, written: Sequence[int]) -> Document:
    """Return the document of a prompt or source and the written (or forced) tokens after it.

    The thinking that a model wrote is a segment of its own.
    """
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
    apart, stretches = with_thinking(tokens, tiled, first)
    return Document(
        inputs=Inputs(source, ids),
        first_target=first,
        targets=tuple(Target(position, (i,)) for position, i in enumerate(written, start=first)),
        tokens=apart,
        segments=stretches,
    )


def describe_classes(tokenizer: Any, encoded: Encoded, labels: Sequence[str]) -> Document:
    """Return the document of a text and the classes to explain."""
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
    """Return a span as two whole numbers. Raises: InputError."""
    if not isinstance(span, tuple | list) or len(span) != 2:
        raise InputError(f"span={span!r} is not a range of tokens.", cure="Give (first, last + 1).")
    where = f"In span={span!r} an end"
    first, stop = (whole_number(where, end, cure="Give (first, last + 1), counted from 0.") for end in span)
    return first, stop


def spanning(document: Document, start: int, stop: int) -> Document:
    """Return the document with one column: the written tokens start … stop - 1, explained together.

    Raises: InputError if there are no such tokens.
    """
    n = len(document.cols)
    if not (0 <= start < stop <= n):
        raise InputError(
            f"span=({start}, {stop}) is not a range of the {n} written tokens.",
            cure=f"Give (first, last + 1) with 0 ≤ first < last + 1 ≤ {n}.",
        )
    if document.cols[start].role == "class":
        raise InputError("A span is a range of written tokens; a classifier writes none.", cure="Leave span= out.")
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
    """Return one token for several neighbours, with their text and the position of the first.

    It is special only if all of them are.
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
    """Return the tokens' text, each character once, without a character that began in an earlier token."""
    span, (k, _) = tokens[0].span, tokens[0].part or (1, 1)
    return "".join(text for _, text in unprinted(tokens, span[0] + 1 if span and k > 1 else 0))
