"""Loading of a checkpoint (a folder, a .gguf file, a hub id) as transformers' model and tokenizer.

transformers fills missing weights with random numbers, so the loaded model is checked. Its errors are replaced by
errors with cause and cure.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from saliency_widget.errors import DamagedFile, DownloadFailed, InputError, OutOfMemory, SaliencyError

from ..classifier import ClassifierModel
from .folder import check_model
from .kinds import kind_of, loader_of, no_head_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Pair: TypeAlias = tuple[Any, Any]  # the transformers model and its tokenizer


class LoadOptions(NamedTuple):
    """Options for loading the base model of an adapter. The defaults follow the model's own config.

    `name`: the adapter, for messages. `architecture`: the class of its base model. `classes`: returns the number of
    classes of the adapter's head, given the base's config. `brings`: returns whether the adapter holds the weight of
    this name, so that the base may lack it. `tokenizer`: whether to load the base's. `revision`: that of a base on the
    hub.
    """

    name: str = ""
    architecture: str = ""
    classes: Callable[[Any], int | None] = lambda _config: None
    brings: Callable[[str], bool] = lambda _weight: False
    tokenizer: bool = True
    revision: str | None = None


DEFAULT_OPTIONS = LoadOptions()


def from_folder(folder: Path, dtype: Any, *, trust_remote_code: bool, options: LoadOptions = DEFAULT_OPTIONS) -> Pair:
    """Load a transformers folder without network access. Raises as `pretrained`; DamagedFile names the file."""
    check_model(folder, with_tokenizer=options.tokenizer)
    return pretrained(str(folder), dtype, local_files_only=True, trust_remote_code=trust_remote_code, options=options)


def pretrained(
    where: str, dtype: Any, *, local_files_only: bool, trust_remote_code: bool, options: LoadOptions = DEFAULT_OPTIONS
) -> Pair:
    """Load a folder or hub id with transformers, the smallest files first.

    Raises: InputError (a model of another kind, or unknown to this version of transformers), DamagedFile, OutOfMemory,
    DownloadFailed, ImportError (transformers' own, which names the package that the checkpoint needs).
    """
    import transformers
    from transformers import AutoConfig, AutoTokenizer

    kwargs = {
        "local_files_only": local_files_only, "trust_remote_code": trust_remote_code, "revision": options.revision
    }  # fmt: skip
    with explained(where, from_hub=not local_files_only):
        config = AutoConfig.from_pretrained(where, **kwargs)
        architecture = options.architecture or (getattr(config, "architectures", None) or [""])[0]
        kind = kind_of(config, architecture, options.name or where)
        loader = getattr(transformers, loader_of(kind, config, architecture, options.name or where))
        n_classes = options.classes(config) if kind is ClassifierModel else None
        other_head = n_classes not in (None, config.num_labels)
        if other_head:
            config.num_labels = n_classes
        tokenizer = AutoTokenizer.from_pretrained(where, **kwargs) if options.tokenizer else None
        # With peft installed, transformers also looks for an adapter on the hub: without a network for half a minute,
        # unless local_files_only is set.
        model, report = loader.from_pretrained(
            where,
            config=config,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=other_head,
            adapter_kwargs={"local_files_only": local_files_only},
            **kwargs,
        )
        _check_complete(model, report, where, options.brings, declared=architecture)
    return model, tokenizer


def from_gguf(path: Path, dtype: Any, progress: Callable[[int, int], None] | None = None) -> Pair:
    """Load a .gguf file with our own reader, or with transformers' if ours cannot. `progress`: see `gguf.read`."""
    from . import gguf

    try:
        checkpoint = gguf.read(path, progress)
        with explained(str(path)):
            tokenizer = gguf.tokenizer(checkpoint.metadata)
    except gguf.UnsupportedGguf:
        if find_spec("gguf") is None or find_spec("accelerate") is None:
            raise  # its cure names the two packages
        return from_other_gguf(path, dtype)
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    state = {name: torch.from_numpy(weight) for name, weight in checkpoint.state.items()}
    with explained(str(path)):
        model, report = LlamaForCausalLM.from_pretrained(
            None, config=LlamaConfig(**checkpoint.config), state_dict=state, dtype=dtype, output_loading_info=True
        )
        _check_complete(model, report, str(path))
    return model, tokenizer


def from_other_gguf(path: Path, dtype: Any) -> Pair:
    """Load a .gguf file that our reader does not support with transformers' loader."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kwargs = {"gguf_file": path.name, "local_files_only": True}
    with explained(str(path)):
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **kwargs)
        model = AutoModelForCausalLM.from_pretrained(path.parent, dtype=dtype, **kwargs)
    # The weights are plain tensors by now, so the model must not be treated as quantised.
    model.is_quantized, model.hf_quantizer = False, None
    model.config.__dict__.pop("quantization_config", None)
    return model, tokenizer


# ── between: what transformers raises ────────────────────────────────────────────────────────────────────────────


@contextmanager
def explained(where: str, *, from_hub: bool = False) -> Iterator[None]:
    """Enter a context in which transformers' errors are replaced by errors with cause and cure."""
    try:
        yield
    except (SaliencyError, ImportError):  # an ImportError of transformers' names the package and how to get it
        raise
    except Exception as error:
        raise _explanation(error, where, from_hub) from error


def _explanation(error: Exception, where: str, from_hub: bool) -> SaliencyError:
    said = str(error).strip()
    first = said.splitlines()[0][:300] if said else type(error).__name__
    if "trust_remote_code" in said:
        return InputError(
            f"{where} comes with its own Python code.", cure="If you trust its authors, pass trust_remote_code=True."
        )
    if "does not recognize this architecture" in said or "Unrecognized model" in said:
        return InputError(
            f"{where} has an architecture that this transformers does not know.", cure="Upgrade transformers."
        )
    if isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said:
        return OutOfMemory(f"{where} does not fit into memory.", cure='Try dtype="bfloat16".')
    if from_hub and (isinstance(error, OSError) or type(error).__module__.startswith("httpx")):
        return DownloadFailed(
            f"{where} could not be fetched from the hub: {first}",
            cure="Check the network and the free space on the disk, and ask again: what has arrived is kept.",
        )
    return DamagedFile(f"{where} cannot be loaded: {first}", cure="Save or download the model again.")


# ── after: is it whole? ───────────────────────────────────────────────────────────────────────────────────────────


def _check_complete(
    model: Any, report: Any, where: str, brings: Callable[[str], bool] = DEFAULT_OPTIONS.brings, *, declared: str = ""
) -> None:
    """Raise DamagedFile if a checkpoint lacks weights: transformers fills them with random numbers.

    `declared`: the class that it was saved from. If it is another class and only the head is missing, the checkpoint
    never had one, and the error is an InputError.
    """
    absent = {*report["missing_keys"], *(key for key, *_shapes in report["mismatched_keys"])}
    missing = sorted(key for key in absent if not brings(key))
    if not missing:
        return
    head_alone = not any(key.startswith(f"{model.base_model_prefix}.") for key in missing)
    if declared not in ("", type(model).__name__) and head_alone:
        raise no_head_error(where, declared)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    raise DamagedFile(
        f"The checkpoint {where} lacks weights: {missing[0]}{more}.",
        cure="Save or download it again, from the class that it was trained with.",
    )
