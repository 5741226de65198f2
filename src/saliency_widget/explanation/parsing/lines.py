"""The readers of pairs without brackets or quotes: a line each, or many in one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .entries import Entry, grouped, kind_of_key
from .literals import (
    ARROW,
    BRACKETS,
    EMOJI,
    LONGEST_LINE,
    LONGEST_WORD,
    NUMBER,
    OPEN_QUOTES,
    QUOTES,
    as_number,
    is_fractional,
    numbered_lines,
    undressed,
    value_of,
)

_BULLET = re.compile(r"\s*+(?P<mark>(?:[-*•·+‣◦–—▪●○]|\\item|\(?\d{1,4}[.)、])\s++)?+(?P<rest>.*)")
_LEADING_TAGS = re.compile(r"\s*(?:<(?:li|p|div|ul|ol|br)\b[^<>]{0,80}>\s*)+", re.IGNORECASE)
_TRAILING_TAGS = re.compile(r"(?:</(?:li|p|div|ul|ol)>|<br\s?/?>|\s)+\Z", re.IGNORECASE)
_LINE = re.compile(
    rf"""
    (?: (?:{ARROW}|[:：=,，;|\t]|[-–—](?=\s)) (?:[ \t*_(（\[{OPEN_QUOTES}]|{EMOJI})*+
      | (?P<round>[(（\[])[ ]?[*_]{{0,2}}
      | (?<!\s)\s++(?=[-+−]?\d*\.\d|[-+−]\d) )
    {NUMBER}
    [*_]*+ (?(round)[ ]?[)）\]]) [ ]?[)）\]{QUOTES}*_]*+ [ ]? (?:{EMOJI}{{1,3}}[ ]?)?
    (?= [,;.，；。]?+[ \r]*+\Z | [(（\[|] | [-–—:：#,]\s | // | {ARROW} )""",
    re.VERBOSE,
)
_ANOTHER_NUMBER = re.compile(rf"\s?[:：=][ ]?{NUMBER}[\s.,;]*")
_WORD_AND_REMARK = re.compile(r"(?P<word>[^:：=]{1,40})[:：=]\s(?:(?P<remark>[^\d:：]{1,60})|.{1,80})")
_BARS = re.compile(r"[\s\u2580-\u259f]+\Z")
_NAMED_LINE = re.compile(
    r"[\s*_\-•]*+(?P<key>[^\W\d_][\w ]{0,20})[*_]{0,2}\s?[:：=][*_]{0,2}\s*+[\[(]?(?P<items>[^\[\]]+)[\])]?\s*;?\s*"
)
_BETWEEN_ITEMS = re.compile(r"[,，、]\s|\s?[|;]\s?")
_SENTENCE = re.compile(
    rf"(?P<word>[\"“„«「`][^\"”“»」`\n]{{1,40}}[\"”“»」`])[ ](?:[^\W\d]{{1,30}},?[ ]){{1,8}}?[*]{{0,2}}{NUMBER}(?=[\s,;.)*]|\Z)"
)
_NO_LINE = re.compile(r"[|｜]|<[A-Za-z][\w:.-]{0,30}\s[^<>]{0,80}=")  # a table's row, an element with attributes
_HALF_QUOTED = re.compile(r'["“„«「]\w[^"”“»」]*["”“»」].')
_LONGEST_PHRASE = 8  # words
_DIGIT = re.compile(r"\d")
_A_LABEL = re.compile(r"[^\W\d_]{3}[ ]?[*_]{0,2}[ ]?(?:[:：=]|\bis|of)[ ]?[*_]{0,2}[ ]?[-+−~≈]?[ ]?[.]?\d")
_LABELLED = re.compile(
    rf"""(?P<word>[^\n]{{1,60}}?)[*_]{{0,2}}\s*+
    (?:(?:[:：,，|]|[-–—](?=\s)|{ARROW})\s*+(?:[^\d\n:：=]{{1,60}}?[,;，；(（\[–—]\s?)?|[(（\[])[ ]?[*_]{{0,2}}
    (?P<label>[^\W\d_]{{3,16}})[ ]?[*_]{{0,2}}[ ]?(?:[:：=]|\bis\b|of\b)[ ]?[*_]{{0,2}}[ ]?{NUMBER}[*_]{{0,2}}[ ]?
    (?:[)）\]]?[.,;。，；]?[ \r]*+\Z|[)）\]]\s*+[-–—:]|[)）\]]?\s*+[(（\[|])""",
    re.VERBOSE,
)
_TITLE = re.compile(r"\s*+(?:[-*•]|\d{1,4}[.)]|#{1,6})\s++(?P<word>[^\s\d:：]{1,40})[:：]?[*]{0,2}[:：]?\s*")
_ABOUT_A_WORD = re.compile(
    r"\s*+(?:[-*•]\s)?[*_]{0,2}(?:reason|explanation|rationale|why|comment|note)\b", re.IGNORECASE
)
_NUMBER_FIRST = re.compile(
    rf"[*_(（]{{0,3}}{NUMBER}[*_)）]{{0,3}}[ ]?(?:{ARROW}|[:：=,|\t]|[-–—](?=\s)|(?=\s))[ \t]?(?P<word>\S.{{0,60}})"
)
_HEADING = re.compile(
    r"[^\d\n]{0,60}(?:positive|negative|neutral|words?\b|punctuation)[^\d\n]{0,60}[:*#]\s*", re.IGNORECASE
)
_NO_NUMBER = re.compile(r"(?P<word>[^:：]{1,40})[:：][^\d]{1,20}")
_SEVERAL = re.compile(
    rf"(?:[^\s,，、]{{1,40}}|[{OPEN_QUOTES}].[{QUOTES}])(?:(?:[,，、]|\s/)\s(?:[^\s,，、]{{1,40}}|[{OPEN_QUOTES}].[{QUOTES}]))+"
)
_AND_THE_NEXT = re.compile(r"(?:[,，、]|\s/)\s")
_IN_ONE_LINE = re.compile(
    rf"""(?<![^\s,;,；、])(?P<word>[^\s,;,；、()（）\[\]{{}}/]{{1,40}}?|[,;，；、/])
    (?: [ ]?(?:[:：=]|{ARROW})[ ]? | [ ]?(?P<round>[(（\[{{<])[ ]?(?:(?P<label>[^\W\d_]{{3,16}})[:=：][ ]?)? | [/|_^](?=[-+−]?\d*[.]\d|[-+−]\d|[01]\b) | <(?P<script>su[bp]|small)> )
    {NUMBER} (?(round)[ ]?[)）\]}}>]) (?(script)</\w{{3,5}}>) (?=[\s,;.，；、。]|\Z)""",
    re.VERBOSE,
)


def in_lines(text: str) -> Iterator[list[Entry]]:
    """Yield lines like "- film: 0.5" or "- 0.5: film", with or without bullets or numbers.

    A word can also stand alone, as a heading, and its number below it: "Importance: 0.5".
    """
    block: list[Entry] = []
    title: tuple[str, int] | None = None
    for at, line in numbered_lines(text):
        entries = _line(at, line)
        if title and len(entries) == 1 and kind_of_key(entries[0].word) == "value":
            entries = [entries[0]._replace(word=title[0], start=title[1], quoted=True)]
            title = None
        if entries and (entries[0].value is not None or block):
            block += entries
        elif line.strip():
            title = _title(at, line)
            if block and not title and not _HEADING.fullmatch(line) and not _ABOUT_A_WORD.match(line):
                yield block
                block = []
    if block:
        yield block


def _title(at: int, line: str) -> tuple[str, int] | None:
    """Return the word that a line consists of, and where the line begins, if it is a heading or a bullet."""
    found = _TITLE.fullmatch(line) if len(line) <= LONGEST_WORD else None
    return (undressed(found["word"])[0], at) if found else None


def _line(at: int, line: str) -> list[Entry]:
    if len(line) > LONGEST_LINE:
        return []
    end = at + len(line)
    if "<" in line:
        line = _TRAILING_TAGS.sub("", _LEADING_TAGS.sub("- ", line))
    parts = _BULLET.match(line)
    if not parts or not parts["rest"].strip() or _NO_LINE.match(parts["rest"]):
        return []
    rest, marked = parts["rest"], bool(parts["mark"])
    if not _DIGIT.search(rest) and not (marked and ":" in rest.replace("：", ":")):
        return []
    labelled = _LABELLED.match(rest) if _A_LABEL.search(rest) else None
    if labelled and kind_of_key(labelled["label"]) == "value":
        word, quoted = undressed(labelled["word"].rstrip("*_ :："))
        if _is_word(word, labelled["word"], marked):
            return [Entry(word, value_of(labelled["number"]), at, end, quoted or marked, name=True)]
    for found in _LINE.finditer(rest):
        raw = _BARS.sub("", rest[: found.start()]).rstrip("*_ ")
        word, quoted = undressed(raw)
        word = word.removeprefix("**") or word
        if not word:
            continue  # the separator itself is the word, as in ":: 0.1"
        if _ANOTHER_NUMBER.fullmatch(rest, found.end("number")):
            continue  # 7:30: 0.1
        if as_number(word) is not None and (first := _number_first(rest, at, end, marked)):
            return [first]
        value = value_of(found["number"])
        if _SEVERAL.fullmatch(raw):  # The, is, . : 0.0
            words = (undressed(each)[0] for each in _AND_THE_NEXT.split(raw))
            return [Entry(word, value, at, end, quoted or marked, name=True) for word in words]
        about = None if quoted or len(word) < 3 else _WORD_AND_REMARK.fullmatch(word)
        if about:  # film: neutral (0.0); but in "film: 0.8 to 0.9" is no number
            word, value = undressed(about["word"])[0], value if about["remark"] else None
        if not quoted and not _is_word(word, raw, marked):
            return []
        return [Entry(word, value, at, end, quoted or marked, name=True)]
    first = _number_first(rest, at, end, marked)
    if first:
        return [first]
    found_none = _NO_NUMBER.fullmatch(rest.strip()) if marked else None
    return [Entry(undressed(found_none["word"])[0], None, at, end, True, name=True)] if found_none else []


def _is_word(word: str, raw: str, marked: bool) -> bool:
    """Whether what stands before a number can be a word, or with a bullet before it a phrase."""
    if len(word) > 1 and word[0] in BRACKETS and raw[:1] == word[0]:
        return False
    if _HALF_QUOTED.match(word):
        return False  # "film" - score: 0.5 is about the word, but not a word
    return len(word.split()) <= (_LONGEST_PHRASE if marked else 4) and len(word) <= (LONGEST_WORD if marked else 40)


def _number_first(rest: str, at: int, end: int, marked: bool) -> Entry | None:
    """Return the pair of "0.5: film". A whole number before a word is where it stands, not its importance."""
    found = _NUMBER_FIRST.fullmatch(rest.strip())
    if not found or not is_fractional(found["number"]):
        return None
    word, quoted = undressed(found["word"])
    if as_number(word) is not None or len(word.split()) > 2 or len(word) > 40:
        return None
    return Entry(word, value_of(found["number"]), at, end, quoted or marked, name=True)


def in_one_line(text: str) -> Iterator[list[Entry]]:
    """Yield This (0.1), film (0.2); This: 0.1, film: 0.2; and This/0.1 film/0.2, of one line each."""
    for at, line in numbered_lines(text):
        if line.lstrip().startswith(("{", "[", "(")):
            continue
        entries = [
            Entry(undressed(m["word"])[0], value_of(m["number"]), at + m.start(), at + m.end(), False, name=True)
            for m in _IN_ONE_LINE.finditer(line)
            if not m["label"] or kind_of_key(m["label"]) == "value"
        ]
        if entries:
            yield entries


def in_two_lines(text: str) -> Iterator[list[Entry]]:
    """Yield the pairs of "Words: This, film" and "Scores: 0.1, 0.5", one line below the other, of as many each."""
    words: tuple[list[str], int] | None = None
    for at, line in numbered_lines(text):
        found = _NAMED_LINE.fullmatch(line)
        kind = kind_of_key(found["key"]) if found else None
        if not found or kind not in ("word", "value"):
            continue
        items = [item.strip() for item in _BETWEEN_ITEMS.split(found["items"])]
        if kind == "word":
            words = [undressed(item)[0] for item in items], at
            continue
        values = [as_number(item) for item in items]
        if words and len(words[0]) == len(values) > 1 and None not in values:
            yield [Entry(w, v, words[1], at + len(line), True) for w, v in zip(words[0], values, strict=True)]
        words = None


def in_sentences(text: str) -> Iterator[list[Entry]]:
    """Yield the pairs of sentences: The word "film" has an importance of 0.5."""
    entries = (
        Entry(found["word"][1:-1].strip(), value_of(found["number"]), found.start(), found.end(), True)
        for found in _SENTENCE.finditer(text)
        if is_fractional(found["number"])
    )
    return grouped(text, entries, lambda gap: "\n\n" in gap)
