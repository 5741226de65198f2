"""The homework's translation: which word of the source does each word come from? And what can be asked of a model."""

from __future__ import annotations

from typing import Any

import pytest

from .test_quickstart import becomes, live, python, run, share_in, tip, token

pytestmark = pytest.mark.browser

SHOW = (
    "import saliency_widget as sw, json\n"
    'w = sw.show("demo-translation", "我喜歡機器學習和人工智慧。", method="occlusion")'
)
# A classifier of a few thousand random weights: what counts is that its classes can be asked about.
CLASSIFY = """
import json, torch, saliency_widget as sw
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
from tokenizers import Tokenizer, models, pre_tokenizers, processors
words = {w: i for i, w in enumerate("[PAD] [UNK] [CLS] [SEP] [MASK] the film is a compelling drama .".split())}
made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
made.pre_tokenizer = pre_tokenizers.Whitespace()
made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                                    sep_token="[SEP]", mask_token="[MASK]", model_max_length=64)
torch.manual_seed(1)
config = BertConfig(vocab_size=12, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                    id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1})
w = sw.show((BertForSequenceClassification(config), tokenizer), "the film is a compelling drama.", method="saliency")
"""


def test_machine_comes_from_machine_in_two_clicks(notebook: Any) -> None:
    """One click on the word, and the source word is darkest and named; a second for another method."""
    nb = notebook(SHOW)
    view = run(nb)
    labels = view.locator(".sw-turn").all_inner_texts()
    assert [label.lower() for label in labels] == ["source", "translation"]
    written = "".join(view.locator(".sw-column").all_inner_texts())
    assert "machine" in written
    assert "intelligence" in written
    machine = view.locator(".sw-column", has_text="machine").first
    machine.click()
    nb.page.mouse.move(5, 5)
    assert view.locator(".sw-target-name").inner_text().strip() == "machine"
    assert view.locator(".sw-inputs").inner_text().strip().startswith("機器")
    source = python(nb, "next(i for i, t in enumerate(w.attribution.rows) if t.text == '機器')")
    token(view, source).hover()
    view.get_by_role("tooltip").wait_for()
    share = python(nb, "float(w.attribution.normalized()[w.attribution.row('機器'), w.attribution.col('machine')])")
    assert share_in(tip(view)) == pytest.approx(share, abs=5.1e-4)
    assert "rank 1 of" in tip(view)
    view.get_by_role("button", name="Gradient").click()
    view.get_by_text("share of the gradient norm").wait_for()
    nb.code("w.wait()")
    nb.page.mouse.move(5, 5)
    assert view.locator(".sw-inputs").inner_text().strip().startswith("機器")
    view.get_by_role("button", name="Matrix").click()
    view.locator("canvas").first.wait_for()
    nb.shot("translation-light", view)
    nb.theme("JupyterLab Dark")
    nb.shot("translation-dark", view)
    nb.theme("JupyterLab Light")


def test_the_menu_shows_every_method_and_why_some_cannot(notebook: Any) -> None:
    """Mamba has no attention: what looks at attention says so; what an LLM says waits to be asked for."""
    nb = notebook(
        "import json, torch, saliency_widget as sw\n"
        "from transformers import MambaConfig, MambaForCausalLM\n"
        'tokenizer = sw.load_model("demo-translation").tokenizer\n'
        "torch.manual_seed(0)\n"
        "config = MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, state_size=4)\n"
        "model = MambaForCausalLM(config)\n"
        "w = sw.show((model, tokenizer), input_ids=[5, 6, 7, 8], max_new_tokens=3)"
    )
    view = run(nb)
    at_hand = view.locator(".sw-methods-at-hand button").all_inner_texts()
    assert at_hand == ["Gradient", "Occlusion", "Input × gradient"]
    view.locator(".sw-more").click()
    items = nb.page.get_by_role("menuitemradio")
    named = items.locator("span").all_inner_texts()
    every = python(nb, "[[entry.method.label, entry.reason] for entry in sw.methods((model, tokenizer))]")
    ours = [(label, reason) for label, reason in every if "(inseq)" not in label]
    assert set(named) == {label for label, _ in ours} - set(at_hand)
    reasons = {label: reason for label, reason in ours if reason is not None}
    assert {"Attention", "AttnLRP", "Value zeroing", "LLM says"} <= set(reasons) <= set(named)
    for label, reason in reasons.items():
        item = items.filter(has=nb.page.get_by_text(label, exact=True))
        assert item.get_attribute("aria-disabled") == "true"
        assert reason in item.inner_text()
    nb.shot("menu", live(nb))
    items.filter(has_text="Integrated gradients").click()
    view.get_by_text("share of the contribution").wait_for()
    assert nb.code("print(w.wait().method)").strip() == "integrated_gradients"


def test_a_classifiers_classes_are_targets(notebook: Any) -> None:
    nb = notebook(CLASSIFY)
    nb.run_all(1)
    assert nb.code("print(type(w.wait()).__name__)").strip() == "Attribution"
    view = live(nb)
    view.get_by_text("POSITIVE").first.wait_for()
    probability = python(nb, "w.attribution.step_scores['probability'].tolist()")
    assert sum(probability) == pytest.approx(1, abs=1e-6)
    likely = ["NEGATIVE", "POSITIVE"][probability.index(max(probability))]
    assert view.locator(".sw-target-name").inner_text().strip() == likely
    view.get_by_role("button", name="NEGATIVE").click()
    nb.page.mouse.move(5, 5)
    assert becomes(nb, "w.selection", 0)
    view.get_by_role("button", name="Occlusion").click()
    view.get_by_text("share of the drop").wait_for()
    assert nb.code("print(w.wait().method)").strip() == "occlusion"
    nb.shot("classifier", view)
