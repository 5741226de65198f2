"""Generation of text: greedy or sampled, whatever the model's own generation settings are."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .inside.hooks import last_logits
from .steps import Step, read_steps

if TYPE_CHECKING:
    import torch


class Sampling(NamedTuple):
    """The choice of the next token. Temperature 0 takes the most probable one. Equal seeds give equal texts."""

    temperature: float = 0.0
    seed: int | None = None


# Settings by which `generate` writes several texts, or does not choose tokens by its logits.
_OTHER_WAYS = {
    "do_sample": False, "num_beams": 1, "num_return_sequences": 1, "stop_strings": None, "penalty_alpha": None,
    "prompt_lookup_num_tokens": None, "dola_layers": None, "guidance_scale": None, "watermarking_config": None,
    "constraints": None, "force_words_ids": None, "token_healing": False, "max_time": None, "num_beam_groups": 1,
    "diversity_penalty": 0.0, "assistant_early_exit": None, "is_assistant": False,
}  # fmt: skip
# Settings without effect on a greedy text and on the delivery of its tokens.
_IDLE = {
    "temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": None, "top_h": None, "typical_p": 1.0,
    "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "early_stopping": False, "length_penalty": 1.0, "max_length": None,
    "cache_implementation": None, "cache_config": None, "return_dict_in_generate": False, "output_scores": False,
    "output_logits": None, "output_attentions": False, "output_hidden_states": False, "compile_config": None,
    "use_cache": True, "max_new_tokens": None, "continuous_batching_config": None,
}  # fmt: skip


def write(
    model: Any,
    tokenizer: Any,
    on_token: Callable[[int, Step], None],
    max_new_tokens: int,
    sampling: Sampling,
    inputs: Mapping[str, torch.Tensor],
    prompt_size: int | None = None,
) -> None:
    """Let a shadow write. `on_token` is called with each new id and its step, computed from the model's raw logits.

    `prompt_size`: the tokens of the prompt that are read at a time; None: all in one pass.
    The model's own penalties, forced and forbidden tokens apply; beams, sampling, several sequences and stop strings
    do not, and a warning says so.
    """
    import torch
    from transformers.utils import logging

    model.generation_config = greedy(model.generation_config)  # as an argument, it would be merged with the model's own
    if prompt_size is not None:
        model.generation_config.prefill_chunk_size = prompt_size
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    draw = [_Drawn(sampling)] if sampling.temperature > 0 else []
    with torch.no_grad(), last_logits(model) as latest:

        def on_id(token: int) -> None:
            (step,) = read_steps(latest[0], [token])
            on_token(token, step)

        before = logging.get_verbosity()
        logging.set_verbosity_error()  # it logs that our limit takes precedence over the model's
        try:
            model.generate(
                **inputs,
                logits_processor=draw,
                max_new_tokens=max_new_tokens,
                pad_token_id=pad,
                streamer=_Streamer(on_id),
            )
        finally:
            logging.set_verbosity(before)


def write_several(
    model: Any,
    tokenizer: Any,
    ids: torch.Tensor,
    max_new_tokens: int,
    tolerance: float,
    prompt_size: int | None = None,
) -> list[list[int] | None]:
    """Let a shadow write a greedy continuation of each of several texts `ids` [b, n], in one batch.

    Return for each its new ids, which may go on after the end of the text. They are those that `write` finds, unless
    the two most probable tokens of some step are nearly equal: numbers of a batch are rounded otherwise than those of
    one text, by up to `tolerance` of the largest. Such a text is None. `prompt_size`: as for `write`.
    """
    import torch
    from transformers.utils import logging

    model.generation_config = greedy(model.generation_config)
    if prompt_size is not None:
        model.generation_config.prefill_chunk_size = prompt_size
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    ends = model.generation_config.eos_token_id
    ends = set(ends if isinstance(ends, list) else [ends])
    clear = Clear(tolerance)
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with torch.no_grad():
            out = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), logits_processor=[clear],
                max_new_tokens=max_new_tokens, pad_token_id=pad,
            )  # fmt: skip
    finally:
        logging.set_verbosity(before)
    found: list[list[int] | None] = []
    for written, is_clear in zip(out[:, ids.shape[1] :].tolist(), torch.stack(clear.steps, 1).tolist(), strict=True):
        n = next((at + 1 for at, token in enumerate(written) if token in ends), len(written))
        found.append(written if all(is_clear[:n]) else None)
    return found


class Clear:
    """A logits processor that notes in `steps`, for each step, of which texts [b] the choice is beyond rounding."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self.steps: list[torch.Tensor] = []

    def __call__(self, _ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Take note of one step of `generate`, and return its scores [b, vocabulary] as they are."""
        first, second = scores.float().topk(2, dim=-1).values.unbind(-1)
        largest = scores.abs().masked_fill(~scores.isfinite(), 0).amax(-1)
        self.steps.append(first - second > 2 * self._tolerance * largest)
        return scores


def greedy(given: Any) -> Any:
    """Return a copy of a generation config that writes one greedy text."""
    settings = copy.deepcopy(given)
    changed = []
    for name, plain in _OTHER_WAYS.items():
        if getattr(settings, name, None) not in (None, plain):
            changed.append(name)
        if hasattr(settings, name):
            setattr(settings, name, plain)
    for name, plain in _IDLE.items():
        if hasattr(settings, name):
            setattr(settings, name, plain)
    if changed:
        warnings.warn(
            f"The model's generation_config asks for {', '.join(changed)}. A map explains one text: it writes the "
            "most probable token each time all the same.",
            stacklevel=2,
        )
    return settings


class _Drawn:
    """A logits processor after which the largest logit is a sample of the distribution (Gumbel's trick).

    It has its own random generator, so the user's random numbers are unchanged.
    """

    def __init__(self, sampling: Sampling) -> None:
        import torch

        self._temperature = sampling.temperature
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)

    def __call__(self, _ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        uniform = torch.rand(scores.shape, generator=self._random, dtype=torch.float64)
        gumbel = -(-uniform.clamp_min(1e-300).log()).log()
        return scores.double() / self._temperature + gumbel.to(scores.device)


class _Streamer:
    """A streamer, which `generate` calls with the prompt first and then with each new token."""

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
