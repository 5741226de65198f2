"""The base class of the settings of all methods."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..models.base import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a method; the class itself is for a method without any. Wrong values raise InputError."""

    @property
    def is_signed(self) -> bool:
        """Return whether scores keep the sign that the method gives them."""
        return True

    def described(self) -> dict[str, str]:
        """Return the names and values of the settings as people read them, without those left to the method."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}

    def check(self, model: Model) -> None:
        """Raise InputError for a layer or head that this model does not have."""


def check_index(name: str, index: int | None, count: int, model: Model) -> None:
    """Raise InputError unless it is None or one of the model's `count` layers (or heads, as `name` says)."""
    if index is not None and not (type(index) is int and 0 <= index < count):  # True is no index
        raise InputError(
            f"{name}={index!r} is out of range: {model.name} has {count} {name}s.",
            cure=f"Choose 0 … {count - 1}, or None for the mean.",
        )
