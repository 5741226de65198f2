"""Hooks that put embeddings in and take what is inside out, each acting in its own thread alone.

A cell may run the same model at the same time: it must not notice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def answering(answers: Sequence[tuple[torch.nn.Module, torch.Tensor]]) -> Iterator[None]:
    """Each embedding module gives the tensor beside it. A module that is named twice gives them in this order."""
    thread = threading.get_ident()
    left = list(answers)

    def answer(module: torch.nn.Module, _args: Any, output: torch.Tensor) -> torch.Tensor:
        if threading.get_ident() != thread:
            return output
        at = next((i for i, (asked, _) in enumerate(left) if asked is module), None)
        return output if at is None else left.pop(at)[1]

    with ExitStack() as stack:
        for module in {id(module): module for module, _ in answers}.values():
            stack.callback(module.register_forward_hook(answer).remove)
        yield


@contextmanager
def overhearing(head: torch.nn.Module | None, positions: torch.Tensor | None) -> Iterator[list[torch.Tensor]]:
    """Collects what the vocabulary projection is given, [batch, k, hidden] a call.

    Where `positions` are given, the projection sees these alone: it is the dearest layer of a small model.
    """
    heard: list[torch.Tensor] = []
    if head is None:
        yield heard
        return
    thread = threading.get_ident()

    def listen(_module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if threading.get_ident() != thread:
            return None
        hidden = args[0] if positions is None else args[0][:, positions.to(args[0].device)]
        heard.append(hidden)
        return (hidden, *args[1:])

    handle = head.register_forward_pre_hook(listen)
    try:
        yield heard
    finally:
        handle.remove()


@contextmanager
def last_logits(model: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """Holds the last position's logits [1, vocabulary] of the last pass: before `generate` changes them."""
    latest: list[torch.Tensor] = []
    thread = threading.get_ident()

    def listen(_module: torch.nn.Module, _args: Any, output: Any) -> None:
        if threading.get_ident() == thread:
            latest[:] = [output.logits[:, -1]]

    handle = model.register_forward_hook(listen)
    try:
        yield latest
    finally:
        handle.remove()
