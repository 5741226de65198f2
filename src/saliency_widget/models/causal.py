"""A decoder-only language model, seen through the few things the engine needs of it."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError, TextTooLong, UnsupportedMethod
from .attention import recording
from .causality import is_causal
from .lending import fingerprint, lent
from .steps import Step, read_steps

if TYPE_CHECKING:
    import torch


class Forward(NamedTuple):
    """What one pass gives at the positions that were asked for."""

    logits: torch.Tensor  # [batch, k, vocabulary]
    head: torch.Tensor | None  # [batch, k, hidden]: what the vocabulary projection was given; None if it has no module


class CausalModel:
    """A loaded causal language model with its tokenizer; `.model` and `.tokenizer` are the transformers objects.

    Run it inside `with m.lent():`, which takes the model's lock and gives it back as it was.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self._embedding: torch.nn.Module = model.get_input_embeddings()
        self._head: torch.nn.Module | None = model.get_output_embeddings()

    def __repr__(self) -> str:
        return f"CausalModel({self.name!r}, {self.device}, {self.dtype_name})"

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
        """Number of transformer layers."""
        return int(getattr(self.model.config.get_text_config(), "num_hidden_layers", 0) or 0)

    def fingerprint(self) -> int:
        """Changes when a weight changes; part of every cache key."""
        return fingerprint(self.model)

    def lent(
        self, check: Callable[[], None] | None = None, waiting: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """This thread has the model, in evaluation mode, parameters frozen; see `lending.lent`."""
        return lent(self.model, check=check, waiting=waiting)

    def check_length(self, n: int) -> None:
        """Raises TextTooLong when `n` tokens are more than the model has positions for."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and n > limit:
            raise TextTooLong(
                f"The text and what is to be written make {n:,} tokens; {self.name} reads at most {limit:,}.",
                cure="Shorten the text, or lower max_new_tokens.",
            )

    def check_ids(self, ids: Sequence[int]) -> None:
        """Raises InputError for an id that the embedding has no row for: on a GPU that would end the process."""
        size = self._n_ids
        bad = [i for i in ids if not 0 <= i < size]
        if bad:
            raise InputError(
                f"Token id {bad[0]} is not in the vocabulary of {self.name} (0 … {size - 1}).",
                cure="Encode the text with this model's own tokenizer.",
            )

    # ── what the engine is given ──────────────────────────────────────────────────────────────────────────────────

    def embed(self, ids: Sequence[int]) -> torch.Tensor:
        """Input embeddings [1, n, d] as the embedding module gives them, any scale of the family included."""
        import torch

        with torch.no_grad():
            out: torch.Tensor = self._embedding(self._tensor(ids))
            return out

    def network(self, ids: Sequence[int]) -> Callable[[torch.Tensor, torch.Tensor], Forward]:
        """The model as a function from embeddings [b, m, d] (m ≤ len(ids)) and positions [k] to logits there.

        The model is called with ids, because several families scale inside the embedding module or take positions
        from the ids; the embedding module's answer is then replaced by what we were given.
        """
        tensor = self._tensor(ids)

        def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
            batch, m = embeddings.shape[:2]
            heads: list[torch.Tensor] = []
            with self._answering(embeddings), self._overhearing(heads):
                logits = self._logits(tensor[:, :m].expand(batch, -1), positions)
            head = heads[0] if len(heads) == 1 else None
            if head is not None and not self._takes_positions:
                head = head[:, positions]
            return Forward(logits, head)

        return run

    def attention_rows(
        self, ids: Sequence[int], positions: Sequence[int], *, layer: int | None, head: int | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention weights [k, n] from each position to every token, float32; mean over what is not chosen.

        Beside them the logits [k, vocabulary] at these positions, from the same pass.
        """
        import torch

        wanted = torch.tensor(positions, device=self.device)
        total = torch.zeros(len(positions), len(ids))
        layers = 0

        def record(layer_idx: int, start: int, weights: torch.Tensor) -> None:
            nonlocal layers
            if layer is not None and layer_idx != layer:
                return
            layers += start == 0
            here = (wanted >= start) & (wanted < start + weights.shape[2])
            at = wanted.to(weights.device)[here.to(weights.device)] - start
            rows = weights[0, :, at].float()  # [heads, k', keys]
            total[here.cpu()] += (rows.mean(0) if head is None else rows[head]).cpu()

        with torch.no_grad(), recording(self.model, record):
            logits = self._logits(self._tensor(ids), wanted)
        if not layers:
            raise UnsupportedMethod(
                f"{type(self.model).__name__} has no attention weights.", cure="Use saliency or random."
            )
        return total / layers, logits[0]

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def generate(self, ids: Sequence[int], max_new_tokens: int, on_token: Callable[[int, Step], None]) -> None:
        """Greedy continuation; `on_token` hears each new id and its step as it is written, and may raise to stop."""
        import torch

        tensor = self._tensor(ids)
        tokenizer = self.tokenizer
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        latest: list[torch.Tensor] = []

        def heard(token: int) -> None:
            (step,) = read_steps(latest[0], [token])
            on_token(token, step)

        with torch.no_grad(), self._overhearing_logits(latest):
            self.model.generate(
                input_ids=tensor,
                attention_mask=torch.ones_like(tensor),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=pad,
                streamer=_Streamer(heard),
            )

    # ── hooks, each acting in this thread alone: a cell may run the same model at the same time ───────────────────

    @contextmanager
    def _answering(self, embeddings: torch.Tensor) -> Iterator[None]:
        thread = threading.get_ident()
        handle = self._embedding.register_forward_hook(
            lambda _module, _args, output: embeddings if threading.get_ident() == thread else output
        )
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def _overhearing(self, heads: list[torch.Tensor]) -> Iterator[None]:
        if self._head is None:
            yield
            return
        thread = threading.get_ident()

        def listen(_module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            if threading.get_ident() == thread:
                heads.append(args[0])

        handle = self._head.register_forward_pre_hook(listen)
        try:
            yield
        finally:
            handle.remove()

    @cached_property
    def is_causal(self) -> bool:
        """Whether a later token leaves earlier logits alone; looked at once a model, inside `lent`."""
        size = self._n_ids
        ids = [i * size // 16 for i in range(16)]
        return is_causal(self.network(ids), self.embed(ids))

    @property
    def _n_ids(self) -> int:
        """Rows of the embedding."""
        return int(next(self._embedding.parameters()).shape[0])

    @contextmanager
    def _overhearing_logits(self, latest: list[torch.Tensor]) -> Iterator[None]:
        """Keeps the last position's logits [1, vocabulary] of the last pass: before `generate` changes them."""
        thread = threading.get_ident()

        def listen(_module: torch.nn.Module, _args: Any, output: Any) -> None:
            if threading.get_ident() == thread:
                latest[:] = [output.logits[:, -1]]

        handle = self.model.register_forward_hook(listen)
        try:
            yield
        finally:
            handle.remove()

    def _logits(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Logits [batch, k, vocabulary] of one pass over ids [batch, m]; projected only there where the family can."""
        if self._takes_positions:
            kept: torch.Tensor = self.model(input_ids=ids, use_cache=False, logits_to_keep=positions).logits
            return kept
        logits: torch.Tensor = self.model(input_ids=ids, use_cache=False).logits
        return logits[:, positions]

    @cached_property
    def _takes_positions(self) -> bool:
        """Whether the vocabulary can be projected at chosen positions only."""
        return "logits_to_keep" in inspect.signature(self.model.forward).parameters

    def _tensor(self, ids: Sequence[int]) -> torch.Tensor:
        import torch

        return torch.tensor([list(ids)], dtype=torch.long, device=self.device)


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
