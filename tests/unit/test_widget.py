"""The widget without a page: what Python sees of it, and what it leaves behind."""

from __future__ import annotations

import gc
import json
import logging
import threading
import weakref
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import traitlets
from jupyter_client.manager import start_new_kernel

from saliency_widget import OpenAIClient
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.errors import Cancelled, InputError, ServerError, UnknownName
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.protocol import PROTOCOL
from saliency_widget.session.executor import Job
from saliency_widget.session.patience import Patience
from saliency_widget.session.turns import lock_of
from saliency_widget.widget import SaliencyWidget

from .. import servers
from ..families import made
from ..steps import lines_of
from .waiting import GUARD, wait_for


@pytest.fixture
def make():
    opened: list[SaliencyWidget] = []

    def make(model: Any, text: str = "the cab and", target: str = " the dog", **job: Any) -> SaliencyWidget:
        question = check_question("saliency", "probability", {})
        prompt = check_prompt(text, target=target)
        opened.append(SaliencyWidget(Job(model=model, prompt=prompt, question=question, max_new_tokens=8, **job)))
        return opened[-1]

    before = threading.enumerate()
    yield make
    for widget in opened:
        widget.close()
    ended(before)


def ended(before: list[threading.Thread]) -> None:
    """Wait until the threads that began since are no more."""
    for thread in set(threading.enumerate()) - set(before):
        thread.join(GUARD)
        assert not thread.is_alive(), thread


def says(w: SaliencyWidget, content: object) -> None:
    """A message of the page comes in, as Jupyter delivers it."""
    w.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


@pytest.fixture
def beside(monkeypatch):
    """Gives what is displayed beside a widget, for the notebook that is saved."""

    def shown_with(w: SaliencyWidget) -> str:
        shown: list[Any] = []
        monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
        w.show()
        return shown[-1].data

    return shown_with


def test_wait_gives_the_map_and_ask_another_one(tiny_model, make) -> None:
    w = make(tiny_model)
    assert w.wait(GUARD).method == "saliency"
    w.ask("attention", layer=1)
    assert w.wait(GUARD).settings == {"layer": 1, "head": None, "reduction": "mean"}
    assert w.attribution is w.wait(GUARD)
    assert w.error is None


def test_python_asks_for_explanations_as_the_page_does(make) -> None:
    """They are kept in order; wait() gives the map, which stays, and raises what went wrong with an answer."""
    model = made("llama")
    with servers.scripted(servers.writes("The review is positive."), servers.refuses("no")) as server:
        w = make(model, explainer=OpenAIClient("big", base_url=server.url, api_key="sk-secret", max_retries=0))
        w.explain(prompt="Rate {review}")
        assert w.wait(GUARD).method == "saliency"
        w.explain(prompt="Rate {review}", explainer="model", text="a bat", max_tokens=3)
        w.wait(GUARD)
        w.explain()
        with pytest.raises(ServerError, match="no"):
            w.wait(GUARD)
        assert [(e.model_name, e.review) for e in w.explanations] == [("big", "the cab and"), (model.name, "a bat")]
        assert w.attribution is not None
        assert "sk-secret" not in json.dumps(w.get_state(), default=str) + repr(w)
    with pytest.raises(InputError, match="no place for the review"):
        w.explain(prompt="Rate it")


def test_an_unknown_method_is_refused_where_it_is_asked(tiny_model, make) -> None:
    with pytest.raises(UnknownName, match="attention"):
        make(tiny_model).ask("atention")


def test_wait_gives_up_after_its_time_and_the_work_goes_on(tiny_model, make) -> None:
    with lock_of(tiny_model.model):
        w = make(tiny_model)
        with pytest.raises(TimeoutError, match="goes on being computed"):
            w.wait(0.3)
    assert w.wait(GUARD).scores.shape[1] == 4


def test_cancel_is_raised_by_wait(tiny_model, make) -> None:
    with lock_of(tiny_model.model):
        w = make(tiny_model)
        w.cancel()
        with pytest.raises(Cancelled):
            w.wait(GUARD)


