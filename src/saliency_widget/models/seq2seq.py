"""An encoder-decoder model: it reads a source and writes an output, for example a translation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..types import Inputs
from .base import Model, embedded
from .inside.hooks import Answer, answering
from .inside.ways import Forward, Network, Texts, Way
from .text.prompting import Encoded, Prompt, encode_source

if TYPE_CHECKING:
    import torch

    from .steps import Step


_TRANSLATORS = frozenset({"fsmt", "m2m_100", "marian", "mbart", "nllb-moe"})  # families of translators only


class Seq2SeqModel(Model):
    """A loaded encoder-decoder model with its tokenizer. Rows are the source tokens, then the decoder's inputs.

    Both are in one tensor of embeddings [b, n_source + m, d], and positions count through both.
    """

    has_source = True

    def encode(self, prompt: Prompt) -> Encoded:
        """Encode a source, and the output if the user gave one. Raises: InputError."""
        encoded = encode_source(self.tokenizer, prompt, self._start, self._output)
        self.check_ids(encoded.inputs.source, self.embeddings[0])
        self.check_ids([*encoded.inputs.ids, *encoded.target])
        return encoded

    def generate(self, encoded: Encoded, max_new_tokens: int, on_token: Callable[[int, Step], None]) -> None:
        """Write a greedy output, even if the model's own settings ask for beams; see `Model.generate`."""
        import torch

        source = self._tensor(encoded.inputs.source)
        self._write(
            on_token,
            max_new_tokens,
            input_ids=source,
            attention_mask=torch.ones_like(source),
            decoder_input_ids=self._tensor(encoded.inputs.ids),
        )

    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Return the embeddings [1, n, d] of source and text, as the two embedding modules return them."""
        import torch

        parts = zip(self.embeddings, inputs[:2], strict=True)
        source, text = (embedded(module, self._tensor(ids)) for module, ids in parts)
        return torch.cat([source, text.to(source.device)], dim=1)

    def run(self, inputs: Inputs, **options: Any) -> Any:
        """Run one plain pass over the inputs. Return transformers' own output."""
        return self._call(self._tensor(inputs.source), self._tensor(inputs.ids), **options)

    def direct(self, inputs: Inputs, way: Way) -> Network:
        """Return a function from embeddings [b, m, d], n_source < m ≤ n, and positions [k] to logits.

        See `Model.direct`.
        """
        source, text = self._tensor(inputs.source), self._tensor(inputs.ids)
        n = len(inputs.source)

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            batch, m = embeddings.shape[:2]
            read = [t.expand(batch, -1) for t in (source, text[:, : m - n])]
            parts = (embeddings[:, :n], embeddings[:, n:])
            with answering([Answer(*one) for one in zip(self.embeddings, read, parts, strict=True)]):
                return self.project(partial(self._call, *read), positions - n, way)

        return run

    def several(self, texts: Texts, which: torch.Tensor, places: torch.Tensor, way: Way) -> torch.Tensor:
        """See `Model.several`. The decoder counts positions by itself: `texts.positions` has none."""
        n = texts.source.shape[1]
        options: dict[str, Any] = {}
        if texts.seen is not None:
            options["attention_mask"] = texts.seen[:, :n].long()
            if not bool(texts.seen[:, n:].all()):
                options["decoder_attention_mask"] = texts.seen[:, n:].long()
        parts = ((texts.source, texts.embeddings[:, :n]), (texts.ids, texts.embeddings[:, n:]))
        answers = [Answer(module, *part) for module, part in zip(self.embeddings, parts, strict=True)]
        with answering(answers):
            return self._project_rows(partial(self._call, texts.source, texts.ids, **options), which, places, way)

    def _call(self, source: torch.Tensor, text: torch.Tensor, **options: Any) -> Any:
        import torch

        given = {"attention_mask": torch.ones_like(source), **self._uncached(), **options}
        return self.model(input_ids=source, decoder_input_ids=text, **given)

    def _bind(self) -> None:
        super()._bind()
        self._embeddings = (_embedding_of(self.model.get_encoder()), _embedding_of(self.model.get_decoder()))

    @property
    def embeddings(self) -> tuple[torch.nn.Module, torch.nn.Module]:
        """Return the embeddings of encoder and decoder: usually two modules, even if they share their weights."""
        return self._embeddings

    @property
    def _start(self) -> tuple[int, ...]:
        """Return the decoder's first inputs: its start token, and the language token if one is set.

        Raises: InputError if the model names no start token.
        """
        about = (self.model.generation_config, self.model.config)
        starts = (getattr(c, name, None) for name in ("decoder_start_token_id", "bos_token_id") for c in about)
        start = next((s for s in starts if s is not None), None)
        if start is None:
            raise InputError(
                f"{self.name} does not name the token that its decoder begins with.",
                cure="Set model.generation_config.decoder_start_token_id.",
            )
        forced = getattr(self.model.generation_config, "forced_bos_token_id", None)
        if forced is None:
            forced = self._language
        return (int(start),) if forced is None or forced == start else (int(start), int(forced))

    def _ids_of_foil(self, foil: str) -> list[int]:
        return list(self.tokenizer(text_target=foil, add_special_tokens=False)["input_ids"])

    @property
    def _output(self) -> str:
        """Return the noun for the text that the model writes."""
        return "translation" if self.model.config.model_type in _TRANSLATORS else "output"

    @property
    def _language(self) -> int | None:
        """Return the id of the token of the tokenizer's target language, or None if it has none."""
        tokenizer = self.tokenizer
        language = getattr(tokenizer, "tgt_lang", None)
        if not isinstance(language, str):
            return None
        if hasattr(tokenizer, "get_lang_id"):  # M2M100 writes "fr" as __fr__
            return int(tokenizer.get_lang_id(language))
        vocabulary: dict[str, int] = tokenizer.get_vocab()
        return vocabulary.get(language)


def _embedding_of(part: Any) -> torch.nn.Module:
    if hasattr(part, "get_input_embeddings"):
        found: torch.nn.Module = part.get_input_embeddings()
        return found
    plain: torch.nn.Module = part.embed_tokens  # FSMT's parts are plain modules, without the getter
    return plain
