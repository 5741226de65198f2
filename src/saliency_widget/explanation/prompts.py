"""The prompts: those of Hung-yi Lee's Generative AI course (Spring 2024, homework 7) word for word, and variants.

A template is plain text with named fields in braces. Only the names that are given are fields, and what is put in is
not looked at again: a review may hold braces, tags and quotes, and the template other braces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..errors import InputError
from ..types import ExplanationKind
from .choice import HOMEWORK, Choice

# Whether the class is written after the list (as in the homework) or before it.
Order: TypeAlias = Literal["explain first", "predict first"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A way to ask. `{review}` in `text` stands for the text it is about."""

    id: str
    label: str
    kind: ExplanationKind
    text: str
    order: Order = "explain first"


ANSWER = Template(
    id="answer",
    label="Answer and explain",
    kind="answer",
    text="You are a creative and intelligent movie review analyst, whose purpose is to aid in sentiment analysis of "
    "movie reviews. Determine whether the review below is positive or negative, and explain your answers. \n\n"
    "Review: {review}",
)
SCORES = Template(
    id="scores",
    label="Score each word",
    kind="scores",
    text="You are a movie review analyst tasked with sentiment analysis. For each review, provide a list of tuples "
    "representing the importance of each word and punctuation, with values ranging from -1 (negative) to 1 (positive). "
    "Then, classify the review as positive (1) or negative (-1). The review is within <review> tags.\n"
    "Example output:\n"
    "[(<word or punctuation>, <float importance>), ...]\n"
    "<int classification>\n"
    "<review> {review} <review>",
)
PREDICT_FIRST = Template(
    id="scores-predict-first",
    label="Class first, then each word",
    kind="scores",
    order="predict first",
    text="You are a movie review analyst tasked with sentiment analysis. For each review, first classify the review as "
    "positive (1) or negative (-1). Then, provide a list of tuples representing the importance of each word and "
    "punctuation, with values ranging from -1 (negative) to 1 (positive). The review is within <review> tags.\n"
    "Example output:\n"
    "<int classification>\n"
    "[(<word or punctuation>, <float importance>), ...]\n"
    "<review> {review} <review>",
)
# What the page asks first: of the target on show, with which the page fills `{target}`.
WHY = Template(
    id="why",
    label="Why this word",
    kind="why",
    text="Why did you write “{target}” after “{review}”?",
)
# With it, for the numbers: a word of the text each, as in the homework's prompt.
WHY_SCORES = (
    "Explain it in a few sentences. Then provide a list of tuples representing how much each word and punctuation mark "
    "of that text led you to it, with values ranging from -1 (speaks against it) to 1 (speaks for it):\n"
    "[(<word or punctuation>, <float importance>), ...]"
)
# Of any labels: `{labels}` stands for their names.
CHOOSE = Template(
    id="choose",
    label="Choose a label and explain",
    kind="answer",
    text="Which of these labels fits the text below best: {labels}? Name it, and explain your choice.\n\n"
    "Text: {review}",
)
CHOOSE_SCORES = Template(
    id="choose-scores",
    label="Score each word for the label",
    kind="scores",
    text="Decide which of these labels fits the text within <text> tags best: {labels}. Provide a list of tuples "
    "representing the importance of each word and punctuation mark for your choice, with values ranging from -1 "
    "(speaks against it) to 1 (speaks for it). Then write the label.\n"
    "Example output:\n"
    "[(<word or punctuation>, <float importance>), ...]\n"
    "<label>\n"
    "<text> {review} </text>",
)
TEMPLATES: dict[str, Template] = {t.id: t for t in (ANSWER, SCORES, PREDICT_FIRST)}
_OF_HOMEWORK = {"answer": ANSWER, "scores": SCORES}

