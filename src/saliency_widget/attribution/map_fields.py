"""The fields of a saved map that are no arrays: JSON becomes tokens, segments and texts, or is refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields
from reprlib import Repr
from typing import Any, TypeVar, get_args

from ..types import Alternative, Role, Segment, SegmentKind, Token
from .aggregate import POOLS, UNITS

LARGEST = 2**63 - 1
CERTAIN = 1.001  # a probability, or a share, is at most 1, but for rounding

_MAX_TOKENS = 2**24  # no model reads as many; what counts them one by one stays small
_MAX_DEPTH = 32  # lists and objects within each other, in settings and diagnostics

_REQUIRED = ("format", "rows", "cols", "segments", "alternatives", "method", "objective", "signed", "unit")
_OPTIONAL = ("foil", "model_name", "settings", "seconds", "diagnostics", "hops")
_MAX_HOPS = 64
# Those that a map reads when it shows itself: a number a column.
_A_NUMBER_A_COLUMN = (
    "baseline_changed",
    "baseline_in_text",
    "bounded",
    "calls",
    "completeness_error",
    "handed_on",
    "ids_left_out",
    "label_mass",
    "noise_floor",
    "precision_noise",
    "relevance_sum",
    "value",
)

_Kind = TypeVar("_Kind")


class Wrong(Exception):
    """A fault in a map that is read or written; the message names the field."""


def fields_of(given: Any) -> dict[str, Any]:
    """Return the fields of an Attribution that are no arrays, from JSON. Raises: Wrong, which names a bad field."""
    about = entry_of(given, "attribution", _REQUIRED, _OPTIONAL)
    rows, cols = (tuple(_each(about[name], name, _token)) for name in ("rows", "cols"))
    alternatives = tuple(
        tuple(_each(column, where, _alternative)) for where, column in _numbered(about["alternatives"], "alternatives")
    )
    if len(alternatives) not in (0, len(cols)):
        raise Wrong(f"it has alternatives for {len(alternatives):,} of {len(cols):,} columns")
    if type(about["signed"]) is not bool:
        raise Wrong(f"signed is {brief(about['signed'])}")
    method = string_of(about["method"], "method")
    return {
        "rows": rows,
        "cols": cols,
        "segments": tuple(_each(about["segments"], "segments", _segment)),
        "alternatives": alternatives,
        "method": method,
        "objective": _optional(about["objective"], "objective", string_of),
        "foil": _optional(about.get("foil"), "foil", string_of),
        "signed": about["signed"],
        "unit": string_of(about["unit"], "unit"),
        "model_name": string_of(about.get("model_name", ""), "model_name"),
        "settings": _settings(about.get("settings", {}), method),
        "seconds": _number(about.get("seconds", 0.0), "seconds", 0, math.inf),
        "diagnostics": _diagnostics(about.get("diagnostics", {}), len(cols)),
        "hops": _hops(about.get("hops", [])),
    }


def _hops(given: Any) -> list[str]:
    """Return the stretches by way of which hops go, one for each."""
    named = list(_each(given, "hops", string_of))
    if len(named) > _MAX_HOPS:
        raise Wrong(f"it has {len(named):,} hops, and at most {_MAX_HOPS} are read")
    return named


def _token(given: Any, where: str) -> Token:
    about = entry_of(given, where, *_names(Token))
    length = whole_of(about.get("length", 1), f"length of {where}", 1, _MAX_TOKENS)
    part = _optional(about.get("part"), f"part of {where}", _pair)
    if part is not None and not 1 <= part[0] <= part[1]:
        raise Wrong(f"part of {where} is {brief(part)}")
    return Token(
        id=whole_of(about["id"], f"id of {where}", -1, LARGEST),
        position=whole_of(about["position"], f"position of {where}", 0, _MAX_TOKENS - length),
        text=string_of(about["text"], f"text of {where}"),
        role=_one_of(about["role"], f"role of {where}", get_args(Role)),
        span=_optional(about["span"], f"span of {where}", _pair),
        word=whole_of(about["word"], f"word of {where}", 0, _MAX_TOKENS),
        sentence=whole_of(about["sentence"], f"sentence of {where}", 0, _MAX_TOKENS),
        segment=whole_of(about["segment"], f"segment of {where}", 0, _MAX_TOKENS),
        part=part,
        length=length,
    )


def _segment(given: Any, where: str) -> Segment:
    about = entry_of(given, where, *_names(Segment))
    end = whole_of(about["end"], f"end of {where}", 0, _MAX_TOKENS)
    return Segment(
        kind=_one_of(about["kind"], f"kind of {where}", get_args(SegmentKind)),
        name=string_of(about["name"], f"name of {where}"),
        start=whole_of(about["start"], f"start of {where}", 0, end),
        end=end,
    )


def _alternative(given: Any, where: str) -> Alternative:
    about = entry_of(given, where, *_names(Alternative))
    return Alternative(
        id=whole_of(about["id"], f"id of {where}", -1, LARGEST),
        text=string_of(about["text"], f"text of {where}"),
        probability=_number(about["probability"], f"probability of {where}", 0, CERTAIN),
    )


def _settings(given: Any, method: str) -> dict[str, Any]:
    """Check settings: any JSON, but `pool` and `unit` of an aggregated map must be those of `Attribution.aggregate`.

    Maps of occlusion were once saved with `mode`, which is now called `operator`.
    """
    settings = entry_of(given, "settings", (), None)
    _check_depth(settings, "settings")
    if "pool" in settings:
        _one_of(settings["pool"], "pool", tuple(POOLS))
        _one_of(settings.get("unit"), "unit in settings", UNITS)
    if method == "occlusion" and "mode" in settings and "operator" not in settings:
        settings = {"operator" if name == "mode" else name: value for name, value in settings.items()}
    return settings


def _diagnostics(given: Any, n_cols: int) -> dict[str, Any]:
    """Check diagnostics: any JSON, but the entries that a displayed map reads must have their types."""
    diagnostics = entry_of(given, "diagnostics", (), None)
    _check_depth(diagnostics, "diagnostics")
    for name in _A_NUMBER_A_COLUMN:
        if name in diagnostics:
            numbers = list_of(diagnostics[name], name)
            if len(numbers) != n_cols or not all(_is_number(n) for n in numbers):
                raise Wrong(f"{name} is {brief(numbers)}, and must be a number for each of {n_cols:,} columns")
    texts = diagnostics.get("operator", [""] * n_cols)
    if len(list_of(texts, "operator")) != n_cols or not all(isinstance(text, str) for text in texts):
        raise Wrong(f"operator is {brief(texts)}, and must be a text for each of {n_cols:,} columns")
    if not _is_number(diagnostics.get("spot_check", 0)):
        raise Wrong(f"spot_check is {brief(diagnostics['spot_check'])}")
    return diagnostics


# ── kinds of values: each gives back what it was given, or says that it is not of the kind ────────────────────────


def entry_of(given: Any, where: str, required: Sequence[str], optional: Sequence[str] | None) -> dict[str, Any]:
    """Return a JSON object with these names; with any others too where `optional` is None."""
    if not isinstance(given, dict):
        raise Wrong(f"{where} is {brief(given)}, and must be an object")
    for name in required:
        if name not in given:
            raise Wrong(f"{where} lacks {name}")
    if optional is not None:
        for name in given:
            if name not in required and name not in optional:
                raise Wrong(f"{where} has an unknown field {brief(name)}")
    return given


def _names(kind: type[Any]) -> tuple[list[str], list[str]]:
    """Return the fields of a dataclass: those without a default, and the others."""
    known = fields(kind)
    return [each.name for each in known if each.default is MISSING], [
        each.name for each in known if each.default is not MISSING
    ]


def list_of(given: Any, where: str) -> list[Any]:
    """Return a JSON list of any items."""
    if not isinstance(given, list):
        raise Wrong(f"{where} is {brief(given)}, and must be a list")
    return given


def _numbered(given: Any, where: str) -> Iterator[tuple[str, Any]]:
    return ((f"{where}[{at}]", item) for at, item in enumerate(list_of(given, where)))


def _each(given: Any, where: str, kind: Callable[[Any, str], _Kind]) -> Iterator[_Kind]:
    return (kind(item, name) for name, item in _numbered(given, where))


def _optional(given: Any, where: str, kind: Callable[[Any, str], _Kind]) -> _Kind | None:
    return None if given is None else kind(given, where)


def _pair(given: Any, where: str) -> tuple[int, int]:
    """Return two whole numbers from 0 on, the first not above the second."""
    numbers = [whole_of(n, where, 0, LARGEST) for n in list_of(given, where)]
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        raise Wrong(f"{where} is {brief(given)}, and must be two numbers in order")
    return numbers[0], numbers[1]


def whole_of(given: Any, where: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`; neither true nor 1.0 is one."""
    if type(given) is not int or not least <= given <= most:
        raise Wrong(f"{where} is {brief(given)}, and must be a whole number from {least} to {most:,}")
    return given


