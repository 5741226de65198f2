"""The way by which a backend handles a message of the page: acknowledgements first, errors as messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import SaliencyError
from .messages import failed, refusal

if TYPE_CHECKING:
    from ..protocol import to_kernel
    from .sender import Sender


def answer(sender: Sender, message: to_kernel.ToKernel, handle: Callable[[to_kernel.ToKernel], None]) -> None:
    """Handle a message that is no hello and no acknowledgement. An error of ours is told to the pages."""
    if sender.heard(message):
        return
    try:
        handle(message)
    except SaliencyError as error:
        sender.tell(failed(type(error).__name__, error.message, error.cure), *refusal(message))
