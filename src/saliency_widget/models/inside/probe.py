"""A probe: short passes on shadows that show which of the engine's ways are right for a model. No family is named.

Each fact is looked for when it is first asked for, on a shadow of its own, and holds while the model's structure does.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import UnsupportedMethod
from ...types import Inputs
from ..hooks import logits_of
from . import shadow

if TYPE_CHECKING:
    import torch

    from ..base import Access, Model

_N = 16  # tokens of the text that is tried
_AT = (2, 7, 12)  # irregular: a head that mixes positions shows

# Errors by which the code of a model says that it cannot do what it was asked for.
_OF_A_MODEL = (
    AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError,
)  # fmt: skip

# How far logits may differ, as a share of the largest one: of passes of one shape, and of passes of several. Measured
# on some 300 families: right ways stay a magnitude below, wrong ones differ by 0.3 and more.
SAME = {"float64": 1e-5, "float32": 1e-5, "float16": 1e-3, "bfloat16": 1e-3}
OTHER = {"float64": 1e-6, "float32": 3e-5, "float16": 1e-2, "bfloat16": 1e-1}


@dataclass(eq=False)
class Facts:
    """What is known of one structure.

    `spans`: lengths (from, to) between which places are told in one way. `packed`: how far a row could
    reach back in a sequence of ends of changed texts that was right.
    """

    structure: int
    found: dict[str, Any] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)
    packed: int = 0

    def once(self, name: str, look: Callable[[], Any], check: Callable[[], None]) -> Any:
        """The fact of this name, looked for if it is not known; None is not kept: it could not be seen.

        `check` raises where the weights changed meanwhile: what was seen then is no fact.
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


# Of each user's model what is known. It goes when the model goes; nothing in it holds the model.
_known: weakref.WeakKeyDictionary[Any, Facts] = weakref.WeakKeyDictionary()


def facts_of(source: Any) -> Facts:
    """What is known of a bare model in the structure that it has now."""
    now = shadow.structure(source)
    facts = _known.get(source)
    if facts is None or facts.structure != now:
        facts = _known[source] = Facts(now)
    return facts


def recall(source: Any, before: Facts | None) -> Facts:
    """What is known of a bare model that was just loaded: what was found out when it was loaded `before`, if it was."""
    facts = facts_of(source)
    if before is not None:
        facts.found, facts.spans, facts.packed = before.found, before.spans, before.packed
    return facts


# ── the facts ────────────────────────────────────────────────────────────────────────────────────────────────────────
# Each takes a shadow, and runs others.


def writes_weights(model: Model) -> bool:
    """Whether a pass writes to the weights, as RWKV's does; nothing is written. Runs `model` itself, unlike the others.

    Then a shadow has weights of its own. Raises: UnsupportedMethod where the model does not read ids alone.
    """
    inputs = short_text(model)
    with shadow.guarded(model.model):
        try:
            plain(model, inputs)
        except shadow.WritesWeights:
            return True
        except _OF_A_MODEL as error:
            if "memory" in str(error):
                raise
            said = (str(error) or type(error).__name__).splitlines()[0][:200].rstrip(".")
            raise UnsupportedMethod(
                f"{type(model.model).__name__} cannot read a text of token ids alone: {said}.",
                cure="Explain a model that reads nothing but text, or the language model inside this one.",
            ) from error
    return False


def access(model: Model) -> Access:
    """The fastest way that, given embeddings, has the model's own logits at chosen positions.

    Raises: UnsupportedMethod where none has, and where the model answers otherwise each time.
    """
    found: Access = model.facts.once("access", lambda: _look_for_access(model), model.check_weights)
    return found


def _look_for_access(model: Model) -> Access:
    import torch

    inputs = short_text(model)
    fresh = model.fresh()
    at = torch.tensor(positions_of(inputs), device=model.device)
    expected = plain(fresh, inputs, at)
    name = type(model.model).__name__
    if not near(plain(fresh, inputs, at), expected, model, SAME) and not remembers(model):
        raise UnsupportedMethod(
            f"{name} gives other numbers each time it reads the same text, so no map of it would hold.",
            cure="Switch off what is random in it, if its config lets you.",
        )
    refusal: Exception | None = None
    for way in model.accesses:
        inside = model.fresh()
        try:
            with torch.no_grad():
                given = inside.direct(inputs, way)(inside.embed(inputs), at).logits[0]
        except (UnsupportedMethod, *_OF_A_MODEL) as error:
            refusal = error
            continue
        if near(given, expected, model, SAME) or not bool(expected.isfinite().any()):
            return way
    if isinstance(refusal, UnsupportedMethod):
        raise refusal
    raise UnsupportedMethod(
        f"{name} answers otherwise when its token embeddings are put in from outside, so what its tokens do cannot be "
        "told.",
        cure="Explain another model.",
    ) from refusal


def remembers(model: Model) -> bool:
    """Whether a pass leaves traces in the modules: then each pass has a shadow of its own."""

    def look() -> bool:
        fresh = model.fresh()
        before = shadow.structure(fresh.model)
        plain(fresh, short_text(model))
        return shadow.structure(fresh.model) != before

    return bool(model.facts.once("remembers", look, model.check_weights))


def is_causal(model: Model) -> bool:
    """Whether a changed later token leaves all earlier logits alone; False, which is safe, while weights are NaN."""
    return bool(model.facts.once("is_causal", lambda: _look_for_causality(model), model.check_weights))


