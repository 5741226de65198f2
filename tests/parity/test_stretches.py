"""Long prompts and long texts without some rows, read over a cache: the same numbers as in one pass, in less memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution import pipeline
from saliency_widget.errors import OutOfMemory
from saliency_widget.models.base import Model
from saliency_widget.models.inside import long_texts, stretches
from saliency_widget.models.inside.ways import Texts, Way
from saliency_widget.models.loading.kinds import model_of
from saliency_widget.types import Inputs

from ..families import made
from .test_long_texts import ABLE, Live, eager, ids_of

SIZE = 16
TRIED = 24  # tokens of the texts on which models are tried; a pass with more is of the text itself
FEW = ("llama", "gpt2", "mistral_sliding", "bloom")
NAMES = [pytest.param(name, marks=() if name in FEW else pytest.mark.long) for name in ABLE]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text is long from 30 tokens on, any weights are too many, and it is read 16 tokens at a time."""
    for module in (long_texts, pipeline):
        monkeypatch.setattr(module, "LONG", 30)
    monkeypatch.setattr(long_texts, "HELD", -1)
    monkeypatch.setattr(long_texts, "_SIZES", {"cpu": (SIZE,)})


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each pass of any shadow that is made from now on."""
    found: list[int] = []
    shadow = Model.shadow

    def heard(_module: Any, _args: Any, given: dict[str, Any]) -> None:
        found.append(given["input_ids"].shape[1])

    def listening(self: Model, *given: Any) -> Model:
        made_here = shadow(self, *given)
        made_here.model.register_forward_pre_hook(heard, with_kwargs=True)
        return made_here

    monkeypatch.setattr(Model, "shadow", listening)
    return found


# ── prompts ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_in_stretches_has_the_logits_of_one_pass(name: str, passes: list[int]) -> None:
    """The written tokens and their probabilities are those after a whole prompt; no pass reads more than a stretch.

    Numbers of other shapes are rounded otherwise: 1e-5 of a probability in float32, less in float64.
    """
    model = made(name)
    ids = ids_of(45)
    written = []
    assert stretches.prompt_size(model.shadow(), len(ids)) == SIZE
    for size in (None, SIZE):
        passes.clear()
        steps: list[Any] = []
        model.shadow().write_after(ids, 3, lambda _, step, steps=steps: steps.append(step), size)
        written.append(steps)
        assert max(passes) == (45 if size is None else SIZE)
    for one, two in zip(*written, strict=True):
        assert one.ids[0] == two.ids[0]
        np.testing.assert_allclose(one.probabilities, two.probabilities, rtol=1e-5)


@pytest.mark.usefixtures("short")
def test_what_a_model_writes_after_a_long_prompt_is_read_in_stretches(passes: list[int]) -> None:
    """By `attribute`, and several texts of a run at once."""
    model = made("llama")
    found = sw.attribute(
        model, input_ids=ids_of(45), target_ids=None, max_new_tokens=3, method="random", progress=False
    )
    assert max(passes) <= TRIED
    passes.clear()
    several = model.shadow().write_several([ids_of(45), ids_of(46)[1:]], 3)
    assert max(passes) <= TRIED
    assert several[0] == [token.id for token in found.cols]


def test_a_short_prompt_and_one_with_fused_attention_are_read_in_one_pass() -> None:
    """Stretches would only read the weights more often."""
    model = model_of(*eager(), "eager").shadow()
    assert stretches.prompt_size(model, 200) is None
    assert stretches.prompt_size(model, 4000) == 256
    fused = model_of(*eager(attn_implementation="sdpa"), "fused").shadow()
    assert stretches.prompt_size(fused, 4000) is None


def test_a_prompt_in_stretches_takes_a_fifth_of_the_memory() -> None:
    """Of one pass over 2,000 tokens with attention weights for every pair; counted, tensor by tensor."""
    model, ids = model_of(*eager(), "eager"), ids_of(2000)
    peaks = []
    for size in (None, 256):
        with Live() as live:
            model.shadow().write_after(ids, 1, lambda *_: None, size)
        peaks.append(live.most)
    assert peaks[1] <= peaks[0] / 5


# ── texts without some rows ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_every_family_reads_texts_without_some_rows_in_slices(name: str) -> None:
    """Tried on a short text; and a longer one, three rows of which are hidden, has the logits of one pass."""
    model = made(name).shadow()
    assert stretches.parts_agree(model)
    ids = model.some_ids(40)
    x = model.embed(Inputs((), ids))
    seen = torch.ones(2, 40, dtype=torch.bool)
    seen[0, [1, 5, 30]] = False
    seen[1, [2, 20]] = False
    tensor = torch.tensor([ids, ids])
    texts = Texts(torch.cat([x, 0.9 * x]), tensor[:, :0], tensor, None, seen)
    if model.takes_positions:
        texts = texts._replace(positions=torch.arange(40).expand(2, -1))
    which, places = torch.tensor([1, 0, 0, 1]), torch.tensor([39, 4, 39, 19])
    expected = model.several(texts, which, places, Way.WHOLE)
    found = stretches.read_parts(model, texts, which, places, 9)
    # In float64; some families compute norms or a softmax in float32.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("operator", ["mask", "delete"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral_sliding"])
def test_words_are_taken_away_from_a_long_text_in_slices(
    name: str, operator: str, request: pytest.FixtureRequest, passes: list[int]
) -> None:
    """Scores are those of single passes over changed texts, and no pass reads more than a slice.

    Drops are differences of two rounded numbers: 1e-6 of the largest.
    """
    asked: dict[str, Any] = {
        "input_ids": ids_of(45), "target_ids": [60, 70], "method": "occlusion", "operator": operator,
        "unit": "word", "progress": False,
    }  # fmt: skip
    expected = sw.attribute(made(name), **asked)
    assert max(passes) > TRIED
    request.getfixturevalue("short")
    passes.clear()
    found = sw.attribute(made(name), **asked)
    assert max(passes) <= TRIED
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-6 * np.nanmax(np.abs(expected.scores)))


def test_a_text_beyond_memory_for_one_pass_loses_its_segments_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, it was refused. Where slices are not right for a model it still is, with the tokens that would fit."""
    model = model_of(*eager(), "eager")
    text = "".join(chr(97 + i % 23) for i in range(1500))
    asked: dict[str, Any] = {
        "segments": {"early": (3, 800), "late": (900, 1400)}, "target_ids": [60], "method": "occlusion",
        "unit": "segment", "operator": "mask", "objective": "logit", "progress": False,
    }  # fmt: skip
    n = len(sw.attribute(model, text, target_ids=[60], method="random", progress=False).rows)
    one_pass = long_texts.bytes_a_pass(model.shadow(), n)
    monkeypatch.setattr("saliency_widget.attribution.memory.free", lambda _device: int(one_pass / 2))
    with Live() as live:
        found = sw.attribute(model, text, **asked)
    assert live.most < one_pass
    early = next(segment for segment in found.segments if segment.name == "early")
    keep = torch.ones(1, n, dtype=torch.long)
    keep[:, early.start : early.end] = 0
    ids = torch.tensor([[token.id for token in found.rows]])
    with torch.no_grad():
        whole = model.model(ids, use_cache=False).logits[0, -1, 60]
        less = model.model(ids, attention_mask=keep, position_ids=torch.arange(n)[None], use_cache=False).logits[
            0, -1, 60
        ]
    assert found.scores[early.start : early.end, 0].sum() == pytest.approx(float(whole - less), rel=1e-3)
    monkeypatch.setattr(stretches, "parts_agree", lambda _model: False)
    with pytest.raises(OutOfMemory, match=r"A pass over a changed text of 1,\d+ tokens needs about \d+ MB"):
        sw.attribute(model_of(*eager(), "eager"), text, **asked)
