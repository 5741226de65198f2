"""A sequence classifier: it reads a text and computes a logit for each class. The classes are the columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..errors import TextTooLong
from ..types import Alternative, Inputs
from .base import Model, embedded
from .inside.hooks import Answer, answering, logits_of
from .inside.ways import Forward, Network, Texts, Way
from .text.document import Document, describe_classes
from .text.prompting import Encoded, Prompt, class_index, encode_to_classify

if TYPE_CHECKING:
    import torch

    from .steps import Step

Applied: TypeAlias = Literal["softmax", "sigmoid", "none"]  # the function on the logits; "none": raw scores


class ClassifierModel(Model):
    """A loaded sequence classifier with its tokenizer.

    `applied`: the function that a pipeline applies to the logits, if it is not the one of the model's training.
    """

    counted = "classes"
    reads_classes = True

    def __init__(self, model: Any, tokenizer: Any, *, name: str, applied: Applied | None = None) -> None:
        super().__init__(model, tokenizer, name=name)
        self._applied = applied

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the classes, in the order of their logits."""
        config = self.model.config
        return tuple(str(config.id2label.get(i, i)) for i in range(config.num_labels))

    @property
    def applied(self) -> Applied:
        """Return the function from logits to probabilities: a pipeline's choice, or that of the model's training."""
        if self._applied is not None:
            return self._applied
        config = self.model.config
        problem = getattr(config, "problem_type", None)
        if problem == "regression" or config.num_labels == 1:
            return "none"
        return "sigmoid" if problem == "multi_label_classification" else "softmax"

    @property
    def independent(self) -> bool:  # type: ignore[override]  # there a field
        """Return whether each class has its own probability, so that several may apply at once."""
        return self.applied == "sigmoid"

    @property
    def raw(self) -> bool:  # type: ignore[override]  # there a field
        """Return whether its outputs are raw scores without probabilities, as in regression."""
        return self.applied == "none"

    @property
    def reads_types(self) -> bool:
        """Return whether it reads token types beside ids."""
        return self._takes("token_type_ids") and "token_type_ids" in self.tokenizer.model_input_names

    def encode(self, prompt: Prompt) -> Encoded:
        """Encode a text or a pair. The targets are the class that the user named or all classes. Raises: InputError."""
        encoded = encode_to_classify(self.tokenizer, prompt, self.labels, types=self.reads_types)
        self.check_ids(encoded.inputs.ids)
        return encoded

    def document(self, encoded: Encoded, written: Sequence[int]) -> Document:  # noqa: ARG002 (nothing is written)
        """Return the document of the text and its classes."""
        return describe_classes(self.tokenizer, encoded, self.labels)

    def check_length(self, encoded: Encoded, new: int) -> None:  # noqa: ARG002 (nothing is written)
        """Raise TextTooLong if the text alone needs more positions than the model has."""
        limit = self.tokenizer.model_max_length
        if len(encoded.inputs.ids) > limit:
            raise TextTooLong(
                f"The text makes {len(encoded.inputs.ids):,} tokens; {self.name} reads at most {limit:,}.",
                cure="Shorten the text.",
            )
        super().check_length(encoded, 0)

    def generate(self, encoded: Encoded, max_new_tokens: int, on_token: Callable[[int, Step], None]) -> None:
        """Not implemented: a classifier writes nothing."""
        raise NotImplementedError

    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Return the input embeddings [1, n, d] as the embedding module returns them."""
        return embedded(self._embedding, self._tensor(inputs.ids))

    def run(self, inputs: Inputs, **options: Any) -> Any:
        """Run one plain pass over the inputs. Return transformers' own output."""
        types = {"token_type_ids": self._tensor(inputs.types)} if inputs.types else {}
        return self._call(self._tensor(inputs.ids), **types, **options)

    def direct(self, inputs: Inputs, way: Way) -> Network:  # noqa: ARG002 (a head that pools gives all it has)
        """Return a function from embeddings [b, n, d] to logits [b, k, classes], equal at all k positions.

        See `Model.direct`.
        """
        given = {"input_ids": inputs.ids, **({"token_type_ids": inputs.types} if inputs.types else {})}
        tensors = {name: self._tensor(numbers) for name, numbers in given.items()}

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            import torch

            parts = list(embeddings[:, None]) if self._reads_one else [embeddings]
            logits = []
            for part in parts:
                ids, *types = (tensor.expand(part.shape[0], -1) for tensor in tensors.values())
                with answering([Answer(self._embedding, ids, part)]):
                    logits.append(logits_of(self._call(ids, **dict(zip(("token_type_ids",), types, strict=False)))))
            whole = torch.cat(logits)[:, None]
            return Forward(whole.expand(-1, len(positions), -1), None)

        return run

    def several(
        self,
        texts: Texts,
        which: torch.Tensor,
        places: torch.Tensor,  # noqa: ARG002 (all rows of a text have its logits)
        way: Way,  # noqa: ARG002 (as above)
    ) -> torch.Tensor:
        """See `Model.several`."""
        import torch

        many, m = texts.ids.shape
        seen = texts.ids.new_ones(many, m, dtype=torch.bool) if texts.seen is None else texts.seen
        if many > 1 and self._reads_one:
            # Without a padding token none may stand after a text.
            ends = (seen * torch.arange(1, m + 1, device=seen.device)).amax(1).tolist()
            parts = [_one_of(texts, i, end) for i, end in enumerate(ends)]
        else:
            parts = [texts]
        logits = []
        for part in parts:
            options: dict[str, torch.Tensor | None] = {"token_type_ids": part.types, "position_ids": part.positions}
            options["attention_mask"] = None if part.seen is None else part.seen.long()
            with answering([Answer(self._embedding, part.ids, part.embeddings)]):
                given = {name: value for name, value in options.items() if value is not None}
                logits.append(logits_of(self._call(part.ids, **given)))
        whole = torch.cat(logits)
        return whole[which.to(whole.device)]

    @property
    def padding(self) -> int | None:
        """Return the padding token's id: decoder-only classifiers read the last token before it."""
        padding: int | None = self.model.config.get_text_config().pad_token_id
        return padding

    @property
    def _reads_one(self) -> bool:
        """Return whether it reads one text at a time.

        Decoder-only classifiers read the last token that is no padding; some have no padding token.
        """
        return self.padding is None

    @property
    def ways(self) -> tuple[Way, ...]:
        """Return the only way: the pooled output."""
        return (Way.WHOLE,)

    @property
    def row_ways(self) -> tuple[Way, ...]:
        """Return the only way, as `ways` does."""
        return self.ways

    @property
    def is_causal(self) -> bool:
        """Return True: all classes see the same rows, so one pass serves all of them."""
        return True

    def alternatives(self, step: Step) -> tuple[Alternative, ...]:  # noqa: ARG002 (the other classes are all shown)
        """Return no alternatives: every class has a column of its own."""
        return ()

    def foil_id(self, foil: str | int) -> int:
        """Return the index of a class, given its name or index. Raises: InputError."""
        return class_index(self.labels, foil)

    def foil_text(self, foil: str | int) -> str:
        """Return the name of a class."""
        return self.labels[self.foil_id(foil)]

    def _call(self, ids: torch.Tensor, **options: Any) -> Any:
        import torch

        return self.model(**{"input_ids": ids, "attention_mask": torch.ones_like(ids), **self._uncached(), **options})


def _one_of(texts: Texts, i: int, end: int) -> Texts:
    """Return one of some texts, without what stands after it."""
    rest = (None if tensor is None else tensor[i : i + 1, :end] for tensor in texts[3:])
    return Texts(texts.embeddings[i : i + 1, :end], texts.source[i : i + 1], texts.ids[i : i + 1, :end], *rest)
