"""Fixtures of a real JupyterLab, kernel and Chromium, for tests that act as a person."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client import BlockingKernelClient
from playwright.sync_api import sync_playwright

from .by_heart import save_by_heart

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget, kernel = panel?.sessionContext?.session?.kernel;
  return !!kernel && panel.sessionContext.isReady && kernel.connectionStatus === 'connected'
    && kernel.status === 'idle';
}"""
DONE = """count => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.filter(cell => cell.model.type === 'code');
  return cells.slice(0, count).every(cell => cell.model.executionCount)
    && panel.sessionContext.session.kernel.status === 'idle';
}"""
WRITE = """source => {
  window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(source);
}"""
# JupyterLab fills the window, and no panel and no map has moved for three frames.
LAID_OUT = """async () => {
  const boxes = () => [...document.querySelectorAll('.jp-NotebookPanel, .sw-live')]
    .map(each => each.getBoundingClientRect()).map(box => `${box.left} ${box.width} ${box.height}`).join();
  const before = boxes();
  for (let frame = 0; frame < 3; frame += 1) {
    await new Promise(requestAnimationFrame);
    if (boxes() !== before) return false;
  }
  return document.querySelector('#jp-main-content-panel').getBoundingClientRect().width === innerWidth;
}"""
EXECUTE = """async ([code, milliseconds]) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  let out = '';
  const future = kernel.requestExecute({ code, store_history: false });
  future.onIOPub = message => {
    if (message.header.msg_type === 'stream') out += message.content.text;
    if (message.content.evalue) out += message.content.evalue;
  };
  const late = new Promise(resolve => setTimeout(() => resolve(out + '<timeout>'), milliseconds));
  return Promise.race([future.done.then(() => out), late]);
}"""

# What a page is made with, and given back before another test: tests change these.
VIEWPORT = {"width": 1400, "height": 1000}
MEDIA = {
    "color_scheme": "light", "reduced_motion": "reduce", "forced_colors": "none", "contrast": "no-preference",
}  # fmt: skip
# Whether this page shows this server's JupyterLab, with its application at hand.
AT_HOME = "url => location.href.startsWith(url) && window.jupyterapp?.shell !== undefined"
# What closing a notebook throws away is complained of at once, in the next turn at the latest.
CLOSE_ALL = """async () => {
  for (const widget of [...window.jupyterapp.shell.widgets('main')]) widget.dispose();
  await new Promise(done => setTimeout(done));
}"""
# Both widths and both themes, each once: what depends on both together is rare, and a look takes seconds.
LOOKS = ((700, "Dark"), (1400, "Light"))
GUARD = 300  # s, against what never ends: a machine may be busy
# In the kernel, before the first notebook and between two. A model that nobody holds would be loaded for each notebook.
WARM_UP = """import sys, types
import saliency_widget as sw
sys.modules["held"] = types.SimpleNamespace(models=[sw.load_model(name) for name in ("demo", "./by_heart")])
del sw"""
FORGET = "import ipywidgets\nipywidgets.Widget.close_all()\nget_ipython().reset()"


def chromium_path() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail("There is no Chromium. `make test` installs it; or set CHROMIUM to its path.")
    return found


