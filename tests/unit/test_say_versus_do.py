"""Say versus do: targets, signs, words, figures, and tables over several reviews."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import saliency_widget as sw
from saliency_widget.errors import InputError, UnknownName, UnsupportedMethod
from saliency_widget.evaluation.say_versus_do import compare as module
from saliency_widget.evaluation.say_versus_do.result import SayVersusDo, Survey
from saliency_widget.explanation.alignment import words_of
from saliency_widget.explanation.local import asked
from saliency_widget.explanation.placing import place
from saliency_widget.export.color import swatch

from .. import families
from ..families import made

REVIEW = "a bad cab, the dad's bat"
OTHER = "the bat and a cab"


@pytest.fixture(scope="module")
def model() -> Any:
    with families.roomy() as found:
        yield found


@pytest.fixture(scope="module")
def result(model: Any) -> SayVersusDo:
    return sw.say_versus_do(model, REVIEW, progress=False)


def class_ids(model: Any, label: int) -> tuple[int, int]:
    one, minus = (model.tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in ("1", "-1"))
    return (one, minus) if label == 1 else (minus, one)


def plain_column(model: Any, said: Any, of: Any) -> tuple[np.ndarray, Any]:
    """A number a token of the chat by `of(x → logit of the class that was answered minus the other's)`, and tokens."""
    encoded = model.encode(asked(model, [{"role": "user", "content": said.prompt}]))
    answered, other = class_ids(model, said.label)
    ids = torch.tensor([encoded.inputs.ids])
    x = model.model.get_input_embeddings()(ids).detach()

    def margin(embeddings: torch.Tensor) -> torch.Tensor:
        logits = model.model(inputs_embeds=embeddings, use_cache=False).logits[0, -1]
        return logits[answered] - logits[other]

    return of(margin, x), model.document(encoded, [answered]).rows


def gradient_of(margin: Any, x: torch.Tensor) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(margin(leaf), leaf)
    return gradient[0]


def by_word(scores: np.ndarray, review: str, rows: Any) -> np.ndarray:
    groups = place(review, words_of(review), rows)
    return np.array([scores[group].sum() for group in groups])


def test_the_maps_ask_why_the_class_that_was_answered_and_not_the_other(model: Any, result: SayVersusDo) -> None:
    """Against plain autograd on the chat: gradients of the margin, summed over the tokens of each word."""
    said = result.explanation
    norms, rows = plain_column(model, said, lambda margin, x: gradient_of(margin, x).norm(dim=-1).numpy())
    np.testing.assert_allclose(result.sides[0].map.scores[:, 0], by_word(norms, REVIEW, rows), rtol=1e-5)
    products, _ = plain_column(model, said, lambda margin, x: (gradient_of(margin, x) * x[0]).sum(-1).numpy())
    expected = by_word(products, REVIEW, rows) * said.label
    np.testing.assert_allclose(result.sides[1].map.scores[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_occlusion_takes_each_word_away_as_a_whole(model: Any, result: SayVersusDo) -> None:
    said = result.explanation
    unknown = model.model.get_input_embeddings()(torch.tensor(model.tokenizer.unk_token_id)).detach()

    def drops(margin: Any, x: torch.Tensor) -> np.ndarray:
        encoded = model.encode(asked(model, [{"role": "user", "content": said.prompt}]))
        groups = place(REVIEW, words_of(REVIEW), model.document(encoded, [1]).rows)
        found = []
        for group in groups:
            changed = x.clone()
            changed[0, group] = unknown
            with torch.no_grad():
                found.append(float(margin(x) - margin(changed)))
        return np.array(found)

    expected, _ = plain_column(model, said, drops)
    np.testing.assert_allclose(result.sides[2].map.scores[:, 0], expected * said.label, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("label", [1, -1])
def test_a_signed_map_speaks_for_positive_whichever_class_was_answered(
    model: Any, monkeypatch: pytest.MonkeyPatch, label: int
) -> None:
    """The margin turns round with the class, and the map does not."""
    real = module.ask

    def asks(*given: Any) -> Any:
        from dataclasses import replace

        return replace(real(*given), label=label)

    monkeypatch.setattr(module, "ask", asks)
    found = sw.say_versus_do(model, REVIEW, methods=["input_x_gradient"], askings=1, progress=False)
    other = {1: "negative", -1: "positive"}[label]
    assert found.sides[0].map.foil == other
    one, minus = class_ids(model, 1)
    whole = sw.attribute(
        model,
        messages=[{"role": "user", "content": found.explanation.prompt}],
        target_ids=[one],
        foil=minus,
        objective="logit",
        method="input_x_gradient",
        progress=False,
    )
    expected = by_word(whole.scores[:, 0], REVIEW, whole.rows)
    np.testing.assert_allclose(found.sides[0].map.scores[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_figures_are_those_of_the_words(result: SayVersusDo) -> None:
    said = result.explanation.scores
    for side in result.sides:
        done = side.map.scores[:, 0]
        pair = (said, done) if side.map.signed else (np.abs(said), np.abs(done))
        value = result.figure(side.map.method, "spearman").value
        assert value == pytest.approx(spearmanr(*pair).statistic)
    signs = result.figure("saliency", "sign_agreement")
    assert signs.value is None
    frame = result.to_dataframe()
    assert set(frame["method"]) == set(module.DEFAULT_METHODS)
    assert frame[frame["measure"] == "spearman"]["random_low"].notna().all()
    words = result.words()
    assert words["word"].tolist() == result.explanation.words
    np.testing.assert_array_equal(words["occlusion"], result.sides[2].map.scores[:, 0])


def test_all_maps_have_the_words_of_the_review_as_rows(result: SayVersusDo) -> None:
    table = sw.agreement([result.said, *(side.map for side in result.sides)])
    assert "LLM says" in repr(table)
    for side in result.sides:
        assert side.map.rows == result.said.rows
        assert [t.text for t in side.map.cols] == [result.explanation.class_name]


def test_it_is_asked_in_several_wordings(result: SayVersusDo) -> None:
    assert len({asking.prompt for asking in result.askings}) == 3
    pairs = [(0, 1), (0, 2), (1, 2)]
    values = [spearmanr(result.askings[i].scores, result.askings[j].scores).statistic for i, j in pairs]
    assert result.stability == pytest.approx(np.mean(values))
    np.testing.assert_allclose(result.spread, np.std([a.scores for a in result.askings], axis=0))
    assert result.levels == len(set(np.round(result.explanation.scores.astype(float), 1)))


def test_it_shows_itself(result: SayVersusDo) -> None:
    """It is text, a table without markup of ours in words, and a picture."""
    assert result.explanation.class_name in repr(result)
    assert "dad&#x27;s" in result._repr_html_()
    picture = result.plot()
    assert [label.get_text().split("\n")[0] for label in picture.axes[0].get_xticklabels()] == [
        "said",
        *(side.map.label for side in result.sides),
    ]


def test_the_picture_has_the_colours_of_the_live_map(result: SayVersusDo) -> None:
    """Purple speaks for, orange against, and a source without signs is blue: cell for cell the colour of its share."""
    signs = [True, *(side.map.signed for side in result.sides)]
    columns = [result.explanation.scores, *(side.map.scores[:, 0] for side in result.sides)]
    canvas = result.plot()
    axes = canvas.axes[0]
    drawn = [image.to_rgba(image.get_array()) for image in axes.images]
    assert len(drawn) == len(set(signs)) == 2
    for col, (signed, column) in enumerate(zip(signs, columns, strict=True)):
        (visible,) = [image[:, col] for image in drawn if image[:, col, 3].any()]
        largest = 1.0 if col == 0 else float(np.nanmax(np.abs(column)))
        for cell, score in zip(visible, column, strict=True):
            if np.isnan(score):
                assert cell[3] == 0
                continue
            expected = swatch(float(score) / largest, 1.0, signed=signed).background
            wanted = [int(expected[at : at + 2], 16) / 255 for at in (1, 3, 5)]
            np.testing.assert_allclose(cell[:3], wanted, atol=0.02)  # one step of the ramp


def test_several_reviews_give_a_table_with_intervals(model: Any) -> None:
    survey = sw.say_versus_do(model, [REVIEW, OTHER], methods=["saliency"], askings=1, progress=False)
    assert isinstance(survey, Survey)
    frame = survey.to_dataframe()
    line = frame[(frame["method"] == "saliency") & (frame["measure"] == "spearman")].iloc[0]
    values = [one.figure("saliency", "spearman").value for one in survey.results]
    assert line["mean"] == pytest.approx(np.mean(values))
    assert np.isnan([line["low"], line["high"]]).all()  # two reviews have no interval
    assert line["reviews"] == 2
    assert survey.reviews()["review"].tolist() == [REVIEW, OTHER]
    assert "spearman" in survey._repr_html_()


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))], ids=["copy", "deep", "pickle"]
)
def test_what_was_said_and_done_can_be_copied_and_pickled(again: Any, result: SayVersusDo) -> None:
    """All askings, figures and maps are equal to those of the original, and none can be changed."""
    found = again(result)
    assert (found.askings, repr(found)) == (result.askings, repr(result))
    for mine, side in zip(found.sides, result.sides, strict=True):
        assert mine.figures == side.figures
        assert mine.map.scores.tobytes() == side.map.scores.tobytes()
        assert not mine.map.scores.flags.writeable
    assert repr(again(sw.agreement([side.map for side in result.sides]))) == repr(
        sw.agreement([side.map for side in result.sides])
    )
    with pytest.raises(FrozenInstanceError):
        found.explanation.text = ""


def test_the_model_comes_back_as_it_was(model: Any, as_lent: Any) -> None:
    as_lent(model.model)
    sw.say_versus_do(model, OTHER, askings=1, progress=False)


@pytest.mark.parametrize(
    ("which", "arguments", "error", "message"),
    [
        ("llama", {"review": []}, InputError, "no review"),
        ("llama", {"review": "x", "askings": 4}, InputError, "3 wordings"),
        ("llama", {"review": "x", "askings": 0}, InputError, "askings"),
        ("llama", {"review": "x", "methods": ["salience"]}, UnknownName, "salience"),
        ("bert", {"review": "x"}, UnsupportedMethod, "cannot answer"),
        ("mamba", {"review": "x"}, UnsupportedMethod, "attention"),
    ],
)
def test_bad_input_is_an_error_with_a_cure(which: str, arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        sw.say_versus_do(made(which), progress=False, **arguments)
    assert caught.value.cure


@pytest.mark.demo
def test_the_homeworks_review_on_the_demo_model(demo: Any) -> None:
    """It says nearly the same number of every word, and calls the review positive."""
    review = (
        "This film is a compelling drama that captivates audiences with its intricate storytelling and powerful "
        "performances."
    )
    found = sw.say_versus_do(demo, review, methods=["saliency"], askings=1, progress=False)
    assert found.explanation.class_name == "positive"
    assert found.explanation.label_probability > 0.9
    assert found.levels <= 4
    assert found.explanation.scores.min() > 0.5
    assert [side.map.method for side in found.sides] == ["saliency"]
