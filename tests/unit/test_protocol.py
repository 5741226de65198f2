"""The kernel's side of the golden messages; js/tests has the page's."""

from __future__ import annotations

import dataclasses
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
from saliency_widget.protocol import to_kernel, to_page
from saliency_widget.session import streaming
from saliency_widget.session.messages import wire_step
from saliency_widget.session.streaming import Stream
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
def stream():
    page = Page()
    stream = Stream(page.send)
    stream.start()
    yield stream, page
    stream.close()


def as_json(message: dict[str, Any]) -> Any:
    return json.loads(json.dumps(message))


SETTINGS = [("layer", "3"), ("instead of", " Bush")]


def begin(stream: Stream, n_cols: int = 2) -> None:
    stream.document(
        model="SmolLM2-135M-Instruct",
        device="cpu",
        dtype="float32",
        first_target=3,
        editable="a\u2003機",
        beside=["saliency", "attention"],
    )
    about = {"method": "saliency", "objective": "probability", "settings": SETTINGS, "foil": " Bush"}
    stream.show("m1", **about, n_rows=4, n_cols=n_cols)


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


def test_what_the_stream_sends_is_the_golden_messages(stream) -> None:
    stream, page = stream
    begin(stream)
    stream.tokens(tokens(), SEGMENTS)
    (step,) = golden("to_page/steps")["steps"]
    stream.steps({0: wire_step(step["probability"], None, [Alternative(**a) for a in step["alternatives"]])})
    cards = golden("to_page/menu")["methods"]
    methods = {
        dataclasses.replace(
            OURS[card["id"]], **{k: tuple(v) if k == "caveats" else v for k, v in card.items() if k != "reason"}
        ): card["reason"]
        for card in cards
    }
    stream.menu(methods, {"probability": "probability"})
    column = np.array([0.5, -0.25, 0.0, np.nan], dtype=np.float32)
    stream.column("m1", 0, column)
    stream.status("attributing", "Gradient", 14, 32, 0.8)
    failed = golden("to_page/failed")
    stream.failed(failed["kind"], failed["message"], failed["cure"])
    stream.hello()
    page.wait_for(lambda: page.of("column"))
    for kind in ("document", "map", "steps", "menu", "failed"):
        assert as_json(page.of(kind)[-1]) == golden(f"to_page/{kind}")
    assert page.of("hello")[0].keys() == golden("to_page/hello").keys()
    assert page.of("hello")[0]["protocol"] == golden("to_page/hello")["protocol"] == protocol.PROTOCOL
    whole = as_json(page.of("tokens")[-1])
    assert {**whole, "start": 1, "tokens": whole["tokens"][1:]} == golden("to_page/tokens")
    (message, buffers), *_ = [(m, b) for m, b in page.messages if m["type"] == "column"]
    assert {**message, "seq": 7} == golden("to_page/column")
    assert bytes(buffers[0]) == (GOLDEN / "to_page/column.bin").read_bytes()
    assert struct.unpack("<3f", buffers[0][:12]) == (0.5, -0.25, 0.0)


def test_what_was_changed_and_looked_into_is_told_in_golden_messages(stream) -> None:
    stream, page = stream
    trail, what_if, heads, file = (golden(f"to_page/{kind}") for kind in ("trail", "what_if", "heads", "file"))
    weights = (GOLDEN / "to_page/heads.bin").read_bytes()
    begin(stream)
    stream.hello()
    stream.trail(trail["names"], trail["at"])
    stream.what_if(what_if["rows"], what_if["text"], what_if["before"], what_if["after"])
    shape = (len(heads["layers"]), heads["n_heads"], heads["n_rows"])
    stream.heads(heads["col"], heads["layers"], np.frombuffer(weights, "<f4").reshape(shape))
    stream.file(file["name"], file["text"])
    page.wait_for(lambda: page.of("file"))
    for message in (trail, what_if, heads, file):
        assert as_json(page.of(message["type"])[-1]) == message
    (buffer,) = next(buffers for message, buffers in page.messages if message["type"] == "heads")
    assert bytes(buffer) == weights


