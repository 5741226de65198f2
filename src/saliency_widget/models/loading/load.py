"""`load_model`, which loads or wraps anything that a user calls a model.

A named model (a folder, a file, a hub id, "demo") is loaded, put on a device, and shared: while a reference to it
exists, loading it again returns the same object. A model given as an object is used unchanged.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from saliency_widget.errors import DamagedFile, InputError, ModelNotFound, OutOfMemory, UnknownName

from ..base import Model
from ..inside import probe
from ..inside.shadow import bare
from .adapter import base_named, read_adapter
from .checkpoint import DEFAULT_OPTIONS, LoadOptions, Pair, explained, from_folder, from_gguf, pretrained
from .folder import ADAPTER_CONFIG, has_adapter
from .kinds import model_of
from .translation import demo_translation_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from ..classifier import Applied
    from .demo import Progress

_BUILT_IN = ("demo", "demo-translation")  # names that need no hub

shared: WeakValueDictionary[tuple[Any, ...], Model] = WeakValueDictionary()
_known: dict[tuple[Any, ...], probe.Facts] = {}  # per checkpoint, so that it is probed once, however often it is loaded
turn = threading.Lock()  # transformers cannot load in two threads; and equal requests then load once


def load_model(
    source: Any,
    *,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Return the model that `source` names or is, ready to be explained.

    `source` is one of: "demo"; "demo-translation", a small Chinese-English translator; a folder or a .gguf file (which
    are tried before hub ids, and loaded without network access); a folder that holds an adapter, which is put over its
    base model; a hub id; `(model, tokenizer)`; a transformers pipeline; an inseq model; a Model.

    A loaded model is in evaluation mode, on `device` (by default the first that exists of cuda, mps and cpu) in `dtype`
    (by default float32 on a CPU, otherwise the checkpoint's). An object is not changed, so it allows neither option.
    `progress(what, done, total)` may raise to stop. Raises: ModelNotFound, DamagedFile, DownloadFailed, OutOfMemory,
    InputError (a model that neither writes nor classifies text; an invalid option).
    """
    if not isinstance(source, str | os.PathLike):
        if device is not None or dtype is not None:
            raise InputError(
                "A model that is given as an object is not changed, so device= and dtype= have no effect.",
                cure="Leave them out; move or convert the model beforehand with `model.to(...)`.",
            )
        return source if isinstance(source, Model) else _wrapped(source)

    target = _device(device)
    numbers = _dtype(dtype, target)
    place = _place(os.fspath(source))
    key = (*_identity(place), str(target), str(numbers), trust_remote_code)
    with _loading_turn(progress), _quiet(hub_too=progress is not None):
        if (there := shared.get(key)) is not None:
            return there
        name, (model, tokenizer) = _loaded(place, numbers, trust_remote_code=trust_remote_code, progress=progress)
        made = model_of(_placed(model, target, name), tokenizer, name)
        shared[key] = made
        _known[key] = probe.recall(bare(made.model), _known.get(key))
        return made


# ── what was named ───────────────────────────────────────────────────────────────────────────────────────────────


def _place(source: str) -> str | Path:
    """Return an existing file or folder as a Path, other names as text. Raises: ModelNotFound, InputError."""
    if source in _BUILT_IN:
        return source
    if not source.strip():
        raise ModelNotFound("The name of the model is empty.", cure='Name one; "demo" always works.')
    path = Path(source).expanduser()
    if path.exists():
        if path.is_file() and path.suffix.lower() != ".gguf":
            raise InputError(
                f"{path} is a file, and not a .gguf file.",
                cure=f"Name the folder it is in: {str(path.parent)!r}." if path.parent.name else "Name its folder.",
            )
        return path.resolve()
    is_path = (
        source.startswith((".", "/", "~"))
        or source.count("/") > 1
        or "\\" in source
        or source.lower().endswith(".gguf")
    )
    if is_path:
        raise ModelNotFound(
            f"There is no model at {str(path.absolute())!r}.",
            cure='Check the path; a hub id looks like "gpt2" or "org/name"; "demo" always works.',
        )
    written = re.sub(r"[\s_]+", "-", source.strip().lower())
    meant = get_close_matches(written, _BUILT_IN, n=1, cutoff=0.8)
    if meant and "/" not in source:
        raise ModelNotFound(f"There is no model {source!r}.", cure=f'Did you mean "{meant[0]}"?')
    return source


def _identity(place: str | Path) -> tuple[Any, ...]:
    """Return a key that is equal for the same model. It changes if files of a folder, or of an adapter's base, do."""
    if isinstance(place, str):
        return (place,)
    files = place.iterdir() if place.is_dir() else [place]
    own = (str(place), max((file.stat().st_mtime_ns for file in files if file.exists()), default=0))
    return (*own, *_identity(_base_of(place))) if has_adapter(place) else own


