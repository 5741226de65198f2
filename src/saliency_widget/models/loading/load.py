"""`load_model`: from whatever a user calls a model to one of ours.

What was named (a folder, a file, a hub id, "demo") is loaded here, put on a device, and shared: whoever asks for it
again while somebody holds it gets the same one. What was handed over as an object is taken as it is.
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
from .checkpoint import AS_IT_IS, Pair, Wish, explained, from_folder, from_gguf, pretrained
from .folder import ADAPTER_CONFIG, has_adapter
from .kinds import seen
from .translation import demo_translation_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from ..classifier import Applied
    from .demo import Progress

_BUILT_IN = ("demo", "demo-translation")  # names that need no hub

_shared: WeakValueDictionary[tuple[Any, ...], Model] = WeakValueDictionary()
_known: dict[tuple[Any, ...], probe.Facts] = {}  # of each checkpoint: it need not be probed again when loaded again
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
    up before anything else, and loaded without one look at the network); a folder that holds an adapter, which is put
    over the base model it names; a hub id; `(model, tokenizer)`; a transformers pipeline; an inseq model; a Model.

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
        _known[key] = probe.recall(bare(made.model), _known.get(key))
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
    written = re.sub(r"[\s_]+", "-", source.strip().lower())
    meant = get_close_matches(written, _BUILT_IN, n=1, cutoff=0.8)
    if meant and "/" not in source:
        raise ModelNotFound(f"There is no model {source!r}.", cure=f'Did you mean "{meant[0]}"?')
    return source


def _identity(place: str | Path) -> tuple[Any, ...]:
    """Equal for the same model. A folder whose files were written anew is another one, and so is an adapter's base."""
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
    wish: Wish = AS_IT_IS,
) -> tuple[str, Pair]:
    """A name to show, the model, and its tokenizer."""

    def tell(what: str, done: int = 0, total: int | None = None) -> None:
        if progress:
            progress(what, done, total)

    if place == "demo":
        from .demo import NAME, demo_folder

        folder = demo_folder(progress)
        tell(f"Loading {NAME}")
        try:
            return NAME, from_folder(folder, dtype, trust_remote_code=False, wish=wish)
        except DamagedFile as error:
            raise DamagedFile(error.message, cure=f"Delete {folder} and ask again: it is made anew.") from error
    if place == "demo-translation":
        tell(f"Loading {place}")
        return place, from_folder(demo_translation_folder(), dtype, trust_remote_code=False, wish=wish)
    if isinstance(place, str):
        tell(f"Asking the hub for {place}")
        is_adapter, local = _on_hub(place)
        tell(f"Loading {place}")
        if not is_adapter:
            return place, pretrained(
                place, dtype, local_files_only=local, trust_remote_code=trust_remote_code, wish=wish
            )
        name, folder = place, _fetched_adapter(place, local_files_only=local)
    else:
        tell(f"Loading {place.name}")
        if place.is_file():
            return place.stem, from_gguf(place, dtype, lambda done, total: tell(f"Loading {place.name}", done, total))
        if not has_adapter(place):
            return place.name, from_folder(place, dtype, trust_remote_code=trust_remote_code, wish=wish)
        name, folder = place.name, place
    return name, _adapted(folder, dtype, trust_remote_code=trust_remote_code, progress=progress)


def _on_hub(hub_id: str) -> tuple[bool, bool]:
    """Whether the hub id is that of an adapter; and whether the hub cannot be asked, but the cache has it.

    The hub is asked once (of an adapter, twice), and briefly: without this, a machine with no network waits through
    46 s of retries before it hears that there is none.
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
    """The base model, loaded as if it had been named, with the adapter in it; the adapter's own tokenizer if any."""
    adapter = read_adapter(folder)
    base, wish = _base_of(folder), adapter.wish()
    with _named_by(folder):
        _, (model, tokenizer) = _loaded(base, dtype, trust_remote_code=trust_remote_code, progress=progress, wish=wish)
    return adapter.over(model), adapter.tokenizer() or tokenizer


def _base_of(folder: Path) -> str | Path:
    """Where the base model of an adapter is, as `_place`. Raises: ModelNotFound, InputError."""
    with _named_by(folder):
        base = _place(base_named(folder))
    if isinstance(base, Path) and has_adapter(base):
        raise InputError(
            f"The base model of the adapter {folder}, {base}, is an adapter itself.",
            cure="Put that one into its own base (peft: merge_and_unload, then save_pretrained), and name the result.",
        )
    return base


@contextmanager
def _named_by(folder: Path) -> Iterator[None]:
    """Within it, a model that is not found is said to be the base model of the adapter in `folder`."""
    try:
        yield
    except ModelNotFound as error:
        raise ModelNotFound(
            f"The adapter {folder} lacks its base model. {error.message}",
            cure=f"{error.cure} Where it is stands in {ADAPTER_CONFIG}, under base_model_name_or_path.",
        ) from error


def _fetched_adapter(hub_id: str, *, local_files_only: bool) -> Path:
    """The folder of an adapter from the hub, with its tokenizer. Raises: DownloadFailed."""
    from huggingface_hub import snapshot_download

    names = ["adapter_*", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
    with explained(hub_id, from_hub=True):
        return Path(snapshot_download(hub_id, allow_patterns=names, local_files_only=local_files_only))


# ── what was handed over ─────────────────────────────────────────────────────────────────────────────────────────


def _wrapped(source: Any) -> Model:
    """An object as it is: not moved, not converted, not put into another mode."""
    model, reader = _unpacked(source)
    tokenizer = _tokenizer_in(reader)
    if not hasattr(model, "get_input_embeddings") or not hasattr(tokenizer, "decode"):
        raise InputError(
            f"({type(model).__name__}, {type(reader).__name__}) is not a transformers model and its tokenizer.",
            cure="Pass `(model, tokenizer)`, in this order.",
        )
    name = getattr(model, "name_or_path", "") or type(model).__name__
    name = Path(name).name if Path(name).is_absolute() else name
    return seen(model, tokenizer, name, _applied_by(source))


def _applied_by(source: Any) -> Applied | None:
    """What a pipeline for text classification puts on logits before it prints them; None for anything else.

    Where its user has not said, it decides as transformers does: it prints a sigmoid also of a single class.
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
    """The tokenizer in the processor of a model that sees or hears, beside what reads pictures; else as it is."""
    inside = getattr(reader, "tokenizer", None)
    return inside if hasattr(inside, "convert_ids_to_tokens") else reader


def _unpacked(source: Any) -> Pair:
    """The model and the tokenizer in a pair, a transformers pipeline or an inseq model."""
    if isinstance(source, tuple | list) and len(source) == 2:
        return source[0], source[1]
    # By name: neither package has to be imported to be recognised.
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
