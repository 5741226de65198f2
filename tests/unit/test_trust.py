"""A widget evaluates its maps when a page asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.evaluation.faithfulness.evaluation import Evaluation
from saliency_widget.protocol import PROTOCOL

from .harness import TARGET, TEXT, before_each_pass

GOLDEN = json.loads((Path(__file__).parents[1] / "protocol/to_page/evaluation.json").read_text())
LONG = "the cab that was at the bar had a bat and a cat in the back of it, and the man at the wheel of it said a d"


def told(h: Any) -> list[dict[str, Any]]:
    return h.of("evaluation")


def python(model: Any, cols: tuple[int, ...], *methods: str, text: str = TEXT) -> Evaluation:
    maps = [sw.attribute(model, text, target=TARGET, method=method, progress=False) for method in methods]
    found = sw.evaluate(model, maps, targets=[cols], progress=False)
    assert isinstance(found, Evaluation)
    return found


def form(message: Any) -> Any:
    """The names of all fields, and the types of what they hold."""
    if isinstance(message, dict):
        return {name: form(value) for name, value in message.items()}
    if isinstance(message, list):
        return [form(message[0])] if message else []
    return "number" if isinstance(message, int | float) and not isinstance(message, bool) else type(message).__name__


def test_it_says_what_evaluate_says(tiny_model: Any, harness: Any) -> None:
    """Every map of the column, under both operators: the sentences, curves, bands and warnings of `evaluate`."""
    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("ask", method="occlusion", objective="probability", aside=True)
    h.settled()
    h.say("evaluate", cols=[2])
    h.settled()
    message, found = told(h)[-1], python(tiny_model, (2,), "saliency", "occlusion")
    assert [one["label"] for one in message["maps"]] == list(found.maps)
    assert message["complete"]
    assert [floor["operator"] for floor in message["floors"]] == ["mask", "delete"]
    sentences = iter(found.sentences)
    by_operator = {(j.map, j.operator): (j, next(sentences)) for j in found.judgements}
    for one in message["maps"]:
        for own in one["judgements"]:
            judged, sentence = by_operator[one["label"], own["operator"]]
            assert own["sentence"] == sentence
            np.testing.assert_allclose(own["without"], np.exp(judged.without), rtol=1e-6)
            np.testing.assert_allclose(own["only"], np.exp(judged.only), rtol=1e-6)
    for own, floor in zip(message["floors"], found.floors, strict=True):
        np.testing.assert_allclose(own["without"]["high"], np.exp(floor.without.high), rtol=1e-6)
        assert own["whole"] == pytest.approx(np.exp(floor.whole))
    assert [said for one in message["maps"] for said in one["warnings"]] == list(found.warnings)
    assert message["units"] == list(found.units)
    assert h.last("status")["phase"] == "done"


def test_the_message_has_the_form_of_the_golden_one(tiny_model: Any, harness: Any) -> None:
    """The same fields with the same types, down to the figures; the page reads the golden one."""
    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("ask", method="occlusion", objective="probability", aside=True)
    h.settled()
    h.say("evaluate", cols=[0])
    h.settled()
    message = json.loads(json.dumps(told(h)[-1]))
    both = [{**one, "agreement": [], "given_up": []} for one in (message, GOLDEN)]
    first, second = (form(one) for one in both)
    assert {**first, "maps": None} == {**second, "maps": None}
    (mine,), (golden,) = first["maps"], second["maps"]
    assert {**mine, "warnings": None} == {**golden, "warnings": None}
    assert set(message["agreement"][0]) == set(GOLDEN["agreement"][0])


def test_agreement_is_spearmans_correlation(tiny_model: Any, harness: Any) -> None:
    """Of each pair of maps, over the words that may go; sizes where one of the two has no sign. By scipy."""
    from scipy import stats

    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("ask", method="input_x_gradient", objective="probability", aside=True)
    h.say("ask", method="occlusion", objective="probability", aside=True)
    h.settled()
    h.say("evaluate", cols=[0])
    h.settled()
    message = told(h)[-1]
    pools = {}
    for method in ("saliency", "input_x_gradient", "occlusion"):
        whole = sw.attribute(tiny_model, TEXT, target=TARGET, method=method, progress=False).aggregate("word")
        by_word = {row.position: row for row in whole.rows}
        shown = [at for at, row in enumerate(whole.rows) if row.position in by_word][1 : 1 + len(message["units"])]
        # Words are pooled over columns of a word too, so the first token's own column is taken from the tokens.
        tokens = sw.attribute(tiny_model, TEXT, target=TARGET, method=method, progress=False)
        pools[method] = np.array(
            [
                tokens.scores[whole.rows[at].position : whole.rows[at].position + whole.rows[at].length, 0].sum()
                for at in shown
            ]
        )
    names = [one["method"] for one in message["maps"]]
    for pair in message["agreement"]:
        a, b = (pools[names[pair[side]]] for side in ("a", "b"))
        signed = "saliency" not in (names[pair["a"]], names[pair["b"]])
        expected = stats.spearmanr(a, b) if signed else stats.spearmanr(np.abs(a), np.abs(b))
        assert pair["value"] == pytest.approx(expected.statistic, abs=1e-6)


def test_a_stretch_of_columns_is_one_target(tiny_model: Any, harness: Any) -> None:
    """The log-probabilities of all its tokens are added, as `targets=[(…)]` does."""
    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("evaluate", cols=[1, 2, 3])
    h.settled()
    found = python(tiny_model, (1, 2, 3), "saliency")
    assert told(h)[-1]["floors"][0]["whole"] == pytest.approx(np.exp(found.floors[0].whole))
    assert told(h)[-1]["key"] == "1-3"


def test_a_page_that_comes_later_gets_what_was_found(tiny_model: Any, harness: Any) -> None:
    """Evaluations of several targets are kept until another text is on show."""
    h = harness(tiny_model)
    h.start()
    h.settled()
    for col in (0, 1):
        h.say("evaluate", cols=[col])
        h.settled()
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    assert sorted(message["key"] for message in told(h)) == ["0-0", "1-1"]
    h.say("keep", text="the cab and the b")
    h.settled()
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    assert told(h) == []


def test_what_is_short_comes_first_and_the_evaluation_goes_on(tiny_model: Any, harness: Any) -> None:
    """A question of a pass or two is answered between two parts; what was read by then is not read again."""
    h = harness(tiny_model, text=LONG, target=TARGET)
    h.start()
    h.settled()
    asked: list[str] = []
    passes = 0

    def act() -> None:
        nonlocal passes
        passes += 1
        if told(h) and not asked:
            asked.append("try")
            h.say("try", rows=[1])

    with before_each_pass(tiny_model, act):
        h.say("evaluate", cols=[0])
        h.settled()
    kinds = [m["type"] for m in h.messages if m["type"] in ("what_if", "evaluation")]
    assert kinds.index("what_if") < len(kinds) - 1 - kinds[::-1].index("evaluation")
    final = told(h)[-1]
    assert final["complete"]
    expected = python(tiny_model, (0,), "saliency", text=LONG)
    if expected.steps == tuple(final["steps"]) and expected.floors[0].random == final["floors"][0]["random"]:
        np.testing.assert_allclose(
            final["maps"][0]["judgements"][0]["without"], np.exp(expected.judgements[0].without), rtol=1e-6
        )


def test_a_cancel_keeps_what_was_found(tiny_model: Any, harness: Any) -> None:
    """After the first part a cancel ends it: that part stays, and it can be asked for again."""
    h = harness(tiny_model, text=LONG, target=TARGET)
    h.start()
    h.settled()

    def act() -> None:
        if told(h):
            h.say("cancel")

    with before_each_pass(tiny_model, act):
        h.say("evaluate", cols=[0])
        h.controller.wait(60)
        h.wait_for(lambda: h.last("status")["phase"] == "cancelled")
    assert not told(h)[-1]["complete"]
    h.say("evaluate", cols=[0])
    h.settled()
    assert told(h)[-1]["complete"]


def test_no_map_and_no_such_column_are_errors(tiny_model: Any, harness: Any) -> None:
    """The page is told cause and cure."""
    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("evaluate", cols=[99])
    assert "no such target" in h.failed()["message"].lower() or "No map" in h.failed()["message"]
    h.say("evaluate", cols=[])
    assert "no such target" in h.failed()["message"].lower()


def test_a_text_of_one_token_has_nothing_to_take_away(tiny_model: Any, harness: Any) -> None:
    """The page is told so, also where it asks ahead; the map stays."""
    h = harness(tiny_model, text="a", target=" bat")
    h.start()
    h.settled()
    h.say("evaluate", cols=[0], ahead=True)
    h.settled()
    h.say("evaluate", cols=[0])
    assert h.failed()["message"].startswith("Nothing can be taken away before")
    assert h.of("column")


def test_what_is_looked_at_ahead_says_nothing_and_is_not_looked_at_again(tiny_model: Any, harness: Any) -> None:
    """The page hears of no evaluation and of no work; the passes that tell how the model reads are done by then."""
    h = harness(tiny_model)
    h.start()
    h.settled()
    before = len(h.messages)
    h.say("evaluate", cols=[0], ahead=True)
    h.settled()
    assert {message["type"] for message in h.messages[before:]} <= {"heard", "menu"}
    known = tiny_model.shadow().facts.found
    assert "removal" in known
    h.say("evaluate", cols=[0])
    h.settled()
    assert told(h)[-1]["complete"]
