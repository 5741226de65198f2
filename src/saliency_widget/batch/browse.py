"""`Run.browse`: a table of the texts of a run, and the map of the one that is clicked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anywidget
import traitlets
from ipywidgets import VBox

from .. import hosts
from ..attribution.cards import READY, card_of
from ..comparison.exhibit import Exhibit, Exhibition, Shown
from ..errors import SaliencyError
from ..export.html import built
from ..export.reading import floors
from ..hosts import check_notebook
from ..session.messages import wire_notes
from ..widget import MapWidget

if TYPE_CHECKING:
    import pandas as pd

    from ..attribution.result import Attribution

_MOST = 200  # rows that a page may ask for at once
_LONGEST = 300  # characters of a text in the table
_TEXTS = ("id", "prompt", "written", "most", "error", "said_label")
_LABELS = {
    "id": "id", "prompt": "text", "written": "written", "probability": "p", "most": "strongest input",
    "seconds": "seconds", "error": "error",
}  # fmt: skip
_CLOSED = (
    "This is the map of a run that is done: there is no model behind it to ask.",
    "Call show() with a model for that.",
)


class Maps(Protocol):
    """The texts of a run, and their maps; `run.Run` is one."""

    @property
    def about(self) -> Mapping[str, Any]:
        """Return what was asked, of which model."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the id of each text."""

    def to_dataframe(self) -> pd.DataFrame:
        """Return a line for each text."""

    def __len__(self) -> int: ...

    def __getitem__(self, which: int, /) -> Attribution: ...


class RunTable(anywidget.AnyWidget):
    """The table of a run's texts. Traits: `columns`, what each column is; `n`, how many texts; `chosen`, a place."""

    _esm = built("browse.js")
    _css = built("browse.css")
    columns: Any = traitlets.List(help="[{name, label, number}]").tag(sync=True)
    name = traitlets.Unicode(help="what the run is of").tag(sync=True)
    n = traitlets.Int(0, help="how many texts there are").tag(sync=True)
    chosen = traitlets.Int(None, allow_none=True, help="which text's map is shown").tag(sync=True)

    def __init__(self, frame: pd.DataFrame, name: str) -> None:
        shown = [each for each in frame.columns if each != "error" or frame["error"].notna().any()]
        columns = [
            {"name": each, "label": _LABELS.get(each, each.replace("_", " ")), "number": each not in _TEXTS}
            for each in shown
        ]
        super().__init__(columns=columns, n=len(frame), name=name)
        self._frame = frame
        self._text = frame[[each for each in _TEXTS if each in frame]].fillna("").agg(" ".join, axis=1).str.casefold()
        hosts.hear_in_cells(self.comm)
        self.on_msg(self._on_message)

    def _on_message(self, _widget: Any, content: object, _buffers: object) -> None:
        """Answer a page that asks for rows; a message that is none is ignored."""
        if isinstance(content, Mapping) and content.get("type") == "rows":
            self.send(self.answer(content))

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the rows `start` … of those that contain `search`, sorted by the column `sort`.

        Numbers that are not known come last, whichever way is sorted.
        """
        frame = self._frame
        words = str(asked.get("search", "")).casefold().split()
        for word in words:
            frame = frame[self._text[frame.index].str.contains(word, regex=False)]
        sort = str(asked.get("sort", ""))
        if sort in frame:
            frame = frame.sort_values(sort, ascending=not asked.get("descending"), kind="stable", na_position="last")
        start = max(0, int(asked.get("start", 0)))
        part = frame.iloc[start : start + min(_MOST, max(0, int(asked.get("count", 0))))]
        names = [column["name"] for column in self.columns]
        rows = [
            [at, *map(_cell, values)] for at, values in zip(part.index.tolist(), part[names].to_numpy(), strict=True)
        ]
        return {"type": "rows", "request": asked.get("request"), "start": start, "total": len(frame), "rows": rows}


class Browser(VBox):  # type: ignore[misc] # ipywidgets is not typed
    """A run's table, and the map of the text that was clicked. Made by `Run.browse`.

    `table.chosen` is the place of that text in the run; `attribution` its map, or None.
    """

    def __init__(self, run: Maps) -> None:
        self._run = run
        about = run.about
        self.table = RunTable(run.to_dataframe(), f"{about['asked']['method']} of {about['model']['name']}")
        self._map: MapWidget | None = None
        super().__init__([self.table], layout={"width": "100%"})
        self.table.observe(self._on_chosen, "chosen")

    @property
    def attribution(self) -> Attribution | None:
        """Return the map on show."""
        return None if self._map is None else self._map.attribution

    def _on_chosen(self, change: Any) -> None:
        """Show the map of the chosen text; of one that has none, nothing: the table says why."""
        before, self._map = self._map, None
        if change["new"] is not None and 0 <= change["new"] < len(self._run):
            try:
                found = self._run[change["new"]]
            except SaliencyError:
                self.log.debug("Text %s has no map.", change["new"])
            else:
                self._map = MapWidget(partial(Exhibit, exhibition_of(found, self._run.ids[change["new"]])))
        self.children = [self.table] if self._map is None else [self.table, self._map]
        if before is not None:
            before.close()


def browse(run: Maps) -> Browser:
    """Return the browser of a run. Raises: NoNotebook."""
    check_notebook()
    return Browser(run)


def exhibition_of(found: Attribution, name: str) -> Exhibition:
    """Return the exhibition of one finished map."""
    n = len(found.rows)
    behind = [token for token in found.cols if token.position >= n]
    # A span's tokens are rows, and it is one column behind them.
    tokens = (*found.rows, *(behind or found.cols))
    first = found.cols[0].position if behind and found.cols[0].position < n else n
    card = card_of(found.method, signed=found.signed, unit=found.unit)
    about = [("method", card.label), *([("explains", found.objective.replace("_", "-"))] if found.objective else [])]
    about += [(key, str(value)) for key, value in found.settings.items() if value is not None]
    return Exhibition(
        name=f"{found.model_name} · {name}",
        where="run",
        what="finished",
        tokens=tokens,
        segments=found.segments,
        first_target=first,
        maps=[Shown(
            card=replace(card, cost=READY), map=found, about=about, notes=wire_notes(found, range(len(found.cols))),
            floors=floors(found),
        )],
        closed=_CLOSED,
    )  # fmt: skip


def _cell(value: Any) -> Any:
    """Return a value as JSON has it: a missing number is null, a long text is cut."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return float(value)
