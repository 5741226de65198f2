"""From a checkpoint (a folder, a .gguf file, a hub id) to transformers' model and tokenizer, or to what is wrong.

transformers does not say which file is cut short, and makes up weights that are missing. So a folder's files are
looked at before, what was loaded is checked after, and what is raised between is turned into cause and cure.
"""

from __future__ import annotations

import json
import struct
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from saliency_widget.errors import DamagedFile, DownloadFailed, InputError, OutOfMemory, SaliencyError

from .kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Pair: TypeAlias = tuple[Any, Any]  # the transformers model and its tokenizer


def from_folder(folder: Path, dtype: Any, *, trust_remote_code: bool) -> Pair:
    """A transformers folder, without one look at the network. Raises as `pretrained`; DamagedFile names the file."""
    _inspect(folder)
    return pretrained(str(folder), dtype, local_files_only=True, trust_remote_code=trust_remote_code)


def pretrained(where: str, dtype: Any, *, local_files_only: bool, trust_remote_code: bool) -> Pair:
    """A folder or hub id, loaded by transformers, cheapest part first.

    Raises: InputError (a model of another kind, or not one that this transformers knows), DamagedFile, OutOfMemory,
    DownloadFailed, ImportError (transformers' own: it names the package that the checkpoint needs).
    """
    import transformers
    from transformers import AutoConfig, AutoTokenizer

    kwargs = {"local_files_only": local_files_only, "trust_remote_code": trust_remote_code}
    with _explained(where, from_hub=not local_files_only):
        config = AutoConfig.from_pretrained(where, **kwargs)
        kind = kind_of(config, (getattr(config, "architectures", None) or [""])[0], where)
        tokenizer = AutoTokenizer.from_pretrained(where, **kwargs)
        model, report = getattr(transformers, kind.loads).from_pretrained(
            where, config=config, dtype=dtype, output_loading_info=True, **kwargs
        )
        _check_complete(report, where)
    return model, tokenizer


def from_gguf(path: Path, dtype: Any, progress: Callable[[int, int], None] | None = None) -> Pair:
    """A .gguf file, by our own reader where it can, by transformers' else. `progress` as in `gguf.read`."""
    from . import gguf

    try:
        checkpoint = gguf.read(path, progress)
        with _explained(str(path)):
            tokenizer = gguf.tokenizer(checkpoint.metadata)
    except gguf.UnsupportedGguf:
        if find_spec("gguf") is None or find_spec("accelerate") is None:
            raise  # its cure names the two packages
        return _from_other_gguf(path, dtype)
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    state = {name: torch.from_numpy(weight) for name, weight in checkpoint.state.items()}
    with _explained(str(path)):
        model, report = LlamaForCausalLM.from_pretrained(
            None, config=LlamaConfig(**checkpoint.config), state_dict=state, dtype=dtype, output_loading_info=True
        )
        _check_complete(report, str(path))
    return model, tokenizer


def _from_other_gguf(path: Path, dtype: Any) -> Pair:
    """What our reader does not know, by transformers' GGUF loader."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kwargs = {"gguf_file": path.name, "local_files_only": True}
    with _explained(str(path)):
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **kwargs)
        model = AutoModelForCausalLM.from_pretrained(path.parent, dtype=dtype, **kwargs)
    # The weights are plain tensors by now; what follows from these marks would not be.
    model.is_quantized, model.hf_quantizer = False, None
    model.config.__dict__.pop("quantization_config", None)
    return model, tokenizer


# ── before: are the files whole? ─────────────────────────────────────────────────────────────────────────────────

_INDEX = "model.safetensors.index.json"  # of a checkpoint in several files: which weight is in which


def _inspect(folder: Path) -> None:
    """Raises DamagedFile for what is missing, cut short or garbled, as far as names, sizes and JSON can tell."""
    if _json_object(folder / "config.json") is None:
        raise _damaged(folder / "config.json", "is missing: this is no transformers model folder")
    for name in ("tokenizer_config.json", "tokenizer.json"):
        _json_object(folder / name)
    weights = _weight_files(folder)
    if not weights and not any(folder.glob("*.bin")):
        raise _damaged(folder / "model.safetensors", "is missing: the folder holds no weights")
    for file in weights:
        if not file.exists():
            raise _damaged(file, f"is missing, though {_INDEX} lists it")
        if not _is_whole(file):
            raise _damaged(file, "is garbled or cut short")
    if not any(any(folder.glob(form)) for form in ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "*.spm")):
        raise _damaged(folder / "tokenizer.json", "is missing: save the tokenizer there too")


def _json_object(file: Path) -> dict[str, Any] | None:
    """What the file holds; None where there is no file. Raises DamagedFile unless it is a JSON object."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(file, f"is garbled or cut short ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(file, "holds no JSON object")
    return content


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files: those that the index lists, whether they are there or not; without an index, all."""
    index = _json_object(folder / _INDEX)
    if index is None:
        return list(folder.glob("*.safetensors"))
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict):
        raise _damaged(folder / _INDEX, "lists no weights")
    return [folder / name for name in sorted(set(map(str, weight_map.values())))]


def _is_whole(file: Path) -> bool:
    """Whether a safetensors file is as long as its header says; safetensors' own error does not name the file."""
    size = file.stat().st_size
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > size:  # no header: a number as large as garbage makes it is not read
                return False
            entries = json.loads(opened.read(length))
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
        return bool(8 + length + max(ends, default=0) == size)
    except (ValueError, struct.error, KeyError, TypeError, AttributeError):
        return False


def _damaged(file: Path, why: str) -> DamagedFile:
    return DamagedFile(f"{file} {why}.", cure="Save or download the model again.")


# ── between: what transformers raises ────────────────────────────────────────────────────────────────────────────


@contextmanager
def _explained(where: str, *, from_hub: bool = False) -> Iterator[None]:
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


def _check_complete(report: Any, where: str) -> None:
    """Weights that a checkpoint lacks are filled with random numbers by transformers. A map of those would be a lie."""
    missing = sorted(report["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DamagedFile(
            f"The checkpoint {where} lacks weights: {missing[0]}{more}.",
            cure="Save or download it again, from the class that it was trained with.",
        )
