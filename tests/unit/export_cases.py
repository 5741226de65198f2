"""Attributions of known content for the tests of saliency_widget.export, and what a reader gets of a page."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np

from saliency_widget.types import Alternative, Segment, Token


@dataclass(frozen=True)
class Fake:
    """The least that export reads: what `export.AttributionLike` says, and nothing else."""

    scores: np.ndarray
    rows: Sequence[Token]
    cols: Sequence[Token]
    step_scores: Mapping[str, np.ndarray]
    segments: Sequence[Segment] = ()
    alternatives: Sequence[Sequence[Alternative]] = ()
    label: str = "Gradient"
    method: str = "saliency"
    objective: str | None = "probability"
    signed: bool = False
    unit: str = "gradient norm"
    model_name: str = "tiny"
    settings: Mapping[str, Any] = field(default_factory=dict)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    foil: str | None = None
    seconds: float = 0.1
    errors: np.ndarray | None = None


def tokens(texts: Sequence[str], first_target: int, special: Sequence[int] = ()) -> list[Token]:
    """Tokens that tile the text; those in `special` are no part of it."""
    out, end = [], 0
    for i, text in enumerate(texts):
        span = None if i in special else (end, end + len(text))
        end += 0 if i in special else len(text)
        role = "special" if i in special else "prompt" if i < first_target else "generated"
        out.append(Token(id=i, position=i, text=text, role=role, span=span, word=i, sentence=0, segment=0))
    return out


def fake(texts: Sequence[str], first_target: int, *, special: Sequence[int] = (), seed: int = 0, **fields: Any) -> Fake:
    """Random scores, NaN exactly where a causal model cannot see."""
    rng = np.random.default_rng(seed)
    listed = tokens(texts, first_target, special)
    n_cols = len(texts) - first_target
    scores = rng.gamma(0.5, 1, (len(texts) - 1, n_cols)).astype(np.float32)
    if fields.get("signed"):
        scores *= rng.choice(np.float32([-1, 1]), scores.shape)
    for col in range(n_cols):
        scores[first_target + col :, col] = np.nan
    fields.setdefault("step_scores", {"probability": rng.random(n_cols).astype(np.float32)})
    return Fake(scores=scores, rows=listed[:-1], cols=listed[first_target:], **fields)


def translation(
    source: Sequence[str] = ("我", "喜歡", "機器", "</s>"),
    start: Sequence[str] = ("<pad>",),
    written: Sequence[str] = (" I", " like", " it", "."),
    *,
    begun: int = 0,
    **fields: Any,
) -> Fake:
    """A source and the text written about it, each with spans of its own; of that text `begun` tokens were given.

    Tokens in angle brackets, and of names such as `eng_Latn`, are special.
    """
    sides = (list(source), [*start, *written])
    out: list[Token] = []
    for segment, texts in enumerate(sides):
        end = 0
        for at, text in enumerate(texts):
            special = text.startswith("<") or "_" in text
            given = segment == 1 and at < len(start) + begun
            role = "special" if special else "source" if segment == 0 else "prompt" if given else "generated"
            span = None if special else (end, end + len(text))
            end += 0 if special else len(text)
            i = len(out)
            out.append(Token(id=i, position=i, text=text, role=role, span=span, word=i, sentence=0, segment=segment))
    first_target = len(source) + len(start) + begun
    n_cols = len(out) - first_target
    scores = np.random.default_rng(5).gamma(0.5, 1, (len(out) - 1, n_cols)).astype(np.float32)
    for col in range(n_cols):
        scores[first_target + col :, col] = np.nan
    segments = (
        Segment(kind="source", name="source", start=0, end=len(source)),
        Segment(kind="target", name="translation", start=len(source), end=len(out)),
    )
    steps = {"probability": np.linspace(0.9, 0.5, n_cols, dtype=np.float32)}
    return Fake(scores=scores, rows=out[:-1], cols=out[first_target:], segments=segments, step_scores=steps, **fields)


def classes(probabilities: Mapping[str, float], **fields: Any) -> Fake:
    """Four inputs, and a column for every class, which sees them all."""
    rows = tokens(["[CLS]", "a", " gem", "[SEP]"], 4, special=(0, 3))
    n = len(rows)
    cols = [
        Token(id=c, position=n + c, text=name, role="class", span=None, word=n + c, sentence=0, segment=0)
        for c, name in enumerate(probabilities)
    ]
    scores = np.random.default_rng(6).normal(size=(n, len(cols))).astype(np.float32)
    steps = {"probability": np.float32(list(probabilities.values()))}
    segments = (
        Segment(kind="document", name="", start=0, end=n),
        Segment(kind="target", name="classes", start=n, end=n + len(cols)),
    )
    return Fake(scores=scores, rows=rows, cols=cols, step_scores=steps, signed=True, segments=segments, **fields)


def paris(**fields: Any) -> Fake:
    """Three inputs, two targets, and scores one can add up in one's head."""
    listed = tokens(["The", " capital", " is", " Paris", "."], 3)
    scores = np.float32([[1, 0.5], [6, 1], [3, 0.5], [np.nan, 8]])
    return Fake(
        scores=fields.pop("scores", scores),
        rows=listed[:4],
        cols=listed[3:],
        step_scores={"probability": np.float32([0.75, 0.5])},
        **fields,
    )


class Page(HTMLParser):
    """A page as a reader gets it: the text, the boxes of the tokens, and the script elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.stack: list[tuple[str, dict[str, str | None]]] = []
        self.boxes: list[dict[str, str]] = []
        self.text = self.sign_text = self.everything = ""
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(html)
        self.close()
        assert not self.stack, "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("br", "meta"):
            return
        attributes = dict(attrs)
        self.stack.append((tag, attributes))
        if attributes.get("class") == "sw-token":
            self.boxes.append({"text": "", "shown": "", "title": "", "style": "", **attributes})
        if tag == "script":
            self.scripts.append((attributes, ""))

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        classes = " ".join(attributes.get("class") or "" for _, attributes in self.stack).split()
        tag = self.stack[-1][0] if self.stack else ""
        if tag == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif tag not in ("style", "title"):
            self.everything += data
        if "sw-prose" not in classes or "sw-separator" in classes or "summary" in [name for name, _ in self.stack]:
            return
        if "sw-token" in classes:
            self.boxes[-1]["shown"] += data
        if "sw-sign" in classes:
            self.sign_text += data
        else:
            self.text += data
            if "sw-token" in classes:
                self.boxes[-1]["text"] += data

    @property
    def data(self) -> dict:
        (found,) = [text for attributes, text in self.scripts if attributes.get("class") == "sw-data"]
        return json.loads(found)

    @property
    def scores(self) -> np.ndarray:
        """[n_rows, n_cols], decoded as the contract says."""
        d = self.data
        packed = np.frombuffer(base64.b64decode(d["scores"]), "<f4")
        return packed.reshape(len(d["captions"]), len(d["names"])).T

    @property
    def names(self) -> list[str]:
        """The script's name of each box: by its row, or as a target."""
        d = self.data
        pairs = zip(d["rows"], d["cols"], strict=True)
        return [d["captions"][col]["name"] if row is None else d["names"][row] for row, col in pairs]


def style_of(box: dict[str, str]) -> dict[str, str]:
    return dict(part.split(":", 1) for part in box["style"].split(";") if part)
