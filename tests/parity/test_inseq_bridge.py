"""inseq's methods by our bridge equal inseq itself on a copy of the model, and plain autograd."""

from __future__ import annotations

import copy
import logging
import subprocess
import sys
import warnings
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.engine import Schedule, run
from saliency_widget.attribution.inseq.methods import REFUSED
from saliency_widget.attribution.methods import BRIDGED, METHODS, card_named, method_for
from saliency_widget.attribution.pipeline import check_question, columns, write
from saliency_widget.attribution.problem import Problem
from saliency_widget.attribution.settings import Settings
from saliency_widget.errors import BadScores, Cancelled, InputError, UnknownName, UnsupportedMethod
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.types import Inputs, Target
from tests.families import columns_of, made, make, plain_embeddings, plain_logits_of
from tests.toys import allowing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from saliency_widget.models.base import Model
    from saliency_widget.models.causal import CausalModel

# inseq leaves its configuration file open.
pytestmark = pytest.mark.filterwarnings("ignore:.*model_config.yaml:pytest.PytestUnraisableExceptionWarning")

TEXT, TARGET = "the cab a", "do"
FEW = {"integrated_gradients": {"n_steps": 4}, "sequential_integrated_gradients": {"n_steps": 2}}
SMALL = {name: FEW.get(name.removeprefix("inseq:"), {}) for name in BRIDGED}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: on small models a second one costs up to twenty times more on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def generators() -> tuple[Any, list[int]]:
    """Return the states of numpy's and torch's global random generators."""
    return np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def bridged(model: Any, name: str, **options: Any) -> sw.Attribution:
    asked = {"text": TEXT, "target": TARGET, "progress": False} | SMALL[f"inseq:{name}"] | options
    return sw.attribute(model, method=f"inseq:{name}", **asked)


def directly(model: CausalModel, name: str, **options: Any) -> Any:
    """Return inseq's own scores [n_rows, n_cols, …] and the ids, on a copy, because it leaves hooks and settings.

    Its pad token must not occur in the text.
    """
    import inseq

    network, tokenizer = copy.deepcopy(model.model), copy.deepcopy(model.tokenizer)
    tokenizer.pad_token = tokenizer.unk_token
    network.config.bos_token_id, network.config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    network.set_attn_implementation("eager")
    load = {k: options.pop(k) for k in ("target_layer",) if k in options}
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = inseq.load_model(network, name, tokenizer=tokenizer, **load)
            out = theirs.attribute(TEXT, TEXT + TARGET, show_progress=False, **options)
    finally:
        logging.disable(logging.NOTSET)
    ids = [t.id for t in out[0].target]
    return out[0].target_attributions[: len(ids) - 1].double().numpy(), ids


def assert_same(scores: np.ndarray, expected: np.ndarray, within: float = 1e-5) -> None:
    """To this share of the largest: in float64, but RMS norm and rotation of Llama, Gemma and T5 run in float32."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(scores, expected, rtol=within, atol=within * np.nanmax(np.abs(expected)))


# ── beside inseq itself ──────────────────────────────────────────────────────────────────────────────────────────

GRADIENTS = (
    "input_x_gradient", "integrated_gradients", "sequential_integrated_gradients", "deeplift",
    "layer_gradient_x_activation",
)  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_inseqs_own_number_for_number(tiny_model: CausalModel, name: str) -> None:
    """Gradients equal inseq's, summed over the hidden axis and as the norm that inseq shows."""
    theirs, ids = directly(tiny_model, name, **FEW.get(name, {}))
    summed = bridged(tiny_model, name)
    assert [t.id for t in (*summed.rows, summed.cols[-1])] == ids
    assert_same(summed.scores, theirs.sum(-1))
    norm = bridged(tiny_model, name, reduction="l2")
    assert_same(norm.scores, np.linalg.norm(theirs, axis=-1))


@pytest.mark.parametrize(
    ("name", "pooled"),
    [
        ("saliency", lambda raw: np.linalg.norm(raw, axis=-1)),
        ("occlusion", lambda raw: raw),
        ("attention", lambda raw: raw.mean((-1, -2))),
    ],
)
def test_what_has_no_sign_is_inseqs_own_number_for_number(tiny_model: CausalModel, name: str, pooled: Any) -> None:
    theirs, ids = directly(tiny_model, name)
    a = bridged(tiny_model, name)
    assert [t.id for t in (*a.rows, a.cols[-1])] == ids
    assert_same(a.scores, pooled(theirs))


