"""The kernel's side of the golden messages; js/tests has the page's."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import struct
import threading
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np
import pytest

from saliency_widget import protocol
from saliency_widget.attribution.cards import OURS
from saliency_widget.attribution.objectives import MEANINGS
from saliency_widget.protocol import to_kernel, to_page
from saliency_widget.session import sender as sending
from saliency_widget.session.messages import failed, heads_message, menu_message, status, step_message, tokens_message
from saliency_widget.session.sender import Sender
from saliency_widget.session.shelf import Shelf
from saliency_widget.types import Alternative, Segment, Token

from .waiting import GUARD

GOLDEN = Path(__file__).parents[1] / "protocol"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


class Page:
    """Keeps what is sent to it, and can wait for a message."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, Any], list[memoryview]]] = []
        self.changed = threading.Condition()

    def send(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        with self.changed:
            self.messages.append((content, buffers))
            self.changed.notify_all()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [m for m, _ in self.messages if m["type"] == kind]

    def wait_for(self, condition: Any) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, GUARD), [m for m, _ in self.messages][-5:]


@pytest.fixture
def sender():
    page = Page()
    sender = Sender(page.send)
    sender.start()
    yield sender, page
    sender.close()
    assert sender.join(GUARD)


def as_json(message: dict[str, Any]) -> Any:
    return json.loads(json.dumps(message))


SETTINGS = [("layer", "3"), ("instead of", " Bush"), ("hop", "1")]


def begin(sender: Sender, n_cols: int = 2) -> Shelf:
    sender.tell({**golden("to_page/document"), "doc": sender.doc + 1})
    shelf, about = Shelf(sender), {"objective": "probability", "settings": SETTINGS, "foil": " Bush"}
    shelf.begin("m1", method="saliency", shape=(4, n_cols), hop=1, due=1, **about)
    return shelf


def hello(sender: Sender) -> None:
    assert sender.heard(golden("to_kernel/hello"))


def ack(sender: Sender, seq: int) -> None:
    assert sender.heard({"type": "ack", "seq": seq})


def tokens() -> list[Token]:
    def token(position, id, text, role, span, word, part=None):
        return Token(
            id=id, position=position, text=text, role=role, span=span, word=word, sentence=0, segment=0, part=part
        )

    return [
        token(0, 9, "a", "prompt", (0, 1), 0),
        token(1, -1, "<|im_start|>", "special", None, 1),
        token(2, 28167, " 機", "prompt", (3, 5), 2, (1, 2)),
        token(3, 251, " 機", "generated", (3, 5), 2, (2, 2)),
    ]


SEGMENTS = [
    Segment(kind="user", name="user", start=0, end=3),
    Segment(kind="assistant", name="assistant", start=3, end=4),
]


def test_what_is_sent_is_the_golden_messages(sender) -> None:
    sender, page = sender
    shelf = begin(sender)
    sender.tell(tokens_message(1, tokens(), SEGMENTS))
    (step,) = golden("to_page/steps")["steps"]
    sender.tell(step_message(1, 0, step["probability"], None, [Alternative(**a) for a in step["alternatives"]]))
    cards = golden("to_page/menu")["methods"]
    methods = {
        dataclasses.replace(
            OURS[card["id"]],
            **{k: tuple(v) if k == "caveats" else v for k, v in card.items() if k not in ("reason", "seconds")},
        ): card["reason"]
        for card in cards
    }
    sender.tell(menu_message(methods, {"probability": "probability"}, MEANINGS, {"saliency": 3.0}))
    column = np.array([0.5, -0.25, 0.0, np.nan], dtype=np.float32)
    errors_of = np.array([0.125, 0.0625, 0.0, np.nan], dtype=np.float32)
    shelf.fill("m1", [0], column[:, None], errors_of[:, None], [0.125])
    sender.tell(status("attributing", "Gradient", 14, 32, 0.8))
    wrong = golden("to_page/failed")
    sender.tell(failed(wrong["kind"], wrong["message"], wrong["cure"]))
    hello(sender)
    page.wait_for(lambda: page.of("column"))
    for kind in ("document", "map", "steps", "menu", "failed"):
        assert as_json(page.of(kind)[-1]) == golden(f"to_page/{kind}")
    assert page.of("hello")[0].keys() == golden("to_page/hello").keys()
    assert page.of("hello")[0]["protocol"] == golden("to_page/hello")["protocol"] == protocol.PROTOCOL
    whole = as_json(page.of("tokens")[-1])
    assert {**whole, "start": 1, "tokens": whole["tokens"][1:]} == golden("to_page/tokens")
    (message, (scores, errors)), *_ = [(m, b) for m, b in page.messages if m["type"] == "column"]
    assert {**message, "seq": 7} == golden("to_page/column")
    assert bytes(scores) == (GOLDEN / "to_page/column.bin").read_bytes()
    assert bytes(errors) == (GOLDEN / "to_page/column.errors.bin").read_bytes()
    assert struct.unpack("<3f", scores[:12]) == (0.5, -0.25, 0.0)
    assert struct.unpack("<3f", errors[:12]) == (0.125, 0.0625, 0.0)


