"""Servers of hosts other than JupyterLab, and a person's actions on a map in any host."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from playwright.sync_api import expect

from .conftest import Lab

LOADED = 60_000  # ms: the first map of a kernel waits for torch and the model


class Notebook7(Lab):
    """A running Jupyter Notebook server: the kernel and the widget manager of JupyterLab, another page."""

    module = "notebook"
    expose = "--JupyterNotebookApp.expose_app_in_browser=True"
    address = "/notebooks/{}"
    # What its page logs by itself, whatever the notebook: of its menus, of yjs, of the schema of a setting.
    noise: ClassVar = ["Menu entry for command .* is duplicated", "Not same Y.Doc", "reading 'schema'"]


class Marimo:
    """A running marimo server with one notebook, in mode `edit` or `run`."""

    noise: ClassVar = ["was preloaded using link preload but not used"]  # its own pictures

    def __init__(self, home: Path, *cells: str) -> None:
        self.home, self.file, self.log = home, home / "app.py", home / "server.log"
        self.file.write_text(_marimo_file(cells))

    @contextmanager
    def running(self, verb: str) -> Iterator[str]:
        """Gives the address; ends the server and its kernels."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        folders = {"XDG_CONFIG_HOME": str(self.home / "config"), "XDG_STATE_HOME": str(self.home / "state")}
        command = [
            sys.executable, "-m", "marimo", "-y", verb, str(self.file), "--headless", "--host=127.0.0.1",
            f"--port={port}", "--no-token",
        ]  # fmt: skip
        with self.log.open("w") as log:
            process = subprocess.Popen(
                command,
                env=os.environ | folders | {"HF_HUB_OFFLINE": "1", "MARIMO_SKIP_UPDATE_CHECK": "1"},
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._answers(process, f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def _answers(self, process: subprocess.Popen[bytes], url: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert process.poll() is None, self.log.read_text()[-3000:]
            try:
                urllib.request.urlopen(url, timeout=2).read()
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"marimo did not start:\n{self.log.read_text()[-3000:]}")


def _marimo_file(cells: tuple[str, ...]) -> str:
    """Return the file of a marimo notebook; marimo finds the variables of cells itself."""
    bodies = ("\n".join(f"    {line}" for line in cell.splitlines()) for cell in cells)
    functions = "\n\n".join(f"@app.cell\ndef _():\n{body}\n    return\n" for body in bodies)
    return f'import marimo\n\napp = marimo.App()\n\n\n{functions}\n\nif __name__ == "__main__":\n    app.run()\n'


class Site:
    """A server of one page with given headers, which records requests."""

    def __init__(self, html: str, headers: Mapping[str, str]) -> None:
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                self.send_response(200 if self.path == "/" else 204)  # a browser asks for an icon by itself
                self.send_header("Content-Type", "text/html; charset=utf-8")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.path == "/":
                    self.wfile.write(html.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    @contextmanager
    def running(self) -> Iterator[Site]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class Visit:
    """A page with its console messages and its requests."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(20_000)
        page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: self.problems.append(str(e)))
        page.on("request", lambda r: self.requests.append(r.url))

    def unlike(self, *patterns: str) -> list[str]:
        """Return the console messages that match none of the patterns."""
        return [said for said in self.problems if not any(re.search(pattern, said) for pattern in patterns)]

    def elsewhere(self, url: str) -> list[str]:
        """Return the requests to addresses outside `url`."""
        return [asked for asked in self.requests if not asked.startswith((url, "data:", "blob:"))]


@contextmanager
def visit(chromium: Any) -> Iterator[Visit]:
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    try:
        yield Visit(page)
    finally:
        page.context.close()


# ── what a person does ────────────────────────────────────────────────────────────────────────────────────────────────


def whole(view: Any, words: int) -> None:
    """Wait until the map is complete and no task runs."""
    view.locator(".sw-column").nth(words - 1).wait_for(timeout=LOADED)
    expect(view.locator(".sw-progress")).to_have_count(0, timeout=LOADED)


def background(box: Any) -> str:
    found: str = box.evaluate("e => getComputedStyle(e).backgroundColor")
    return found


def hover_and_pin(view: Any, page: Any, col: int) -> None:
    """Hover a written word, leave it, and click it: its column is shown, then the first one, then it stays."""
    first, word, name = (
        view.locator(".sw-token").first,
        view.locator(".sw-column").nth(col),
        view.locator(".sw-target-name"),
    )
    at_rest, colour = name.inner_text(), background(first)
    word.hover()
    expect(name).to_have_text(word.inner_text().strip())
    expect(first).not_to_have_css("background-color", colour)
    expect(view.get_by_role("tooltip")).to_contain_text("p =")
    page.mouse.move(5, 5)
    expect(name).to_have_text(at_rest)
    expect(first).to_have_css("background-color", colour)
    word.click()
    page.mouse.move(5, 5)
    expect(name).to_have_text(word.inner_text().strip())
    expect(first).not_to_have_css("background-color", colour)


def hover_the_static_map(page: Any, col: int) -> None:
    """Hover a target of a static map in a page or a frame: colours and numbers change to its column."""
    tokens = page.locator(".sw-static-map .sw-token")
    first = tokens.first
    tokens.nth(-1).wait_for()
    colour, title = background(first), first.get_attribute("title")
    targets = page.locator(".sw-static-map").evaluate(
        "map => JSON.parse(map.querySelector('script.sw-data').textContent).cols.indexOf(0)"
    )
    tokens.nth(targets + col).hover()
    expect(first).not_to_have_css("background-color", colour)
    expect(first).not_to_have_attribute("title", title or "")
    expect(first).to_have_attribute("title", re.compile(r"share \.\d+ · rank \d+ of \d+"))
