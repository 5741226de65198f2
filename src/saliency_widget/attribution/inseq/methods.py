"""The methods of inseq 0.7.1 that are offered (`methods.BRIDGED`), on which models; and those refused, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...models.classifier import ClassifierModel

if TYPE_CHECKING:
    from ...models.base import Model


def why_no_inseq(model: Model) -> str | None:
    """Return why no method of inseq can run on the model, or None."""
    if isinstance(model, ClassifierModel):
        return f"inseq explains what a model writes, and {model.name} writes nothing."
    return None


def why_no_weights(model: Model) -> str | None:
    """Return why inseq cannot show attention of the model, or None."""
    if not model.n_heads:
        return f"{type(model.model).__name__} has no attention."
    return why_no_inseq(model)


def why_no_deeplift(model: Model) -> str | None:
    """Return why DeepLIFT cannot run on the model, or None."""
    if model.model.config.model_type in _TIME_FIRST:
        return (
            f"it tells text and baseline apart along the first axis, which {type(model.model).__name__} gives to time."
        )
    return why_no_inseq(model)


_TIME_FIRST = ("fsmt", "xlm-prophetnet", "prophetnet")


def why_no_layer(model: Model) -> str | None:
    """Return why the methods that look at one layer cannot run on the model, or None."""
    if model.has_source:
        return "inseq's layer methods read the encoder alone, and leave out what the decoder wrote."
    return why_no_inseq(model)


class Refused(NamedTuple):
    """A method of inseq that is not offered: the reason, and the methods to use instead, the nearest first."""

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
