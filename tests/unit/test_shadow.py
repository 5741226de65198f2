"""The user's model is never touched: what runs is a shadow, whatever else they do with the model meanwhile."""

from __future__ import annotations

import copy
import functools
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.methods import METHODS
from saliency_widget.errors import InputError, UnsupportedMethod, WeightsChanged
from saliency_widget.models.inside.shadow import shadow_of

from ..conftest import state_of
from ..families import CLASSIFIERS, FAMILIES, SEQ2SEQ, byte_tokenizer, made, make

IDS, TARGET = [70, 71, 72, 73, 74], [75, 76, 77]


def ask(model: Any, method: str = "saliency", **more: Any) -> sw.Attribution:
    return sw.attribute(model, **({"input_ids": IDS, "target_ids": TARGET, "method": method, "progress": False} | more))


def inputs_of(name: str) -> dict[str, torch.Tensor]:
    ids = torch.tensor([IDS])
    return {"input_ids": ids, "decoder_input_ids": ids} if name in SEQ2SEQ else {"input_ids": ids}


# ── the same model over the same weights ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", FAMILIES)
def test_a_shadow_gives_the_same_logits_over_the_same_memory(name: str) -> None:
    model = made(name).model
    before, shadow = state_of(model), shadow_of(model)
    with torch.no_grad():
        expected, found = (network(**inputs_of(name)).logits for network in (model, shadow))
    assert torch.equal(found, expected)
    own = {id(part) for part in model.modules()}
    assert not any(id(part) in own for part in shadow.modules())
    for mine, theirs in zip(shadow.parameters(), model.parameters(), strict=True):
        assert mine is not theirs
        assert mine.data_ptr() == theirs.data_ptr()
        assert not mine.requires_grad
    assert state_of(model) == before


def test_tied_weights_stay_tied_and_modes_configs_and_hooks_are_its_own() -> None:
    model = make("gpt2").model.train()
    heard: list[int] = []
    model.transformer.h[0].register_forward_hook(lambda *_: heard.append(1))
    shadow = shadow_of(model)
    assert shadow.lm_head.weight is shadow.transformer.wte.weight
    assert not any(part.training for part in shadow.modules())
    assert all(part.training for part in model.modules())
    shadow.config.use_cache = not model.config.use_cache
    assert shadow.config.use_cache != model.config.use_cache
    shadow.transformer.h[1].register_forward_hook(lambda *_: None)
    assert not model.transformer.h[1]._forward_hooks
    with torch.no_grad():
        shadow(torch.tensor([IDS]))
    assert heard == [1], "the user's hooks are of the model, and act in its shadow"


def test_what_cannot_be_copied_is_shared() -> None:
    """A lock, a generator of random numbers."""
    model = make("gpt2").model
    model.transformer.lock, model.random = threading.Lock(), iter([])
    model.stream = (number for number in ())
    shadow = shadow_of(model)
    assert shadow.transformer.lock is model.transformer.lock
    assert shadow.stream is model.stream


# ── what no shadow can be made of is said ────────────────────────────────────────────────────────────────────────

_OLD: Any = None


def by_closure(layer: Any) -> Any:
    old = layer.forward
    return lambda *given, **options: 2 * old(*given, **options)


def by_a_global(layer: Any) -> Any:
    global _OLD  # noqa: PLW0603 (a notebook's cell does so)
    _OLD = layer.forward
    return lambda *given, **options: 2 * _OLD(*given, **options)


def by_a_default(layer: Any) -> Any:
    return lambda x, *given, old=layer.forward, **options: old(x, *given, **options)


def by_a_part_of_another(layer: Any) -> Any:
    old = functools.partial(layer.forward)
    return lambda *given, **options: 2 * old(*given, **options)


def by_a_list(layer: Any) -> Any:
    held = [layer]
    return lambda *given, **options: type(layer).forward(held[0], *given, **options)


def by_torch_compile(layer: Any) -> Any:
    return torch.compile(layer.forward, backend="eager")


@pytest.mark.parametrize(
    "replaced", [by_closure, by_a_global, by_a_default, by_a_part_of_another, by_a_list, by_torch_compile]
)
def test_a_function_that_calls_the_users_own_modules_is_refused_by_name(replaced: Callable[[Any], Any]) -> None:
    model = make("gpt2")
    layer = model.model.transformer.h[1].mlp
    layer.forward = replaced(layer)
    with pytest.raises(InputError, match=r"transformer\.h\.1\.mlp\.forward was replaced by a function") as caught:
        ask(model)
    assert "forward hook" in caught.value.cure


def test_a_function_of_its_own_is_none_of_them() -> None:
    model = make("gpt2")
    model.model.transformer.h[1].mlp.forward = lambda x: 0 * x
    assert np.isfinite(ask(model).scores[:5]).all()


