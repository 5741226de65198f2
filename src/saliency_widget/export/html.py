"""The static map: HTML that needs no kernel, for a saved notebook, an export or an e-mail.

It also works without scripts: a sanitised page keeps inline `style`, `title`, `class`, tables and `<details>`, and
drops `<style>`, `<script>` and `data-*`. So the map has a background of its own (the page's is unknown), every number
is in a title or a table, and the colours are inline. If scripts run, `static.js` reads the data beside the map, makes
every target hoverable, and uses the page's colours.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import numpy as np

from . import color
from .boxes import Box, boxes_of, texts
from .figures import number, share
from .folds import Fold, fold_at, folds_of
from .notes import notes
from .paint import INK, MAX_TITLES, PAPER, QUIET, painter
from .reading import (
    Column,
    columns,
    first_target,
    floors,
    glyphs,
    headline,
    isolated,
    label,
    likeliest,
    measured,
    part_mark,
    told,
    unprinted,
    visible,
)

if TYPE_CHECKING:
    from . import AttributionLike, TokenLike

Painted: TypeAlias = Callable[[Box], tuple[list[str], str]]  # see `painter`

# Limits that keep a saved notebook small. Above them the page names what is left out.
MAX_TABLE_ROWS = 100  # targets in the table
MAX_CELLS = 250_000  # numbers in the page for hovering, 5.3 bytes each

TOP = 5  # inputs of each target in the table
OTHERS = 4  # alternatives in the caption
MANY_PARTS = 3  # tokens of one character, above which they are not numbered
FEW_CLASSES = 8  # classes in the model's own order; more are sorted by probability

CARD = (
    f"background:{PAPER};color:{INK};border:1px solid #e2e5ea;border-radius:8px;padding:12px 16px;max-width:960px;"
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;font-size:14px;line-height:1.5"
)
BEGIN = f'<div class="sw-static-map" dir="ltr" style="{CARD}">'  # its captions are English
TEXT = "white-space:pre-wrap;overflow-wrap:break-word;font-size:16px;line-height:1.9;margin:10px 0"
BOX = "padding:2px;border-radius:3px"
FOLDED = "cursor:pointer;font-size:13px"
LINE = "1px solid rgba(128,128,128,.35)"  # on any background
BOX_OF_CLASS = f"padding:1px 9px;border:{LINE};border-radius:6px"
LABEL = f"color:{QUIET};font-size:11px;font-weight:600;letter-spacing:.06em;text-transform:uppercase;margin-top:12px"
CELL = f"padding:2px 12px 2px 0;text-align:left;background:{PAPER};color:{INK};white-space:nowrap"

# The first rule hides the static map in the output right after a live widget. The second hides JupyterLab's message
# that the widget of an ended kernel is missing, above its static map. The others give the card the colours of the page
# once the script runs (it sets data-sw-ready, then the boxes' colours).
STYLE = """\
.jp-OutputArea-child:has(.sw-live:not(.sw-empty)) + .jp-OutputArea-child .sw-static { display: none }
.jp-OutputArea-child:has(> .jupyter-widgets):not(:has(> .jupyter-widgets > *)):has(+ .jp-OutputArea-child .sw-static) \
{ display: none }
.sw-static-map[data-sw-ready] { background: var(--jp-layout-color0, #fff) !important; \
color: var(--jp-content-font-color1, #1b1d22) !important; border-color: var(--jp-border-color2, #e2e5ea) !important }
.sw-static-map[data-sw-ready] :is(.sw-quiet, th, td) { background: none !important; color: inherit !important }
.sw-static-map[data-sw-ready] :is(.sw-quiet:not(.sw-key), .sw-key > :is(:first-child, :last-child)) { opacity: .75 }"""


def to_html(attribution: AttributionLike, *, col: int | None = None) -> str:
    """Return the static map of the whole attribution, coloured for target `col` (-1 is the last).

    None for `col` is the first target, or the most probable class. The page (js/src/views/takeaway/page.ts) writes
    the map as its reader sees it, with the same markup. Its size is bounded: 5,000 tokens and 32 targets stay below
    1.5 MB. It can always be encoded as UTF-8.
    Raises: IndexError if there is no such target; FileNotFoundError if the front end was never built.
    """
    targets = columns(attribution)
    if not targets:
        return f'<div class="sw-static">{BEGIN}There is no target token.</div></div>'
    n, boxes = len(targets), boxes_of(attribution)
    col = likeliest(targets, attribution.segments) if col is None else col
    if not -n <= col < n:
        raise IndexError(f"There is no target {col}: there are {n}, 0 … {n - 1}.")
    col %= n
    hover = n * len(attribution.rows) <= MAX_CELLS
    painted = painter(attribution, targets[col], col)
    parts = [
        f'<div class="sw-static"><style>{STYLE}</style>',
        BEGIN,
        _head(attribution),
        *_texts(attribution, boxes, painted, folds_of(attribution, boxes, targets[col])),
        _classes(boxes, targets, painted),
        _caption(attribution, targets[col], _caption_of(attribution, targets[col], col)),
        _legend(attribution, targets[col]),
        _numbers(attribution, targets),
        _left_out(attribution, hover=hover),
    ]
    if hover:
        data = _data(attribution, targets, boxes, col)
        parts.append(f'<script type="application/json" class="sw-data">{data}</script>')
    return "\n".join([*parts, "</div>", *([f"<script>{_script()}</script>"] if hover else []), "</div>"])


# ── the text ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _head(attribution: AttributionLike) -> str:
    first, *others = headline(attribution)
    rest = "".join(f" · {_html(words)}" for words in (*others, measured(attribution)))
    said = "".join(f"<br>{_quiet(_html(note.text))}" for note in notes(attribution))
    return f'<div class="sw-head"><strong>{_html(first)}</strong>{_quiet(rest)}{said}</div>'


def _texts(
    attribution: AttributionLike, boxes: Sequence[Box], painted: Painted, folds: Sequence[Fold]
) -> Iterator[str]:
    """Yield the text, or source and translation with their names, each in its own writing direction."""
    for at, (name, side) in enumerate(texts(attribution, boxes)):
        prose = "".join(_text(attribution, side, painted, folds, begun=not name))
        if not name:
            yield f'<div class="sw-prose" dir="auto" style="{TEXT}">{prose}</div>'
            continue
        # dir="auto" ignores descendants with their own `dir`, so only the text decides the direction.
        line = f"border-top:{LINE}" if at else ""
        yield (
            f'<div class="sw-side" dir="auto"{_attribute("style", line)}>'
            f'<div class="sw-quiet" style="{LABEL}"><span dir="ltr">{_html(name)}</span></div>'
            f'<div class="sw-prose" style="{TEXT};margin-top:2px">{prose}</div></div>'
        )


def _classes(boxes: Sequence[Box], targets: Sequence[Column], painted: Painted) -> str:
    """Return one box for each class with its probability, in the order of the columns, which the script expects."""
    classes = [box for box in boxes if box.token.role == "class"]
    if not classes:
        return ""
    known = {of.target.position: of for of in targets if np.isfinite(of.figure)}
    figures = [known[box.token.position].figure if box.token.position in known else 0.0 for box in classes]
    ranked = sorted(range(len(classes)), key=lambda at: -figures[at])
    place = {at: order for order, at in enumerate(ranked)} if len(classes) > FEW_CLASSES else {}
    parts = []
    for at, box in enumerate(classes):
        style, title = painted(box)
        style = [BOX_OF_CLASS, *(style or [f"color:{QUIET}"])]
        style += [f"order:{place[at]}"] if place else []
        column = known.get(box.token.position)
        said = "" if column is None else f" {number(column)}"
        about = _attribute("style", ";".join(style)) + _attribute("title", title)
        parts.append(f'<span class="sw-token"{about}>{_called(box.token)}{said}</span>')
    row = "display:flex;flex-wrap:wrap;gap:8px;margin:6px 0 12px"
    name = "classes" if np.isnan(targets[0].value) else "output" if len(classes) == 1 else "outputs"
    return f'<div class="sw-quiet" style="{LABEL}">{name}</div><div style="{row}">{" ".join(parts)}</div>'


def _text(
    attribution: AttributionLike, boxes: Sequence[Box], painted: Painted, folds: Sequence[Fold], *, begun: bool
) -> Iterator[str]:
    """Yield a `<span class="sw-token">` for each box, in order. The space before a word stays outside its box.

    The boxes of a fold are in a `<details>` of their own, whose first line the script keeps up to date.
    `begun`: whether the text begins with given tokens. A start token alone does not count.
    """
    first = first_target(attribution)
    tokens = [box.token for box in boxes]
    begun = begun or any(token.role != "special" for token in tokens if token.position < first)
    within: Fold | None = None
    for box, (token, text) in zip(boxes, unprinted(tokens), strict=True):
        gap = " " if text.startswith(" ") and text.strip(" ") else ""
        before, within = within, fold_at(folds, token)
        if before is not None and within is not before:
            yield "</details>"
        yield gap
        if token.position == first and begun:
            yield f'<span class="sw-separator sw-quiet" style="color:{QUIET};margin:0 5px">┊</span>'
        if within is not None and within is not before:
            yield _begin_of(within)
        style, title = painted(box)
        style = [BOX, *style] if len(tokens) <= MAX_TITLES else style
        if token.role == "special":
            style += ["font-size:75%;margin:0 2px"]
        # The letters of a special token must not influence the direction of the text.
        direction = "ltr" if token.role == "special" else ""
        about = (("dir", direction), ("style", ";".join(style)), ("title", title))
        yield f'<span class="sw-token"{"".join(_attribute(name, value) for name, value in about)}>'
        printed = _visible(text[len(gap) :]) if text else _sign(_mark(token))
        end = "\n" if printed.endswith("\n") else ""  # inside the box it would draw a sliver of it on the next line
        yield f"{printed.removesuffix(end)}</span>{end}"
    if within is not None:
        yield "</details>"


def _begin_of(fold: Fold) -> str:
    """Return the opening tag of a fold, and its first line."""
    held = f'{fold.size}<span class="sw-held">{fold.held}</span>'
    return f'<details class="sw-thinking"{" open" * fold.is_open}><summary style="{FOLDED}">{_quiet(held)}</summary>'


def _mark(token: TokenLike) -> str:
    """Return the mark for a character that is printed already; a dot if it has too many parts for numbers."""
    return "·" if token.part and token.part[1] > MANY_PARTS else part_mark(token)


def _visible(text: str) -> str:
    """Escape a text, with signs for invisible characters. A line break is kept after its sign."""
    return "".join(
        (_sign(sign) + ("\n" if char == "\n" else "")) if sign else escape(char) for char, sign in glyphs(text)
    )


def _sign(sign: str) -> str:
    return f'<span class="sw-sign" style="opacity:.65;font-size:80%">{sign}</span>'


# ── the lines below it ────────────────────────────────────────────────────────────────────────────────────────────


class Caption(TypedDict):
    """The printed parts of the line below the text; a part may be empty.

    `detail` holds the probability, `alternatives` the alternatives. `hidden` is always empty here.
    """

    name: str
    detail: str
    alternatives: str
    hidden: str


def _caption_of(attribution: AttributionLike, column: Column, col: int) -> Caption:
    detail = f" {'p ' if np.isnan(column.value) else ''}= {number(column)}" if np.isfinite(column.figure) else ""
    others = " · ".join(f"{isolated(name)} {share(p)}" for name, p in _others(attribution, column, col))
    name, alternatives = isolated(label(column.target)), others and f" instead of {others}"
    return Caption(name=name, detail=detail, alternatives=alternatives, hidden="")


def _caption(attribution: AttributionLike, column: Column, caption: Caption) -> str:
    # Invisible characters are signs already.
    name, detail, others = (escape(caption[part]) for part in ("name", "detail", "alternatives"))
    inputs = _strongest(attribution.rows, column, 3) or "No input has a share of this."
    return (
        f'<div class="sw-caption"><strong>{name}</strong>{detail}{_quiet(others) if others else ""}<br>{inputs}</div>'
    )


def _others(attribution: AttributionLike, column: Column, col: int) -> list[tuple[str, float]]:
    """Return names and probabilities of the alternatives to target `col`, the most probable first."""
    known = attribution.alternatives[col][: OTHERS + 1] if attribution.alternatives else []
    return [(_name(a.text), a.probability) for a in known if a.text != column.target.text][:OTHERS]


def _strongest(names: Sequence[TokenLike], column: Column, k: int) -> str:
    named = ((_called(names[row]), share(float(column.numbers[row]))) for row in column.top(k))
    return " · ".join(f"{name}&nbsp;{number}" for name, number in named)


def _legend(attribution: AttributionLike, column: Column) -> str:
    low = share(-column.largest) if attribution.signed else "0"
    boxes = "".join(
        f'<span style="background:{background};padding:0 8px">&nbsp;</span>'
        for background in color.legend(signed=attribution.signed, floor=column.floor / (column.largest or 1))
    )
    return (
        f'<div class="sw-key sw-quiet" style="color:{QUIET};font-size:13px;margin-top:6px">'
        f"<span>{low}</span> {boxes} <span>{share(column.largest)}</span></div>"
    )


def _numbers(attribution: AttributionLike, shown: Sequence[Column]) -> str:
    """Return the folded table of every target with its probability and its strongest inputs."""
    one, all_of_them = ("class", "All classes") if shown[0].target.role == "class" else ("target", "All targets")
    if not np.isnan(shown[0].value):
        one, all_of_them = "output", "All outputs"
    said = f"strongest inputs, and their {told(attribution)}s"
    figure = "p" if np.isnan(shown[0].value) else "value"
    head = "".join(f'<th style="{CELL}">{name}</th>' for name in (one, figure, said))
    body = "\n".join(
        f'<tr><td style="{CELL}">{_called(column.target)}</td>'
        f'<td style="{CELL}">{number(column)}</td>'
        f'<td style="{CELL};white-space:normal">{_strongest(attribution.rows, column, TOP)}</td></tr>'
        for column in shown[:MAX_TABLE_ROWS]
    )
    return (
        f'<details class="sw-numbers" style="margin-top:6px"><summary>{_quiet(f"{all_of_them} in numbers")}'
        f'</summary>\n<table style="border-collapse:collapse;font-size:13px;margin:6px 0">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></details>"
    )


def _left_out(attribution: AttributionLike, *, hover: bool) -> str:
    n_rows, n_cols = len(attribution.rows), len(attribution.cols)
    said = []
    if n_rows > MAX_TITLES:
        said.append(f"numbers on hover for the {MAX_TITLES:,} strongest of {n_rows:,} tokens")
    if n_cols > MAX_TABLE_ROWS:
        said.append(f"the table for the first {MAX_TABLE_ROWS} of {n_cols:,} targets")
    if not hover:
        said.append("colours for this one target")
    if not said:
        return ""
    return (
        f'<div class="sw-left-out sw-quiet" style="color:{QUIET};font-size:13px">To stay small, this copy has only '
        f"{'; '.join(said)}. save() and to_dataframe() keep everything.</div>"
    )


# ── what the script reads ─────────────────────────────────────────────────────────────────────────────────────────


def _data(attribution: AttributionLike, targets: Sequence[Column], boxes: Sequence[Box], col: int) -> str:
    """Return ASCII JSON that is safe inside a script element; js/src/hover.ts documents its fields."""
    about = {
        "shown": col,
        "signed": attribution.signed,
        "label": told(attribution),
        "rows": [box.row for box in boxes],
        "cols": [box.col for box in boxes],
        "ended": [box.ended for box in boxes],
        "names": [isolated(label(row)) for row in attribution.rows],
        "captions": [_caption_of(attribution, column, at) for at, column in enumerate(targets)],
        **({"floors": noise} if any(noise := floors(attribution)) else {}),
        # Little-endian float32, one column after another, NaN where the target cannot see the row.
        "scores": base64.b64encode(np.asarray(attribution.scores.T, "<f4").tobytes()).decode(),
    }
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(about, separators=(",", ":")))


def built(name: str) -> str:
    """Return the text of a built file of the front end. Raises: FileNotFoundError if it was never built."""
    file = files("saliency_widget") / "static" / name
    if not file.is_file():
        raise FileNotFoundError(f"The front end is not built: {name} is missing. Run `make install` in the checkout.")
    return file.read_text("utf-8")


def _script() -> str:
    """Return the script of the static map, in which no text can end its element."""
    return re.sub("<(?=/script|!--)", r"\\x3c", built("static.js"), flags=re.IGNORECASE)


# ── escaping ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _called(token: TokenLike) -> str:
    """Return the escaped name of a token for a line in English."""
    return isolated(_html(label(token)))


def _html(text: str) -> str:
    """Escape a text and replace lone surrogates and NUL, which HTML cannot contain."""
    return escape("".join(sign or char for char, sign in glyphs(text)))


def _quiet(html: str) -> str:
    return f'<span class="sw-quiet" style="color:{QUIET}">{html}</span>'


def _name(text: str) -> str:
    """Return an alternative's text as a label, without the space before a word."""
    return visible(text) or "∅"


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escape(value)}"' if value else ""  # invisible characters are signs already
