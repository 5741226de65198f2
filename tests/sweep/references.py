"""References of maps from passes of transformers alone: one pass for each number, without the package's code.

Rows are the source (where there is one) and then the text, as in a map. Every column is computed on a text of its own
that ends before the target, so nothing rests on a model being causal.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from .building import Task

STEPS = 2  # of integrated gradients

# Names of projections that give values: alone, behind all queries and keys, behind those of each head, or behind the
# keys that come from a latent vector.
_VALUES = ("v_proj", "value", "v", "v_lin", "value_proj", "Wv")
_VALUES_LAST = ("c_attn", "qkv_proj", "Wqkv")
_VALUES_BETWEEN = ("query_key_value",)
_VALUES_LATENT = ("kv_b_proj",)
_ORDERED_OTHERWISE = ("codegen", "falcon", "gpt_bigcode")  # families with such names, and another order
_CROSS = ("encoder_attn", "crossattention", "cross_attn", "EncDecAttention")  # in the path of attention to a source

# (number of the call, what an embedding module gave) → what it gives instead
Answer = Callable[[int, torch.Tensor], torch.Tensor]


class NoSuchMap(Exception):
    """The method is undefined on this model, so any map is wrong."""


class Truth(NamedTuple):
    """Scores [n] of a column, and of what size they were before they were added up: rounding is of that size."""

    scores: torch.Tensor
    size: float = 0.0


class Values(NamedTuple):
    """A projection, and which columns of what it gives are values."""

    module: torch.nn.Module
    columns: slice | torch.Tensor


class Layer(NamedTuple):
    """A block of the model, and where the values of its attention come from, to itself and to a source."""

    block: torch.nn.Module
    own: Values | None
    cross: Values | None


class NoReference(Exception):
    """There is no reference of this number on this model."""


@dataclass(frozen=True)
class Column:
    """A target, and what is read before it: ids of a source (or none) and of the text."""

    source: tuple[int, ...]
    text: tuple[int, ...]
    target: int  # a token, or a class

    @property
    def rows(self) -> tuple[int, ...]:
        return self.source + self.text

    def with_rows(self, rows: Sequence[int]) -> Column:
        """The same target after other ids."""
        n = len(self.source)
        return replace(self, source=tuple(rows[:n]), text=tuple(rows[n:]))


@dataclass(frozen=True)
class Plain:
    """A model to be run in transformers' own way. It is changed by that (some remember): give it one of its own.

    `blank`: the id that stands for nothing. `several`: whether classes are there or not, each by itself. `eager`: gives
    the same model told to compute attention so that its weights can be seen.
    """

    model: Any
    task: Task
    blank: int
    several: bool = False
    eager: Callable[[], Any] | None = None

    # ── one pass ─────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, column: Column, model: Any = None, **options: Any) -> Any:
        """transformers' output for a text, from ids and nothing else."""
        model = model or self.model
        if "use_cache" in inspect.signature(model.forward).parameters:  # with one, FSMT has no causal mask
            options["use_cache"] = False
        if self.task == "seq2seq":
            options["decoder_input_ids"] = torch.tensor([column.text])
            return model(input_ids=torch.tensor([column.source]), **options)
        return model(input_ids=torch.tensor([column.text]), **options)

    def logits(self, column: Column) -> torch.Tensor:
        """[vocabulary], or [classes]."""
        logits = self.run(column).logits[0]
        return logits if self.task == "classify" else logits[-1]

    def probability(self, column: Column) -> torch.Tensor:
        """Of the target; a number with a gradient, where one is kept."""
        logits = self.logits(column).double()
        return (logits.sigmoid() if self.several else logits.softmax(-1))[column.target]

    # ── gradients ────────────────────────────────────────────────────────────────────────────────────────────────

    def saliency(self, column: Column) -> Truth:
        """Length of the gradient of the probability at each embedding."""
        return Truth(self._gradient(column, self._embeddings(column)).norm(dim=-1))

    def input_x_gradient(self, column: Column) -> Truth:
        """Gradient times embedding, added up."""
        x = self._embeddings(column)
        return _added_up(self._gradient(column, x) * self._rows(column, x))

    def integrated_gradients(self, column: Column) -> Truth:
        """The mean gradient from a text of blanks on, by the rule of Gauss and Legendre with `STEPS` nodes."""
        x = self._embeddings(column)
        b = self._embeddings(column.with_rows([self.blank] * len(column.rows)))
        nodes, weights = np.polynomial.legendre.leggauss(STEPS)
        mean: torch.Tensor | float = 0.0
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            between = [start + node * (end - start) for start, end in zip(b, x, strict=True)]
            mean = mean + weight * self._gradient(column, between)
        return _added_up(mean * (self._rows(column, x) - self._rows(column, b)))

    def _embeddings(self, column: Column) -> list[torch.Tensor]:
        """Return what the embedding modules give in a pass, call by call."""
        given: list[torch.Tensor] = []

        def keep(_call: int, out: torch.Tensor) -> torch.Tensor:
            given.append(out.detach().clone())
            return out

        with torch.no_grad(), self._embedding_answers(keep):
            self.run(column)
        return given

    def _gradient(self, column: Column, points: Sequence[torch.Tensor]) -> torch.Tensor:
        """[n, d], of the probability, where the embedding modules give `points`."""
        leaves = [point.clone().requires_grad_() for point in points]
        with torch.enable_grad(), self._embedding_answers(lambda call, _: leaves[call].clone()):
            probability = self.probability(column)
            if not probability.requires_grad:
                raise NoReference("The model cuts the gradient off.")
            found = torch.autograd.grad(probability, leaves, materialize_grads=True)
        return self._rows(column, found)

    def _rows(self, column: Column, calls: Sequence[torch.Tensor]) -> torch.Tensor:
        """From a tensor a call to one of the rows of the text, [n, d]: families pad, or put a prompt before it."""
        asked: list[list[int]] = []
        with torch.no_grad(), self._embedding_answers(lambda _, out: out, asked):
            self.run(column)
        found = []
        for part in (column.source, column.text) if self.task == "seq2seq" else (column.text,):
            fits = [(call, at) for ids, call in zip(asked, calls, strict=True) for at in _places(part, ids)]
            if len(fits) != 1:
                raise NoReference(f"The embedding reads the text {len(fits)} times in a pass.")
            (call, at) = fits[0]
            found.append(call.reshape(-1, call.shape[-1])[at : at + len(part)])
        return torch.cat(found)

    @contextmanager
    def _embedding_answers(self, answer: Answer, asked: list[list[int]] | None = None) -> Iterator[None]:
        """Within it, the embedding modules give what `answer` says; `asked` hears of the ids of each call."""
        calls = 0

        def hook(_module: Any, args: Any, out: Any) -> Any:
            nonlocal calls
            calls += 1
            if asked is not None:
                asked.append(args[0].flatten().tolist())
            given = answer(calls - 1, _first(out))
            return (given, *out[1:]) if isinstance(out, tuple) else given  # I-BERT gives its scale, too

        with ExitStack() as stack:
            for module in {id(m): m for m in self._embedding_modules()}.values():
                stack.callback(module.register_forward_hook(hook).remove)
            yield

    def _embedding_modules(self) -> list[torch.nn.Module]:
        parts = [self.model.get_encoder(), self.model.get_decoder()] if self.task == "seq2seq" else [self.model]
        return [p.get_input_embeddings() if hasattr(p, "get_input_embeddings") else p.embed_tokens for p in parts]

    # ── other texts ──────────────────────────────────────────────────────────────────────────────────────────────

    def occlusion(self, column: Column) -> Truth:
        """Return how far the probability falls when the id of a row is the blank one."""
        rows = list(column.rows)
        others = [column.with_rows([*rows[:i], self.blank, *rows[i + 1 :]]) for i in range(len(rows))]
        with torch.no_grad():
            whole = self.probability(column)
            return Truth(torch.stack([whole - self.probability(other) for other in others]), float(whole))

    # ── attention ────────────────────────────────────────────────────────────────────────────────────────────────

    def attention(self, column: Column) -> Truth:
        """Mean over layers and heads of the weights where the target is predicted."""
        kinds = ("cross", "decoder") if self.task == "seq2seq" else ("self",)
        found = self._weights(column)
        looks = [torch.stack([layer.mean(dim=0) for layer in found[kind]]).mean(dim=0) for kind in kinds]
        if self.task == "classify":
            return Truth(looks[0][self._pooled(column)].mean(dim=0))
        return Truth(torch.cat([look[-1] for look in looks]))

    def attention_rollout(self, column: Column) -> Truth:
        """Half of each layer's attention and half of what was there, multiplied through the layers."""
        weights = {kind: [layer.mean(dim=0) for layer in layers] for kind, layers in self._weights(column).items()}
        self._check_all_attend(len(weights.get("self", ())))
        if self.task != "seq2seq":
            flow = torch.eye(len(column.text), dtype=torch.float64)
            for layer in weights["self"]:
                flow = (layer @ flow + flow) / 2
            return Truth(flow[self._pooled(column)].mean(dim=0) if self.task == "classify" else flow[-1])
        n, m = len(column.source), len(column.text)
        source = torch.eye(n, dtype=torch.float64)
        for layer in weights["encoder"]:
            source = (layer @ source + source) / 2
        source = torch.cat([source, source.new_zeros(n, m)], dim=1)
        text = torch.eye(n + m, dtype=torch.float64)[n:]
        for own, cross in zip(weights["decoder"], weights["cross"], strict=True):
            text = (own @ text + text) / 2
            text = (cross @ source + text) / 2
        return Truth(text[-1])

    def value_zeroing(self, column: Column) -> Truth:
        """Mean over layers of how far a layer's output turns when one row's value is zero in its attention."""
        n, far = len(column.source), torch.zeros(len(column.rows), dtype=torch.float64)
        at = self._pooled(column) if self.task == "classify" else [-1]
        layers = self._layers_with_values(column)
        self._check_all_attend(len(self._weights(column).get("self", ())))
        with torch.no_grad():
            for layer in layers:
                whole = self._output(column, layer)[at]
                for row in range(len(column.rows)):
                    value, place = (layer.cross, row) if row < n else (layer.own, row - n)
                    turned = self._output(column, layer, value, place)[at]
                    far[row] += (1 - torch.cosine_similarity(turned, whole, dim=-1)).mean() / len(layers)
        return Truth(far, 0.01)

    def _output(self, column: Column, layer: Layer, value: Values | None = None, row: int = 0) -> torch.Tensor:
        """[m, d] in float64: what a layer gives, where `value` of a row is zero."""
        given: list[torch.Tensor] = []

        def zero(_module: Any, _args: Any, out: torch.Tensor) -> torch.Tensor:
            assert value is not None
            out = out.clone()
            out[..., row, value.columns] = 0
            return out

        with ExitStack() as stack:
            if value is not None:
                stack.callback(value.module.register_forward_hook(zero).remove)
            keep = layer.block.register_forward_hook(lambda _m, _a, out: given.append(_first(out)))
            stack.callback(keep.remove)
            self.run(column)
        return given[0][0].double()

    def _layers_with_values(self, column: Column) -> list[Layer]:
        """The layers that a pass goes through. Raises: NoReference unless each is used once, with values."""
        root = self.model.get_decoder() if self.task == "seq2seq" else self.model
        called: list[Any] = []
        with ExitStack() as stack:
            for block in _blocks(root):
                stack.callback(block.register_forward_hook(lambda m, _a, out: called.append((m, _first(out)))).remove)
            with torch.no_grad():
                self.run(column)
        shape = (1, len(column.text))
        if len({id(block) for block, _ in called}) != len(called) or any(out.shape[:2] != shape for _, out in called):
            raise NoReference("A layer is used several times, or not on the whole text.")
        layers = [Layer(block, *_values_in(block, self.model.config.get_text_config())) for block, _ in called]
        if not layers or any(x.own is None or (self.task == "seq2seq" and x.cross is None) for x in layers):
            raise NoReference("The values of a layer come from no projection of their own.")
        return layers

    def _check_all_attend(self, have: int) -> None:
        """Raises: NoSuchMap where a model without a source has layers in which tokens reach each other otherwise."""
        layers = self.model.config.get_text_config(decoder=True).num_hidden_layers
        if self.task != "seq2seq" and have < layers:
            raise NoSuchMap(f"Only {have} of {layers} layers have attention, so this method does not say it all.")

    def _weights(self, column: Column) -> dict[str, list[torch.Tensor]]:
        """By kind, the weights [heads, queries, keys] of each layer that has some. Raises: NoReference."""
        n, m = len(column.source), len(column.text)
        names = {"self": ("attentions", m, m)}
        if self.task == "seq2seq":
            names = {
                "encoder": ("encoder_attentions", n, n),
                "cross": ("cross_attentions", m, n),
                "decoder": ("decoder_attentions", m, m),
            }
        if self.eager is None:
            raise NoReference("There is no model that shows its attention.")
        with torch.no_grad():
            out = self.run(column, self.eager(), output_attentions=True)
            own = self.run(column).logits
        if not torch.allclose(out.logits, own, rtol=0, atol=1e-3 * float(own.abs().max())):  # Falcon adds alibi twice
            raise NoReference("The pass that shows its attention reads the text otherwise than the model does.")
        return {kind: _checked(getattr(out, name, None), *shape) for kind, (name, *shape) in names.items()}

    def _pooled(self, column: Column) -> list[int]:
        """The rows of the last hidden states from which a classifier's head reads. Raises: NoReference."""
        heard: list[torch.Tensor] = []
        hook = self.model.base_model.register_forward_hook(lambda _m, _a, out: heard.append(out[0]))
        with torch.enable_grad(), ExitStack() as stack:
            stack.callback(hook.remove)
            out = self.run(column, output_hidden_states=True)
            for last in (*(getattr(out, "hidden_states", None) or ())[-1:], *heard):
                if last.requires_grad and last.shape[:2] == (1, len(column.text)):
                    (found,) = torch.autograd.grad(out.logits.sum(), last, retain_graph=True, allow_unused=True)
                    if found is not None:
                        return found[0].abs().sum(dim=-1).nonzero().flatten().tolist()
        raise NoReference("The model does not show from where its head reads.")


