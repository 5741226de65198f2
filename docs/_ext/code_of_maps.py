"""The `{map}` blocks of the pages: code whose last line is a map, and the saved map that it made.

A page shows the code with the map under it. The maps are committed, a few kB each, so that building the pages needs no
model; the name of each file has a hash of the code, so that no page shows a map that other code made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1]
MAPS = DOCS / "maps"
_FENCE = re.compile(r"^(?P<fence>`{3,})\{map\}[^\n]*\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"^:[\w-]+:[^\n]*\n", re.MULTILINE)


class MapCode(NamedTuple):
    """One block, which stands alone. `page`: the page's path below docs/, without suffix."""

    page: str
    code: str

    @property
    def file(self) -> Path:
        """Return the file of its saved map; blocks of the same code share it."""
        return MAPS / f"{hashlib.sha256(self.code.encode()).hexdigest()[:12]}.safetensors"


def blocks_of(page: str, source: str) -> Iterator[MapCode]:
    """Yield the blocks of a page's source in their order; a block's options are no part of its code."""
    for found in _FENCE.finditer(source):
        yield MapCode(page, _OPTION.sub("", found["body"]).strip())


def all_blocks() -> Iterator[MapCode]:
    """Yield the blocks of all pages."""
    for path in sorted(DOCS.rglob("*.md")):
        if "_build" not in path.parts:
            page = path.relative_to(DOCS).with_suffix("").as_posix()
            yield from blocks_of(page, path.read_text(encoding="utf-8"))
