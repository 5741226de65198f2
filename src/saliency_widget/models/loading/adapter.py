"""Adapters: folders with a few weights (LoRA and similar) that were trained on top of a base model.

`peft` implements them. Only this module imports it, and only if a folder holds an adapter.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from saliency_widget.errors import InputError

from .checkpoint import LoadOptions, explained
from .folder import ADAPTER_CONFIG, check_adapter, has_model, has_tokenizer, json_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import torch

_INSIDE = "base_model.model."  # peft's name for the base model, before the names of its weights
# The class for each of peft's tasks. For other tasks the base model's config decides.
_CLASSES = {
    "SEQ_CLS": "PeftModelForSequenceClassification",
    "TOKEN_CLS": "PeftModelForTokenClassification",
    "QUESTION_ANS": "PeftModelForQuestionAnswering",
    "FEATURE_EXTRACTION": "PeftModelForFeatureExtraction",
}
_REBASE = f"Write the path or id of its base model into base_model_name_or_path in its {ADAPTER_CONFIG}."


@dataclass(frozen=True)
class Adapter:
    """An adapter that was read, but not yet put over its base model."""

    folder: Path
    config: Any  # peft's PeftConfig
    weights: Mapping[str, torch.Tensor]  # by peft's names

    def options(self) -> LoadOptions:
        """Return the options for loading this adapter's base model."""
        known = getattr(self.config, "auto_mapping", None) or {}
        return LoadOptions(
            name=str(self.folder),
            architecture=_CLASSES.get(_choice_name(self.config.task_type)) or known.get("base_model_class") or "",
            classes=self._n_classes,
            brings=lambda weight: f"{_INSIDE}{weight}" in self.weights,
            tokenizer=not has_tokenizer(self.folder),
            revision=self.config.revision,
        )

    def tokenizer(self) -> Any | None:
        """Return the adapter's own tokenizer, or None if its folder holds none. Raises: DamagedFile."""
        from transformers import AutoTokenizer

        if not has_tokenizer(self.folder):
            return None
        with explained(str(self.folder)):
            return AutoTokenizer.from_pretrained(str(self.folder), local_files_only=True)

    def over(self, model: Any) -> Any:
        """Put the adapter's layers into `model`, and return it. Raises: InputError if they do not fit, OutOfMemory."""
        with explained(str(self.folder)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft uses names that transformers deprecates
            try:
                whole, report = self._put_over(model)
            except (RuntimeError, ValueError) as error:
                if "out of memory" in str(error) or "allocate memory" in str(error):
                    raise
                raise self._unfit(model, _first_line(error)) from error
        without_place = [key for key in report.unexpected_keys if not _is_copy(key)]
        if without_place:
            raise self._unfit(model, f"the model has no place for {_listed(without_place)}")
        lacking = _not_shared(whole, report.missing_keys)
        if lacking:
            raise self._unfit(model, f"the adapter has no weights for {_listed(lacking)}")
        # The layers are in the base model by now, which has the same outputs and its own class.
        return whole.get_base_model()

    def _put_over(self, model: Any) -> tuple[Any, Any]:
        """Return peft's model around `model`, and its report of unexpected and missing weights."""
        from peft import get_peft_model

        rows = self._n_rows(model)
        if rows is not None:
            model.resize_token_embeddings(rows, mean_resizing=False)  # the adapter holds all rows
        whole = get_peft_model(model, self.config)
        return whole, whole.load_adapter(str(self.folder), "default", torch_device="cpu")

    def _unfit(self, model: Any, why: str) -> InputError:
        base = self.config.base_model_name_or_path
        return InputError(
            f"The adapter {self.folder} does not fit {base} ({type(model).__name__}): {why}.",
            cure=f"It was trained over another model, or another version of it. {_REBASE}",
        )

    def _n_rows(self, model: Any) -> int | None:
        """Return the number of rows of the adapter's own embeddings; None if it is the model's or there are none."""
        embedding = model.get_input_embeddings()
        name = next(name for name, module in model.named_modules() if module is embedding)
        there, width = embedding.weight.shape
        ends = [f"{_INSIDE}{name}.{end}" for end in ("weight", "base_layer.weight")]
        sizes = {self.weights[end].shape for end in ends if end in self.weights}
        rows = {n for n, wide in sizes if wide == width}
        return rows.pop() if rows and rows != {there} else None

    def _n_classes(self, config: Any) -> int | None:
        """Return the number of classes of the adapter's own head, or None. peft does not save this number."""
        import copy

        import torch
        from transformers import AutoModelForSequenceClassification

        marked = copy.deepcopy(config)
        marked.num_labels = 9973  # a prime that marks the head: no other layer has that many rows
        with torch.device("meta"):
            probe = AutoModelForSequenceClassification.from_config(marked)
        heads = [f"{_INSIDE}{name}" for name, p in probe.named_parameters() if p.shape[0] == marked.num_labels]
        return next((len(self.weights[head]) for head in heads if head in self.weights), None)


def base_named(folder: Path) -> str:
    """Return the folder or hub id of an adapter's base model.

    Raises: InputError if none is named, or if the same folder holds a whole model; DamagedFile.
    """
    if has_model(folder):
        raise InputError(
            f"{folder} holds a whole model and an adapter, which may or may not be merged into the model already.",
            cure=f"If it is, delete {ADAPTER_CONFIG}; if not, move the adapter's files into a folder of their own.",
        )
    base = (json_object(folder / ADAPTER_CONFIG) or {}).get("base_model_name_or_path")
    if not isinstance(base, str) or not base.strip():
        raise InputError(f"The adapter {folder} does not name its base model.", cure=_REBASE)
    return base


def read_adapter(folder: Path) -> Adapter:
    """Read the adapter in a folder. Raises: InputError (no peft; an adapter that cannot be explained), DamagedFile."""
    if find_spec("peft") is None:
        raise InputError(
            f"{folder} holds an adapter, and the package peft, which loads adapters, is not installed.",
            cure='Install it: `pip install peft`, or this package with it: `pip install "saliency-widget[adapters]"`.',
        )
    check_adapter(folder)
    with explained(str(folder)), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about settings of a newer peft
        from peft import PeftConfig
        from peft.utils import load_peft_weights

        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        _check_kind(config, folder)
        return Adapter(folder, config, load_peft_weights(str(folder), device="cpu"))


def _check_kind(config: Any, folder: Path) -> None:
    if config.is_prompt_learning:
        raise InputError(
            f"{folder} is an adapter of the kind {_choice_name(config.peft_type)}: it puts virtual tokens before the "
            "text, and a map would have no rows for them.",
            cure="Take an adapter that changes layers (LoRA and its kin), or the base model alone.",
        )
    if getattr(config, "alora_invocation_tokens", None):
        raise InputError(
            f"{folder} is an adapter that acts only after certain tokens, which is not supported here.",
            cure="Take an adapter that acts on the whole text, or the base model alone.",
        )


def _choice_name(choice: Any) -> str:
    """Return the name of a choice of peft's, which is a text or a member of an enumeration."""
    return str(getattr(choice, "value", choice))


def _is_copy(key: str) -> bool:
    """Return whether a saved weight is a copy: peft saves an embedding that was extended and trained three times."""
    return ".modules_to_save." in key or ".original_module." in key


def _not_shared(model: Any, names: Iterable[str]) -> list[str]:
    """Return the names of weights that share no memory with other weights."""
    names = set(names)
    state = model.state_dict()
    others = {weight.data_ptr() for name, weight in state.items() if name not in names}
    return sorted(name for name in names if state[name].data_ptr() not in others)


def _listed(names: Iterable[str]) -> str:
    first, *more = sorted(name.removeprefix(_INSIDE) for name in names)
    return f"{first} and {len(more)} more" if more else first


def _first_line(error: Exception) -> str:
    """Return the first line of an error that does not end in a colon, as torch's first line does."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line for line in lines if not line.endswith(":")), lines[0])[:300].rstrip(".")
