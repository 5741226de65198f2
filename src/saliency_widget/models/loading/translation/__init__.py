"""The translation demo: a small MarianMT from Chinese to English that was trained on the phrase grammar beside it.

The model knows the words of `lexicon` and the constructions of `grammar`, and nothing else. Its weights travel in the
package: `demo_translation_folder` is a transformers folder like any other. `scripts/train_demo_translation.py` made it.
"""

from __future__ import annotations

from pathlib import Path


def demo_translation_folder() -> Path:
    """The translation demo as a transformers folder, part of the installed package: model, tokenizer, configuration."""
    return Path(__file__).parent / "model"