def test_a_widget_is_there_at_once(tiny_model, make) -> None:
    """All that takes time goes on behind: the model runs on another thread, and here hardly anything is done.

    Hardly anything: 200 lines of our own, and 8,000 of the widgets beneath; importing torch alone takes millions.
    """
    ran_in: list[int] = []
    handle = tiny_model.model.register_forward_pre_hook(lambda *_: ran_in.append(threading.get_ident()))
    make(tiny_model).wait(GUARD)  # so that everything is imported
    w: list[SaliencyWidget] = []
    assert lines_of(lambda: w.append(make(tiny_model)), "") < 30_000
    w[0].wait(GUARD)
    handle.remove()
    assert ran_in
    assert threading.get_ident() not in ran_in


def test_messages_that_are_not_ours_are_ignored(tiny_model, make, caplog) -> None:
    w = make(tiny_model)
    before = w.wait(GUARD)
    for content in (None, "x", {"type": "cancle"}, {"type": "focus", "col": "1"}, {"type": "ask", "method": 3}):
        says(w, content)
    assert w.wait(GUARD) is before
    assert caplog.records == []  # where ipywidgets tells of an error of ours


def test_a_message_of_the_page_toggles_the_method(tiny_model, make) -> None:
    w = make(tiny_model)
    w.wait(GUARD)
    says(w, {"type": "ask", "method": "random", "objective": "probability", "settings": {"seed": 3}})
    assert w.wait(GUARD).settings == {"seed": 3}


def test_the_pinned_column_is_computed_next(tiny_model, make, computed) -> None:
    with lock_of(tiny_model.model):
        w = make(tiny_model)
        w.selection = 3
    w.wait(GUARD)
    assert computed.columns[0] == ("saliency", 3)


def test_the_state_that_could_be_saved_holds_no_text_and_no_scores(tiny_model, make) -> None:
    w = make(tiny_model, text="a secret cab")
    w.wait(GUARD)
    state = {k: v for k, v in w.get_state().items() if k not in ("_esm", "_css")}
    assert "secret" not in json.dumps(state)
    assert state["selection"] is None


def test_a_closed_widget_frees_its_maps_and_can_be_closed_again(tiny_model, make) -> None:
    before = threading.enumerate()
    w = make(tiny_model)
    scores = weakref.ref(w.wait(GUARD).scores)
    assert isinstance(scores(), np.ndarray)
    w.close()
    ended(before)
    w.close()
    gc.collect()
    assert scores() is None
    assert w.attribution is None


def test_a_closed_widget_is_held_by_nobody(tiny_model) -> None:
    """Not by ipywidgets' registry, nor by a watch on the files of the front end, nor by its own threads."""

    def opened_and_closed() -> weakref.ref[SaliencyWidget]:
        question, prompt = check_question("saliency", "probability", {}), check_prompt("the cab", target=" and")
        w = SaliencyWidget(Job(model=tiny_model, prompt=prompt, question=question, max_new_tokens=4))
        w.wait(GUARD)
        w.close()
        ended(before)
        return weakref.ref(w)

    before = threading.enumerate()
    closed = [opened_and_closed() for _ in range(3)]
    gc.collect()
    assert [w() for w in closed] == [None] * 3


# ── what is pinned, for others to follow ──────────────────────────────────────────────────────────────────────────


def test_value_is_what_is_pinned_of_the_map_on_show(tiny_model, make) -> None:
    w = make(tiny_model)
    a = w.wait(GUARD)
    assert w.value is None
    w.selection = 1
    assert (w.value.cols, w.value.target, w.value.tokens) == (range(1, 2), a.cols[1].text, a.cols[1:2])
    assert w.value.inputs == a.rows
    np.testing.assert_array_equal(w.value.scores, a.scores[:, 1:2])  # NaN where it sees nothing, too
    assert w.value.scores.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        w.value.scores[0] = 0
    w.extent = 2
    np.testing.assert_array_equal(w.value.scores, a.scores[:, 1:3])
    assert w.value.target == a.cols[1].text + a.cols[2].text
    w.extent = 99  # as on the page: what is there
    assert w.value.cols == range(1, len(a.cols))
    w.selection = len(a.cols)
    assert w.value is None
    w.selection, w.extent = 0, 1
    w.ask("random")
    w.wait(GUARD)
    np.testing.assert_array_equal(w.value.scores, w.attribution.scores[:, :1])
    w.selection = None
    assert w.value is None
    with pytest.raises(traitlets.TraitError, match="read-only"):
        w.value = None
    for name, wrong in (("extent", 0), ("selection", -1)):
        with pytest.raises(traitlets.TraitError):
            setattr(w, name, wrong)


