"""Fixtures that the tests of a widget share."""

from .harness import computed, harness

__all__ = ["computed", "harness"]
