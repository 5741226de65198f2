"""Adapters give the logits that peft itself computes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import DamagedFile, InputError, ModelNotFound
from saliency_widget.models.causal import CausalModel
from saliency_widget.models.classifier import ClassifierModel
from saliency_widget.models.loading import adapter
from saliency_widget.models.loading import load as loading
from saliency_widget.models.loading.load import load_model
from tests.families import byte_tokenizer

from .test_gguf import tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
IDS = torch.tensor([[70, 71, 72, 40]])


pytestmark = pytest.mark.usefixtures("nothing_shared")


def llama(**config: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    size = {"vocab_size": len(byte_tokenizer(pad="<|pad|>")), **_SMALL, "max_position_embeddings": 64} | config
    return LlamaForCausalLM(LlamaConfig(**size, bos_token_id=None, eos_token_id=None))


def bert(network: str, **config: Any) -> Any:
    import transformers

    torch.manual_seed(0)
    size = {"vocab_size": len(byte_tokenizer(pad="<|pad|>")), **_SMALL}
    return getattr(transformers, network)(transformers.BertConfig(**size | config))


def saved(model: Any, folder: Path) -> Path:
    """The model in a folder, with its tokenizer."""
    model.save_pretrained(folder)
    byte_tokenizer(pad="<|pad|>").save_pretrained(folder)
    return folder


def trained(model: Any, config: Any, folder: Path, **saving: Any) -> torch.Tensor:
    """Saves an adapter over `model` whose weights are far from the start; gives the logits of peft's own model."""
    from peft import get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks for names that transformers is about to drop
        whole = get_peft_model(model, config)
        torch.manual_seed(1)
        for weight in whole.parameters():
            if weight.requires_grad:
                torch.nn.init.normal_(weight, 0, 0.5)
        whole.save_pretrained(folder, **saving)
    with torch.no_grad():
        logits: torch.Tensor = whole.eval()(input_ids=IDS).logits
    return logits


def lora(**settings: Any) -> Any:
    from peft import LoraConfig

    return LoraConfig(**{"task_type": "CAUSAL_LM", "r": 4, "target_modules": ["q_proj", "v_proj"]} | settings)


def from_disk(folder: Path, network: str = "AutoModelForCausalLM", **options: Any) -> Any:
    """Return a base model loaded from its folder, so that it and its adapters have its path."""
    import transformers

    return getattr(transformers, network).from_pretrained(folder, **options)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return saved(llama(), tmp_path / "base")


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Path:
    """A LoRA over `base`, in a folder that a test may damage."""
    trained(from_disk(base), lora(), tmp_path / "poems")
    return tmp_path / "poems"


