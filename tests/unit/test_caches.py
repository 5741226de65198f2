"""A cache is given to a network and read from its output by the name that the network has for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from saliency_widget.models.inside.caches import given_cache, kept_cache


def test_the_end_of_a_text_over_a_cache_has_the_logits_of_the_whole_text(tiny_model: Any) -> None:
    """The rows after the fourth, read over a cache of the first four; float64 leaves 1e-12."""
    network = tiny_model.model
    ids = torch.tensor([list(tiny_model.some_ids(9))])
    with torch.no_grad():
        cache = kept_cache(network(input_ids=ids[:, :4], use_cache=True))
        assert cache.get_seq_length() == 4
        rest = network(input_ids=ids[:, 4:], use_cache=True, **given_cache(network, cache)).logits
        whole = network(input_ids=ids, use_cache=False).logits
    assert torch.allclose(rest, whole[:, 4:], rtol=0, atol=1e-12)
    assert kept_cache(network(input_ids=ids, use_cache=False)) is None


class Old(torch.nn.Module):
    def forward(self, input_ids: Any, past_key_values: Any = None) -> dict[str, Any]:
        return {"logits": input_ids, "past_key_values": past_key_values}


class New(torch.nn.Module):
    def forward(self, input_ids: Any, cache: Any = None) -> dict[str, Any]:
        return {"logits": input_ids, "cache": cache}


@pytest.mark.parametrize("network", [Old(), New()])
def test_either_name_is_known(network: Any) -> None:
    """transformers renamed `past_key_values` to `cache`; a model of somebody else's code may have either."""
    assert kept_cache(network(None, **given_cache(network, "kept"))) == "kept"
