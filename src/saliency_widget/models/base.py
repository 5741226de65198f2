"""The interface of all three kinds of transformers models, as the engine uses it."""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from ..checks import whole_text
from ..errors import InputError, TextTooLong, WeightsChanged
from ..types import Alternative, Inputs
from .inside import probe, shadow
from .inside.hooks import head_inputs, head_rows, logits_of
from .inside.ways import Forward, Network, Texts, Way
from .steps import Step
from .text.document import Document, describe_text
from .text.tokens import display
from .writing import Sampling, write

if TYPE_CHECKING:
    import torch

    from .text.prompting import Encoded, Prompt


class Model(ABC):
    """A loaded transformer with its tokenizer; `.model` and `.tokenizer` are the transformers objects.

    The user's model itself is never run: `m.shadow()` returns the same model over a shadow, which is.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self._lender: Self | None = None  # for a shadow: the model that it was made from
        self._facts: probe.Facts | None = None
        self._check: Callable[[], None] | None = None
        self._owns = False
        self._made_of = 0  # for a shadow: the fingerprint of the user's model when it was made
        self.weights_fingerprint = 0  # for a shadow: the fingerprint of the weights under it
        self._bind()

    def _bind(self) -> None:
        """Find the embedding and the head in `self.model`."""
        from torch import nn

        self._embedding: nn.Module = self.model.get_input_embeddings()
        head = self.model.get_output_embeddings()  # FSMT returns the input embedding of its decoder
        self._head: nn.Module | None = None if isinstance(head, nn.Embedding) else head

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.device}, {self.dtype_name})"

    # ── the shadow ────────────────────────────────────────────────────────────────────────────────────────────────

    def shadow(self, check: Callable[[], None] | None = None) -> Self:
        """Return this model over a new shadow, which one thread may run and then drops.

        `check` is called before every part of every layer, forward and backward, and may raise to stop.
        Raises: InputError, UnsupportedMethod if no shadow of the model can be made.
        """
        lender = self._lender or self
        source = shadow.bare(lender.model)
        facts = self._facts or probe.facts_of(source)
        if "writes_weights" not in facts.found:
            first = lender._over(source, facts, check)  # noqa: SLF001 (of its own class)
            probe.writes_weights(first)
        return lender._over(source, facts, check, own=facts.found["writes_weights"])  # noqa: SLF001 (as above)

    def fresh(self) -> Self:
        """Return another shadow of the same model, for a pass whose state must not be kept.

        Raises: WeightsChanged if the structure of the user's model has changed.
        """
        if self._lender is not None and shadow.structure(shadow.bare(self._lender.model)) != self.facts.structure:
            raise self._changed()
        return self.shadow(self._check)

    def copied(self) -> Self:
        """Return this model over a copy of its modules and weights that nobody else has: they may be changed.

        Like a user's model it is never run itself; its shadows are.
        """
        source = shadow.bare((self._lender or self).model)
        made = copy.copy(self)
        made.model = shadow.shadow_of(source, own=True)
        made._lender, made._facts, made._check, made._owns = None, None, None, False  # noqa: SLF001 (of its own class)
        made._bind()  # noqa: SLF001 (as above)
        return made

    def _over(self, source: Any, facts: probe.Facts, check: Callable[[], None] | None, *, own: bool = False) -> Self:
        inside = copy.copy(self)
        inside._enter(self, source, facts, own=own)  # noqa: SLF001 (of its own class)
        inside._check = check  # noqa: SLF001 (as above)
        if check is not None:
            shadow.interruptible(inside.model, check)
        return inside

    def _enter(self, lender: Self, source: Any, facts: probe.Facts, *, own: bool) -> None:
        self.model = shadow.shadow_of(source, own=own)
        self._lender, self._facts, self._owns = lender, facts, own
        self.weights_fingerprint = shadow.weights(source if own else self.model)  # usually one set of weights
        self._made_of = hash((self.weights_fingerprint, facts.structure))
        self._bind()

    @property
    def facts_so_far(self) -> probe.Facts | None:
        """Return the facts that were found out about the model, or None if it was not run."""
        return self._facts

    @property
    def facts(self) -> probe.Facts:
        """Return the facts that probing found out about the model. Only a shadow has them."""
        assert self._facts is not None, "only a shadow is probed, and run"
        return self._facts

    def fingerprint(self) -> int:
        """Return a number that changes when a weight, hook, setting or module does. It is part of every cache key.

        A shadow returns that of the user's model when the shadow was made.
        """
        if self._lender is not None:
            return self._made_of
        source = shadow.bare(self.model)
        return hash((shadow.weights(source), shadow.structure(source)))

    def check_weights(self) -> None:
        """Raise WeightsChanged if the weights under a shadow have changed since it was made.

        It is no change if only the user's model has other weights (it was converted), or only the shadow (it casts).
        """
        if self._lender is None or self._owns or shadow.weights(self.model) == self.weights_fingerprint:
            return
        if shadow.weights(shadow.bare(self._lender.model)) != self.weights_fingerprint:
            raise self._changed()

    def _changed(self) -> WeightsChanged:
        return WeightsChanged(
            f"The weights of {self.name} changed while its map was computed, so the map would mix old and new ones.",
            cure="Ask again when the training or loading is done.",
        )

    # ── what each kind does its own way ───────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def encode(self, prompt: Prompt) -> Encoded:
        """Return the token ids and roles of the prompt. Raises: InputError."""

    @abstractmethod
    def generate(self, encoded: Encoded, max_new_tokens: int, on_token: Callable[[int, Step], None]) -> None:
        """Write a greedy continuation. Only a shadow may run this, as all other passes.

        `on_token` is called with each new id and its step, and may raise to stop.
        """

    @abstractmethod
    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Return the input embeddings [1, n, d] as the embedding modules return them, including the family's scale."""

    @abstractmethod
    def direct(self, inputs: Inputs, way: Way) -> Network:
        """Return a function as `network` does, but in this shadow and by this way, whatever probing found out."""

    @abstractmethod
    def run(self, inputs: Inputs, **options: Any) -> Any:
        """Run one plain pass over the inputs. Return transformers' own output."""

    @abstractmethod
    def several(self, texts: Texts, which: torch.Tensor, places: torch.Tensor, way: Way) -> torch.Tensor:
        """Read several texts in one pass of this shadow, and return logits [p, vocabulary].

        They are those at row places[i] of text which[i], counted from its first row after the source.
        """

    def network(self, inputs: Inputs) -> Network:
        """Return the model as a function from embeddings [b, m, d], m ≤ n, and positions [k] to logits there.

        It respects what probing found out: a model that cannot read several texts at once reads them in turn, and a
        model that keeps state between passes runs each pass in a new shadow.
        """
        way, remembers = probe.way_of(self), probe.remembers(self)

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            one = (self.fresh() if remembers else self).direct(inputs, way)
            if len(embeddings) == 1 or probe.batches(self):
                return one(embeddings, positions)
            return _joined([one(part[None], positions) for part in embeddings])

        return run

    def document(self, encoded: Encoded, written: Sequence[int]) -> Document:
        """Return the document of the encoded prompt and the written (or forced) tokens after it."""
        return describe_text(self.tokenizer, encoded, written)

    # ── what they share ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        """Return the embedding modules: that of the source, if there is one, and that of the text."""
        return (self._embedding,)

    @property
    def head(self) -> torch.nn.Module | None:
        """Return the module that projects onto the vocabulary or the classes; None if the model has none of its own."""
        return self._head

    @property
    def device(self) -> torch.device:
        """Return the device of the input embedding, where token ids must be."""
        return next(self._embedding.parameters()).device

    @property
    def dtype_name(self) -> str:
        """Return the name of the weights' type: `float32`."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")

    @property
    def n_heads(self) -> int:
        """Return the number of attention heads in a layer; 0 if the architecture has no attention."""
        return int(getattr(self.model.config.get_text_config(), "num_attention_heads", 0) or 0)

    @property
    def n_layers(self) -> int:
        """Return the number of layers (those of the decoder, if there is one beside an encoder)."""
        return int(getattr(self.model.config.get_text_config(decoder=True), "num_hidden_layers", 0) or 0)

    @property
    def n_positions(self) -> int | None:
        """Return the number of positions, or None if there is no limit."""
        limit: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is None or limit <= 0:  # XLNet has -1 for no limit
            return None
        base = getattr(self.model, "base_model", self.model)
        table = getattr(getattr(base, "embeddings", None), "position_embeddings", None)
        before = getattr(table, "padding_idx", None)  # RoBERTa's positions begin after that of the padding token
        return limit if before is None else limit - before - 1

    def check_length(self, encoded: Encoded, new: int) -> None:
        """Raise TextTooLong if the text and `new` tokens after it need more positions than the model has."""
        limit = self.n_positions
        read = len(encoded.inputs.source or encoded.inputs.ids)
        whole = len(encoded.inputs.ids) + new
        if limit is not None and read > limit:
            raise TextTooLong(
                f"The text makes {read:,} tokens; {self.name} reads at most {limit:,}.", cure="Shorten the text."
            )
        if limit is not None and whole > limit:
            raise TextTooLong(
                f"The text and what is to be written make {whole:,} tokens; {self.name} reads at most {limit:,}.",
                cure="Shorten the text, or lower max_new_tokens.",
            )

    def check_ids(self, ids: Sequence[int], embedding: torch.nn.Module | None = None) -> None:
        """Raise InputError for an id that `embedding` (by default the text's) lacks: a GPU would end the process."""
        size = _rows(self.embeddings[-1] if embedding is None else embedding)
        bad = [i for i in ids if not 0 <= i < size]
        if bad:
            raise InputError(
                f"Token id {bad[0]} is not in the vocabulary of {self.name} (0 … {size - 1}).",
                cure="Encode the text with this model's own tokenizer.",
            )

    def alternatives(self, step: Step) -> tuple[Alternative, ...]:
        """Return the most probable tokens of a step with their texts and probabilities."""
        return tuple(
            Alternative(id=i, text=display(self.tokenizer, i), probability=p)
            for i, p in zip(step.ids, step.probabilities, strict=True)
        )

    def foil_id(self, foil: str | int) -> int:
        """Return the token id of a foil. Raises: InputError unless it is one token."""
        if isinstance(foil, int):
            self.check_ids([foil])
            return foil
        whole_text("The foil", foil)
        ids = self._ids_of_foil(foil)
        if len(ids) == 1:
            return int(ids[0])
        pieces = " + ".join(repr(display(self.tokenizer, i)) for i in ids)
        raise InputError(
            f"The foil {foil!r} is {len(ids)} tokens{f' ({pieces})' if ids else ''}, and must be one.",
            cure="Take one of the alternatives that the map shows, its leading space included, or give its id.",
        )

    def foil_text(self, foil: str | int) -> str:
        """Return the text of a foil: as it was given, or that of the token with this id."""
        return foil if isinstance(foil, str) else display(self.tokenizer, foil)

    def ends_at(self, token: int) -> bool:
        """Return whether the model stops writing after this token."""
        ends = self.model.generation_config.eos_token_id
        return token in ends if isinstance(ends, list) else token == ends

    def _ids_of_foil(self, foil: str) -> list[int]:
        return list(self.tokenizer(foil, add_special_tokens=False)["input_ids"])

    @property
    def is_causal(self) -> bool:
        """Return whether later tokens leave earlier logits unchanged. Only a shadow knows; tried once for each model.

        It is False while weights are NaN, because trying shows nothing then: each target gets a pass of its own.
        """
        return probe.is_causal(self)

    def some_ids(self, n: int) -> tuple[int, ...]:
        """Return n ids spread over the vocabulary, none of them special, for probing."""
        size = min(_rows(module) for module in self.embeddings)
        config = self.model.config
        named = (v for c in (config, config.get_text_config()) for k, v in vars(c).items() if k.endswith("_token_id"))
        marks = (i for value in named for i in (value if isinstance(value, list) else [value]))
        special = {*self.tokenizer.all_special_ids, *(i for i in marks if isinstance(i, int))}
        plain = [i for i in range(size) if i not in special] or list(range(size))
        return tuple(plain[i * len(plain) // n] for i in range(n))

    counted = "tokens"  # the noun for its columns
    raw = False  # whether its outputs are raw scores without probabilities
    independent = False  # whether several classes may apply at once, each with its own probability
    reads_classes = False  # whether its columns are classes of a text
    has_source = False  # whether it has an encoder, which reads a source

    @property
    def padding(self) -> int | None:
        """Return the id that must stand after a shorter text; None where any token may, as in a causal model."""
        return None

    @property
    def takes_positions(self) -> bool:
        """Return whether a pass may be given the positions of its rows."""
        return not self.has_source and self._takes("position_ids")

    def project(self, call: Callable[..., Any], positions: torch.Tensor, way: Way) -> Forward:
        """Return logits and head at `positions` of the pass `call`, which takes the model's own options."""
        if way is Way.WHOLE:
            logits = logits_of(call())
            return Forward(logits[:, positions.to(logits.device)], None)
        if way is Way.NARROWED:
            with head_inputs(self._head, positions) as heads:
                logits = logits_of(call())
            return Forward(logits, heads[0])
        # If the model is spread over several devices, an index on the CPU works with all of them.
        spread = len(set(getattr(self.model, "hf_device_map", {}).values())) > 1
        with head_inputs(self._head, None) as heads:
            logits = logits_of(call(logits_to_keep=positions.cpu() if spread else positions))
        return Forward(logits, heads[0] if len(heads) == 1 and heads[0].shape[:2] == logits.shape[:2] else None)

    def _project_rows(
        self, call: Callable[[], Any], which: torch.Tensor, places: torch.Tensor, way: Way
    ) -> torch.Tensor:
        """Return the logits [p, vocabulary] of the pass `call` at row places[i] of text which[i]."""
        if way is Way.WHOLE or self._head is None:
            logits = logits_of(call())
            return logits[which.to(logits.device), places.to(logits.device)]
        with head_rows(self._head, which, places):
            return logits_of(call())[0]

    @property
    def ways(self) -> tuple[Way, ...]:
        """Return the ways to compute logits at chosen positions that may be tried, the fastest first."""
        ways = [Way.KEPT] if self._takes("logits_to_keep") else []
        return (*ways, *([] if self._head is None else [Way.NARROWED]), Way.WHOLE)

    @property
    def row_ways(self) -> tuple[Way, ...]:
        """Return the ways to compute logits at other rows of each text, the fastest first."""
        return (*([] if self._head is None else [Way.NARROWED]), Way.WHOLE)

    def _takes(self, option: str) -> bool:
        """Return whether the model's own code names an option of a pass."""
        return option in inspect.signature(self.model.forward).parameters

    def _uncached(self) -> dict[str, bool]:
        """Return the option that turns the cache off, if the model has it. With a cache FSMT uses no causal mask."""
        return {"use_cache": False} if self._takes("use_cache") else {}

    def _write(
        self,
        on_token: Callable[[int, Step], None],
        max_new_tokens: int,
        sampling: Sampling | None = None,
        prompt_size: int | None = None,
        **inputs: torch.Tensor,
    ) -> None:
        assert self._lender is not None, "only a shadow writes"
        write(self.model, self.tokenizer, on_token, max_new_tokens, sampling or Sampling(), inputs, prompt_size)

    def _tensor(self, ids: Sequence[int]) -> torch.Tensor:
        import torch

        return torch.tensor([list(ids)], dtype=torch.long, device=self.device)


def _rows(embedding: torch.nn.Module) -> int:
    return int(next(embedding.parameters()).shape[0])


def embedded(module: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """Return the embeddings [1, n, d] of ids [1, n] as the module returns them, detached from the graph."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        given: Any = module(ids)
        rows: torch.Tensor = given[0] if isinstance(given, tuple) else given
        return rows.detach()


def _joined(parts: Sequence[Forward]) -> Forward:
    """Join the results of passes over one text each to the result of one pass over all of them."""
    import torch

    heads = [part.head for part in parts]
    known = [head for head in heads if head is not None]
    return Forward(torch.cat([part.logits for part in parts]), torch.cat(known) if len(known) == len(parts) else None)
