from __future__ import annotations

import gc
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from saliency_widget.errors import DamagedFile, DownloadFailed, InputError, ModelNotFound, OutOfMemory, UnknownName
from saliency_widget.models.causal import CausalModel
from saliency_widget.models.classifier import ClassifierModel
from saliency_widget.models.loading import checkpoint, gguf
from saliency_widget.models.loading import folder as model_folder
from saliency_widget.models.loading import load as loading
from saliency_widget.models.loading.load import load_model
from saliency_widget.models.seq2seq import Seq2SeqModel

from .test_gguf import metadata, tensors, tiny_gguf, write

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.usefixtures("nothing_shared")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small llama as a transformers folder, with its tokenizer."""
    folder = tmp_path_factory.mktemp("models")
    gguf.convert(tiny_gguf(folder / "tiny.gguf"), folder / "tiny")
    return folder / "tiny"


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder that a test may damage."""
    return Path(shutil.copytree(pristine, tmp_path / "tiny"))


def other_folder(base: Path, model: Any) -> Path:
    """The folder of another kind of model, with the same tokenizer."""
    model.save_pretrained(base)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base.parent / "tiny" / name, base)
    return base


# ── what is named ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("form", [str, Path, lambda p: f"{p}/"])
def test_a_folder_is_loaded_without_the_network(folder: Path, form: Callable[[Path], Any]) -> None:
    """A local folder, as text or as a Path: evaluation mode, float32 on a CPU, named after the folder."""
    model = load_model(form(folder), device="cpu")
    assert isinstance(model, CausalModel)
    assert (model.name, model.device.type, model.model.dtype) == ("tiny", "cpu", torch.float32)
    assert not model.model.training
    assert model.tokenizer("the").input_ids


@pytest.mark.usefixtures("no_network")
def test_a_gguf_file_is_the_same_model(folder: Path, pristine: Path) -> None:
    """A .gguf file gives the logits of the folder that was made from it, to the last bit."""
    one, two = load_model(folder, device="cpu"), load_model(str(pristine.parent / "tiny.gguf"), device="cpu")
    ids = torch.tensor([one.tokenizer("the president\n\n1").input_ids])
    assert two.tokenizer("the president\n\n1").input_ids == ids[0].tolist()
    with torch.no_grad():
        assert torch.equal(one.model(ids).logits, two.model(ids).logits)
    assert (two.name, two.model.generation_config.eos_token_id) == ("tiny", 2)


def test_other_gguf_files_need_two_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that our reader does not know goes to transformers' own; if that lacks packages, the error names them."""
    path = write(tmp_path / "m.gguf", metadata() | {"tokenizer.ggml.pre": "llama-bpe"}, tensors())
    monkeypatch.setattr(checkpoint, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match="llama-bpe") as caught:
        load_model(path)
    assert "pip install gguf accelerate" in caught.value.cure
    monkeypatch.setattr(checkpoint, "find_spec", lambda name: name)
    asked: list[Path] = []

    def other(path: Path, _numbers: Any) -> Any:
        asked.append(path)
        raise LookupError

    monkeypatch.setattr(checkpoint, "from_other_gguf", other)
    with pytest.raises(LookupError):
        load_model(path)
    assert asked == [path]


