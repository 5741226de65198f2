"""A talk is an explanation that was asked of a language model, with its answer so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from ..errors import SaliencyError
    from ..explanation.asking import Inquiry, News
    from ..explanation.choice import Choice
    from ..explanation.result import Explanation

State: TypeAlias = Literal["waiting", "writing", "done", "cancelled", "failed"]


@dataclass(frozen=True, kw_only=True)
class Talk:
    """An explanation that was asked for, and its answer so far."""

    id: int
    explainer: str
    request: Inquiry
    of_widget: bool = False  # the explanation is about the text on show, not about the one in the request
    col: int | None = None  # the target of the text on show that it is about
    state: State = "waiting"
    name: str = ""
    where: str = ""
    news: News | None = None
    seconds: float = 0.0
    explanation: Explanation | None = None
    error: SaliencyError | None = None
    mapped: bool = False


@dataclass(frozen=True)
class Comparing:
    """The task to compare the scores of an answer with computed ones. `review` of None: about the text on show."""

    review: str | None
    choice: Choice
    explainer: str


Wish: TypeAlias = Talk | Comparing
