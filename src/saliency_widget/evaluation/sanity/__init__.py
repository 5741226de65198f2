"""Sanity checks of maps: shuffled weights, numbers that must hold, other spellings."""

from .checks import sanity

__all__ = ["sanity"]