def test_what_is_pinned_before_the_map_is_there_is_told_when_it_is(tiny_model, make) -> None:
    """And again for another map: with nobody waiting, on a thread that is not the one that computes."""
    threads, heard = [], []
    with lock_of(tiny_model.model):
        w = make(tiny_model)
        w.selection = 2
        w.observe(lambda change: (heard.append(change["new"]), threads.append(threading.current_thread())), "value")
        assert w.value is None
    wait_for(lambda: len(heard) == 1)
    w.ask("random")
    wait_for(lambda: len(heard) == 2)
    assert heard[0].target == heard[1].target
    assert heard[0] != heard[1]
    assert "saliency-widget-worker" not in {thread.name for thread in threads}


def test_nothing_new_is_not_told(tiny_model, make) -> None:
    w = make(tiny_model)
    w.selection = 1
    w.wait(GUARD)
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "saliency-widget-observers"])
    heard: list[Any] = []
    w.observe(heard.append, "value")
    for _ in range(2):
        w.ask("saliency")
        w.wait(GUARD)
    w.extent = 1
    assert heard == []


def test_an_observer_may_fail_or_wait_and_the_widget_goes_on(tiny_model, make, caplog) -> None:
    """Of its error somebody hears; and it can wait for the map that it is told of."""
    waited = []

    def wait_and_fail(_change: Any) -> None:
        waited.append(w.wait(GUARD))
        raise ZeroDivisionError("mine")

    with lock_of(tiny_model.model):
        w = make(tiny_model)
        w.selection = 1
        w.log = logging.getLogger("test")
        w.observe(wait_and_fail, "value")
    assert w.wait(GUARD) is w.attribution
    wait_for(lambda: "ZeroDivisionError: mine" in caplog.text)
    assert "An observer of `value`" in caplog.text
    assert waited == [w.attribution]
    w.ask("random")
    assert w.wait(GUARD).method == "random"
    wait_for(lambda: len(waited) == 2)
    with pytest.raises(ZeroDivisionError):  # in the cell that causes it, as any widget's
        w.selection = 2


def test_who_hears_of_a_selection_finds_its_value(tiny_model, make) -> None:
    w = make(tiny_model)
    w.wait(GUARD)
    heard: list[tuple[str, Any]] = []
    w.observe(lambda change: heard.append((change["name"], w.value and w.value.cols)), ["value", "selection", "extent"])
    w.set_state({"extent": 2, "selection": 1})  # what the page sends, in one message
    assert {cols for _, cols in heard} == {range(1, 3)}
    assert [name for name, _ in heard].count("value") == 1


def test_the_selection_can_be_linked_with_other_widgets(tiny_model, make) -> None:
    w = make(tiny_model)
    w.wait(GUARD)
    slider, label = ipywidgets.IntSlider(value=2, max=3), ipywidgets.Label()
    ipywidgets.link((slider, "value"), (w, "selection"))
    ipywidgets.dlink((w, "value"), (label, "value"), lambda s: "" if s is None else s.target)
    assert (w.selection, label.value) == (2, w.attribution.cols[2].text)
    w.selection = 1
    assert (slider.value, label.value) == (1, w.attribution.cols[1].text)
    w.set_state({"selection": 3})
    assert slider.value == 3
    ipywidgets.jslink((slider, "value"), (w, "selection"))  # the page does the rest
    ipywidgets.jsdlink((w, "extent"), (slider, "value"))
    with pytest.raises(TypeError, match="cannot be synced"):
        ipywidgets.jslink((slider, "value"), (w, "value"))


def test_interact_and_boxes_take_the_widget(tiny_model, make) -> None:
    w = make(tiny_model)
    w.wait(GUARD)
    heard: list[tuple[int, Any]] = []
    ipywidgets.interactive_output(lambda s: heard.append((1, s)), {"s": w})
    whole = ipywidgets.interactive(lambda s: heard.append((2, s)), s=w)
    whole.update()
    assert {(who, s) for who, s in heard} == {(1, None), (2, None)}
    heard.clear()
    w.selection = 0
    assert heard == [(1, w.value), (2, w.value)]
    for box in (ipywidgets.HBox([w]), ipywidgets.VBox([w, whole])):
        assert box.get_state()["children"][0] == f"IPY_MODEL_{w.model_id}"
    assert w.layout.flex == "1 1 auto"  # else it has no width in an HBox
    state = w.get_state()
    assert (state["selection"], state["extent"]) == (0, 1)
    assert "value" not in state