def logits_of(model: Any, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model.model(input_ids=ids).logits
    return logits


def rewrite(folder: Path, **settings: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


# ── what is loaded ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("no_network")
def test_an_adapter_is_put_over_the_base_that_it_names(base: Path, tmp_path: Path) -> None:
    """Logits are peft's own to the last bit, and not those of the base; nothing of it is in training mode."""
    wanted = trained(from_disk(base), lora(lora_dropout=0.5), tmp_path / "poems")
    model = load_model(tmp_path / "poems", device="cpu")
    assert isinstance(model, CausalModel)
    assert (model.name, type(model.model).__name__, model.device.type) == ("poems", "LlamaForCausalLM", "cpu")
    assert torch.equal(logits_of(model), wanted)
    assert (logits_of(load_model(base, device="cpu")) - wanted).abs().max() > 0.1
    assert not any(module.training for module in model.model.modules())


@pytest.mark.parametrize(
    "make",
    [
        lambda: lora(use_dora=True),
        lambda: lora(target_modules="all-linear", bias="all"),
        lambda: lora(modules_to_save=["embed_tokens", "lm_head"]),
        lambda: lora(target_modules=["q_proj", "embed_tokens"]),
        lambda: lora(trainable_token_indices=[70, 71]),
        lambda: peft_config("IA3Config", target_modules=["q_proj", "up_proj"], feedforward_modules=["up_proj"]),
        lambda: peft_config("LoHaConfig", target_modules=["q_proj"]),
        lambda: peft_config("VeraConfig", target_modules=["q_proj"]),
        lambda: peft_config("VBLoRAConfig", target_modules=["q_proj"], vector_length=2, num_vectors=64),
        lambda: peft_config("AdaptionPromptConfig", adapter_len=4, adapter_layers=2),
    ],
)
def test_every_kind_that_changes_layers_gives_what_peft_gives(make: Callable[[], Any], base: Path) -> None:
    """Weight norms, biases, retrained embeddings, shared banks of vectors: logits are peft's own to the last bit."""
    wanted = trained(from_disk(base), make(), base.parent / "other")
    assert torch.equal(logits_of(load_model(base.parent / "other")), wanted)


def peft_config(kind: str, **settings: Any) -> Any:
    import peft

    return getattr(peft, kind)(task_type="CAUSAL_LM", **settings)


def test_an_adapter_that_knows_more_tokens_than_its_base(base: Path, tmp_path: Path) -> None:
    """Tokens that were added in training have the adapter's rows, and the logits are peft's own."""
    model = from_disk(base)
    there = model.get_input_embeddings().weight.shape[0]
    model.resize_token_embeddings(there + 3)
    with torch.no_grad():
        model.get_input_embeddings().weight[-3:].normal_()
    trained(model, lora(), tmp_path / "grown")
    ids = torch.tensor([[70, there + 2, 71]])
    with torch.no_grad():
        wanted = model(input_ids=ids).logits  # by now the adapter is in it
    assert torch.equal(logits_of(load_model(tmp_path / "grown"), ids), wanted)


@pytest.mark.parametrize("own", [True, False])
def test_whose_tokenizer_it_is(own: bool, base: Path, folder: Path) -> None:
    """The adapter's own where its folder holds one, and then the base may lack it; else the base's."""
    if own:
        tokenizer = byte_tokenizer(pad="<|pad|>", language="<|mine|>")
        tokenizer.save_pretrained(folder)
        for file in base.glob("tokenizer*"):
            file.unlink()
    tokens = load_model(folder).tokenizer.get_vocab()
    assert ("<|mine|>" in tokens) is own
    assert "<|pad|>" in tokens


@pytest.mark.parametrize("architecture", ["BertModel", "BertForSequenceClassification"])
def test_a_classifier_s_adapter_brings_its_own_head(architecture: str, tmp_path: Path) -> None:
    """Over a bare encoder, or over a head for another number of classes: as many classes as it was trained with."""
    base = saved(bert(architecture), tmp_path / "base")
    kept = {"num_labels": 3, "ignore_mismatched_sizes": True}
    model = from_disk(base, "AutoModelForSequenceClassification", **kept)
    wanted = trained(model, lora(task_type="SEQ_CLS", target_modules=["query"]), tmp_path / "mood")
    loaded = load_model(tmp_path / "mood")
    assert isinstance(loaded, ClassifierModel)
    assert len(loaded.labels) == 3
    assert torch.equal(logits_of(loaded), wanted)


@pytest.mark.usefixtures("no_network")
def test_a_gguf_file_can_be_the_base(tmp_path: Path) -> None:
    """The base is found in every way that a model is found; here a .gguf file, with its own tokenizer."""
    file = tiny_gguf(tmp_path / "tiny.gguf")
    plain = load_model(file)
    wanted = trained(plain.model, lora(), tmp_path / "poems", save_embedding_layers=False)
    rewrite(tmp_path / "poems", base_model_name_or_path=str(file))
    loading.shared.clear()
    loaded = load_model(tmp_path / "poems")
    assert torch.equal(logits_of(loaded), wanted)
    assert loaded.tokenizer.get_vocab() == plain.tokenizer.get_vocab()


@pytest.mark.parametrize("method", ["saliency", "attnlrp", "value_zeroing", "occlusion"])
def test_the_map_is_that_of_the_merged_weights(method: str, folder: Path) -> None:
    """Every way through an adapter's layers: the same numbers as on plain layers with the product added in."""
    asked: dict[str, Any] = {"input_ids": [70, 71, 72], "target_ids": [40, 41], "method": method, "progress": False}
    model = load_model(folder, dtype="float64")
    a = sw.attribute(model, **asked)
    plain = llama().double().eval()
    state = {n.replace(".base_layer", ""): w for n, w in model.model.state_dict().items() if "lora_" not in n}
    for i, layer in enumerate(model.model.model.layers):
        for name in ("q_proj", "v_proj"):
            part = getattr(layer.self_attn, name)
            product = part.lora_B["default"].weight @ part.lora_A["default"].weight
            state[f"model.layers.{i}.self_attn.{name}.weight"] += part.scaling["default"] * product
    plain.load_state_dict(state)
    b = sw.attribute((plain, model.tokenizer), **asked)
    atol = 1e-6 * np.nanmax(np.abs(b.scores))  # norms and rotations are computed in float32
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-4, atol=atol)
    np.testing.assert_allclose(a.step_scores["probability"], b.step_scores["probability"], rtol=1e-5)


def test_a_base_that_was_written_anew_is_another_model(base: Path, folder: Path) -> None:
    """Shared while both folders are as they were; after the base has changed, loaded anew."""
    model = load_model(folder)
    assert load_model(folder) is model
    os.utime(base / "model.safetensors", ns=(time.time_ns() + 10**9,) * 2)
    assert load_model(folder) is not model


# ── what cannot be loaded ────────────────────────────────────────────────────────────────────────────────────────


def test_without_peft_the_cure_is_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before the base is read, with the two ways to get the package."""
    monkeypatch.setattr(adapter, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match="holds an adapter") as caught:
        load_model(folder)
    assert "pip install peft" in caught.value.cure
    assert "saliency-widget[adapters]" in caught.value.cure


@pytest.mark.parametrize("name", ["./gone", "a/b/c", ""])
@pytest.mark.usefixtures("no_network")
def test_a_base_that_is_not_there(name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the adapter and its base, and where the base is written down."""
    monkeypatch.chdir(tmp_path)
    rewrite(folder, base_model_name_or_path=name)
    with pytest.raises(ModelNotFound if name else InputError, match="poems") as caught:
        load_model(folder)
    assert name.removeprefix(".") in caught.value.message
    assert "base_model_name_or_path" in caught.value.cure


def test_a_base_that_the_hub_does_not_have(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub id is asked for as any other, and what the hub says is said of the adapter's base."""
    import huggingface_hub

    def unreachable(*_args: Any, **_kwargs: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    rewrite(folder, base_model_name_or_path="me/absent")
    with pytest.raises(ModelNotFound, match=r"poems lacks its base model\. 'me/absent'.*no route") as caught:
        load_model(folder)
    assert "Check the network" in caught.value.cure


def test_a_base_that_is_an_adapter_itself(folder: Path) -> None:
    """Also one that names itself: an error, and no endless search."""
    rewrite(folder, base_model_name_or_path=str(folder))
    with pytest.raises(InputError, match="is an adapter itself") as caught:
        load_model(folder)
    assert "merge_and_unload" in caught.value.cure


def cut(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda f: (f / "adapter_model.safetensors").unlink(), r"adapter_model\.safetensors"),
        (lambda f: cut(f / "adapter_model.safetensors", -4), r"adapter_model\.safetensors"),
        (lambda f: cut(f / "adapter_model.safetensors", 30), r"adapter_model\.safetensors"),
        (lambda f: cut(f / "adapter_config.json", 30), r"adapter_config\.json"),
        (lambda f: (f / "adapter_config.json").write_text("[]"), r"adapter_config\.json"),
        (lambda f: rewrite(f, peft_type="NEVER_HEARD_OF"), "poems"),
        (lambda f: (f / "tokenizer.json").write_text("{"), r"tokenizer\.json"),
    ],
)
def test_a_damaged_adapter_names_the_file(damage: Callable[[Path], Any], names: str, folder: Path) -> None:
    """Missing, cut short or garbled: DamagedFile, with the file's name and a cure."""
    damage(folder)
    with pytest.raises(DamagedFile, match=names) as caught:
        load_model(folder)
    assert caught.value.cure


def test_a_damaged_base_names_its_own_file(base: Path, folder: Path) -> None:
    """A fault of the base is said of the base."""
    cut(base / "model.safetensors", -4)
    with pytest.raises(DamagedFile, match=r"base.model\.safetensors"):
        load_model(folder)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: llama(hidden_size=32), "size mismatch"),
        (lambda: llama(num_hidden_layers=1), r"no place for .*layers\.1\."),
        (lambda: llama(num_hidden_layers=3), r"no weights for .*layers\.2\."),
        (lambda: bert("BertLMHeadModel", is_decoder=True), "q_proj"),
    ],
)
def test_an_adapter_that_does_not_fit(make: Callable[[], Any], says: str, base: Path, folder: Path) -> None:
    """Another width, fewer or more layers, other layers: peft and transformers would go on with three of the four."""
    shutil.rmtree(base)
    saved(make(), base)
    with pytest.raises(InputError, match=f"does not fit.*{says}") as caught:
        load_model(folder)
    assert caught.value.message.count("does not fit") == 1
    assert "base_model_name_or_path" in caught.value.cure


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: peft_config("PromptTuningConfig", num_virtual_tokens=4), "virtual tokens"),
        (lambda: peft_config("PrefixTuningConfig", num_virtual_tokens=4), "virtual tokens"),
        (lambda: lora(alora_invocation_tokens=[70]), "only after certain tokens"),
    ],
)
def test_adapters_that_do_not_act_on_the_whole_text(make: Callable[[], Any], says: str, base: Path) -> None:
    """Virtual tokens have no rows in a map, and a model that changes in mid-text is not followed: both are refused."""
    trained(from_disk(base), make(), base.parent / "other")
    with pytest.raises(InputError, match=says) as caught:
        load_model(base.parent / "other")
    assert "LoRA" in caught.value.cure or "whole text" in caught.value.cure


