"""A shadow: a second tree of modules over the weights of the user's model. The engine runs it instead of the model.

The modules, configs, tables of hooks and small buffers of a shadow are its own; the weights are the user's, frozen. So
a shadow costs milliseconds and about a megabyte, sees weights that change in place, and nothing must be restored.
"""

from __future__ import annotations

import copy
import threading
import types
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import InputError, UnsupportedMethod

if TYPE_CHECKING:
    import torch

    Memo = dict[int, Any]

_SMALL = 1 << 20  # bytes of a buffer that is copied; GPT-Neo holds masks of n² a layer
_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip
_FIXED = (bool, int, float, str, bytes, type(None))
_CONTAINERS = (dict, OrderedDict, set, list)


def bare(model: Any) -> Any:
    """Return the transformers model inside the wrappers that only call it: of torch.compile, DataParallel, and PEFT.

    Raises: UnsupportedMethod for a wrapper that puts virtual tokens before the text: they are no rows of a map.
    """
    while True:
        if hasattr(model, "_orig_mod"):  # torch.compile
            model = model._orig_mod  # noqa: SLF001 (torch offers no other way)
        elif type(model).__name__ in ("DataParallel", "DistributedDataParallel"):
            model = model.module
        elif hasattr(model, "peft_config") and hasattr(model, "get_base_model"):
            _check_adapters(model)
            model = model.get_base_model()
        else:
            return model


def _check_adapters(model: Any) -> None:
    active = model.active_peft_config
    if getattr(active, "alora_invocation_tokens", None):
        raise UnsupportedMethod(
            f"{type(model).__name__} switches its adapter on after tokens that invoke it, and how it reads a text "
            "depends on where they stand.",
            cure="Explain the base model, model.get_base_model(), or an adapter that is always on, such as LoRA.",
        )
    if not getattr(active, "is_prompt_learning", False):
        return
    n = getattr(active, "num_virtual_tokens", None)
    kind = str(getattr(active.peft_type, "value", active.peft_type)).replace("_", " ").lower()
    raise UnsupportedMethod(
        f"{type(model).__name__} puts {n or 'its'} virtual tokens before every text ({kind}), which no row of a map "
        "stands for: every number would be that of another place.",
        cure="Explain the model without them, model.get_base_model(), or train an adapter of its weights, such as "
        "LoRA, which has no virtual tokens.",
    )


def shadow_of(model: Any, *, own: bool = False) -> Any:
    """Return a shadow of a bare model, in evaluation mode, its weights frozen; `own` copies the weights as well.

    Raises: InputError if the model holds functions that call its own modules, or weights that are packed for one
    kind of pass: a shadow would run the user's modules, or give wrong gradients.
    """
    import torch

    _check_functions(model)
    _check_packed(model)
    with torch.inference_mode(False), torch.no_grad():
        memo = _memo(model, own=own)
        try:
            made = copy.deepcopy(model, dict(memo))
        except (TypeError, RuntimeError, AttributeError, NotImplementedError):  # a lock, a generator, a handle
            memo |= {id(value): value for value in _uncopyable(model, memo)}
            made = copy.deepcopy(model, dict(memo))
    for module in made.modules():
        module.training = False
        if hasattr(module, "support_avx512bf16_for_cpu"):  # it would pack the weights that are shared
            module.support_avx512bf16_for_cpu = False
    return made


def _memo(model: Any, *, own: bool) -> Memo:
    """Return the memo with the copy of each tensor, hook and foreign object of the model, for copy.deepcopy."""
    memo: Memo = {}
    for module in model.modules():
        for parameter in module._parameters.values():  # noqa: SLF001 (as they are, tied ones too)
            if parameter is not None:
                memo.setdefault(id(parameter), _frozen(parameter, own=own))
        for buffer in module._buffers.values():  # noqa: SLF001
            if buffer is not None:
                memo.setdefault(id(buffer), _copied_buffer(buffer, own=own))
        for hook in _hooks_of(module):
            memo[id(hook)] = hook
        memo |= _attributes(module)
    return memo


def _attributes(module: Any) -> Memo:
    from torch import Tensor

    memo: Memo = {}
    for name, value in vars(module).items():
        if isinstance(value, Tensor):  # of old weight_norm, pruning, caches
            memo[id(value)] = _plain(value).clone()
        elif type(value).__module__.startswith("bitsandbytes"):
            memo[id(value)] = value  # a copy would double the weights
        elif name == "_hf_hook":
            memo |= {id(kept): kept for kept in _offloaded(value)}
        elif type(value) in _CONTAINERS and not value:  # of hooks, ten of each module: copied one by one they cost most
            memo[id(value)] = type(value)()
    return memo


