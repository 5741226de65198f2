"""The pages lead somewhere, leave out no public name, and each of their maps is the one that its code makes."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw

from .pages import DOCS, ROOT, maps_module, name_of, pages, snippets, without_code

MAPS = maps_module()
BLOCKS = list(MAPS.all_blocks())
CHEAP = "how_to/translation"  # its maps are made in the shortest time


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#{1,6} +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """A link within the repository leads to a file, and its anchor to a heading there."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"""(?:\]\(|src="|srcset=")([^)"\s]+)""", without_code(text) + _images(text)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def _images(text: str) -> str:
    """Return the links whose text is code, which `without_code` takes away."""
    return " ".join(re.findall(r"`\]\([^)]+\)", text))


def test_the_readme_stays_short_and_leads_to_the_documentation() -> None:
    """The README has fewer than 700 words, and links the first page of the documentation."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) < 700
    assert "(docs/index.md)" in text


def test_every_page_is_in_the_table_of_contents() -> None:
    """The first page lists every page of the documentation."""
    listed = set(re.findall(r"^(?:\w+ <)?([\w/]+)>?$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    there = {page.relative_to(DOCS).with_suffix("").as_posix() for page in pages() if DOCS in page.parents}
    assert there - {"index"} == listed & there
    assert all((DOCS / f"{page}.md").exists() for page in listed)


def test_the_reference_has_every_public_name() -> None:
    """Each name of `__all__` has its entry, and each role on the reference's first page names an entry."""
    api = "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "api").glob("*.md")))
    entries = set(re.findall(r"\.\. auto(?:function|class):: (?:saliency_widget\.)?([\w.]+)", api))
    assert set(sw.__all__) <= entries
    assert set(re.findall(r"\{py:\w+\}`~saliency_widget\.([\w.]+)`", api)) <= entries


def test_every_method_has_a_page_with_its_card() -> None:
    """Each method's page draws the card from the table that has it, and shows a map."""
    from saliency_widget.attribution.cards import LLM, OURS

    for name in (*OURS, LLM.id):
        text = (DOCS / "methods" / f"{name}.md").read_text(encoding="utf-8")
        assert f"{{method-card}} {name}\n" in text
        assert "{map}" in text


CODE = [
    pytest.param(page, line, code, id=f"{name_of(page)}:{line}") for page in pages() for line, code in snippets(page)
]


@pytest.mark.parametrize(("page", "line", "code"), CODE)
def test_a_snippet_asks_for_what_there_is(page: Path, line: int, code: str) -> None:
    """Every `sw.name` of a snippet is public, and every keyword of its calls is one that the function takes."""
    for node in ast.walk(ast.parse(code, f"{page}:{line}")):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sw":
            assert node.attr in sw.__all__
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("sw."):
            taken = _parameters(ast.unparse(node.func))
            assert taken is None or {word.arg for word in node.keywords} <= taken, ast.unparse(node)


def _parameters(name: str) -> set[str | None] | None:
    """Return the names of a function's parameters; None if it takes any keyword."""
    function: Any = sw
    for part in name.split(".")[1:]:
        function = getattr(function, part)
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def test_every_map_on_a_page_was_made_and_none_is_left_over() -> None:
    """The saved maps are those of the blocks on the pages; a block that changed has another name."""
    assert {block.file.name for block in BLOCKS} == {path.name for path in (DOCS / "maps").glob("*.safetensors")}
    assert len([block for block in BLOCKS if block.page == "gallery"]) >= 12


def same_as_saved(page: str) -> None:
    for block in (block for block in BLOCKS if block.page == page):
        made, saved = MAPS.make(block), sw.Attribution.load(block.file)
        assert [token.text for token in made.rows] == [token.text for token in saved.rows], block.code
        assert [token.text for token in made.cols] == [token.text for token in saved.cols], block.code
        # float32 on another processor moves a score by no more than 2e-3 of the largest of its column.
        largest = np.nanmax(np.abs(saved.scores), axis=0)
        assert (np.isnan(made.scores) == np.isnan(saved.scores)).all(), block.code
        assert np.nanmax(np.abs(made.scores - saved.scores) / largest) < 2e-3, block.code
        for name, values in saved.step_scores.items():
            np.testing.assert_allclose(made.step_scores[name], values, rtol=1e-2, atol=2e-3)


def test_a_page_shows_the_maps_that_its_code_makes() -> None:
    """The saved maps of a page are those that its code makes today."""
    same_as_saved(CHEAP)


@pytest.mark.long
@pytest.mark.demo
@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS} - {CHEAP}))
def test_every_page_shows_the_maps_that_its_code_makes(page: str, demo_session: Any) -> None:
    """The same of all pages; the fixture keeps the demo model loaded."""
    assert demo_session is sw.load_model("demo", device="cpu", dtype="float32")
    same_as_saved(page)


def test_code_that_does_not_end_in_a_map_is_refused() -> None:
    """A block whose last line is no expression, or no map, is an error that shows the code."""
    block = BLOCKS[0]
    with pytest.raises(TypeError, match=r"last line[\s\S]*a = 1"):
        MAPS.make(block._replace(code="a = 1"))
    with pytest.raises(TypeError, match="not in a int"):
        MAPS.make(block._replace(code="1"))
