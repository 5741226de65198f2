"""The one table of methods: the card of each, and the function that computes its map."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import one_of
from ..errors import InputError, UnsupportedMethod
from ..models.inside.attention import why_no_attention, why_no_rollout
from ..models.inside.relevance import why_no_relevance
from ..models.inside.zeroing import why_no_zeroing
from . import attention, gradient, noise, perturbation, relevance, shapley
from .cards import LLM, OF_INSEQ, OURS, Card
from .engine import ONE_PASS
from .gradient import ProductSettings
from .inseq.bridge import (
    LayerSettings,
    SamplesSettings,
    StepsSettings,
    as_it_is,
    by_choice,
    by_inseq,
    mean_of_heads,
    norm,
)
from .inseq.methods import REFUSED, why_no_deeplift, why_no_inseq, why_no_layer, why_no_weights
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models.base import Model
    from .engine import Fill
    from .inseq.bridge import Pool

    Lacks = Callable[[Model], str | None]


@dataclass(frozen=True, slots=True)
class Method:
    """A card, and the way to compute its map.

    `settings`: the class of its settings. `lacks`: one sentence why the method cannot run on a model, or None. `spans`:
    whether it can explain several tokens at once. `early`: the number of columns that are worth a batch of their own
    while the text is still being written; 0: the map waits for the whole text. `joins`: from its settings to the
    function by which gradients become scores, if that is all there is to it: such maps of several texts may be computed
    in common passes.
    """

    card: Card
    run: Fill
    settings: type[Settings] = Settings
    lacks: Lacks = lambda _model: None
    spans: bool = True
    early: int = 0
    joins: Callable[[Any], gradient.Reduce] | None = None


def _bridged(
    name: str, pool: Pool, settings: type[Settings] = Settings, lacks: Lacks = why_no_inseq, *, adds_up: bool = False
) -> Method:
    card = OF_INSEQ[f"inseq:{name}"]
    return Method(card, partial(by_inseq, name, pool, adds_up=adds_up), settings, lacks, spans=name != "attention")


METHODS: dict[str, Method] = {
    method.card.id: method
    for method in (
        Method(OURS["saliency"], gradient.saliency, early=gradient.AT_ONCE, joins=gradient.norm_by),
        Method(
            OURS["attention"],
            attention.attention,
            attention.AttentionSettings,
            lacks=why_no_attention,
            spans=False,
            early=ONE_PASS,
        ),
        Method(OURS["occlusion"], perturbation.occlusion, perturbation.OcclusionSettings),
        Method(
            OURS["input_x_gradient"],
            gradient.input_x_gradient,
            gradient.ProductSettings,
            early=gradient.AT_ONCE,
            joins=gradient.product_by,
        ),
        Method(OURS["integrated_gradients"], gradient.integrated_gradients, gradient.PathSettings),
        Method(OURS["shapley"], shapley.shapley, shapley.ShapleySettings),
        Method(
            OURS["attnlrp"],
            relevance.attnlrp,
            relevance.RelevanceSettings,
            lacks=lambda model: why_no_relevance(model.model),
            early=gradient.AT_ONCE,
        ),
        Method(
            OURS["gim"],
            relevance.gim,
            relevance.InteractionSettings,
            lacks=lambda model: why_no_relevance(model.model),
            early=gradient.AT_ONCE,
        ),
        Method(
            OURS["attention_rollout"], attention.attention_rollout, lacks=why_no_rollout, spans=False, early=ONE_PASS
        ),
        Method(
            OURS["value_zeroing"], attention.value_zeroing, attention.ZeroingSettings, lacks=why_no_zeroing, spans=False
        ),
        Method(OURS["random"], noise.random, noise.RandomSettings),
    )
}
BRIDGED: dict[str, Method] = {
    method.card.id: method
    for method in (
        _bridged("saliency", norm),
        _bridged("input_x_gradient", by_choice, ProductSettings),
        _bridged("integrated_gradients", by_choice, StepsSettings, adds_up=True),
        _bridged("sequential_integrated_gradients", by_choice, StepsSettings),
        _bridged("gradient_shap", by_choice, SamplesSettings, adds_up=True),
        _bridged("deeplift", by_choice, ProductSettings, why_no_deeplift, adds_up=True),
        _bridged("layer_gradient_x_activation", by_choice, LayerSettings, why_no_layer),
        _bridged("occlusion", as_it_is),
        _bridged("attention", mean_of_heads, lacks=why_no_weights),
    )
}

LLM_REASON = 'It is said, not computed: ask for it with explain(model, text, kind="scores"), or in the Explain drawer.'


def method_of(card: Card) -> Method | None:
    """Return the method of a card; None for the LLM's map, which no method computes."""
    return METHODS.get(card.id) or BRIDGED.get(card.id)


def card_named(name: str) -> Card:
    """Return the card of a method, of an inseq method ("inseq:<name>") or of the LLM's map ("llm").

    Raises: UnknownName, with the nearest names; UnsupportedMethod for a method of inseq that gives wrong answers.
    """
    if isinstance(name, str) and name.startswith("inseq:"):
        if name in REFUSED:
            reason, instead = REFUSED[name]
            raise UnsupportedMethod(f"{name} is not offered: {reason}.", cure=f"Use {' or '.join(instead)}.")
        one_of("method", name, OF_INSEQ)
        return OF_INSEQ[name]
    if name == LLM.id:
        return LLM
    one_of("method", name, OURS)
    return OURS[name]


_OF_TOKENIZERS = ("truncation", "max_length", "padding", "max_tokens", "stride")


def settings_of(card: Card, given: Mapping[str, Any]) -> Settings:
    """Return the method's frozen settings. Raises: UnknownName for an unknown one, InputError for a tokenizer's."""
    method = method_of(card)
    kind = Settings if method is None else method.settings
    known = [field.name for field in dataclasses.fields(kind)]
    for name in given:
        if name in _OF_TOKENIZERS and name not in known:
            raise InputError(
                f"{name}= is a tokenizer's: a map is of the whole text, and nothing is cut off or added.",
                cure="Cut the text itself, or give input_ids=tokenizer(text, truncation=True, max_length=…).input_ids.",
            )
        one_of(f"setting of {card.id}", name, known)
    # NumPy's numbers as Python's: settings are compared, hashed and written down.
    return kind(**{k: v.item() if isinstance(v, np.generic) else v for k, v in given.items()})


def why_not(card: Card, model: Model) -> str | None:
    """Return the reason why a map cannot be computed on this model, as a sentence, or None."""
    method = method_of(card)
    return LLM_REASON if method is None else method.lacks(model)


def on(card: Card, model: Model) -> Card:
    """Return the card for a model: it also names what the method leaves out there, as far as the probe knows."""
    facts = model.facts_so_far
    if facts is None or not facts.reads_ids or card.family not in ("gradient", "relevance"):
        return card
    left_out = "On this model it leaves out what token ids do elsewhere than in the embedding: see occlusion."
    return dataclasses.replace(card, caveats=(*card.caveats, left_out))


def method_for(card: Card, model: Model, settings: Settings) -> Method:
    """Return the method that computes its map on this model.

    Raises: UnsupportedMethod naming the methods that can; InputError for settings that this model does not have.
    """
    method = method_of(card)
    reason = why_not(card, model)
    if method is None or reason is not None:
        able = [name for name, other in METHODS.items() if other.lacks(model) is None]
        raise UnsupportedMethod(f"{card.label} cannot run here: {reason}", cure=f"Use {' or '.join(able)}.")
    settings.check(model)
    return method
