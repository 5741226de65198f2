"""Numbers read from a model that cannot keep to a list: it is forced into shape, and only the numbers are its own.

A small model asked for `[("This", 0.1), …]` writes something else. So the list is written for it word by word, and at
each number its own distribution over the values -1.0, -0.9 … 1.0 is read: the mean is the score, the entropy says how
sure it is. The value that goes into the list is the one it finds most probable, as if it had written the list itself.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..models.inside.caches import given_cache, kept_cache
from ..models.text.prompting import continuation
from .clients import Message, Reply
from .local import asked, every

if TYPE_CHECKING:
    import torch

    from ..models.causal import CausalModel
    from .prompts import Order

VALUES = tuple(round(tenth / 10, 1) for tenth in range(-10, 11))
_EVERY = 0.1


class Guided(NamedTuple):
    """The answer that was written under the constraint.

    `scores`: one a word, in [-1, 1]. `uncertainties`: entropy over the values, as a share of the largest, in [0, 1].
    `label_probabilities`: one a label, of sum 1; none where nothing was to be decided.
    """

    reply: Reply
    scores: list[float]
    uncertainties: list[float]
    label_probabilities: list[float]


def read_scores(
    model: CausalModel,
    messages: Sequence[Message],
    words: Sequence[str],
    labels: Sequence[str],
    order: Order,
    on_text: Callable[[str], None],
) -> Guided:
    """Read what the model says of each word and of the whole, which of `labels` it is, as they are written.

    Without labels nothing is decided. `on_text` as in `Client.answer`. Greedy, hence repeatable.

    Cost: one pass over the prompt, and one over four rows of three tokens a word.
    Raises: TextTooLong.
    """
    import torch

    started = time.perf_counter()
    text = ""
    model = model.shadow(every(_EVERY, lambda: on_text(text)))
    with torch.no_grad():
        encoded = model.encode(asked(model, messages))
        longest = "".join(f"({_quoted(word)}, -1.0), " for word in words)
        longest += max(labels, key=len, default="")
        model.check_length(encoded, len(model.tokenizer(longest, add_special_tokens=False)["input_ids"]) + 8)
        reader = _Reader(model, encoded.inputs.ids)
        decided: list[float] = []
        if labels and order == "predict first":
            decided = _choose_label(reader, labels)
            reader.write("\n")
        scores, uncertainties = [], []
        for i, word in enumerate(words):
            reader.write(f"{'), ' if i else '['}({_quoted(word)},")
            p = reader.choose([f" {value:.1f}" for value in VALUES])
            score = sum(value * share for value, share in zip(VALUES, p, strict=True))
            scores.append(score)
            uncertainties.append(_entropy(p) / math.log(len(VALUES)))
            reader.write(f" {VALUES[p.index(max(p))]:.1f}")
            text = reader.text
            on_text(text)
        reader.write(")]")
        if labels and order == "explain first":
            reader.write("\n")
            decided = _choose_label(reader, labels)
        text = reader.text
        on_text(text)
    n = len(encoded.inputs.ids)
    reply = Reply(text, True, n, len(reader.ids) - n, time.perf_counter() - started)
    return Guided(reply, scores, uncertainties, decided)


def chosen(model: CausalModel, ids: Sequence[int], options: Sequence[str]) -> int:
    """Return which of some continuations of a text is the most probable. `model` is a shadow."""
    import torch

    with torch.no_grad():
        p = _Reader(model, ids).choose(options)
    return p.index(max(p))


def _choose_label(reader: _Reader, labels: Sequence[str]) -> list[float]:
    """Write the most probable label; return the probability of each among them."""
    p = reader.choose(labels)
    reader.write(labels[p.index(max(p))])
    return p


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _entropy(p: Sequence[float]) -> float:
    return -sum(share * math.log(share) for share in p if share > 0)


class _Reader:
    """A text that a model has read, with what it remembers of it; more can be written, or a choice weighed."""

    def __init__(self, model: CausalModel, ids: Sequence[int]) -> None:
        self.text = ""
        self.ids = list(ids)
        self._model = model
        self._cache: Any = None
        self._unread = list(ids)
        self._logits: torch.Tensor | None = None

    def write(self, text: str) -> None:
        """Put text behind what is there."""
        ids = self._ids_of(text)
        self.text += text
        self.ids += ids
        self._unread += ids

    def choose(self, options: Sequence[str]) -> list[float]:
        """Return the probability of each continuation, among these alone. Nothing is written."""
        import torch

        choices = [self._ids_of(option) for option in options]
        # Where choices part, the model's next-token probabilities are needed: after each of their beginnings.
        beginnings = {tuple(ids[:n]) for ids in choices for n in range(len(ids))}
        rows = [b for b in beginnings if not any(len(o) > len(b) and o[: len(b)] == b for o in beginnings)]
        after = self._after(rows)
        weights = torch.stack(
            [sum((after[tuple(ids[:n])][token] for n, token in enumerate(ids)), torch.zeros(())) for ids in choices]
        )
        return [float(p) for p in weights.double().softmax(0)]

    def _after(self, rows: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], torch.Tensor]:
        """Log-probabilities [vocabulary] of the next token after the text and each beginning of each row."""
        last = self._read()
        found: dict[tuple[int, ...], torch.Tensor] = {(): last.float().log_softmax(-1).cpu()}
        width = max(map(len, rows))
        if width == 0:
            return found
        padded = [[*row, *[row[-1] if row else 0] * (width - len(row))] for row in rows]
        logits = self._continued(padded)
        for row, out in zip(rows, logits.float().log_softmax(-1).cpu(), strict=True):
            for n in range(1, len(row) + 1):
                found[row[:n]] = out[n - 1]
        return found

    def _read(self) -> torch.Tensor:
        """Read what was written since; the logits after it."""
        import torch

        if self._unread:
            ids = torch.tensor([self._unread], device=self._model.device)
            network = self._model.model
            out = network(input_ids=ids, use_cache=True, **given_cache(network, self._cache))
            self._cache = kept_cache(out)
            self._logits, self._unread = out.logits[0, -1], [] if self._cache is not None else self._unread
        assert self._logits is not None, "there is always a prompt"
        return self._logits

    def _continued(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits [rows, width, vocabulary] of texts that go on differently, without a cache that has no copies."""
        import torch

        n, device = len(rows), self._model.device
        if hasattr(self._cache, "batch_repeat_interleave"):
            cache = copy.deepcopy(self._cache)
            cache.batch_repeat_interleave(n)
            ids = torch.tensor(rows, device=device)
            network = self._model.model
            logits: torch.Tensor = network(input_ids=ids, use_cache=True, **given_cache(network, cache)).logits
            return logits
        ids = torch.tensor([[*self.ids, *row] for row in rows], device=device)
        whole: torch.Tensor = self._model.model(input_ids=ids, use_cache=False).logits
        return whole[:, len(self.ids) :]

    def _ids_of(self, text: str) -> list[int]:
        return list(continuation(self._model.tokenizer, self.text or None, self.ids, text) or ())