def test_a_method_of_the_module_itself_is_bound_to_the_shadow() -> None:
    model = make("gpt2")
    mlp = model.model.transformer.h[1].mlp
    mlp.forward = mlp.forward  # as a decorator that keeps what it found may do
    shadow = shadow_of(model.model)
    assert shadow.transformer.h[1].mlp.forward.__self__ is shadow.transformer.h[1].mlp


def test_packed_4_bit_weights_are_refused() -> None:
    """bitsandbytes packs them in a pass without gradients on some processors; gradients are wrong afterwards."""
    model = make("gpt2")
    next(model.model.parameters()).quant_state = SimpleNamespace(packing_format_for_cpu=True)
    with pytest.raises(InputError, match="packed this model's 4-bit weights"):
        ask(model)


def test_a_model_that_writes_to_its_weights_runs_on_a_copy_of_them() -> None:
    """So does RWKV, which divides them in its first pass in evaluation mode, and remembers that it did."""
    from transformers import RwkvConfig, RwkvForCausalLM

    torch.manual_seed(0)
    config = RwkvConfig(
        vocab_size=len(byte_tokenizer()), hidden_size=32, attention_hidden_size=32, num_hidden_layers=3,
        rescale_every=1, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    network = RwkvForCausalLM(config).double().train()
    before, twin = state_of(network), copy.deepcopy(network).eval()
    a = ask((network, byte_tokenizer()))
    assert state_of(network) == before
    with torch.no_grad():
        p = twin(torch.tensor([IDS + TARGET[:2]])).logits[0, -1].softmax(-1)[TARGET[2]]
    assert a.step_scores["probability"][2] == pytest.approx(float(p), rel=1e-5)


def test_a_model_that_casts_its_weights_in_a_pass_casts_those_of_the_shadow() -> None:
    """The router of Switch Transformers does: that is no change of the user's weights, and no error."""
    model = make("gpt2")
    expected = ask(make("gpt2"))
    model.model.transformer.h[0].mlp.register_forward_pre_hook(lambda mlp, _args: mlp._apply(torch.clone) and None)
    before = state_of(model.model)
    np.testing.assert_array_equal(ask(model).scores, expected.scores)
    assert state_of(model.model) == before


def test_a_model_that_answers_otherwise_each_time_is_refused() -> None:
    model = make("gpt2")
    model.model.lm_head.register_forward_hook(lambda _m, _a, out: out + torch.rand_like(out))
    with pytest.raises(UnsupportedMethod, match="different numbers each time"):
        ask(model)


# ── as people lend their models ──────────────────────────────────────────────────────────────────────────────────

ALL = [method for method in METHODS if method != "random"]
# transformers 5 has another name for the switch, and peft still asks for the old one.
OLD_NAMES = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")


@OLD_NAMES
@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("switch", ["enable_input_require_grads", "gradient_checkpointing_enable"])
@pytest.mark.parametrize("training", [False, True])
def test_the_switches_of_training_change_no_map(method: str, switch: str, training: bool) -> None:
    model = make("llama")
    getattr(model.model, switch)()
    model.model.train(training)
    before = state_of(model.model)
    np.testing.assert_array_equal(ask(model, method).scores, ask(made("llama"), method).scores)
    assert state_of(model.model) == before


@pytest.mark.parametrize("method", ALL)
def test_a_map_can_be_made_in_inference_mode_and_of_weights_that_were_made_in_it(method: str) -> None:
    model = make("llama")
    expected = ask(model, method).scores
    with torch.inference_mode():
        np.testing.assert_array_equal(ask(model, method).scores, expected)
        model.model = copy.deepcopy(model.model)
    assert next(model.model.parameters()).is_inference()
    np.testing.assert_array_equal(ask((model.model, model.tokenizer), method).scores, expected)


def test_autocast_of_the_cell_is_not_of_the_map() -> None:
    expected = ask(made("llama")).scores
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        np.testing.assert_array_equal(ask(made("llama")).scores, expected)


@OLD_NAMES
@pytest.mark.parametrize("name", ["llama", "marian", "bert"])
def test_lora_and_compiled_models_write_and_are_explained(name: str) -> None:
    from peft import LoraConfig, get_peft_model

    model = make(name)
    targets = {"llama": ["q_proj"], "marian": ["q_proj"], "bert": ["query"]}[name]
    lora = get_peft_model(copy.deepcopy(model.model), LoraConfig(target_modules=targets, r=2)).eval()
    for key, p in lora.named_parameters():
        if "lora_B" in key:
            p.data.normal_(0, 0.3)
    merged = copy.deepcopy(lora).merge_and_unload()
    asked = {"text": "the cab", "progress": False} | ({} if name in CLASSIFIERS else {"max_new_tokens": 3})
    for given, plain in ((lora, merged), (torch.compile(model.model, backend="eager"), model.model)):
        a, b = (sw.attribute((network, model.tokenizer), **asked) for network in (given, plain))
        assert [t.id for t in a.cols] == [t.id for t in b.cols]
        np.testing.assert_allclose(a.scores, b.scores, rtol=1e-6, atol=1e-12)


@OLD_NAMES
@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_virtual_tokens_are_refused_by_name(kind: str) -> None:
    from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model

    config = {"prefix": PrefixTuningConfig, "prompt": PromptTuningConfig}[kind]
    tuned = get_peft_model(make("llama").model, config(task_type="CAUSAL_LM", num_virtual_tokens=5))
    with pytest.raises(UnsupportedMethod, match=f"puts 5 virtual tokens before every text \\({kind} tuning\\)"):
        ask((tuned, byte_tokenizer()))


@pytest.mark.parametrize(
    "settings",
    [
        {"num_return_sequences": 2, "do_sample": True},
        {"stop_strings": ["a"]},
        {"num_beams": 3, "num_return_sequences": 3},
        {"do_sample": True, "temperature": 0.1, "top_k": 1},
        {"guidance_scale": 3.0},
    ],
    ids=str,
)
def test_whatever_the_generation_config_asks_for_the_model_writes_greedily_and_it_is_said(
    settings: dict[str, Any],
) -> None:
    from transformers import GenerationConfig

    model = make("llama")
    expected = sw.attribute(model, input_ids=IDS, max_new_tokens=4, progress=False)
    model.model.generation_config = GenerationConfig(**settings)
    before = state_of(model.model)
    with pytest.warns(UserWarning, match="the most probable token each time") as told:
        a = sw.attribute(model, input_ids=IDS, max_new_tokens=4, progress=False)
    assert next(iter(settings)) in str(told[0].message)
    assert len(told) == 1
    assert [t.id for t in a.cols] == [t.id for t in expected.cols]
    np.testing.assert_array_equal(a.step_scores["probability"], expected.step_scores["probability"])
    assert state_of(model.model) == before


# ── meanwhile ────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def maps_behind(model: Any, count: int) -> Iterator[list[Any]]:
    """While the block runs, and until they are done, maps of every method are made in another thread."""
    found: list[Any] = []

    def work() -> None:
        for at in range(count):
            try:
                found.append(ask(model, ALL[at % len(ALL)]))
            except WeightsChanged as error:
                found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield found
    finally:
        thread.join()


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_the_users_own_passes_are_bit_equal_throughout(implementation: str) -> None:
    model = make("llama", torch.float32)
    model.model.set_attn_implementation(implementation)
    ids = torch.tensor([IDS])

    def passes() -> torch.Tensor:
        return model.model(ids).logits.detach()

    expected = passes()
    with maps_behind(model, 2 * len(ALL)) as found:
        while len(found) < 2 * len(ALL):
            assert torch.equal(passes(), expected)
            assert model.model.config._attn_implementation == implementation


def losses(model: Any, steps: int, after: Callable[[int], None] = lambda _at: None) -> list[float]:
    """A training loop with dropout: it draws random numbers, changes weights and needs gradients."""
    torch.manual_seed(1)
    network = model.model.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    found = []
    for at in range(steps):
        ids = torch.randint(0, 200, (4, 16))
        loss = network(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.item())
        after(at)
    return found


def test_training_goes_on_as_if_we_were_not_there_and_maps_are_right_or_say_that_weights_changed() -> None:
    """No step fails, and every loss is the same to the last bit. A map that came whole is that of some weights."""
    expected = losses(make("gpt2", torch.float32), 20)
    model = make("gpt2", torch.float32)
    weights: dict[int, Any] = {}

    def keep(at: int) -> None:
        weights[at] = copy.deepcopy(model.model)

    with maps_behind(model, 10) as found:
        first = losses(model, 20, keep)
    assert first == expected
    assert len(found) == 10
    for got in found:
        if isinstance(got, WeightsChanged):
            continue
        candidates = [*weights.values(), make("gpt2", torch.float32).model]
        maps = (ask((network, model.tokenizer), got.method).scores for network in candidates)
        assert any(np.allclose(got.scores, scores, rtol=1e-3, atol=1e-7, equal_nan=True) for scores in maps)


def changing(model: Any, change: Callable[[Any], None]) -> Any:
    """The model, whose weights are changed when a map is half done: at the last layer of the fourth pass."""
    passes = 0

    def act(*_: Any) -> None:
        nonlocal passes
        passes += 1
        if passes == armed[0]:
            change(model.model)

    armed = [0]
    model.model.transformer.h[-1].register_forward_hook(act)
    for method in ("saliency", "attention", "occlusion"):
        ask(model, method)  # by now all is known of it, and every pass is of a map
    armed[0] = passes + 1
    return model


def in_place(network: Any) -> None:
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1)


