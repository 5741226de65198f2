"""A tiny random model of any text architecture that transformers knows: the same weights every time, no download."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args
from zlib import crc32

import torch

from ..families import byte_tokenizer
from . import sizes

Task = Literal["causal", "seq2seq", "classify"]
TASKS: tuple[Task, ...] = get_args(Task)

_MAPPINGS: dict[Task, str] = {
    "causal": "MODEL_FOR_CAUSAL_LM_MAPPING",
    "seq2seq": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    "classify": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING",
}
_MOST_PARAMETERS = 30_000_000
_MOST_LAYERS = 4
_CLASSES = 3


class CannotBuild(Exception):
    """No tiny model of this architecture can be made here."""


class Architecture(NamedTuple):
    """One line of the sweep: a model type of one of transformers' mappings, as it is or in a variant of `sizes`."""

    task: Task
    model_type: str
    variant: str = ""

    @property
    def name(self) -> str:
        return f"{self.model_type} ({self.variant})" if self.variant else self.model_type


def architectures() -> list[Architecture]:
    """All of the installed transformers, by task and name."""
    from transformers.models.auto import modeling_auto

    found = []
    for task, mapping in _MAPPINGS.items():
        names = {*getattr(modeling_auto, f"{mapping}_NAMES")}
        found += [Architecture(task, name) for name in sorted(names)]
        found += [Architecture(task, *names) for names in sizes.VARIANTS.get(task, {})]
    return sorted(found, key=lambda a: (TASKS.index(a.task), a.model_type, a.variant))


def tokenizer() -> Any:
    """One token a byte. Padding has a low id: some families count positions from it on."""
    return byte_tokenizer(pad='"', mask="<|mask|>")


def build(architecture: Architecture, dtype: torch.dtype = torch.float64, attention: str | None = None) -> Any:
    """A tiny model in evaluation mode; `attention`: the implementation it is told to use. Raises: CannotBuild."""
    if architecture.model_type in sizes.NOT_ALONE:
        raise CannotBuild(sizes.NOT_ALONE[architecture.model_type])
    try:
        network = _network(architecture)
        config = _config_for(network, architecture)
        with torch.device("meta"):
            size = sum(p.numel() for p in network(config).parameters())
    except Exception as error:
        raise CannotBuild(f"{type(error).__name__}: {error}") from error
    if size > _MOST_PARAMETERS:
        raise CannotBuild(f"It has {size / 1e6:.0f} million parameters, however small its config.")
    torch.manual_seed(0)
    model = network._from_config(_config_for(network, architecture), attn_implementation=attention)
    _draw(model, sizes.SPREADS.get(architecture.model_type, sizes.SPREAD))
    return model.to(dtype).eval()


# ── the class and its config ─────────────────────────────────────────────────────────────────────────────────────


def _network(architecture: Architecture) -> Any:
    """The model class that the mapping names."""
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    mapping = getattr(modeling_auto, _MAPPINGS[architecture.task])
    found = mapping[CONFIG_MAPPING[architecture.model_type]]
    return found[0] if isinstance(found, tuple) else found


def _config_for(network: Any, architecture: Architecture) -> Any:
    """A small config of the class that `network` reads: of the whole model, or of the part of it that writes."""
    config = small_config(architecture)
    wanted = network.config_class
    if wanted is not None and not isinstance(config, wanted):
        parts = [part for part in _parts(config) if isinstance(part, wanted)]
        config = parts[0] if parts else config.get_text_config()
    writes = architecture.task == "causal" and architecture.model_type not in sizes.BOTH_WAYS
    if writes and hasattr(config, "is_decoder"):
        config.is_decoder = True
    return config