def test_a_reply_is_a_golden_message_and_told_once(sender) -> None:
    sender, page = sender
    told = golden("to_page/heads")
    weights = np.frombuffer((GOLDEN / "to_page/heads.bin").read_bytes(), "<f4")
    shape = (len(told["layers"]), told["n_heads"], told["n_rows"])
    hello(sender)
    sender.tell(heads_message(told["request"], told["doc"], told["col"], told["layers"], shape), numbers=[weights])
    page.wait_for(lambda: page.of("heads"))
    hello(sender)
    page.wait_for(lambda: len(page.of("hello")) == 2 and sender.idle())
    assert as_json(page.of("heads")) == [told]
    (buffer,) = next(buffers for message, buffers in page.messages if message["type"] == "heads")
    assert bytes(buffer) == weights.tobytes()


def test_whoever_asks_is_told_at_once_that_somebody_is_there(sender) -> None:
    """Not who only acknowledges or looks; and the message goes on to whom it is for."""
    sender, page = sender
    hello(sender)
    assert sender.heard(golden("to_kernel/ack"))
    assert not sender.heard(golden("to_kernel/focus"))
    page.wait_for(lambda: page.of("status"))
    assert not page.of("heard")
    assert not sender.heard(golden("to_kernel/cancel"))
    page.wait_for(lambda: page.of("heard"))
    assert page.of("heard") == [golden("to_page/heard")]


def test_of_another_text_nothing_is_told_that_was_said_of_the_one_before(sender) -> None:
    sender, page = sender
    shelf = begin(sender)
    sender.tell(tokens_message(1, tokens(), SEGMENTS), step_message(1, 0, 0.5, None, []))
    shelf.fill("m1", [0], np.zeros((4, 1), np.float32))
    begin(sender)
    hello(sender)
    page.wait_for(lambda: page.of("status"))
    assert [m["type"] for m, _ in page.messages] == ["hello", "document", "map", "status"]
    assert page.of("document")[0]["doc"] == page.of("map")[0]["doc"] == 2


def test_steps_that_come_out_of_order_are_told_in_runs(sender) -> None:
    sender, page = sender
    begin(sender)
    sender.tell(*(step_message(1, col, 0.5, None, []) for col in (7, 0, 3, 4, 5)))
    hello(sender)
    page.wait_for(lambda: len(page.of("steps")) == 3)
    assert [(m["start"], len(m["steps"])) for m in page.of("steps")] == [(0, 1), (3, 3), (7, 1)]


def test_a_status_message_is_the_golden_one(sender) -> None:
    sender, page = sender
    hello(sender)
    sender.tell(status("attributing", "Gradient", 14, 32, 0.8))
    page.wait_for(lambda: any(m["phase"] == "attributing" for m in page.of("status")))
    assert page.of("status")[-1] == golden("to_page/status")


