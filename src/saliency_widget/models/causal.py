"""A decoder-only language model: it reads a text and goes on writing it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..types import Inputs
from .base import Model, embedded
from .inside.hooks import Answer, answering
from .inside.ways import Forward, Network, Way
from .text.prompting import Encoded, Prompt, encode_text
from .writing import Sampling

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
        return embedded(self._embedding, self._tensor(inputs.ids))

    def run(self, inputs: Inputs, **options: Any) -> Any:
        """One plain pass over the inputs; transformers' own output."""
        return self.model(input_ids=self._tensor(inputs.ids), **self._uncached(), **options)

    def direct(self, inputs: Inputs, way: Way) -> Network:
        """See `Model.direct`.

        The model is called with ids, because several families scale inside the embedding module or take positions
        from the ids; the embedding module's answer is then replaced by what we were given.
        """
        tensor, options = self._tensor(inputs.ids), self._uncached()

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            batch, m = embeddings.shape[:2]
            ids = tensor[:, :m].expand(batch, -1)
            with answering([Answer(self._embedding, ids, embeddings)]):
                return self._project(partial(self.model, input_ids=ids, **options), positions, way)

        return run
