"""Reading and writing of the user's files. A file is written completely or not at all; errors name cause and cure."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import FileError, NoSuchFile

if TYPE_CHECKING:
    from collections.abc import Iterator

# The system's error numbers: cause and cure.
_REASONS = {
    errno.ENOENT: ("there is no such folder", "Make the folder first, or check the path."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "Check the path."),
    errno.EISDIR: ("it is a folder", "Add the name of a file to the path."),
    errno.EACCES: ("you have no permission", "Choose a folder of yours, or ask its owner."),
    errno.EPERM: ("you have no permission", "Choose a folder of yours, or ask its owner."),
    errno.EROFS: ("that disk is read-only", "Choose another disk."),
    errno.ENOSPC: ("the disk is full", "Make room on it, or choose another disk."),
    errno.EDQUOT: ("your share of the disk is used up", "Make room there, or choose another disk."),
    errno.EFBIG: ("a file may not be that large there", "Raise the limit (ulimit -f), or choose another disk."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter one."),
    errno.ELOOP: ("its symbolic links lead in a circle", "Check where the links lead."),
}


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file. If that fails, an existing file is unchanged, and no other file is left.

    A symbolic link is kept, and its target replaced. A new file gets the permissions of the umask, an existing one
    keeps its own. A device or a pipe is written to directly.
    Raises: FileError.
    """
    with _explained(path, "saved"):
        if _is_stream(path):
            with Path(path).open("wb") as stream:
                stream.write(content)
        else:
            replace_file(Path(os.path.realpath(path)), content)


def made_folder(path: str | Path) -> None:
    """Make a folder, and those that it is in, unless it is there. Raises: FileError."""
    with _explained(path, "made"):
        Path(path).mkdir(parents=True, exist_ok=True)


def read_part(path: str | Path, start: int, length: int) -> bytes:
    """Return `length` bytes of a file from byte `start` on; fewer if it ends before. Raises: NoSuchFile, FileError."""
    with _explained(path, "read"), Path(path).open("rb") as file:
        file.seek(start)
        return file.read(length)


def size_of(path: str | Path) -> int:
    """Return the size of a file in bytes. Raises: NoSuchFile; FileError, also for a folder, a device or a pipe."""
    with _explained(path, "read"):
        found = Path(path).stat()
    if stat.S_ISREG(found.st_mode):
        return found.st_size
    kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
    raise FileError(f"{path} cannot be read: it is {kind}.", cure="Give the path of a file.")


def _is_stream(path: str | Path) -> bool:
    """Return whether the path is a device, a pipe or a folder, which a file cannot replace."""
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except FileNotFoundError:
        return False


def replace_file(target: Path, content: bytes) -> None:
    """Write the content to a file beside `target`, and rename that to `target` once it is on the disk."""
    try:
        os.close(os.open(target, os.O_WRONLY))  # do not replace a write-protected file
        mode = stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mode = None
    draft = target.with_name(f".saliency-{secrets.token_hex(8)}.part")
    made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(made, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # a full disk may raise only here
        if mode is not None:
            draft.chmod(mode)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _explained(path: str | Path, done: str) -> Iterator[None]:
    """Enter a context in which an OSError becomes a FileError, or NoSuchFile when a file is read."""
    try:
        yield
    except OSError as error:
        if done == "read" and error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NoSuchFile(f"There is no file {path}.", cure="Check the path.", errno=error.errno) from error
        said = (error.strerror or str(error), "Check the path and the disk.")
        why, cure = _REASONS.get(error.errno or 0, said)
        raise FileError(f"{path} cannot be {done}: {why}.", cure=cure, errno=error.errno) from error
    except ValueError as error:  # a NUL, or a lone surrogate
        raise FileError(f"{str(path)!r} cannot be {done}: it is no path.", cure="Check the path.") from error
