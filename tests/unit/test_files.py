"""A file that a user asks for is written whole or not at all, where it was asked for, with the usual permissions."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from saliency_widget.errors import FileError, SaliencyError
from saliency_widget.files import write_whole

from .test_result import full

NOBODY = 65534


@pytest.fixture
def umask() -> Iterator[None]:
    """Puts back the umask that a test sets."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077, 0o027, 0])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: None, mask: int) -> None:
    """A new file has the permissions of a file that Python itself opens there."""
    os.umask(mask)
    full().save(tmp_path / "a.safetensors")
    (tmp_path / "plain").write_text("")
    assert mode(tmp_path / "a.safetensors") == mode(tmp_path / "plain") == 0o666 & ~mask


def test_a_file_that_was_there_keeps_its_permissions(tmp_path: Path, umask: None) -> None:
    path = tmp_path / "a.safetensors"
    for kept in (0o600, 0o666, 0o640, 0o755):
        path.write_text("old")
        path.chmod(kept)
        full().save(path)
        assert mode(path) == kept
        assert path.stat().st_size > 1000


def test_a_link_stays_one_and_its_file_has_the_new_content(tmp_path: Path) -> None:
    """A link to a file, a link to a link in another folder, and a link to what is not there yet."""
    (tmp_path / "there").mkdir()
    for name, target in (("link", "there/old"), ("chain", "link"), ("dangling", "there/new")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "there" / "old").write_bytes(b"old")
    for at, (name, real) in enumerate((("link", "old"), ("chain", "old"), ("dangling", "new"))):
        write_whole(tmp_path / name, b"%d" % at)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "there" / real).read_bytes() == b"%d" % at
        assert not (tmp_path / "there" / real).is_symlink()
    assert names(tmp_path) == ["chain", "dangling", "link", "there"]
    assert names(tmp_path / "there") == ["new", "old"]


def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 255)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_name_alone_is_a_file_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    full().save("a.safetensors")
    assert names(tmp_path) == ["a.safetensors"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    """A pipe is written to and not replaced; otherwise /dev/null could be replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, b"new")
        assert os.read(reader, 100) == b"new"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_the_system_refuses_is_said_with_cause_and_cure(tmp_path: Path) -> None:
    """No folder, a folder, below a file, a full disk, a circle of links, a name that is none; nothing is left there."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "full").symlink_to("/dev/full")
    (tmp_path / "lost").symlink_to("nowhere/a")
    before = names(tmp_path)
    for name, cause, cure, number in (
        ("no/a", "there is no such folder", "Make the folder first", errno.ENOENT),
        ("lost", "there is no such folder", "Make the folder first", errno.ENOENT),
        ("folder", "it is a folder", "Add the name of a file", errno.EISDIR),
        ("", "it is a folder", "Add the name of a file", errno.EISDIR),
        ("file/a", "a part of its path is a file", "Check the path", errno.ENOTDIR),
        ("full", "the disk is full", "Make room", errno.ENOSPC),
        ("circle", "its symbolic links lead in a circle", "Check where", errno.ELOOP),
        ("a" * 256, "its name is too long", "a shorter one", errno.ENAMETOOLONG),
        ("a\0b", "it is no path", "Check the path", None),
    ):
        with pytest.raises(FileError, match=f"cannot be saved: {cause}") as caught:
            full().save(tmp_path / name)
        assert isinstance(caught.value, SaliencyError)
        assert isinstance(caught.value, OSError)
        assert cure in caught.value.cure
        assert caught.value.errno == number
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path / "folder") == []


@pytest.mark.parametrize("breaks", ["write", "fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=["full", "interrupted"]
)
def test_a_save_that_breaks_off_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str, error: BaseException
) -> None:
    """A save that fails at any step leaves the old file and no other."""

    def fails(*_: object) -> None:
        raise error

    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    if breaks == "write":
        monkeypatch.setattr(os, "fdopen", fails)
    else:
        monkeypatch.setattr(os, breaks, fails)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else FileError):
        full().save(path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.safetensors"]


# In a process of its own: what is taken from it, it does not get back.
SAVES = """\
import os, resource, sys
from saliency_widget.errors import FileError
from tests.unit.test_result import full
full().save(sys.argv[1] + "/warm")  # everything is imported by now
{limit}
for name in sys.argv[2:]:
    try:
        full().save(name)
        print("saved")
    except FileError as error:
        print(error.errno, error.message.rpartition(": ")[2])
"""


def saving(free: Path, limit: str, *paths: Path) -> list[str]:
    """The outcomes of saving a map at each path after `limit` was run; `free`: a folder for what it needs."""
    asked = [sys.executable, "-W", "error", "-c", SAVES.format(limit=limit), str(free), *map(str, paths)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_where_no_more_can_be_written_the_old_file_is_there_still(tmp_path: Path) -> None:
    """A limit of 600 bytes a file, which holds root too, ends the write in its middle."""
    room = tmp_path / "room"
    room.mkdir()
    old, new = room / "old", room / "new"
    old.write_bytes(b"old")
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))"
    said = f"{errno.EFBIG} a file may not be that large there."
    assert saving(tmp_path, limit, old, new) == [said, said]
    assert old.read_bytes() == b"old"
    assert names(room) == ["old"]


def test_where_one_may_not_write_one_is_told_so(tmp_path: Path) -> None:
    """A folder, and a file, that are write-protected; root, which neither holds back, gives up its rights for it."""
    with TemporaryDirectory() as made:  # that of pytest is closed to others
        locked, room = Path(made, "locked"), Path(made, "room")
        locked.mkdir()
        room.mkdir()
        (room / "old").write_bytes(b"old")
        for path, rights in ((room / "old", 0o444), (locked, 0o555), (room, 0o777), (Path(made), 0o755)):
            path.chmod(rights)
        limit = f"if os.geteuid() == 0: os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
        said = f"{errno.EACCES} you have no permission."
        assert saving(tmp_path, limit, locked / "a", room / "old", room / "new") == [said, said, "saved"]
        assert names(locked) == []
        assert (room / "old").read_bytes() == b"old"
        assert names(room) == ["new", "old"]
