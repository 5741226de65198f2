"""The rows of a data set, whatever a user gives: each becomes the arguments of one map, or the error of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import SURROGATE
from ..errors import InputError, NoSuchFile, SaliencyError
from ..models.text.prompting import Prompt, check_prompt

TEXTS = ("text", "messages", "input_ids")
FIELDS = (  # the arguments of `attribute` that each text has for itself
    *TEXTS, "target", "target_ids", "tools", "template", "segments", "documents",
)  # fmt: skip
_NEAR = 0.85  # likeness of a column's name to that of a field, from which on it is taken for a slip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text to explain. `place`: its index in the data set. `fields`: plain data, by the names of `FIELDS`.

    `problem`: cause and cure if it is no row at all; then there are no fields.
    """

    place: int
    id: str
    fields: Mapping[str, Any]
    problem: tuple[str, str] | None = None

    def prompt(self) -> Prompt:
        """Return the checked prompt. Raises: InputError."""
        if self.problem is not None:
            raise InputError(self.problem[0], cure=self.problem[1])
        return check_prompt(
            self.fields.get("text"), **{name: value for name, value in self.fields.items() if name != "text"}
        )

    def key(self, settings: str) -> str:
        """Return the hash of everything that the row's map depends on. `settings`: the hash of what all rows share."""
        return sha256(_json([settings, self.fields, self.problem]).encode()).hexdigest()


def counted(rows: Any) -> int | None:
    """Return the number of rows, or None if they can be read only once and do not say it."""
    if _is_path(rows):
        return sum(1 for _ in _lines(rows))
    try:
        return len(rows)
    except TypeError:
        return None


def is_read_once(rows: Any) -> bool:
    """Return whether the rows come from a generator, which cannot be looked through beforehand."""
    return isinstance(rows, Iterator)


def rows_of(rows: Any) -> Iterator[Row]:
    """Yield the rows of a data set.

    `rows`: texts, pairs of texts (tuples), chats (lists of messages) or mappings with the columns of `FIELDS` and `id`;
    a data frame of pandas or polars; a split of `datasets`; or the path of a JSONL file, each of whose lines is one of
    these.
    Raises: InputError for anything else, and for two rows with one id; NoSuchFile.
    """
    known: dict[str, int] = {}
    for place, item in enumerate(_items(rows)):
        row = _row(place, item)
        if row.id in known:
            raise InputError(
                f"Rows {known[row.id]} and {place} have the same id, {row.id!r}.",
                cure="Give each row an id of its own, or leave out the column: then it is the row's place.",
            )
        known[row.id] = place
        yield row


# ── what is given ────────────────────────────────────────────────────────────────────────────────────────────────


def _items(rows: Any) -> Iterator[Any]:
    if _is_path(rows):
        for number, line in _lines(rows):
            try:
                yield json.loads(line)
            except ValueError as error:
                yield _Broken(f"Line {number} of {os.fspath(rows)} is no JSON: {error}.", "Mend it, or leave it out.")
    elif hasattr(rows, "iter_rows") and hasattr(rows, "columns"):  # polars
        yield from rows.iter_rows(named=True)
    elif hasattr(rows, "itertuples") and hasattr(rows, "columns"):  # pandas
        names = [str(name) for name in rows.columns]
        for values in rows.itertuples(index=False, name=None):
            yield dict(zip(names, values, strict=True))
    elif isinstance(rows, Mapping):
        what = "splits" if all(hasattr(value, "features") for value in rows.values()) else "names"
        raise InputError(
            f"The rows are a mapping with the {what} {', '.join(map(str, rows))}.",
            cure="Give one of its splits, or a list of rows: [{'text': …}, …].",
        )
    elif isinstance(rows, Iterable):
        yield from rows
    else:
        raise InputError(
            f"The rows are a {type(rows).__name__}.",
            cure="Give texts, rows with a column text, messages or input_ids, a data frame, or a JSONL file.",
        )


class _Broken:
    """A line that is no row."""

    def __init__(self, cause: str, cure: str) -> None:
        self.problem = (cause, cure)


def _is_path(rows: Any) -> bool:
    return isinstance(rows, str | os.PathLike)


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a JSONL file that are not blank, numbered from 1. Raises: NoSuchFile, InputError."""
    if not Path(path).is_file():
        raise NoSuchFile(
            f"There is no file {os.fspath(path)!r}.", cure="Check the path; one text is given in a list, [text]."
        )
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
        yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())


def _row(place: int, item: Any) -> Row:
    own = item.get("id") if isinstance(item, Mapping) else None
    name = str(place) if _is_missing(own) else _whole(str(own))
    try:
        if isinstance(item, _Broken):
            return Row(place=place, id=name, fields={}, problem=item.problem)
        return Row(place=place, id=name, fields=_fields(item))
    except SaliencyError as error:
        return Row(place=place, id=name, fields={}, problem=(error.message, error.cure))


def _fields(item: Any) -> dict[str, Any]:
    """Return the fields of a row as plain data. Raises: InputError."""
    if isinstance(item, str):
        return {"text": item}
    if isinstance(item, tuple | list) and len(item) == 2 and all(isinstance(part, str) for part in item):
        return {"text": tuple(item)}
    if isinstance(item, list) and item and all(isinstance(part, Mapping) for part in item):
        return {"messages": _plain(item)}
    if not isinstance(item, Mapping):
        raise InputError(
            f"The row is a {type(item).__name__}.",
            cure="Give a text, a pair of texts, a chat, or a mapping of columns.",
        )
    given = {str(name): value for name, value in item.items() if not _is_missing(value)}
    for name in given:
        near = get_close_matches(name, FIELDS, n=1, cutoff=_NEAR)
        of_no_chat = near == ["documents"] and "messages" not in given  # many data sets have a column document
        if name not in FIELDS and near and near[0] not in item and not of_no_chat:
            raise InputError(f"The row has a column {name!r}.", cure=f"Did you mean {near[0]}?")
    if not any(name in given for name in TEXTS):
        listed = ", ".join(map(str, item)) or "none"
        raise InputError(
            f"The row has no text: its columns are {listed}.", cure=f"Name one of them {', '.join(TEXTS)}."
        )
    found = {name: _plain(given[name]) for name in FIELDS if name in given}
    text = found.get("text")
    if isinstance(text, list) and len(text) == 2 and all(isinstance(part, str) for part in text):
        found["text"] = tuple(text)  # JSON has no tuples, and a pair is one
    if isinstance(found.get("segments"), dict):
        found["segments"] = {
            name: tuple(where) if isinstance(where, list) else where for name, where in found["segments"].items()
        }
    return found


def _is_missing(value: Any) -> bool:
    """Return whether it is None, or the NaN or NA that data frames have in its place."""
    return value is None or (isinstance(value, float) and isnan(value)) or type(value).__name__ == "NAType"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it. Raises: InputError."""
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items() if part is not None}
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if callable(value):  # a tool
        from transformers.utils import get_json_schema

        return get_json_schema(value)
    raise InputError(
        f"The row holds a {type(value).__name__}.", cure="Give texts, numbers, lists and mappings, as JSON has them."
    )


def _whole(text: str) -> str:
    return SURROGATE.sub("�", text)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True)
