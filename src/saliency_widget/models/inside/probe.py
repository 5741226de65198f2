"""The probe: short passes on shadows that find out which of the engine's ways work for a model of any family.

Each fact is found when it is first needed, on a shadow of its own, and holds until the model's structure changes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from ...errors import UnsupportedMethod
from ...types import Inputs
from . import shadow
from .hooks import logits_of

if TYPE_CHECKING:
    import torch

    from .ways import Network, Way

SHORT = 16  # tokens of the text that is tried

# Errors by which the code of a model says that it cannot do what it was asked for.
MODEL_ERRORS = (
    AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError,
)  # fmt: skip

# How far logits may differ, as a share of the largest one: of passes of one shape, and of passes of several. Measured
# on some 300 families: right ways stay a magnitude below, wrong ones differ by 0.3 and more.
SAME = {"float64": 1e-5, "float32": 1e-5, "float16": 1e-3, "bfloat16": 1e-3}
OTHER = {"float64": 1e-6, "float32": 3e-5, "float16": 1e-2, "bfloat16": 1e-1}


@dataclass(eq=False)
class Facts:
    """The facts about a model of one structure.

    `first`: the weights' number and the logits of the first pass, which the next probe reuses. `spans`: lengths (from,
    to) between which positions are encoded alike. `packed`: the farthest reach back of a row in a sequence of changed
    ends that gave right logits. `masked`, `branched`: the rows of the longest masked text, and of the largest tree of
    texts, that gave right logits; see `removal`. `sliced`: the tokens of the longest text whose positions are encoded
    as a short text's, so that it may be read in slices; see `long_texts`.
    """

    structure: int
    found: dict[str, Any] = field(default_factory=dict)
    first: tuple[int, torch.Tensor] | None = None
    spans: list[tuple[int, int]] = field(default_factory=list)
    packed: int = 0
    masked: int = 0
    branched: int = 0
    sliced: int = 0

    @property
    def reads_ids(self) -> bool:
        """Return whether the facts say that token ids matter beside their embeddings."""
        return "read" in self.found and self.found["read"].reads_ids

    def once(self, name: str, look: Callable[[], Any], check: Callable[[], None]) -> Any:
        """Return the fact of this name, and find it if it is not known. None, an undecided probe, is not kept.

        `check` raises where the weights changed meanwhile: the result is then no fact.
        """
        if name not in self.found:
            try:
                value = look()
            finally:
                check()
            if value is None:
                return None
            self.found[name] = value
        return self.found[name]


class Probed(Protocol):
    """A shadow as the probe sees it; `models.base.Model` is one, and documents each member."""

    model: Any
    weights_fingerprint: int
    has_source: bool
    reads_classes: bool

    @property
    def facts(self) -> Facts:
        """Return the facts about the model."""

    @property
    def device(self) -> torch.device:
        """Return the device of the model."""

    @property
    def n_positions(self) -> int | None:
        """Return the number of tokens that it can read, where its config has it."""

    @property
    def takes_positions(self) -> bool:
        """Return whether a pass may be given the positions of its rows."""

    @property
    def ways(self) -> tuple[Way, ...]:
        """Return the ways to logits that its class offers, the fastest first."""

    def fresh(self) -> Self:
        """Return another shadow of the same model."""

    def check_weights(self) -> None:
        """Raise WeightsChanged."""

    def some_ids(self, n: int) -> tuple[int, ...]:
        """Return a text of n ordinary tokens."""

    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Return the input embeddings [1, n, d]."""

    def run(self, inputs: Inputs, **options: Any) -> Any:
        """Run one plain pass."""

    def direct(self, inputs: Inputs, way: Way) -> Network:
        """Compute logits from embeddings in this way."""

    def network(self, inputs: Inputs) -> Network:
        """Compute logits from embeddings in the way that the probe found right."""


# Of each user's model what is known. It goes when the model goes; nothing in it holds the model.
_known: weakref.WeakKeyDictionary[Any, Facts] = weakref.WeakKeyDictionary()


def facts_of(source: Any) -> Facts:
    """Return the facts about a bare model in its present structure."""
    now = shadow.structure(source)
    facts = _known.get(source)
    if facts is None or facts.structure != now:
        facts = _known[source] = Facts(now)
    return facts


def recall(source: Any, before: Facts | None) -> Facts:
    """Return the facts about a bare model that was just loaded, or those found when it was loaded `before`."""
    facts = facts_of(source)
    if before is not None:
        facts.found, facts.spans, facts.packed = before.found, before.spans, before.packed
        facts.masked, facts.branched, facts.sliced = before.masked, before.branched, before.sliced
    return facts


# ── the facts ────────────────────────────────────────────────────────────────────────────────────────────────────────
# Each takes a shadow, and runs others.