def _blocks(root: torch.nn.Module) -> list[torch.nn.Module]:
    """The members of the outermost lists of modules."""
    found: list[torch.nn.Module] = []
    for child in root.children():
        found += list(child) if isinstance(child, torch.nn.ModuleList) else _blocks(child)
    return found


def _values_in(block: torch.nn.Module, config: Any) -> tuple[Values | None, Values | None]:
    """The values of attention to itself, and of attention to a source; None unless one projection gives them."""
    found = {path: _values_of(path.rpartition(".")[2], part, config) for path, part in block.named_modules()}
    known = {path: values for path, values in found.items() if values is not None}
    cross = [values for path, values in known.items() if any(word in path for word in _CROSS)]
    own = [values for path, values in known.items() if not any(word in path for word in _CROSS)]
    return own[0] if len(own) == 1 else None, cross[0] if len(cross) == 1 else None


def _values_of(name: str, part: torch.nn.Module, config: Any) -> Values | None:
    """Return the columns of a projection that are values; None if it gives none, or nobody knows which."""
    if name in _VALUES:
        return Values(part, slice(None))
    if name not in _VALUES_LAST + _VALUES_BETWEEN + _VALUES_LATENT or config.model_type in _ORDERED_OTHERWISE:
        return None
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    n = part.nf if hasattr(part, "nf") else part.out_features  # GPT-2's projections are turned round
    if name in _VALUES_LAST:
        return Values(part, slice(n - (n - heads * width) // 2, n))
    of_heads = torch.arange(n).view(heads, -1)
    if name in _VALUES_LATENT:
        return Values(part, of_heads[:, config.qk_nope_head_dim :].flatten())
    return Values(part, of_heads[:, 2 * width :].flatten())


def _places(part: Sequence[int], ids: Sequence[int]) -> list[int]:
    """Return the places at which the part begins in the ids."""
    return [at for at in range(len(ids) - len(part) + 1) if ids[at : at + len(part)] == [*part]]


def _first(out: Any) -> torch.Tensor:
    return out[0] if isinstance(out, tuple) else out


def _added_up(products: torch.Tensor) -> Truth:
    """Over the hidden axis."""
    return Truth(products.sum(dim=-1), float(products.abs().sum(dim=-1).max()))


def _checked(layers: Any, queries: int, keys: int) -> list[torch.Tensor]:
    """The layers in float64, if each row of them is a distribution (or less) over all tokens."""
    found = [layer[0].double() for layer in layers or () if layer is not None]
    if not found:
        raise NoReference("The model hands no attention weights out.")
    for layer in found:
        if layer.dim() != 3 or layer.shape[1:] != (queries, keys):
            raise NoReference(f"The attention weights have the shape {[*layer.shape]}.")
        if layer.min() < 0 or layer.sum(dim=-1).max() > 1 + 1e-3:
            raise NoReference("What the model calls attention weights is no distribution.")
    return found
