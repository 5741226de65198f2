"""The bridge runs a method of inseq to fill columns of a map; `methods` says which of them are offered, and why.

The bridge runs a shadow of the model, see `view`. The errors of inseq itself (translation models' embeddings
scaled twice, labels shifted by a padding token inside the text, texts that come back as other ids) cannot happen on
this way.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, UnknownName
from ...models.inside.checkpointing import graph_bytes
from ..engine import Schedule, in_chunks
from ..gradient import ProductSettings
from ..problem import Chunk, Problem, atoms_of, blank, per_column, steps_of, worth

if TYPE_CHECKING:
    import torch

    from ...types import Target

    Pool = Callable[[torch.Tensor, Any], torch.Tensor]  # raw scores [n, …], settings → [n]


# ── settings, under inseq's own names ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsSettings(ProductSettings):
    """`n_steps`: points of the Gauss-Legendre rule, at least 1. `reduction`: see `gradient.ProductSettings`."""

    n_steps: int = 50

    def __post_init__(self) -> None:
        ProductSettings.__post_init__(self)
        _check_count("n_steps", self.n_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesSettings(ProductSettings):
    """`n_samples`: points drawn on the path, at least 1. `stdevs`: of normal noise that is added to the embeddings.

    `seed`: the same seed draws the same points. `reduction`: see `gradient.ProductSettings`.
    """

    n_samples: int = 5
    stdevs: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        ProductSettings.__post_init__(self)
        _check_count("n_samples", self.n_samples)
        if not isinstance(self.stdevs, int | float) or self.stdevs < 0:
            raise InputError(f"stdevs={self.stdevs!r} is not a standard deviation.", cure="Take 0.0 or more.")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed={self.seed!r} is not a seed.", cure="Take 0 or more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSettings(ProductSettings):
    """`target_layer`: the name of a part of the model, such as "model.layers.3"; None is the embedding.

    `reduction`: see `gradient.ProductSettings`.
    """

    target_layer: str | None = None


def _check_count(name: str, count: object) -> None:
    if not isinstance(count, int) or count < 1:
        raise InputError(f"{name}={count!r} is not a number of passes.", cure="Take at least 1.")


# ── how a column is filled ───────────────────────────────────────────────────────────────────────────────────────────


def by_inseq(name: str, pool: Pool, problem: Problem, schedule: Schedule, *, adds_up: bool = False) -> Iterator[Chunk]:
    """Compute columns by inseq's method `name`, one at a time.

    scores[i, j] = what `pool` makes of inseq's raw scores of row i. Where the scores of a method should add up to
    objective(x) - objective(baseline), what is missing is the diagnostic `completeness_error`; else it is `value`.
    Source: inseq 0.7.1 (Sarti et al. 2023, arXiv:2302.13942) over captum (Kokhlikyan et al. 2020, arXiv:2009.07896).
    """
    import torch

    raw_scores = _raw_scores()
    module: Any = problem.access.module
    load, given = _arguments(name, problem)
    if name == "attention":
        with _quiet():  # architectures that know one implementation alone warn, and hand out weights all the same
            module.set_attn_implementation("eager")
    baseline = problem.access.unknown() if name in _WITH_BASELINE else None

    def work(cols: list[int]) -> Chunk:
        atoms = atoms_of(problem, cols)
        x = problem.embeddings[:, : atoms.n_read]
        points = torch.cat([x, baseline[:, : atoms.n_read]]) if adds_up and baseline is not None else x
        with torch.no_grad():
            logits = problem.network(points, atoms.at).logits
        at = per_column(worth(problem, logits, atoms.ids), atoms)[:, 0].tolist()
        scores = blank(problem, cols)
        diagnostics = {"value": [at[0]]}
        if np.isfinite(at).all():  # else the column stays NaN, and the engine says so
            with (
                _quiet(),
                _seeded(problem.settings, problem.targets[cols[0]]),
                _cleaned(module),
                _naming_the_layer(problem.settings),
            ):
                raw = raw_scores(name, problem, atoms, baseline, dict(load), dict(given))
                assert len(raw) == atoms.n_read, f"a vector for {len(raw)} of {atoms.n_read} tokens"
            scores[: atoms.n_read, 0] = pool(raw.detach(), problem.settings).float().numpy()
            if adds_up:
                diagnostics = {"completeness_error": [at[0] - at[1] - float(raw.double().sum())]}
        return Chunk(cols, scores, steps_of(problem, cols, logits[0]), diagnostics)

    return in_chunks(schedule, 1, work)


_WITH_BASELINE = ("occlusion", "integrated_gradients", "deeplift", "gradient_shap", "sequential_integrated_gradients")
_IN_STEPS = ("integrated_gradients", "sequential_integrated_gradients")


def _arguments(name: str, problem: Problem) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments for the constructor of inseq's method, and those for its attribute()."""
    given = {k: v for k, v in asdict(problem.settings).items() if k not in ("reduction", "seed", "target_layer")}
    load: dict[str, Any] = {}
    _, n, d = problem.embeddings.shape
    a_pass = max(1, graph_bytes(problem.access.module, n, d, problem.embeddings.element_size()))
    at_once = max(1, problem.memory_budget // 2 // a_pass)
    if name in _IN_STEPS and at_once < given["n_steps"]:
        given["internal_batch_size"] = at_once
    if name == "occlusion":
        given["perturbations_per_eval"] = min(8, at_once)
    if name == "gradient_shap":
        given["stdevs"] = float(given["stdevs"])
    if isinstance(problem.settings, LayerSettings):
        load["target_layer"] = _layer(problem.access.module, problem.settings.target_layer)
    return load, given


def _layer(module: Any, name: str | None) -> torch.nn.Module:
    """Raise UnknownName, with the nearest names."""
    if name is None:
        found: torch.nn.Module = module.get_input_embeddings()
        return found
    parts: dict[str, torch.nn.Module] = dict(module.named_modules())
    if name not in parts or not name:
        raise UnknownName("target_layer", name, [part for part in parts if part.count(".") <= 2 and part])
    return parts[name]


@contextmanager
def _naming_the_layer(settings: Any) -> Iterator[None]:
    """Raise InputError for a layer whose output is not one vector for each token."""
    try:
        yield
    except AssertionError as error:
        if not isinstance(settings, LayerSettings):
            raise
        raise InputError(
            f"What {settings.target_layer} gives cannot be explained: {error}.",
            cure='Name a whole layer, such as "model.layers.3" or "transformer.h.3".',
        ) from error


def norm(raw: torch.Tensor, _settings: Any) -> torch.Tensor:
    """Return the L2 norm [n] of raw scores [n, d] over the hidden axis."""
    found: torch.Tensor = raw.norm(dim=-1)
    return found


def by_choice(raw: torch.Tensor, settings: Any) -> torch.Tensor:
    """Sum over the hidden axis of raw scores [n, d], which keeps the sign, or its norm: [n]."""
    return raw.sum(dim=-1) if settings.reduction == "sum" else norm(raw, settings)


def as_it_is(raw: torch.Tensor, _settings: Any) -> torch.Tensor:
    """Return raw scores [n], which have no hidden axis, unchanged."""
    return raw


def mean_of_heads(raw: torch.Tensor, _settings: Any) -> torch.Tensor:
    """Mean over layers and heads of raw scores [n, 1, layers, heads]: [n]."""
    return raw.mean(dim=(1, 2, 3))


# ── leaving no trace ─────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _raw_scores() -> Callable[..., torch.Tensor]:
    """Import inseq without its side effects: it leaves a file open, and silences a logger that is not its own."""
    urllib3 = logging.getLogger("urllib3")
    level = urllib3.level
    with _quiet():
        from .view import raw_scores
    urllib3.setLevel(level)
    return raw_scores


@contextmanager
def _quiet() -> Iterator[None]:
    """Enter a context without warnings. Filters are the process's: one that another thread sets meanwhile is lost."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _seeded(settings: Any, target: Target) -> Iterator[None]:
    """Enter a context in which numpy's and torch's global generators, which captum uses, are seeded.

    The seed depends on the target, too, so a column is the same in any order of filling.
    """
    import torch

    if not isinstance(settings, SamplesSettings):
        yield
        return
    first, second = np.random.SeedSequence([settings.seed, target.position, *target.ids]).generate_state(2)
    before = np.random.get_state()  # noqa: NPY002 (what inseq and captum draw from)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(int(first))
            np.random.seed(int(second))  # noqa: NPY002 (as above)
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002 (as above)


# Attributes that captum (DeepLIFT, if it fails halfway) and transformers (attention weights) leave on a model's parts.
_LEFT_ATTRIBUTES = ("input", "output", "input_ref", "_output_capturing_hooks_installed")
_HOOKS = "transformers.utils.output_capturing"


@contextmanager
def _cleaned(module: torch.nn.Module) -> Iterator[None]:
    """Enter a context that removes new attributes from the model's parts at its end. captum's hooks go anyway."""
    notes = {part: [name for name in _LEFT_ATTRIBUTES if name not in part.__dict__] for part in module.modules()}
    hooks = {part: set(part._forward_hooks) for part in notes}
    try:
        yield
    finally:
        for part, names in notes.items():
            for name in names:
                part.__dict__.pop(name, None)
            for key, hook in list(part._forward_hooks.items()):
                if key not in hooks[part] and getattr(hook, "__module__", "") == _HOOKS:
                    del part._forward_hooks[key]
