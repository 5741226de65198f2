"""Methods that use the gradient of the objective with respect to the input embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from ..checks import one_of, whole_number
from ..errors import UnsupportedMethod
from ..models.inside.graphs import has_every_gradient
from .baselines import baseline, check_baseline
from .engine import Schedule, in_chunks
from .problem import Atoms, Chunk, Problem, atoms_of, chunk_of, per_column, worth
from .settings import Settings
from .spot_check import of_gradient, of_logits

if TYPE_CHECKING:
    import torch

    from .access import Output
    from .problem import Spot

Reduction = Literal["sum", "l2"]
# From gradients [k, m, d] of k columns and embeddings [m, d] to scores [k, m].
Reduce: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"

_REDUCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sum": lambda products: products.sum(dim=-1),
    "l2": lambda products: products.norm(dim=-1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSettings(Settings):
    """`reduction`: how the hidden axis is reduced: "sum" keeps the sign; inseq shows "l2", a norm."""

    reduction: Reduction = "sum"

    def __post_init__(self) -> None:
        one_of("reduction", self.reduction, _REDUCTIONS)

    @property
    def is_signed(self) -> bool:
        """Return a norm has no sign."""
        return self.reduction == "sum"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSettings(Settings):
    """The settings of the path.

    `steps`: points of the Gauss-Legendre rule, at least 1. `baseline`: where it begins: "zero", the embedding of the
    "pad", "unk" or "mask" token, or the "mean" of the vocabulary; None takes the first there is of unk, pad, zero, and
    for a token that is this one itself another: see `baselines`.
    `reduction`: as `ProductSettings`.
    """

    steps: int = 50
    baseline: str | None = None
    reduction: Reduction = "sum"

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, least=1, cure="50 are usual.")
        check_baseline(self.baseline)
        one_of("reduction", self.reduction, _REDUCTIONS)

    @property
    def is_signed(self) -> bool:
        """Return a norm has no sign."""
        return self.reduction == "sum"


def saliency(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Compute the L2 norm of the gradient of the objective at each input embedding.

    scores[i, j] = ‖∂ objective_j / ∂ embedding_i‖₂ ≥ 0, in units of the objective per unit of embedding.
    Cost: one forward pass a chunk, and the matrix products of one backward pass a target.
    Source: Simonyan et al. 2014, arXiv:1312.6034; the norm as in Atanasova et al. 2020, arXiv:2009.13295.
    """
    return at_the_input(problem, schedule, norm_by(problem.settings))


def norm_by(_settings: Settings) -> Reduce:
    """Return the function from gradients and embeddings to scores that `saliency` uses."""
    return lambda gradient, _x: gradient.norm(dim=-1)


