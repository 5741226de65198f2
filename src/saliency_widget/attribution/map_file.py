"""A saved map: one safetensors file, of which every field, number and letter is checked when it is read.

The tensors are `scores` [n_rows, n_cols], `errors` of the same shape if the map has standard errors, one `step.<name>`
[n_cols] for each of the step scores, and `hop.<number>` [n_rows, n_cols] and `share.<number>` [n_cols] for each hop
from 1 on, all float32. The metadata hold `attribution`, a JSON object of the
fields that are no arrays, and `sha256`, the digest of all of these (see `_digest`); files of before there was a digest
have none. The file begins with the length of its header, 8 bytes, little-endian; then come the header, JSON, and the
bytes of the tensors. Format source: safetensors 0.8, README.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DamagedFile, InputError
from ..files import read_part, size_of, write_whole
from .hops import Hop
from .map_fields import CERTAIN, LARGEST, Wrong, brief, entry_of, fields_of, list_of, string_of, whole_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 3  # the newest; a file with a higher number comes from a newer version
_WITH_ERRORS, _PLAIN = 2, 1  # of maps without hops, and without standard errors, which older versions read, too

_MATRICES = ("scores", "errors")  # [n_rows, n_cols] each
_LONGEST_HEADER = 100_000_000  # bytes; safetensors reads none that is longer


class _Tensor(NamedTuple):
    """The shape of a float32 tensor, and its bytes [start, end) after the header."""

    shape: list[int]
    start: int
    end: int


# ── write and read ────────────────────────────────────────────────────────────────────────────────────────────────


def write(fields: Mapping[str, Any], path: str | Path) -> None:
    """Write the fields of a map, whole or not at all. Raises: InputError if `read` would refuse it; FileError."""
    from safetensors.numpy import save

    hops = fields["hops"]
    about = {
        "format": FORMAT if hops else _PLAIN if fields["errors"] is None else _WITH_ERRORS,
        **{name: [asdict(entry) for entry in fields[name]] for name in ("rows", "cols", "segments")},
        "alternatives": [[asdict(other) for other in column] for column in fields["alternatives"]],
        **{name: fields[name] for name in ("method", "objective", "foil", "signed", "unit", "model_name", "seconds")},
        **{name: dict(fields[name]) for name in ("settings", "diagnostics")},
        **({"hops": [hop.through for hop in hops]} if hops else {}),
    }
    arrays = {name: fields[name] for name in _MATRICES if fields[name] is not None}
    arrays |= {f"step.{name}": of for name, of in fields["step_scores"].items()}
    for number, hop in enumerate(hops, start=1):
        arrays |= {f"hop.{number}": hop.scores, f"share.{number}": hop.share}
    arrays = {name: np.asarray(array, "<f4", order="C") for name, array in arrays.items()}
    try:
        text = _written(about)
        _check_arrays(arrays, fields_of(_json(text)))
    except Wrong as wrong:
        raise InputError(
            f"This map cannot be saved: {wrong}.", cure="Make it of what the docstrings of its fields say."
        ) from wrong
    digest = _digest(
        text, {name: (array.shape, array.reshape(-1).view(np.uint8).data) for name, array in arrays.items()}
    )
    write_whole(path, save(arrays, {"attribution": text, "sha256": digest}))


def read(path: str | Path) -> dict[str, Any]:
    """Return the fields of the map in a file. Raises: DamagedFile, NoSuchFile, FileError."""
    size = size_of(path)
    try:
        return _read(path, size)
    except Wrong as wrong:
        raise DamagedFile(
            f"{path} is not a whole saved attribution: {wrong}.",
            cure="Save it again, or copy it again if a copy broke off.",
        ) from wrong


def _read(path: str | Path, size: int) -> dict[str, Any]:
    n = int.from_bytes(read_part(path, 0, 8), "little")
    if n > min(size - 8, _LONGEST_HEADER):
        raise Wrong("it ends before its header does")
    header = entry_of(_json(_text(read_part(path, 8, n))), "its header", ("__metadata__",), None)
    metadata = entry_of(header.pop("__metadata__"), "its metadata", ("attribution",), ("sha256",))
    text = string_of(metadata["attribution"], "attribution")
    about = entry_of(_json(text), "attribution", ("format",), None)
    if whole_of(about["format"], "format", 1, LARGEST) > FORMAT:
        raise DamagedFile(
            f"{path} was saved by a newer version of saliency-widget, in its format {about['format']}.",
            cure="Upgrade with pip install -U saliency-widget.",
        )
    tensors = _tensors(header, size - 8 - n)
    data = memoryview(read_part(path, 8 + n, size))
    if len(data) != size - 8 - n:
        raise Wrong("it changed while it was read")
    parts = {name: (of.shape, data[of.start : of.end]) for name, of in tensors.items()}
    if "sha256" in metadata and metadata["sha256"] != _digest(text, parts):
        raise Wrong("its checksum is that of other contents")
    known = fields_of(about)
    arrays = {name: np.frombuffer(values, "<f4") for name, (_, values) in parts.items()}
    _check_arrays(arrays, known, {name: shape for name, (shape, _) in parts.items()})
    shape = len(known["rows"]), len(known["cols"])
    matrices = {name: arrays.pop(name).reshape(shape) for name in _MATRICES if name in arrays}
    hops = tuple(
        Hop(scores=arrays.pop(f"hop.{number}").reshape(shape), share=arrays.pop(f"share.{number}"), through=through)
        for number, through in enumerate(known.pop("hops"), start=1)
    )
    steps = {name.removeprefix("step."): of for name, of in arrays.items()}
    return {**known, **matrices, "step_scores": steps, "hops": hops}


def _digest(text: str, tensors: Mapping[str, tuple[Sequence[int], memoryview]]) -> str:
    """Return the SHA-256 of the JSON and of each tensor's name, shape and bytes, sorted by name, each with its length.

    The order of the header, in which safetensors may change, is not in it.
    """
    whole = sha256()
    parts: list[bytes | memoryview] = [text.encode("utf-8", "surrogatepass")]
    for name, (shape, values) in sorted(tensors.items()):
        parts += [json.dumps([name, list(shape)]).encode(), values]
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return whole.hexdigest()


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _written(about: dict[str, Any]) -> str:
    try:
        return json.dumps(about)
    except (TypeError, ValueError, RecursionError) as error:
        raise Wrong(f"JSON has no form for a value in it ({error})") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise Wrong("its JSON is too deep") from error
    except ValueError as error:
        raise Wrong(f"its JSON is garbled ({error})") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object in which each name stands once. Raises: Wrong."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Wrong("a name stands twice in its JSON")
    return made


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Wrong("its header is no text") from error


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _tensors(header: dict[str, Any], size: int) -> dict[str, _Tensor]:
    """Return the tensors that the header names. Raises: Wrong unless they cover the `size` bytes after it once."""
    found = {}
    for name, entry in header.items():
        where = f"tensor {brief(name)}"
        entry_of(entry, where, ("dtype", "shape", "data_offsets"), ())
        if entry["dtype"] != "F32":
            raise Wrong(f"the dtype of {where} is {brief(entry['dtype'])}, and must be F32")
        shape = [whole_of(n, f"the shape of {where}", 0, LARGEST) for n in list_of(entry["shape"], where)]
        ends = [whole_of(n, f"an offset of {where}", 0, size) for n in list_of(entry["data_offsets"], where)]
        if len(shape) > 2 or len(ends) != 2 or ends[1] - ends[0] != 4 * math.prod(shape):
            raise Wrong(f"{where} has not the bytes that its shape asks for")
        found[name] = _Tensor(shape, *ends)
    end = 0
    for tensor in sorted(found.values(), key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != end:
            raise Wrong("its tensors overlap, or leave gaps")
        end = tensor.end
    if end != size:
        raise Wrong(f"{size:,} bytes are after its header where it says {end:,}")
    return found


def _check_arrays(
    arrays: Mapping[str, NDArray[np.float32]],
    known: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """Raise Wrong unless names, shapes and values fit the other fields. `shapes`: of arrays that are still flat."""
    n_rows, n_cols = len(known["rows"]), len(known["cols"])
    numbers = range(1, len(known["hops"]) + 1)
    hops, shares = ([f"{kind}.{number}" for number in numbers] for kind in ("hop", "share"))
    for name in ("scores", *hops, *shares):
        if name not in arrays:
            raise Wrong(f"it has no {name}")
    for name, array in arrays.items():
        if name not in (*_MATRICES, *hops, *shares) and not name.startswith("step."):
            raise Wrong(f"nobody knows its tensor {brief(name)}")
        if not _is_text(name):
            raise Wrong(f"the name of its tensor {name!r} is no text")
        wanted = [n_rows, n_cols] if name in (*_MATRICES, *hops) else [n_cols]
        shape = list(array.shape if shapes is None else shapes[name])
        if shape != wanted:
            raise Wrong(f"{name} has the shape {brief(shape)}, and must have {wanted}")
    _check_numbers(arrays, ("scores", *hops), shares)


def _check_numbers(arrays: Mapping[str, NDArray[np.float32]], scores: Sequence[str], shares: Sequence[str]) -> None:
    """Raise Wrong unless the values are those of scores, shares, standard errors and probabilities."""
    if any(np.isinf(arrays[name]).any() for name in scores):
        raise Wrong("there is an infinite score")
    if any(not ((arrays[name] >= 0) & (arrays[name] <= CERTAIN)).all() for name in shares):
        raise Wrong("there is a share outside [0, 1]")
    errors = arrays.get("errors", np.zeros(0, np.float32))
    if (np.isinf(errors) | (errors < 0)).any():
        raise Wrong("there is a standard error below 0 or without an end")
    probability = arrays.get("step.probability", np.zeros(0, np.float32))
    if ((probability < 0) | (probability > CERTAIN)).any():
        raise Wrong("there is a probability outside [0, 1]")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
