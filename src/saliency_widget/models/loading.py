"""`load_model`: from whatever a user calls a model to one of ours.

What was named (a folder, a file, a hub id, "demo") is loaded here, put on a device, and shared: whoever asks for it
again while somebody holds it gets the same one. What was handed over as an object is taken as it is.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from saliency_widget.errors import DamagedFile, InputError, ModelNotFound, OutOfMemory, UnknownName

from .base import Model
from .checkpoint import Pair, from_folder, from_gguf, pretrained
from .kinds import seen
from .translation import demo_translation_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from .demo import Progress

_BUILT_IN = ("demo", "demo-translation")  # names that need no hub

_shared: WeakValueDictionary[tuple[Any, ...], Model] = WeakValueDictionary()
_turn = threading.Lock()  # transformers' loading is not reentrant; and equal requests, one after another, load once


def load_model(
    source: Any,
    *,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
) -> Model:
    """The model that `source` means, ready to be explained.

    `source` is one of: "demo"; "demo-translation", a small Chinese-English translator; a folder or a .gguf file (looked
    up before anything else, and loaded without one look at the network); a hub id; `(model, tokenizer)`; a transformers
    pipeline; an inseq model; a Model.

    A model that is loaded here is in evaluation mode, on `device` (cuda, else mps, else cpu) in `dtype` (float32 on a
    CPU, else what the checkpoint says). An object stays where and as it is, so `device` and `dtype` are refused.
    `progress(what, done, total)` may raise to stop. Raises: ModelNotFound, DamagedFile, DownloadFailed, OutOfMemory,
    InputError (a model that neither writes text nor classifies it; an option that cannot be).
    """
    if not isinstance(source, str | os.PathLike):
        if device is not None or dtype is not None:
            raise InputError(
                "A model that is handed over is taken as it is: device= and dtype= have no say.",
                cure="Leave them out; move or convert the model beforehand with `model.to(...)`.",
            )
        return source if isinstance(source, Model) else _wrapped(source)

    target = _device(device)
    numbers = _dtype(dtype, target)
    place = _place(os.fspath(source))
    key = (*_identity(place), str(target), str(numbers), trust_remote_code)
    with _my_turn(progress), _quiet(hub_too=progress is not None):
        if (there := _shared.get(key)) is not None:
            return there
        name, (model, tokenizer) = _loaded(place, numbers, trust_remote_code=trust_remote_code, progress=progress)
        made = seen(_placed(model, target, name), tokenizer, name)
        _shared[key] = made
        return made


# ── what was named ───────────────────────────────────────────────────────────────────────────────────────────────


def _place(source: str) -> str | Path:
    """What is on this machine as a Path; built-in names and hub ids as they are. Raises ModelNotFound, InputError."""
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
    return source


def _identity(place: str | Path) -> tuple[Any, ...]:
    """Equal for the same model. A folder whose files were written anew is another one."""
    if isinstance(place, str):
        return (place,)
    files = place.iterdir() if place.is_dir() else [place]
    return (str(place), max((file.stat().st_mtime_ns for file in files if file.exists()), default=0))


def _loaded(place: str | Path, dtype: Any, *, trust_remote_code: bool, progress: Progress | None) -> tuple[str, Pair]:
    """A name to show, the model, and its tokenizer."""

    def tell(what: str, done: int = 0, total: int | None = None) -> None:
        if progress:
            progress(what, done, total)

    if place == "demo":
        from .demo import NAME, demo_folder

        folder = demo_folder(progress)
        tell(f"Loading {NAME}")
        try:
            return NAME, from_folder(folder, dtype, trust_remote_code=False)
        except DamagedFile as error:
            raise DamagedFile(error.message, cure=f"Delete {folder} and ask again: it is made anew.") from error
    if place == "demo-translation":
        tell(f"Loading {place}")
        return place, from_folder(demo_translation_folder(), dtype, trust_remote_code=False)
    if isinstance(place, str):
        tell(f"Asking the hub for {place}")
        local = _only_local(place)
        tell(f"Loading {place}")
        return place, pretrained(place, dtype, local_files_only=local, trust_remote_code=trust_remote_code)
    tell(f"Loading {place.name}")
    if place.is_dir():
        return place.name, from_folder(place, dtype, trust_remote_code=trust_remote_code)
    return place.stem, from_gguf(place, dtype, lambda done, total: tell(f"Loading {place.name}", done, total))


def _only_local(hub_id: str) -> bool:
    """Ask the hub once, briefly, whether it has the model; True when it cannot be asked but the cache has it.

    Without this, a machine with no network waits through 46 s of retries before it hears that there is none.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(hub_id, "config.json"), timeout=10)
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{hub_id!r} is on the hub, but its owners let in only whom they know.",
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
    except Exception as error:  # huggingface_hub 1 speaks httpx, 2 httpx2: whatever is left means out of reach
        if isinstance(try_to_load_from_cache(hub_id, "config.json"), str):
            return True
        why = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ModelNotFound(
            f"{hub_id!r} is neither a folder here nor in the hub's cache, and the hub cannot be reached: {why}.",
            cure="Check the network, and that HF_HUB_OFFLINE is not set. Or name a model that needs no hub: a"
            ' folder on this machine, a .gguf file, or "demo".',
        ) from error
    return False