@pytest.mark.parametrize("source", ["./nothing", "/nothing/here", "~/nothing", "a/b/c", "nothing.gguf", "..", ""])
@pytest.mark.usefixtures("no_network")
def test_a_path_that_does_not_exist(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that looks like a path and is none is not looked up on the hub; the error names the path."""
    monkeypatch.chdir(tmp_path)
    if source == "..":
        with pytest.raises(DamagedFile, match="config.json"):
            load_model(source)
        return
    with pytest.raises(ModelNotFound, match=source.removeprefix("~").removeprefix(".") or "empty") as caught:
        load_model(source)
    assert '"demo"' in caught.value.cure


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("Demo", "demo"),
        ("dem", "demo"),
        (" demo ", "demo"),
        ("demo-translaton", "demo-translation"),
        ("demo_translation", "demo-translation"),
        ("Demo Translation", "demo-translation"),
    ],
)
def test_a_demo_that_is_mistyped(source: str, meant: str) -> None:
    """The right name is offered, and the hub is not asked for the wrong one."""
    with pytest.raises(ModelNotFound, match=re.escape(repr(source))) as caught:
        load_model(source)
    assert caught.value.cure == f'Did you mean "{meant}"?'


@pytest.mark.parametrize("hub_id", ["gpt2", "t5-small", "bert-base-uncased", "me/demo", "Demo/demo", "opus-mt-zh-en"])
def test_a_hub_id_is_no_mistyped_demo(hub_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are not similar to a demo's are requested from the hub."""
    hub_answers(monkeypatch, ConnectionError("asked"))
    with pytest.raises(ModelNotFound, match="asked"):
        load_model(hub_id)


@pytest.mark.usefixtures("no_network")
def test_a_folder_may_be_called_like_a_demo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An existing folder with a demo's name is loaded."""
    folder.rename(folder.parent / "Demo")
    monkeypatch.chdir(folder.parent)
    assert load_model("Demo").name == "Demo"


def test_a_file_that_is_no_gguf(folder: Path) -> None:
    """A file of a model folder: the error names the folder."""
    with pytest.raises(InputError, match=r"model\.safetensors") as caught:
        load_model(folder / "model.safetensors")
    assert str(folder) in caught.value.cure


# ── damage ───────────────────────────────────────────────────────────────────────────────────────────────────────


def cut(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json"),
        (lambda f: cut(f / "config.json", 40), "config.json"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors"),
        (lambda f: cut(f / "model.safetensors", -4), "model.safetensors"),
        (lambda f: cut(f / "model.safetensors", 100), "model.safetensors"),
        (lambda f: cut(f / "model.safetensors", 0), "model.safetensors"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda f: cut(f / "tokenizer.json", 500), "tokenizer.json"),
        (lambda f: cut(f / "tokenizer_config.json", 20), "tokenizer_config.json"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tiny"),
        (lambda f: (f / model_folder.INDEX).write_text("{}"), "index"),
        (lambda f: (f / model_folder.INDEX).write_text('{"weight_map": {"a": "model-2.safetensors"}}'), "model-2"),
    ],
)
def test_a_damaged_folder_names_the_file(folder: Path, damage: Callable[[Path], Any], names: str) -> None:
    """Missing, cut short or garbled: DamagedFile, with the file's name and a cure."""
    damage(folder)
    with pytest.raises(DamagedFile, match=names) as caught:
        load_model(folder)
    assert caught.value.cure


def test_missing_weights_are_damage(folder: Path) -> None:
    """Missing weights are an error, though transformers would fill them with random numbers."""
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DamagedFile, match=r"layers\.1\.mlp\.up_proj"):
        load_model(folder)


def test_a_damaged_gguf(pristine: Path, tmp_path: Path) -> None:
    """A .gguf file that is cut short: DamagedFile."""
    shutil.copy(pristine.parent / "tiny.gguf", tmp_path / "cut.gguf")
    cut(tmp_path / "cut.gguf", -1000)
    with pytest.raises(DamagedFile, match=r"cut\.gguf"):
        load_model(tmp_path / "cut.gguf")


def test_a_damaged_demo_can_be_made_anew(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For "demo" the cure is to delete the folder."""
    from saliency_widget.models.loading import demo

    monkeypatch.setenv("SALIENCY_WIDGET_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "cache" / demo.NAME
    place.parent.mkdir()
    shutil.copytree(folder, place)
    assert load_model("demo", dtype="float64").name == demo.NAME
    cut(place / "model.safetensors", -4)
    with pytest.raises(DamagedFile, match=r"model\.safetensors") as caught:
        load_model("demo")
    assert f"Delete {place}" in caught.value.cure


def test_a_demo_that_cannot_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the demo's download is raised unchanged."""
    monkeypatch.setenv("SALIENCY_WIDGET_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(DownloadFailed):
        load_model("demo")


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────────────────────


def hub_answers(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[Any]:
    """Let the hub raise an error for every request, and record the requests."""
    import huggingface_hub

    asked: list[Any] = []

    def raising(*args: Any, **_kwargs: Any) -> None:
        asked.append(args)
        raise error

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", raising)
    return asked


def http_error(kind: str) -> Exception:
    from huggingface_hub import errors

    cls = getattr(errors, kind)
    error = cls.__new__(cls)
    Exception.__init__(error, kind)
    return error


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("kind", "says", "cure"),
    [
        ("RepositoryNotFoundError", "no model 'me/nothing'", "hf auth login"),
        ("GatedRepoError", "gated", "Ask for access"),
        ("RemoteEntryNotFoundError", "no config.json", "original model"),
        (None, "cannot be reached", "HF_HUB_OFFLINE"),
    ],
)
def test_what_the_hub_does_not_give(kind: str | None, says: str, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, gated, no transformers model, out of reach: each has its own cure, and no file is asked for twice."""
    asked = hub_answers(monkeypatch, http_error(kind) if kind else ConnectionError("Name or service not known"))
    with pytest.raises(ModelNotFound, match=says) as caught:
        load_model("me/nothing")
    assert cure in caught.value.cure
    assert len(set(asked)) == len(asked) > 0


@pytest.mark.parametrize(
    ("error", "kind"),
    [(OSError("reset by peer"), DownloadFailed), (MemoryError(), OutOfMemory), (KeyError("x"), DamagedFile)],
)
def test_what_goes_wrong_after_the_hub_has_answered(
    error: Exception, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken connection is no damaged file, and too little memory is neither."""
    import huggingface_hub
    import transformers

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", fail)
    with pytest.raises(kind, match="me/big"):
        load_model("me/big")


def test_a_hub_model_in_the_cache_needs_no_network(pristine: Path, tmp_path: Path) -> None:
    """With HF_HUB_OFFLINE=1 a hub id is loaded from the cache; one that is not there is said at once."""
    repo = tmp_path / "hub" / "models--me--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("a" * 40)
    shutil.copytree(pristine, repo / "snapshots" / ("a" * 40))
    code = """
from saliency_widget.errors import ModelNotFound
from saliency_widget.models.loading.load import load_model
print(load_model("me/tiny", device="cpu"))
try:
    load_model("me/absent")
except ModelNotFound as error:
    print(error)
"""
    source = str(Path(loading.__file__).parents[3])
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": source}
    env.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    first, second = done.stdout.splitlines()
    assert first == "CausalModel('me/tiny', cpu, float32)"
    assert "'me/absent' is neither a folder here nor in the hub's cache" in second
    assert done.stderr == ""


# ── which models ─────────────────────────────────────────────────────────────────────────────────────────────────


def t5() -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(T5Config(vocab_size=263, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2))


def bert_classifier() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertForSequenceClassification(BertConfig(vocab_size=263, **size))


@pytest.mark.parametrize(("make", "kind"), [(t5, Seq2SeqModel), (bert_classifier, ClassifierModel)])
def test_other_kinds_of_models_are_seen_as_such(folder: Path, make: Callable[[], Any], kind: type) -> None:
    """Encoder-decoder models and classifiers, from a folder and as objects."""
    model = make()
    assert type(load_model(other_folder(folder.parent / "other", model))) is kind
    assert type(load_model((model, load_model(folder).tokenizer))) is kind


def test_a_model_of_another_task_is_refused(folder: Path) -> None:
    """Said before the weights are read, and for objects too."""
    from transformers import BertConfig, BertForMaskedLM

    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertForMaskedLM(BertConfig(vocab_size=263, **size))
    with pytest.raises(InputError, match="BertForMaskedLM") as caught:
        load_model(other_folder(folder.parent / "other", model))
    assert "writes text" in caught.value.cure
    with pytest.raises(InputError, match="BertForMaskedLM"):
        load_model((model, load_model(folder).tokenizer))


def test_code_from_the_folder_is_not_run(folder: Path) -> None:
    """A model that brings its own code needs trust_remote_code=True, and the error says so."""
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(InputError, match="own Python code") as caught:
        load_model(folder)
    assert "trust_remote_code=True" in caught.value.cure


def test_an_unknown_architecture(folder: Path) -> None:
    """A model type that this transformers does not have: upgrade."""
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "llama9"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="architecture") as caught:
        load_model(folder)
    assert "transformers" in caught.value.cure


def test_device_and_dtype(folder: Path) -> None:
    """They are applied, by name or as a torch.dtype; what does not exist is said, with what does."""
    assert load_model(folder, dtype="float64", device="cpu").model.dtype is torch.float64
    assert load_model(folder, dtype="torch.bfloat16", device="cpu").model.dtype is torch.bfloat16
    assert load_model(folder, dtype=torch.float16, device="cpu").model.dtype is torch.float16
    assert load_model(folder, dtype="auto", device="cpu").model.dtype is torch.float32
    with pytest.raises(UnknownName, match="float32"):
        load_model(folder, dtype="flaot32")
    with pytest.raises(UnknownName, match="cpu"):
        load_model(folder, device="gpu")
    with pytest.raises(InputError, match="no device 'cuda:99'"):
        load_model(folder, device="cuda:99")


def test_a_model_that_does_not_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory on the way to the device: an error of ours, with a smaller type as the cure."""

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(OutOfMemory, match="does not fit") as caught:
        load_model(folder)
    assert "bfloat16" in caught.value.cure


# ── what is handed over ──────────────────────────────────────────────────────────────────────────────────────────


def test_objects_are_taken_as_they_are(folder: Path) -> None:
    """A pair, a pipeline, an inseq model: the same objects inside, not moved, not converted, mode untouched."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).train()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inseq = type("HuggingfaceModel", (), {"__module__": "inseq.models.huggingface_model"})()
    inseq.model, inseq.tokenizer = model, tokenizer
    for source in ((model, tokenizer), pipeline("text-generation", model=model, tokenizer=tokenizer), inseq):
        model.train()
        wrapped = load_model(source)
        assert wrapped.model is model
        assert wrapped.tokenizer is tokenizer
        assert wrapped.name == "tiny"
        assert model.training
        assert model.dtype is torch.bfloat16
    assert load_model(wrapped) is wrapped


def test_objects_refuse_device_and_dtype(folder: Path) -> None:
    """device= and dtype= together with an object: an error, not silence."""
    model = load_model(folder)
    for source in (model, (model.model, model.tokenizer)):
        with pytest.raises(InputError, match="not changed") as caught:
            load_model(source, device="cpu")
        assert "model.to" in caught.value.cure


@pytest.mark.parametrize("source", [None, 3, ("a", "b"), (1, 2, 3), {"model": 1}])
def test_what_is_no_model(source: Any) -> None:
    """Anything else: an error that lists what is."""
    with pytest.raises(InputError, match="model") as caught:
        load_model(source)
    assert "(model, tokenizer)" in caught.value.cure


def test_a_pair_the_other_way_round(folder: Path) -> None:
    """(tokenizer, model): the error gives the order."""
    model = load_model(folder)
    with pytest.raises(InputError) as caught:
        load_model((model.tokenizer, model.model))
    assert "in this order" in caught.value.cure
    with pytest.raises(InputError):
        load_model(model.model)


# ── sharing, waiting, silence ────────────────────────────────────────────────────────────────────────────────────


def test_a_model_is_shared_while_someone_holds_it(folder: Path) -> None:
    """Asked for again, the same object; with another dtype, or once the files are new, another; let go, it is freed."""
    model = load_model(folder)
    assert load_model(str(folder)) is model
    assert load_model(folder, dtype="float64") is not model
    os.utime(folder / "model.safetensors", ns=(time.time_ns() + 10**9,) * 2)
    assert load_model(folder) is not model
    del model
    gc.collect()
    assert not loading.shared


def test_two_threads_load_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by four threads at once, a model is loaded once and shared."""
    loads = []
    original = checkpoint.pretrained

    def slow(*args: Any, **kwargs: Any) -> Any:
        loads.append(args)
        time.sleep(0.3)
        return original(*args, **kwargs)

    monkeypatch.setattr(checkpoint, "pretrained", slow)
    got: list[CausalModel] = []
    threads = [threading.Thread(target=lambda: got.append(load_model(folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len(set(map(id, got))) == 1
    assert len(loads) == 1


def test_waiting_can_be_stopped(folder: Path) -> None:
    """While another thread loads, `progress` is asked, and may raise; after that nothing is locked."""

    def stop(what: str, _done: int, _total: int | None) -> None:
        raise KeyboardInterrupt(what)

    with loading.turn, pytest.raises(KeyboardInterrupt, match="Waiting"):
        load_model(folder, progress=stop)
    with pytest.raises(KeyboardInterrupt, match="Loading tiny"):
        load_model(folder, progress=stop)
    assert load_model(folder).name == "tiny"


@pytest.mark.parametrize("silent", [True, False])
def test_loading_is_silent_and_leaves_the_settings(
    folder: Path, capfd: pytest.CaptureFixture[str], silent: bool
) -> None:
    """No bar and no warning reach the cell; transformers' own settings are afterwards what they were."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    try:
        if silent:
            logging.disable_progress_bar()
        logging.set_verbosity_info()
        set_to = logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()
        load_model(folder, dtype="float64", progress=lambda *_: None)
        now = logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()
        assert now == set_to
    finally:
        logging.set_verbosity(before[0])
        if silent and before[1]:
            logging.enable_progress_bar()
    assert capfd.readouterr() == ("", "")


@pytest.mark.demo
def test_the_demo_model_is_loaded() -> None:
    """ "demo" is the real model, shared, in float32 on a CPU."""
    model = load_model("demo", device="cpu")
    assert (model.name, model.model.dtype) == ("SmolLM2-135M-Instruct", torch.float32)
    assert load_model("demo", device="cpu") is model
