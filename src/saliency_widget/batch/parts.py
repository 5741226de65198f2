"""The folder of a run: `run.json`, and parts in parquet that are written once, whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DamagedFile, FileError, InputError, NoSuchFile
from ..files import made_folder, read_part, size_of, write_whole

if TYPE_CHECKING:
    from pyarrow import Schema, Table

FORMAT = 1  # of the folders that are written; one with a higher number comes from a newer version
_KIND = "saliency-widget run"
_ABOUT, _LOCK = "run.json", ".run.lock"


@dataclass(frozen=True, slots=True)
class Line:
    """The place of the newest line of a text: its part, and its place there. `error`: cause and cure, or None."""

    id: str
    place: int
    key: str
    part: str
    at: int
    error: str | None


def check_pyarrow() -> None:
    """Raise InputError unless pyarrow is installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise InputError(
            "A run over many texts is written as parquet files, and pyarrow is not installed.",
            cure='Install it: pip install "saliency-widget[data]".',
        ) from error


# ── run.json ─────────────────────────────────────────────────────────────────────────────────────────────────────


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write what was asked. Raises: FileError."""
    whole = {"kind": _KIND, "format": FORMAT, **about}
    write_whole(folder / _ABOUT, (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def read_about(folder: Path) -> dict[str, Any]:
    """Return what was asked. Raises: NoSuchFile, DamagedFile, FileError."""
    path = folder / _ABOUT
    if not path.is_file():
        raise NoSuchFile(f"{folder} is no folder of a run: it has no {_ABOUT}.", cure="Check the path.")
    try:
        about = json.loads(read_part(path, 0, size_of(path)))
    except ValueError as error:
        raise DamagedFile(f"{path} is garbled: {error}.", cure="Copy the folder again.") from error
    if not isinstance(about, dict) or about.get("kind") != _KIND:
        raise DamagedFile(f"{path} is not of a run of saliency-widget.", cure="Check the path.")
    if about.get("format", 0) > FORMAT:
        raise DamagedFile(
            f"{path} was written by a newer version of saliency-widget, in its format {about['format']}.",
            cure="Upgrade with pip install -U saliency-widget.",
        )
    return about


def is_run(folder: Path) -> bool:
    """Return whether the folder holds a run; False if there is none, or nothing in it.

    Raises: InputError for a folder with other things in it, and for a file.
    """
    if (folder / _ABOUT).is_file():
        return True
    if folder.is_dir() and all(each.name.startswith(".") for each in folder.iterdir()):
        return False
    if folder.exists():
        what = "holds other files" if folder.is_dir() else "is a file"
        raise InputError(f"out={str(folder)!r} {what}, and no run.", cure="Name a new folder, or that of a run.")
    return False


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make the folder, and enter a context in which no other process writes to it.

    Files that a killed process left half-written are removed.
    Raises: InputError if another process is at work there; FileError.
    """
    made_folder(folder)
    with _locked(folder / _LOCK):
        for draft in folder.glob(".saliency-*.part"):
            draft.unlink(missing_ok=True)
        yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows has none: two runs there write parts of different names, and compute twice
        yield
        return
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise FileError(
            f"{path.parent} cannot be written to: {error.strerror}.", cure="Choose a folder of yours.",
            errno=error.errno,
        ) from error  # fmt: skip
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"Another process is at work on {path.parent}.", cure="Wait until it is done, or name another folder."
            ) from error
        yield
    finally:
        os.close(handle)  # a killed process lets go, too


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(folder: Path, table: Table) -> None:
    """Write the next part, whole or not at all: to a file beside it that is renamed once it is on the disk.

    Raises: FileError, such as for a full disk; then all earlier parts are as they were.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    names = part_names(folder)
    number = 1 + int(names[-1].split("-")[1]) if names else 0
    write_whole(folder / f"part-{number:06d}-{secrets.token_hex(4)}.parquet", sink.getvalue().to_pybytes())


def table_of(records: Sequence[Mapping[str, Any]], columns: Schema) -> Table:
    """Return the table of these lines; what a line does not name is null."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(records), schema=columns)


def part_names(folder: Path) -> list[str]:
    """Return the names of the parts, the oldest first."""
    return sorted(path.name for path in folder.glob("part-*.parquet"))


def read(folder: Path, part: str, columns: Sequence[str] | None = None) -> Table:
    """Return a part, or some columns of it. Raises: DamagedFile, FileError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / part
    content = read_part(path, 0, size_of(path))
    try:
        return pq.read_table(pa.BufferReader(content), columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(
            f"{path} is not a whole part of a run: {error}.",
            cure="Copy it again; or remove it, and run again: its texts are then computed anew.",
        ) from error


def lines(folder: Path) -> dict[str, Line]:
    """Return the newest line of each text, by id: a later part counts more. Raises: DamagedFile, FileError."""
    found: dict[str, Line] = {}
    for part in part_names(folder):
        columns = ("id", "place", "key", "error", "cure")
        table = read(folder, part, columns)
        for at, values in enumerate(zip(*(table[column].to_pylist() for column in columns), strict=True)):
            name, place, key, error, cure = values
            said = None if error is None else f"{error} {cure or ''}".rstrip()
            found[name] = Line(name, place, key, part, at, said)
    return found
