"""A choice is what an LLM decides about a text: the labels it chooses between, and how it writes each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ..characters import plain
from ..errors import InputError

Label: TypeAlias = int | str


class Option(NamedTuple):
    """A label, its name in words, and the text by which an answer states it."""

    label: Label
    name: str
    written: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The labels that an answer is to choose between; none where nothing is to be decided.

    `is_scale`: the scores of words run from the second label, -1, to the first, 1, whichever was answered. Otherwise
    they run from -1, against the label that was answered, to 1, for it.
    """

    options: tuple[Option, ...] = ()
    is_scale: bool = False

    @property
    def written(self) -> list[str]:
        """Return the text of each label as an answer states it."""
        return [option.written for option in self.options]

    def name_of(self, label: Label | None) -> str:
        """Return the name of a label, "undecided" for None, and "" where nothing is to be decided."""
        named = {option.label: option.name for option in self.options}
        return named.get(label, "undecided") if label is not None else "undecided" if self.options else ""

    def towards(self, label: Label | None) -> int:
        """Return the sign that turns scores for this label into scores as the choice counts them."""
        return -1 if self.is_scale and label == self.options[1].label else 1

    def ends(self, label: Label | None) -> tuple[str, str]:
        """Return what a word with the score -1 speaks for, and one with 1, in words."""
        if self.is_scale:
            return f"for {self.options[1].name}", f"for {self.options[0].name}"
        about = self.name_of(label) if label is not None else "it"
        return f"against {about}", f"for {about}"

    @property
    def parsed_as(self) -> Mapping[Label, float | str] | None:
        """Return the labels as `parse_scores` takes them; None for those of the homework, whose synonyms it knows."""
        if self == HOMEWORK:
            return None
        return {option.label: _number(option.written) for option in self.options}

    @property
    def listed(self) -> str:
        """Return the labels in a sentence of a prompt: "sport, cooking, science", or "good (1), bad (0)"."""
        return ", ".join(o.name if o.name == o.written else f"{o.name} ({o.written})" for o in self.options)


HOMEWORK = Choice((Option(1, "positive", "1"), Option(-1, "negative", "-1")), is_scale=True)
NOTHING = Choice()


def choice_of(labels: Iterable[Label] | Mapping[Label, float | str]) -> Choice:
    """Return the choice between these labels: names that are written as they are, or {name: how it is written}.

    {"positive": 1, "negative": -1} is that of the homework.

    Raises: InputError for fewer than two labels, for one without a letter or digit, for two that are written alike.
    """
    if isinstance(labels, str):
        raise InputError(f"labels is one text, {labels!r}.", cure='Give a list of names: labels=["sport", "cooking"].')
    given = dict(labels) if isinstance(labels, Mapping) else {label: str(label) for label in labels}
    options = tuple(Option(label, _words(label), _words(written)) for label, written in given.items())
    if len(options) < 2:
        raise InputError(
            f"There {'is one label' if options else 'are no labels'} to choose between.", cure="Give at least two."
        )
    for what in ("name", "written"):
        folded = [getattr(option, what).casefold() for option in options]
        if len(set(folded)) < len(folded):
            raise InputError("Two labels are written alike.", cure="Write each label in its own way.")
    choice = Choice(options)
    return HOMEWORK if choice.listed == HOMEWORK.listed else choice


def _words(text: Any) -> str:
    """Return how a label reads on one line. Raises: InputError."""
    said = f"{text:g}" if isinstance(text, float) else " ".join(str(text).split())
    if not any(map(str.isalnum, said)):
        raise InputError(f"{plain(said)!r} is no label.", cure="Give labels names with letters or digits.")
    return said


def _number(written: str) -> float | str:
    try:
        return float(written)
    except ValueError:
        return written