def _number(given: Any, where: str, least: float, most: float) -> float:
    """Return a finite number; an integer stays one."""
    if not _is_number(given) or not math.isfinite(given) or not least <= given <= most:
        raise Wrong(f"{where} is {brief(given)}, and must be a number from {least} to {most:g}")
    number: float = given
    return number


def _is_number(given: Any) -> bool:
    """Return whether it is a number, NaN and infinity included; an integer too large for a float is none."""
    return type(given) is float or (type(given) is int and abs(given) <= LARGEST)


def string_of(given: Any, where: str) -> str:
    """Return a text, which may contain lone surrogates."""
    if not isinstance(given, str):
        raise Wrong(f"{where} is {brief(given)}, and must be a text")
    return given


def _one_of(given: Any, where: str, known: Sequence[str]) -> Any:
    if not isinstance(given, str) or given not in known:
        raise Wrong(f"{where} is {brief(given)}, and must be one of {', '.join(known)}")
    return given


def _check_depth(given: Any, where: str) -> None:
    level = [given]
    for _ in range(_MAX_DEPTH):
        level = [
            item
            for whole in level
            if isinstance(whole, (dict, list))
            for item in (whole.values() if isinstance(whole, dict) else whole)
        ]
    if level:
        raise Wrong(f"{where} is too deep")


def brief(value: object) -> str:
    """Return a value as Python writes it, its middle left out where it is long."""
    return Repr().repr(value)
