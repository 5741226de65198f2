"""The cache of keys and values, by the name that this version of transformers has for it.

The argument and the field `past_key_values` are called `cache` since transformers 5.24, and the old name goes in 5.40.
A model whose code comes from elsewhere may keep the old one, so each network is asked.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_NEW, _OLD = "cache", "past_key_values"


def given_cache(network: torch.nn.Module, cache: Any) -> dict[str, Any]:
    """Return the argument of a pass that makes the network go on from this cache."""
    return {_NEW if _NEW in inspect.signature(network.forward).parameters else _OLD: cache}


def kept_cache(output: Mapping[str, Any]) -> Any:
    """Return the cache in the output of a pass, or None where the network keeps none."""
    return output[_NEW] if _NEW in output else output.get(_OLD)  # `get` of an old name warns, where it is old