def test_a_layer_inside_is_inseqs_own_too(tiny_models: dict[str, CausalModel]) -> None:
    theirs, _ = directly(tiny_models["llama"], "layer_gradient_x_activation", target_layer="model.layers.0")
    a = bridged(tiny_models["llama"], "layer_gradient_x_activation", target_layer="model.layers.0")
    assert_same(a.scores, theirs.sum(-1))


def test_gradient_shap_is_inseqs_own_where_the_same_lots_are_drawn(tiny_model: CausalModel) -> None:
    """GradientShap equals inseq's if its generators have the state that the seed and the target give."""
    a = bridged(tiny_model, "gradient_shap", target=TARGET[:1], seed=3)
    (col,) = a.cols
    _, second = np.random.SeedSequence([3, col.position, col.id]).generate_state(2)
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(int(second))  # noqa: NPY002
    theirs, _ = directly(tiny_model, "gradient_shap", attr_pos_end=col.position + 1)
    np.random.set_state(before)  # noqa: NPY002
    assert_same(a.scores[:, 0], theirs[: col.position, 0].sum(-1))


# ── beside plain autograd, translation models too ────────────────────────────────────────────────────────────────

FAMILIES = ("gpt2", "marian", "pegasus", "gemma2", "m2m100")


@pytest.fixture(params=FAMILIES)
def family(request: Any, as_lent: Callable[[Any], None]) -> str:
    """A family whose tiny model must come back as it was."""
    as_lent(made(request.param).model)
    return str(request.param)


def by_hand(name: str, score: Any) -> list[np.ndarray]:
    """Return the columns of `score`, given the target's logit (a function), the embeddings and the baseline."""
    found = []
    tokenizer = made(name).tokenizer
    for column in columns_of(name, TEXT, TARGET):
        n = len(column.source)
        begin = {n: column.rows[n]} if n else {}  # what the decoder begins with is its own baseline
        unknown = column.changed(dict.fromkeys(range(len(column.rows)), tokenizer.unk_token_id) | begin)
        x, b = plain_embeddings(name, column), plain_embeddings(name, unknown)
        found.append(score(lambda e, c=column: plain_logits_of(name, c, e)[c.target], x, b).numpy())
    return found


