"""The shelf is the only way by which a map reaches the pages, whether a method or an LLM made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from ..protocol import to_page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .sender import Sender


class Shelf:
    """The maps of the text on show, as the pages know them; one of them is on show."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def begin(
        self,
        name: str,
        *,
        method: str,
        objective: str,
        shape: tuple[int, ...],
        settings: Sequence[tuple[str, str]] = (),
        foil: str | None = None,
        about: str | None = None,
        col: int | None = None,
        hop: int = 0,
        due: int | None = None,
        aside: bool = False,
    ) -> bool:
        """Put this map on show, without columns if it is new.

        Return whether it is new. `objective`: the objective of the question; the map of a method without objectives
        answers any. `shape`: rows and columns. `about`, `col`, `hop`, `due`: see `to_page.Map`. `aside`: add the map,
        but do not put it on show.
        """
        (n_rows, n_cols), doc, known = shape, self._sender.doc, self._sender.latest("map")
        self._sender.tell(
            to_page.Map(
                type="map", map=name, doc=doc, method=method, objective=objective, settings=list(settings), foil=foil,
                about=about, col=col, hop=hop, due=due, aside=aside, n_rows=n_rows, n_cols=n_cols,
            )
        )  # fmt: skip
        return name not in known

    def fill(
        self,
        name: str,
        cols: Sequence[int],
        scores: NDArray[np.float32],
        errors: NDArray[np.float32] | None = None,
        floors: Sequence[float | None] = (),
    ) -> None:
        """Send finished columns of a map: float32 [n_rows, len(cols)]. A column replaces the one of the same index.

        `errors`: the standard errors of the scores, in the same shape, where they are known. `floors`: for each of
        these columns the size below which a score is noise, where it is known.
        """
        for at, col in enumerate(cols):
            column = to_page.Column(
                type="column", map=name, seq=0, col=col, n_cols=1, n_rows=len(scores),
                floor=floors[at] if floors else None,
            )  # fmt: skip
            self._sender.tell(column, numbers=[of[:, at].copy() for of in (scores, errors) if of is not None])

    def fill_together(self, name: str, cols: range, scores: NDArray[np.float32]) -> None:
        """Send the scores of several targets of a map as one target: float32 [n], of the rows before the last."""
        column = to_page.Column(
            type="column", map=name, seq=0, col=cols.start, n_cols=len(cols), n_rows=len(scores), floor=None
        )
        self._sender.tell(column, numbers=[scores.copy()])

    def rest(self, name: str, n_cols: int, seconds: float) -> None:
        """Tell that so many columns of a map are computed when they are asked for, and about how long that takes."""
        self._sender.tell({"type": "rest", "map": name, "n_cols": n_cols, "seconds": float(f"{seconds:.2g}")})

    def show(self, name: str, objective: str) -> None:
        """Put a map of the shelf on show."""
        header = self._sender.latest("map")[name]
        self._sender.tell(cast("to_page.Map", {**header, "objective": objective, "aside": False}))