def small_config(architecture: Architecture) -> Any:
    """The family's own default config with every size made small."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    task, model_type, _ = architecture
    special = dict(sizes.FAMILIES.get(model_type, {}))
    variant = sizes.VARIANTS.get(task, {}).get(architecture[1:], {})
    layers = special.pop("_layers", None)
    base = CONFIG_MAPPING[model_type]
    small = shrunk(base().to_dict(), layers=layers)
    for facts in (special, sizes.OF_TASK.get(task, {}).get(model_type, {}), variant):
        _lay_over(small, facts)
    words = tokenizer()
    for part in (small, *(p for p in small.values() if isinstance(p, dict) and "model_type" in p)):
        part["pad_token_id"] = words.pad_token_id
    if task == "seq2seq" or small.get("is_encoder_decoder"):
        from_padding = model_type in sizes.STARTS_WITH_PADDING
        small["decoder_start_token_id"] = words.pad_token_id if from_padding else words.eos_token_id
    if task == "classify":
        small["num_labels"] = _CLASSES
    return base(**small)


def _parts(config: Any) -> Iterator[Any]:
    """The configs inside it."""
    for name in getattr(config, "sub_configs", {}):
        part = getattr(config, name, None)
        if part is not None:
            yield part


def _lay_over(small: dict[str, Any], facts: Mapping[str, Any]) -> None:
    """Facts in place of what is there; a dict goes into the dict that is there. None takes a field away."""
    for name, value in facts.items():
        if isinstance(value, Mapping) and isinstance(small.get(name), dict):
            _lay_over(small[name], value)
        elif value is None:
            small.pop(name, None)
        else:
            small[name] = value


# ── making it small ──────────────────────────────────────────────────────────────────────────────────────────────


def shrunk(full: Mapping[str, Any], *, layers: int | None = None, senses: bool = False) -> dict[str, Any]:
    """A config as a dict, each field by its name as small as `sizes` says.

    `layers`: how many; else as many as there are kinds of layers, two at least. `senses`: the part sees or hears.
    """
    had = next((full[name] for name in full if name in sizes.LAYERS and _is_number(full[name])), None)
    kinds = [len(set(value)) for value in full.values() if had and _is_per_layer(value, had)]
    layers = layers or min(_MOST_LAYERS, max([2, *kinds]))
    small: dict[str, Any] = {}
    for name, value in full.items():
        if name in sizes.LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            small[name] = _shrunk_part(name, value)
        elif had and had > layers and _is_per_layer(value, had):
            small[name] = _each_kind(value, layers)
        elif name.endswith(("_token_id", "_token_index", "token_ids")):
            if isinstance(value, int):
                small[name] = _id_beyond_the_tokenizer(name)
        else:
            small[name] = _small(name, value, full, layers, senses=senses)
    return small


def _shrunk_part(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    if "model_type" in part:
        senses = any(word in name for word in sizes.SENSE_NAMES)
        return {**shrunk(part, senses=senses), **({"model_type": part["model_type"]} if part["model_type"] else {})}
    return _shrunk_rope(part) if "rope" in name else dict(part)


def _shrunk_rope(rope: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of rotary positions, for heads of eight; nested where each kind of layer has its own."""
    small = {name: _shrunk_rope(value) if isinstance(value, Mapping) else value for name, value in rope.items()}
    return small | {name: value for name, value in sizes.ROPE.items() if name in small}


def _small(name: str, value: Any, full: Mapping[str, Any], layers: int, *, senses: bool) -> Any:
    if name == "head_dim":  # also where it is left to the width: some families do not work it out
        return sizes.SIZES["qk_rope_head_dim" if value == full.get("qk_rope_head_dim", 0) else name]
    if not _is_number(value):
        return value
    small = dict.fromkeys(sizes.LAYERS, layers) | dict.fromkeys(sizes.HEAD_COUNTS, sizes.HEADS) | sizes.SIZES
    if senses:
        small |= sizes.SENSES
    if name in sizes.KEY_HEAD_COUNTS:
        return _small_key_heads(value, full)
    if isinstance(value, float) and "drop" in name:
        return 0.0
    return small.get(name, value)


def _small_key_heads(value: int, full: Mapping[str, Any]) -> int:
    """One, or as many as there are heads, where the family has it so; else some heads share theirs."""
    heads = [full[name] for name in sizes.HEAD_COUNTS if name in full]
    if value in heads:
        return sizes.HEADS
    return min(value, sizes.KEY_HEADS)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_per_layer(value: Any, layers: int) -> bool:
    """Return whether it is a list with an entry for each layer."""
    return isinstance(value, list | tuple) and len(value) == layers and all(isinstance(x, str | int) for x in value)


def _each_kind(values: Sequence[Any], layers: int) -> list[Any]:
    """So many entries, each kind among them as far as they go."""
    kinds = list(dict.fromkeys(values))
    return (kinds + list(values))[:layers] if len(kinds) <= layers else list(values[:layers])


def _id_beyond_the_tokenizer(name: str) -> int:
    """An id of the vocabulary that no text has, the same for each name."""
    return sizes.VOCABULARY - 1 - crc32(name.encode()) % 40


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _draw(model: torch.nn.Module, spread: float) -> None:
    """Random matrices; norms, biases and other vectors near 1 or near 0, whichever they were; rates near 0."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if not parameter.is_floating_point():
            continue
        if name.rpartition(".")[2] in sizes.RATES:
            parameter.data.normal_(0, 0.1)
        elif parameter.dim() >= 2:
            parameter.data.normal_(0, spread)
        else:
            middle = 1.0 if parameter.data.mean() > 0.5 else 0.0
            parameter.data.normal_(middle, 0.1)
