"""The one table of methods: how to fill the matrix, and the card that says how to read it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ..checks import one_of
from ..errors import InputError, UnsupportedMethod
from ..models.attention import why_no_attention, why_no_rollout
from ..models.relevance import why_no_relevance
from ..models.zeroing import why_no_zeroing
from ..types import NoSettings, Objective
from . import attention, gradient, noise, perturbation
from .objectives import OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..models.base import Model
    from .engine import Chunk, Fill, Problem, Schedule

Family = Literal["gradient", "attention", "perturbation", "relevance", "explanation", "baseline", "difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A row of the table.

    `unit` is what a score is called, as in "share of the {unit}"; `pool` how the scores of tokens make that of a word.
    `lacks`: why the method cannot run on a model, in one sentence, or None. `spans`: whether it can explain several
    tokens at once.
    """

    id: str
    label: str
    family: Family
    signed: bool
    uses_objective: bool
    unit: str
    pool: Literal["sum", "mean", "max"]
    cost: str
    reads: str
    caveats: tuple[str, ...]
    reference: str
    run: Fill
    settings: type[Any] = NoSettings
    lacks: Callable[[Model], str | None] = lambda _model: None
    spans: bool = True


METHODS: dict[str, Method] = {
    method.id: method
    for method in (
        Method(
            id="saliency",
            label="Gradient",
            family="gradient",
            signed=False,
            uses_objective=True,
            unit="gradient norm",
            pool="sum",
            cost="one backward pass per target",
            reads="How much the objective moves when this token's embedding moves a little, in whichever direction "
            "moves it most.",
            caveats=(
                "It has no sign: a token that speaks against the word scores as high as one that speaks for it.",
                "Nearly 0 everywhere when the model is almost certain; compare shares, or explain the logit instead.",
                "A small step is not a removed word: occlusion answers that.",
            ),
            reference="Simonyan et al. 2014, arXiv:1312.6034",
            run=gradient.saliency,
        ),
        Method(
            id="attention",
            label="Attention",
            family="attention",
            signed=False,
            uses_objective=False,
            unit="attention",
            pool="sum",
            cost="one forward pass for all targets",
            reads="How much the position that predicts the word looks at this token, averaged over all heads and "
            "layers unless one is chosen.",
            caveats=(
                "It does not know which word is asked about: only from where the model looked.",
                "The first token is often a resting place for attention that is not needed.",
                "Looking is not using: high weight proves no influence (Jain & Wallace 2019).",
            ),
            reference="Bahdanau et al. 2015, arXiv:1409.0473; Jain & Wallace 2019, arXiv:1902.10186",
            run=attention.attention,
            settings=attention.AttentionSettings,
            lacks=why_no_attention,
            spans=False,
        ),
        Method(
            id="occlusion",
            label="Occlusion",
            family="perturbation",
            signed=True,
            uses_objective=True,
            unit="drop",
            pool="sum",
            cost="one forward pass per input token, for all targets",
            reads="How far the objective falls when this token is replaced by an unknown one. Purple: the word needs "
            "it; orange: the word would be likelier without it.",
            caveats=(
                "A text with a hole is none the model was trained on.",
                "Where two tokens say the same, taking either away changes nothing.",
                "It depends on what stands in the hole.",
            ),
            reference="Zeiler & Fergus 2014, arXiv:1311.2901; Li et al. 2016, arXiv:1612.08220",
            run=perturbation.occlusion,
            settings=perturbation.OcclusionSettings,
        ),
        Method(
            id="input_x_gradient",
            label="Input × gradient",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="one backward pass per target",
            reads="What this token's embedding would have contributed if the model were linear: its gradient times "
            "itself. Purple speaks for the word, orange against it.",
            caveats=(
                "The model is not linear: where the gradient is flat, a token that mattered can score nothing.",
                "The zero embedding it compares with is no token of any language.",
            ),
            reference="Shrikumar et al. 2016, arXiv:1605.01713",
            run=gradient.input_x_gradient,
            settings=gradient.ProductSettings,
        ),
        Method(
            id="integrated_gradients",
            label="Integrated gradients",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="one backward pass per target and step (50 steps)",
            reads="The gradient added up while the text fades in from a baseline of unknown tokens. The scores sum to "
            "the change of the objective between the two.",
            caveats=(
                "It depends on the baseline: against another one the map is another.",
                "The texts on the way, half faded, are none the model was trained on.",
                "With too few steps the sum misses the change; the diagnostics say by how much.",
            ),
            reference="Sundararajan et al. 2017, arXiv:1703.01365",
            run=gradient.integrated_gradients,
            settings=gradient.PathSettings,
        ),
        Method(
            id="attnlrp",
            label="AttnLRP",
            family="relevance",
            signed=True,
            uses_objective=True,
            unit="relevance",
            pool="sum",
            cost="one backward pass per target",
            reads="The objective is handed back, layer by layer, to what made it, by rules for each kind of layer.",
            caveats=(
                "The sum is not the objective: the softmax rule keeps a part of it, by design.",
                "The rules are choices; other rules give other maps.",
                "Layer-wise relevance propagation is covered by patents, as its authors say of their own code (LXT).",
            ),
            reference="Achtibat et al. 2024, arXiv:2402.05602",
            run=gradient.attnlrp,
            settings=gradient.RelevanceSettings,
            lacks=lambda model: why_no_relevance(model.model),
        ),
        Method(
            id="attention_rollout",
            label="Attention rollout",
            family="attention",
            signed=False,
            uses_objective=False,
            unit="attention flow",
            pool="sum",
            cost="one forward pass for all targets",
            reads="How much of this token arrives where the word is predicted, if in every layer half of what a "
            "position has stays there, and half is handed over as attention says.",
            caveats=(
                "It does not know which word is asked about: only from where the model looked.",
                "What a layer computes besides is left out, and so is how large a value it passes on.",
                "The deeper the model, the more of it ends at the first token, and the more alike the maps are.",
            ),
            reference="Abnar & Zuidema 2020, arXiv:2005.00928",
            run=attention.attention_rollout,
            lacks=why_no_rollout,
            spans=False,
        ),
        Method(
            id="value_zeroing",
            label="Value zeroing",
            family="attention",
            signed=False,
            uses_objective=False,
            unit="change",
            pool="sum",
            cost="a column adds one text to a batched forward pass",
            reads="How far a layer's result, where the word is predicted, turns when this token gives it nothing; "
            "averaged over all layers unless one is chosen.",
            caveats=(
                "It does not know which word is asked about: only what moves where the model predicts it.",
                "Each layer is changed by itself: what a token did in earlier layers stays.",
                "A result that turns need not change the word.",
            ),
            reference="Mohebbi et al. 2023, arXiv:2301.12971",
            run=attention.value_zeroing,
            settings=attention.ZeroingSettings,
            lacks=why_no_zeroing,
            spans=False,
        ),
        Method(
            id="random",
            label="Random",
            family="baseline",
            signed=False,
            uses_objective=False,
            unit="noise",
            pool="mean",
            cost="one forward pass, for the probabilities alone",
            reads="Seeded noise. It explains nothing: it is the floor that every other map has to beat.",
            caveats=("If another map looks no better than this one, believe neither.",),
            reference="",
            run=noise.random,
            settings=noise.RandomSettings,
        ),
    )
}