def _look_for_causality(model: Model) -> bool | None:
    import torch

    inputs = short_text(model)
    inside = model.fresh()
    network, embeddings, n_source = inside.network(inputs), inside.embed(inputs), len(inputs.source)
    n = embeddings.shape[1]
    if n == n_source + 1:
        return True
    changed = embeddings.clone()
    changed[:, -1] = -2 * embeddings[:, -1] + embeddings[:, n_source]
    positions = torch.arange(n_source, n - 1, device=embeddings.device)
    with torch.no_grad():
        before, after = network(embeddings, positions).logits, network(changed, positions).logits
    if bool((before.isnan() | after.isnan()).any()):
        return None
    return near(after, before, model, OTHER, at_least=1e-4)


def batches(model: Model) -> bool:
    """Whether several texts in one pass give what each gives alone; Doge puts their rows together."""

    def look() -> bool:
        import torch

        inputs = short_text(model)
        inside = model.fresh()
        text = inside.embed(inputs)
        texts = torch.cat([text, text.flip(1), -text])
        at = torch.tensor(positions_of(inputs), device=model.device)
        with torch.no_grad():
            one = model.fresh().direct(inputs, access(model))
            alone = torch.cat([one(part[None], at).logits for part in texts])
            try:
                together = inside.direct(inputs, access(model))(texts, at).logits
            except (UnsupportedMethod, *_OF_A_MODEL):
                return False
        return near(together, alone, model, OTHER)

    return bool(model.facts.once("batches", look, model.check_weights))


def reads_ids(model: Model) -> bool:
    """Whether token ids matter beside their embeddings, as where every layer has a table of its own (Gemma 3n).

    Then a token is replaced by its id, and a gradient at the embeddings leaves out what the ids do elsewhere.
    """

    def look() -> bool:
        import torch

        inputs = short_text(model)
        inside = model.fresh()
        text = inside.embed(inputs)
        at = torch.tensor(positions_of(inputs), device=model.device)
        middle = tuple(reversed(inputs.ids[1:-1]))
        source = inputs.source[:1] + tuple(reversed(inputs.source[1:-1])) + inputs.source[1:][-1:]
        other = Inputs(source, (inputs.ids[0], *middle, inputs.ids[-1]))
        with torch.no_grad():
            same = model.fresh().network(inputs)(text, at).logits
            changed = inside.network(other)(text, at).logits
        return not near(changed, same, model, SAME)

    return bool(model.facts.once("reads_ids", look, model.check_weights))


def holds_between(model: Model, inputs: Inputs, first: int) -> bool:
    """Whether a pass over all of `inputs` gives at its `first` rows what a pass over these alone gives.

    Not so where places are told otherwise beyond some length (longrope, dynamic rope). Tried at the length itself; a
    length between two that hold together is not tried again. What a long text leaves behind is noticed, too.
    """
    import torch

    n = len(inputs.source) + len(inputs.ids)
    if n <= first or any(low <= first and n <= high for low, high in model.facts.spans):
        return True
    start = len(inputs.source)
    shorter = Inputs(inputs.source, inputs.ids[: first - start])
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
    found: torch.Tensor, expected: torch.Tensor, model: Model, tolerances: dict[str, float], *, at_least: float = 0.0
) -> bool:
    """Whether logits are the same but for what the model's numbers leave open. What both rule out does not count."""
    if found.shape != expected.shape:
        return False
    found, expected = found.double().cpu(), expected.double().cpu()
    counted = expected.isfinite() | found.isfinite()
    found, expected = found[counted], expected[counted]
    if not found.numel():
        return True
    tolerance = max(at_least, tolerances[precision(model)])
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max())


def precision(model: Model) -> str:
    """The coarsest of the types of floating-point numbers that the weights have, as people write it."""
    names = {str(p.dtype).removeprefix("torch.") for p in model.model.parameters()}
    return next((name for name in ("bfloat16", "float16", "float32") if name in names), "float64")


def rounds_steps(model: Model) -> bool:
    """Whether layers round what they are given to 8 bit, so that a small step moves nothing or too much."""
    import torch

    return any(p.dtype == torch.int8 for p in model.model.parameters())


def short_text(model: Model) -> Inputs:
    """A short text, with a source where the model reads one."""
    limit = model.n_positions or _N
    ids = model.some_ids(max(2, min(_N, limit)))
    return Inputs(ids[:4], ids) if model.has_source else Inputs((), ids)


def positions_of(inputs: Inputs) -> list[int]:
    """Irregular rows of such a text, in its second part."""
    n, start = len(inputs.ids), len(inputs.source)
    return sorted({start + min(at, n - 1) for at in _AT})


def plain(model: Model, inputs: Inputs, at: torch.Tensor | None = None) -> torch.Tensor:
    """Logits [k, vocabulary] of a plain call with ids, at rows `at` of source and text; the classes at each of them."""
    import torch

    with torch.no_grad():
        logits = logits_of(model.run(inputs))
    whole = logits[0]
    at = at if at is not None else torch.arange(1, device=logits.device)
    if whole.ndim == 1:
        return whole.expand(len(at), -1)
    return whole[(at - len(inputs.source) if len(inputs.source) else at).clamp_min(0).to(whole.device)]
