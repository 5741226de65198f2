"""The what-if, against plain forward passes of transformers over other ids."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
import torch

from saliency_widget.errors import Cancelled
from saliency_widget.models.classifier import ClassifierModel
from saliency_widget.protocol import PROTOCOL

from ..families import CLASSIFIERS, SEQ2SEQ, Column, made, plain_logits
from .harness import before_each_pass
from .waiting import GUARD

SOURCE, TARGET = "a cab. Bad", "dad"
FAMILIES = ["llama", "gpt2", "bert_lm", "marian", "t5", "bert", "gpt2_classifier"]


@pytest.fixture
def opened(harness, as_lent):
    def make(name: str, **prompt: Any) -> Any:
        as_lent(made(name).model)
        own = {} if name in CLASSIFIERS else {"target": TARGET}
        h = harness(made(name), **({"text": SOURCE} | own | prompt))
        h.start()
        h.settled()
        return h

    return make


def columns_of(h: Any) -> list[Column]:
    """Return what each column is predicted from: the ids that the map on show says."""
    whole = h.controller.attribution
    source = tuple(t.id for t in whole.rows if t.role == "source" or (t.role == "special" and _is_source(whole, t)))
    ids = tuple(t.id for t in whole.rows)[len(source) :]
    n = len(source)
    if whole.cols[0].role == "class":
        return [Column((), ids, t.id) for t in whole.cols]
    return [Column(source, ids[: t.position - n], t.id) for t in whole.cols]


def _is_source(whole: Any, token: Any) -> bool:
    return whole.segments[token.segment].kind == "source"


def probability(name: str, column: Column) -> float:
    return float(plain_logits(name, column).softmax(-1)[column.target])


def masked(name: str, column: Column, rows: list[int]) -> float:
    """The same where nobody can attend to these rows: a plain call with an attention mask, up to the last row left."""
    model, n, n_rows = made(name).model, len(column.source), len(column.rows)
    last = max(row for row in range(n_rows) if row not in rows) + 1
    seen = torch.tensor([[int(row not in rows) for row in range(last)]])
    ids = torch.tensor([column.ids[: last - n]])
    with torch.no_grad():
        if name in SEQ2SEQ:
            given = {"decoder_input_ids": ids, "decoder_attention_mask": seen[:, n:], "use_cache": False}
            logits = model(torch.tensor([column.source]), attention_mask=seen[:, :n], **given).logits[0, -1]
        else:
            logits = model(ids, attention_mask=seen).logits[0]
    return float((logits if name in CLASSIFIERS or name in SEQ2SEQ else logits[-1]).double().softmax(-1)[column.target])


def tried(h: Any, **change: Any) -> dict[str, Any]:
    n = len(h.of("what_if"))
    h.say("try", **change)
    h.settled()
    assert len(h.of("what_if")) > n
    return h.last("what_if")


@pytest.mark.parametrize("name", FAMILIES)
def test_struck_tokens_are_gone_and_the_same_targets_follow(opened, name: str) -> None:
    """In float64 on both sides; the engine reads its probabilities in float32, hence 1e-6."""
    h = opened(name)
    rows = [1, 2, 5]
    told = tried(h, rows=rows)
    columns = columns_of(h)
    assert (told["rows"], told["text"]) == (rows, None)
    assert told["before"] == pytest.approx([probability(name, c) for c in columns], abs=1e-6)
    assert told["after"] == pytest.approx([masked(name, c, rows) for c in columns], abs=1e-6)
    assert (told["operator"], told["reason"]) == ("mask", None)
    assert told["before"] != pytest.approx(told["after"], abs=1e-6)


@pytest.mark.parametrize("name", ["mamba", "bloom"])
def test_where_a_model_cannot_mask_struck_tokens_are_deleted_and_the_reason_is_told(opened, name: str) -> None:
    h = opened(name)
    told = tried(h, rows=[1, 2, 5])
    without = [c.changed(dict.fromkeys([1, 2, 5])) for c in columns_of(h)]
    assert told["after"] == pytest.approx([probability(name, c) for c in without], abs=1e-5)
    assert told["operator"] == "delete"
    assert ("attention" if name == "mamba" else "counts positions") in told["reason"]


@pytest.mark.parametrize("name", [*FAMILIES[:5]])
def test_of_a_struck_word_that_the_model_wrote_what_comes_before_stands_and_it_is_no_target(opened, name: str) -> None:
    h = opened(name)
    columns = columns_of(h)
    second = len(columns[1].rows)  # its row
    told = tried(h, rows=[second])
    before, after = told["before"], told["after"]
    assert after[:2] == [before[0], None]
    assert after[2] == pytest.approx(masked(name, columns[2], [second]), abs=1e-6)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "bert_lm"])
def test_another_text_comes_before_the_same_targets(opened, name: str) -> None:
    h = opened(name)
    told = tried(h, text="the bad cab")
    tokenizer = made(name).tokenizer
    new = tuple(tokenizer("the bad cab")["input_ids"])
    changed = []
    for column in columns_of(h):
        n_given = len(tokenizer(SOURCE)["input_ids"])
        if name in SEQ2SEQ:
            changed.append(Column(new, column.ids, column.target))
        else:
            changed.append(Column((), new + column.ids[n_given:], column.target))
    assert told["text"] == "the bad cab"
    assert told["after"] == pytest.approx([probability(name, c) for c in changed], abs=1e-6)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "bert_lm"])
def test_an_edit_is_told_as_what_is_gone_and_what_is_written_in_its_place(opened, name: str) -> None:
    """The tokens without those that are gone, with what is written put in, spell the new text; both ends of it stay."""
    h = opened(name)
    rows = h.controller.attribution.rows
    told = tried(h, text="a dad. Bad")
    put_in = dict(told["written"])
    spelled = ""
    for at, token in enumerate(rows[: h.last("document")["first_target"]]):
        spelled += put_in.get(at, "")
        spelled += token.text if at not in told["rows"] and token.role != "special" else ""
    assert spelled.strip() == "a dad. Bad"
    assert 0 < len(told["rows"]) <= 4
    assert not {0, len(rows) - 1} & set(told["rows"])
    struck = tried(h, rows=[1])
    assert (struck["rows"], struck["written"]) == ([1], [])


@pytest.mark.parametrize("name", ["llama", "gpt2", "marian", "bert"])
def test_after_tokens_are_struck_out_the_rest_can_still_be_written_anew(opened, name: str) -> None:
    """The editor offers the text without them, and reads its change as if it had been given so."""
    h = opened(name)
    word = next(i for i, t in enumerate(h.controller.attribution.rows) if "b" in t.text.lower() and t.role != "special")
    left = "".join(
        t.text for i, t in enumerate(h.controller.attribution.rows)
        if i != word and i < h.last("document")["first_target"] and t.role != "special"
    )  # fmt: skip
    h.say("keep", rows=[word])
    h.settled()
    assert h.last("document")["editable"].strip() == left.strip()
    told = tried(h, text="the bad cab")
    other = opened(name, text="the bad cab")
    assert told["after"] == pytest.approx(tried(other, rows=[1])["before"], abs=1e-6)


def test_after_a_word_of_the_last_turn_is_struck_out_the_turn_can_still_be_written_anew(opened) -> None:
    """Without a token of the template it cannot be edited: what would be read then was never given."""
    chat = [{"role": "user", "content": "the dad"}, {"role": "user", "content": "a bad cab"}]
    h = opened("llama", text=None, messages=chat)
    rows = h.controller.attribution.rows
    last = max(i for i, t in enumerate(rows[: h.last("document")["first_target"]]) if t.text.strip() == "b")
    h.say("keep", rows=[last])
    h.settled()
    assert h.last("document")["editable"] == "a bad ca"
    h.say("keep", rows=[0])
    h.settled()
    assert h.last("document")["editable"] is None


def test_in_a_chat_the_last_turn_of_the_user_is_written_anew(opened) -> None:
    """By the model's own template; what was said before it stays."""
    chat = [
        {"role": "user", "content": "a bad cab"},
        {"role": "assistant", "content": "the dad"},
        {"role": "user", "content": "a cab"},
    ]
    h = opened("llama", text=None, messages=chat)
    assert h.last("document")["editable"] == "a cab"
    told = tried(h, text="the bad dad")
    tokenizer = made("llama").tokenizer
    chat[2]["content"] = "the bad dad"
    rendered = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    ids = tuple(tokenizer(rendered)["input_ids"])
    targets = [c.target for c in columns_of(h)]
    expected = [probability("llama", Column((), (*ids, *targets[:i]), t)) for i, t in enumerate(targets)]
    assert told["after"] == pytest.approx(expected, abs=1e-6)


