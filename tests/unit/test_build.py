"""The built packages, and the hook that adds the front end to them."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import saliency_widget

ROOT = Path(__file__).parents[2]
BUILT = {"widget.js", "widget.css", "browse.js", "browse.css", "static.js"}


def run(*command: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=ROOT)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory) -> Path:
    """The wheel, made from the source distribution on a machine that has no npm."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=sdist, PATH=str(folder))
    (found,) = folder.glob("*.whl")
    return found


def test_the_sdist_holds_the_front_end_and_its_sources(sdist: Path):
    assert {file.name for file in (sdist / "src/saliency_widget/static").iterdir()} >= BUILT
    for name in ("LICENSE", "README.md", "hatch_build.py", "package.json", "package-lock.json", "js/src/index.ts"):
        assert (sdist / name).is_file(), name
    assert not (sdist / "node_modules").exists()


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"saliency_widget/static/{name}" for name in BUILT} <= names
    assert "saliency_widget/py.typed" in names
    about = f"saliency_widget-{saliency_widget.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"saliency_widget", about}
    sources = {str(f.relative_to(ROOT / "src")) for f in (ROOT / "src/saliency_widget").rglob("*.py")}
    assert sources <= names


def test_the_installed_wheel_is_whole(wheel: Path, tmp_path: Path):
    """Every file that the wheel's record names is there, and not empty where it should not be."""
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path)),
        *("--disable-pip-version-check", "--root-user-action", "ignore", str(wheel)),
        cwd=tmp_path,
    )
    (record,) = tmp_path.glob("saliency_widget-*.dist-info/RECORD")
    listed = [name for name, *_ in csv.reader(record.read_text().splitlines())]
    assert all((tmp_path / name).is_file() for name in listed)
    assert all((tmp_path / "saliency_widget/static" / name).stat().st_size > 100 for name in BUILT)
    said = run(
        *(sys.executable, "-I", "-c"),
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import saliency_widget; print(saliency_widget.__file__)",
        cwd=tmp_path,
    )
    assert said.startswith(str(tmp_path))


def test_what_is_pinned_names_no_host():
    """Pinned requirements are versions without hosts or URLs."""
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert not any("resolved" in package for package in packages.values())
    assert not any("://" in str(v) for package in packages.values() for k, v in package.items() if k != "funding")


# ── the hook ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch) -> Path:
    """A checkout with one source file, and an npm that writes down what it is asked to do and builds three files."""
    (tmp_path / "js/src").mkdir(parents=True)
    (tmp_path / "src/saliency_widget/static").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    touch(tmp_path / "js/src/index.ts", 1000)
    npm = tmp_path / "bin/npm"
    npm.write_text(
        '#!/bin/sh\necho "$@" >> asked\n[ "$1" = run ] || exit 0\n'
        "cd src/saliency_widget/static && "
        "for name in widget.js widget.css browse.js browse.css static.js; do echo new > $name; done\n"
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    return tmp_path


def touch(file: Path, time: float) -> None:
    file.write_text("old")
    os.utime(file, (time, time))


def built(checkout: Path, time: float) -> None:
    for name in BUILT:
        touch(checkout / "src/saliency_widget/static" / name, time)


def asked(checkout: Path) -> list[str]:
    file = checkout / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_a_fresh_checkout_is_built(hook, checkout: Path):
    hook.build_front_end(checkout)
    assert asked(checkout) == ["install --no-audit --no-fund", "run build"]
    assert hook.is_current(checkout)


def test_a_current_front_end_is_left_alone(hook, checkout: Path):
    built(checkout, 1000)
    hook.build_front_end(checkout)
    assert asked(checkout) == []


def test_an_edit_is_built(hook, checkout: Path):
    """An edit is built, also if only one built file is older than the sources."""
    built(checkout, 2000)
    touch(checkout / "src/saliency_widget/static/static.js", 999)
    hook.build_front_end(checkout)
    assert "run build" in asked(checkout)


def test_an_unpacked_sdist_is_trusted(hook, checkout: Path):
    """Unpacking may have shuffled the times; what was packed belongs together."""
    built(checkout, 10)
    (checkout / "PKG-INFO").touch()
    hook.build_front_end(checkout)
    assert asked(checkout) == []


def test_without_npm_an_old_build_will_do(hook, checkout: Path, capsys):
    (checkout / "bin/npm").unlink()
    without_npm(hook)
    built(checkout, 10)
    hook.build_front_end(checkout)
    assert "as it was last built" in capsys.readouterr().err


def test_without_npm_and_without_a_build_one_sentence_says_so(hook, checkout: Path):
    without_npm(hook)
    with pytest.raises(SystemExit, match="install Node 20 or newer"):
        hook.build_front_end(checkout)


def without_npm(hook) -> None:
    """This machine may have an npm where the fake one was."""

    class Shutil:
        which = staticmethod(lambda _name: None)

    hook.shutil = Shutil


def test_a_failed_build_stops_the_install(hook, checkout: Path):
    (checkout / "bin/npm").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(SystemExit, match="npm install --no-audit --no-fund` failed"):
        hook.build_front_end(checkout)


def test_a_build_that_wrote_nothing_is_noticed(hook, checkout: Path):
    (checkout / "bin/npm").write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(SystemExit, match=r"did not write widget\.js, widget\.css, browse\.js, browse\.css, static\.js"):
        hook.build_front_end(checkout)