def by_data(network: Any) -> None:
    for p in network.parameters():
        p.data.add_(0.1)


@pytest.mark.parametrize("method", ["saliency", "attention", "occlusion"])
@pytest.mark.parametrize("change", [in_place, by_data])
def test_weights_that_change_while_a_map_is_made_are_an_error(method: str, change: Callable[[Any], None]) -> None:
    """In torch's own words where it notices; by the fingerprint when the map ends where it does not."""
    model = changing(make("gpt2"), change)
    with pytest.raises(WeightsChanged, match="changed while its map was computed") as caught:
        ask(model, method)
    assert "Ask again" in caught.value.cure
    assert np.isfinite(ask(model, method).scores[:5]).all()


@pytest.mark.parametrize("method", ["saliency", "attention", "occlusion"])
def test_a_model_that_is_converted_while_a_map_is_made_leaves_it_whole(method: str) -> None:
    """`.half()` gives the user's parameters other memory: the shadow keeps that of before."""
    expected = ask(make("gpt2"), method)
    model = changing(make("gpt2"), lambda network: network.half())
    np.testing.assert_array_equal(ask(model, method).scores, expected.scores)
    assert next(model.model.parameters()).dtype == torch.float16


def test_an_adapter_that_is_added_while_a_map_is_made_leaves_it_whole() -> None:
    from peft import LoraConfig, inject_adapter_in_model

    def add(network: Any) -> None:
        inject_adapter_in_model(LoraConfig(target_modules=["c_attn"], init_lora_weights=False), network)

    expected = ask(make("gpt2"))
    model = changing(make("gpt2"), add)
    with pytest.warns(UserWarning, match="fan_in_fan_out"):
        np.testing.assert_array_equal(ask(model).scores, expected.scores)
    assert not np.allclose(ask(model).scores, expected.scores, equal_nan=True), "the next one is of the adapted model"


