"""A saved evaluation: one JSON file with a checksum, of which every field is checked when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...errors import DamagedFile
from ...files import read_part, size_of, write_whole
from ..sanity.soundness import KINDS, Check, Finding, Sanity
from .figures import METRICS, Figure
from .findings import Band, Findings, Floor, Judgement

FORMAT = 2  # of the files that are written; a file with a higher number comes from a newer version
_KIND = "saliency-widget evaluation"


def write(findings: Findings, path: str | Path) -> None:
    """Write an evaluation, whole or not at all. Raises: FileError."""
    text = json.dumps(asdict(replace(findings, notes=dict(findings.notes))))
    whole = {"kind": _KIND, "format": FORMAT, "sha256": sha256(text.encode()).hexdigest(), "evaluation": text}
    write_whole(path, json.dumps(whole).encode())


def read(path: str | Path) -> dict[str, Any]:
    """Return the fields of the evaluation in a file. Raises: DamagedFile, NoSuchFile, FileError."""
    content = read_part(path, 0, size_of(path))
    try:
        return _fields(json.loads(_checked(json.loads(content), path)))
    except DamagedFile:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise DamagedFile(
            f"{path} is not a whole saved evaluation: {wrong}.",
            cure="Save it again, or copy it again if a copy broke off.",
        ) from wrong


def _checked(whole: Any, path: str | Path) -> str:
    """Return the JSON of the evaluation, whose checksum is right."""
    if not isinstance(whole, dict) or whole.get("kind") != _KIND:
        raise ValueError("it is another kind of file")
    if _whole(whole["format"]) > FORMAT:
        raise DamagedFile(
            f"{path} was saved by a newer version of saliency-widget, in its format {whole['format']}.",
            cure="Upgrade with pip install -U saliency-widget.",
        )
    text = _string(whole["evaluation"])
    if sha256(text.encode()).hexdigest() != whole["sha256"]:
        raise ValueError("its checksum is that of other contents")
    return text


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    strings, flag, number = _many(_string), _flag, _number
    readers: dict[str, Callable[[Any], Any]] = {
        "maps": strings, "methods": strings, "targets": strings, "operators": strings, "unit": _string,
        "units": strings, "steps": _many(_whole), "exact": flag, "exhaustive": flag, "judgements": _many(_judgement),
        "floors": _many(_floor), "given_up": strings, "notes": _notes, "complete": flag, "raw": flag,
        "model_name": _string, "rows": number, "runs": number, "seconds": number, "sanity": _sanity,
    }  # fmt: skip
    given = {"sanity": None, **given}  # format 1 has none
    if set(given) != set(readers):
        raise ValueError("its fields are not those of an evaluation")
    return {name: read_one(given[name]) for name, read_one in readers.items()}


def _judgement(given: Any) -> Judgement:
    numbers = _many(_number)
    return Judgement(
        _string(given["map"]), _string(given["target"]), _string(given["operator"]), numbers(given["without"]),
        numbers(given["only"]), numbers(given["reverse"]), _many(_figure)(given["figures"]),
        _many(_whole)(given["top"]),
    )  # fmt: skip


def _figure(given: Any) -> Figure:
    metric, reason = _string(given["metric"]), given["reason"]
    if metric not in METRICS:
        raise ValueError(f"there is no metric {metric!r}")
    names = ("value", "random_mean", "random_low", "random_high", "p", "low", "high")
    value, mean, low, high, p, worst, best = (None if given[name] is None else _number(given[name]) for name in names)
    return Figure(metric, value, mean, low, high, p, worst, best, None if reason is None else _string(reason))


def _floor(given: Any) -> Floor:
    return Floor(
        _string(given["target"]), _string(given["operator"]), _number(given["whole"]), _number(given["empty"]),
        _band(given["without"]), _band(given["only"]), _whole(given["random"]),
    )  # fmt: skip


def _band(given: Any) -> Band:
    middle, low, high = (_many(_number)(given[name]) for name in ("middle", "low", "high"))
    return Band(middle, low, high)


def _sanity(given: Any) -> Sanity | None:
    if given is None:
        return None
    return Sanity(
        checks=_many(_check)(given["checks"]), methods=_notes(given["methods"]),
        model_name=_string(given["model_name"]), shuffles=_whole(given["shuffles"]),
        seconds=_number(given["seconds"]), complete=_flag(given["complete"]),
    )  # fmt: skip


def _check(given: Any) -> Check:
    kind, (value, mean, low, high, n, reason) = _string(given["check"]), given["found"]
    if kind not in KINDS:
        raise ValueError(f"there is no check {kind!r}")
    value, mean, low, high = (None if each is None else _number(each) for each in (value, mean, low, high))
    found = Finding(value, mean, low, high, _whole(n), None if reason is None else _string(reason))
    return Check(map=_string(given["map"]), check=kind, of=_string(given["of"]), found=found)


def _notes(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise TypeError("its notes (or methods) are no object")
    return {name: _string(said) for name, said in given.items()}


def _many(one: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read_all(given: Any) -> tuple[Any, ...]:
        if not isinstance(given, list):
            raise TypeError("a list is missing")
        return tuple(one(item) for item in given)

    return read_all


def _string(given: Any) -> str:
    found: str = _of_type(given, str)
    return found


def _flag(given: Any) -> bool:
    found: bool = _of_type(given, bool)
    return found


def _whole(given: Any) -> int:
    if type(given) is not int:
        raise TypeError(f"{given!r} is no whole number")
    return given


def _number(given: Any) -> float:
    if type(given) not in (int, float):
        raise TypeError(f"{given!r} is no number")
    return float(given)


def _of_type(given: Any, kind: type) -> Any:
    if not isinstance(given, kind):
        raise TypeError(f"{given!r} is no {kind.__name__}")
    return given
