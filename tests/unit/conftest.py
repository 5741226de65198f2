"""Fixtures that the tests of a widget share."""

from .harness import harness

__all__ = ["harness"]