def test_template_tokens_can_be_struck_and_the_turns_of_its_map_close_up(opened) -> None:
    h = opened("llama", text=None, messages=[{"role": "user", "content": "a cab"}])
    special = [i for i, t in enumerate(h.controller.attribution.rows) if t.role == "special"][:2]
    told = tried(h, rows=special)
    expected = [masked("llama", c, special) for c in columns_of(h)]
    assert told["after"] == pytest.approx(expected, abs=1e-6)
    h.say("keep", rows=special)
    kept = h.settled()
    assert [s.kind for s in kept.segments] == ["user", "assistant"]
    assert [s.end for s in kept.segments][-1] == len(kept.rows) + 1


def test_what_is_tried_is_told_to_the_page_that_asked_and_to_no_later_one(opened) -> None:
    h = opened("llama")
    told = tried(h, rows=[2, 1, 2], request=2**52)
    assert (told["request"], told["rows"]) == (2**52, [1, 2])
    undone = {"rows": [], "operator": None, "before": [], "after": [], "others": []}
    assert tried(h, request=9) == {**told, "request": 9, **undone}
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    assert h.of("map")
    assert not h.of("what_if")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("llama", {"rows": [99]}, "no input token 99"),
        ("llama", {"rows": [-1]}, "no input token -1"),
        ("llama", {"rows": ["1"]}, "A row is '1'"),
        ("llama", {"rows": [True]}, "A row is True"),
        ("llama", {"rows": [1.5]}, "A row is 1.5"),
        ("llama", {"rows": list(range(9))}, "nothing left for tiny-llama to read"),
        ("bert", {"rows": list(range(11))}, "nothing left for tiny-bert to read"),
        ("marian", {"rows": list(range(9))}, "nothing left for tiny-marian to read"),
        ("marian", {"rows": [9]}, "nothing left for tiny-marian to read"),
        ("llama", {"text": ""}, "text is empty"),
        ("llama", {"text": "a" * 200}, "reads at most 128"),
        ("llama", {"rows": [1], "text": "a"}, "struck out and the text is edited too"),
    ],
)
def test_a_change_that_cannot_be_is_said_and_has_no_reply(opened, name: str, change: Any, message: str) -> None:
    h = opened(name)
    h.say("try", **change, request=8)
    failed = h.failed()
    assert message in failed["message"]
    assert failed["cure"]
    assert h.of("unanswered") == [{"type": "unanswered", "request": 8}]
    assert not h.of("what_if")
    h.say("ask", method="random", objective="probability")
    assert h.settled().method == "random"