# ── what was handed over ─────────────────────────────────────────────────────────────────────────────────────────


def _wrapped(source: Any) -> Model:
    """An object as it is: not moved, not converted, not put into another mode."""
    model, tokenizer = _unpacked(source)
    if not hasattr(model, "get_input_embeddings") or not hasattr(tokenizer, "decode"):
        raise InputError(
            f"({type(model).__name__}, {type(tokenizer).__name__}) is not a transformers model and its tokenizer.",
            cure="Pass `(model, tokenizer)`, in this order.",
        )
    name = getattr(model, "name_or_path", "") or type(model).__name__
    name = Path(name).name if Path(name).is_absolute() else name
    return seen(model, tokenizer, name)


def _unpacked(source: Any) -> Pair:
    """The model and the tokenizer in a pair, a transformers pipeline or an inseq model."""
    if isinstance(source, tuple | list) and len(source) == 2:
        return source[0], source[1]
    # By name: neither package has to be imported to be recognised.
    homes = {tuple(cls.__module__.split(".")[:2]) for cls in type(source).__mro__}
    if homes & {("transformers", "pipelines"), ("inseq", "models")}:
        return source.model, source.tokenizer
    raise InputError(
        f"An object of type {type(source).__name__} is not a model that can be loaded.",
        cure='Pass "demo", a hub id, a folder, a .gguf file, `(model, tokenizer)`, a pipeline or an inseq model.',
    )


# ── where and in which numbers ───────────────────────────────────────────────────────────────────────────────────


def _device(asked: str | None) -> torch.device:
    """The device that was asked for, if it is there; else the best there is."""
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
    """A torch.dtype, or "auto": what the checkpoint says."""
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
    """The model in evaluation mode on its device."""
    import torch

    model.eval()
    if getattr(model, "is_quantized", False):  # its quantiser has put it where it has to be
        return model
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{name} does not fit into the memory of {device}.", cure='Try dtype="bfloat16" or device="cpu".'
        ) from error


# ── one at a time, and quietly ───────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _my_turn(progress: Progress | None) -> Iterator[None]:
    """Wait until no other thread loads. `progress` is asked meanwhile, so that waiting can be cancelled."""
    while not _turn.acquire(timeout=0.2):
        if progress:
            progress("Waiting for another model to be loaded", 0, None)
    try:
        yield
    finally:
        _turn.release()


@contextmanager
def _quiet(*, hub_too: bool) -> Iterator[None]:
    """Keep transformers' bars and warnings out of the cell; the hub's download bars too where we report ourselves."""
    import warnings

    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    level, bars, hub_bars = logging.get_verbosity(), logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    settled = constants.HF_HUB_DISABLE_PROGRESS_BARS is not None  # by the environment: asking otherwise only warns
    logging.set_verbosity_error()
    if bars and not settled:
        logging.disable_progress_bar()  # the hub's with them
        if hub_bars and not hub_too:
            enable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # Marian's, for other languages
            yield
    finally:
        logging.set_verbosity(level)
        if bars and not settled:
            logging.enable_progress_bar()
            if not hub_bars:
                disable_progress_bars()
