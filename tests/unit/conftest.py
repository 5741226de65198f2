"""Fixtures that several files of tests share."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import pytest

from saliency_widget.models.loading import load

from .. import families
from .harness import computed, harness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from saliency_widget.models.base import Model

__all__ = ["computed", "harness"]


@pytest.fixture
def heard() -> Iterator[None]:
    """Interrupts are heard, also where the tests run in the background of a shell, which ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def roomy() -> Iterator[Model]:
    """A tiny Llama that lets texts be longer."""
    with families.roomy() as model:
        yield model


@pytest.fixture
def nothing_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the models that other tests hold."""
    monkeypatch.setattr(load, "shared", WeakValueDictionary())


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any network access fail the test."""

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