def _not_computed(_problem: Problem, _schedule: Schedule) -> Iterator[Chunk]:
    raise UnsupportedMethod(_SAID, cure="Choose another method to have one computed.")


_SAID = 'It is said, not computed: ask for it with explain(model, text, kind="scores"), or in the Explain drawer.'

# Not among METHODS, since no engine fills it: it comes from an explanation, and is shown and compared like the others.
LLM = Method(
    id="llm",
    label="LLM says",
    family="explanation",
    signed=True,
    uses_objective=False,
    unit="importance said",
    pool="mean",
    cost="one answer of a language model",
    reads="How much each word speaks for positive (purple) or negative (orange), as a language model says when asked.",
    caveats=(
        "It is text like any other: nothing makes the numbers follow what was computed.",
        "It speaks of the whole answer: each column is the same.",
        "What has no colour was not scored.",
    ),
    reference="Huang et al. 2023, arXiv:2310.11207; Parcalabescu & Frank 2024, arXiv:2311.07466",
    run=_not_computed,
    lacks=lambda _model: _SAID,
    spans=False,
)


def method_named(name: str) -> Method:
    """A row of this table, what a language model says ("llm") or, as `inseq:<name>`, a row of the bridge's.

    Raises: UnknownName, with the nearest names; UnsupportedMethod for a method of inseq that gives wrong answers.
    """
    if isinstance(name, str) and name.startswith("inseq:"):
        from .inseq_methods import bridged  # its rows are of this module's class

        return bridged(name)
    if name == LLM.id:
        return LLM
    one_of("method", name, METHODS)
    return METHODS[name]