class Lab:
    """A running JupyterLab server with folders of its own."""

    python = sys.executable
    module = "jupyterlab"
    expose = "--LabApp.expose_app_in_browser=True"
    address = "/lab/tree/{}?reset"  # no layout left from the test before

    def __init__(self, home: Path, root: Path) -> None:
        self.home, self.root = home, root
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        folders = {
            "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }  # fmt: skip
        for name, values in SETTINGS.items():
            file = home / "settings" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        self.env = os.environ | {key: str(home / folder) for key, folder in folders.items()}
        # The kernelspec says just "python"; no hub is asked for anything.
        self.env["PATH"] = str(Path(self.python).parent) + os.pathsep + self.env["PATH"]
        self.env["HF_HUB_OFFLINE"] = "1"
        self.log = home / "server.log"
        self.port = port

    def start(self) -> None:
        with self.log.open("w") as log:
            self._start(log)

    def _start(self, log: Any) -> None:
        self.process = subprocess.Popen(
            [
                self.python, "-m", self.module, "--no-browser", "--allow-root", "--ip=127.0.0.1",
                f"--port={self.port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
                "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={self.root}",
                self.expose,
            ],
            env=self.env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                urllib.request.urlopen(self.url + "/api/status", timeout=2).read()
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"{self.module} did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)  # ends the kernels too
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return a reply of the server's REST interface as Python values."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def jupyter(self, *arguments: str) -> None:
        subprocess.run([self.python, "-m", "jupyter", *arguments], env=self.env, check=True, capture_output=True)


class Kernel:
    """A kernel that has imported everything and serves one notebook after another, each in an empty namespace."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.id, self.session = lab, "", ""

    def serve(self, name: str) -> None:
        """Assign the kernel to the notebook of this name. Start it first if it does not exist or answer."""
        if not self.id or not self._forgets():
            self._start(name)
        else:
            self.lab.ask("PATCH", f"sessions/{self.session}", {"path": name})

    def _start(self, name: str) -> None:
        asked = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        made = self.lab.ask("POST", "sessions", asked)
        self.session, self.id = made["id"], made["kernel"]["id"]
        # On a busy machine a kernel is slow to start, and a client takes one that is slow for dead.
        assert any(self._runs(WARM_UP) for _ in range(10)), "the kernel does not answer"

    def _forgets(self) -> bool:
        known = {kernel["id"] for kernel in self.lab.ask("GET", "kernels")}
        return self.id in known and self._runs(FORGET)

    def _runs(self, code: str) -> bool:
        client = BlockingKernelClient(connection_file=str(self.lab.home / "runtime" / f"kernel-{self.id}.json"))
        client.load_connection_file()
        client.start_channels()
        try:
            _await(client)
            reply = client.execute(code, silent=True, reply=True, timeout=GUARD)
        except (RuntimeError, TimeoutError):
            return False
        finally:
            client.stop_channels()
        return bool(reply["content"]["status"] == "ok")


def _await(client: BlockingKernelClient) -> None:
    """Wait until the kernel answers. On a busy machine JupyterLab may think that a new one is dead."""
    deadline = time.monotonic() + GUARD
    while True:
        try:
            return client.wait_for_ready(timeout=GUARD)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise


class Notebook:
    """A notebook open in a page."""

    def __init__(self, lab: Lab, page: Any, name: str, kernel: Kernel | None = None) -> None:
        self.lab, self.page, self.name, self.file, self.kernel = lab, page, name, lab.root / name, kernel
        self.expected: list[str] = []  # what JupyterLab itself may log in this test, as patterns

    def open(self, *, kernel: bool = True) -> None:
        """Open the notebook in the JupyterLab on the page, which is quicker, or load one."""
        if self.page.evaluate(AT_HOME, self.lab.url):
            self.command("docmanager:open", {"path": self.name, "factory": "Notebook"})
        else:
            self.page.goto(self.lab.url + self.lab.address.format(self.name))
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=60_000)
        if kernel:
            self.page.wait_for_function(READY, polling=50, timeout=60_000)

    def write(self, *cells: str) -> None:
        notebook = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
        )
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(notebook, self.file)

    def end(self) -> None:
        """End its kernel; one that serves many notebooks only leaves it."""
        for session in self.lab.ask("GET", "sessions"):
            if session["path"] != self.name:
                continue
            if self.kernel is not None and session["id"] == self.kernel.session:
                self.kernel.serve("none.ipynb")
            else:
                self.lab.ask("DELETE", f"sessions/{session['id']}")

    def command(self, name: str, arguments: Any = None, *, wait: bool = False) -> None:
        """Wait only for commands that surely end. The page holds the promise, which nothing else may hold."""
        self.page.evaluate(
            """async ([name, options, wait]) => {
              window.asked = window.jupyterapp.commands.execute(name, options ?? {});
              if (wait) await window.asked;
            }""",
            [name, arguments, wait],
        )

    def run_all(self, count: int) -> None:
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(DONE, arg=count, polling=50, timeout=120_000)

    def begin(self, cell: str) -> None:
        """Run another first cell in the same kernel, after clearing the outputs of the one before."""
        self.page.mouse.move(5, 5)
        self.code("w = globals().get('w')\nif w is not None: w.close()")
        self.command("notebook:clear-all-cell-outputs", wait=True)
        self.page.locator(".jp-OutputArea-output").wait_for(state="detached")
        self.page.evaluate(WRITE, cell)

    def code(self, source: str, milliseconds: int = 60_000) -> str:
        """Run code in this notebook's kernel, outside of cells. Return its output."""
        out: str = self.page.evaluate(EXECUTE, [source, milliseconds])
        return out

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", {"theme": name}, wait=True)
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=light)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def resize(self, width: int, height: int = 1000) -> None:
        """Give the page this size, and wait until JupyterLab, which lays its panels out later, has followed."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_function(LAID_OUT)

    def shot(self, name: str, locator: Any = None) -> Path:
        """Save a screenshot for people as build output."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        (locator or self.page).screenshot(path=path)
        return path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    lab = Lab(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("root"))
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture(scope="session")
def chromium() -> Any:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def kernel(lab: Lab) -> Kernel:
    save_by_heart(lab.root / "by_heart")
    return Kernel(lab)


class Tab:
    """A page of the browser, and the errors in it. It shows JupyterLab from the first notebook on."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium
        self.page: Any = None
        self.problems: list[str] = []
        self.spent = False  # set by a test after which the page is not to be used again

    def ready(self) -> None:
        """Reset the page: no notebook, the first size and media, no errors."""
        if self.spent:
            self.close()
        if self.page is None:
            self._make()
        elif self.page.evaluate(AT_HOME, ""):
            self.page.evaluate(CLOSE_ALL)
        self.page.set_viewport_size(VIEWPORT)
        self.page.emulate_media(**MEDIA)
        self.page.mouse.move(5, 5)
        self.problems.clear()

    def _make(self) -> None:
        self.page = self._chromium.new_page(viewport=VIEWPORT, device_scale_factor=2)
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        # A request that the page itself gave up (it was left, say) is no fault of anybody's.
        self.page.on(
            "requestfailed", lambda r: self.problems.append(r.url) if r.failure != "net::ERR_ABORTED" else None
        )

    def close(self) -> None:
        if self.page is not None:
            self.page.context.close()
        self.page, self.spent = None, False


@pytest.fixture(scope="session")
def tab(chromium: Any) -> Iterator[Tab]:
    """Return one page for all tests, each with its own notebook, because loading JupyterLab takes long."""
    tab = Tab(chromium)
    yield tab
    tab.close()


@contextmanager
def closed_where_failed(tab: Tab, session: pytest.Session) -> Iterator[None]:
    """Load the page again after a failed test; a passed one leaves it unchanged except for size and media."""
    failed, passed = session.testsfailed, False
    try:
        yield
        passed = session.testsfailed == failed
    finally:
        if not passed:
            tab.close()


@pytest.fixture
def notebook(lab: Lab, kernel: Kernel, tab: Tab, request: pytest.FixtureRequest) -> Any:
    """Makes a notebook of cells and opens it. At the end the page must have logged no error and no warning."""
    with closed_where_failed(tab, request.session):
        yield from notebooks_in(lab, tab, request.node.name, kernel)


@pytest.fixture
def first_notebook(lab: Lab, chromium: Any, request: pytest.FixtureRequest) -> Any:
    """Like `notebook`, with its own page and a new kernel that has imported nothing."""
    tab = Tab(chromium)
    yield from notebooks_in(lab, tab, request.node.name)
    tab.close()


@pytest.fixture(scope="module")
def desk(lab: Lab, kernel: Kernel, tab: Tab, request: pytest.FixtureRequest) -> Any:
    """Return one notebook for all tests of a file. Each runs its own cell, see `Notebook.begin`."""
    with closed_where_failed(tab, request.session):
        notebooks = notebooks_in(lab, tab, request.module.__name__.rpartition(".")[2], kernel)
        yield next(notebooks)("import saliency_widget as sw, json, numpy as np")
        next(notebooks, None)


def notebooks_in(lab: Lab, tab: Tab, name: str, kernel: Kernel | None = None) -> Iterator[Callable[..., Notebook]]:
    tab.ready()
    notebooks: list[Notebook] = []

    def make(*cells: str) -> Notebook:
        made = Notebook(lab, tab.page, f"{name}.ipynb", kernel)
        notebooks.append(made)
        made.write(*cells)
        if kernel is not None:
            kernel.serve(made.name)
        made.open()
        return made

    yield make
    expected = [pattern for made in notebooks for pattern in made.expected]
    # Looked at before the notebook is closed and its kernel goes: their ends make noise.
    seen = [problem for problem in tab.problems if not any(re.search(pattern, problem) for pattern in expected)]
    tab.ready()
    for made in notebooks:
        made.end()
    assert seen == []