def test_whoever_asks_is_told_at_once_that_somebody_is_there(stream) -> None:
    """Not who only acknowledges or looks; and the message goes on to whom it is for."""
    stream, page = stream
    stream.hello()
    assert stream.heard(golden("to_kernel/ack"))
    assert not stream.heard(golden("to_kernel/focus"))
    page.wait_for(lambda: page.of("status"))
    assert not page.of("heard")
    assert not stream.heard(golden("to_kernel/cancel"))
    page.wait_for(lambda: page.of("heard"))
    assert page.of("heard") == [golden("to_page/heard")]


def test_of_another_text_nothing_is_told_that_was_said_of_the_one_before(stream) -> None:
    stream, page = stream
    begin(stream)
    stream.tokens(tokens(), SEGMENTS)
    stream.what_if([1], None, [0.5], [None])
    stream.column("m1", 0, np.zeros(4, np.float32))
    begin(stream)
    stream.hello()
    page.wait_for(lambda: page.of("status"))
    assert [m["type"] for m, _ in page.messages] == ["hello", "document", "tokens", "map", "status"]
    assert page.of("tokens")[0]["tokens"] == []
    assert page.of("document")[0]["doc"] == 2


def test_steps_that_come_out_of_order_are_told_in_runs(stream) -> None:
    stream, page = stream
    begin(stream)
    stream.steps(dict.fromkeys([7, 0, 3, 4, 5], wire_step(0.5, None, [])))
    stream.hello()
    page.wait_for(lambda: len(page.of("steps")) == 3)
    assert [(m["start"], len(m["steps"])) for m in page.of("steps")] == [(0, 1), (3, 3), (7, 1)]


def test_a_status_message_is_the_golden_one(stream) -> None:
    stream, page = stream
    stream.hello()
    stream.status("attributing", "Gradient", 14, 32, 0.8)
    page.wait_for(lambda: any(m["phase"] == "attributing" for m in page.of("status")))
    assert page.of("status")[-1] == golden("to_page/status")


def conforms(value: Any, hint: Any) -> bool:
    """Whether a JSON value is what a type of ours says, with no field more or less."""
    of = get_args(hint)
    if is_typeddict(hint):
        fields = get_type_hints(hint)
        return value.keys() == fields.keys() and all(conforms(value[name], fields[name]) for name in fields)
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
        {"type": "try", "rows": "1"},
    ],
)
def test_what_is_no_message_of_ours_is_ignored(content: object) -> None:
    assert to_kernel.read(content) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "letter"}, {"pool": None}, {"joint": "max"}, {"scale": 3}, {"measure": "rank"}, {"units": "all"},
        {"units": [0, 2, 2]}, {"units": [0, -1]}, {"units": [0, "1"]}, {"pinned": [1]}, {"pinned": [4, 1]},
        {"hidden": None}, {"hidden": [[1, 2, 3]]}, {"hidden": [3]}, {"threshold": "a half"}, {"threshold": True},
        {"turned": [2]}, {"turned": 3},
    ],
)  # fmt: skip
def test_a_view_is_read_field_by_field(wrong: dict[str, Any]) -> None:
    export = golden("to_kernel/export")
    for name in wrong:
        assert to_kernel.read({**export, "view": {**export["view"], **wrong}}) is None
        assert to_kernel.read({**export, "view": {k: v for k, v in export["view"].items() if k != name}}) is None
    assert to_kernel.read(
        {**export, "view": {**export["view"], "units": None, "pinned": None, "turned": None, "threshold": 1}}
    )
    assert to_kernel.read({"type": "export", "col": 3}) is None


def test_nothing_is_sent_before_a_page_says_hello(stream) -> None:
    stream, page = stream
    begin(stream)
    stream.column("m1", 0, np.zeros(4, np.float32))
    threading.Event().wait(0.15)
    assert page.messages == []


def test_a_page_that_comes_later_gets_everything_in_an_order_it_can_understand(stream) -> None:
    stream, page = stream
    begin(stream)
    stream.tokens(tokens(), SEGMENTS)
    for col in range(2):
        stream.column("m1", col, np.full(4, col, np.float32))
    stream.hello()
    page.wait_for(lambda: len(page.of("column")) == 2)
    first = len(page.messages)
    stream.hello()
    page.wait_for(lambda: len(page.of("column")) == 4)
    again = [m["type"] for m, _ in page.messages[first:]]
    assert again == ["hello", "document", "tokens", "map", "status", "column", "column"]


