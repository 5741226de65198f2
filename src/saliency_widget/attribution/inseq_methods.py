"""Methods of inseq 0.7.1 as rows of a table of their own, `inseq:<name>`: those that give right answers here.

The others are refused, each with its reason.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..errors import UnknownName, UnsupportedMethod
from ..models.classifier import ClassifierModel
from .gradient import ProductSettings
from .inseq_bridge import (
    LayerSettings,
    SamplesSettings,
    StepsSettings,
    as_it_is,
    by_choice,
    by_inseq,
    mean_of_heads,
    norm,
)
from .methods import METHODS, Method

if TYPE_CHECKING:
    from ..models.base import Model

# ── which model can do without what ──────────────────────────────────────────────────────────────────────────────────


def _why_not(model: Model) -> str | None:
    if isinstance(model, ClassifierModel):
        return f"inseq explains what a model writes, and {model.name} writes nothing."
    return None


def _why_no_attention(model: Model) -> str | None:
    if not model.n_heads:
        return f"{type(model.model).__name__} has no attention."
    return _why_not(model)


def _why_no_deeplift(model: Model) -> str | None:
    if model.model.config.model_type in _TIME_FIRST:
        return (
            f"it tells text and baseline apart along the first axis, which {type(model.model).__name__} gives to time."
        )
    return _why_not(model)


_TIME_FIRST = ("fsmt", "xlm-prophetnet", "prophetnet")


def _why_no_layer(model: Model) -> str | None:
    if model.has_source:
        return "inseq's layer methods read the encoder alone, and leave out what the decoder wrote."
    return _why_not(model)


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────

_SAME = "Ours of the same name is the same and faster; this one is here to compare with."

BRIDGED: dict[str, Method] = {
    method.id: method
    for method in (
        Method(
            id="inseq:saliency",
            label="Gradient (inseq)",
            family="gradient",
            signed=False,
            uses_objective=True,
            unit="gradient norm",
            pool="sum",
            cost="two forward passes and one backward pass per target",
            reads="How much the objective moves when this token's embedding moves a little: the L2 norm over the "
            "hidden axis, as inseq shows it.",
            caveats=(_SAME, "It has no sign, and is nearly 0 when the model is almost certain."),
            reference="Simonyan et al. 2014, arXiv:1312.6034",
            run=partial(by_inseq, "saliency", norm),
            lacks=_why_not,
        ),
        Method(
            id="inseq:input_x_gradient",
            label="Input × gradient (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="two forward passes and one backward pass per target",
            reads="What this token's embedding would have contributed if the model were linear; summed over the hidden "
            'axis, or as inseq shows it with reduction="l2".',
            caveats=(_SAME, "The model is not linear."),
            reference="Shrikumar et al. 2016, arXiv:1605.01713",
            run=partial(by_inseq, "input_x_gradient", by_choice),
            settings=ProductSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:integrated_gradients",
            label="Integrated gradients (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="50 backward passes per target (n_steps)",
            reads="The gradient added up while the text fades in from unknown tokens; the scores sum to the change of "
            "the objective between the two.",
            caveats=(
                _SAME,
                "End-of-text tokens, and what a decoder begins with, are their own baseline here: they score 0.",
                "With too few steps the sum misses the change; the diagnostics say by how much.",
            ),
            reference="Sundararajan et al. 2017, arXiv:1703.01365",
            run=partial(by_inseq, "integrated_gradients", by_choice, adds_up=True),
            settings=StepsSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:sequential_integrated_gradients",
            label="Sequential integrated gradients (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="50 backward passes per target and token (n_steps)",
            reads="For each token a path of its own: it fades in from the unknown token while all others stay. With "
            "enough steps its score is the drop of the objective when it alone becomes unknown.",
            caveats=(
                "Occlusion by the unknown token has the same sums, in one forward pass a token.",
                "The scores of all tokens together do not sum to anything.",
            ),
            reference="Enguehard 2023, arXiv:2305.15853",
            run=partial(by_inseq, "sequential_integrated_gradients", by_choice),
            settings=StepsSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:gradient_shap",
            label="GradientSHAP (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="5 backward passes per target (n_samples)",
            reads="The gradient at a few random points between unknown tokens and the text, times the way between: "
            "integrated gradients by drawing lots.",
            caveats=(
                "Another seed gives another map; with many samples all of them come to integrated gradients.",
                "The sum misses the change of the objective by chance; the diagnostics say by how much.",
                "While a column is computed, numpy's and torch's global random numbers are those of its seed.",
            ),
            reference="Lundberg & Lee 2017, arXiv:1705.07874; Erion et al. 2021, arXiv:1906.10670",
            run=partial(by_inseq, "gradient_shap", by_choice, adds_up=True),
            settings=SamplesSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:deeplift",
            label="DeepLIFT (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="one backward pass of two texts per target",
            reads="The gradient times the way from unknown tokens, with DeepLIFT's rule for differences where the "
            "model has a ReLU, ELU, tanh, sigmoid or softplus module.",
            caveats=(
                "It has no rule for SiLU, GELU, attention or layer norm.",
                "GPT-2, Llama and their like have nothing else: there it is gradient × (input - baseline), no more.",
                "So its sum misses the change of the objective, by what the diagnostics say; attnlrp has those rules.",
            ),
            reference="Shrikumar et al. 2017, arXiv:1704.02685",
            run=partial(by_inseq, "deeplift", by_choice, adds_up=True),
            settings=ProductSettings,
            lacks=_why_no_deeplift,
        ),
        Method(
            id="inseq:layer_gradient_x_activation",
            label="Layer gradient × activation (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="two forward passes and one backward pass per target",
            reads="What a layer's output at this token's place would have contributed if all after it were linear; the "
            "embedding's unless target_layer names another.",
            caveats=(
                "In higher layers a place holds more than its own token: it is no longer the token that is judged.",
                "At the embedding it is input × gradient.",
            ),
            reference="Kokhlikyan et al. 2020, arXiv:2009.07896",
            run=partial(by_inseq, "layer_gradient_x_activation", by_choice),
            settings=LayerSettings,
            lacks=_why_no_layer,
        ),
        Method(
            id="inseq:occlusion",
            label="Occlusion (inseq)",
            family="perturbation",
            signed=False,
            uses_objective=True,
            unit="change",
            pool="sum",
            cost="one forward pass per target and token",
            reads="How far the objective moves, up or down, when this token becomes the unknown token.",
            caveats=(
                _SAME,
                "inseq drops the sign: a token that speaks against the word scores as high as one that speaks for it.",
            ),
            reference="Zeiler & Fergus 2014, arXiv:1311.2901",
            run=partial(by_inseq, "occlusion", as_it_is),
            lacks=_why_not,
        ),
        Method(
            id="inseq:attention",
            label="Attention (inseq)",
            family="attention",
            signed=False,
            uses_objective=False,
            unit="attention",
            pool="sum",
            cost="one forward pass per target",
            reads="How much the position that predicts the word looks at this token, averaged over heads and layers.",
            caveats=(
                _SAME,
                "Of a translation model, source and text each sum to 1: by two kinds of attention.",
                "Looking is not using: high weight proves no influence (Jain & Wallace 2019).",
            ),
            reference="Bahdanau et al. 2015, arXiv:1409.0473; Jain & Wallace 2019, arXiv:1902.10186",
            run=partial(by_inseq, "attention", mean_of_heads),
            lacks=_why_no_attention,
            spans=False,
        ),
    )
}


class Refused(NamedTuple):
    """A method of inseq that is not offered: why, and what to use instead, first the nearest."""

    reason: str
    instead: tuple[str, ...]


REFUSED: dict[str, Refused] = {
    "inseq:discretized_integrated_gradients": Refused(
        "its scores miss the change of the objective however many steps it takes, at times with the wrong sign, and it "
        "takes another model's neighbours from its cache where two models have one name",
        ("integrated_gradients", "inseq:sequential_integrated_gradients"),
    ),
    "inseq:dummy": Refused("it computes nothing", ("random",)),
    "inseq:layer_deeplift": Refused(
        "it gives zeros, because inseq computes the layer's baseline from the text itself",
        ("attnlrp", "inseq:deeplift"),
    ),
    "inseq:layer_integrated_gradients": Refused(
        "it gives zeros, because inseq computes the layer's baseline from the text itself", ("integrated_gradients",)
    ),
    "inseq:lime": Refused(
        "it hides a token by filling its embedding with the number of the unknown token, such as 0, not with that "
        "token's embedding",
        ("occlusion", "inseq:sequential_integrated_gradients"),
    ),
    "inseq:reagent": Refused(
        "it ends in an error on every model that was tried, and reads the text through a tagger for English words",
        ("occlusion",),
    ),
    "inseq:value_zeroing": Refused(
        "it ends in an error on all architectures but T5 and Bloom", ("value_zeroing", "attention_rollout", "attention")
    ),
}


def bridged(name: str) -> Method:
    """The row of `inseq:<name>`. Raises: UnsupportedMethod for one that is refused; UnknownName."""
    if name in BRIDGED:
        return BRIDGED[name]
    if name not in REFUSED:
        raise UnknownName("method", name, BRIDGED)
    reason, instead = REFUSED[name]
    known = [other for other in instead if other in METHODS or other in BRIDGED]
    raise UnsupportedMethod(f"{name} is not offered: {reason}.", cure=f"Use {' or '.join(known)}.")
