"""`methods()` lists all methods, and the reasons why some cannot run on a model."""

from __future__ import annotations

import pytest

import saliency_widget as sw
from saliency_widget.attribution.cards import LLM, OF_INSEQ, OURS, card_of
from saliency_widget.attribution.methods import BRIDGED, METHODS, method_for, method_of
from saliency_widget.attribution.settings import Settings
from saliency_widget.errors import UnsupportedMethod

from ..families import made


def test_every_method_is_listed_with_a_whole_card() -> None:
    listed = sw.methods()
    ids = [entry.method.id for entry in listed]
    assert ids[: len(METHODS)] == list(METHODS)
    assert "inseq:deeplift" in ids
    assert all(entry.reason is None for entry in listed)
    for method, _ in listed:
        assert all((method.label, method.family, method.unit, method.cost, method.reads, method.caveats)), method.id
    frame = listed.to_dataframe()
    assert list(frame["id"]) == ids
    assert frame.notna()["caveats"].all()


def test_a_model_without_attention_says_so_in_the_list() -> None:
    listed = sw.methods(made("mamba"))
    reasons = {entry.method.id: entry.reason for entry in listed}
    assert reasons["saliency"] is None
    assert "attention" in str(reasons["attention"])
    assert str(reasons["attention"]) in repr(listed)
    shown = listed._repr_html_()
    assert "<b>Not here:</b>" in shown
    assert f"of {len(listed)} methods apply to {made('mamba').name}" in repr(listed)


def test_names_and_cards_cannot_break_the_page() -> None:
    model = made("llama")
    name, model.name = model.name, "<script>alert(1)</script>"
    try:
        assert "<script>" not in sw.methods(model)._repr_html_()
    finally:
        model.name = name


def test_each_card_of_a_method_has_a_method_and_each_method_a_card() -> None:
    """Cards and methods correspond one to one, in the order of the menu."""
    assert list(METHODS) == list(OURS)
    assert list(BRIDGED) == list(OF_INSEQ)
    assert all(method_of(card) is not None for card in (*OURS.values(), *OF_INSEQ.values()))


def test_what_is_said_and_what_came_from_elsewhere_has_a_card_and_no_method() -> None:
    mine = sw.Attribution.from_scores([[1], [-2]], ["a", "b"], ["c"], method="mine", unit="point")
    card = card_of(mine.method, signed=mine.signed, unit=mine.unit)
    assert (card.label, card.unit, card.signed, card.pool, card.uses_objective) == ("mine", "point", True, "sum", False)
    assert method_of(card) is None
    assert method_of(LLM) is None
    with pytest.raises(UnsupportedMethod, match="LLM says cannot run here: It is said, not computed.*Use saliency or"):
        method_for(LLM, made("llama"), Settings())