def _frozen(parameter: torch.Tensor, *, own: bool) -> Any:
    """Return a frozen parameter over the same storage, or a copy of it; one of a special class is shared."""
    from torch import nn

    if type(parameter) is not nn.Parameter:
        return parameter
    plain = _plain(parameter)
    return nn.Parameter(plain.clone() if own else plain, requires_grad=False)


def _copied_buffer(buffer: torch.Tensor, *, own: bool) -> torch.Tensor:
    small = buffer.numel() * buffer.element_size() <= _SMALL
    return _plain(buffer).clone() if small or own else _plain(buffer)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return the same numbers in the same memory, outside autograd and inference mode."""
    import torch

    if not tensor.is_inference():
        return tensor.detach()
    return torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(
        tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride()
    )


def _hooks_of(module: Any) -> Iterator[Any]:
    for table in _HOOKS:
        yield from (vars(module).get(table) or {}).values()


def _offloaded(hook: Any) -> Iterator[Any]:
    """Yield the offloaded weights of accelerate's hooks, in memory or on disk, as large as the model."""
    for one in getattr(hook, "hooks", (hook,)):
        if getattr(one, "weights_map", None) is not None:
            yield one.weights_map


def _uncopyable(model: Any, memo: Memo) -> Iterator[Any]:
    """Yield the attributes of modules that cannot be copied, such as locks."""
    for module in model.modules():
        for name, value in vars(module).items():
            if name in ("_parameters", "_buffers", "_modules") or isinstance(value, _FIXED):
                continue
            try:
                copy.deepcopy(value, dict(memo))
            except Exception:  # noqa: BLE001 (whatever its class raises: it is shared then)
                yield value


# ── what no shadow can be made of ────────────────────────────────────────────────────────────────────────────────────


def _check_functions(model: Any) -> None:
    """Raise InputError for a function on a module that reaches modules of the model: a copy would still call them."""
    modules = {id(module) for module in model.modules()}
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if not isinstance(value, types.FunctionType) or _module_of(value).startswith("accelerate."):
                continue  # accelerate's functions move the model, and a shadow is never moved
            if _reaches(value, modules, depth=4):
                where = f"{name or type(module).__name__}.{attribute}"
                raise InputError(
                    f"{where} was replaced by a function that calls the model's own modules, so the model cannot be "
                    "looked into without running them.",
                    cure="Replace it by a module, or by a forward hook (register_forward_hook), and ask again.",
                )


def _reaches(function: Any, modules: set[int], depth: int) -> bool:
    """Return whether a function refers to one of these modules in its closure, its defaults or its globals."""
    code = function.__code__
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    named = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return any(_leads_to(value, modules, depth) for value in (*cells, *named, *defaults))


def _module_of(function: types.FunctionType) -> str:
    """Return the Python module of the function's own code; `__module__` is that of the function that it wraps."""
    return str(function.__globals__.get("__name__", ""))


def _leads_to(value: Any, modules: set[int], depth: int) -> bool:
    if id(value) in modules:
        return True
    if depth == 0:
        return False
    if isinstance(value, types.MethodType):
        return _leads_to(value.__self__, modules, depth - 1)
    if isinstance(value, types.FunctionType):
        # Library code names no module of a user's; looking through all of it would take long.
        own = not _module_of(value).startswith(("torch.", "transformers.", "accelerate."))
        return bool(value.__closure__ or own) and _reaches(value, modules, depth - 1)
    parts: list[Any] = []
    if isinstance(value, partial):
        parts = [value.func, *value.args, *value.keywords.values()]
    elif isinstance(value, list | tuple):
        parts = [*value[:64]]
    elif isinstance(value, dict):
        parts = [*value.values()][:64]
    return any(_leads_to(part, modules, depth - 1) for part in parts)


def _check_packed(model: Any) -> None:
    """Raise InputError if 4-bit weights were packed for forward passes: their gradients are silently wrong."""
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        if getattr(state, "packing_format_for_cpu", None):
            raise InputError(
                "An earlier pass packed this model's 4-bit weights for the processor, after which gradients are wrong.",
                cure="Load the model again, and set support_avx512bf16_for_cpu = False on its Linear4bit layers first.",
            )


