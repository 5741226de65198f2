"""Segments that the user names in a text: a contract, a question, a quotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

from ...checks import whole_number
from ...errors import InputError
from ...types import Segment

# A name, and the segment: its words, its characters [start, end) or its tokens.
Named: TypeAlias = tuple[str, str | tuple[int, int] | range]


def check_named(segments: Any) -> tuple[Named, ...]:
    """Return `{"contract": "the words" or (start, end)}` as pairs. Raises: InputError for anything else."""
    cure = 'Write it as {"contract": "the words themselves"}, or {"contract": (start, end)} in characters.'
    if not isinstance(segments, Mapping) or not segments:
        raise InputError("segments= is no dictionary of names and parts of the text.", cure=cure)
    found: list[Named] = []
    for name, where in segments.items():
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"A segment is called {name!r}, and must have a name.", cure=cure)
        if isinstance(where, str) and where.strip():
            found.append((name, where))
        elif isinstance(where, tuple | list) and len(where) == 2:
            start, end = (whole_number(f"In the segment {name!r} an end", one, least=0, cure=cure) for one in where)
            found.append((name, (start, end)))
        else:
            raise InputError(f"The segment {name!r} is {where!r}: neither words nor (start, end).", cure=cure)
    return tuple(found)


def stretched(tiles: Sequence[Segment], named: Sequence[Named], text: str, anchors: Sequence[int]) -> list[Segment]:
    """Return the tiles and the named segments cut out of them, in order. `anchors`: the start of each token of `text`.

    Raises: InputError for a segment that the text does not contain, or more than once, that holds no token, or that
    overlaps another one.
    """
    stretches = sorted((_tokens(name, where, text, anchors) for name, where in named), key=lambda one: one.start)
    for one, two in pairwise(stretches):
        if two.start < one.end:
            raise InputError(f"The segments {one.name!r} and {two.name!r} overlap.", cure="Give separate segments.")
    return cut_out(tiles, stretches)


def cut_out(tiles: Sequence[Segment], stretches: Sequence[Segment]) -> list[Segment]:
    """Return the tiles and these segments, which do not overlap, cut out of them, in order."""
    cuts = sorted({edge for one in stretches for edge in (one.start, one.end)})
    found: list[Segment] = []
    for tile in tiles:
        edges = [tile.start, *(cut for cut in cuts if tile.start < cut < tile.end), tile.end]
        for start, end in pairwise(edges):
            within = next((one for one in stretches if one.start <= start < one.end), None)
            part = replace(tile, start=start, end=end) if within is None else replace(within, start=start, end=end)
            if found and within is not None and found[-1].name == within.name and found[-1].end == start:
                part = replace(found.pop(), end=end)  # it continues over the edge of a tile
            found.append(part)
    return found


def _tokens(name: str, where: str | tuple[int, int] | range, text: str, anchors: Sequence[int]) -> Segment:
    if isinstance(where, range):
        return Segment(kind="document", name=name, start=where.start, end=where.stop)
    start, end = _characters(name, where, text)
    inside = [at for at, anchor in enumerate(anchors) if start <= anchor < end]
    if not inside:
        raise InputError(f"The segment {name!r} holds no token.", cure="Give a longer part of the text.")
    return Segment(kind="document", name=name, start=inside[0], end=inside[-1] + 1)


def _characters(name: str, where: str | tuple[int, int], text: str) -> tuple[int, int]:
    if isinstance(where, tuple):
        start, end = where
        if not start < end <= len(text):
            raise InputError(
                f"The segment {name!r} is {where}, and the text has {len(text)} characters.",
                cure="Give (start, end) with start < end.",
            )
        return start, end
    places = [at for at in range(len(text)) if text.startswith(where, at)]
    if not places:
        raise InputError(f"The words of the segment {name!r} are not in the text.", cure="Copy them from the text.")
    if len(places) > 1:
        listed = ", ".join(str((at, at + len(where))) for at in places[:4])
        raise InputError(
            f"The words of the segment {name!r} are in the text {len(places)} times.", cure=f"Give one of {listed}."
        )
    return places[0], places[0] + len(where)