def _loaded(
    place: str | Path,
    dtype: Any,
    *,
    trust_remote_code: bool,
    progress: Progress | None,
    options: LoadOptions = DEFAULT_OPTIONS,
) -> tuple[str, Pair]:
    """Load a model. Return its name, and the model and its tokenizer."""

    def tell(what: str, done: int = 0, total: int | None = None) -> None:
        if progress:
            progress(what, done, total)

    if place == "demo":
        from .demo import NAME, demo_folder

        folder = demo_folder(progress)
        tell(f"Loading {NAME}")
        try:
            return NAME, from_folder(folder, dtype, trust_remote_code=False, options=options)
        except DamagedFile as error:
            raise DamagedFile(error.message, cure=f"Delete {folder} and load the model again.") from error
    if place == "demo-translation":
        tell(f"Loading {place}")
        return place, from_folder(demo_translation_folder(), dtype, trust_remote_code=False, options=options)
    if isinstance(place, str):
        tell(f"Asking the hub for {place}")
        is_adapter, local = _on_hub(place)
        tell(f"Loading {place}")
        if not is_adapter:
            return place, pretrained(
                place, dtype, local_files_only=local, trust_remote_code=trust_remote_code, options=options
            )
        name, folder = place, _fetched_adapter(place, local_files_only=local)
    else:
        tell(f"Loading {place.name}")
        if place.is_file():
            return place.stem, from_gguf(place, dtype, lambda done, total: tell(f"Loading {place.name}", done, total))
        if not has_adapter(place):
            return place.name, from_folder(place, dtype, trust_remote_code=trust_remote_code, options=options)
        name, folder = place.name, place
    return name, _adapted(folder, dtype, trust_remote_code=trust_remote_code, progress=progress)


def _on_hub(hub_id: str) -> tuple[bool, bool]:
    """Return whether the hub id is that of an adapter; and whether only the cache has it, because the hub is offline.

    There is one request (for an adapter, two) with a short timeout: otherwise a machine without a network would retry
    for 46 s.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        try:
            get_hf_file_metadata(hf_hub_url(hub_id, "config.json"), timeout=10)
        except EntryNotFoundError:
            get_hf_file_metadata(hf_hub_url(hub_id, ADAPTER_CONFIG), timeout=10)
            return True, False
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{hub_id!r} is a gated model on the hub.",
            cure='Ask for access on its page, then `hf auth login`; or use "demo".',
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFound(
            f"There is no model {hub_id!r}: not in this folder, and the hub shows none of that name.",
            cure='Check the spelling; a private or gated model needs `hf auth login`; "demo" needs neither.',
        ) from error
    except EntryNotFoundError as error:
        raise ModelNotFound(
            f"{hub_id!r} on the hub has no config.json, so transformers cannot load it.",
            cure="Look for the original model; a .gguf file can be loaded by its path once it is downloaded.",
        ) from error
    except Exception as error:  # of httpx or httpx2, by the version of huggingface_hub: no connection
        for file, is_adapter in (("config.json", False), (ADAPTER_CONFIG, True)):
            if isinstance(try_to_load_from_cache(hub_id, file), str):
                return is_adapter, True
        why = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ModelNotFound(
            f"{hub_id!r} is neither a folder here nor in the hub's cache, and the hub cannot be reached: {why}.",
            cure="Check the network, and that HF_HUB_OFFLINE is not set. Or name a model that needs no hub: a"
            ' folder on this machine, a .gguf file, or "demo".',
        ) from error
    return False, False


# ── an adapter and its base ──────────────────────────────────────────────────────────────────────────────────────


def _adapted(folder: Path, dtype: Any, *, trust_remote_code: bool, progress: Progress | None) -> Pair:
    """Load the base model of an adapter, and put the adapter in. Return it with the adapter's tokenizer, if any."""
    adapter = read_adapter(folder)
    base, how = _base_of(folder), adapter.options()
    with _named_by(folder):
        _, (model, tokenizer) = _loaded(
            base, dtype, trust_remote_code=trust_remote_code, progress=progress, options=how
        )
    return adapter.over(model), adapter.tokenizer() or tokenizer


def _base_of(folder: Path) -> str | Path:
    """Return the place of an adapter's base model, as `_place` does. Raises: ModelNotFound, InputError."""
    with _named_by(folder):
        base = _place(base_named(folder))
    if isinstance(base, Path) and has_adapter(base):
        raise InputError(
            f"The base model of the adapter {folder}, {base}, is an adapter itself.",
            cure="Merge that one into its base (peft: merge_and_unload, then save_pretrained), and name the result.",
        )
    return base


@contextmanager
def _named_by(folder: Path) -> Iterator[None]:
    """Enter a context in which ModelNotFound names the missing model as the base model of the adapter in `folder`."""
    try:
        yield
    except ModelNotFound as error:
        raise ModelNotFound(
            f"The adapter {folder} lacks its base model. {error.message}",
            cure=f"{error.cure} Its path or id is base_model_name_or_path in {ADAPTER_CONFIG}.",
        ) from error