def gradient(f: Any, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def drops(f: Any, x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the drop of the logit when one row becomes the baseline."""
    with torch.no_grad():
        return torch.stack([f(x) - f(x.index_copy(0, torch.tensor([i]), b[i : i + 1])) for i in range(len(x))])


EXPECTED = {
    "saliency": lambda f, x, _b: gradient(f, x).norm(dim=-1),
    "input_x_gradient": lambda f, x, _b: (gradient(f, x) * x).sum(-1),
    "occlusion": lambda f, x, b: drops(f, x, b).abs(),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_scores_are_those_of_a_plain_loop(family: str, name: str) -> None:
    """In float64, scores equal those of a loop over the embedding modules' outputs (inseq scales Marian's twice)."""
    a = bridged(made(family), name, objective="logit")
    for j, expected in enumerate(by_hand(family, EXPECTED[name])):
        assert_same(a.scores[: len(expected), j], expected)
        assert np.isnan(a.scores[len(expected) :, j]).all()


@pytest.mark.parametrize("name", ["gpt2", "marian"])
def test_integrated_gradients_add_up(name: str) -> None:
    """Integrated gradients sum to the logit's drop when the whole text becomes the baseline, to 1e-3 with 60 steps."""
    a = bridged(made(name), "integrated_gradients", objective="logit", n_steps=60)
    for j, change in enumerate(by_hand(name, lambda f, x, b: (f(x) - f(b)).detach())):
        assert np.nansum(a.scores[:, j]) == pytest.approx(float(change), rel=1e-3)
        assert a.diagnostics["completeness_error"][j] == pytest.approx(0, abs=1e-3 * abs(float(change)))


def test_sequential_integrated_gradients_are_drops_of_single_tokens() -> None:
    """Each token's path ends where it alone is unknown, so the scores are those of signed occlusion."""
    a = bridged(made("marian"), "sequential_integrated_gradients", objective="logit", n_steps=30)
    for j, expected in enumerate(by_hand("marian", drops)):
        assert_same(a.scores[: len(expected), j], expected, within=1e-4)


def test_deeplift_of_a_model_without_its_nonlinearities_is_a_gradient() -> None:
    """The card says it of GPT-2, and the diagnostics say what is missing in the sum."""
    a = bridged(made("gpt2"), "deeplift", objective="logit")
    expected = by_hand("gpt2", lambda f, x, b: (gradient(f, x) * (x - b)).sum(-1))
    changes = by_hand("gpt2", lambda f, x, b: (f(x) - f(b)).detach())
    for j, (column, change) in enumerate(zip(expected, changes, strict=True)):
        assert_same(a.scores[: len(column), j], column)
        assert a.diagnostics["completeness_error"][j] == pytest.approx(float(change) - column.sum(), rel=1e-4)


def test_gradient_shap_comes_to_integrated_gradients_with_many_samples() -> None:
    """The mean of the samples differs by its standard error: 300 samples of a bounded path, so 0.15 of the largest."""
    model = made("gpt2")
    exact = bridged(model, "integrated_gradients", objective="logit", n_steps=60).scores
    drawn = bridged(model, "gradient_shap", objective="logit", n_samples=300).scores
    few = bridged(model, "gradient_shap", objective="logit", n_samples=2).scores
    largest = np.nanmax(np.abs(exact))
    assert np.nanmax(np.abs(drawn - exact)) < 0.15 * largest
    assert np.nanmax(np.abs(few - exact)) > np.nanmax(np.abs(drawn - exact))


def test_attention_of_a_translation_is_what_the_model_hands_out() -> None:
    """Source rows have the cross attention, other rows the self-attention: means over layers and heads."""
    model = made("marian")
    a = bridged(model, "attention")
    network = copy.deepcopy(model.model)
    network.set_attn_implementation("eager")
    for j, column in enumerate(columns_of("marian", TEXT, TARGET)):
        ids = {"input_ids": torch.tensor([column.source]), "decoder_input_ids": torch.tensor([column.ids])}
        with torch.no_grad():
            out = network(**ids, output_attentions=True)
        parts = (torch.stack(part)[:, 0, :, -1].mean((0, 1)) for part in (out.cross_attentions, out.decoder_attentions))
        assert_same(a.scores[: len(column.rows), j], torch.cat(list(parts)))


def test_a_layer_inside_is_gradient_times_activation(tiny_models: dict[str, CausalModel]) -> None:
    """A layer's scores equal gradient × activation, by a hook on the layer and one backward pass."""
    model = tiny_models["gpt2"]
    a = bridged(model, "layer_gradient_x_activation", target_layer="transformer.h.0", objective="logit")
    kept: list[torch.Tensor] = []

    def keep(_module: Any, _args: Any, output: Any) -> None:
        kept.append(output if isinstance(output, torch.Tensor) else output[0])

    handle = model.model.transformer.h[0].register_forward_hook(keep)
    try:
        for j, col in enumerate(a.cols):
            ids = torch.tensor([[t.id for t in a.rows[: col.position]]])
            logit = model.model(ids).logits[0, -1, col.id]
            (g,) = torch.autograd.grad(logit, kept[-1])
            expected = (g * kept[-1]).sum(-1)[0].detach()
            assert_same(a.scores[: col.position, j], expected)
    finally:
        handle.remove()


def test_deeplift_adds_up_where_it_has_a_rule_for_every_part() -> None:
    """A linear map, ReLU, a linear map: the rule of differences hands the whole change back, a gradient does not."""
    torch.manual_seed(0)
    n, d, vocabulary = 4, 5, 7
    net = torch.nn.Sequential(torch.nn.Linear(d, 9), torch.nn.ReLU(), torch.nn.Linear(9, vocabulary)).double()
    for p in net.parameters():
        p.requires_grad_(False)
    x, b = torch.randn(2, 1, n, d, dtype=torch.float64)

    def network(e: torch.Tensor, at: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=net(e.cumsum(1))[:, at], head=None)

    problem = Problem(
        network=network,
        embeddings=x,
        targets=(Target(3, (2,)), Target(4, (5,))),
        objective="logit",
        settings=BRIDGED["inseq:deeplift"].settings(),
        access=allowing(module=net, ids=(0, 1, 2, 3), unknown=lambda: b),
    )
    chunks = list(run(BRIDGED["inseq:deeplift"].run, problem, Schedule(range(2)), label="DeepLIFT"))

    def logit(e: torch.Tensor, target: Target) -> torch.Tensor:
        return net(e.cumsum(1))[0, target.position - 1, target.ids[0]]

    for chunk, target in zip(chunks, problem.targets, strict=True):
        change = logit(x, target) - logit(b, target)
        assert np.nansum(chunk.scores) == pytest.approx(float(change), rel=1e-6)
        assert chunk.diagnostics["completeness_error"][0] == pytest.approx(0, abs=1e-7)  # inseq rounds to float32
        by_gradient = (gradient(partial(logit, target=target), x) * (x - b)).sum()
        assert abs(float(by_gradient - change)) > 1e-3


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("objective", ["log_probability", "logit", "entropy"])
def test_every_objective_of_ours_can_be_asked(tiny_model: CausalModel, objective: str) -> None:
    ours = sw.attribute(tiny_model, TEXT, target=TARGET, objective=objective, progress=False)
    assert_same(bridged(tiny_model, "saliency", objective=objective).scores, ours.scores)


def test_a_foil_and_a_span_can_be_asked(tiny_model: CausalModel) -> None:
    for asked in ({"foil": "x", "objective": "logit"}, {"span": (0, 2)}):
        ours = sw.attribute(tiny_model, TEXT, target=TARGET, method="input_x_gradient", progress=False, **asked)
        assert_same(bridged(tiny_model, "input_x_gradient", **asked).scores, ours.scores)


def test_ids_stay_as_they_are(tiny_model: CausalModel) -> None:
    """No text comes back as these ids, and one of them is the padding token: inseq itself would shift the labels."""
    tokenizer = tiny_model.tokenizer
    ids = [*tokenizer.convert_tokens_to_ids(["t", "h", "e"]), tokenizer.unk_token_id, tokenizer.eos_token_id]
    assert tokenizer(tokenizer.decode(ids))["input_ids"] != ids
    asked = {"text": None, "target": None, "input_ids": ids, "target_ids": [tokenizer.unk_token_id, *ids[:2]]}
    ours = sw.attribute(tiny_model, **asked, progress=False)
    a = bridged(tiny_model, "saliency", **asked)
    assert [t.id for t in (*a.rows, *a.cols)] == [t.id for t in (*ours.rows, *ours.cols)]
    assert_same(a.scores, ours.scores)


def test_steps_are_those_of_ours(tiny_model: CausalModel) -> None:
    ours, a = sw.attribute(tiny_model, TEXT, target=TARGET, progress=False), bridged(tiny_model, "attention")
    assert_same(a.step_scores["probability"], ours.step_scores["probability"])
    assert [[x.id for x in col] for col in a.alternatives] == [[x.id for x in col] for col in ours.alternatives]


def test_an_end_of_text_is_its_own_baseline(tiny_models: dict[str, CausalModel]) -> None:
    """As in inseq, a text that equals its baseline has no path, and no score."""
    model = tiny_models["gpt2"]
    ids = [5, model.tokenizer.eos_token_id, 9]
    a = bridged(model, "integrated_gradients", text=None, target=None, input_ids=ids, target_ids=[7])
    assert (a.scores[:, 0] == 0).tolist() == [False, True, False]


@pytest.mark.parametrize("name", ["integrated_gradients", "sequential_integrated_gradients", "occlusion", "deeplift"])
@pytest.mark.parametrize("of", ["opt", "marian"])
def test_little_memory_changes_no_number(of: str, name: str) -> None:
    """One text at a time, or two where a method compares two; each layer's graph is built again on the way back."""
    model, sizes = made(of), []
    handle = model.model.register_forward_pre_hook(
        lambda _module, _args, given: sizes.append(len(given["input_ids"])), with_kwargs=True
    )
    try:
        bridged(model, name)  # by now all is known that is tried out first
        sizes.clear()
        whole = bridged(model, name)
        assert (max(sizes) > 2) == (name in ("integrated_gradients", "occlusion"))
        sizes.clear()
        parts = bridged(model, name, memory_budget=1)
        assert max(sizes) <= 2
    finally:
        handle.remove()
    assert_same(parts.scores, whole.scores)


def test_a_seed_settles_the_lots_whatever_the_order(tiny_model: CausalModel) -> None:
    first, same = (bridged(tiny_model, "gradient_shap", seed=1).scores for _ in range(2))
    other = bridged(tiny_model, "gradient_shap", seed=2).scores
    assert np.array_equal(first, same, equal_nan=True)
    assert not np.array_equal(first, other, equal_nan=True)
    alone = bridged(tiny_model, "gradient_shap", text=TEXT + TARGET[0], target=TARGET[1:], seed=1).scores
    assert_same(alone[:, 0], first[:, 1])
    noisy = bridged(tiny_model, "gradient_shap", seed=1, stdevs=1).scores
    assert not np.array_equal(first, noisy, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "setting", "error"),
    [
        ("integrated_gradients", {"n_step": 5}, UnknownName),
        ("integrated_gradients", {"n_steps": 0}, InputError),
        ("gradient_shap", {"n_samples": 2.5}, InputError),
        ("gradient_shap", {"stdevs": -1.0}, InputError),
        ("gradient_shap", {"seed": -1}, InputError),
        ("deeplift", {"reduction": "max"}, UnknownName),
        ("layer_gradient_x_activation", {"target_layer": "transformer.h.7"}, UnknownName),
        ("layer_gradient_x_activation", {"target_layer": "transformer.h.0.attn"}, InputError),
        ("saliency", {"n_steps": 5}, UnknownName),
    ],
)
def test_a_setting_that_cannot_be_is_an_error(
    tiny_models: dict[str, CausalModel], name: str, setting: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        sw.attribute(tiny_models["gpt2"], TEXT, target=TARGET, method=f"inseq:{name}", progress=False, **setting)


def test_scores_that_are_not_finite_are_an_error() -> None:
    model = make("gpt2")
    model.model.transformer.ln_f.weight.data[0] = float("nan")
    with pytest.raises(BadScores, match="nan at row 0"):
        bridged(model, "occlusion")


# ── which methods there are ──────────────────────────────────────────────────────────────────────────────────────


def test_every_method_of_inseq_is_offered_or_refused() -> None:
    import inseq

    theirs = {f"inseq:{name}" for name in inseq.list_feature_attribution_methods()}
    assert set(BRIDGED) | set(REFUSED) == theirs
    assert not set(BRIDGED) & set(REFUSED)
    assert not (set(BRIDGED) | set(REFUSED)) & set(METHODS)


@pytest.mark.parametrize("name", BRIDGED)
def test_a_card_says_whose_it_is(name: str) -> None:
    card = card_named(name)
    assert card.id == name
    assert card.label.endswith("(inseq)")
    assert card.reads
    assert card.caveats
    assert card.reference


@pytest.mark.parametrize("name", REFUSED)
def test_a_method_that_is_wrong_is_refused_with_the_reason_and_what_to_use(name: str) -> None:
    with pytest.raises(UnsupportedMethod) as caught:
        card_named(name)
    assert REFUSED[name].reason in caught.value.message
    for other in caught.value.cure.removeprefix("Use ").removesuffix(".").split(" or "):
        assert card_named(other).id == other


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="Did you mean inseq:deeplift") as caught:
        card_named("inseq:deeplifft")
    assert all(name in caught.value.cure for name in BRIDGED)


