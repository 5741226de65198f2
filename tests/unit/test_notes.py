"""The notes of a method on its own result: page and static map have the same sentences and columns."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.export.notes import Note, notes
from saliency_widget.protocol import PROTOCOL
from saliency_widget.session.messages import notes_message

from ..families import make
from .harness import TARGET, TEXT


@pytest.fixture
def opened(harness):
    def begin(model: Any, **asked: Any) -> Any:
        h = harness(model, **asked)
        h.start()
        h.settled()
        return h

    return begin


def certain_of_the_second() -> Any:
    """A model that is certain of its second target, beyond its precision: nothing that was read moves that."""
    model = make("gpt2")
    sure = 1e5 * model.model.lm_head.weight.detach()[77]

    def certain(_module: Any, _args: Any, hidden: Any) -> Any:
        return torch.cat([hidden[:, :3], sure.expand(len(hidden), 1, -1), hidden[:, 4:]], 1)[:, : hidden.shape[1]]

    model.model.transformer.ln_f.register_forward_hook(certain)
    return model


IDS = {"text": None, "input_ids": [70, 71, 72], "target_ids": [74, 77]}


def told_in_html(attribution: Any) -> list[str]:
    """The sentences in the head of the static map, as a reader has them: by the markup, not by our list."""
    head = re.search(r'<div class="sw-head">(.*?)</div>', attribution.to_html(), re.DOTALL)[1]
    return [unescape(re.sub("<[^>]+>", "", line)) for line in head.split("<br>")[1:]]


@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_of_a_column_that_is_truly_zero_the_page_hears_and_which_it_is(opened, method: str) -> None:
    h = opened(certain_of_the_second(), method=method, **IDS)
    whole = h.controller.attribution
    assert [bool(np.nan_to_num(column).any()) for column in whole.scores.T] == [True, False]
    (note,) = h.last("notes")["notes"]
    assert note["text"].startswith("1 column is 0 throughout: the objective does not move there")
    assert note["cols"] == [1]
    assert h.last("notes")["map"] == h.last("map")["map"]


def test_a_map_of_one_column_counts_it_as_the_page_does(opened) -> None:
    """Asked about column 1 alone, the note is of column 1, though it is the first of its map."""
    h = opened(certain_of_the_second(), **IDS)
    h.messages.clear()
    h.say("ask", method="input_x_gradient", objective="probability", col=1)
    assert len(h.settled().cols) == 1
    assert [note["cols"] for note in h.last("notes")["notes"]] == [[1]]


@pytest.mark.parametrize(
    ("name", "dtype", "method"),
    [
        ("llama", torch.float64, "integrated_gradients"),
        ("llama", torch.float64, "attnlrp"),
        ("llama", torch.float64, "saliency"),
        ("gemma3", torch.bfloat16, "occlusion"),
        ("llama", torch.float16, "saliency"),
        ("bert", torch.float64, "integrated_gradients"),
    ],
)
def test_the_page_hears_every_sentence_of_the_static_map(opened, name: str, dtype: Any, method: str) -> None:
    model = make(name, dtype)
    h = opened(model, method=method, **({"text": TEXT} if name == "bert" else {}))
    whole = h.controller.attribution
    heard = [note for message in h.of("notes")[-1:] for note in message["notes"]]
    assert [note["text"] for note in heard] == told_in_html(whole)
    assert heard or method == "saliency"
    n = len(whole.cols)
    assert all(note["cols"] is None or {*note["cols"]} <= {*range(n)} for note in heard)


def test_a_later_page_and_a_text_that_comes_back_hear_them_again(opened, tiny_model) -> None:
    h = opened(tiny_model, method="integrated_gradients")
    first = h.last("notes")
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.wait_for(lambda: h.of("notes"))
    assert h.last("notes") == first
    order = [m["type"] for m in h.messages]
    assert order.index("map") < order.index("notes")
    h.say("branch", col=1, token=21)
    h.settled()
    h.messages.clear()
    h.say("back", to=0)
    h.settled()
    assert h.last("notes") == first


def test_of_a_map_that_has_nothing_to_say_no_message_is_sent(opened, tiny_model) -> None:
    h = opened(tiny_model)
    h.say("ask", method="attention", objective="probability")
    h.settled()
    assert not h.of("notes")
    h.controller.ask(check_question("integrated_gradients", "probability", {}))
    h.settled()
    assert h.of("notes")


# ── which columns ───────────────────────────────────────────────────────────────────────────────────────────────────


def a_map(scores: Any, **diagnostics: Any) -> sw.Attribution:
    scores = np.float32(scores)
    cols = [f" {name}" for name in "xyz"[: scores.shape[1]]]
    rows = list("abcd"[: len(scores)])
    plain = sw.Attribution.from_scores(scores, rows, cols, method="occlusion", signed=True)
    return replace(plain, diagnostics=diagnostics)


@pytest.mark.parametrize(
    ("diagnostics", "cols"),
    [
        ({"completeness_error": [0.1, 0.2, 0.3]}, None),
        ({"relevance_sum": [0.1, 0.2, 0.3], "value": [1.0, 1.0, 1.0]}, (0,)),
        ({"ids_left_out": [1.0, 1.0, 1.0]}, None),
        ({"spot_check": 0.45, "spot_check_proves": False}, None),
        ({"baseline_changed": [0.0, 2.0, 1.0]}, (1, 2)),
        ({"baseline_in_text": [1.0, 0.0, 0.0]}, (0,)),
        ({"precision_noise": [0.01, 0.3, 0.2]}, (1, 2)),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_note_names_the_columns_whose_diagnostic_says_so(diagnostics: Any, cols: Any) -> None:
    """Of the noise these are the columns half of whose scores (±0.1) are no larger."""
    told = [*notes(a_map([[0.9, 0.9, -0.9], [0.1, -0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]], **diagnostics))]
    assert told
    assert {note.cols for note in told} == {cols}


def test_zeros_are_told_where_plain_passes_have_confirmed_them() -> None:
    zeros = [[0.5, 0, 0], [0.5, 0, np.nan]]
    (note,) = notes(a_map(zeros, spot_check=0.0))
    assert note == Note(note.text, (1, 2))
    assert note.text.startswith("2 columns are 0 throughout")
    assert not [*notes(a_map(zeros))]
    (note,) = notes(a_map(zeros, spot_check=0.0, precision_noise=[0.0, 0.0, 0.0]))
    assert note.cols == (1, 2), "what is 0 for sure is not uncertain"


def test_columns_are_counted_from_the_first_target_of_the_text() -> None:
    """A map that lacks its first columns says so by the places of its tokens."""
    whole = a_map([[0.5, 0, 0.1], [0.5, 0, 0.1]], spot_check=0.0)
    begun = replace(whole, scores=whole.scores[:, 1:], cols=whole.cols[1:], step_scores={})
    assert [note["cols"] for note in notes_message("m", whole, 2)["notes"]] == [[1]]
    assert [note["cols"] for note in notes_message("m", begun, 2)["notes"]] == [[1]]


def test_the_sentences_of_a_half_precision_map_are_all_of_its_uncertain_columns(opened) -> None:
    """Beside the median of each column and its noise, worked out here."""
    h = opened(make("gemma3", torch.bfloat16), text=TEXT, target=TARGET, method="occlusion")
    whole = h.controller.attribution
    noise = whole.diagnostics["precision_noise"]
    lost = [
        col
        for col, told in enumerate(noise)
        if np.median([abs(s) for s in whole.scores[:, col].tolist() if not np.isnan(s)]) <= told
    ]
    assert lost
    half = [note for note in h.last("notes")["notes"] if "recision" in note["text"] or "float32" in note["text"]]
    assert [note["cols"] for note in half if "spot check" not in note["text"]] == [lost, lost]


def never_says(token: int) -> Any:
    """A model that holds one token for impossible: its probability moves nothing."""
    model = make("gpt2")

    def without(_module: Any, _args: Any, logits: Any) -> Any:
        return logits - 60 * torch.nn.functional.one_hot(torch.tensor(token), logits.shape[-1])

    model.model.lm_head.register_forward_hook(without)
    return model


def test_a_contrast_that_changes_nothing_says_so_and_what_to_try(opened) -> None:
    """Against a token that the model never says; against one that it might say the shares move, and nothing is said."""
    h = opened(never_says(5), text=None, input_ids=[70, 71, 72], target_ids=[74, 77])
    alone = h.controller.attribution.normalized()[:3, 0]
    for foil, is_said in ((5, True), (6, False)):
        h.say("ask", method="saliency", objective="probability", foil=foil, col=0)
        against = h.settled().normalized()[:3, 0]
        assert (np.abs(against - alone).max() < 0.01) == is_said
        texts = [note["text"] for note in h.last("notes")["notes"] if note["cols"] == [0]] if is_said else []
        assert any("changes nothing here" in text and "Try the logit" in text for text in texts) == is_said
        h.messages.clear()


def test_a_rollout_that_ends_at_the_first_token_says_so_of_these_targets_alone() -> None:
    """Beside shares reckoned by hand; on the page and in the static map it is the same sentence."""
    whole = sw.attribute(make("llama"), TEXT, target=TARGET, method="attention_rollout", progress=False)
    scores = np.zeros_like(whole.scores)
    scores[0], scores[1] = 1, 3
    scores[0, 1] = 9
    (note,) = notes(replace(whole, scores=scores))
    assert note.cols == (1,)
    assert "ends at the first token (75%)" in note.text
    assert "Try value zeroing" in note.text
    assert note.text in told_in_html(replace(whole, scores=scores))
    assert not list(notes(replace(whole, scores=scores[::-1])))
    assert not list(notes(replace(whole, scores=scores, method="attention")))
