"""Spot checks accept correct maps, and refuse every planted error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution import engine, gradient
from saliency_widget.attribution.engine import Schedule
from saliency_widget.attribution.problem import Problem
from saliency_widget.errors import BadScores
from saliency_widget.models.inside import reuse as reading
from saliency_widget.models.inside.attention import AttentionReader
from saliency_widget.models.inside.ways import Forward
from saliency_widget.types import Target

from ..families import CLASSIFIERS, FAMILIES, made, make
from ..toys import allowing

ASKED: dict[str, Any] = {"text": "A cab. Bad bed", "target": "dad", "progress": False}


def asked(name: str, method: str, **more: Any) -> sw.Attribution:
    return sw.attribute(made(name) if isinstance(name, str) else name, method=method, **(ASKED | more))


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients", "attnlrp", "gim"])
@pytest.mark.parametrize("objective", ["probability", "log_probability", "logit", "entropy"])
def test_a_right_map_says_how_near_it_came(method: str, objective: str) -> None:
    a = asked("llama", method, objective=objective)
    assert 0 <= a.diagnostics["spot_check"] < 0.02


@pytest.mark.parametrize("method", ["occlusion", "attention", "attention_rollout", "value_zeroing"])
def test_what_goes_only_forward_comes_as_near_as_the_precision_allows(method: str) -> None:
    """transformers takes the softmax of eager attention in float32."""
    assert 0 <= asked("llama", method).diagnostics["spot_check"] < 1e-5


@pytest.mark.parametrize("above", [33.0, 35.0, 36.0, 38.0])
@pytest.mark.parametrize("method", ["saliency", "input_x_gradient"])
def test_an_almost_certain_token_is_no_error_where_no_digit_of_its_probability_moves(method: str, above: float) -> None:
    """1 - p is from 5e-15 to 3e-17: differences of p are rounding, and prove nothing; the log-odds are checked."""
    model = make("llama")
    ids = model.tokenizer("A cab. Bad bed")["input_ids"]
    with torch.no_grad():
        best = model.model(torch.tensor([ids])).logits[0, -1].topk(2)
        model.model.lm_head.weight.mul_(above / float(best.values[0] - best.values[1]))
    given = {"input_ids": ids, "target_ids": [int(best.indices[0])], "progress": False, "method": method}
    a, sure = (sw.attribute(model, objective=objective, **given) for objective in ("probability", "log_odds"))
    assert a.diagnostics.get("spot_check_proves", True) is False or a.diagnostics["spot_check"] < 0.02
    assert sure.diagnostics["spot_check"] < 0.02
    # The gradient of p is that of the log-odds, times p (1 - p).
    ratio = a.scores / sure.scores
    assert np.ptp(ratio) < 1e-3 * float(ratio.mean())


def test_noise_is_not_checked() -> None:
    assert "spot_check" not in asked("llama", "random").diagnostics


def test_of_a_foil_and_of_a_span_too() -> None:
    assert asked("llama", "saliency", foil="x").diagnostics["spot_check"] < 0.02
    assert asked("llama", "saliency", span=(0, 2)).diagnostics["spot_check"] < 0.02


# ── planted faults ───────────────────────────────────────────────────────────────────────────────────────────────


def times(factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda g: factor * g


def shifted(g: torch.Tensor) -> torch.Tensor:
    return g.roll(1, dims=2)


def of_another_target(g: torch.Tensor) -> torch.Tensor:
    return g.roll(1, dims=0)


@pytest.mark.parametrize(
    "fault", [times(1.05), times(-1), shifted, of_another_target], ids=["factor", "sign", "shifted", "other target"]
)
@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients"])
def test_a_wrong_gradient_is_an_error_that_names_both_numbers(
    fault: Callable[[torch.Tensor], torch.Tensor], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = gradient.slopes

    def wrong(*given: Any) -> Any:
        found = right(*given)
        return found._replace(gradients=fault(found.gradients))

    monkeypatch.setattr(gradient, "slopes", wrong)
    said = r"checked in column 0, and is off: the map says .*, plain passes .* say"
    with pytest.raises(BadScores, match=said) as caught:
        asked("llama", method)
    assert "Take another method" in caught.value.cure


def test_a_wrong_drop_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of a pack are exchanged: each unit gets the drop of its neighbour."""
    right = reading.read_ends

    def exchanged(*given: Any) -> Any:
        ends = right(*given)
        return lambda texts, at: ends([(start, rows.flip(0)) for start, rows in texts], at)

    model = make("llama")
    asked(model, "occlusion")  # by now packs of this length are known to be right
    monkeypatch.setattr(reading, "read_ends", exchanged)
    with pytest.raises(BadScores, match="Occlusion was checked"):
        asked(model, "occlusion")