def test_columns_are_those_of_the_page_where_the_map_has_but_one(tiny_model, make, beside) -> None:
    """A map of one column (or one that was stopped) has gaps: the pinned column is found by its token."""
    w = make(tiny_model)
    whole = w.wait(GUARD)
    says(w, {"type": "ask", "method": "random", "objective": "probability", "col": 2})
    part = w.wait(GUARD)
    assert part.cols == whole.cols[2:3]
    w.selection = 2
    assert (w.value.cols, w.value.tokens) == (range(2, 3), part.cols)
    for col, extent in ((1, 1), (0, 1), (1, 2), (2, 2), (4, 1)):
        w.selection, w.extent = col, extent
        assert w.value is None, (col, extent)
    assert beside(w) == part.to_html()
    w.selection = 2
    assert beside(w) == part.to_html(col=0)


def test_the_saved_map_is_the_map_as_it_comes_coloured_for_the_first_pinned_target(tiny_model, make, beside) -> None:
    """Only the page shows several targets as one; of a map that lacks them, for the first that is there."""
    w = make(tiny_model)
    a = w.wait(GUARD)
    assert beside(w) == a.to_html()
    for w.selection, w.extent in ((1, 3), (1, 1), (3, 2)):
        assert beside(w) == a.to_html(col=w.selection)


def test_another_text_takes_the_value_away(tiny_model, make) -> None:
    """A token in the place of another: what was pinned of the text before is gone, until there is a map of this one."""
    w = make(tiny_model)
    w.wait(GUARD)
    w.selection = 1
    says(w, {"type": "hello", "protocol": PROTOCOL})
    heard: list[Any] = []
    w.observe(lambda change: heard.append(change["new"]), "value")
    says(w, {"type": "branch", "col": 1, "token": w.value.tokens[0].id + 1})
    w.wait(GUARD)
    wait_for(lambda: w.value is not None and w.value.tokens == w.attribution.cols[1:2])
    assert heard[-1] == w.value


KERNEL = """
import sys, threading, ipywidgets
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.session.executor import Job
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.widget import SaliencyWidget
from tests.families import made

question, prompt = check_question("saliency", "probability", {}), check_prompt("the cab", target=" and")
w = SaliencyWidget(Job(model=made("gpt2"), prompt=prompt, question=question, max_new_tokens=4))
w.selection = 0
heard = []
def f(s):
    print("pinned:", s and s.target)
    if s is not None:
        here = threading.current_thread() is threading.main_thread()
        heard.append((s.target, here, out.msg_id == sys.stdout.parent_header["msg_id"] != ""))
out = ipywidgets.interactive_output(f, {"s": w})
"""
WAIT = """
import asyncio
for _ in range(200):
    if heard:
        break
    await asyncio.sleep(0.05)
print(heard)
w.close()
"""


def test_in_a_kernel_observers_run_where_cells_run_and_their_output_is_caught() -> None:
    """A print of `interactive_output` goes out under the message that its output listens to."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(Path(__file__).parents[2]))
    heard: list[str] = []
    try:
        for code in (KERNEL, WAIT):
            reply = client.execute_interactive(
                code, timeout=60, output_hook=lambda m: heard.append(m["content"].get("text", ""))
            )
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "[(' a', True, True)]\n" in "".join(heard)


def test_a_map_of_the_whole_answer_is_no_map_of_its_first_word(tiny_model, make) -> None:
    """A map that takes long has no value for a word before its column is there; `wait` gives all columns."""
    w = make(tiny_model, patience=Patience(seconds=0.0, large=1))
    wait_for(lambda: w.attribution is not None, lambda: w.error)
    assert len(w.attribution.cols) == 1
    w.selection = 0
    wait_for(lambda: w.value is not None, lambda: w.error)
    first, whole = w.value, w.wait(GUARD)
    assert len(whole.cols) > 1
    np.testing.assert_allclose(first.scores[:, 0], whole.scores[: len(first.scores), 0], rtol=1e-4)
