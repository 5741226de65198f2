"""The memory that a chunk of work may take, and the errors that say it ran out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import InputError, OutOfMemory
from ..models.inside.plans import too_long

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

T = TypeVar("T")


def check_budget(given: object) -> None:
    """Raise InputError unless it is None or a number of bytes, at least 1."""
    if given is None or (isinstance(given, int | float) and not isinstance(given, bool) and 1 <= given < math.inf):
        return
    raise InputError(
        f"memory_budget is {given!r}, and must be a number of bytes from 1 on.",
        cure="Leave it out: then it is half of what is free.",
    )


def budget(device: torch.device) -> int:
    """Return the bytes that one chunk may use: half of the device's free memory."""
    return free(device) // 2


def free(device: torch.device) -> int:
    """Return the bytes of the device's memory that nothing uses."""
    import torch

    if device.type == "cuda":
        unused, _total = torch.cuda.mem_get_info(device)
        return int(unused)
    import psutil

    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out: CUDA has its own error class, the CPU allocator raises a RuntimeError."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)


def in_batches(
    costs: NDArray[np.integer[Any]], most: int, work: Callable[[slice], T], what: str, *, least: int = 1
) -> Iterator[tuple[slice, T]]:
    """Yield the results for batches of neighbouring items whose costs [n] sum to at most `most`.

    A batch holds at least one item. When memory runs out, batches become smaller.
    Raises: OutOfMemory, for `what`, when `least` items do not fit.
    """
    done = 0
    while done < len(costs):
        spent = costs[done : done + most].cumsum()
        size = max(1, int(np.searchsorted(spent, most, side="right")))
        batch = slice(done, done + size)
        try:
            found = work(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size <= least:
                raise not_enough_for(what) from error
            most = int(spent[size - 1]) // 2
            continue
        yield batch, found
        done += size


def check_fits(device: torch.device, need: Callable[[int], float], n: int, what: str, cure: str) -> None:
    """Raise OutOfMemory, with the number of tokens that would fit, if `what` needs more than the device has free.

    `need`: from a number of tokens to bytes; it grows with that number.
    """
    unused = free(device)
    if need(n) > unused:
        raise too_long(what, n, need, unused, cure)


def not_enough_for(what: str) -> OutOfMemory:
    """Return the error for work that cannot be split further."""
    return OutOfMemory(
        f"There is not enough memory for {what}.",
        cure="Shorten the text, free memory on the device, or load the model in a smaller dtype.",
    )