def card_of(name: str) -> Method | None:
    """The row of a method, also of a bridged one; None for one that came from elsewhere."""
    try:
        return method_named(name)
    except InputError:
        return None


def objective_named(name: str) -> Objective:
    """Raises: UnknownName, with the nearest names."""
    one_of("objective", name, OBJECTIVES)
    return cast("Objective", name)


_OF_TOKENIZERS = ("truncation", "max_length", "padding", "max_tokens", "stride")


def settings_of(method: Method, given: Mapping[str, Any]) -> Any:
    """The method's own frozen settings. Raises: UnknownName for a setting it does not have, InputError for a cut."""
    known = [field.name for field in dataclasses.fields(method.settings)]
    for name in given:
        if name in _OF_TOKENIZERS and name not in known:
            raise InputError(
                f"{name}= is a tokenizer's: a map is of the whole text, and nothing is cut off or added.",
                cure="Cut the text itself, or give input_ids=tokenizer(text, truncation=True, max_length=…).input_ids.",
            )
        one_of(f"setting of {method.id}", name, known)
    # NumPy's numbers as Python's: settings are compared, hashed and written down.
    return method.settings(**{k: v.item() if isinstance(v, np.generic) else v for k, v in given.items()})


def why_not(method: Method, model: Model) -> str | None:
    """Why the method cannot run on this model, in one sentence; None where it can."""
    return method.lacks(model)


def on(method: Method, model: Model) -> Method:
    """The row as it is read on a model, as far as the model is known: its card also says what it leaves out there."""
    facts = model._facts  # noqa: SLF001 (None of a model that was not run)
    if facts is None or not facts.reads_ids or method.family not in ("gradient", "relevance"):
        return method
    left_out = "On this model it leaves out what token ids do elsewhere than in the embedding: see occlusion."
    return dataclasses.replace(method, caveats=(*method.caveats, left_out))


def check_applies(method: Method, model: Model, settings: Any) -> None:
    """Raises: UnsupportedMethod naming the methods that can; InputError for a layer or head that does not exist."""
    reason = why_not(method, model)
    if reason is not None:
        able = [m.id for m in METHODS.values() if why_not(m, model) is None]
        raise UnsupportedMethod(f"{method.label} cannot run here: {reason}", cure=f"Use {' or '.join(able)}.")
    for name, count in (("layer", model.n_layers), ("head", model.n_heads)):
        index = getattr(settings, name, None)
        if index is not None and not (type(index) is int and 0 <= index < count):  # True is no index
            raise InputError(
                f"{name}={index!r} is out of range: {model.name} has {count} {name}s.",
                cure=f"Choose 0 … {count - 1}, or None for the mean.",
            )
