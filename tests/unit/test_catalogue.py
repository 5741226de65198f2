"""`methods()`: what there is, and which of it a model allows."""

from __future__ import annotations

import saliency_widget as sw
from saliency_widget.attribution.methods import METHODS

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
