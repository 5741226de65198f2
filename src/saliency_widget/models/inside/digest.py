"""A hash of a model's weights and configuration, equal in every process that loads the same model.

`Model.fingerprint` also changes when weights are moved, and is another number in each process; this one is kept.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from . import shadow

_SAMPLES = 64  # numbers of each tensor
# Of a config: where it was loaded from, and what changes nothing but the way of computing.
_ELSEWHERE = ("_name_or_path", "transformers_version", "_commit_hash", "_attn_implementation", "attn_implementation")


def digest(model: Any, tokenizer: Any) -> str:
    """Return the SHA-256 of a model's class, configuration, names, types, shapes and samples of its weights, as hex.

    The tokenizer's vocabulary, rules and chat template count too. 64 numbers of each tensor are read, spread over it:
    a fine-tuned model differs in nearly all of them.
    """
    import torch

    source = shadow.bare(model)
    whole = sha256()

    def add(*parts: object) -> None:
        whole.update(json.dumps(parts, sort_keys=True, default=str).encode())

    config = source.config.to_dict()
    add(type(source).__name__, {name: value for name, value in config.items() if name not in _ELSEWHERE})
    with torch.inference_mode(False), torch.no_grad():
        for name, parameter in sorted(source.named_parameters(remove_duplicate=False)):
            add(name, list(parameter.shape), str(parameter.dtype))
            if parameter.is_meta or not parameter.numel():
                continue
            flat = parameter.detach().reshape(-1)
            some = flat[:: max(1, flat.numel() // _SAMPLES)][:_SAMPLES]
            whole.update(some.to(torch.float64 if some.device.type != "mps" else torch.float32).cpu().numpy().tobytes())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    add(type(tokenizer).__name__, str(getattr(tokenizer, "chat_template", None)))
    add(sorted(tokenizer.get_vocab().items()) if backend is None else backend.to_str())
    return whole.hexdigest()
