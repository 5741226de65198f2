"""Characters that nobody sees, or that act on what shows them: signs that say what is there and do nothing.

A terminal obeys escape characters, a line of text the marks that turn its direction, a progress bar in a notebook
markup. Names come from outside (models, servers, files), and go through here before they are shown.
"""

from __future__ import annotations

import re
import unicodedata

# The page has the same signs (js/src/format.ts); tests/data/characters.json holds both to them. Names, not control
# pictures (␀): few fonts have those.
_CONTROLS = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
]  # fmt: skip
_SIGNS = dict(zip(map(chr, range(0x20)), _CONTROLS, strict=True)) | {
    "\t": "⇥", "\n": "⏎", "\x7f": "DEL", "\xa0": "⍽", "\xad": "SHY", "\u061c": "ALM", "\u200b": "ZWSP",
    "\u200c": "ZWNJ", "\u200d": "ZWJ", "\u200e": "LRM", "\u200f": "RLM", "\u2028": "LS", "\u2029": "PS",
    "\u202a": "LRE", "\u202b": "RLE", "\u202c": "PDF", "\u202d": "LRO", "\u202e": "RLO", "\u2060": "WJ",
    "\u2066": "LRI", "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI", "\ufeff": "BOM",
} | {chr(0xFDFF + n): f"VS{n}" for n in range(1, 17)}  # fmt: skip
# They shape the letters around them (emoji families, Persian): a sign only where nothing is around.
JOINERS = frozenset("\u200c\u200d" + "".join(map(chr, range(0xFE00, 0xFE10))))
_BAR = str.maketrans("<>&", "‹›＆")
_LINE_ENDS = re.compile(r"([\t\r\n])")
_LONGEST = 60  # letters of a name in a progress bar


def sign_of(char: str) -> str:
    """The stand-in for an invisible character, or "". It says what is there without doing what it does."""
    code = ord(char)
    hidden = 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or 0xE0000 <= code < 0xE0080
    return _SIGNS.get(char, f"U+{code:04X}" if hidden else "")


def plain(text: str) -> str:
    """The text on one line, with a sign for each character that acts: controls, line ends, turns of direction."""
    return text if text.isprintable() else "".join(_sign(char) if _acts(char) else char for char in text)


def plain_lines(text: str) -> str:
    """As `plain`, but that lines stay lines, and tabs tabs."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(plain(cell) for cell in line.split("\t")) for line in lines)


def in_a_cell(text: str) -> str:
    """As `plain`, but that tabs and line ends stay: pandas, which prints the cell, shows them escaped."""
    return "".join(part if part in "\t\r\n" else plain(part) for part in _LINE_ENDS.split(text))


def bar_name(name: str) -> str:
    """A name as a progress bar may have it: `plain`, short, and nothing in it is markup, escaped or not.

    tqdm writes it into a notebook as HTML when a bar begins, and as text later.
    """
    name = plain(name).translate(_BAR)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _acts(char: str) -> bool:
    kind = unicodedata.category(char)
    is_arabic = unicodedata.bidirectional(char) in ("AN", "AL")  # signs that stand around numbers, and are seen
    return kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and char not in JOINERS and not is_arabic)


def _sign(char: str) -> str:
    return sign_of(char) or f"U+{ord(char):04X}"
