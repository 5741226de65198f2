"""`compare`: two finished maps and their difference on one text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from ..attribution.cards import READY, Card, card_of
from ..attribution.result import Attribution
from ..errors import InputError
from ..export.reading import APART, floors
from ..hosts import check_notebook
from ..session.messages import wire_notes
from ..widget import MapWidget
from .exhibit import Exhibit, Exhibition, Shown
from .merging import Merged, merge

Comparable: TypeAlias = Attribution | MapWidget

A, B, DIFFERENCE = "a", "b", "difference"  # the names of the maps for `ask`
_CLOSED = (
    "This is a comparison of finished maps: there is no model behind it to ask.",
    "Call show() with a model for that.",
)


class ComparisonWidget(MapWidget):
    """A widget of two maps and their difference. Made by `compare`; it computes nothing. Its traits: see `MapWidget`.

    `attribution` is the map on show, on the merged text: A, B, or their difference (its method is "difference").
    """

    def __init__(self, exhibition: Exhibition) -> None:
        super().__init__(partial(Exhibit, exhibition))

    def ask(self, name: str = DIFFERENCE) -> None:
        """Show "a", "b" or their "difference": what the toggle in the widget does. Raises: UnknownName."""
        assert isinstance(self._backend, Exhibit), "it was made with one"
        self._backend.show(name)

    def _begin(self, attribution: Attribution) -> int:
        return attribution.cols[0].position  # no column is missing


def compare(a: Comparable, b: Comparable, *, names: Sequence[str] | None = None) -> ComparisonWidget:
    """Display two maps and their difference under the cell: maps of two prompts, of two models, or by two methods.

    `a`, `b`: attributions, or widgets, whose maps on show are compared. `names`: the names of the two; None for their
    models if these differ, otherwise their methods, otherwise first and second.

    The two texts become one. A token that both have, in the same order, stands there once; a token that one has stands
    where it stood, and has no score in the other's map: inputs are aligned with inputs, a source with a source, targets
    with targets, classes by their names. Inputs that stand in the place of others (up to eight tokens) are one input.
    The difference is taken between shares, A's less B's: what raw scores are measured in does not matter. Where an
    input, or a target, is missing in one of them there is none.

    Raises:
        InputError: the maps cannot be compared: classes and written text, words and tokens, an empty map, a widget
            without a map; or `names` are not two strings.
        NoNotebook: there is no notebook to show it in.
    """
    exhibition = exhibition_of(_map(a, "first"), _map(b, "second"), names)
    check_notebook()
    widget = ComparisonWidget(exhibition)
    widget.show()
    return widget


def exhibition_of(a: Attribution, b: Attribution, names: Sequence[str] | None = None) -> Exhibition:
    """Return the exhibition of the two maps and their difference. Raises: InputError."""
    called = _names(a, b, names)
    merged = merge(a, b)
    on_text = [merged.map_of(each, place) for each, place in zip((a, b), merged.places, strict=True)]
    name = f"A: {called[0]} | B: {called[1]}"
    said = [wire_notes(each, place.cols) for each, place in zip((a, b), merged.places, strict=True)]
    sides = zip((a, b), merged.places, strict=True)
    floor_of = [dict(zip(place.cols, floors(each), strict=True)) for each, place in sides]
    least = [[known.get(col) for col in range(len(merged.cols))] for known in floor_of]
    shown = [
        Shown(
            card=_card(each, key, f"{key.upper()}: {title}", other), map=each, about=tuple(_about(each)), notes=notes,
            floors=noise,
        )
        for each, key, title, other, notes, noise in zip(on_text, (A, B), called, ("B", "A"), said, least, strict=True)
    ]  # fmt: skip
    difference = Shown(
        card=_difference_card(a, b),
        map=_difference(merged, a, b, on_text, name),
        about=(),
        notes=[
            {**note, "text": f"{side.card.label}: {note['text']}"}
            for side, own in zip(shown, said, strict=True)
            for note in own
        ],
    )
    return Exhibition(
        name=name,
        where="comparison",
        what=f"{merged.n_both} of {len(merged.tokens)} tokens in both",
        tokens=merged.tokens,
        segments=merged.segments,
        first_target=merged.first_target,
        maps=(*shown, difference),
        replaced=[(place.start, place.middle, place.end) for place in merged.replaced],
        beside=(A, B),  # the page sets two maps against each other itself
        closed=_CLOSED,
    )


def _map(given: Any, which: str) -> Attribution:
    if isinstance(given, Attribution):
        return given
    if not isinstance(given, MapWidget):
        raise InputError(
            f"The {which} is a {type(given).__name__}, not a map.",
            cure="Give an Attribution, as attribute() and wait() give it, or a widget that shows one.",
        )
    if given.attribution is None:
        raise InputError(f"The {which} widget has no map yet.", cure="Call wait() on it first.")
    return given.attribution


def _names(a: Attribution, b: Attribution, given: Sequence[str] | None) -> tuple[str, str]:
    if given is None:
        found = ((a.model_name, b.model_name), (a.label, b.label))
        return next((two for two in found if two[0] != two[1]), ("first", "second"))
    if isinstance(given, str) or len(given) != 2 or not all(isinstance(name, str) for name in given):
        raise InputError(f"names={given!r} are not two names.", cure='Give two strings: names=("before", "after").')
    return given[0], given[1]


def _difference(
    merged: Merged, a: Attribution, b: Attribution, on_text: Sequence[Attribution], name: str
) -> Attribution:
    """Return A's shares minus B's, each a share of the whole column of its own map; NaN where either has none."""
    ours, theirs = (merged.spread(each.normalized(), place) for each, place in zip((a, b), merged.places, strict=True))
    return replace(
        on_text[0],
        scores=merged.difference(ours, theirs),
        errors=None,  # how far the shares of one map vary with those of another, nobody knows
        step_scores={},  # each map has its own: those of one would be shown as the target's
        alternatives=(),
        method=DIFFERENCE,
        objective=a.objective if a.objective == b.objective else None,
        foil=a.foil if a.foil == b.foil else None,
        signed=True,
        unit=APART,
        model_name=name,
        settings={},
        seconds=0.0,
    )


# ── cards ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _card(shown: Attribution, name: str, label: str, other: str) -> Card:
    card = card_of(shown.method, signed=shown.signed, unit=shown.unit)
    return replace(
        card,
        id=name,
        label=label,
        signed=shown.signed,
        unit=shown.unit,
        uses_objective=False,
        cost=READY,
        reads=f"{shown.label}. {card.reads}",
        caveats=(*card.caveats, f"What {other} alone has is there, without a score."),
    )


def _difference_card(a: Attribution, b: Attribution) -> Card:
    caveats = [
        "What was replaced is one input: the share of what stands there in A, less that of what stands there in B.",
        "What only one of them has, in the place of nothing, has no score: there is nothing to set it against.",
        "A share is one of a whole column: an input that one of them alone has takes from all others there.",
        "The darkest colour is the largest difference of the column, or a tenth of the column where all are smaller.",
        "How probable a target is, and what might have stood there instead, each map says for itself.",
    ]
    if a.signed != b.signed:
        caveats.append("One map has signs and the other has none: an input against the target counts as less.")
    return Card(
        id=DIFFERENCE,
        label="A − B",
        family="difference",
        signed=True,
        uses_objective=False,
        unit=APART,
        pool="mean",
        cost=READY,
        says="Purple: this {word} weighs more in A; orange: more in B.",
        reads="The share of an input in A less its share in B. Purple: it weighs more in A; orange: more in B.",
        caveats=tuple(caveats),
        reference="",
    )


def _about(shown: Attribution) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a map's conditions: its model, objective and settings."""
    yield "method", shown.label
    if shown.model_name:
        yield "of", shown.model_name
    if shown.objective is not None:
        yield "explains", shown.objective.replace("_", "-")
    if shown.foil is not None:
        yield "instead of", shown.foil
    yield from ((name, str(value)) for name, value in shown.settings.items() if value is not None)
