"""What the engine needs of any model: three kinds of transformers models are seen through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import whole_text
from ..errors import InputError, TextTooLong
from ..types import Alternative, Inputs
from .causality import is_causal
from .document import Document, describe_text
from .hooks import last_logits, overhearing
from .lending import fingerprint, lent
from .steps import Step, read_steps
from .tokens import display

if TYPE_CHECKING:
    import torch

    from .prompting import Encoded, Prompt


class Forward(NamedTuple):
    """What one pass gives at the positions that were asked for."""

    logits: torch.Tensor  # [batch, k, vocabulary]
    head: torch.Tensor | None  # [batch, k, hidden]: what the vocabulary projection was given; None if it has no module


class Sampling(NamedTuple):
    """How the next token is chosen. Temperature 0: the most probable one. `seed`: the same one, the same text."""

    temperature: float = 0.0
    seed: int | None = None


# (embeddings [batch, m, d], positions [k] < m) → logits and head at these positions. m may be less than the whole.
Network = Callable[["torch.Tensor", "torch.Tensor"], Forward]


class Model(ABC):
    """A loaded transformer with its tokenizer; `.model` and `.tokenizer` are the transformers objects.

    Run it inside `with m.lent():`, which takes the model's lock and gives it back as it was.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        from torch import nn

        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self._is_causal: bool | None = None
        self._embedding: nn.Module = model.get_input_embeddings()
        head = model.get_output_embeddings()  # FSMT names what its decoder reads with
        self._head: nn.Module | None = None if isinstance(head, nn.Embedding) else head

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.device}, {self.dtype_name})"

    # ── what each kind does its own way ───────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def encode(self, prompt: Prompt) -> Encoded:
        """Token ids and roles of what the user gave. Raises: InputError."""

    @abstractmethod
    def generate(self, encoded: Encoded, max_new_tokens: int, on_token: Callable[[int, Step], None]) -> None:
        """Greedy continuation; `on_token` hears each new id and its step as it is written, and may raise to stop."""

    @abstractmethod
    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Input embeddings [1, n, d] as the embedding modules give them, any scale of the family included."""

    @abstractmethod
    def network(self, inputs: Inputs) -> Network:
        """The model as a function from embeddings [b, m, d], m ≤ n, and positions [k] to logits there."""

    @abstractmethod
    def run(self, inputs: Inputs, **options: Any) -> Any:
        """One plain pass over the inputs; transformers' own output."""

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
        table = getattr(getattr(self.model.base_model, "embeddings", None), "position_embeddings", None)
        before = getattr(table, "padding_idx", None)  # RoBERTa's places begin after that of the padding token
        return limit if limit is None or before is None else limit - before - 1

    def fingerprint(self) -> int:
        """Changes when a weight changes; part of every cache key."""
        return fingerprint(self.model)

    def lent(
        self, check: Callable[[], None] | None = None, waiting: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """This thread has the model, in evaluation mode, parameters frozen; see `lending.lent`."""
        return lent(self.model, check=check, waiting=waiting)

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
        """Whether a later token leaves earlier logits alone; looked at once a model, inside `lent`.

        While weights are NaN it cannot be seen, and False is the safe answer: each target gets a pass of its own.
        """
        if self._is_causal is None:
            self._is_causal = self._look_for_causality()
        return bool(self._is_causal)

    def some_ids(self, n: int) -> tuple[int, ...]:
        """Ids that the vocabulary has, spread over it: to try something out."""
        size = min(_rows(module) for module in self.embeddings)
        return tuple(i * size // n for i in range(n))

    def _look_for_causality(self) -> bool | None:
        ids = self.some_ids(16)
        inputs = Inputs(ids[:4], ids) if self.has_source else Inputs((), ids)
        return is_causal(self.network(inputs), self.embed(inputs), len(inputs.source))

    counted = "tokens"  # what its columns are
    independent = False  # whether several classes may be there at once, each with a probability of its own
    has_source = False  # whether there is an encoder that reads a text of its own

    def _project(self, call: Callable[[], torch.Tensor], positions: torch.Tensor) -> Forward:
        """Logits and head at `positions` of a pass `call` that gives logits at all of them."""
        with overhearing(self._head, positions) as heads:
            logits = call()
        if len(heads) == 1:
            return Forward(logits, heads[0])
        return Forward(logits[:, positions], None)

    def _write(
        self,
        on_token: Callable[[int, Step], None],
        max_new_tokens: int,
        sampling: Sampling | None = None,
        **inputs: torch.Tensor,
    ) -> None:
        import torch

        warmth, seed = sampling or Sampling()
        tokenizer = self.tokenizer
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        with torch.no_grad(), last_logits(self.model) as latest:

            def heard(token: int) -> None:
                (step,) = read_steps(latest[0], [token])
                on_token(token, step)

            # The seed is ours alone: the user's own random numbers go on as if nothing had been drawn.
            devices = [self.device] if self.device.type == "cuda" else []
            # Of a model with a max_length of its own it logs that ours takes precedence.
            with _unlogged(), torch.random.fork_rng(devices, enabled=warmth > 0):
                if warmth > 0:
                    torch.seed() if seed is None else torch.manual_seed(seed)
                self.model.generate(
                    **inputs,
                    max_new_tokens=max_new_tokens,
                    do_sample=warmth > 0,
                    num_beams=1,
                    temperature=warmth or None,
                    top_p=None,
                    top_k=None,
                    pad_token_id=pad,
                    streamer=_Streamer(heard),
                )

    def _tensor(self, ids: Sequence[int]) -> torch.Tensor:
        import torch

        return torch.tensor([list(ids)], dtype=torch.long, device=self.device)


def _rows(embedding: torch.nn.Module) -> int:
    return int(next(embedding.parameters()).shape[0])


@contextmanager
def _unlogged() -> Iterator[None]:
    """Within it, transformers logs errors only."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


class _Streamer:
    """What `generate` calls with the prompt first, and then with each new token."""

    def __init__(self, on_token: Callable[[int], None]) -> None:
        self._on_token = on_token
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        for token in value.reshape(-1).tolist():
            self._on_token(token)

    def end(self) -> None:
        pass