def test_what_a_model_cannot_do_is_said() -> None:
    for family, able in (("bert", 0), ("marian", len(BRIDGED) - 1), ("fsmt", len(BRIDGED) - 2), ("gpt2", len(BRIDGED))):
        reasons = [method.lacks(made(family)) for method in BRIDGED.values()]
        assert reasons.count(None) == able
    with pytest.raises(UnsupportedMethod, match="writes nothing"):
        method_for(BRIDGED["inseq:saliency"].card, made("bert"), Settings())


# ── as lent ──────────────────────────────────────────────────────────────────────────────────────────────────────


def notes(model: Model) -> dict[str, set[str]]:
    return {name: set(part.__dict__) for name, part in model.model.named_modules()}


@pytest.mark.parametrize("name", BRIDGED)
@pytest.mark.parametrize("family", ["opt", "marian"])
def test_model_tokenizer_and_generators_come_back_as_they_were(
    name: str, family: str, as_lent: Callable[[Any], None], capfd: Any, caplog: Any
) -> None:
    """Model, tokenizer and generators are unchanged, also after DeepLIFT's hooks; nothing is printed or logged."""
    model = made(family)
    as_lent(model.model)
    if BRIDGED[name].lacks(model) is not None:
        assert name == "inseq:layer_gradient_x_activation"
        return
    bridged(model, name.removeprefix("inseq:"))  # the import is the first time's
    np.random.random(), torch.rand(1)  # noqa: NPY002  away from where that left the generators, if it moved them
    before = notes(model), copy.deepcopy(vars(model.tokenizer)), generators()
    for p in model.model.parameters():
        p.grad = torch.ones_like(p)
    capfd.readouterr()
    caplog.clear()
    try:
        bridged(model, name.removeprefix("inseq:"))
        assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.model.parameters())
    finally:
        for p in model.model.parameters():
            p.grad = None
    assert notes(model) == before[0]
    assert str(vars(model.tokenizer)) == str(before[1])
    assert generators() == before[2]
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize("name", BRIDGED)
@pytest.mark.parametrize("at", [20, 45])
def test_a_model_comes_back_as_it_was_from_the_middle_of_a_pass(
    name: str, at: int, as_lent: Callable[[Any], None]
) -> None:
    """Stopped where a part of a layer is entered, forward or backward: no hook, note or random number is left."""
    model = made("opt")
    as_lent(model.model)
    before = notes(model), generators()
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Cancelled("Stopped.", cure="Go on.")

    question = check_question(name, "probability", SMALL[name])
    document = write(model, check_prompt(TEXT, target=TARGET), 4, lambda *_: None)
    with pytest.raises(Cancelled):
        list(columns(model.shadow(check), question, document, Schedule(range(len(document.cols)))))
    assert notes(model) == before[0]
    assert generators() == before[1]


