"""The attention weights of every head for one target, as a page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from .attention import every_head
from .methods import method_for
from .pipeline import check_column, check_question, problem_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..models.base import Model
    from ..models.text.document import Document

MAX_HEAD_WEIGHTS = 4_000_000  # attention weights of all heads that a page is sent: 16 MB


def heads(
    model: Model, document: Document, col: int, memory_budget: int | None = None
) -> tuple[list[int], NDArray[np.float32]]:
    """Return the attention weights of every head of every layer for one target. `model` is a shadow.

    Return the layers that have attention, and weights in [0, 1], float32 [layers, heads, n_rows]: each head's weights
    are the scores of `attention` with `layer=` and `head=`. NaN where a layer has fewer heads or the target does not
    see the row.
    Raises: InputError if there is no such column or the weights are too many for a page; UnsupportedMethod.
    """
    check_column(col, document)
    question = check_question("attention", "probability", {}, col=col)
    method_for(question.card, model, question.settings)
    n = model.n_layers * model.n_heads * len(document.rows)
    if n > MAX_HEAD_WEIGHTS:
        raise InputError(
            f"The heads of all layers have {n:,} attention weights on this text: too many to show.",
            cure='Ask for one head: method="attention" with layer= and head=.',
        )
    return every_head(problem_of(model, question.request(model, document), document, memory_budget), col)