def conforms(value: Any, hint: Any) -> bool:
    """Return whether a JSON value is what a type of ours says, with no field more or less."""
    of = get_args(hint)
    if is_typeddict(hint):
        fields = get_type_hints(hint)
        same = isinstance(value, dict) and value.keys() == fields.keys()
        return same and all(conforms(value[name], fields[name]) for name in fields)
    if get_origin(hint) in (Union, UnionType):
        return any(conforms(value, one) for one in of)
    if get_origin(hint) is Literal:
        return value in of
    if get_origin(hint) is list:
        return isinstance(value, list) and all(conforms(item, of[0]) for item in value)
    if get_origin(hint) is tuple:
        return isinstance(value, list) and len(value) == len(of) and all(map(conforms, value, of))
    return isinstance(value, (int, float) if hint is float else hint) and (hint is bool) == isinstance(value, bool)


@pytest.mark.parametrize("message", get_args(to_page.ToPage), ids=lambda message: message.__name__)
def test_every_golden_message_to_the_page_has_the_fields_of_its_type(message: Any) -> None:
    (name,) = get_args(get_type_hints(message)["type"])
    assert conforms(golden(f"to_page/{name}"), message)


def written_out(hint: Any) -> str:
    """Return a type of a message with all its fields, whatever our name for it."""
    if is_typeddict(hint):
        fields = get_type_hints(hint, include_extras=True)
        return "{" + ", ".join(f"{name}: {written_out(fields[name])}" for name in sorted(fields)) + "}"
    of, origin = get_args(hint), get_origin(hint)
    if origin is None:
        return str(hint.__name__)
    kind = "Union" if origin in (Union, UnionType) else getattr(origin, "__name__", str(origin))
    parts = [repr(one) if origin is Literal else written_out(one) for one in of]
    return f"{kind}[{', '.join(sorted(parts) if kind in ('Union', 'Literal') else parts)}]"


def test_a_message_that_changed_has_a_new_number() -> None:
    """Else a page of another build would read it as what it was."""
    every = sorted(written_out(message) for side in (to_page.ToPage, to_kernel.ToKernel) for message in get_args(side))
    digest = hashlib.sha256("\n".join(every).encode()).hexdigest()[:16]
    known = golden("versions")
    assert known.get(str(protocol.PROTOCOL)) == digest, (
        "The messages are not those of this number: raise PROTOCOL in src/saliency_widget/protocol/__init__.py, "
        "js/src/protocol.ts and the two hello.json, and add to tests/protocol/versions.json: "
        f'"{protocol.PROTOCOL + 1}": "{digest}"'
    )
    assert max(map(int, known)) == protocol.PROTOCOL
    assert len(set(known.values())) == len(known)


@pytest.mark.parametrize("name", sorted(path.stem for path in (GOLDEN / "to_kernel").glob("*.json")))
def test_every_golden_message_of_the_page_is_read(name: str) -> None:
    assert to_kernel.read(golden(f"to_kernel/{name}")) == golden(f"to_kernel/{name}")


def test_there_is_a_golden_message_for_each_type_of_the_page() -> None:
    types = {get_args(get_type_hints(message)["type"])[0] for message in get_args(to_kernel.ToKernel)}
    assert types == {path.stem for path in (GOLDEN / "to_kernel").glob("*.json")}


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        "hello",
        [],
        {},
        {"type": "nonsense"},
        {"type": "ack"},
        {"type": "ack", "seq": "7"},
        {"type": "ack", "seq": True},
        {"type": ["ack"]},
        {"type": "try", "request": 1, "rows": "1"},
        {"type": "try", "rows": [1]},
        {"type": "heads", "request": "1", "col": 0},
    ],
)
def test_what_is_no_message_of_ours_is_ignored(content: object) -> None:
    assert to_kernel.read(content) is None