def input_x_gradient(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Compute gradient · embedding, summed over the hidden axis: in a linear model, the part of each embedding.

    scores[i, j] = Σ_h embedding_ih ∂ objective_j / ∂ embedding_ih, signed, in units of the objective.
    Cost: as saliency.
    Source: Shrikumar et al. 2016, arXiv:1605.01713.
    """
    return at_the_input(problem, schedule, product_by(problem.settings))


def product_by(settings: ProductSettings) -> Reduce:
    """Return the function from gradients and embeddings to scores that `input_x_gradient` uses."""
    reduce = _REDUCTIONS[settings.reduction]
    return lambda gradient, x: reduce(gradient * x)


def integrated_gradients(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Compute the gradient along the straight path from a baseline to the embeddings, times their difference.

    scores[i, j] = Σ_h (x - b)_ih ∫₀¹ ∂ objective_j / ∂ embedding_ih (b + α(x - b)) dα, signed, in units of the
    objective; all embeddings move together. The scores sum to objective(x) - objective(b), up to the error of the
    finite steps, which is the diagnostic `completeness_error` of each column.
    Cost: `steps` backward passes for each target, and two forward passes.
    Source: Sundararajan et al. 2017, arXiv:1703.01365; nodes and weights as in Captum and inseq (Gauss-Legendre).
    """
    import torch

    settings: PathSettings = problem.settings
    reduce = _REDUCTIONS[settings.reduction]
    kind = problem.embeddings.dtype
    # The path and the sum along it need more digits than half precision has.
    nothing = baseline(problem, settings.baseline)
    start, end = (at_least_float32(x) for x in (nothing.embeddings, problem.embeddings))
    way = end - start
    nodes, weights = _gauss_legendre(settings.steps, way)

    def work(cols: list[int]) -> Chunk:
        atoms = atoms_of(problem, cols)
        from_b, on = start[:, : atoms.n_read], way[:, : atoms.n_read]
        with torch.no_grad():
            logits = problem.network(torch.cat([from_b + on, from_b]).to(kind), atoms.at).logits
        at_x, at_b = per_column(worth(problem, logits, atoms.ids), atoms)
        mean = torch.zeros_like(on)
        at_once = _at_once(problem, len(cols))
        check: Callable[[], Spot] | None = None
        for part in (slice(first, first + at_once) for first in range(0, settings.steps, at_once)):
            points = (from_b + nodes[part] * on).to(kind)
            gradient, _, output = slopes(problem, points, atoms)
            mean = mean + (weights[part] * gradient).sum(dim=1)  # [k, m, d]
            check = of_gradient(problem, cols, points[0], gradient[:, 0], output.logits[0])  # of the latest part
        products = mean * on
        missing = (at_x - at_b).cpu() - products.double().sum((1, 2)).cpu()
        told = {"completeness_error": missing.tolist(), **nothing.told(problem, cols)}
        return chunk_of(problem, cols, reduce(products), logits[0], told, check)

    return in_chunks(schedule, _chunk_size(problem, settings.steps), work)


def _gauss_legendre(steps: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return nodes and weights, both [steps, 1, 1], for an integral from 0 to 1."""
    import torch

    nodes, weights = np.polynomial.legendre.leggauss(steps)
    rule = (
        torch.as_tensor(part, dtype=like.dtype, device=like.device)[:, None, None]
        for part in ((nodes + 1) / 2, weights / 2)
    )
    return next(rule), next(rule)


class Slopes(NamedTuple):
    """The gradients [k, s, m, d] of each column's objective at points [s, m, d].

    `objectives` [s, a] of the atoms, and the network's output there.
    """

    gradients: torch.Tensor
    objectives: torch.Tensor
    output: Output


def slopes(problem: Problem, points: torch.Tensor, atoms: Atoms) -> Slopes:
    """Return the gradients of the columns' objectives at points [s, m, d].

    There is one forward pass, up to the last target, and one batched backward pass. If the network returns the input of
    its vocabulary projection, one backward pass through that projection serves all targets: row a of its gradient
    depends on atom a alone, so the sum of the objectives can be differentiated.
    In float16 the gradient of an improbable token would round to 0, so each column's is multiplied by a power of two; a
    column that overflows is repeated with a smaller one. The result is divided again, in float32.
    """
    import torch

    first, *smaller = _LIFTS
    found = _lifted(problem, points, atoms, first)
    gradient, output = found.gradients, found.output
    if not _is_float16(points, output):
        return found
    for lift in smaller:
        whole = gradient.isfinite().flatten(1).all(dim=1)  # [k]
        if bool(whole.all()) or not bool(output.logits.isfinite().all()):  # a network that returned NaN does so again
            break
        again = _lifted(problem, points, atoms, lift).gradients
        gradient = torch.where(whole[:, None, None, None], gradient, again)
    return found._replace(gradients=gradient)


def _lifted(problem: Problem, points: torch.Tensor, atoms: Atoms, lift: int) -> Slopes:
    """Compute `slopes`; in float16 with the largest slope of each column's logits scaled to 2^(lift-1) … 2^lift."""
    import torch

    x = points.detach().requires_grad_()
    with torch.enable_grad(), _refused_by_the_model():
        output = problem.network(x, atoms.at)
        if not output.logits.requires_grad:  # the network cuts the gradient off; zeros are reported as such
            return Slopes(x.new_zeros(len(atoms.total), *x.shape), worth(problem, output.logits, atoms.ids), output)
        _check_steps(output.logits)
        objective = worth(problem, output.logits, atoms.ids)  # [s, a]
        head = objective if output.head is None else output.head  # [s, a] or [s, a, hidden]
        owner = atoms.total.to(objective)[:, None].expand(-1, len(x), -1)  # [k, s, a]
        seed, powers = torch.ones_like(objective), None
        if _is_float16(x, output):
            of_atom = lift - _exponents(problem, output.logits, atoms)  # [s, a]
            # Of a span, all atoms go times the same power: that of its largest slope.
            powers = torch.where(owner > 0, of_atom, _MAX_EXPONENT).amin(dim=-1)  # [k, s]
            seed = torch.ldexp(seed, of_atom)
            owner = torch.ldexp(owner, powers[..., None] - of_atom)
        if output.head is not None:
            (seed,) = torch.autograd.grad(objective, head, grad_outputs=seed, retain_graph=True)
        outputs = owner[..., *[None] * (seed.dim() - 2)] * seed  # [k, s, a] or [k, s, a, hidden]
        pull = None if output.head is None else output.pull
        if pull is not None:
            gradient = pull(outputs.to(head))
        else:
            (gradient,) = torch.autograd.grad(
                head, x, grad_outputs=outputs.to(head), is_grads_batched=True, materialize_grads=True
            )
    if powers is not None:
        gradient = torch.ldexp(gradient.float(), -powers[..., None, None].to(gradient.device))
    return Slopes(gradient, objective.detach(), output)


@contextmanager
def _refused_by_the_model() -> Iterator[None]:
    """Enter a context in which a model whose code goes backward only in training (Reformer) is refused in words.

    Raises: UnsupportedMethod.
    """
    try:
        yield
    except AssertionError as error:
        raise UnsupportedMethod(
            f"The model does not go backward as it is: {str(error).rstrip('.') or 'its code says no more'}.",
            cure="Use occlusion.",
        ) from error


# ── half precision ───────────────────────────────────────────────────────────────────────────────────────────────

# Powers of two that a column's slopes are brought to: float16 has 15 above 1 and 24 below, and most is lost below.
_LIFTS = (8, 4, 0, -4)
_MAX_EXPONENT = 110  # so that lifted powers of two are numbers of float32, as their inverses are


def _is_float16(points: torch.Tensor, output: Output) -> bool:
    """Return whether gradients pass through numbers as small as 6e-8 at best."""
    import torch

    return torch.float16 in (points.dtype, output.logits.dtype)


def _exponents(problem: Problem, logits: torch.Tensor, atoms: Atoms) -> torch.Tensor:
    """Return for each atom [s, a] the power of two just above the largest slope of its objective over the logits."""
    import torch

    wide = logits.detach().float().requires_grad_()
    (slope,) = torch.autograd.grad(worth(problem, wide, atoms.ids).sum(), wide)
    exponent: torch.Tensor = torch.frexp(slope.abs().amax(dim=-1)).exponent
    return exponent.clamp(-_MAX_EXPONENT, _MAX_EXPONENT)


def _check_steps(logits: torch.Tensor) -> None:
    """Raise UnsupportedMethod if a step from the input to `logits` has no gradient."""
    if not has_every_gradient(logits):
        raise UnsupportedMethod(
            "The model takes steps that have no gradient, as quantised layers do.",
            cure="Use occlusion, or load the model without quantisation.",
        )


def at_the_input(
    problem: Problem,
    schedule: Schedule,
    reduce: Reduce,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Chunk]:
    """Fill columns from gradients; `reduce` maps gradients [k, m, d] and embeddings [m, d] to scores [k, m].

    The context `around` is open during the forward and the backward pass.
    """

    def work(cols: list[int]) -> Chunk:
        atoms = atoms_of(problem, cols)
        x = problem.embeddings[:, : atoms.n_read]
        with around():
            gradient, objectives, output = slopes(problem, x, atoms)
        scores = reduce(at_least_float32(gradient[:, 0]), at_least_float32(x[0]))
        logits = output.logits[0].detach()
        if around is nullcontext:
            check = of_gradient(problem, cols, x[0], gradient[:, 0], logits)
        else:  # rules make another gradient, and must leave the logits as they are
            check = of_logits(problem, cols, logits)
        told = {"value": per_column(objectives, atoms)[0].tolist(), **_left_out(problem, cols)}
        return chunk_of(problem, cols, scores, logits, told, check)

    return in_chunks(schedule, _chunk_size(problem, 1), work)


def _left_out(problem: Problem, cols: list[int]) -> dict[str, list[float]]:
    """Return a diagnostic of each column where ids are read beside the embeddings: no gradient goes that way."""
    return {"ids_left_out": [1.0] * len(cols)} if problem.access.reads_ids else {}


def at_least_float32(numbers: torch.Tensor) -> torch.Tensor:
    """Convert half precision to float32: its sums lose too many digits."""
    return numbers if numbers.dtype.itemsize >= 4 else numbers.float()


# ── how much at a time ───────────────────────────────────────────────────────────────────────────────────────────

AT_ONCE = 16  # targets that go through one batched backward pass on a CPU


def _chunk_size(problem: Problem, points: int) -> int:
    """Return the number of targets in one batched backward pass, for a path with so many points.

    It is `AT_ONCE` on a CPU: with fewer, the weights are read too often; with more, passes and the wait after a hover
    become longer. In a network that is not causal each target needs its own pass.
    """
    if not problem.causal:
        return 1
    most = AT_ONCE if problem.embeddings.device.type == "cpu" else 2 * AT_ONCE
    return max(1, min(most if points == 1 else most // 2, problem.memory_budget // 2 // _bytes_a_target(problem)))


def _at_once(problem: Problem, targets: int) -> int:
    """Return the number of path points in one batched backward pass: on a CPU as many as its cache holds."""
    fits = problem.memory_budget // 2 // (targets * _bytes_a_target(problem))
    return max(1, min(4, fits) if problem.embeddings.device.type == "cpu" else fits)


def _bytes_a_target(problem: Problem) -> int:
    """Return the bytes of a target: a dozen arrays as wide as the widest layer, taken as four times the embedding."""
    _, n, d = problem.embeddings.shape
    return 12 * 4 * d * n * problem.embeddings.element_size() + problem.bytes_a_column()