def test_news_of_the_pause_is_sent_after_it_however_late_the_thread_is(monkeypatch) -> None:
    """On a clock that goes on by most of the pause whenever it is asked, as it does for a thread that is held up."""
    asked = itertools.count()
    monkeypatch.setattr(streaming.time, "monotonic", lambda: next(asked) * 0.75 * streaming._PAUSE)
    page = Page()

    def send(content: dict[str, Any], buffers: list[memoryview]) -> None:
        page.send(content, buffers)
        if content["type"] == "status" and content["done"] < 5:
            stream.status("attributing", "Gradient", content["done"] + 1, 5)

    stream = Stream(send)
    stream.start()
    try:
        stream.hello()
        page.wait_for(lambda: [m["done"] for m in page.of("status")] == [0, 1, 2, 3, 4, 5])
    finally:
        stream.close()


def test_at_most_a_window_of_columns_is_unacknowledged(stream) -> None:
    stream, page = stream
    begin(stream, n_cols=40)
    stream.hello()
    for col in range(40):
        stream.column("m1", col, np.zeros(4, np.float32))
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW)
    threading.Event().wait(0.1)
    assert len(page.of("column")) == protocol.WINDOW
    stream.ack(5)
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW + 5)
    stream.ack(10**9)  # nobody can acknowledge what was not sent
    page.wait_for(lambda: len(page.of("column")) == 2 * protocol.WINDOW + 5)


def test_a_lost_page_blocks_nothing_for_the_next_one(stream) -> None:
    """A reload in the middle of a stream: the old page's acknowledgements never come."""
    stream, page = stream
    begin(stream, n_cols=30)
    stream.hello()
    for col in range(30):
        stream.column("m1", col, np.zeros(4, np.float32))
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW)
    stream.hello()
    seen: set[int] = set()

    def all_there() -> bool:
        columns = page.of("column")[protocol.WINDOW :]
        seen.update(m["col"] for m in columns)
        if columns:
            stream.ack(columns[-1]["seq"])
        return len(seen) == 30

    page.wait_for(all_there)


def test_the_column_the_user_looks_at_is_sent_first(stream) -> None:
    stream, page = stream
    begin(stream, n_cols=30)
    for col in range(30):
        stream.column("m1", col, np.zeros(4, np.float32))
    stream.prefer(20)
    stream.hello()
    page.wait_for(lambda: len(page.of("column")) == protocol.WINDOW)
    assert [m["col"] for m in page.of("column")[:5]] == [20, 19, 21, 18, 22]


def test_a_lone_surrogate_is_sent_as_a_sign(stream) -> None:
    """UTF-8 has no bytes for one: a message with it would end the thread that sends, and some would arrive broken."""
    stream, page = stream
    begin(stream)
    texts = ("\ud800", "a\udc80b", "機", "👩\udfff")
    halves = [dataclasses.replace(token, text=text) for token, text in zip(tokens(), texts, strict=True)]
    stream.tokens(halves, [Segment(kind="user", name="\ud800", start=0, end=4)])
    stream.steps({0: wire_step(0.5, None, [Alternative(id=3, text=" \udbff", probability=0.5)])})
    stream.failed("InputError", "No \ud800.", "Yes.")
    stream.show("m2", method="llm", objective="", settings=[("prompt", "\ud800")], n_rows=4, n_cols=2)
    stream.hello()
    page.wait_for(lambda: page.of("failed") and page.of("steps"))
    for message, _ in page.messages:
        json.dumps(message, ensure_ascii=False).encode()
    assert [t["text"] for t in page.of("tokens")[-1]["tokens"]] == ["U+D800", "aU+DC80b", "機", "👩U+DFFF"]
    assert page.of("tokens")[-1]["segments"][0]["name"] == "U+D800"
    assert page.of("steps")[-1]["steps"][0]["alternatives"][0]["text"] == " U+DBFF"
    assert page.of("failed")[-1]["message"] == "No U+D800."
    assert page.of("map")[-1]["settings"] == [("prompt", "U+D800")]


def test_only_tokens_that_changed_are_sent_again(stream) -> None:
    stream, page = stream
    begin(stream)
    stream.hello()
    stream.tokens(tokens()[:3], SEGMENTS[:1])
    page.wait_for(lambda: page.of("tokens"))
    stream.tokens(tokens(), SEGMENTS)
    page.wait_for(lambda: len(page.of("tokens")[-1]["tokens"]) == 1)
    assert page.of("tokens")[-1]["start"] == 3