# ── is it still the same? ────────────────────────────────────────────────────────────────────────────────────────────


def weights(model: Any) -> int:
    """Return a number that changes when a weight does: by replacement, in place, or through `.data`.

    In-place writes count in `_version`; writes through `.data` do not, so a few values of each tensor are compared.
    """
    import torch

    marks: list[object] = []
    samples = []
    with torch.inference_mode(False), torch.no_grad():
        for parameter in model.parameters():
            marks.append((parameter.shape, parameter.dtype))
            if parameter.is_meta or not parameter.numel():  # of the first the numbers come when it is run
                continue
            marks.append((parameter.data_ptr(), 0 if parameter.is_inference() else parameter._version))
            flat = _plain(parameter).reshape(-1)
            samples.append(flat[:: max(1, flat.numel() // 16)][:16].float().sum().cpu())
    values = torch.stack(samples).numpy().tobytes() if samples else b""  # of NaN only the bits are equal
    return hash((tuple(marks), values))


def structure(model: Any) -> int:
    """Return a number that changes with modules, hooks, functions, settings and configs, but not with weights."""
    marks: list[object] = []
    configs: dict[int, Any] = {}
    for module in model.modules():
        marks.append((id(module), type(module)))
        for tensors in (module._parameters, module._buffers):  # noqa: SLF001
            marks.extend((name, type(t), *(() if t is None else (t.dtype, t.shape))) for name, t in tensors.items())
        marks.extend(id(hook) for hook in _hooks_of(module))
        for name, value in vars(module).items():
            if isinstance(value, _FIXED) and name != "training":
                marks.append((name, value))
            elif callable(value):  # the module's own forward function, an activation
                marks.append((name, id(value)))
        config = vars(module).get("config")
        if config is not None:
            configs[id(config)] = config
    marks.extend(_written(config) for config in configs.values())
    return hash(tuple(marks))


def _written(config: Any) -> str:
    """Return a config and its parts as text, with the attention implementation."""
    return repr(sorted((k, _written(v) if hasattr(v, "sub_configs") else repr(v)) for k, v in vars(config).items()))


def guarded(model: Any) -> Any:
    """Return a context in which a pass that writes to a weight or large buffer of the model raises `WritesWeights`."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    shared = {t.untyped_storage().data_ptr() for t in _large(model)} - {0}

    class Guard(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func._schema.is_mutable:  # noqa: SLF001 (torch tells in no other way)
                given = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | (kwargs or {})  # noqa: SLF001
                for argument in func._schema.arguments:  # noqa: SLF001
                    if argument.alias_info is None or not argument.alias_info.is_write:
                        continue
                    for tensor in tree_leaves(given.get(argument.name)):
                        if _storage(tensor) in shared:
                            raise WritesWeights
            return func(*args, **(kwargs or {}))

    return Guard()  # type: ignore[no-untyped-call]  # torch


class WritesWeights(Exception):
    """A pass tried to write to the weights, and was stopped before."""


def _large(model: Any) -> Iterable[torch.Tensor]:
    yield from model.parameters()
    yield from (b for b in model.buffers() if b.numel() * b.element_size() > _SMALL)


def _storage(tensor: Any) -> int | None:
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (AttributeError, NotImplementedError, RuntimeError):  # no tensor, or one without a storage (meta, sparse)
        return None


# ── a shadow that can be stopped ─────────────────────────────────────────────────────────────────────────────────────


def interruptible(module: Any, check: Any) -> None:
    """Call `check` before every part of every layer of a shadow from now on, on the way forward and back.

    Parts, not layers: on a text of thousands of tokens one layer takes seconds.
    """
    from torch import Tensor, nn

    thread = threading.get_ident()

    def forward(_module: nn.Module, args: tuple[Any, ...]) -> None:
        if threading.get_ident() != thread:  # of autograd: an error there would lose its cause
            return
        check()
        if args and isinstance(args[0], Tensor) and args[0].requires_grad:
            args[0].register_hook(lambda _gradient: check())  # type: ignore[no-untyped-call]  # torch

    layers = [m for m in module.modules() if isinstance(m, nn.ModuleList)]
    for part in {part for layer in layers for part in layer.modules() if not any(part.children())}:
        part.register_forward_pre_hook(forward)
