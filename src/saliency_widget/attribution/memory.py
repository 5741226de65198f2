"""How much memory a chunk of work may take, and how running out of it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def budget(device: torch.device) -> int:
    """Bytes that one chunk may use: half of what is free now on the device."""
    import torch

    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return free // 2
    import psutil

    return int(psutil.virtual_memory().available) // 2


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA raises a class of its own; the CPU allocator a RuntimeError that says so."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
