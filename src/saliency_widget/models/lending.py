"""A model is lent to us: one thread at a time uses it, and it comes back exactly as it was."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch.utils.hooks import RemovableHandle

# One lock a model object, shared by every widget and call that uses it; it goes when the model goes.
_locks: weakref.WeakKeyDictionary[torch.nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


def lock_of(module: torch.nn.Module) -> threading.RLock:
    """The lock that everyone who runs `module` takes first."""
    with _locks_guard:
        return _locks.setdefault(module, threading.RLock())


@contextmanager
def lent(
    module: torch.nn.Module,
    *,
    check: Callable[[], None] | None = None,
    waiting: Callable[[], None] | None = None,
) -> Iterator[None]:
    """The model in evaluation mode with frozen parameters; afterwards it is as it was, also after an exception.

    `check` is called before every part of every layer, forward and backward, and about ten times a second while another
    thread has the model (after `waiting`, which may tell the user so). It raises to give up: one long pass can be
    stopped, too.
    """
    lock = lock_of(module)
    while not lock.acquire(timeout=0.1):
        if waiting is not None:
            waiting()
        if check is not None:
            check()
    try:
        training = [m for m in module.modules() if m.training]
        trainable = [p for p in module.parameters() if p.requires_grad]
        attention = [(config, config._attn_implementation_internal) for config in _attention_configs(module)]
        handles = [] if check is None else _interruptible(module, check)
        try:
            for m in training:
                m.training = False
            for p in trainable:
                p.requires_grad_(False)
            yield
        finally:
            for handle in handles:
                handle.remove()
            for m in training:
                m.training = True
            for p in trainable:
                p.requires_grad_(True)
            for config, implementation in attention:
                config._attn_implementation_internal = implementation
    finally:
        lock.release()


def _interruptible(module: torch.nn.Module, check: Callable[[], None]) -> list[RemovableHandle]:
    """Hooks on every part of every layer that call `check` in this thread, on the way forward and on the way back.

    Parts, not layers: on a text of thousands of tokens one layer takes seconds.
    """
    from torch import Tensor, nn

    thread = threading.get_ident()

    def forward(_module: nn.Module, args: tuple[Any, ...]) -> None:
        if threading.get_ident() != thread:
            return
        check()
        if args and isinstance(args[0], Tensor) and args[0].requires_grad:
            args[0].register_hook(lambda _gradient: check())  # type: ignore[no-untyped-call]  # torch

    layers = [m for m in module.modules() if isinstance(m, nn.ModuleList)]
    parts = {part for layer in layers for part in layer.modules() if not any(part.children())}
    return [part.register_forward_pre_hook(forward) for part in parts]


def _attention_configs(module: torch.nn.Module) -> list[Any]:
    """Every config, nested ones too, that says which attention implementation is in use."""
    found: dict[int, Any] = {}
    queue: list[Any] = [getattr(m, "config", None) for m in module.modules()]
    queue = [c for c in queue if hasattr(c, "_attn_implementation_internal")]
    while queue:
        config = queue.pop()
        if id(config) not in found:
            found[id(config)] = config
            nested = (getattr(config, name, None) for name in getattr(config, "sub_configs", {}))
            queue += [c for c in nested if hasattr(c, "_attn_implementation_internal")]
    return list(found.values())


def fingerprint(module: torch.nn.Module) -> int:
    """A number that changes when a weight does: by replacement, in place, or through `.data`.

    In-place writes count in `_version`; writes through `.data` do not, so a few values of each tensor are looked at.
    """
    import torch

    marks: list[object] = []
    samples = []
    with torch.no_grad():
        for p in module.parameters():
            marks.append((p.data_ptr(), p._version, p.shape, p.dtype))
            if p.numel():
                flat = p.detach().reshape(-1)
                samples.append(flat[:: max(1, flat.numel() // 16)][:16].float().sum().cpu())
    values = torch.stack(samples).tolist() if samples else []
    return hash((tuple(marks), tuple(values)))
