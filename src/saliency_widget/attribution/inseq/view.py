"""A network of ours as a method of inseq sees a model. Importing this imports inseq, which takes seconds.

inseq's own wrapper writes into the model, its config and its tokenizer (device, gradients, padding token and side,
unknown token), and goes from ids to text and back. This view passes embeddings and ids to the method as they are, and
runs our network: so every family's scale is right, and nothing must be restored.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from inseq.attr.feat import FeatureAttribution
from inseq.data import BatchEmbedding, BatchEncoding, DecoderOnlyBatch
from inseq.models.attribution_model import AttributionModel
from inseq.models.huggingface_model import HuggingfaceDecoderOnlyModel

from ...errors import UnsupportedMethod
from ..problem import Atoms, Problem, per_column, worth


def raw_scores(
    name: str,
    problem: Problem,
    atoms: Atoms,
    baseline: torch.Tensor | None,
    load: dict[str, Any],
    given: dict[str, Any],
) -> torch.Tensor:
    """Return the raw scores of inseq's method `name` for one column.

    Their shape is [n_read], [n_read, d] or [n_read, 1, layers, heads], on the CPU.
    `baseline` [1, n, d]; `load` goes to the method's constructor, `given` to its attribute().
    """
    view = _View(problem, atoms)
    n = atoms.n_read
    ids = torch.tensor([problem.access.ids[:n]], device=problem.embeddings.device)
    batch = DecoderOnlyBatch(
        BatchEncoding(ids, torch.ones_like(ids), baseline_ids=ids),
        BatchEmbedding(problem.embeddings[:, :n], None if baseline is None else baseline[:, :n]),
    )

    def objective(args: Any) -> torch.Tensor:
        """Return our objective [batch], including foil and span, in place of inseq's step functions."""
        return per_column(worth(problem, args.forward_output.logits, atoms.ids), atoms)[:, 0]

    method = FeatureAttribution.load(name, attribution_model=view, **load)
    step = method.filtered_attribute_step(
        batch, target_ids=atoms.ids[:1, None], attributed_fn=objective, attribution_args=given
    )
    out: torch.Tensor = step.target_attributions[0]
    return out


class _View(HuggingfaceDecoderOnlyModel):  # type: ignore[misc]  # inseq is not typed
    """One column of a problem. Source and text are one sequence, so a translation model looks decoder-only."""

    def __init__(self, problem: Problem, atoms: Atoms) -> None:
        AttributionModel.__init__(self)  # not that of HuggingfaceModel, which writes into the model and its tokenizer
        self.model = problem.access.module  # a part of this module: DeepLIFT puts its hooks on all parts
        self.is_encoder_decoder = False
        self.is_distributed = False
        self.embed_scale = 1.0
        self._access = problem.access
        self._n_source = problem.n_source
        self._network = problem.network
        self._at = atoms.at
        self._n = atoms.n_read
        self._dtype = problem.embeddings.dtype
        self._d = problem.embeddings.shape[-1]

    def get_forward_output(self, batch: Any, use_embeddings: bool = True, **options: Any) -> Any:
        """Run one pass; `.logits` [batch, a, vocabulary] are those at the positions of the atoms."""
        if use_embeddings and not options.get("output_attentions"):
            return self._network(batch.input_embeds.to(self._dtype), self._at)
        out = self._access.run(self._n, **options)
        at = (self._at - self._n_source).to(out.logits.device)
        return SimpleNamespace(**{**out, "logits": out.logits[:, at]})

    def get_attentions_dict(self, output: Any) -> dict[str, torch.Tensor]:
        """Return the weights [1, layers, heads, 1, n_read] of the last position, those over the source first."""
        translates = self._n_source > 0
        handed_out = getattr(output, "decoder_attentions" if translates else "attentions", None) or ()
        over_text = [w for w in handed_out if w is not None]  # layers of another kind hand out None
        over_source = list(output.cross_attentions) if translates else [w[..., :0] for w in over_text]
        if not over_text:
            raise UnsupportedMethod(
                f"{type(self.model).__name__} does not hand out attention weights.",
                cure="Use a method that does not look at attention.",
            )
        weights = [
            torch.cat([source[:, :, -1:], text[:, :, -1:].to(source.device)], dim=-1)
            for source, text in zip(over_source, over_text, strict=True)
        ]
        return {"decoder_self_attentions": torch.stack([w.to(weights[0].device) for w in weights], dim=1)}

    def get_embedding_layer(self) -> Any:
        """Return the embedding, whose width inseq's occlusion reads."""
        return SimpleNamespace(embedding_dim=self._d)
