"""A shadow of a model from within, on one text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UnsupportedMethod
from ...types import Inputs
from . import probe, removal
from .attention import AttentionReader
from .baselines import baselines_of, of_unknown_tokens, stand_in
from .relevance import Rule, relevance_rules
from .reuse import Reading, read_once
from .rows import masked
from .ways import Forward
from .zeroing import zeroing_pass

if TYPE_CHECKING:
    import torch

    from ..base import Model
    from .ways import Network


class ModelAccess:
    """The `attribution.access.Access` of a shadow and the `inputs` that it reads."""

    def __init__(self, model: Model, inputs: Inputs) -> None:
        self._model = model
        self._inputs = inputs
        self.module = model.model
        self.ids = inputs.all
        self.attention = AttentionReader(model, inputs)
        self.baselines = baselines_of(model, inputs)

    @property
    def reads_ids(self) -> bool:
        """Return whether the model reads ids beside their embeddings; probed when first asked."""
        return probe.reads_ids(self._model)

    def plain(self, n: int) -> Network:
        """Return the model over the first n rows."""
        return self._model.network(self._inputs.at(range(n)))

    def read_once(self, x: torch.Tensor, at: torch.Tensor) -> Reading:
        """See `reuse`."""
        return read_once(self._model, self._inputs, x, at)

    def shortened(self, rows: Sequence[int]) -> tuple[torch.Tensor, Network]:
        """Return embeddings and network of the text that has these rows alone."""
        return self._of(self._inputs.at(rows))

    def masked(self, rows: Sequence[int]) -> Network:
        """Return the network over the whole text in which nobody can attend to rows other than these."""
        keep = np.zeros(len(self.ids), dtype=bool)
        keep[list(rows)] = True
        positions = removal.removal(self._model).positions
        run = masked(self._model, self._inputs, keep, positions=positions)
        return lambda embeddings, positions: Forward(run(embeddings, positions), None)

    def without(self, operator: str) -> removal.Without | None:
        """Return the network over several texts without some of their rows, or None; see `removal`."""
        return removal.without(self._model, self._inputs, operator)

    def tree(self, operator: str) -> removal.Tree | None:
        """Return the network over a tree of kept rows, or None; see `removal`."""
        return removal.tree(self._model, self._inputs, operator)

    def why_not(self, operator: str) -> str | None:
        """Return the reason why this operator is not possible, or None; probed when first asked."""
        return removal.removal(self._model).why_not if operator == "mask" else None

    def replaced(self, rows: Sequence[int], baseline: str | None) -> tuple[torch.Tensor, Network]:
        """Return embeddings and network of the text with the baseline's token at these rows. Raises: InputError."""
        changed = set(rows)
        ids = tuple(
            stand_in(self._model, token, baseline) if row in changed else token for row, token in enumerate(self.ids)
        )
        n = len(self._inputs.source)
        return self._of(self._inputs._replace(source=ids[:n], ids=ids[n:]))

    def _of(self, inputs: Inputs) -> tuple[torch.Tensor, Network]:
        return self._model.embed(inputs), self._model.network(inputs)

    def zeroed(
        self, n: int, at: torch.Tensor, queries: torch.Tensor, rows: torch.Tensor, layer: int | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `zeroing.zeroing_pass`."""
        return zeroing_pass(self.attention, n, at, queries, rows, layer)

    def relevance(self, rule: Rule) -> AbstractContextManager[None]:
        """Return a context in which backward passes follow the rule. Raises: UnsupportedMethod."""
        if probe.remembers(self._model):
            raise UnsupportedMethod(
                f"{type(self.module).__name__} keeps traces of the texts it has read, so its layers cannot be given "
                "rules.",
                cure="Use saliency, occlusion or random.",
            )
        return relevance_rules(self.module, rule)

    def run(self, n: int, **options: Any) -> Any:
        """Run one plain pass over the first n rows. Return transformers' own output."""
        return self._model.run(self._inputs.at(range(n)), **options)

    def unknown(self) -> torch.Tensor:
        """Return the text with an unknown token in each place, [1, n, d]. Raises: InputError."""
        return of_unknown_tokens(self._model, self._inputs)
