"""`python -m tests.release [FOLDER]`: try the packages that `make dist` has built, as a user without Node has them.

The wheel is installed into an empty environment whose PATH holds nothing else. JupyterLab of that environment opens the
quickstart in Chromium, which fetches the demo model into an empty cache, and a written word is hovered. Both are timed.
Then the saved notebook is hovered without a kernel, and a script's map from a file. Last, pip builds a wheel from the
sdist, which must hold the same files.

Ends with an AssertionError that names the first thing that is not so.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, DONE, Lab, Notebook, chromium_path
from tests.browser.hosts import hover_the_static_map, visit
from tests.browser.test_quickstart import live, tip, token
from tests.browser.test_saved import save_and_shut, static

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "example_notebooks" / "01_quickstart.ipynb"
MINUTES = 10 * 60_000  # ms: a guard against what never ends; the time itself is printed
SCRIPT = """
import json, sys
import saliency_widget as sw

folder = sys.argv[1]
a = sw.attribute("demo", "The first president of the United States was George", max_new_tokens=3, progress=False)
a.save(f"{folder}/map.safetensors")
b = sw.Attribution.load(f"{folder}/map.safetensors")
assert (a.scores == b.scores)[a.scores == a.scores].all() and a.cols == b.cols, "the map changed in its file"
open(f"{folder}/map.html", "w", encoding="utf-8").write(
    f'<!doctype html><meta charset="utf-8"><title>A saved map</title>{b.to_html()}')
print(json.dumps({"file": sw.__file__, "version": sw.__version__, "top": b.top("Washington", k=1)[0].text}))
"""


class Fresh:
    """An empty environment, whose programs find nothing outside it: no Node, and no cache of the demo model."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "venv" / "bin"
        self.python = str(self.bin / "python")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        self.env = kept | {"PATH": str(self.bin), "SALIENCY_WIDGET_CACHE": str(home / "cache")}
        _run([sys.executable, "-m", "venv", str(home / "venv")], self.env)
        for name in ("node", "npm"):
            assert shutil.which(name, path=self.env["PATH"]) is None, f"{name} is on the PATH of the new environment"

    def pip(self, *arguments: str) -> str:
        return _run([self.python, "-m", "pip", "--disable-pip-version-check", *arguments], self.env)


class FreshLab(Lab):
    """JupyterLab of the fresh environment."""

    def __init__(self, fresh: Fresh, home: Path, root: Path) -> None:
        self.python = fresh.python
        super().__init__(home, root)
        own = {name: self.env[name] for name in self.env if name.startswith(("JUPYTER", "IPYTHON", "HF_HUB"))}
        self.env = fresh.env | own

    @contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()


def main(arguments: Sequence[str] = ()) -> None:
    """Try the one wheel and the one sdist of a folder, `dist` if none is named."""
    folder = Path(arguments[0]) if arguments else ROOT / "dist"
    wheel, sdist = _only(folder, "*.whl"), _only(folder, "*.tar.gz")
    with TemporaryDirectory(prefix="saliency-widget-dist-") as made, sync_playwright() as playwright:
        fresh, root = Fresh(Path(made)), Path(made, "notebooks")
        root.mkdir()
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        began, before = time.monotonic(), _cpu_of_programs()
        fresh.pip("install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), f"{wheel}[lab]")
        installed, of_cpu = time.monotonic() - began, _cpu_of_programs() - before
        fresh.pip("check")
        print(f"Installed {wheel.name} and JupyterLab, without Node, in {installed:.0f} s.", flush=True)

        shutil.copy(QUICKSTART, root)
        began = time.monotonic()
        lab = FreshLab(fresh, Path(made, "home"), root)
        with lab.running(), visit(chromium) as visitor:
            notebook = Notebook(lab, visitor.page, QUICKSTART.name)
            _hover_the_quickstart(notebook)
            hovered = time.monotonic() - began
            print(f"JupyterLab, the demo model fetched, the first hover: {hovered:.0f} s.", flush=True)
            _hover_it_saved(notebook)
            assert visitor.elsewhere(lab.url) == [], "the page asked for something from outside"
        print("The saved notebook is hovered without a kernel; nothing was asked from outside.", flush=True)

        said = json.loads(_run([fresh.python, "-c", SCRIPT, str(root)], fresh.env, cwd=root))
        assert said["file"].startswith(str(fresh.home)), said["file"]
        assert wheel.name.startswith(f"saliency_widget-{said['version']}-"), said["version"]
        assert said["top"].strip() == "George", said["top"]
        with visit(chromium) as visitor:
            page = (root / "map.html").as_uri()
            visitor.page.goto(page)
            hover_the_static_map(visitor.page, 2)
            assert visitor.problems == []
            assert visitor.elsewhere(page) == []
        print("A script's map is the same from its file, and is hovered as HTML.", flush=True)

        fresh.pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(root), str(sdist))
        assert _files(_only(root, "*.whl")) == _files(wheel), "the wheel made from the sdist is another one"
        print("pip makes the same wheel from the sdist, without Node.", flush=True)
        chromium.close()
    together = installed + hovered
    print(f"install {installed:.0f} s ({of_cpu:.0f} s of CPU), hover {hovered:.0f} s, together {together:.0f} s")


def _hover_the_quickstart(notebook: Notebook) -> None:
    """Open the notebook, run all its cells, and hover a word as soon as the first map has one."""
    page = notebook.page
    page.set_default_timeout(MINUTES)
    notebook.open()
    notebook.command("notebook:run-all-cells")
    view = live(notebook)
    view.locator(".sw-column").first.hover()
    view.get_by_role("tooltip").wait_for()
    assert "p =" in tip(view)
    cells = json.loads(QUICKSTART.read_text(encoding="utf-8"))["cells"]
    page.wait_for_function(DONE, arg=sum(cell["cell_type"] == "code" for cell in cells))
    view.locator(".sw-progress").wait_for(state="detached")
    page.mouse.move(5, 5)
    token(view, 8).hover()
    assert re.search(r"share \.34\d", tip(view)), tip(view)  # George for Washington, on any CPU


def _hover_it_saved(notebook: Notebook) -> None:
    """Save the notebook, end its kernel, open it again without one, and hover its first map."""
    save_and_shut(notebook, trusted=True)
    static(notebook).scroll_into_view_if_needed()
    hover_the_static_map(notebook.page.locator(".jp-OutputArea-output:has(.sw-static-map)").first, 4)


def _cpu_of_programs() -> float:
    """Return the CPU seconds of the programs that have ended: on a busy machine they say more than a clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    assert len(found) == 1, f"{len(found)} files like {pattern} in {folder}; `make dist` leaves one"
    return found[0]


def _files(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel, without the two that name the version of the builder and the sums of the rest."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith((".dist-info/WHEEL", ".dist-info/RECORD"))]
        return {name: archive.read(name) for name in names}


def _run(command: list[str], env: dict[str, str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    out: str = done.stdout
    return out


if __name__ == "__main__":
    main(sys.argv[1:])
