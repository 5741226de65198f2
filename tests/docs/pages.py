"""The pages of the repository, and the parts of their text that tests look at."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<kind>[^\n]*)\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """A block of Python on a page, and the number of its first line."""

    line: int
    code: str


def pages() -> list[Path]:
    """Return the README, CONTRIBUTING.md, and all pages of the documentation."""
    written = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *written]


def name_of(page: Path) -> str:
    """Return the page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def snippets(page: Path) -> list[Snippet]:
    """Return the blocks of Python of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(text.count("\n", 0, found.start("body")) + 1, found["body"])
        for found in _FENCE.finditer(text)
        if found["kind"] == "python"
    ]


def without_code(text: str) -> str:
    """Return a page's text without its blocks of code and without code within lines."""
    return re.sub(r"`[^`\n]+`(?!\])", "", _FENCE.sub("", text))


def maps_module() -> Any:
    """Return docs/maps.py, which runs the pages' `{map}` blocks; `code_of_maps` is a module beside it."""
    path = DOCS / "maps.py"
    spec = importlib.util.spec_from_file_location("maps_of_the_documentation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module
