"""The messages to the page about maps: what can be asked, and their columns."""

from __future__ import annotations

from typing import Literal, TypedDict


class WireMethod(TypedDict):
    """The card of a method for the menu and the (i). `reason`: why it cannot run on this model, or None.

    `objective`: the one that it explains unless another is asked for, or None for the one on show.
    """

    id: str
    label: str
    family: str
    signed: bool
    uses_objective: bool
    objective: str | None
    unit: str
    cost: str
    says: str
    reads: str
    caveats: list[str]
    reference: str
    reason: str | None
    seconds: float | None


class WireObjective(TypedDict):
    """An objective with its label."""

    id: str
    label: str
    means: str


class Menu(TypedDict):
    """The methods and objectives of this model."""

    type: Literal["menu"]
    methods: list[WireMethod]
    objectives: list[WireObjective]


class Map(TypedDict):
    """The header of a new map, or of the map that goes on show. Its columns follow in any order; sent ones stay.

    `settings`: the method's own as people read them, and the foil. `foil`: the token that the target is set against.
    `about`: what every column is about in place of its target: the label that an LLM chose, or None. `col`: the only
    column that is computed, or None. `hop`: which step back by way of the thinking it is; 0 for a direct map. `due`:
    the number of columns that are computed, or None for all (or for `col` alone). `aside`: it is not the one on show.
    """

    type: Literal["map"]
    map: str
    doc: int
    method: str
    objective: str
    settings: list[tuple[str, str]]
    foil: str | None
    about: str | None
    col: int | None
    hop: int
    due: int | None
    aside: bool
    n_rows: int
    n_cols: int


class WireNote(TypedDict):
    """A method's sentence about its own result. `cols`: the columns that it is about; None for the whole map."""

    text: str
    cols: list[int] | None


class Notes(TypedDict):
    """The notes on a map, as far as it is computed. They replace earlier ones."""

    type: Literal["notes"]
    map: str
    notes: list[WireNote]


class Column(TypedDict):
    """One column. It replaces an earlier, rougher estimate of the same column.

    It explains the n_cols targets from `col` on as one target, whose objective is the sum of theirs.

    Buffer 0: float32, little-endian, [n_rows]; NaN = the target cannot see this row. Buffer 1, if known: the standard
    errors of these scores, in the same form. If the text is still being written, the map may have more rows by now,
    which the target cannot see. `floor`: the size below which a score is noise, or None where nothing tells it.
    """

    type: Literal["column"]
    map: str
    seq: int
    col: int
    n_cols: int
    n_rows: int
    floor: float | None


class Rest(TypedDict):
    """The n_cols columns of a map that rest until they are asked for, because they take about so many seconds."""

    type: Literal["rest"]
    map: str
    n_cols: int
    seconds: float


class Heads(TypedDict):
    """The reply to `heads`: the attention weights of every head of every layer for the target of `col`.

    `layers`: the indices of the layers that have attention. Buffer 0: float32, little-endian, [layers, n_heads,
    n_rows]; NaN where a layer has fewer heads.
    """

    type: Literal["heads"]
    request: int
    doc: int
    col: int
    layers: list[int]
    n_heads: int
    n_rows: int
