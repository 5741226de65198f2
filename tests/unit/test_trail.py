"""The trail of a widget: branches, kept changes, and going back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.errors import Cancelled, InputError
from saliency_widget.protocol import PROTOCOL

from ..families import made, make
from .harness import TARGET, TEXT, before_each_pass


@pytest.fixture
def opened(harness, as_lent):
    def begin(model: Any, **asked: Any) -> Any:
        as_lent(model.model)
        h = harness(model, **({"text": TEXT} | asked))
        h.start()
        h.settled()
        return h

    return begin


def written_after(model: Any, source: list[int], ids: list[int], n: int) -> list[int]:
    """The most probable token, n times, by plain passes over ids."""
    out = []
    for _ in range(n):
        read = torch.tensor([ids + out])
        with torch.no_grad():
            if source:
                logits = model.model(torch.tensor([source]), decoder_input_ids=read, use_cache=False).logits
            else:
                logits = model.model(read, use_cache=False).logits
        out.append(int(logits[0, -1].argmax()))
    return out


def ids_of(whole: Any) -> tuple[list[int], list[int], list[int]]:
    """Source, text before the first target, targets."""
    source = [t.id for t in whole.rows if whole.segments[t.segment].kind == "source"]
    given = [t.id for t in whole.rows if t.position < whole.cols[0].position]
    return source, given[len(source) :], [t.id for t in whole.cols]


@pytest.mark.parametrize("name", ["llama", "gpt2", "marian", "t5", "mbart"])
def test_a_branch_has_the_other_token_and_goes_on_greedily_from_it(opened, name: str) -> None:
    """The ids before it are those that were there: nothing is decoded and encoded again."""
    model = made(name)
    h = opened(model)
    source, given, before = ids_of(h.controller.attribution)
    token = next(i for i in range(20, 30) if i != before[3])
    h.say("branch", col=3, token=token)
    whole = h.settled()
    assert ids_of(whole)[:2] == (source, given)
    begun = [*before[:3], token]
    assert ids_of(whole)[2] == begun + written_after(model, source, given + begun, 4)
    assert [m["doc"] for m in h.of("document")] == [1, 2]
    fresh = sw.attribute(model, input_ids=source or given, target_ids=ids_of(whole)[2], progress=False)
    np.testing.assert_allclose(whole.scores, fresh.scores, rtol=1e-5, atol=1e-12)
    assert (h.last("map")["doc"], h.last("map")["method"]) == (2, "saliency")
    columns = [h.columns[h.last("map")["map"], col] for col in range(8)]
    np.testing.assert_array_equal(np.stack(columns, axis=1), whole.scores)


def test_what_is_known_of_the_words_before_a_branch_is_told_with_it(opened, tiny_model) -> None:
    """Before any map of the new text is there. Probabilities to 1e-6: passes of other lengths round otherwise."""
    h = opened(tiny_model)
    before = {col: step for m in h.of("steps") for col, step in enumerate(m["steps"], m["start"])}
    h.messages.clear()
    h.say("branch", col=3, token=21)
    h.wait_for(lambda: h.of("steps"))
    first = h.of("steps")[0]
    assert (first["doc"], first["start"]) == (2, 0)
    assert len(first["steps"]) >= 3
    for col, step in enumerate(first["steps"][:3]):
        assert step["probability"] == pytest.approx(before[col]["probability"], rel=1e-6)
        for found, known in zip(step["alternatives"], before[col]["alternatives"], strict=True):
            assert (found["id"], found["text"]) == (known["id"], known["text"])
            assert found["probability"] == pytest.approx(known["probability"], rel=1e-6)
    h.settled()


def test_a_branch_at_the_last_word_still_lets_one_more_be_written(opened, tiny_model) -> None:
    h = opened(tiny_model, text=TEXT, target=TARGET)
    n = len(h.controller.attribution.cols)
    assert n > 8
    h.say("branch", col=n - 1, token=5)
    assert len(h.settled().cols) == n + 1


def test_a_branch_into_the_end_of_the_text_ends_it(opened) -> None:
    model = make("llama")
    end = model.tokenizer.eos_token_id
    model.model.generation_config.eos_token_id = [end]
    h = opened(model)
    h.say("branch", col=2, token=end)
    cols = h.settled().cols
    assert [t.id for t in cols][2:] == [end]


def test_a_branch_while_an_input_is_struck_out_goes_on_without_it(opened, tiny_model) -> None:
    """The alternatives on show are those of the shorter text; a strike of the word to replace itself is an error."""
    h = opened(tiny_model)
    source, given, before = ids_of(h.controller.attribution)
    first = len(given)
    h.say("branch", col=2, token=21, rows=[1, first])
    whole = h.settled()
    begun = [before[1], 21]
    left = [given[0], *given[2:]]
    assert ids_of(whole) == (source, left, begun + written_after(tiny_model, source, left + begun, 6))
    fresh = sw.attribute(tiny_model, input_ids=left, target_ids=ids_of(whole)[2], progress=False)
    np.testing.assert_allclose(whole.scores, fresh.scores, rtol=1e-5, atol=1e-12)
    steps = {col: step for m in h.of("steps") if m["doc"] == 2 for col, step in enumerate(m["steps"], m["start"])}
    for col, probability in enumerate(whole.step_scores["probability"]):
        assert steps[col]["probability"] == pytest.approx(probability, rel=1e-5)
    assert h.last("trail")["names"][1].startswith(f"{tiny_model.foil_text(21).strip()}, without")
    h.say("branch", col=1, token=21, rows=[len(left) + 1])
    h.wait_for(lambda: h.of("failed"))
    assert "struck out" in h.last("failed")["message"]
    h.say("branch", col=0, token=22, text="The new text")
    ids = tiny_model.tokenizer("The new text", add_special_tokens=True)["input_ids"]
    assert ids_of(h.settled())[1:] == (ids, [22, *written_after(tiny_model, [], [*ids, 22], 7)])


def test_the_question_on_show_is_asked_of_a_branch_without_its_foil_and_column(opened, tiny_model) -> None:
    h = opened(tiny_model)
    other = next(i for i in range(20, 30) if i not in [t.id for t in h.controller.attribution.cols])
    h.say("ask", method="occlusion", objective="logit", settings={"operator": "delete"}, foil=other, col=1)
    h.settled()
    h.say("branch", col=1, token=other)
    whole = h.settled()
    assert (whole.method, whole.objective, whole.settings["operator"]) == ("occlusion", "logit", "delete")
    assert (whole.foil, len(whole.cols)) == (None, 8)
    assert (h.last("map")["foil"], h.last("map")["col"]) == (None, None)


def test_the_trail_names_what_was_done_and_says_where_one_is(opened) -> None:
    model = made("llama")
    h = opened(model)
    assert (h.last("trail")["names"], h.last("trail")["at"]) == ([TEXT], 0)
    h.say("branch", col=2, token=model.tokenizer.convert_tokens_to_ids("Ġb"))
    h.settled()
    h.say("keep", rows=[1, 2, 3])
    h.settled()
    trail = h.last("trail")
    struck = "".join(t.text for t in sw.attribute(model, TEXT, max_new_tokens=1, progress=False).rows[1:4])
    assert (trail["names"], trail["at"]) == ([TEXT, "b", f"without {struck.strip()}"], 2)
    h.say("back", to=0)
    h.settled()
    h.say("keep", text="a bad cab")
    h.settled()
    assert (h.last("trail")["names"], h.last("trail")["at"]) == ([TEXT, "edited"], 1)  # what came after is dropped
    assert h.last("document")["editable"] == "a bad cab"


def test_the_first_text_is_named_by_its_first_words(opened) -> None:
    model = made("llama")
    h = opened(model, text="the  cab and\nthe dad " * 3, max_new_tokens=2)
    assert h.last("trail")["names"] == ["the cab and the dad the cab…"]
    h = opened(model, text=None, messages=[{"role": "user", "content": "a bad cab"}], max_new_tokens=2)
    assert h.last("trail")["names"] == ["a bad cab"]
    h = opened(model, text=None, input_ids=model.tokenizer("the cab")["input_ids"], max_new_tokens=2)
    assert h.last("trail")["names"] == ["the cab"]


def test_the_way_back_is_from_the_cache_and_begins_a_new_document(opened, tiny_model) -> None:
    h = opened(tiny_model)
    first = h.controller.attribution
    h.say("ask", method="attention", objective="probability", aside=True)
    h.settled()
    known = {m["map"]: {key[1]: h.columns[key] for key in h.columns if key[0] == m["map"]} for m in h.of("map")}
    h.say("branch", col=3, token=21)
    second = h.settled()
    passes = []
    with before_each_pass(tiny_model, lambda *_: passes.append(1)):
        h.messages.clear()
        h.columns.clear()
        h.say("back", to=0)
        again = h.settled()
        np.testing.assert_array_equal(again.scores, first.scores)
        assert (again.rows, again.cols) == (first.rows, first.cols)
        said = [m["type"] for m in h.messages if m["type"] != "heard"]  # which answers what was asked before
        assert said[:3] == ["trail", "document", "tokens"]
        assert h.last("document")["doc"] == 3
        assert {m["map"]: m["aside"] for m in h.of("map")} == dict(zip(known, [False, True], strict=True))
        for name, columns in known.items():
            for col, scores in columns.items():
                np.testing.assert_array_equal(h.columns[name, col], scores)
        assert sorted({c for m in h.of("steps") for c in range(m["start"], m["start"] + len(m["steps"]))}) == [
            *range(8)
        ]
        h.say("back", to=1)
        np.testing.assert_array_equal(h.settled().scores, second.scores)
        assert h.last("document")["doc"] == 4
        h.say("back", to=1)  # one is there already
        h.settled()
        assert h.last("document")["doc"] == 4
    assert passes == []


@pytest.mark.parametrize("name", ["llama", "marian", "bert"])
def test_what_is_kept_has_a_map_of_its_own(opened, name: str) -> None:
    """A kept change has its own map: that of the remaining ids with the same forced continuation."""
    model = made(name)
    h = opened(model, **({} if name == "bert" else {"target": "dad"}))
    source, given, targets = ids_of(h.controller.attribution)
    h.say("ask", method="input_x_gradient", objective="logit")
    h.say("keep", rows=[1, 3])
    kept = h.settled()
    fewer = [i for at, i in enumerate(source or given) if at not in (1, 3)]
    own = {} if name == "bert" else {"target_ids": targets}
    fresh = sw.attribute(model, input_ids=fewer, **own, method="input_x_gradient", objective="logit", progress=False)
    np.testing.assert_allclose(kept.scores, fresh.scores, rtol=1e-5, atol=1e-9)
    assert [t.id for t in kept.rows] == [t.id for t in fresh.rows]
    left = "".join(token.text for token in kept.rows[: len(fewer)] if token.role != "special")
    assert h.last("document")["editable"] == left.strip(), "the rest can be written anew"
    h.say("try", rows=[0])
    h.settled()
    assert h.last("what_if")["doc"] == h.last("document")["doc"]


def test_a_word_that_the_model_wrote_can_be_struck_and_kept_and_the_prompt_stays_as_it_was_given(opened) -> None:
    model = made("llama")
    h = opened(model)
    whole = h.controller.attribution
    h.say("keep", rows=[whole.cols[2].position])
    kept = h.settled()
    assert [t.id for t in kept.cols] == [t.id for i, t in enumerate(whole.cols) if i != 2]
    assert h.last("document")["editable"] == TEXT


def test_a_page_that_comes_later_hears_the_trail_before_the_text(opened, tiny_model) -> None:
    h = opened(tiny_model)
    h.say("branch", col=3, token=21)
    h.settled()
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    order = [m["type"] for m in h.messages]
    assert order[:4] == ["hello", "trail", "document", "tokens"]
    assert len(h.last("trail")["names"]) == 2
    assert order.index("menu") < order.index("steps") < order.index("map") < order.index("explainers")


@pytest.mark.parametrize(
    ("name", "wish", "message"),
    [
        ("llama", {"type": "branch", "col": 8, "token": 5}, "no column 8"),
        ("llama", {"type": "branch", "col": -1, "token": 5}, "no column -1"),
        ("llama", {"type": "branch", "col": 0, "token": 10**6}, "not in the vocabulary of tiny-llama"),
        ("llama", {"type": "branch", "col": 0, "token": -1}, "not in the vocabulary of tiny-llama"),
        ("bert", {"type": "branch", "col": 0, "token": 5}, "tiny-bert writes no text"),
        ("llama", {"type": "back", "to": 1}, "no text 1"),
        ("llama", {"type": "back", "to": -1}, "no text -1"),
        ("llama", {"type": "keep"}, "There is no change to keep"),
        ("llama", {"type": "heads", "col": 8}, "no column 8"),
        ("llama", {"type": "ask", "method": "saliency", "objective": "probability", "col": 99}, "no column 99"),
        ("llama", {"type": "ask", "method": "saliency", "objective": "logit", "foil": 10**6}, "not in the vocabulary"),
        ("bert", {"type": "ask", "method": "saliency", "objective": "logit", "foil": 3, "col": 0}, "no class 3"),
        ("llama", {"type": "ask", "method": "saliency", "objective": "logit", "aside": True, "col": -2}, "column -2"),
        ("llama", {"type": "ask", "method": "attention", "objective": "logit", "foil": 5}, "not use the objective"),
        ("llama", {"type": "ask", "method": "attention", "objective": "logit", "settings": {"layer": [1]}}, "layer"),
    ],
)
def test_what_makes_no_sense_is_said_and_all_stays_as_it_was(opened, name: str, wish: Any, message: str) -> None:
    h = opened(made(name))
    shown, doc = h.controller.attribution, h.last("document")["doc"]
    h.say(**wish)
    failed = h.failed()
    assert message in failed["message"]
    assert failed["cure"]
    assert h.last("document")["doc"] == doc
    assert h.controller.attribution is shown
    h.say("ask", method="random", objective="probability")
    assert h.settled().method == "random"


def test_cancel_while_a_branch_is_written_keeps_what_was_written(opened, tiny_model) -> None:
    h = opened(tiny_model, method="occlusion")  # which waits for the text: each pass writes a token
    passes = []

    def stop(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 3:
            h.controller.cancel()

    with before_each_pass(tiny_model, stop):
        h.say("branch", col=1, token=21)
        with pytest.raises(Cancelled):
            h.done()
    assert h.controller.attribution is None  # of this text there is no map yet
    h.wait_for(lambda: len(h.of("trail")[-1]["names"]) == 2)
    h.controller.ask(check_question("saliency", "probability", {}))
    whole = h.settled()
    assert [t.id for t in whole.cols][1] == 21
    assert len(whole.cols) == 4
    h.say("back", to=0)
    assert len(h.settled().cols) == 8


def test_a_branch_overtakes_the_map_of_the_text_before_and_that_is_gone_on_with_on_the_way_back(
    opened, tiny_model, computed
) -> None:
    """A branch interrupts the map, which continues after going back; each column is computed once."""
    h = opened(tiny_model)
    begun: list[int] = []

    def branch(*_: Any) -> None:
        if not begun and computed.is_halfway(8):
            begun.extend(computed.cols("input_x_gradient"))
            h.say("branch", col=3, token=21)

    with before_each_pass(tiny_model, branch):
        h.say("ask", method="input_x_gradient", objective="probability")
        whole = h.settled()
    assert begun
    assert (whole.method, whole.cols[3].id) == ("input_x_gradient", 21)
    assert len(computed.cols("input_x_gradient")) == len(begun) + len(whole.cols)
    h.say("back", to=0)
    fresh = sw.attribute(tiny_model, TEXT, max_new_tokens=8, method="input_x_gradient", progress=False)
    np.testing.assert_allclose(h.settled().scores, fresh.scores, rtol=1e-5, atol=1e-12)
    after = computed.cols("input_x_gradient")[len(begun) + len(whole.cols) :]
    assert sorted(begun + after) == [*range(8)]


def test_the_map_that_runs_goes_on_where_a_branch_cannot_be_and_the_failure_is_still_said(opened, tiny_model) -> None:
    h = opened(tiny_model)
    begun = []

    def branch(*_: Any) -> None:
        if not begun:
            begun.append(1)
            h.say("branch", col=99, token=21)

    with before_each_pass(tiny_model, branch):
        h.say("ask", method="input_x_gradient", objective="probability")
        failed = h.failed()
    assert "no column 99" in failed["message"]
    assert (h.controller.attribution.method, len(h.controller.attribution.cols)) == ("input_x_gradient", 8)
    with pytest.raises(InputError, match="no column 99"):
        h.done()


def test_a_map_of_a_model_with_other_weights_is_never_revived(opened, computed) -> None:
    model = make("llama")
    h = opened(model)
    h.say("branch", col=3, token=21)
    h.settled()
    model.model.get_output_embeddings().weight.data.mul_(1.5)
    before = len(computed.columns)
    h.say("back", to=0)
    whole = h.settled()
    ids = [t.id for t in whole.cols]
    fresh = sw.attribute(model, TEXT, target_ids=ids, progress=False)
    np.testing.assert_allclose(whole.scores, fresh.scores, rtol=1e-5, atol=1e-12)
    assert sorted(computed.columns[before:]) == [("saliency", col) for col in range(8)]
    model.model.get_output_embeddings().weight.data.div_(1.5)


def test_a_second_page_that_opens_while_a_branch_is_written_hears_all_of_it(opened, tiny_model) -> None:
    """From its hello on it has the text that is being written, from the start, and then the map."""
    h = opened(tiny_model)
    passes = []

    def open_page(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 3:
            h.say("hello", protocol=PROTOCOL)

    with before_each_pass(tiny_model, open_page):
        h.say("branch", col=1, token=21)
        whole = h.settled()
    at = max(i for i, m in enumerate(h.messages) if m["type"] == "hello")
    heard = h.messages[at:]
    assert [m["type"] for m in heard][:4] == ["hello", "trail", "document", "tokens"]
    tokens: list[dict[str, Any]] = []
    for message in heard:
        if message["type"] == "tokens":
            tokens[message["start"] :] = message["tokens"]
    assert [t["id"] for t in tokens][len(whole.rows) + 1 - 8 :] == [t.id for t in whole.cols]
    name = [m["map"] for m in heard if m["type"] == "map" and not m["aside"]][-1]
    assert {m["col"] for m in heard if m["type"] == "column" and m["map"] == name} == set(range(8))
