"""Baselines of a model: embeddings in place of a missing token."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...types import Inputs

if TYPE_CHECKING:
    import torch

    from ..base import Model

_AT_ONCE = 4096  # rows of the vocabulary


def baselines_of(model: Model, inputs: Inputs) -> dict[str, Callable[[], torch.Tensor]]:
    """Return the baselines by name: functions that return embeddings [1, n, d] for `inputs`.

    Source and text may have two tables. The tokenizer may have no unk, pad or mask token, and no token for a space that
    stands alone. "mean" is the mean over the
    vocabulary (Bastings et al. 2022 compare these choices for text, arXiv:2111.07367). Each is computed once, when it
    is first used.
    """
    special = {name: _token_of(model.tokenizer, name) for name in ("unk", "pad", "mask", "space")}
    found: dict[str, Callable[[], torch.Tensor]] = {
        name: partial(_of_token, model, inputs, int(token)) for name, token in special.items() if token is not None
    }
    found |= {"zero": partial(_zero, model, inputs), "mean": partial(_mean, model, inputs)}
    return {name: cache(give) for name, give in found.items()}


def stand_in(model: Model, token: int, baseline: str | None) -> int:
    """Return the id that replaces a token: the baseline's; without a chosen baseline one that differs from the token's.

    Raises: InputError if the baseline is no token.
    """
    names = ("unk", "pad", "mask", "eos") if baseline is None else (baseline,)
    found = [_token_of(model.tokenizer, name) for name in names]
    ids = [int(i) for i in found if i is not None and (baseline is not None or i != token)]
    if not ids:
        raise InputError(
            f"{type(model.model).__name__} reads token ids beside their embeddings, so a token is replaced by another "
            f"token, and its tokenizer has none for {baseline or 'an unknown one'}.",
            cure='Take baseline="unk", "pad" or "mask" if the tokenizer has it, or operator="delete".',
        )
    return ids[0]


def of_unknown_tokens(model: Model, inputs: Inputs) -> torch.Tensor:
    """Return the baseline of inseq [1, n, d]: unknown tokens; but ends of text, and the decoder's first token, stay.

    Raises: InputError if the tokenizer has none of unk, pad and eos.
    """
    tokenizer, config = model.tokenizer, model.model.config.get_text_config()
    end = config.eos_token_id if config.eos_token_id is not None else tokenizer.eos_token_id
    ends = set(end) if isinstance(end, list | tuple) else {end}
    nothing = next((i for i in (tokenizer.unk_token_id, tokenizer.pad_token_id, *ends) if i is not None), None)
    if nothing is None:
        raise InputError(
            f"The tokenizer of {model.name} has no unknown, padding or end token to stand for nothing.",
            cure="Use a method without a baseline, such as inseq:saliency, or ours with baseline='zero'.",
        )
    source, text = (tuple(i if i in ends else nothing for i in ids) for ids in inputs[:2])
    if source:
        text = (inputs.ids[0], *text[1:])
    return model.embed(Inputs(source, text))


def _token_of(tokenizer: Any, name: str) -> int | None:
    """Return the id of a special token, or of a space (the first, if the tokenizer writes it with several)."""
    if name != "space":
        return getattr(tokenizer, f"{name}_token_id", None)
    return next(iter(tokenizer(" ", add_special_tokens=False)["input_ids"]), None)


def _of_token(model: Model, inputs: Inputs, token: int) -> torch.Tensor:
    return model.embed(Inputs((token,) * len(inputs.source), (token,) * len(inputs.ids)))


def _zero(model: Model, inputs: Inputs) -> torch.Tensor:
    import torch

    return torch.zeros_like(model.embed(inputs))


def _mean(model: Model, inputs: Inputs) -> torch.Tensor:
    import torch

    lengths = [len(ids) for ids in inputs[:2]][-len(model.embeddings) :]
    means = (_mean_of(module, model.device) for module in model.embeddings)
    return torch.cat([mean.expand(1, n, -1) for mean, n in zip(means, lengths, strict=True)], dim=1)


def _mean_of(embedding: torch.nn.Module, device: torch.device) -> torch.Tensor:
    """Return the mean of all outputs of the module, [1, 1, d]: some families scale the rows of its table."""
    import torch

    table = next(embedding.parameters())
    size, wide = len(table), torch.promote_types(table.dtype, torch.float32)
    parts = (range(first, min(first + _AT_ONCE, size)) for first in range(0, size, _AT_ONCE))
    with torch.no_grad():
        every = (embedding(torch.tensor([list(part)], device=device)) for part in parts)
        sums = [given.sum(1, keepdim=True, dtype=wide) for given in every]
    return (torch.cat(sums).sum(0, keepdim=True) / size).to(table.dtype)