@pytest.mark.parametrize("task", ["TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"])
def test_an_adapter_for_another_task(task: str, folder: Path) -> None:
    """It neither writes nor classifies a text, whatever its base may do."""
    rewrite(folder, task_type=task)
    with pytest.raises(InputError, match="poems is a PeftModelFor"):
        load_model(folder)


def test_a_head_that_nobody_has(tmp_path: Path) -> None:
    """Weights that neither the base nor the adapter holds would be random: DamagedFile names one."""
    base = saved(bert("BertForMaskedLM"), tmp_path / "base")  # without the pooler, which stands before the classes
    model = from_disk(base, "AutoModelForSequenceClassification")
    trained(model, lora(task_type="SEQ_CLS", target_modules=["query"]), tmp_path / "mood")
    with pytest.raises(DamagedFile, match=r"lacks weights: bert\.pooler"):
        load_model(tmp_path / "mood")


def test_a_whole_model_and_an_adapter_in_one_folder(base: Path, folder: Path) -> None:
    """Nobody can see whether the adapter has been merged in already, so it is asked."""
    for file in folder.iterdir():
        shutil.copy(file, base)
    with pytest.raises(InputError, match="whole model and an adapter") as caught:
        load_model(base)
    assert "adapter_config.json" in caught.value.cure


