"""From a checkpoint (a folder, a .gguf file, a hub id) to transformers' model and tokenizer, or to what is wrong.

transformers makes up weights that are missing. So what was loaded is checked after, and what is raised before is turned
into cause and cure.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from saliency_widget.errors import DamagedFile, DownloadFailed, InputError, OutOfMemory, SaliencyError

from ..classifier import ClassifierModel
from .folder import check_model
from .kinds import kind_of, loader_of, neither

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Pair: TypeAlias = tuple[Any, Any]  # the transformers model and its tokenizer


class Wish(NamedTuple):
    """How a model is to be loaded where an adapter comes over it. The default: as its own config says.

    `name`: the adapter, for messages. `architecture`: the class it was trained over. `classes`: from the base's config
    to the number of classes that the adapter's head has. `brings`: whether the adapter holds the weight of that name,
    so that the base may lack it. `tokenizer`: whether the base's is wanted. `revision`: of a base on the hub.
    """

    name: str = ""
    architecture: str = ""
    classes: Callable[[Any], int | None] = lambda _config: None
    brings: Callable[[str], bool] = lambda _weight: False
    tokenizer: bool = True
    revision: str | None = None


AS_IT_IS = Wish()


def from_folder(folder: Path, dtype: Any, *, trust_remote_code: bool, wish: Wish = AS_IT_IS) -> Pair:
    """A transformers folder, without one look at the network. Raises as `pretrained`; DamagedFile names the file."""
    check_model(folder, with_tokenizer=wish.tokenizer)
    return pretrained(str(folder), dtype, local_files_only=True, trust_remote_code=trust_remote_code, wish=wish)


def pretrained(
    where: str, dtype: Any, *, local_files_only: bool, trust_remote_code: bool, wish: Wish = AS_IT_IS
) -> Pair:
    """A folder or hub id, loaded by transformers, cheapest part first.

    Raises: InputError (a model of another kind, or not one that this transformers knows), DamagedFile, OutOfMemory,
    DownloadFailed, ImportError (transformers' own: it names the package that the checkpoint needs).
    """
    import transformers
    from transformers import AutoConfig, AutoTokenizer

    kwargs = {
        "local_files_only": local_files_only, "trust_remote_code": trust_remote_code, "revision": wish.revision
    }  # fmt: skip
    with explained(where, from_hub=not local_files_only):
        config = AutoConfig.from_pretrained(where, **kwargs)
        architecture = wish.architecture or (getattr(config, "architectures", None) or [""])[0]
        kind = kind_of(config, architecture, wish.name or where)
        loader = getattr(transformers, loader_of(kind, config, architecture, wish.name or where))
        n_classes = wish.classes(config) if kind is ClassifierModel else None
        other_head = n_classes not in (None, config.num_labels)
        if other_head:
            config.num_labels = n_classes
        tokenizer = AutoTokenizer.from_pretrained(where, **kwargs) if wish.tokenizer else None
        # Where peft is installed transformers looks for an adapter too: without a network for half a minute, unless
        # it is told to look here alone.
        model, report = loader.from_pretrained(
            where,
            config=config,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=other_head,
            adapter_kwargs={"local_files_only": local_files_only},
            **kwargs,
        )
        _check_complete(model, report, where, wish.brings, declared=architecture)
    return model, tokenizer


def from_gguf(path: Path, dtype: Any, progress: Callable[[int, int], None] | None = None) -> Pair:
    """A .gguf file, by our own reader where it can, by transformers' else. `progress` as in `gguf.read`."""
    from . import gguf

    try:
        checkpoint = gguf.read(path, progress)
        with explained(str(path)):
            tokenizer = gguf.tokenizer(checkpoint.metadata)
    except gguf.UnsupportedGguf:
        if find_spec("gguf") is None or find_spec("accelerate") is None:
            raise  # its cure names the two packages
        return _from_other_gguf(path, dtype)
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    state = {name: torch.from_numpy(weight) for name, weight in checkpoint.state.items()}
    with explained(str(path)):
        model, report = LlamaForCausalLM.from_pretrained(
            None, config=LlamaConfig(**checkpoint.config), state_dict=state, dtype=dtype, output_loading_info=True
        )
        _check_complete(model, report, str(path))
    return model, tokenizer


def _from_other_gguf(path: Path, dtype: Any) -> Pair:
    """What our reader does not know, by transformers' GGUF loader."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kwargs = {"gguf_file": path.name, "local_files_only": True}
    with explained(str(path)):
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **kwargs)
        model = AutoModelForCausalLM.from_pretrained(path.parent, dtype=dtype, **kwargs)
    # The weights are plain tensors by now; what follows from these marks would not be.
    model.is_quantized, model.hf_quantizer = False, None
    model.config.__dict__.pop("quantization_config", None)
    return model, tokenizer


# ── between: what transformers raises ────────────────────────────────────────────────────────────────────────────


@contextmanager
def explained(where: str, *, from_hub: bool = False) -> Iterator[None]:
    """Turn what transformers raises while it loads into cause and cure."""
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
    model: Any, report: Any, where: str, brings: Callable[[str], bool] = AS_IT_IS.brings, *, declared: str = ""
) -> None:
    """Weights that a checkpoint lacks are filled with random numbers by transformers. A map of those would be a lie.

    `declared`: the class it was saved from. If that is another one, and the head is all that is missing, nothing is
    damaged: there never was one.
    """
    absent = {*report["missing_keys"], *(key for key, *_shapes in report["mismatched_keys"])}
    missing = sorted(key for key in absent if not brings(key))
    if not missing:
        return
    head_alone = not any(key.startswith(f"{model.base_model_prefix}.") for key in missing)
    if declared not in ("", type(model).__name__) and head_alone:
        raise neither(where, declared)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    raise DamagedFile(
        f"The checkpoint {where} lacks weights: {missing[0]}{more}.",
        cure="Save or download it again, from the class that it was trained with.",
    )