def writes_weights(model: Probed) -> bool:
    """Return whether a pass writes to the weights, as RWKV's does; it is stopped before.

    Runs `model` itself, unlike the others.

    Then a shadow has weights of its own. Raises: UnsupportedMethod if the model does not read ids alone.
    """

    def look() -> bool:
        before = shadow.structure(model.model)
        with shadow.guarded(model.model):
            try:
                logits = _plain_of_short_text(model)
            except shadow.WritesWeights:
                return True
            except MODEL_ERRORS as error:
                if "memory" in str(error):
                    raise
                said = (str(error) or type(error).__name__).splitlines()[0][:200].rstrip(".")
                raise UnsupportedMethod(
                    f"{type(model.model).__name__} cannot read a text of token ids alone: {said}.",
                    cure="Explain a model that reads nothing but text, or the language model inside this one.",
                ) from error
        model.facts.first = (model.weights_fingerprint, logits)
        model.facts.found["remembers"] = shadow.structure(model.model) != before
        return False

    return bool(model.facts.once("writes_weights", look, model.check_weights))


def remembers(model: Probed) -> bool:
    """Return whether a pass leaves traces in the modules: then each pass has a shadow of its own."""

    def look() -> bool:
        fresh = model.fresh()
        before = shadow.structure(fresh.model)
        _plain_of_short_text(fresh)
        return shadow.structure(fresh.model) != before

    return bool(model.facts.once("remembers", look, model.check_weights))


def way_of(model: Probed) -> Way:
    """Return the fastest way that, given embeddings, has the model's own logits at chosen positions.

    Raises: UnsupportedMethod if none has, and if the model answers differently each time.
    """
    return _read_of(model).way


def is_causal(model: Probed) -> bool:
    """Return whether a changed later token leaves all earlier logits unchanged.

    False, which is safe, while weights are NaN.
    """
    return _read_of(model).is_causal


def sees_back_alone(model: Probed) -> bool:
    """Return whether no token of a language model without a source sees what stands after it."""
    return not (model.has_source or model.reads_classes) and is_causal(model)


def batches(model: Probed) -> bool:
    """Return whether several texts in one pass have the same logits as each alone; Doge mixes their rows."""
    return _read_of(model).batches


def reads_ids(model: Probed) -> bool:
    """Return whether token ids matter beside their embeddings, as where every layer has a table of its own (Gemma 3n).

    Then a token is replaced by its id, and a gradient at the embeddings misses the ids' other effects.
    """
    return _read_of(model).reads_ids


class _Read(NamedTuple):
    """Facts about a model that reads embeddings from outside; four passes over one short text show all of them."""

    way: Way
    is_causal: bool = False
    batches: bool = False
    reads_ids: bool = False


def _read_of(model: Probed) -> _Read:
    """Return the facts of a model. They are not kept while its weights are NaN, which hide them."""
    known: _Read | None = model.facts.found.get("read")
    if known is not None:
        return known
    try:
        read, visible = _look(model)
    finally:
        model.check_weights()
    if visible:
        model.facts.found["read"] = read
    return read


