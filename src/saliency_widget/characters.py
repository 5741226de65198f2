"""Signs in place of characters that are invisible or that control what displays them.

Escape characters control a terminal, direction marks a line of text, markup a progress bar in a notebook. Names from
outside (models, servers, files) are cleaned here before they are shown.
"""

from __future__ import annotations

import re
import unicodedata

# The page has the same signs (js/src/format.ts); tests/data/characters.json checks both. They are names, because few
# fonts have control pictures (␀).
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
# They join the letters around them (emoji families, Persian), so they get a sign only if nothing is around.
JOINERS = frozenset("\u200c\u200d" + "".join(map(chr, range(0xFE00, 0xFE10))))
_BAR = str.maketrans("<>&", "‹›＆")
_LINE_ENDS = re.compile(r"([\t\r\n])")
_LONGEST = 60  # characters of a name in a progress bar


def sign_of(char: str) -> str:
    """Return the sign for an invisible character, or "" for a visible one."""
    code = ord(char)
    hidden = 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or 0xE0000 <= code < 0xE0080
    return _SIGNS.get(char, f"U+{code:04X}" if hidden else "")


def plain(text: str) -> str:
    """Return the text on one line, with signs for controls, line ends and direction marks."""
    return text if text.isprintable() else "".join(_sign(char) if _acts(char) else char for char in text)


def plain_lines(text: str) -> str:
    """Return the text as `plain` does, but keep line ends and tabs."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(plain(cell) for cell in line.split("\t")) for line in lines)


def in_a_cell(text: str) -> str:
    """Return the text as `plain` does, but keep tabs and line ends, which pandas escapes when it prints a cell."""
    return "".join(part if part in "\t\r\n" else plain(part) for part in _LINE_ENDS.split(text))


def bar_name(name: str) -> str:
    """Return a name for a progress bar: `plain`, short, and without characters of markup.

    tqdm writes it into a notebook first as HTML, and later as text.
    """
    name = plain(name).translate(_BAR)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _acts(char: str) -> bool:
    kind = unicodedata.category(char)
    is_arabic = unicodedata.bidirectional(char) in ("AN", "AL")  # visible signs around numbers
    return kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and char not in JOINERS and not is_arabic)


def _sign(char: str) -> str:
    return sign_of(char) or f"U+{ord(char):04X}"