@pytest.mark.parametrize("by", [-1, 1])
def test_a_page_of_another_build_gets_the_kernels_hello_and_nothing_else(sender, by: int) -> None:
    """It could not read the rest. A page of this build that comes after it gets everything."""
    sender, page = sender
    begin(sender)
    assert sender.heard({"type": "hello", "protocol": protocol.PROTOCOL + by})
    page.wait_for(lambda: page.of("hello"))
    hello(sender)
    page.wait_for(lambda: page.of("map"))
    kinds = [message["type"] for message, _ in page.messages]
    assert kinds[:2] == ["hello", "hello"]
    assert {message["protocol"] for message in page.of("hello")} == {protocol.PROTOCOL}


def test_nothing_is_sent_before_a_page_says_hello(sender) -> None:
    sender, page = sender
    begin(sender).fill("m1", [0], np.zeros((4, 1), np.float32))
    threading.Event().wait(0.15)
    assert page.messages == []


def test_a_page_that_comes_later_gets_everything_in_an_order_it_can_understand(sender) -> None:
    sender, page = sender
    shelf = begin(sender)
    sender.tell(tokens_message(1, tokens(), SEGMENTS))
    shelf.fill("m1", [0, 1], np.zeros((4, 2), np.float32))
    hello(sender)
    page.wait_for(lambda: len(page.of("column")) == 2)
    first = len(page.messages)
    hello(sender)
    page.wait_for(lambda: len(page.of("column")) == 4)
    again = [m["type"] for m, _ in page.messages[first:]]
    assert again == ["hello", "document", "tokens", "map", "status", "column", "column"]


def test_news_of_the_pause_is_sent_after_it_however_late_the_thread_is(monkeypatch) -> None:
    """On a clock that goes on by most of the pause whenever it is asked, as it does for a thread that is held up."""
    asked = itertools.count()
    monkeypatch.setattr(sending.time, "monotonic", lambda: next(asked) * 0.75 * sending.PAUSE)
    page = Page()

    def send(content: dict[str, Any], buffers: list[memoryview]) -> None:
        page.send(content, buffers)
        if content["type"] == "status" and content["done"] < 5:
            sender.tell(status("attributing", "Gradient", content["done"] + 1, 5))

    sender = Sender(send)
    sender.start()
    try:
        hello(sender)
        page.wait_for(lambda: [m["done"] for m in page.of("status")] == [0, 1, 2, 3, 4, 5])
    finally:
        sender.close()


def test_at_most_a_window_of_columns_is_unacknowledged(sender) -> None:
    sender, page = sender
    shelf = begin(sender, n_cols=40)
    hello(sender)
    shelf.fill("m1", range(40), np.zeros((4, 40), np.float32))
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW)
    threading.Event().wait(0.1)
    assert len(page.of("column")) == protocol.WINDOW
    assert not sender.idle()
    ack(sender, 5)
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW + 5)
    ack(sender, 10**9)  # nobody can acknowledge what was not sent
    page.wait_for(lambda: len(page.of("column")) == 2 * protocol.WINDOW + 5)


def test_a_lost_page_blocks_nothing_for_the_next_one(sender) -> None:
    """A reload in the middle of a stream: the old page's acknowledgements never come."""
    sender, page = sender
    shelf = begin(sender, n_cols=30)
    hello(sender)
    shelf.fill("m1", range(30), np.zeros((4, 30), np.float32))
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW)
    hello(sender)
    seen: set[int] = set()

    def all_there() -> bool:
        columns = page.of("column")[protocol.WINDOW :]
        seen.update(m["col"] for m in columns)
        if columns:
            ack(sender, columns[-1]["seq"])
        return len(seen) == 30

    page.wait_for(all_there)


def test_the_column_the_user_looks_at_is_sent_first(sender) -> None:
    sender, page = sender
    begin(sender, n_cols=30).fill("m1", range(30), np.zeros((4, 30), np.float32))
    sender.prefer(range(20, 21))
    hello(sender)
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW)
    assert [m["col"] for m in page.of("column")[:5]] == [20, 19, 21, 18, 22]