def test_of_a_model_that_gives_numbers_a_change_is_told_in_its_numbers(harness) -> None:
    """Before and after are its logits as plain transformers gives them for both lists of ids."""
    bert = made("bert")
    model = ClassifierModel(bert.model, bert.tokenizer, name="numbers", applied="none")
    h = harness(model, text=SOURCE, objective="logit")
    h.start()
    h.settled()
    steps = [step for message in h.of("steps") for step in message["steps"]]
    assert all(step["probability"] is None and math.isfinite(step["value"]) for step in steps)
    told = tried(h, rows=[1, 2])
    ids = [t.id for t in h.controller.attribution.rows]
    for side, gone in (("before", []), ("after", [1, 2])):
        seen = torch.tensor([[int(row not in gone) for row in range(len(ids))]])
        with torch.no_grad():
            plain = bert.model(torch.tensor([ids]), attention_mask=seen).logits[0].tolist()
        assert told[side] == pytest.approx(plain, abs=1e-5)
    assert told["before"] != pytest.approx(told["after"], abs=1e-4)


def test_a_text_given_as_ids_cannot_be_written_anew(opened) -> None:
    h = opened("llama", text=None, input_ids=[5, 6, 7])
    assert h.last("document")["editable"] is None
    h.say("try", text="a")
    assert "was given as token ids" in h.failed()["message"]
    tried(h, rows=[1])


def test_a_try_that_is_cancelled_has_no_reply_and_the_map_stays(opened) -> None:
    h = opened("llama")
    network = made("llama").model
    handle = network.get_input_embeddings().register_forward_pre_hook(lambda *_: (h.controller.cancel(), None)[1])
    h.say("try", rows=[2], request=8)
    with pytest.raises(Cancelled):
        h.done()
    handle.remove()
    h.wait_for(h.controller.idle)
    assert h.of("unanswered") == [{"type": "unanswered", "request": 8}]
    assert not h.of("what_if")
    assert h.controller.attribution is not None


def test_only_the_last_of_several_changes_that_wait_is_worth_doing_and_each_is_answered(opened) -> None:
    h = opened("llama")
    begun, go_on = threading.Event(), threading.Event()
    with before_each_pass(made("llama"), lambda: (begun.set(), go_on.wait(GUARD))):
        h.say("ask", method="input_x_gradient", objective="probability")
        assert begun.wait(GUARD)
        for row in range(1, 5):
            h.say("try", rows=[row], request=row)
        go_on.set()
        h.settled()
    assert [(m["request"], m["rows"]) for m in h.of("what_if")] == [(4, [4])]
    assert [m["request"] for m in h.of("unanswered")] == [1, 2, 3]