# Of a server's own map: much of the probability of its first token is on the labels.
ONE_WORD = "Text: {review}\n\nClassify the text as {labels}. Answer with one word: {labels}."
# The same question in other words, label first: how stable is what the model says?
CHOOSE_PARAPHRASES: tuple[str, ...] = (
    (
        "Decide which of these labels fits the text within <text> tags best: {labels}. First write the label. Then "
        "provide a list of tuples representing the importance of each word and punctuation mark for your choice, with "
        "values ranging from -1 (speaks against it) to 1 (speaks for it).\n"
        "Example output:\n"
        "<label>\n"
        "[(<word or punctuation>, <float importance>), ...]\n"
        "<text> {review} </text>"
    ),
    (
        "Read the text within <text> tags. On the first line write which of these labels describes it: {labels}. "
        "On the next line write a list of tuples that tells how much each word and each punctuation mark contributed "
        "to that, from -1 (against the label) to 1 (for it).\n"
        "Example output:\n"
        "<label>\n"
        "[(<word or punctuation>, <float importance>), ...]\n"
        "<text> {review} </text>"
    ),
    (
        "Label a text with one of {labels}, and explain your decision with numbers. Answer with the label, followed by "
        "tuples of every word or punctuation mark and its importance between -1 (speaks against the label) and 1 "
        "(speaks for it). The text stands within <text> tags.\n"
        "Example output:\n"
        "<label>\n"
        "[(<word or punctuation>, <float importance>), ...]\n"
        "<text> {review} </text>"
    ),
)
PARAPHRASES: tuple[str, ...] = (
    PREDICT_FIRST.text,
    (
        "Judge the film review within <review> tags. On the first line write 1 if it is positive, or -1 if it is "
        "negative. On the next line write a list of tuples that tells how much each word and each punctuation mark "
        "contributed, from -1 (negative) to 1 (positive).\n"
        "Example output:\n"
        "<int classification>\n"
        "[(<word or punctuation>, <float importance>), ...]\n"
        "<review> {review} <review>"
    ),
    (
        "Decide the sentiment of a movie review and explain your decision with numbers. Answer with the class, 1 for "
        "positive and -1 for negative, followed by tuples of every word or punctuation mark and its importance "
        "between -1 (speaks for negative) and 1 (speaks for positive). The review stands within <review> tags.\n"
        "Example output:\n"
        "<int classification>\n"
        "[(<word or punctuation>, <float importance>), ...]\n"
        "<review> {review} <review>"
    ),
)


def paraphrases(choice: Choice) -> tuple[str, ...]:
    """Return the wordings of the question for the numbers of words, the label first."""
    return PARAPHRASES if choice == HOMEWORK else CHOOSE_PARAPHRASES


def template_for(kind: ExplanationKind, choice: Choice) -> str:
    """Return the built-in prompt for a kind of explanation and a choice; the homework's where there is no choice."""
    if kind == "why":
        return WHY.text
    own = {"answer": CHOOSE, "scores": CHOOSE_SCORES} if choice.options and choice != HOMEWORK else _OF_HOMEWORK
    return own[kind].text


def with_labels(template: str, choice: Choice) -> str:
    """Return a template that has a place for the labels: where it mentions none of them, in a last line of its own.

    Raises: InputError if it has a place for labels and there are none.
    """
    if "{labels}" in template:
        if not choice.options:
            raise InputError("The prompt has a place for {labels}, and there are none.", cure="Give labels=[…].")
        return template
    if choice == HOMEWORK or not choice.options or all(option.written in template for option in choice.options):
        return template
    return f"{template}\n\nAnswer with one of these labels: {{labels}}."


def fill(template: str, **fields: str) -> str:
    """Return the template with each `{name}` that is among the fields replaced, all at once.

    Raises: InputError where the template has no place for one of them.
    """
    missing = [name for name in fields if f"{{{name}}}" not in template]
    if missing:
        raise InputError(
            f"The prompt has no place for the {missing[0]}.", cure=f"Write {{{missing[0]}}} where it is to stand."
        )
    pattern = "|".join(re.escape(f"{{{name}}}") for name in fields)
    return re.sub(pattern, lambda found: fields[found[0][1:-1]], template)


def label_of(template: str) -> str:
    """Return the label of the built-in prompt that this is, its target filled in or not; "Own prompt" for any other."""
    before, after = WHY.text.split("{target}")
    if template.startswith(before) and template.endswith(after) and len(template) > len(before + after):
        return WHY.label
    known = (CHOOSE, CHOOSE_SCORES, *TEMPLATES.values())
    return next((t.label for t in known if t.text == template), "Own prompt")


def order_of(template: str) -> Order:
    """Return whether a template asks for the class first. A user's own is taken to follow the homework."""
    known = (t.order for t in TEMPLATES.values() if t.text == template)
    return "predict first" if template in PARAPHRASES + CHOOSE_PARAPHRASES else next(known, "explain first")
