"""A decoder-only language model: it reads a text and goes on writing it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..types import Inputs
from .base import Forward, Model, Network, Sampling
from .hooks import answering, overhearing
from .prompting import Encoded, Prompt, encode_text

if TYPE_CHECKING:
    import torch

    from .steps import Step


class CausalModel(Model):
    """A loaded causal language model with its tokenizer."""

    def encode(self, prompt: Prompt) -> Encoded:
        """A text or a chat, and the continuation if the user gave one. Raises: InputError."""
        encoded = encode_text(self.tokenizer, prompt)
        self.check_ids([*encoded.inputs.ids, *encoded.target])
        return encoded

    def generate(
        self,
        encoded: Encoded,
        max_new_tokens: int,
        on_token: Callable[[int, Step], None],
        sampling: Sampling | None = None,
    ) -> None:
        """A continuation, greedy unless told otherwise; see `Model.generate`."""
        import torch

        ids = self._tensor(encoded.inputs.ids)
        self._write(on_token, max_new_tokens, sampling, input_ids=ids, attention_mask=torch.ones_like(ids))

    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Input embeddings [1, n, d] as the embedding module gives them, any scale of the family included."""
        import torch

        with torch.no_grad():
            out: torch.Tensor = self._embedding(self._tensor(inputs.ids))
            return out

    def run(self, inputs: Inputs, **options: Any) -> Any:
        """One plain pass over the inputs; transformers' own output."""
        return self.model(input_ids=self._tensor(inputs.ids), use_cache=False, **options)

    def network(self, inputs: Inputs) -> Network:
        """The model as a function from embeddings [b, m, d], m ≤ n, and positions [k] to logits there.

        The model is called with ids, because several families scale inside the embedding module or take positions
        from the ids; the embedding module's answer is then replaced by what we were given.
        """
        tensor = self._tensor(inputs.ids)

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            batch, m = embeddings.shape[:2]
            ids = tensor[:, :m].expand(batch, -1)
            with answering([(self._embedding, embeddings)]):
                if not self._takes_positions:
                    return self._project(lambda: self.model(input_ids=ids, use_cache=False).logits, positions)
                # On a model that is spread over devices, an index on the CPU fits them all.
                kept = positions.cpu() if self._is_spread else positions
                with overhearing(self._head, None) as heads:
                    logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits
            return Forward(logits, heads[0] if len(heads) == 1 else None)

        return run

    def keeps(self, look: Callable[[], bool]) -> bool:
        """Whether it can read other ends of a text it has read (see `reading`); looked at once a model."""
        if self._keeps is None:
            self._keeps = look()
        return self._keeps

    _keeps: bool | None = None

    @cached_property
    def _takes_positions(self) -> bool:
        """Whether the vocabulary can be projected at chosen positions only."""
        return "logits_to_keep" in inspect.signature(self.model.forward).parameters

    @property
    def _is_spread(self) -> bool:
        return len(set(getattr(self.model, "hf_device_map", {}).values())) > 1
