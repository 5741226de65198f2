"""The map as HTML that reads without a kernel: in a saved notebook, in an export, in an e-mail.

It has two lives. Where scripts may not run, what counts is inline: a cleaned page keeps `style`, `title`, `class`,
tables and `<details>`, and loses `<style>`, `<script>` and `data-*`. So the map lies on a card of its own (nobody knows
what colour the page has), every number is in a title or a table, and the colours are in the spans. Where scripts may
run, the data beside the map lets `static.js` make every target hoverable, in the colours of the page.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING
from unicodedata import bidirectional

import numpy as np

from . import color
from .reading import (
    MINUS,
    Column,
    all_tokens,
    columns,
    glyphs,
    headline,
    label,
    likeliest,
    notes,
    part_mark,
    texts,
    unprinted,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from . import AttributionLike, TokenLike

# What keeps a saved notebook small. Beyond these the page says what it leaves out.
MAX_TITLES = 2000  # tokens that say their number, the strongest first
MAX_TABLE_ROWS = 100  # targets in the table
MAX_CELLS = 250_000  # numbers that travel with the page for hovering, 2.7 bytes each

TOP = 5  # inputs a target in the table
OTHERS = 4  # tokens that might have been written instead
TITLE = 60  # characters of the text in the title of a page of its own
MANY_PARTS = 3  # of one character: up to here each says which one it is
FEW_CLASSES = 8  # in the model's own order; of more the most probable come first
INK = color.css(color.INK)
QUIET = color.css(color.QUIET)
PAPER = color.css(color.PAPER)
ACCENT = "#2563c9"

CARD = (
    f"background:{PAPER};color:{INK};border:1px solid #e2e5ea;border-radius:8px;padding:12px 16px;max-width:960px;"
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;font-size:14px;line-height:1.5"
)
BEGIN = f'<div class="sw-static-map" dir="ltr" style="{CARD}">'  # its words and numbers are English on any page
TEXT = "white-space:pre-wrap;overflow-wrap:break-word;font-size:16px;line-height:1.9;margin:10px 0"
BOX = "padding:2px;border-radius:3px"
LINE = "1px solid rgba(128,128,128,.35)"  # on any background
BOX_OF_CLASS = f"padding:1px 9px;border:{LINE};border-radius:6px"
LABEL = f"color:{QUIET};font-size:11px;font-weight:600;letter-spacing:.06em;text-transform:uppercase;margin-top:12px"
CELL = f"padding:2px 12px 2px 0;text-align:left;background:{PAPER};color:{INK};white-space:nowrap"

# The first rule takes the static map away beside the living one; it reaches the output after the widget's and no other.
# The second hides the line by which JupyterLab says that a widget of an ended kernel is gone: its map stands below it.
# The others give the card the colours of the page once the script paints (it sets data-sw-ready, and then the boxes).
STYLE = """\
.jp-OutputArea-child:has(.sw-live:not(.sw-empty)) + .jp-OutputArea-child .sw-static { display: none }
.jp-OutputArea-child:has(> .jupyter-widgets):not(:has(> .jupyter-widgets > *)):has(+ .jp-OutputArea-child .sw-static) \
{ display: none }
.sw-static-map[data-sw-ready] { background: var(--jp-layout-color0, #fff) !important; \
color: var(--jp-content-font-color1, #1b1d22) !important; border-color: var(--jp-border-color2, #e2e5ea) !important }
.sw-static-map[data-sw-ready] :is(.sw-quiet, th, td) { background: none !important; color: inherit !important }
.sw-static-map[data-sw-ready] :is(.sw-quiet:not(.sw-key), .sw-key > :is(:first-child, :last-child)) { opacity: .75 }"""


def to_html(attribution: AttributionLike, *, col: int | None = None) -> str:
    """The static map of the whole attribution, coloured for target `col` (-1 is the last).

    If None it is the first one, and of classes the most probable.
    Bounded: 5,000 tokens and 32 targets stay under 1.5 MB. Always encodable as UTF-8, whatever the tokens hold.
    Raises: IndexError where there is no such target; FileNotFoundError where the front end was never built.
    """
    shown = columns(attribution)
    if not shown:
        return f'<div class="sw-static">{BEGIN}There is no target token.</div></div>'
    n = len(shown)
    col = likeliest(shown) if col is None else col
    if not -n <= col < n:
        raise IndexError(f"There is no target {col}: there are {n}, 0 … {n - 1}.")
    tokens = all_tokens(attribution)
    column = shown[col]
    hover = _hoverable(attribution, tokens)
    parts = [
        f'<div class="sw-static"><style>{STYLE}</style>',
        BEGIN,
        _head(attribution),
        *_texts(attribution, tokens, column),
        _classes(shown, column),
        _caption(attribution, column, col),
        _legend(attribution, column),
        _numbers(attribution, shown),
        _left_out(len(tokens), n, hover=hover),
    ]
    if hover:
        data = _data(attribution, tokens, shown, col % n)
        parts.append(f'<script type="application/json" class="sw-data">{data}</script>')
    return "\n".join([*parts, "</div>", *([f"<script>{_script()}</script>"] if hover else []), "</div>"])


def to_page(attribution: AttributionLike, *, col: int | None = None) -> str:
    """`to_html` as a whole page, that asks for nothing from anywhere. Raises: as `to_html`."""
    first_words = " ".join("".join(text for _, text in unprinted(all_tokens(attribution))).split())[:TITLE]
    return f"""\
<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{_html(f"{attribution.model_name}: {first_words}")}</title>
</head>
<body>
{to_html(attribution, col=col)}
</body>
</html>
"""


# ── the text ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _head(attribution: AttributionLike) -> str:
    first, *others = headline(attribution)
    rest = "".join(f" · {_html(words)}" for words in (*others, f"share of the {attribution.unit}"))
    said = "".join(f"<br>{_quiet(_html(note))}" for note in notes(attribution))
    return f'<div class="sw-head"><strong>{_html(first)}</strong>{_quiet(rest)}{said}</div>'


def _texts(attribution: AttributionLike, tokens: Sequence[TokenLike], column: Column) -> Iterator[str]:
    """The text; or source and translation, each under its name and in its own direction."""
    for at, (name, side) in enumerate(texts(attribution, tokens)):
        boxes = "".join(_text(attribution, side, column, begun=not name))
        if not name:
            yield f'<div class="sw-prose" dir="auto" style="{TEXT}">{boxes}</div>'
            continue
        # What has a direction of its own has no say in that around it: the text alone decides where both begin.
        line = f"border-top:{LINE}" if at else ""
        yield (
            f'<div class="sw-side" dir="auto"{_attribute("style", line)}>'
            f'<div class="sw-quiet" style="{LABEL}"><span dir="ltr">{_html(name)}</span></div>'
            f'<div class="sw-prose" style="{TEXT};margin-top:2px">{boxes}</div></div>'
        )


def _classes(shown: Sequence[Column], column: Column) -> str:
    """A box a class, with its probability; in their own order, which the script counts by."""
    if column.target.role != "class":
        return ""
    ranked = sorted(range(len(shown)), key=lambda col: -np.nan_to_num(shown[col].probability))
    place = {col: at for at, col in enumerate(ranked)} if len(shown) > FEW_CLASSES else {}
    boxes = []
    for col, other in enumerate(shown):
        style = [BOX_OF_CLASS, f"color:{QUIET}"]
        style += [f"order:{place[col]}"] if place else []
        style += [f"outline:2px solid {ACCENT}"] if other is column else []
        said = f" {_share(other.probability)}" if np.isfinite(other.probability) else ""
        boxes.append(f'<span class="sw-t"{_attribute("style", ";".join(style))}>{_called(other.target)}{said}</span>')
    row = "display:flex;flex-wrap:wrap;gap:8px;margin:6px 0 12px"
    return f'<div class="sw-quiet" style="{LABEL}">classes</div><div style="{row}">{" ".join(boxes)}</div>'


def _text(attribution: AttributionLike, tokens: Sequence[TokenLike], column: Column, *, begun: bool) -> Iterator[str]:
    """One `<span class="sw-t">` a token, in the order of the text. The space before a word stays outside its box.

    `begun`: something of it was read, not written. A start token alone is no beginning.
    """
    row_of = {token.position: row for row, token in enumerate(attribution.rows)}
    first_target = attribution.cols[0].position
    begun = begun or any(token.role != "special" for token in tokens if token.position < first_target)
    ranks = column.ranks()
    titled = _titled(column)
    for token, text in unprinted(tokens):
        gap = " " if text.startswith(" ") and text.strip(" ") else ""
        yield gap
        if token.position == first_target and begun:
            yield f'<span class="sw-sep sw-quiet" style="color:{QUIET};margin:0 5px">┊</span>'
        row = row_of.get(token.position)
        style, title = [BOX] if len(tokens) <= MAX_TITLES else [], ""
        if token.position == column.target.position:
            style += [f"outline:2px solid {ACCENT}"]
            title = f"{label(token)} · the target"
        elif row is None or np.isnan(column.shares[row]):
            style += [f"color:{QUIET}"]
        else:
            share = float(column.shares[row])
            swatch = color.swatch(share, column.largest, signed=attribution.signed)
            ink = swatch.quiet if token.role == "special" else swatch.ink
            style += [f"background:{swatch.background}"] if swatch.background != PAPER else []
            style += [f"color:{ink}"] if ink != INK else []
            if row in titled:
                title = f"{label(token)} · share {_share(share)} · rank {ranks[row]} of {column.n_visible}"
        if token.role == "special":
            style += ["font-size:75%;margin:0 2px"]
        # The letters of a special token say nothing about the direction of the text.
        direction = "ltr" if token.role == "special" else ""
        about = (("dir", direction), ("style", ";".join(style)), ("title", title))
        yield f'<span class="sw-t"{"".join(_attribute(name, value) for name, value in about)}>'
        yield f"{_visible(text[len(gap) :]) if text else _sign(_mark(token))}</span>"


def _mark(token: TokenLike) -> str:
    """What stands for a character that is printed already; only a dot where their numbers would drown the line."""
    return "·" if token.part and token.part[1] > MANY_PARTS else part_mark(token)


def _titled(column: Column) -> frozenset[int]:
    """The rows that say their number on hover: all of them, or the strongest of a long text."""
    if len(column.shares) <= MAX_TITLES:
        return frozenset(range(len(column.shares)))
    return frozenset(column.top(MAX_TITLES))


def _visible(text: str) -> str:
    """The characters, escaped; an invisible one as a sign. A line break stays one, behind its sign."""
    return "".join(
        (_sign(sign) + ("\n" if char == "\n" else "")) if sign else escape(char) for char, sign in glyphs(text)
    )


def _sign(sign: str) -> str:
    return f'<span class="sw-sign" style="opacity:.65;font-size:80%">{sign}</span>'


# ── the lines below it ────────────────────────────────────────────────────────────────────────────────────────────


def _caption(attribution: AttributionLike, column: Column, col: int) -> str:
    said = f"<strong>{_called(column.target)}</strong>"
    if np.isfinite(column.probability):
        said += f" p = {_share(column.probability)}"
    if others := _others(attribution, column, col):
        listed = " · ".join(f"{_isolated(_html(name))} {_share(probability)}" for name, probability in others)
        said += _quiet(f" instead of {listed}")
    inputs = _inputs(attribution, column, 3) or "Every score is 0, so there is nothing to share out."
    return f'<div class="sw-caption">{said}<br>{inputs}</div>'


def _others(attribution: AttributionLike, column: Column, col: int) -> list[tuple[str, float]]:
    """What might have been written instead of target `col`, the most probable first: names and probabilities."""
    known = attribution.alternatives[col][: OTHERS + 1] if attribution.alternatives else []
    return [(_name(a.text), float(f"{a.probability:.6g}")) for a in known if a.text != column.target.text][:OTHERS]


def _inputs(attribution: AttributionLike, column: Column, k: int) -> str:
    named = ((_called(attribution.rows[row]), _share(float(column.shares[row]))) for row in column.top(k))
    return " · ".join(f"{name}&nbsp;{number}" for name, number in named)


def _legend(attribution: AttributionLike, column: Column) -> str:
    low = _share(-column.largest) if attribution.signed else "0"
    boxes = "".join(
        f'<span style="background:{background};padding:0 8px">&nbsp;</span>'
        for background in color.legend(signed=attribution.signed)
    )
    return (
        f'<div class="sw-key sw-quiet" style="color:{QUIET};font-size:13px;margin-top:6px">'
        f"<span>{low}</span> {boxes} <span>{_share(column.largest)}</span></div>"
    )


def _numbers(attribution: AttributionLike, shown: Sequence[Column]) -> str:
    """Every target with its probability and its strongest inputs, folded away."""
    one, all_of_them = ("class", "All classes") if shown[0].target.role == "class" else ("target", "All targets")
    head = "".join(f'<th style="{CELL}">{name}</th>' for name in (one, "p", "strongest inputs, and their shares"))
    body = "\n".join(
        f'<tr><td style="{CELL}">{_called(column.target)}</td>'
        f'<td style="{CELL}">{_share(column.probability)}</td>'
        f'<td style="{CELL};white-space:normal">{_inputs(attribution, column, TOP)}</td></tr>'
        for column in shown[:MAX_TABLE_ROWS]
    )
    return (
        f'<details class="sw-numbers" style="margin-top:6px"><summary>{_quiet(f"{all_of_them} in numbers")}'
        f'</summary>\n<table style="border-collapse:collapse;font-size:13px;margin:6px 0">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></details>"
    )


def _left_out(n_tokens: int, n_targets: int, *, hover: bool) -> str:
    said = []
    if n_tokens > MAX_TITLES:
        said.append(f"numbers on hover for the {MAX_TITLES:,} strongest of {n_tokens:,} tokens")
    if n_targets > MAX_TABLE_ROWS:
        said.append(f"the table for the first {MAX_TABLE_ROWS} of {n_targets:,} targets")
    if not hover:
        said.append("colours for this one target")
    if not said:
        return ""
    return (
        f'<div class="sw-left-out sw-quiet" style="color:{QUIET};font-size:13px">To stay small, this copy has only '
        f"{'; '.join(said)}. save() and to_dataframe() keep everything.</div>"
    )


# ── what the script reads ─────────────────────────────────────────────────────────────────────────────────────────


def _hoverable(attribution: AttributionLike, tokens: Sequence[TokenLike]) -> bool:
    """Whether the numbers may travel along, and are laid out as the script reads them: target c is token first + c."""
    steady = all(b.position == a.position + 1 for a, b in pairwise(attribution.cols))
    whole = [token.position for token in tokens] == list(range(len(tokens)))
    return steady and whole and attribution.scores.size <= MAX_CELLS


def _data(attribution: AttributionLike, tokens: Sequence[TokenLike], shown: Sequence[Column], col: int) -> str:
    """JSON that is safe inside a script element, of ASCII alone."""
    n_rows, n_cols = attribution.scores.shape
    names = ((at, _isolated(label(token))) for at, token in enumerate(tokens))
    about = {
        "first_target": attribution.cols[0].position,
        "n_rows": n_rows,
        "n_cols": n_cols,
        "shown": col,
        "signed": attribution.signed,
        "unit": attribution.unit,
        "texts": [token.text for token in tokens],
        "names": {at: name for at, name in names if name != tokens[at].text.lstrip(" ")},
        "probabilities": [c.probability if np.isfinite(c.probability) else None for c in shown],
        "alternatives": [
            [(_isolated(name), probability) for name, probability in _others(attribution, column, at)]
            for at, column in enumerate(shown)
        ],
        "shares": base64.b64encode(b"".join(_packed(column) for column in shown)).decode(),
        "maxima": [column.largest for column in shown],
        "raw_l1": np.nansum(np.abs(attribution.scores, dtype=np.float64), axis=0).tolist(),
    }
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(about, separators=(",", ":")))


def _packed(column: Column) -> bytes:
    """Shares as little-endian int16, 32767 = the column's largest, -32768 = not visible."""
    scale = 32767 / column.largest if column.largest > 0 else 0.0
    packed: NDArray[np.int16] = np.where(np.isnan(column.shares), -32768, np.rint(np.nan_to_num(column.shares) * scale))
    return packed.astype("<i2").tobytes()


def built(name: str) -> str:
    """A file of the front end. Raises: FileNotFoundError where that was never built."""
    file = files("saliency_widget") / "static" / name
    if not file.is_file():
        raise FileNotFoundError(f"The front end is not built: {name} is missing. Run `make install` in the checkout.")
    return file.read_text("utf-8")


def _script() -> str:
    """The script of the static map, such that no text in it can end its element."""
    return re.sub("<(?=/script|!--)", r"\\x3c", built("static.js"), flags=re.IGNORECASE)


# ── escaping ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _called(token: TokenLike) -> str:
    """The name of a token in a line of ours, escaped."""
    return _isolated(_html(label(token)))


def _isolated(name: str) -> str:
    """A name whose letters run from right to left between FSI and PDI, lest it turn the numbers beside it."""
    return f"\u2068{name}\u2069" if any(bidirectional(char) in ("R", "AL") for char in name) else name


def _html(text: str) -> str:
    """Escaped, and encodable: half a surrogate pair, or a NUL, is no character of a page."""
    return escape("".join(sign or char for char, sign in glyphs(text)))


def _quiet(html: str) -> str:
    return f'<span class="sw-quiet" style="color:{QUIET}">{html}</span>'


def _name(text: str) -> str:
    """An alternative's text as a label: the space before a word is not part of its name."""
    bare = text.lstrip(" ") if text.strip() else text.replace(" ", "␣")
    return "".join(sign or char for char, sign in glyphs(bare)) or "∅"


def _share(value: float) -> str:
    """A share or a probability as js/src/format.ts writes it: .342, −.051, 1.000; two digits below .01: .0021."""
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    digits = f"{size:.3f}"
    if 0 < size < 0.01:
        mantissa, exponent = f"{size:.1e}".split("e")
        digits = f"{size:.{1 - int(exponent)}f}" if size >= 1e-6 else f"{mantissa}e{MINUS}{-int(exponent)}"
    return f"{MINUS if value < 0 else ''}{digits.removeprefix('0')}"


def _attribute(name: str, value: str) -> str:
    return f' {name}="{_html(value)}"' if value else ""
