"""The map as a whole page, that asks for nothing from anywhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .boxes import boxes_of
from .html import to_html
from .look import Look, look_of
from .reading import glyphs, unprinted

if TYPE_CHECKING:
    from . import AttributionLike

TITLE = 60  # characters of the text in the title

# Dark where the reader's system is: the page's own colours, and by the names that a notebook gives its own the card's.
# Without scripts the card keeps the colours that its boxes were made for, and lies on the page like paper.
STYLE = """\
:root { color-scheme: light dark }
@media (prefers-color-scheme: dark) {
:root { --jp-layout-color0: #16181d; --jp-content-font-color1: #e6e9ef; --jp-border-color2: #363b45 }
body { background: #0f1115 }
}"""


def to_page(attribution: AttributionLike, *, col: int | None = None, look: Look | None = None) -> str:
    """`to_html` as a page of its own. Raises: as `to_html`."""
    look = look_of(attribution) if look is None else look
    tokens = [box.token for box in boxes_of(attribution, look)]
    first_words = " ".join("".join(text for _, text in unprinted(tokens)).split())[:TITLE]
    title = "".join(sign or char for char, sign in glyphs(f"{attribution.model_name}: {first_words}"))
    return f"""\
<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
{to_html(attribution, col=col, look=look)}
</body>
</html>
"""
