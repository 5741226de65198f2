"""Fixtures with models of a few thousand parameters, made from a config without a download."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch

from .families import made, make
from .servers import llama, served

__all__ = ["llama", "served"]  # fixtures: each real server is started once, for whoever asks it

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from saliency_widget.models.causal import CausalModel


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backwards", action="store_true", help="run the last test first: none rests on an earlier one")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--backwards"):
        items.reverse()


@pytest.fixture(autouse=True)
def threads() -> None:
    """Use one thread: two processes share the tests, and on a busy machine threads mostly wait for each other."""
    torch.set_num_threads(1)


def tiny(family: str, dtype: torch.dtype = torch.float64) -> CausalModel:
    """A random two-layer model of the family with the byte tokenizer, for a test that needs one of its own."""
    return make(family, dtype)


@pytest.fixture(scope="session")
def tiny_models() -> dict[str, CausalModel]:
    return {family: made(family) for family in ("gpt2", "llama")}


@pytest.fixture(params=["gpt2", "llama"])
def tiny_model(request: Any, tiny_models: dict[str, CausalModel], as_lent: Callable[[Any], None]) -> CausalModel:
    """Return each tiny architecture in float64; the test fails if it changes the model."""
    model = tiny_models[request.param]
    as_lent(model.model)
    return model


@pytest.fixture(scope="session")
def demo_session() -> CausalModel:
    from saliency_widget import load_model

    return load_model("demo", device="cpu", dtype="float32")


@pytest.fixture
def demo(demo_session: CausalModel, as_lent: Callable[[Any], None]) -> CausalModel:
    as_lent(demo_session.model)
    return demo_session


def state_of(model: Any) -> dict[str, Any]:
    """Return everything about a model that must not change, weights bit for bit."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "weights": {n: (p.dtype, p.device, p._version, p.detach().double().sum().item()) for n, p in _named(model)},
        "requires_grad": {n: p.requires_grad for n, p in model.named_parameters()},
        "grad": {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()},
        "training": {n: m.training for n, m in model.named_modules()},
        "hooks": {(n, h): len(getattr(m, h)) for n, m in model.named_modules() for h in hooks},
        "own": {n: sorted(vars(m)) for n, m in model.named_modules()},  # also a forward of its own
        "config": copy.deepcopy(model.config.to_dict()),
        "attention": model.config._attn_implementation,
        "generation_config": copy.deepcopy(getattr(model, "generation_config", None)),
    }


def _named(model: Any) -> list[tuple[str, torch.Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


@pytest.fixture
def as_lent() -> Iterator[Callable[[Any], None]]:
    """Return a function that marks a model, which must be unchanged at the end of the test."""
    lent: list[tuple[Any, dict[str, Any]]] = []
    yield lambda model: lent.append((model, state_of(model)))
    for model, before in lent:
        after = state_of(model)
        assert {k: v for k, v in after.items() if k != "grad"} == {k: v for k, v in before.items() if k != "grad"}
        for name, grad in before["grad"].items():
            assert (grad is None) == (after["grad"][name] is None)
            assert grad is None or torch.equal(grad, after["grad"][name])
