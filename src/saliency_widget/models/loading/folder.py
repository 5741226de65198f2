"""Checks of the files of a model's folder: which exist, and whether they are complete.

transformers does not name a truncated file. So the names, sizes and JSON of a folder are checked before it is loaded.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from saliency_widget.errors import DamagedFile

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "model.safetensors.index.json"  # maps weights to the files of a checkpoint
ADAPTER_CONFIG = "adapter_config.json"  # marks a folder that holds an adapter and names its base model
_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_OF_TRAINING = ("training_args.bin", "optimizer.bin", "scheduler.bin")


def check_model(folder: Path, *, with_tokenizer: bool = True) -> None:
    """Raise DamagedFile for a file that is missing, truncated or garbled, by its name, size or JSON."""
    if json_object(folder / "config.json") is None:
        raise damaged(folder / "config.json", "is missing: this is no transformers model folder")
    _check_json_of_tokenizer(folder)
    weights = _weight_files(folder)
    if not weights and not has_model(folder):
        raise damaged(folder / "model.safetensors", "is missing: the folder holds no weights")
    for file in weights:
        if not file.exists():
            raise damaged(file, f"is missing, though {INDEX} lists it")
        _check_whole(file)
    if with_tokenizer and not has_tokenizer(folder):
        raise damaged(folder / "tokenizer.json", "is missing: save the tokenizer there too")


def check_adapter(folder: Path) -> None:
    """Raise DamagedFile if the adapter's weights are missing or truncated, or if one of its JSON files is garbled."""
    _check_json_of_tokenizer(folder)
    weights = [folder / name for name in _ADAPTER_WEIGHTS if (folder / name).exists()]
    if not weights:
        raise damaged(folder / _ADAPTER_WEIGHTS[0], f"is missing, though {ADAPTER_CONFIG} is there")
    if weights[0].suffix == ".safetensors":  # the file that is read if both exist
        _check_whole(weights[0])


def has_adapter(folder: Path) -> bool:
    """Return whether the folder holds an adapter."""
    return (folder / ADAPTER_CONFIG).is_file()


def has_model(folder: Path) -> bool:
    """Return whether the folder holds weights other than an adapter's."""
    files = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    return any(file.name not in (*_ADAPTER_WEIGHTS, *_OF_TRAINING) for file in files)


def has_tokenizer(folder: Path) -> bool:
    """Return whether the folder holds a vocabulary, or names a tokenizer of bytes or characters, which needs none."""
    import transformers

    if any(any(folder.glob(form)) for form in ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "*.spm")):
        return True
    named = (json_object(folder / "tokenizer_config.json") or {}).get("tokenizer_class")
    files = getattr(getattr(transformers, str(named), None), "vocab_files_names", None)
    return files == {}


def json_object(file: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None if there is no file. Raises: DamagedFile for anything else."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(file, f"is garbled or cut short ({error})") from error
    if not isinstance(content, dict):
        raise damaged(file, "holds no JSON object")
    return content


def damaged(file: Path, why: str) -> DamagedFile:
    """Return the error for a file that cannot be used."""
    return DamagedFile(f"{file} {why}.", cure="Save or download the model again.")


def _check_json_of_tokenizer(folder: Path) -> None:
    for name in ("tokenizer_config.json", "tokenizer.json"):
        json_object(folder / name)


def _weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that the index lists, whether they exist or not; without an index, all."""
    index = json_object(folder / INDEX)
    if index is None:
        return list(folder.glob("*.safetensors"))
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict):
        raise damaged(folder / INDEX, "lists no weights")
    return [folder / name for name in sorted(set(map(str, weight_map.values())))]


def _check_whole(file: Path) -> None:
    if not _is_whole(file):
        raise damaged(file, "is garbled or cut short")


def _is_whole(file: Path) -> bool:
    """Return whether a safetensors file has the length that its header says. safetensors' error names no file."""
    size = file.stat().st_size
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > size:  # no header, so do not read as many bytes
                return False
            entries = json.loads(opened.read(length))
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
        return bool(8 + length + max(ends, default=0) == size)
    except (ValueError, struct.error, KeyError, TypeError, AttributeError):
        return False
