"""The way by which a backend handles a message of the page: acknowledgements first, errors as messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import SaliencyError
from .messages import refusal

if TYPE_CHECKING:
    from ..protocol import to_kernel
    from .sender import Sender


def answer(
    sender: Sender,
    message: to_kernel.ToKernel,
    handle: Callable[[to_kernel.ToKernel], None],
    fail: Callable[[str, str, str], None],
) -> None:
    """Handle a message that is no hello and no acknowledgement. `fail` tells the pages of an error of ours.

    It gets the error's type, message and cure.
    """
    if sender.heard(message):
        return
    try:
        handle(message)
    except SaliencyError as error:
        fail(type(error).__name__, error.message, error.cure)
        sender.tell(*refusal(message))
