"""What was asked of a language model, and what is there of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from ..errors import SaliencyError
    from ..explanation.asking import Inquiry, News
    from ..explanation.result import Explanation

State: TypeAlias = Literal["waiting", "writing", "done", "cancelled", "failed"]


@dataclass(frozen=True, kw_only=True)
class Talk:
    """An explanation that was asked for, and what is there of it."""

    id: int
    explainer: str
    request: Inquiry
    of_widget: bool = False  # what it is about is the text that the widget shows, and not that of the request
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
    """What the model says beside what it computes was asked for; None: of the text that the widget shows."""

    review: str | None


Wish: TypeAlias = Talk | Comparing
