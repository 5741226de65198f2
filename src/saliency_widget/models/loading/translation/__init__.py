"""The translation demo: a small MarianMT from Chinese to English that was trained on the phrase grammar in this folder.

The model knows only the words of `lexicon` and the constructions of `grammar`. The package contains its weights:
`demo_translation_folder` is an ordinary transformers folder, which `scripts/train_demo_translation.py` made.
"""

from __future__ import annotations

from pathlib import Path


def demo_translation_folder() -> Path:
    """Return the translation demo's transformers folder in the installed package: model, tokenizer, configuration."""
    return Path(__file__).parent / "model"
