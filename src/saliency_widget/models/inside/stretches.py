"""Long texts of a causal model that are read over a cache without gradients: prompts, and texts without some rows.

Where a model holds the attention weights of every pair of tokens, `generate` and a changed text take memory that grows
with the square of the length. Both are read in stretches instead, where a trial on a short text gives the same logits.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from ...errors import UnsupportedMethod
from ...types import Inputs
from . import probe
from .hooks import last_logits
from .long_texts import bytes_a_pass, reads_in_slices, slice_size
from .ways import Texts, Way

if TYPE_CHECKING:
    import torch

    from ..base import Model

_TRIED, _STEP = 24, 7  # tokens of the text of a trial, and of its stretches


# ── prompts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def prompt_size(model: Model, n: int, batch: int = 1) -> int | None:
    """Return the tokens of a prompt of n that `generate` is to read at a time; None: all in one pass.

    `model` is a shadow. Tried once for each model, by the logits after a short prompt.
    """
    if not reads_in_slices(model, n, batch):
        return None
    return (
        slice_size(model) if model.facts.once("prompts", lambda: _prompts_agree(model), model.check_weights) else None
    )


def _prompts_agree(model: Model) -> bool:
    ids = model.some_ids(_TRIED)
    try:
        whole, parts = (_after(model.fresh(), ids, size) for size in (None, _STEP))
    except probe.MODEL_ERRORS:
        return False
    return probe.near(parts, whole, model, probe.OTHER)


def _after(model: Any, ids: tuple[int, ...], size: int | None) -> torch.Tensor:
    """Return the logits [1, vocabulary] after a prompt that `write_after` reads `size` tokens at a time."""
    with last_logits(model.model) as latest, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's own generation_config, which the text itself warns of
        model.write_after(ids, 1, lambda *_: None, size)
    return latest[0]


# ── texts without some rows ──────────────────────────────────────────────────────────────────────────────────────


def reads_parts_in_slices(model: Model, m: int) -> bool:
    """Return whether texts of m rows, some of which may be hidden, are read in slices."""
    return reads_in_slices(model, m) and bool(
        model.facts.once("slices of parts", lambda: parts_agree(model), model.check_weights)
    )


def bytes_without_rows(model: Model, n: int, m: int) -> float:
    """Return the bytes of a pass over m rows of a text of n, as such a text is read."""
    return bytes_a_pass(model, m, slices=reads_parts_in_slices(model, n))


def parts_in_slices(model: Model, texts: Texts, which: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return the logits [p, vocabulary] at row places[i] of text which[i], each text read in slices by itself."""
    return read_parts(model, texts, which, places, slice_size(model))


def read_parts(model: Model, texts: Texts, which: torch.Tensor, places: torch.Tensor, size: int) -> torch.Tensor:
    """Return the logits [p, vocabulary] at row places[i] of text which[i], in slices of so many rows."""
    import torch

    from .slices import Slices

    found: list[torch.Tensor] = []
    order: list[torch.Tensor] = []
    for number, (x, ids) in enumerate(zip(texts.embeddings, texts.ids, strict=True)):
        mine = torch.nonzero(which == number)[:, 0]
        if not len(mine):
            continue

        def given(start: int, end: int, number: int = number) -> Mapping[str, torch.Tensor]:
            options = {}
            if texts.positions is not None:
                options["position_ids"] = texts.positions[number : number + 1, start:end]
            if texts.seen is not None:
                options["attention_mask"] = texts.seen[number : number + 1, :end].long()
            return options

        at = places[mine]
        m = int(at.max()) + 1  # what comes after the last row that is asked for is not read
        slices = Slices(model.model, ids[None, :m], range(0, m, size), given=given)
        with torch.no_grad():
            found.append(slices(x[None, :m], at).logits[0])
        order.append(mine)
    return torch.cat(found)[torch.cat(order).argsort()]


def parts_agree(model: Model) -> bool:
    """Return whether texts without some rows have in slices the logits of one pass: kept rows alone, and hidden ones.

    Kept rows are tried with and without their positions; a model that takes none, or no mask, is not asked with them.
    """
    import torch

    ids = torch.tensor([model.some_ids(_TRIED)], device=model.device)
    x = model.embed(Inputs((), model.some_ids(_TRIED)))
    keep = torch.arange(_TRIED, device=model.device) % 5 != 3
    rows = torch.nonzero(keep)[:, 0]
    short = Texts(x[:, rows], ids[:, :0], ids[:, rows])
    tried = [short]
    for whole, positions in product((False, True), (False, True) if model.takes_positions else (False,)):
        one = Texts(x, ids[:, :0], ids, None, keep[None]) if whole else short
        at = torch.arange(_TRIED, device=model.device) if whole else rows
        seen = one.seen if whole else torch.ones_like(one.ids, dtype=torch.bool)
        tried.append(one._replace(seen=seen, positions=at[None] if positions else None))
    try:
        return all(_agrees(model, texts) for texts in tried if _is_read(model, texts))
    except (UnsupportedMethod, *probe.MODEL_ERRORS):
        return False


def _agrees(model: Model, texts: Texts) -> bool:
    import torch

    last = texts.ids.shape[1] - 1
    places = torch.tensor([1, _STEP, last - 1, last], device=model.device)
    which = torch.zeros_like(places)
    with torch.no_grad():
        expected = model.fresh().several(texts, which, places, Way.WHOLE)
        return probe.near(read_parts(model.fresh(), texts, which, places, _STEP), expected, model, probe.OTHER)


def _is_read(model: Model, texts: Texts) -> bool:
    """Return whether the model reads such a text in one pass at all."""
    import torch

    here = torch.zeros(1, dtype=torch.long, device=model.device)
    try:
        with torch.no_grad():
            model.fresh().several(texts, here, here, Way.WHOLE)
    except (UnsupportedMethod, *probe.MODEL_ERRORS):
        return False
    return True
