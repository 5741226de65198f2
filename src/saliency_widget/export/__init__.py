"""An attribution as text, as a table and as HTML that needs no kernel. Nothing here imports the rest of the package.

That is what lets an `Attribution` show itself: it imports this, not the other way round. What is needed of one is said
by the protocols below.
"""
# ruff: noqa: D102 - the fields are described where they are defined

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TokenLike(Protocol):
    """What is read of a token; `types.Token` says what each field means."""

    @property
    def position(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def span(self) -> tuple[int, int] | None: ...
    @property
    def part(self) -> tuple[int, int] | None: ...


class SegmentLike(Protocol):
    """What is read of a segment; `types.Segment` says what each field means."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def start(self) -> int: ...


class AlternativeLike(Protocol):
    """A token the model could have written instead."""

    @property
    def text(self) -> str: ...
    @property
    def probability(self) -> float: ...


class AttributionLike(Protocol):
    """What is read of an attribution; `attribution.result.Attribution` says what each field means."""

    @property
    def scores(self) -> NDArray[np.float32]: ...
    @property
    def rows(self) -> Sequence[TokenLike]: ...
    @property
    def cols(self) -> Sequence[TokenLike]: ...
    @property
    def segments(self) -> Sequence[SegmentLike]: ...
    @property
    def step_scores(self) -> Mapping[str, NDArray[np.float32]]: ...
    @property
    def alternatives(self) -> Sequence[Sequence[AlternativeLike]]: ...
    @property
    def label(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def objective(self) -> str | None: ...
    @property
    def signed(self) -> bool: ...
    @property
    def unit(self) -> str: ...
    @property
    def model_name(self) -> str: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def seconds(self) -> float: ...
    def normalized(self) -> NDArray[np.float32]: ...
