"""`Run`: the maps of a folder, as far as there are any. And `open_run`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..characters import in_a_cell, plain
from ..errors import InputError
from ..models.text.document import joined
from . import parts
from .record import attribution_of, figure_names

if TYPE_CHECKING:
    import pandas as pd

    from ..attribution.result import Attribution
    from .browse import Browser

_SHOWN = 5  # errors that a run prints


class Failure(NamedTuple):
    """A text without a map: its id, its place in the data set, and why."""

    id: str
    place: int
    error: str


class Run:
    """The maps of many texts, in a folder. Made by `attribute_many` and `open_run`; it holds no map itself.

    `len(run)`: its texts, those that failed included. `run[i]`: the `Attribution` of the i-th text in the order of the
    data set, or of the text with this id, if it is a string. It is read when it is asked for. `about`: what was asked,
    of which model, with which versions.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = parts.read_about(folder)
        self._lines = sorted(parts.lines(folder).values(), key=lambda line: (line.place, line.id))
        self._at = {line.id: at for at, line in enumerate(self._lines)}
        self._part = lru_cache(maxsize=2)(lambda name: parts.read(folder, name))

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, which: int | str) -> Attribution:
        """Return one map. Raises: InputError for a text that is not there, or has none; DamagedFile."""
        return attribution_of(self._record(self._index(which)))

    def __iter__(self) -> Iterator[Attribution]:
        """Yield the maps in the order of the data set, without the texts that failed."""
        return (self[at] for at, line in enumerate(self._lines) if line.error is None)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the id of each text, in the order of the data set."""
        return tuple(line.id for line in self._lines)

    @property
    def errors(self) -> tuple[Failure, ...]:
        """Return the texts that have no map, and why."""
        return tuple(Failure(line.id, line.place, line.error) for line in self._lines if line.error is not None)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a line for each text.

        id; prompt and written, as text; probability, the geometric mean of its targets' (of a classifier that of the
        most probable class; of a model of raw scores the first of them); most, the input with the largest absolute
        score, over all targets; seconds; error; of an evaluation, its figures by operator and metric, each with its p;
        and of what the model says of the words its label, and its figures, each with the ends of its random interval.
        """
        import pandas as pd

        said = ["said_label"] if "said_probability" in self.figures else []
        columns = ["id", "prompt", "written", "probability", "most", "seconds", "error", *said]
        return pd.DataFrame([self._summary(at) for at in range(len(self))], columns=[*columns, *self.figures]).astype(
            {"probability": "float64", "seconds": "float64", **dict.fromkeys(self.figures, "float64")}
        )

    @property
    def figures(self) -> tuple[str, ...]:
        """Return the names of the figures that are columns: of the evaluation, and of what the model says."""
        return tuple(figure_names(self.about["asked"]))

    def browse(self) -> Browser:
        """Return a widget with the table of all texts, which can be sorted and searched; a click shows a text's map.

        Raises: NoNotebook.
        """
        from .browse import browse

        return browse(self)

    # ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def __repr__(self) -> str:
        return "\n".join(self._said())

    def _repr_html_(self) -> str:
        return "".join(f"<div>{escape(line)}</div>" for line in self._said())

    def _said(self) -> Iterator[str]:
        failed = self.errors
        texts = "1 text" if len(self) == 1 else f"{len(self):,} texts"
        about = self.about
        yield plain(f"{self.folder}: {texts}, {about['asked']['method']} of {about['model']['name']}")
        if failed:
            yield f"{len(failed):,} failed; they are tried again when it is run again:"
        yield from (plain(f"  {each.id}: {each.error}") for each in failed[:_SHOWN])
        if len(failed) > _SHOWN:
            yield f"  … and {len(failed) - _SHOWN:,} more in .errors"

    # ── read ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _index(self, which: int | str) -> int:
        if isinstance(which, str):
            if which not in self._at:
                raise InputError(f"There is no text {which!r} in {self.folder}.", cure="Its ids are in .ids.")
            return self._at[which]
        n = len(self)
        if not -n <= which < n:
            raise InputError(f"There is no text {which} in {self.folder}.", cure=f"There are {n}: 0 … {n - 1}.")
        return which % n

    def _record(self, at: int) -> dict[str, Any]:
        line = self._lines[at]
        found: dict[str, Any] = self._part(line.part).slice(line.at, 1).to_pylist()[0]
        return found

    def _summary(self, at: int) -> dict[str, Any]:
        line = self._lines[at]
        if line.error is not None:
            record = self._record(at)
            return {"id": line.id, "seconds": record["seconds"], "error": in_a_cell(line.error)}
        record = self._record(at)
        found = attribution_of(record)
        given = [token for token in found.rows if token.position < found.cols[0].position]
        given = [token for token in given if token.role != "generated"] or given
        return {
            "id": line.id,
            "prompt": in_a_cell(joined(given).text),
            "written": "" if found.cols[0].role == "class" else in_a_cell(joined(found.cols).text),
            "probability": _probability(found),
            "most": in_a_cell(_most(found)),
            "seconds": found.seconds,
            "said_label": in_a_cell(record.get("said_label") or ""),
            **{name: record[name] for name in self.figures},
        }


def _probability(found: Attribution) -> float:
    if "value" in found.step_scores:
        return float(found.step_scores["value"][0])
    values = found.step_scores["probability"].astype(np.float64)
    if found.cols[0].role == "class":
        return float(values.max())
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values).mean()))


def _most(found: Attribution) -> str:
    sizes = np.nansum(np.abs(found.normalized().astype(np.float64)), axis=1)
    return found.rows[int(sizes.argmax())].text.strip()


def open_run(folder: str | os.PathLike[str]) -> Run:
    """Return the run in a folder that `attribute_many` wrote, finished or not.

    Raises: NoSuchFile if it is none; DamagedFile; InputError if pyarrow is not installed.
    """
    parts.check_pyarrow()
    return Run(Path(folder))
