"""A host that implements anywidget's contract without Jupyter, as VS Code and Colab do."""

from __future__ import annotations

import base64
import queue
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from saliency_widget import Attribution
from saliency_widget.comparison.compare import exhibition_of
from saliency_widget.comparison.exhibit import Exhibit
from saliency_widget.export.html import built
from saliency_widget.protocol import to_kernel

from .conftest import SHOTS
from .hosts import Site, background, visit

pytestmark = pytest.mark.browser

# By the contract alone: a module with a default export, a model, elements, signals. Buffers are views into a larger one
# at odd places, as they are where all of a message comes in one frame.
HOST = """async ([source, css]) => {
  const style = document.createElement('style');
  style.textContent = css;
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const { default: module } = await import(url);
  URL.revokeObjectURL(url);
  const traits = { selection: null, extent: 1 };
  const heard = new Map();
  const model = {
    get: name => traits[name],
    set(name, value) {
      if (traits[name] === value) return;
      traits[name] = value;
      model.tell(`change:${name}`);
    },
    save_changes: () => window.saved({ ...traits }),
    send: content => window.sent(content),
    on(name, callback) { heard.set(name, [...(heard.get(name) ?? []), callback]); },
    off(name, callback) { heard.set(name, (heard.get(name) ?? []).filter(other => other !== callback)); },
    tell: (name, ...about) => (heard.get(name) ?? []).forEach(callback => callback(...about)),
  };
  const life = new AbortController();
  const widget = typeof module === 'function' ? await module() : module;
  await widget.initialize?.({ model, signal: life.signal });
  window.host = {
    model,
    end: () => life.abort(),
    listening: () => [...heard.values()].flat().length,
    async show(name) {
      const el = document.createElement('div');
      el.id = name;
      document.body.append(el);
      const view = new AbortController();
      await widget.render({ model, el, signal: AbortSignal.any([life.signal, view.signal]) });
      return () => view.abort();
    },
    hear(content, buffers) {
      const views = buffers.map(text => {
        const bytes = Uint8Array.from(atob(text), char => char.charCodeAt(0));
        const all = new Uint8Array(bytes.length + 3);
        all.set(bytes, 3);
        return new DataView(all.buffer, 3, bytes.length);
      });
      model.tell('msg:custom', content, views);
    },
  };
}"""
PAGE = """<!doctype html><meta charset="utf-8"><title>host</title><body style="{}"></body>"""
# The frame of a notebook in VS Code: it shines through, and its colours go by names of their own.
DARK = "background: transparent; --vscode-editor-background: #1e1e1e; --vscode-editor-foreground: #cccccc"


class Kernel:
    """The kernel of two maps and their difference, for a page with only the contract."""

    def __init__(self, page: Any) -> None:
        self.page, self.saved = page, []
        rows, cols = ["The", " capital", " of", " France", " is"], [" Paris", "."]
        one = Attribution.from_scores([[1, 2], [3, 4], [5, 6], [7, 8], [9, 1]], rows, cols, method="one")
        two = Attribution.from_scores([[9, 1], [7, 3], [5, 5], [3, 8], [1, 2]], rows, cols, method="two")
        self._news: queue.SimpleQueue[tuple[dict[str, Any], list[str]]] = queue.SimpleQueue()
        self._exhibit = Exhibit(exhibition_of(one, two, None), self._send, lambda _map: None)
        page.expose_function("sent", self._hear)
        page.expose_function("saved", self._save)

    def _send(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        self._news.put((content, [base64.b64encode(buffer).decode() for buffer in buffers]))

    def _hear(self, content: object) -> None:
        message = to_kernel.read(content)
        assert message is not None, content
        self._exhibit.receive(message)

    def _save(self, traits: dict[str, Any]) -> None:
        self.saved.append(traits)

    def start(self) -> None:
        self.page.evaluate(HOST, [built("widget.js"), built("widget.css")])
        self._exhibit.start()

    def close(self) -> None:
        self._exhibit.close()

    def bring(self) -> None:
        """Send all messages to the page until none is left, each after the page's acknowledgement."""
        while True:
            try:
                content, buffers = self._news.get(timeout=1)
            except queue.Empty:
                return
            self.page.evaluate("([content, buffers]) => window.host.hear(content, buffers)", [content, buffers])


@pytest.fixture(params=["", DARK], ids=["bare", "dark"])
def kernel(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Kernel]:
    with Site(PAGE.format(request.param), {}).running() as site, visit(chromium) as seen:
        seen.page.goto(site.url)
        kernel = Kernel(seen.page)
        kernel.start()
        yield kernel
        kernel.close()
        assert seen.unlike("Multiple readback operations") == [], "but of the looks that the test takes at the canvas"
        assert seen.elsewhere(site.url) == []


def test_a_host_that_knows_the_contract_shows_a_living_map(kernel: Kernel) -> None:
    """The map is shown, hovered, pinned both ways, drawn as a matrix, exported, shown twice, and removed."""
    page = kernel.page
    page.evaluate("async () => { window.leave = await window.host.show('first'); }")
    kernel.bring()
    view = page.locator("#first")
    expect(view.locator(".sw-text").first).to_contain_text(re.compile("The.*capital.*of.*France.*is.*Paris", re.DOTALL))
    dark = "vscode" in (page.locator("body").get_attribute("style") or "")
    assert view.locator(".sw-live").get_attribute("data-sw-theme") == ("dark" if dark else "light")
    assert background(view.locator(".sw-live")) == ("rgb(30, 30, 30)" if dark else "rgba(0, 0, 0, 0)")
    text = view.locator(".sw-text").first
    text.locator(".sw-token").nth(3).hover()
    expect(view.get_by_role("tooltip")).to_contain_text("less")
    text.locator(".sw-column").nth(1).click()
    page.wait_for_function("() => window.host.model.get('selection') === 1")
    assert kernel.saved[-1] == {"selection": 1, "extent": 1}
    page.mouse.move(1, 1)
    page.evaluate("() => { window.host.model.set('selection', 0); }")
    expect(view.locator(".sw-about .sw-target-name").first).to_have_text("Paris")
    view.get_by_role("button", name="Matrix", exact=True).click()
    page.wait_for_function(
        "() => { const c = document.querySelector('.sw-matrix-canvas');"
        " return c.width > 0 && c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(byte => byte > 0); }"
    )
    view.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as download:
        view.get_by_role("button", name="HTML", exact=True).click()
        kernel.bring()
    assert download.value.suggested_filename.endswith(".html")
    page.screenshot(path=SHOTS / f"contract-{'dark' if dark else 'light'}.png", full_page=True)
    # Another output of the same cell, and the first is closed.
    page.evaluate("() => window.host.show('second')")
    expect(page.locator("#second .sw-about .sw-target-name").first).to_have_text("Paris")
    page.evaluate("() => window.leave()")
    expect(page.locator("#first .sw-live")).to_have_count(0)
    page.evaluate("() => window.host.end()")
    expect(page.locator("#second .sw-live")).to_have_count(0)
    assert page.evaluate("() => window.host.listening()") == 0