def _fetched_adapter(hub_id: str, *, local_files_only: bool) -> Path:
    """Fetch an adapter with its tokenizer from the hub. Return its folder. Raises: DownloadFailed."""
    from huggingface_hub import snapshot_download

    names = ["adapter_*", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
    with explained(hub_id, from_hub=True):
        return Path(snapshot_download(hub_id, allow_patterns=names, local_files_only=local_files_only))


# ── what was handed over ─────────────────────────────────────────────────────────────────────────────────────────


def _wrapped(source: Any) -> Model:
    """Wrap an object as a `Model` without moving, converting or switching its mode."""
    model, reader = _unpacked(source)
    tokenizer = _tokenizer_in(reader)
    if not hasattr(model, "get_input_embeddings") or not hasattr(tokenizer, "decode"):
        raise InputError(
            f"({type(model).__name__}, {type(reader).__name__}) is not a transformers model and its tokenizer.",
            cure="Pass `(model, tokenizer)`, in this order.",
        )
    name = getattr(model, "name_or_path", "") or type(model).__name__
    name = Path(name).name if Path(name).is_absolute() else name
    return model_of(model, tokenizer, name, _applied_by(source))


def _applied_by(source: Any) -> Applied | None:
    """Return the function that a text classification pipeline applies to logits; None for any other object.

    If its user chose none, the pipeline decides as transformers does: it applies a sigmoid also to a single class.
    """
    if "TextClassificationPipeline" not in {cls.__name__ for cls in type(source).__mro__}:
        return None
    said = getattr(source, "_postprocess_params", {}).get("function_to_apply")
    if said is not None:
        chosen: Applied = said.value
        return chosen
    config = source.model.config
    return "sigmoid" if config.num_labels == 1 and config.problem_type != "regression" else None


def _tokenizer_in(reader: Any) -> Any:
    """Return the tokenizer in the processor of a multimodal model; any other object unchanged."""
    inside = getattr(reader, "tokenizer", None)
    return inside if hasattr(inside, "convert_ids_to_tokens") else reader


def _unpacked(source: Any) -> Pair:
    """Return the model and the tokenizer in a pair, a transformers pipeline or an inseq model."""
    if isinstance(source, tuple | list) and len(source) == 2:
        return source[0], source[1]
    # Recognise the classes by name, without importing their packages.
    homes = {tuple(cls.__module__.split(".")[:2]) for cls in type(source).__mro__}
    if homes & {("transformers", "pipelines"), ("inseq", "models")}:
        tokenizer = source.tokenizer
        return source.model, getattr(source, "processor", None) if tokenizer is None else tokenizer
    raise InputError(
        f"An object of type {type(source).__name__} is not a model that can be loaded.",
        cure='Pass "demo", a hub id, a folder, a .gguf file, `(model, tokenizer)`, a pipeline or an inseq model.',
    )


# ── where and in which numbers ───────────────────────────────────────────────────────────────────────────────────


def _device(asked: str | None) -> torch.device:
    """Return the requested device, or the best one if none is requested. Raises: UnknownName, InputError."""
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked is None:
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    usable = [name for name, works in there.items() if works]
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise UnknownName("device", str(asked), usable) from error
    if not there.get(device.type, True) or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise InputError(f"This machine has no device {asked!r}.", cure=f"Use {' or '.join(usable)}, or leave it out.")
    return device


def _dtype(asked: str | torch.dtype | None, device: torch.device) -> torch.dtype | str:
    """Return a torch.dtype, or "auto" for that of the checkpoint. Raises: UnknownName."""
    import torch

    if asked is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if isinstance(asked, torch.dtype) or asked == "auto":
        return asked
    found = getattr(torch, asked.removeprefix("torch."), None)
    if not isinstance(found, torch.dtype):
        raise UnknownName("dtype", asked, ["auto", "float32", "float64", "bfloat16", "float16"])
    return found


def _placed(model: Any, device: torch.device, name: str) -> Any:
    """Put the model on its device in evaluation mode, and return it. Raises: OutOfMemory."""
    import torch

    model.eval()
    if getattr(model, "is_quantized", False):  # its quantiser has placed it
        return model
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{name} does not fit into the memory of {device}.", cure='Try dtype="bfloat16" or device="cpu".'
        ) from error


# ── one at a time, and quietly ───────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _loading_turn(progress: Progress | None) -> Iterator[None]:
    """Wait until no other thread loads. `progress` is called meanwhile, so that waiting can be cancelled."""
    while not turn.acquire(timeout=0.2):
        if progress:
            progress("Waiting for another model to be loaded", 0, None)
    try:
        yield
    finally:
        turn.release()


@contextmanager
def _quiet(*, hub_too: bool) -> Iterator[None]:
    """Hide transformers' progress bars and warnings; with `hub_too` also the hub's download bars."""
    import warnings

    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    level, bars, hub_bars = logging.get_verbosity(), logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    settled = constants.HF_HUB_DISABLE_PROGRESS_BARS is not None  # set by the environment; changing it would only warn
    logging.set_verbosity_error()
    if bars and not settled:
        logging.disable_progress_bar()  # this also hides the hub's bars
        if hub_bars and not hub_too:
            enable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # Marian's warning
            yield
    finally:
        logging.set_verbosity(level)
        if bars and not settled:
            logging.enable_progress_bar()
            if not hub_bars:
                disable_progress_bars()
