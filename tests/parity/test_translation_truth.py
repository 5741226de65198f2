"""The translation demo against the alignment that its grammar knows: which Chinese word is behind each English one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.models.loading.translation.grammar import homework, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from saliency_widget.models.base import Model
    from saliency_widget.models.loading.translation.grammar import Pair


@pytest.fixture(scope="module")
def translator() -> Model:
    return sw.load_model("demo-translation", device="cpu")


def hits(model: Model, pair: Pair, method: str, **settings: Any) -> Iterator[bool]:
    """For each content word: whether the source token with the largest score is (part of) the word it comes from."""
    a = sw.attribute(model, pair.source, target=pair.target, method=method, progress=False, **settings)
    source = [i for i, row in enumerate(a.rows) if row.segment == 0]
    by_start = {col.span[1]: j for j, col in reversed(list(enumerate(a.cols))) if col.span is not None}
    for word in pair.words:
        if word.content:
            col = next(by_start[end] for end in sorted(by_start) if end > word.start)
            best = a.rows[source[int(np.argmax(a.scores[source, col]))]]
            yield best.span is not None and any(start <= best.span[0] < end for start, end in word.sources)


@pytest.mark.parametrize(
    ("method", "settings"),
    [("occlusion", {}), ("integrated_gradients", {"steps": 20}), ("attnlrp", {}), ("gim", {})],
)
@pytest.mark.parametrize("n", [15, pytest.param(60, marks=pytest.mark.long)])
def test_the_true_source_word_comes_first_for_19_of_20_content_words(
    translator: Model, method: str, settings: dict[str, Any], n: int
) -> None:
    """On sentences that the model has not been trained on, the homework's among them."""
    assert all(hits(translator, homework(), method, **settings))
    found = [hit for pair in sample(n, held_out=True) for hit in hits(translator, pair, method, **settings)]
    assert len(found) > 3 * n
    assert np.mean(found) >= 0.95


def test_the_homeworks_sentence_is_translated_and_machine_comes_from_machine(translator: Model) -> None:
    """The homework's question, in one line."""
    a = sw.attribute(translator, homework().source, method="occlusion", progress=False)
    assert "".join(t.text for t in a.cols if t.role == "generated").strip() == homework().target
    assert a.top("machine", k=1)[0].text == "機器"