# ── adapters on the hub ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_hub_id_of_an_adapter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with an adapter_config.json and no config.json: its few files are fetched, and go over the base."""
    import huggingface_hub
    from huggingface_hub import errors

    def metadata(url: str, **_kwargs: Any) -> None:
        if not url.endswith("adapter_config.json"):
            error = errors.RemoteEntryNotFoundError
            raise error.__new__(error)

    asked: list[tuple[str, bool]] = []

    def snapshot(hub_id: str, *, allow_patterns: list[str], local_files_only: bool) -> str:
        assert "*.safetensors" not in allow_patterns  # a whole model is not fetched by mistake
        asked.append((hub_id, local_files_only))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", metadata)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    model = load_model("me/poems")
    assert model.name == "me/poems"
    assert torch.equal(logits_of(model), logits_of(load_model(folder)))
    assert asked == [("me/poems", False)]


def test_adapters_and_bases_in_the_cache_need_no_network(base: Path, folder: Path, tmp_path: Path) -> None:
    """With the hub out of reach both are read from the cache, without retries that a reader would wait for."""
    rewrite(folder, base_model_name_or_path="me/base")
    for name, source in (("base", base), ("poems", folder)):
        repo = tmp_path / "hub" / f"models--me--{name}"
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text("a" * 40)
        shutil.copytree(source, repo / "snapshots" / ("a" * 40))
    code = "from saliency_widget import load_model\nprint(load_model('me/poems', device='cpu'))"
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    env["PYTHONPATH"] = str(Path(loading.__file__).parents[3])
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        env.pop(name, None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("CausalModel('me/poems', cpu, float32)\n", "")  # a retry is logged
