"""inseq's own methods as rows of a table, `inseq:<name>`: those of inseq 0.7.1 that give right answers here.

The model is not copied and nothing of it is changed: see `inseq_view`. What a method needs beside the network stands in
`Inside`. What inseq itself gets wrong (translation models' embeddings scaled twice, labels shifted by a padding token
inside the text, texts that come back as other ids) cannot happen on this way; methods that are wrong in themselves are
refused, with the reason.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError, UnknownName, UnsupportedMethod
from ..models.checkpointing import graph_bytes
from ..models.classifier import ClassifierModel
from ..types import Inputs, NoSettings
from .engine import Chunk, Problem, Schedule, atoms_of, blank, in_chunks, per_column, steps_of
from .gradient import ProductSettings
from .methods import METHODS, Method
from .objectives import value

if TYPE_CHECKING:
    import torch

    from ..models.base import Model
    from ..types import Target

    Pool = Callable[[torch.Tensor, Any], torch.Tensor]  # raw scores [n, …], settings → [n]

PREFIX = "inseq:"


class Inside(NamedTuple):
    """What inseq's methods need beside the network."""

    module: torch.nn.Module
    inputs: Inputs
    plain: Callable[..., Any]  # (n, **options) → transformers' own output of one plain pass over the first n rows
    baseline: Callable[[], torch.Tensor]  # [1, n, d]
    attention: Callable[[], None]  # from here to the end of the loan, `plain` hands out attention weights

    @property
    def n_source(self) -> int:
        """How many of the rows are a source."""
        return len(self.inputs.source)


def inside_of(model: Model, inputs: Inputs) -> Inside:
    """For `Problem.bridge`. Nothing is computed yet."""

    def plain(n: int, **options: Any) -> Any:
        return model.run(Inputs(inputs.source, inputs.ids[: n - len(inputs.source)]), **options)

    return Inside(
        module=model.model,
        inputs=inputs,
        plain=plain,
        baseline=partial(_baseline, model, inputs),
        attention=partial(_hand_out_attention, model),
    )


def _baseline(model: Model, inputs: Inputs) -> torch.Tensor:
    """The baseline of inseq [1, n, d]: unknown tokens; but ends of text, and the decoder's first token, stay.

    Raises: InputError where the tokenizer has none of unk, pad and eos.
    """
    tokenizer, config = model.tokenizer, model.model.config.get_text_config()
    end = config.eos_token_id if config.eos_token_id is not None else tokenizer.eos_token_id
    ends = set(end) if isinstance(end, list | tuple) else {end}
    nothing = next((i for i in (tokenizer.unk_token_id, tokenizer.pad_token_id, *ends) if i is not None), None)
    if nothing is None:
        raise InputError(
            f"The tokenizer of {model.name} has no unknown, padding or end token to stand for nothing.",
            cure="Use a method without a baseline, such as inseq:saliency, or ours with baseline='zero'.",
        )
    source, text = (tuple(i if i in ends else nothing for i in ids) for ids in inputs)
    if source:
        text = (inputs.ids[0], *text[1:])
    return model.embed(Inputs(source, text))


