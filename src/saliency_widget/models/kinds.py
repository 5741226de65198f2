"""Which of the three kinds of model something is."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import InputError
from .base import Model
from .causal import CausalModel
from .classifier import ClassifierModel
from .seq2seq import Seq2SeqModel


class Kind(NamedTuple):
    """The class that sees it, and the class of transformers that loads it."""

    sees: type[Model]
    loads: str


CAUSAL = Kind(CausalModel, "AutoModelForCausalLM")
SEQ2SEQ = Kind(Seq2SeqModel, "AutoModelForSeq2SeqLM")
CLASSIFIER = Kind(ClassifierModel, "AutoModelForSequenceClassification")

_OTHER_TASKS = (
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMultipleChoice",
    "ForMaskedLM",
    "ForPreTraining",
    "ForNextSentencePrediction",
    "ForTextToSpeech",
    "ForFeatureExtraction",
)


def kind_of(config: Any, architecture: str, name: str) -> Kind:
    """The kind of a model with this config and class. Raises: InputError for what cannot be explained."""
    two_parts = getattr(config, "is_encoder_decoder", False)
    if architecture.endswith(_OTHER_TASKS) or (two_parts and architecture.endswith("ForSequenceClassification")):
        raise InputError(
            f"{name} is a {architecture}, whose answers cannot be explained here.",
            cure="Take a model that writes text (GPT, Llama, Marian, T5 …) or a sequence classifier (BERT …); "
            '"demo" always works.',
        )
    if architecture.endswith("ForSequenceClassification"):
        return CLASSIFIER
    return SEQ2SEQ if two_parts and not architecture.endswith("ForCausalLM") else CAUSAL


def seen(model: Any, tokenizer: Any, name: str) -> Model:
    """A transformers model as one of ours. Raises: InputError for what cannot be explained."""
    if getattr(model, "main_input_name", "input_ids") != "input_ids":
        raise InputError(f"{name} reads no text but {model.main_input_name}.", cure="Take a model that reads text.")
    architecture = type(model).__name__
    kind = kind_of(getattr(model, "config", None), architecture, name)
    if architecture.endswith("Model") and model.get_output_embeddings() is None:
        raise InputError(
            f"{name} is a {architecture} without a head: it neither writes nor classifies.",
            cure="Load it with AutoModelForCausalLM, AutoModelForSeq2SeqLM or AutoModelForSequenceClassification.",
        )
    return kind.sees(model, tokenizer, name=name)