def test_of_a_column_that_comes_again_the_latest_is_sent_and_a_later_page_hears_no_other(sender) -> None:
    """With its errors; one that no page has heard of yet is not sent at all."""
    sender, page = sender
    shelf = begin(sender)

    def estimate(value: float, error: float) -> None:
        shelf.fill("m1", [1], np.full((4, 1), value, np.float32), np.full((4, 1), error, np.float32))

    def heard() -> list[tuple[float, float]]:
        columns = [buffers for message, buffers in page.messages if message["type"] == "column"]
        return [(np.frombuffer(a, "<f4")[0], np.frombuffer(b, "<f4")[0]) for a, b in columns]

    estimate(1, 0.5)
    estimate(2, 0.25)
    hello(sender)
    page.wait_for(lambda: len(page.of("column")) == 1)
    estimate(3, 0.125)
    page.wait_for(lambda: len(page.of("column")) == 2)
    hello(sender)
    page.wait_for(lambda: len(page.of("column")) == 3)
    page.wait_for(lambda: len(page.of("hello")) == 2)
    assert heard() == [(2, 0.25), (3, 0.125), (3, 0.125)]


def test_one_map_is_on_show_and_its_columns_come_first(sender) -> None:
    sender, page = sender
    shelf = begin(sender)
    for name, aside in (("m2", True), ("m3", False), ("m3", True)):  # what is on show stays there
        shelf.begin(name, method="random", objective="", shape=(4, 2), aside=aside)
    shelf.show("m1", "logit")
    shelf.show("m3", "logit")
    for name in ("m1", "m2", "m3"):
        shelf.fill(name, [0, 1], np.zeros((4, 2), np.float32))
    hello(sender)
    page.wait_for(lambda: len(page.of("column")) == 6)
    assert [(m["map"], m["aside"]) for m in page.of("map")] == [("m1", True), ("m2", True), ("m3", False)]
    assert [m["objective"] for m in page.of("map")] == ["logit", "", "logit"]
    assert [m["map"] for m in page.of("column")] == ["m3", "m3", "m1", "m1", "m2", "m2"]


def test_a_lone_surrogate_is_sent_as_a_sign(sender) -> None:
    """UTF-8 has no bytes for one: a message with it would end the thread that sends, and some would arrive broken."""
    sender, page = sender
    shelf = begin(sender)
    texts = ("\ud800", "a\udc80b", "機", "👩\udfff")
    halves = [dataclasses.replace(token, text=text) for token, text in zip(tokens(), texts, strict=True)]
    sender.tell(
        tokens_message(1, halves, [Segment(kind="user", name="\ud800", start=0, end=4)]),
        step_message(1, 0, 0.5, None, [Alternative(id=3, text=" \udbff", probability=0.5)]),
        failed("InputError", "No \ud800.", "Yes."),
    )
    shelf.begin("m2", method="llm", objective="", settings=[("prompt", "\ud800")], shape=(4, 2))
    hello(sender)
    page.wait_for(lambda: page.of("failed") and page.of("steps"))
    for message, _ in page.messages:
        json.dumps(message, ensure_ascii=False).encode()
    assert [t["text"] for t in page.of("tokens")[-1]["tokens"]] == ["U+D800", "aU+DC80b", "機", "👩U+DFFF"]
    assert page.of("tokens")[-1]["segments"][0]["name"] == "U+D800"
    assert page.of("steps")[-1]["steps"][0]["alternatives"][0]["text"] == " U+DBFF"
    assert page.of("failed")[-1]["message"] == "No U+D800."
    assert page.of("map")[-1]["settings"] == [("prompt", "U+D800")]


def test_only_tokens_that_changed_are_sent_again(sender) -> None:
    sender, page = sender
    begin(sender)
    hello(sender)
    sender.tell(tokens_message(1, tokens()[:3], SEGMENTS[:1]))
    page.wait_for(lambda: page.of("tokens"))
    sender.tell(tokens_message(1, tokens(), SEGMENTS))
    page.wait_for(lambda: len(page.of("tokens")[-1]["tokens"]) == 1)
    assert page.of("tokens")[-1]["start"] == 3