def _hand_out_attention(model: Model) -> None:
    """`lent` puts the old implementation back."""
    with _quiet():  # architectures that know one implementation alone warn, and hand out weights all the same
        model.model.set_attn_implementation("eager")


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
    """Columns by inseq's method `name`, one at a time.

    scores[i, j] = what `pool` makes of inseq's raw scores of row i. Where the scores of a method should add up to
    objective(x) - objective(baseline), what is missing is the diagnostic `completeness_error`; else it is `value`.
    Source: inseq 0.7.1 (Sarti et al. 2023, arXiv:2302.13942) over captum (Kokhlikyan et al. 2020, arXiv:2009.07896).
    """
    import torch

    raw_scores = _raw_scores()
    inside: Inside = problem.bridge
    load, given = _arguments(name, problem)
    if name == "attention":
        inside.attention()
    baseline = inside.baseline() if name in _WITH_BASELINE else None

    def work(cols: list[int]) -> Chunk:
        atoms = atoms_of(problem, cols)
        x = problem.embeddings[:, : atoms.n_read]
        points = torch.cat([x, baseline[:, : atoms.n_read]]) if adds_up and baseline is not None else x
        with torch.no_grad():
            logits = problem.network(points, atoms.at).logits
        at = per_column(value(problem.objective, logits, atoms.ids, problem.foil), atoms)[:, 0].tolist()
        scores = blank(problem, cols)
        diagnostics = {"value": [at[0]]}
        if np.isfinite(at).all():  # else the column stays NaN, and the engine says so
            with (
                _quiet(),
                _seeded(problem.settings, problem.targets[cols[0]]),
                _cleaned(inside.module),
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
    """For the constructor of inseq's method, and for its attribute()."""
    inside: Inside = problem.bridge
    given = {k: v for k, v in asdict(problem.settings).items() if k not in ("reduction", "seed", "target_layer")}
    load: dict[str, Any] = {}
    _, n, d = problem.embeddings.shape
    a_pass = max(1, graph_bytes(inside.module, n, d, problem.embeddings.element_size()))
    at_once = max(1, problem.memory_budget // 2 // a_pass)
    if name in _IN_STEPS and at_once < given["n_steps"]:
        given["internal_batch_size"] = at_once
    if name == "occlusion":
        given["perturbations_per_eval"] = min(8, at_once)
    if name == "gradient_shap":
        given["stdevs"] = float(given["stdevs"])
    if isinstance(problem.settings, LayerSettings):
        load["target_layer"] = _layer(inside.module, problem.settings.target_layer)
    return load, given


def _layer(module: Any, name: str | None) -> torch.nn.Module:
    """Raises: UnknownName, with the nearest names."""
    if name is None:
        found: torch.nn.Module = module.get_input_embeddings()
        return found
    parts: dict[str, torch.nn.Module] = dict(module.named_modules())
    if name not in parts or not name:
        raise UnknownName("target_layer", name, [part for part in parts if part.count(".") <= 2 and part])
    return parts[name]


@contextmanager
def _naming_the_layer(settings: Any) -> Iterator[None]:
    """Raises: InputError for a layer that gives something else than a vector a token."""
    try:
        yield
    except AssertionError as error:
        if not isinstance(settings, LayerSettings):
            raise
        raise InputError(
            f"What {settings.target_layer} gives cannot be explained: {error}.",
            cure='Name a whole layer, such as "model.layers.3" or "transformer.h.3".',
        ) from error


def _norm(raw: torch.Tensor, _settings: Any) -> torch.Tensor:
    norm: torch.Tensor = raw.norm(dim=-1)
    return norm


def _by_choice(raw: torch.Tensor, settings: Any) -> torch.Tensor:
    return raw.sum(dim=-1) if settings.reduction == "sum" else _norm(raw, settings)


def _as_it_is(raw: torch.Tensor, _settings: Any) -> torch.Tensor:
    return raw


def _mean_of_heads(raw: torch.Tensor, _settings: Any) -> torch.Tensor:
    return raw.mean(dim=(1, 2, 3))  # [n, 1, layers, heads]


# ── leaving no trace ─────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _raw_scores() -> Callable[..., torch.Tensor]:
    """Imports inseq, quietly: it leaves a file open, and silences a logger that is not its own."""
    urllib3 = logging.getLogger("urllib3")
    level = urllib3.level
    with _quiet():
        from .inseq_view import raw_scores
    urllib3.setLevel(level)
    return raw_scores


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _seeded(settings: Any, target: Target) -> Iterator[None]:
    """The generators that captum draws from, numpy's and torch's global ones, seeded; afterwards they go on as before.

    By the target too, so that a column is the same in whichever order they are filled.
    """
    import torch

    if not isinstance(settings, SamplesSettings):
        yield
        return
    first, second = np.random.SeedSequence([settings.seed, target.position, *target.ids]).generate_state(2)
    before = np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            torch.manual_seed(int(first))
            np.random.seed(int(second))  # noqa: NPY002
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


# What captum (DeepLIFT, where it fails halfway) and transformers (attention weights) leave on the parts of a model.
_NOTES = ("input", "output", "input_ref", "_output_capturing_hooks_installed")
_HOOKS = "transformers.utils.output_capturing"


@contextmanager
def _cleaned(module: torch.nn.Module) -> Iterator[None]:
    """Whatever happens, what was not on the parts of the model before is not there after. captum's hooks go anyway."""
    notes = {part: [name for name in _NOTES if name not in part.__dict__] for part in module.modules()}
    hooks = {part: set(part._forward_hooks) for part in notes}  # noqa: SLF001
    try:
        yield
    finally:
        for part, names in notes.items():
            for name in names:
                part.__dict__.pop(name, None)
            for key, hook in list(part._forward_hooks.items()):  # noqa: SLF001
                if key not in hooks[part] and getattr(hook, "__module__", "") == _HOOKS:
                    del part._forward_hooks[key]  # noqa: SLF001


# ── which model can do without what ──────────────────────────────────────────────────────────────────────────────────


def _why_not(model: Model) -> str | None:
    if isinstance(model, ClassifierModel):
        return f"inseq explains what a model writes, and {model.name} writes nothing."
    return None


def _why_no_attention(model: Model) -> str | None:
    if not model.n_heads:
        return f"{type(model.model).__name__} has no attention."
    return _why_not(model)


def _why_no_deeplift(model: Model) -> str | None:
    if model.model.config.model_type in _TIME_FIRST:
        return (
            f"it tells text and baseline apart along the first axis, which {type(model.model).__name__} gives to time."
        )
    return _why_not(model)


_TIME_FIRST = ("fsmt", "xlm-prophetnet", "prophetnet")


def _why_no_layer(model: Model) -> str | None:
    if model.has_source:
        return "inseq's layer methods read the encoder alone, and leave out what the decoder wrote."
    return _why_not(model)


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────

_SAME = "Ours of the same name is the same and faster; this one is here to compare with."

BRIDGED: dict[str, Method] = {
    method.id: method
    for method in (
        Method(
            id="inseq:saliency",
            label="Gradient (inseq)",
            family="gradient",
            signed=False,
            uses_objective=True,
            unit="gradient norm",
            pool="sum",
            cost="two forward passes and one backward pass per target",
            reads="How much the objective moves when this token's embedding moves a little: the L2 norm over the "
            "hidden axis, as inseq shows it.",
            caveats=(_SAME, "It has no sign, and is nearly 0 when the model is almost certain."),
            reference="Simonyan et al. 2014, arXiv:1312.6034",
            run=partial(by_inseq, "saliency", _norm),
            lacks=_why_not,
        ),
        Method(
            id="inseq:input_x_gradient",
            label="Input × gradient (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="two forward passes and one backward pass per target",
            reads="What this token's embedding would have contributed if the model were linear; summed over the hidden "
            'axis, or as inseq shows it with reduction="l2".',
            caveats=(_SAME, "The model is not linear."),
            reference="Shrikumar et al. 2016, arXiv:1605.01713",
            run=partial(by_inseq, "input_x_gradient", _by_choice),
            settings=ProductSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:integrated_gradients",
            label="Integrated gradients (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="50 backward passes per target (n_steps)",
            reads="The gradient added up while the text fades in from unknown tokens; the scores sum to the change of "
            "the objective between the two.",
            caveats=(
                _SAME,
                "End-of-text tokens, and what a decoder begins with, are their own baseline here: they score 0.",
                "With too few steps the sum misses the change; the diagnostics say by how much.",
            ),
            reference="Sundararajan et al. 2017, arXiv:1703.01365",
            run=partial(by_inseq, "integrated_gradients", _by_choice, adds_up=True),
            settings=StepsSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:sequential_integrated_gradients",
            label="Sequential integrated gradients (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="50 backward passes per target and token (n_steps)",
            reads="For each token a path of its own: it fades in from the unknown token while all others stay. With "
            "enough steps its score is the drop of the objective when it alone becomes unknown.",
            caveats=(
                "Occlusion by the unknown token has the same sums, in one forward pass a token.",
                "The scores of all tokens together do not sum to anything.",
            ),
            reference="Enguehard 2023, arXiv:2305.15853",
            run=partial(by_inseq, "sequential_integrated_gradients", _by_choice),
            settings=StepsSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:gradient_shap",
            label="GradientSHAP (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="5 backward passes per target (n_samples)",
            reads="The gradient at a few random points between unknown tokens and the text, times the way between: "
            "integrated gradients by drawing lots.",
            caveats=(
                "Another seed gives another map; with many samples all of them come to integrated gradients.",
                "The sum misses the change of the objective by chance; the diagnostics say by how much.",
                "While a column is computed, numpy's and torch's global random numbers are those of its seed.",
            ),
            reference="Lundberg & Lee 2017, arXiv:1705.07874; Erion et al. 2021, arXiv:1906.10670",
            run=partial(by_inseq, "gradient_shap", _by_choice, adds_up=True),
            settings=SamplesSettings,
            lacks=_why_not,
        ),
        Method(
            id="inseq:deeplift",
            label="DeepLIFT (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="one backward pass of two texts per target",
            reads="The gradient times the way from unknown tokens, with DeepLIFT's rule for differences where the "
            "model has a ReLU, ELU, tanh, sigmoid or softplus module.",
            caveats=(
                "It has no rule for SiLU, GELU, attention or layer norm.",
                "GPT-2, Llama and their like have nothing else: there it is gradient × (input - baseline), no more.",
                "So its sum misses the change of the objective, by what the diagnostics say; attnlrp has those rules.",
            ),
            reference="Shrikumar et al. 2017, arXiv:1704.02685",
            run=partial(by_inseq, "deeplift", _by_choice, adds_up=True),
            settings=ProductSettings,
            lacks=_why_no_deeplift,
        ),
        Method(
            id="inseq:layer_gradient_x_activation",
            label="Layer gradient × activation (inseq)",
            family="gradient",
            signed=True,
            uses_objective=True,
            unit="contribution",
            pool="sum",
            cost="two forward passes and one backward pass per target",
            reads="What a layer's output at this token's place would have contributed if all after it were linear; the "
            "embedding's unless target_layer names another.",
            caveats=(
                "In higher layers a place holds more than its own token: it is no longer the token that is judged.",
                "At the embedding it is input × gradient.",
            ),
            reference="Kokhlikyan et al. 2020, arXiv:2009.07896",
            run=partial(by_inseq, "layer_gradient_x_activation", _by_choice),
            settings=LayerSettings,
            lacks=_why_no_layer,
        ),
        Method(
            id="inseq:occlusion",
            label="Occlusion (inseq)",
            family="perturbation",
            signed=False,
            uses_objective=True,
            unit="change",
            pool="sum",
            cost="one forward pass per target and token",
            reads="How far the objective moves, up or down, when this token becomes the unknown token.",
            caveats=(
                _SAME,
                "inseq drops the sign: a token that speaks against the word scores as high as one that speaks for it.",
            ),
            reference="Zeiler & Fergus 2014, arXiv:1311.2901",
            run=partial(by_inseq, "occlusion", _as_it_is),
            lacks=_why_not,
        ),
        Method(
            id="inseq:attention",
            label="Attention (inseq)",
            family="attention",
            signed=False,
            uses_objective=False,
            unit="attention",
            pool="sum",
            cost="one forward pass per target",
            reads="How much the position that predicts the word looks at this token, averaged over heads and layers.",
            caveats=(
                _SAME,
                "Of a translation model, source and text each sum to 1: by two kinds of attention.",
                "Looking is not using: high weight proves no influence (Jain & Wallace 2019).",
            ),
            reference="Bahdanau et al. 2015, arXiv:1409.0473; Jain & Wallace 2019, arXiv:1902.10186",
            run=partial(by_inseq, "attention", _mean_of_heads),
            settings=NoSettings,
            lacks=_why_no_attention,
            spans=False,
        ),
    )
}


class Refused(NamedTuple):
    """A method of inseq that is not offered: why, and what to use instead, first the nearest."""

    reason: str
    instead: tuple[str, ...]


REFUSED: dict[str, Refused] = {
    "inseq:discretized_integrated_gradients": Refused(
        "its scores miss the change of the objective however many steps it takes (by more than half, at times with the "
        "wrong sign), and it takes another model's neighbours from its cache where two models have one name",
        ("integrated_gradients", "inseq:sequential_integrated_gradients"),
    ),
    "inseq:dummy": Refused("it computes nothing", ("random",)),
    "inseq:layer_deeplift": Refused(
        "it gives zeros, because inseq computes the layer's baseline from the text itself",
        ("attnlrp", "inseq:deeplift"),
    ),
    "inseq:layer_integrated_gradients": Refused(
        "it gives zeros, because inseq computes the layer's baseline from the text itself", ("integrated_gradients",)
    ),
    "inseq:lime": Refused(
        "it hides a token by filling its embedding with the number of the unknown token, such as 0, not with that "
        "token's embedding",
        ("occlusion", "inseq:sequential_integrated_gradients"),
    ),
    "inseq:reagent": Refused(
        "it ends in an error on every model that was tried, and reads the text through a tagger for English words",
        ("occlusion",),
    ),
    "inseq:value_zeroing": Refused(
        "it ends in an error on all architectures but T5 and Bloom", ("value_zeroing", "attention_rollout", "attention")
    ),
}


def bridged(name: str) -> Method:
    """The row of `inseq:<name>`. Raises: UnsupportedMethod for one that is refused; UnknownName."""
    if name in BRIDGED:
        return BRIDGED[name]
    if name not in REFUSED:
        raise UnknownName("method", name, BRIDGED)
    reason, instead = REFUSED[name]
    known = [other for other in instead if other in METHODS or other in BRIDGED]
    raise UnsupportedMethod(f"{name} is not offered: {reason}.", cure=f"Use {' or '.join(known)}.")