def test_a_setting_that_changes_what_the_model_computes_is_another_model() -> None:
    """A hook that steers, an adapter's scale: neither changes a weight, both make a cached map wrong."""
    model = make("gpt2")
    before = model.fingerprint()
    assert model.fingerprint() == before
    handle = model.model.transformer.h[0].register_forward_hook(lambda *_: None)
    steered = model.fingerprint()
    model.model.transformer.h[0].scale = 2.0
    assert len({before, steered, model.fingerprint()}) == 3
    handle.remove()


# ── interrupts ───────────────────────────────────────────────────────────────────────────────────────────────────


def assert_nothing_is_left(model: Any, before: dict[str, Any]) -> None:
    assert state_of(model.model) == before
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_an_interrupt_at_any_line_of_the_thread_that_asked_leaves_nothing_behind() -> None:
    """One at each line of ours that this thread runs, in turn: the first, the second, … until a map comes whole."""
    model = made("gpt2")
    before, lines = state_of(model.model), 0

    def interrupted_at(line: int) -> bool:
        left = line

        def trace(frame: Any, event: str, _arg: Any) -> Any:
            nonlocal left
            if "saliency_widget" not in frame.f_code.co_filename:
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            ask(model)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(None)
        return False

    while interrupted_at(lines):
        assert_nothing_is_left(model, before)
        lines += 1
        assert lines < 1000
    assert lines > 20
    assert_nothing_is_left(model, before)


def interrupts(count: int) -> None:
    """Send interrupts as Ctrl-C does, at random instants of maps of every method."""
    model = made("gpt2")
    model.model.train()
    try:
        before, drawn = state_of(model.model), random.Random(0)
        seconds = {method: _seconds(model, method) for method in ALL}

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        handler = signal.signal(signal.SIGALRM, interrupt)
        try:
            for at in range(count):
                method = ALL[at % len(ALL)]
                try:
                    signal.setitimer(signal.ITIMER_REAL, drawn.random() * seconds[method] + 1e-4)
                    ask(model, method)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except KeyboardInterrupt:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                assert_nothing_is_left(model, before)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
    finally:
        model.model.eval()


def _seconds(model: Any, method: str) -> float:
    import time

    ask(model, method)
    started = time.perf_counter()
    ask(model, method)
    return time.perf_counter() - started


# Python itself swallows an interrupt that comes while it calls back for something that died, and says so.
SWALLOWED = "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"


@pytest.mark.filterwarnings(SWALLOWED)
def test_interrupts_leave_nothing_behind() -> None:
    interrupts(40)


@pytest.mark.long
@pytest.mark.filterwarnings(SWALLOWED)
def test_a_thousand_interrupts_leave_nothing_behind() -> None:
    interrupts(1000)