def test_attention_that_changes_the_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    run = AttentionReader.run
    monkeypatch.setattr(AttentionReader, "run", lambda *given, **more: 1.1 * run(*given, **more))
    with pytest.raises(BadScores, match="Attention was checked"):
        asked("llama", "attention")


def test_columns_that_were_done_before_the_check_are_shown_and_no_others() -> None:
    """The first chunk comes, then the check; what is off ends the map there."""

    def network(x: torch.Tensor, at: torch.Tensor) -> Any:
        return Forward(x.cumsum(1)[:, at] ** 2, None)

    torch.manual_seed(0)
    given: dict[str, Any] = {
        "network": network,
        "embeddings": torch.randn(1, 40, 6, dtype=torch.float64),
        "targets": tuple(Target(at, (at % 6,)) for at in range(2, 40)),
        "objective": "logit",
        "precision": "float64",
    }
    right = Problem(**given, access=allowing(plain=lambda _n: network))
    fine = list(engine.run(gradient.saliency, right, Schedule(range(38)), label="Gradient"))
    assert [type(part).__name__ for part in fine] == ["Chunk", "Spot", "Chunk", "Chunk"]
    parts = engine.run(
        gradient.saliency,
        Problem(**given, access=allowing(plain=lambda _n: lambda x, at: network(1.2 * x, at))),
        Schedule(range(38)),
        label="Gradient",
    )
    assert next(parts).cols == list(range(16))
    with pytest.raises(BadScores, match="Gradient was checked"):
        next(parts)


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients", "occlusion"])
def test_a_column_that_is_truly_zero_is_shown_and_takes_no_other_with_it(method: str) -> None:
    """Of one target the model is certain beyond its precision: nothing that was read moves its probability."""
    model = make("gpt2")
    sure = 1e5 * model.model.lm_head.weight.detach()[77]

    def certain(_module: Any, _args: Any, hidden: Any) -> Any:
        return torch.cat([hidden[:, :3], sure.expand(len(hidden), 1, -1), hidden[:, 4:]], 1)[:, : hidden.shape[1]]

    model.model.transformer.ln_f.register_forward_hook(certain)
    a = sw.attribute(model, input_ids=[70, 71, 72], target_ids=[74, 77], method=method, progress=False)
    assert a.step_scores["probability"][1] == 1
    assert a.scores[:3, 0].any()
    assert (a.scores[:4, 1] == 0).all()
    assert "1 column is 0 throughout: the objective does not move there" in a.to_html()


def check_no_right_map_is_refused(name: str, dtype: torch.dtype) -> None:
    target = {} if name in CLASSIFIERS else {"target": "dad"}
    for method in ("saliency", "occlusion", "attention"):
        if name == "mamba" and method == "attention":
            continue
        a = sw.attribute(made(name, dtype), "A cab. Bad bed", method=method, progress=False, **target)
        off, told = a.diagnostics["spot_check"], "which in this precision proves nothing" in a.to_html()
        assert off >= 0
        assert told == (a.diagnostics.get("spot_check_proves") is False)
        assert told if off > 0.3 else not told


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])


@DTYPES
@pytest.mark.parametrize("name", ["llama", "gemma2", "mamba", "t5", "bert"])
def test_no_right_map_is_refused_whatever_the_precision(name: str, dtype: torch.dtype) -> None:
    """Half precision leaves noise, and float16 curvature: what proves nothing is told, and no error."""
    check_no_right_map_is_refused(name, dtype)


@pytest.mark.long
@DTYPES
@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "fsmt"])
def test_no_right_map_of_any_family_is_refused(name: str, dtype: torch.dtype) -> None:
    check_no_right_map_is_refused(name, dtype)
