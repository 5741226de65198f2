"""Live saliency maps of language models in a notebook cell, and the engine behind them.

Heavy packages are imported when they are first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attribution.attribute import attribute
    from .attribution.catalogue import methods
    from .attribution.result import Attribution
    from .batch.many import attribute_many
    from .batch.run import Run, open_run
    from .comparison.compare import compare
    from .evaluation.agreement import agreement
    from .evaluation.faithfulness.evaluate import evaluate
    from .evaluation.faithfulness.evaluation import Evaluation
    from .evaluation.say_versus_do.compare import say_versus_do
    from .explanation.explain import explain
    from .explanation.parsing import parse_scores
    from .explanation.server import OpenAIClient
    from .models.loading.load import load_model
    from .show import show

__version__ = "0.9.0"

# torch's threads spin before they sleep when they wait for each other. If a browser and a notebook server use the cores
# too, spinning makes a backward pass twenty times slower (22 s instead of 1 s, with two busy processes on two cores);
# not spinning costs nothing on a quiet machine. libgomp reads this variable once, when torch is first imported, so it
# is set here, unless the user has set it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")

_WHERE = {
    "Attribution": "attribution.result",
    "Evaluation": "evaluation.faithfulness.evaluation",
    "OpenAIClient": "explanation.server",
    "Run": "batch.run",
    "agreement": "evaluation.agreement",
    "attribute": "attribution.attribute",
    "attribute_many": "batch.many",
    "compare": "comparison.compare",
    "evaluate": "evaluation.faithfulness.evaluate",
    "explain": "explanation.explain",
    "load_model": "models.loading.load",
    "methods": "attribution.catalogue",
    "open_run": "batch.run",
    "parse_scores": "explanation.parsing",
    "say_versus_do": "evaluation.say_versus_do.compare",
    "show": "show",
}

__all__ = [
    "Attribution",
    "Evaluation",
    "OpenAIClient",
    "Run",
    "agreement",
    "attribute",
    "attribute_many",
    "compare",
    "evaluate",
    "explain",
    "load_model",
    "methods",
    "open_run",
    "parse_scores",
    "say_versus_do",
    "show",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value  # importing the module `show` has replaced the function by the module
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