def _look(model: Probed) -> tuple[_Read, bool]:
    """Return the facts of a model, and whether its weights let them be seen. Cost: four passes for most models."""
    import torch

    inputs = short_text(model)
    way, text = _look_for_way(model)
    at = torch.tensor(positions_of(inputs), device=model.device)
    anew = remembers(model)
    inside = model.fresh()

    def logits(texts: torch.Tensor, ids: Inputs = inputs) -> torch.Tensor:
        with torch.no_grad():
            return (model.fresh() if anew else inside).direct(ids, way)(texts, at).logits

    embeddings, start = inside.embed(inputs), len(inputs.source)
    n = embeddings.shape[1]
    later = start + max(1, (n - start) // 2)
    changed = embeddings.clone()
    changed[:, later:] = -2 * embeddings[:, later:].flip(1) + embeddings[:, start : start + 1]
    other = logits(changed)
    reads_ids = not near(logits(embeddings, _other_ids(inputs)), text, model, SAME)
    try:
        together = logits(torch.cat([embeddings, changed, -embeddings]))[:2]
    except (UnsupportedMethod, *MODEL_ERRORS):
        together = text[:0]
    batches = near(together, torch.cat([text, other]), model, OTHER)
    if not (anew or batches) and not near(logits(embeddings), text, model, SAME):
        model.check_weights()
        model.facts.found["remembers"] = True  # in a way that its structure does not show
        return _look(model)
    causal = near(other[:, at < later], text[:, at < later], model, OTHER, at_least=1e-4)
    visible = not bool((text.isnan() | other.isnan()).any())
    return _Read(way, causal and visible, batches, reads_ids), visible


def _look_for_way(model: Probed) -> tuple[Way, torch.Tensor]:
    """Return the way to logits, and the short text's logits in this way, [1, k, vocabulary]."""
    import torch

    inputs = short_text(model)
    at = torch.tensor(positions_of(inputs), device=model.device)
    weights, expected = model.facts.first or (None, None)
    model.facts.first = None
    if expected is None or weights != model.weights_fingerprint:
        expected = _plain_of_short_text(model.fresh())
    refusal: Exception | None = None
    for way in model.ways:
        inside = model.fresh()
        try:
            with torch.no_grad():
                given = inside.direct(inputs, way)(inside.embed(inputs), at).logits
        except (UnsupportedMethod, *MODEL_ERRORS) as error:
            refusal = error
            continue
        if near(given[0], expected, model, SAME) or not bool(expected.isfinite().any()):
            return way, given
    name = type(model.model).__name__
    fresh = model.fresh()
    _plain_of_short_text(fresh)
    if not near(_plain_of_short_text(fresh), expected, model, SAME) and not remembers(model):
        raise UnsupportedMethod(
            f"{name} gives different numbers each time it reads the same text, so no map of it would be valid.",
            cure="Switch off what is random in it, if its config lets you.",
        )
    if isinstance(refusal, UnsupportedMethod):
        raise refusal
    raise UnsupportedMethod(
        f"{name} gives different outputs if its token embeddings are passed in, so its tokens cannot be explained.",
        cure="Explain another model.",
    ) from refusal


def _other_ids(inputs: Inputs) -> Inputs:
    """Return the same text with the ids between its ends reversed."""
    source = inputs.source[:1] + tuple(reversed(inputs.source[1:-1])) + inputs.source[1:][-1:]
    return Inputs(source, (inputs.ids[0], *reversed(inputs.ids[1:-1]), inputs.ids[-1]))


def holds_between(model: Probed, inputs: Inputs, first: int) -> bool:
    """Return whether a pass over all of `inputs` has the same logits at its `first` rows as a pass over these alone.

    It does not where positions are encoded otherwise beyond some length (longrope, dynamic rope). A length between two
    that hold is not tried again. The pass also shows traces that a long text leaves behind.
    """
    import torch

    n = len(inputs.source) + len(inputs.ids)
    if n <= first or any(low <= first and n <= high for low, high in model.facts.spans):
        return True
    shorter = inputs.at(range(first))
    at = torch.tensor([first - 1], device=model.device)
    with torch.no_grad():
        inside, alone = model.fresh(), model.fresh()
        before = shadow.structure(inside.model)
        whole = inside.network(inputs)(inside.embed(inputs), at).logits
        if shadow.structure(inside.model) != before:
            model.facts.found["remembers"] = True
        own = alone.network(shorter)(alone.embed(shorter), at).logits
    model.check_weights()
    if not near(whole, own, model, OTHER) and bool(own.isfinite().all()):
        return False
    low, high = first, n
    for span in [s for s in model.facts.spans if s[0] <= high and low <= s[1]]:
        model.facts.spans.remove(span)
        low, high = min(low, span[0]), max(high, span[1])
    model.facts.spans.append((low, high))
    return True


# ── how they are looked for ──────────────────────────────────────────────────────────────────────────────────────────


def near(
    found: torch.Tensor, expected: torch.Tensor, model: Probed, tolerances: dict[str, float], *, at_least: float = 0.0
) -> bool:
    """Return whether logits agree within the model's precision. Tokens that both rule out do not count."""
    if found.shape != expected.shape:
        return False
    found, expected = found.double().cpu(), expected.double().cpu()
    counted = expected.isfinite() | found.isfinite()
    found, expected = found[counted], expected[counted]
    if not found.numel():
        return True
    tolerance = max(at_least, tolerances[precision(model)])
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max())


def precision(model: Probed) -> str:
    """Return the coarsest of the types of floating-point numbers that the weights have, as people write it."""
    names = {str(p.dtype).removeprefix("torch.") for p in model.model.parameters()}
    return next((name for name in ("bfloat16", "float16", "float32") if name in names), "float64")


def rounds_steps(model: Probed) -> bool:
    """Return whether layers round their input to 8 bit, so that a small step has no effect or too large a one."""
    import torch

    return any(p.dtype == torch.int8 for p in model.model.parameters())


def short_text(model: Probed) -> Inputs:
    """Return a short text, with a source where the model reads one."""
    limit = model.n_positions or SHORT
    ids = model.some_ids(max(2, min(SHORT, limit)))
    return Inputs(ids[:4], ids) if model.has_source else Inputs((), ids)


def positions_of(inputs: Inputs) -> list[int]:
    """Return irregular rows in the second part of a short text, which reveal a head that mixes positions."""
    n, start = len(inputs.ids), len(inputs.source)
    return sorted({start + at for at in (0, 2, n // 2 - 1, n - 4, n - 1) if 0 <= at < n})


def _plain_of_short_text(model: Probed) -> torch.Tensor:
    """Return the logits [k, vocabulary] of a plain call with ids at the probed positions; a classifier's at each."""
    import torch

    inputs = short_text(model)
    with torch.no_grad():
        whole = logits_of(model.run(inputs))[0]
    at = torch.tensor(positions_of(inputs), device=whole.device)
    if whole.ndim == 1:
        return whole.expand(len(at), -1)
    return whole[at - len(inputs.source)]
