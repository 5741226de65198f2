"""A causal language model: it reads a text and continues it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..types import Inputs
from .base import Model, embedded
from .inside import probe
from .inside.hooks import Answer, answering
from .inside.long_texts import network_for_reading
from .inside.stretches import parts_in_slices, prompt_size, reads_parts_in_slices
from .inside.ways import Forward, Network, Texts, Way
from .text.prompting import Encoded, Prompt, encode_text
from .writing import Sampling, write_several

if TYPE_CHECKING:
    import torch

    from .steps import Step


class CausalModel(Model):
    """A loaded causal language model with its tokenizer."""

    def encode(self, prompt: Prompt) -> Encoded:
        """Encode a text or a chat, and the continuation if the user gave one. Raises: InputError."""
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
        """Write a continuation, greedy unless `sampling` differs; see `Model.generate`.

        A long prompt is read in stretches where attention weights would take much memory.
        """
        ids = encoded.inputs.ids
        self.write_after(ids, max_new_tokens, on_token, prompt_size(self, len(ids)), sampling)

    def write_after(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        on_token: Callable[[int, Step], None],
        size: int | None,
        sampling: Sampling | None = None,
    ) -> None:
        """Write a continuation of these ids, which are read `size` at a time; None: in one pass."""
        import torch

        given = self._tensor(ids)
        mask = torch.ones_like(given)
        self._write(on_token, max_new_tokens, sampling, size, input_ids=given, attention_mask=mask)

    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Return the input embeddings [1, n, d] as the embedding module returns them, including the family's scale."""
        return embedded(self._embedding, self._tensor(inputs.ids))

    def network(self, inputs: Inputs) -> Network:
        """See `Model.network`. A long text is read in slices where attention weights would take much memory."""
        return network_for_reading(self, inputs, super().network(inputs))

    def run(self, inputs: Inputs, **options: Any) -> Any:
        """Run one plain pass over the inputs. Return transformers' own output."""
        return self.model(input_ids=self._tensor(inputs.ids), **self._uncached(), **options)

    def direct(self, inputs: Inputs, way: Way) -> Network:
        """See `Model.direct`.

        The model is called with ids, because several families scale inside the embedding module or derive positions
        from ids; the output of the embedding module is then replaced by the given embeddings.
        """
        return self._reading(self._tensor(inputs.ids), way)

    def side_by_side(self, ids: torch.Tensor) -> Network:
        """Return the network over several texts of one length, whose ids are [b, n]: row b of a pass is of text b.

        Right only where `probe.batches` says so. Only a shadow may run this.
        """
        return self._reading(ids, probe.way_of(self))

    def write_several(self, texts: Sequence[Sequence[int]], max_new_tokens: int) -> list[list[int] | None]:
        """Write a greedy continuation of several texts of one length in one batch; see `writing.write_several`."""
        import torch

        ids = torch.tensor([list(each) for each in texts], dtype=torch.long, device=self.device)
        tolerance, size = probe.OTHER[probe.precision(self)], prompt_size(self, ids.shape[1], len(ids))
        found = write_several(self.model, self.tokenizer, ids, max_new_tokens, tolerance, size)
        return [written if written is None else self._until_end(written) for written in found]

    def _until_end(self, written: list[int]) -> list[int]:
        """Return the tokens up to the first one after which the model stops, itself included."""
        end = next((at for at, token in enumerate(written) if self.ends_at(token)), len(written) - 1)
        return written[: end + 1]

    def _reading(self, tensor: torch.Tensor, way: Way) -> Network:
        options = self._uncached()

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            batch, m = embeddings.shape[:2]
            ids = tensor[:, :m].expand(batch, -1)
            with answering([Answer(self._embedding, ids, embeddings)]):
                return self.project(partial(self.model, input_ids=ids, **options), positions, way)

        return run

    def several(self, texts: Texts, which: torch.Tensor, places: torch.Tensor, way: Way) -> torch.Tensor:
        """See `Model.several`. Long texts are read in slices where attention weights would take much memory."""
        is_plain = texts.seen is None or texts.seen.ndim == 2
        if is_plain and reads_parts_in_slices(self, texts.ids.shape[1]):
            return parts_in_slices(self, texts, which, places)
        options: dict[str, Any] = dict(self._uncached())
        if texts.positions is not None:
            options["position_ids"] = texts.positions
        if texts.seen is not None:
            options["attention_mask"] = texts.seen if texts.seen.ndim == 4 else texts.seen.long()
        call = partial(self.model, input_ids=texts.ids, **options)
        with answering([Answer(self._embedding, texts.ids, texts.embeddings)]):
            return self._project_rows(call, which, places, way)
