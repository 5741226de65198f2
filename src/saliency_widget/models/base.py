"""What the engine needs of any model: three kinds of transformers models are seen through it."""

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
from .inside.hooks import logits_of, overhearing
from .inside.ways import Forward, Network, Way
from .steps import Step
from .text.document import Document, describe_text
from .text.tokens import display
from .writing import Sampling, write

if TYPE_CHECKING:
    import torch

    from .text.prompting import Encoded, Prompt


class Model(ABC):
    """A loaded transformer with its tokenizer; `.model` and `.tokenizer` are the transformers objects.

    They are the user's, and never run: `m.shadow()` gives the same model over a shadow, which can be.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self._lender: Self | None = None  # of a shadow: whose it is
        self._facts: probe.Facts | None = None
        self._check: Callable[[], None] | None = None
        self._owns = False
        self._made_of = 0  # the fingerprint of the user's model when this shadow of it was made
        self.weights_fingerprint = 0  # of a shadow: of the weights under it
        self._bind()

    def _bind(self) -> None:
        """Find the embedding and the head in `self.model`."""
        from torch import nn

        self._embedding: nn.Module = self.model.get_input_embeddings()
        head = self.model.get_output_embeddings()  # FSMT names what its decoder reads with
        self._head: nn.Module | None = None if isinstance(head, nn.Embedding) else head

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.device}, {self.dtype_name})"

    # ── the shadow ────────────────────────────────────────────────────────────────────────────────────────────────

    def shadow(self, check: Callable[[], None] | None = None) -> Self:
        """This model over a shadow of the user's, which one thread may run in any way. It is thrown away after use.

        `check` is called before every part of every layer, forward and backward, and raises to give up.
        Raises: InputError, UnsupportedMethod for a model of which no shadow can be made.
        """
        lender = self._lender or self
        source = shadow.bare(lender.model)
        facts = self._facts or probe.facts_of(source)
        if "writes_weights" not in facts.found:
            first = lender._over(source, facts, check)  # noqa: SLF001 (of its own class)
            probe.writes_weights(first)
        return lender._over(source, facts, check, own=facts.found["writes_weights"])  # noqa: SLF001 (as above)

    def fresh(self) -> Self:
        """Another shadow beside this one: what a pass leaves in it is nobody's.

        Raises: WeightsChanged where the user's model was given other parts since.
        """
        if self._lender is not None and shadow.structure(shadow.bare(self._lender.model)) != self.facts.structure:
            raise self._changed()
        return self.shadow(self._check)

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
        self.weights_fingerprint = shadow.weights(source if own else self.model)  # the same where they are shared
        self._made_of = hash((self.weights_fingerprint, facts.structure))
        self._bind()

    @property
    def facts(self) -> probe.Facts:
        """What was found out about the model; of a shadow alone."""
        assert self._facts is not None, "only a shadow is probed, and run"
        return self._facts

    def fingerprint(self) -> int:
        """Changes when a weight, a hook, a setting or a module changes; part of every cache key.

        Of a shadow: that of the user's model when the shadow was made.
        """
        if self._lender is not None:
            return self._made_of
        source = shadow.bare(self.model)
        return hash((shadow.weights(source), shadow.structure(source)))

    def check_weights(self) -> None:
        """Raises: WeightsChanged where the weights under a shadow are not those that it was made over.

        Not where the user's model alone has others (it was converted), nor the shadow alone (its code casts them).
        """
        if self._lender is None or self._owns or shadow.weights(self.model) == self.weights_fingerprint:
            return
        if shadow.weights(shadow.bare(self._lender.model)) != self.weights_fingerprint:
            raise self._changed()

    def _changed(self) -> WeightsChanged:
        return WeightsChanged(
            f"The weights of {self.name} changed while its map was computed, so the map would be of neither.",
            cure="Ask again when the training or loading is done.",
        )

    # ── what each kind does its own way ───────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def encode(self, prompt: Prompt) -> Encoded:
        """Token ids and roles of what the user gave. Raises: InputError."""

    @abstractmethod
    def generate(self, encoded: Encoded, max_new_tokens: int, on_token: Callable[[int, Step], None]) -> None:
        """Greedy continuation; `on_token` hears each new id and its step as it is written, and may raise to stop.

        Of a shadow alone, as all that runs the model.
        """

    @abstractmethod
    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Input embeddings [1, n, d] as the embedding modules give them, any scale of the family included."""

    @abstractmethod
    def direct(self, inputs: Inputs, way: Way) -> Network:
        """As `network`, in this shadow and in this way, whatever was found out about the model."""

    @abstractmethod
    def run(self, inputs: Inputs, **options: Any) -> Any:
        """One plain pass over the inputs; transformers' own output."""

    def network(self, inputs: Inputs) -> Network:
        """The model as a function from embeddings [b, m, d], m ≤ n, and positions [k] to logits there.

        As far as probing showed to be right: a model that cannot read several texts at once reads one after another,
        and of one that remembers the texts it has read each pass is run in a shadow of its own.
        """
        way, remembers = probe.way_of(self), probe.remembers(self)

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            one = (self.fresh() if remembers else self).direct(inputs, way)
            if len(embeddings) == 1 or probe.batches(self):
                return one(embeddings, positions)
            return _joined([one(part[None], positions) for part in embeddings])

        return run

    def document(self, encoded: Encoded, written: Sequence[int]) -> Document:
        """What was given and what was written (or forced) after it, as people read it."""
        return describe_text(self.tokenizer, encoded, written)

    # ── what they share ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        """The modules that read token ids: that of the source, where there is one, and that of the text."""
        return (self._embedding,)

    @property
    def device(self) -> torch.device:
        """Where token ids go: the device of the input embedding."""
        return next(self._embedding.parameters()).device

    @property
    def dtype_name(self) -> str:
        """The type of the weights, as people write it: `float32`."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")

    @property
    def n_heads(self) -> int:
        """Attention heads a layer; 0 where the architecture has no attention."""
        return int(getattr(self.model.config.get_text_config(), "num_attention_heads", 0) or 0)

    @property
    def n_layers(self) -> int:
        """Number of transformer layers (of the decoder, where there are two)."""
        return int(getattr(self.model.config.get_text_config(decoder=True), "num_hidden_layers", 0) or 0)

    @property
    def n_positions(self) -> int | None:
        """How many tokens the model can tell the places of; None where there is no limit."""
        limit: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is None or limit <= 0:  # XLNet says -1: there is none
            return None
        base = getattr(self.model, "base_model", self.model)
        table = getattr(getattr(base, "embeddings", None), "position_embeddings", None)
        before = getattr(table, "padding_idx", None)  # RoBERTa's places begin after that of the padding token
        return limit if before is None else limit - before - 1

    def check_length(self, encoded: Encoded, new: int) -> None:
        """Raises TextTooLong when the text and `new` tokens after it are more than the model has positions for."""
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
        """Raises InputError for an id that `embedding` (the text's own) has no row for: a GPU would end the process."""
        size = _rows(self.embeddings[-1] if embedding is None else embedding)
        bad = [i for i in ids if not 0 <= i < size]
        if bad:
            raise InputError(
                f"Token id {bad[0]} is not in the vocabulary of {self.name} (0 … {size - 1}).",
                cure="Encode the text with this model's own tokenizer.",
            )

    def alternatives(self, step: Step) -> tuple[Alternative, ...]:
        """The most probable tokens of a step, as people read them."""
        return tuple(
            Alternative(id=i, text=display(self.tokenizer, i), probability=p)
            for i, p in zip(step.ids, step.probabilities, strict=True)
        )

    def foil_id(self, foil: str | int) -> int:
        """The id of what a target is set against. Raises: InputError unless it is one token."""
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
        """What a target is set against, as people read it: as it was given, or the token of the id."""
        return foil if isinstance(foil, str) else display(self.tokenizer, foil)

    def ends_at(self, token: int) -> bool:
        """Whether the model stops writing after this token."""
        ends = self.model.generation_config.eos_token_id
        return token in ends if isinstance(ends, list) else token == ends

    def _ids_of_foil(self, foil: str) -> list[int]:
        return list(self.tokenizer(foil, add_special_tokens=False)["input_ids"])

    @property
    def is_causal(self) -> bool:
        """Whether a later token leaves earlier logits alone; of a shadow, looked at once a model.

        While weights are NaN it cannot be seen, and False is the safe answer: each target gets a pass of its own.
        """
        return probe.is_causal(self)

    def some_ids(self, n: int) -> tuple[int, ...]:
        """Ids that the vocabulary has, spread over it, none of them special: to try something out."""
        size = min(_rows(module) for module in self.embeddings)
        config = self.model.config
        named = (v for c in (config, config.get_text_config()) for k, v in vars(c).items() if k.endswith("_token_id"))
        marks = (i for value in named for i in (value if isinstance(value, list) else [value]))
        special = {*self.tokenizer.all_special_ids, *(i for i in marks if isinstance(i, int))}
        plain = [i for i in range(size) if i not in special] or list(range(size))
        return tuple(plain[i * len(plain) // n] for i in range(n))

    counted = "tokens"  # what its columns are
    raw = False  # whether its classes have numbers of their own and no probabilities
    independent = False  # whether several classes may be there at once, each with a probability of its own
    has_source = False  # whether there is an encoder that reads a text of its own

    def _project(self, call: Callable[..., Any], positions: torch.Tensor, way: Way) -> Forward:
        """Logits and head at `positions` of a pass `call`, which takes the model's own options."""
        if way is Way.WHOLE:
            logits = logits_of(call())
            return Forward(logits[:, positions.to(logits.device)], None)
        if way is Way.NARROWED:
            with overhearing(self._head, positions) as heads:
                logits = logits_of(call())
            return Forward(logits, heads[0])
        # On a model that is spread over devices, an index on the CPU fits them all.
        spread = len(set(getattr(self.model, "hf_device_map", {}).values())) > 1
        with overhearing(self._head, None) as heads:
            logits = logits_of(call(logits_to_keep=positions.cpu() if spread else positions))
        return Forward(logits, heads[0] if len(heads) == 1 and heads[0].shape[:2] == logits.shape[:2] else None)

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways to logits at chosen positions that may be tried, the fastest first."""
        ways = [Way.KEPT] if self._takes("logits_to_keep") else []
        return (*ways, *([] if self._head is None else [Way.NARROWED]), Way.WHOLE)

    def _takes(self, option: str) -> bool:
        """Whether the model's own code names an option of a pass."""
        return option in inspect.signature(self.model.forward).parameters

    def _uncached(self) -> dict[str, bool]:
        """The option that keeps a pass from remembering, where it is known. FSMT leaves its causal mask out else."""
        return {"use_cache": False} if self._takes("use_cache") else {}

    def _write(
        self,
        on_token: Callable[[int, Step], None],
        max_new_tokens: int,
        sampling: Sampling | None = None,
        **inputs: torch.Tensor,
    ) -> None:
        assert self._lender is not None, "only a shadow writes"
        write(self.model, self.tokenizer, on_token, max_new_tokens, sampling or Sampling(), inputs)

    def _tensor(self, ids: Sequence[int]) -> torch.Tensor:
        import torch

        return torch.tensor([list(ids)], dtype=torch.long, device=self.device)


def _rows(embedding: torch.nn.Module) -> int:
    return int(next(embedding.parameters()).shape[0])


def embedded(module: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """Embeddings [1, n, d] of ids [1, n] as the module gives them, apart from any graph."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        given: Any = module(ids)
        rows: torch.Tensor = given[0] if isinstance(given, tuple) else given
        return rows.detach()


def _joined(parts: Sequence[Forward]) -> Forward:
    """Passes over one text each as one over all of them."""
    import torch

    heads = [part.head for part in parts]
    known = [head for head in heads if head is not None]
    return Forward(torch.cat([part.logits for part in parts]), torch.cat(known) if len(known) == len(parts) else None)
