"""The documentation, built and opened as a file: its maps can be hovered with no kernel and no network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import saliency_widget as sw

from ..docs.pages import maps_module
from .conftest import SHOTS
from .test_looks import AXE

pytestmark = [pytest.mark.browser]

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = list(maps_module().all_blocks())
FIRST = ("index", "how_to/translation")  # the pages that the short form looks at
WITH_MAPS = list(dict.fromkeys(block.page for block in BLOCKS))
OTHERS = ("api/maps", "methods", "checked/index", "changelog")
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages; a warning is an error."""
    out = tmp_path_factory.mktemp("pages")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", out / "doctrees", DOCS, out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return out


@pytest.fixture(scope="module")
def reader(chromium: Any) -> Iterator[Any]:
    """A page without a network; no page may log an error or ask for anything but files."""
    context = chromium.new_context(offline=True, viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("request", lambda r: problems.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
    yield page
    context.close()
    assert problems == []


def opened(reader: Any, site: Path, name: str, scheme: str) -> Any:
    reader.emulate_media(color_scheme=scheme)
    reader.mouse.move(5, 5)
    reader.goto(f"file://{site / name}.html")
    return reader


def violations(page: Any) -> list[str]:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.add_script_tag(path=AXE)
    found = page.evaluate(
        "async () => (await axe.run({preload:false})).violations.map(v => [v.id, ...v.nodes.map(n => n.html)])"
    )
    return [str(each) for each in found]


def check(reader: Any, site: Path, name: str, scheme: str) -> None:
    """Hover the last target of each map of a page; look at the page's colours, and let axe look at all of it."""
    page = opened(reader, site, name, scheme)
    maps, blocks = page.locator(".sw-static-map"), [block for block in BLOCKS if block.page == name]
    assert maps.count() == len(blocks)
    for shown, block in zip(maps.all(), blocks, strict=True):
        expect(shown).to_have_attribute("data-sw-ready", "")
        ground = re.findall(r"\d+", shown.evaluate("e => getComputedStyle(e).backgroundColor"))
        assert (int(ground[0]) > 200) == (scheme == "light"), ground
        last = shown.evaluate(LAST_TARGET)
        shown.locator(".sw-token").nth(last).hover()
        expect(shown.locator(".sw-token").nth(last)).to_have_attribute("title", re.compile("· the (target|class)$"))
        strongest = sw.Attribution.load(block.file).top(-1, k=1)[0]
        expect(shown.locator(".sw-caption")).to_contain_text(f"{abs(strongest.share):.3f}"[1:4])
    assert violations(page) == []
    page.screenshot(path=SHOTS / f"docs-{name.replace('/', '-')}-{scheme}.png")


# Finds the box of a map's last target, by the data that the map carries.
LAST_TARGET = """map => {
  const { cols } = JSON.parse(map.querySelector('script.sw-data').textContent);
  return cols.lastIndexOf(Math.max(...cols.filter(col => col !== null)));
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", FIRST)
def test_a_map_can_be_hovered_offline(reader: Any, site: Path, name: str, scheme: str) -> None:
    """The target under the mouse gets its caption, with the share that the saved map has; axe finds nothing."""
    check(reader, site, name, scheme)


@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", sorted({*WITH_MAPS, *OTHERS} - {*FIRST}))
def test_every_map_can_be_hovered_offline(reader: Any, site: Path, name: str, scheme: str) -> None:
    """The same of every page that has a map, and of a few that have none."""
    check(reader, site, name, scheme)


def test_the_search_finds_a_method(reader: Any, site: Path) -> None:
    """Typed into the box of a page that is opened as a file, "integrated gradients" leads to the method's page."""
    page = opened(reader, site, "index", "light")
    page.get_by_placeholder("Search").fill("integrated gradients")
    page.keyboard.press("Enter")
    found = page.locator("#search-results li a")
    found.first.wait_for()
    assert any(
        "methods/integrated_gradients.html" in link for link in found.evaluate_all("all => all.map(a => a.href)")
    )
    found.filter(has_text="Integrated gradients").first.click()
    expect(page.locator("h1")).to_contain_text("Integrated gradients")
    assert page.locator("math").count() > 0, "a formula, without a script"