SCRIPT = """
import logging, sys
import saliency_widget as sw
sys.path.insert(0, ".")
from tests.families import make
logging.getLogger("urllib3").setLevel(5)
model = make("gpt2")
sw.attribute(model, "the cab", target="d", progress=False)
assert "inseq" not in sys.modules and "captum" not in sys.modules
sw.attribute(model, "the cab", target="d", progress=False, method="inseq:deeplift")
assert "inseq" in sys.modules
assert logging.getLogger("urllib3").level == 5
"""


def test_inseq_is_imported_when_it_is_asked_for_and_quietly() -> None:
    """In a new interpreter, where every warning is an error."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.demo
def test_the_demo_model_by_inseqs_deeplift(demo: CausalModel) -> None:
    """In float32, where two computations of these gradients differ by 2.3e-4 of the entry: hence 1e-3."""
    asked = {"text": "The first president of the United States was George", "target": None, "max_new_tokens": 1}
    a = bridged(demo, "deeplift", **asked)
    assert a.cols[0].text == " Washington"
    same = bridged(demo, "saliency", **asked)
    ours = sw.attribute(demo, **asked, progress=False)
    np.testing.assert_allclose(same.scores, ours.scores, rtol=1e-3)
    demo = demo.shadow()
    x, b = (demo.embed(Inputs((), ids)) for ids in (ids_of(a), (demo.tokenizer.unk_token_id,) * len(a.rows)))
    network = demo.network(Inputs((), ids_of(a)))
    at = torch.tensor([len(a.rows) - 1])
    g = gradient(lambda e: network(e, at).logits[0, 0].double().softmax(-1)[a.cols[0].id], x)
    expected = (g * (x - b)).sum(-1)[0]
    np.testing.assert_allclose(a.scores[:, 0], expected, atol=1e-3 * float(expected.abs().max()))


def ids_of(a: sw.Attribution) -> tuple[int, ...]:
    return tuple(t.id for t in a.rows)
