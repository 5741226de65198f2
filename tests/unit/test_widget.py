"""The widget without a page: what Python sees of it, and what it leaves behind."""

from __future__ import annotations

import gc
import json
import time
import weakref
from typing import Any

import numpy as np
import pytest

from saliency_widget import OpenAIClient
from saliency_widget.attribution.attribute import check_question
from saliency_widget.controller import Job
from saliency_widget.errors import Cancelled, InputError, ServerError, UnknownName
from saliency_widget.models.lending import lock_of
from saliency_widget.models.prompting import check_prompt
from saliency_widget.widget import SaliencyWidget

from .. import servers
from ..families import made


@pytest.fixture
def make():
    opened: list[SaliencyWidget] = []

    def make(model: Any, text: str = "the cab and", target: str = " the dog", explainer: Any = None) -> SaliencyWidget:
        question = check_question("saliency", "probability", {})
        prompt = check_prompt(text, target=target)
        job = Job(model=model, prompt=prompt, question=question, max_new_tokens=8, explainer=explainer)
        opened.append(SaliencyWidget(job))
        return opened[-1]

    yield make
    for widget in opened:
        widget.close()
        widget._controller._thread.join(5)


def test_wait_gives_the_map_and_ask_another_one(tiny_model, make) -> None:
    w = make(tiny_model)
    assert w.wait(30).method == "saliency"
    w.ask("attention", layer=1)
    assert w.wait(30).settings == {"layer": 1, "head": None, "reduction": "mean"}
    assert w.attribution is w.wait(30)
    assert w.error is None


def test_python_asks_for_explanations_as_the_page_does(make) -> None:
    """They are kept in order; wait() gives the map, which stays, and raises what went wrong with an answer."""
    model = made("llama")
    with servers.scripted(servers.writes("The review is positive."), servers.refuses("no")) as server:
        w = make(model, explainer=OpenAIClient("big", base_url=server.url, api_key="sk-secret", max_retries=0))
        w.explain(prompt="Rate {review}")
        assert w.wait(30).method == "saliency"
        w.explain(prompt="Rate {review}", explainer="model", text="a bat", max_tokens=3)
        w.wait(30)
        w.explain()
        with pytest.raises(ServerError, match="no"):
            w.wait(30)
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
    assert w.wait(30).scores.shape[1] == 4


def test_cancel_is_raised_by_wait(tiny_model, make) -> None:
    with lock_of(tiny_model.model):
        w = make(tiny_model)
        w.cancel()
        with pytest.raises(Cancelled):
            w.wait(5)


def test_a_widget_is_there_within_a_tenth_of_a_second(tiny_model, make) -> None:
    """All that takes time goes on behind. The best of three: the machine may be busy."""
    took = []
    with lock_of(tiny_model.model):
        for _ in range(3):
            started = time.perf_counter()
            make(tiny_model)
            took.append(time.perf_counter() - started)
    assert min(took) < 0.1


def test_messages_that_are_not_ours_are_ignored(tiny_model, make) -> None:
    w = make(tiny_model)
    before = w.wait(30)
    for content in (None, "x", {"type": "cancle"}, {"type": "focus", "col": "1"}, {"type": "ask", "method": 3}):
        w._on_message(w, content, [])
    assert w.wait(30) is before


def test_a_message_of_the_page_toggles_the_method(tiny_model, make) -> None:
    w = make(tiny_model)
    w.wait(30)
    w._on_message(w, {"type": "ask", "method": "random", "objective": "probability", "settings": {"seed": 3}}, [])
    assert w.wait(30).settings == {"seed": 3}


def test_the_pinned_column_is_computed_next(tiny_model, make) -> None:
    with lock_of(tiny_model.model):
        w = make(tiny_model)
        w.selection = 3
    w.wait(30)
    entry = next(iter(w._controller._cache.values()))
    assert entry.chunks[0].cols == [3]


def test_the_state_that_could_be_saved_holds_no_text_and_no_scores(tiny_model, make) -> None:
    w = make(tiny_model, text="a secret cab")
    w.wait(30)
    state = {k: v for k, v in w.get_state().items() if k not in ("_esm", "_css")}
    assert "secret" not in json.dumps(state)
    assert state["selection"] is None


def test_a_closed_widget_frees_its_maps_and_can_be_closed_again(tiny_model, make) -> None:
    w = make(tiny_model)
    scores = weakref.ref(w.wait(30).scores)
    assert isinstance(scores(), np.ndarray)
    w.close()
    w._controller._thread.join(5)
    w.close()
    gc.collect()
    assert scores() is None
    assert w.attribution is None
