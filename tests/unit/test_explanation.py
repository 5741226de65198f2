"""One explanation from prompt to result: templates, constrained decoding, placing, asking, and the map of it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import saliency_widget as sw
from saliency_widget.errors import InputError, UnknownName, UnsupportedMethod
from saliency_widget.explanation import prompts
from saliency_widget.explanation.alignment import words_of
from saliency_widget.explanation.asking import Inquiry, News, ask
from saliency_widget.explanation.guided import VALUES, read_scores
from saliency_widget.explanation.local import LocalClient, asked
from saliency_widget.explanation.placing import place, review_of, text_of
from saliency_widget.models.text.prompting import check_prompt

from ..families import made
from .parrot import Parrot

REVIEW = "a bad cab, the dad's bat"
FAMILIES = ("llama", "gpt2", "mamba")  # the last has no cache that can be copied
SHORT = "Rate {review}"  # tiny models read few tokens, and theirs are bytes


# ── prompts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_prompts_of_the_homework_are_there_word_for_word() -> None:
    assert prompts.fill(prompts.ANSWER.text, review="It is good.") == (
        "You are a creative and intelligent movie review analyst, whose purpose is to aid in sentiment analysis of "
        "movie reviews. Determine whether the review below is positive or negative, and explain your answers. \n\n"
        "Review: It is good."
    )
    asked_for = (
        "You are a movie review analyst tasked with sentiment analysis. For each review, provide a list of tuples "
        "representing the importance of each word and punctuation, with values ranging from -1 (negative) to 1 "
        "(positive). Then, classify the review as positive (1) or negative (-1). The review is within <review> tags."
    )
    assert prompts.fill(prompts.SCORES.text, review="It is good.").splitlines() == [
        asked_for,
        "Example output:",
        "[(<word or punctuation>, <float importance>), ...]",
        "<int classification>",
        "<review> It is good. <review>",
    ]


@given(st.text())
def test_whatever_stands_in_a_review_stays_as_it_is(review: str) -> None:
    """Braces, tags, quotes and field names in it are text."""
    assert prompts.fill(prompts.SCORES.text, review=review).endswith(f"<review> {review} <review>")
    filled = prompts.fill("{genre}|{review}|{other}", review=review, genre="{review}")
    assert filled == f"{{review}}|{review}|{{other}}"


def test_a_template_without_a_place_for_the_review_is_an_error() -> None:
    with pytest.raises(InputError, match="no place for the review") as caught:
        sw.explain(made("llama"), REVIEW, prompt="Is it good?", progress=False)
    assert "{review}" in caught.value.cure
    with pytest.raises(InputError, match="no place for the genre"):
        sw.explain(made("llama"), REVIEW, prompt="{review}", genre="film", progress=False)


def test_a_built_in_prompt_is_known_by_its_label_also_with_the_target_filled_in():
    """The page fills in the target before it asks; what else is written is a prompt of one's own."""
    assert [prompts.label_of(t.text) for t in prompts.TEMPLATES.values()] == [
        t.label for t in prompts.TEMPLATES.values()
    ]
    for target in ("John", "“", "{target}", "a” after “b"):
        assert prompts.label_of(prompts.WHY.text.replace("{target}", target)) == "Why this word"
    assert prompts.label_of("Why did you write “” after “{review}”?") == "Own prompt"
    assert prompts.label_of("Why this? {review}") == "Own prompt"


@pytest.mark.parametrize("text", [*prompts.PARAPHRASES, prompts.PREDICT_FIRST.text])
def test_the_other_wordings_ask_for_the_class_first(text: str) -> None:
    assert prompts.order_of(text) == "predict first"
    assert text.index("<int classification>") < text.index("[(<word or punctuation>")
    assert prompts.order_of(prompts.SCORES.text) == prompts.order_of("My own {review}") == "explain first"


# ── constrained decoding ─────────────────────────────────────────────────────────────────────────────────────────


def plain_probabilities(model: Any, before: str, options: list[str]) -> list[float]:
    """Each option's probability after the chat and `before`: one whole pass an option, no cache, ids token by token."""
    chat = list(model.encode(asked(model, [{"role": "user", "content": "Rate."}])).inputs.ids)
    tokenizer = model.tokenizer
    start = [*chat, *tokenizer(before, add_special_tokens=False)["input_ids"]]
    weights = []
    for option in options:
        ids = tokenizer(option, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model.model(torch.tensor([[*start, *ids]]), use_cache=False).logits[0].log_softmax(-1)
        weights.append(sum(float(logits[len(start) - 1 + n, token]) for n, token in enumerate(ids)))
    whole = np.exp(np.array(weights) - max(weights))
    return list(whole / whole.sum())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("order", ["explain first", "predict first"])
@pytest.mark.parametrize("labels", [["1", "-1"], ["a cab", "a bat", "dad"]])
def test_numbers_are_read_from_the_models_own_distribution(family: str, labels: list[str], order: Any) -> None:
    """Mean, entropy and class against plain passes over the whole text; what is written is the likeliest value."""
    model = made(family)
    words = ["a", 'b"d', ","]
    texts: list[str] = []
    found = read_scores(model, [{"role": "user", "content": "Rate."}], words, labels, order, texts.append)
    lines = found.reply.text.split("\n")
    listed = lines[1] if order == "predict first" else lines[0]
    before = f"{lines[0]}\n" if order == "predict first" else ""
    p = plain_probabilities(model, "" if order == "predict first" else f"{listed}\n", labels)
    np.testing.assert_allclose(found.label_probabilities, p, rtol=1e-5)
    assert (lines[0] if order == "predict first" else lines[1]) == labels[int(np.argmax(p))]
    at = 0
    for i, quoted in enumerate(['"a"', '"b\\"d"', '","']):
        at = listed.index(f"({quoted},", at) + len(quoted) + 2
        p = plain_probabilities(model, before + listed[:at], [f" {v:.1f}" for v in VALUES])
        assert found.scores[i] == pytest.approx(sum(v * share for v, share in zip(VALUES, p, strict=True)), abs=1e-6)
        entropy = -sum(share * math.log(share) for share in p) / math.log(len(VALUES))
        assert found.uncertainties[i] == pytest.approx(entropy, abs=1e-6)
        assert listed[at:].startswith(f" {VALUES[int(np.argmax(p))]:.1f})")
    assert texts[-1] == found.reply.text
    assert [len(text) for text in texts] == sorted(len(text) for text in texts)


def test_what_was_forced_into_shape_is_marked_and_scores_every_word(roomy: Any) -> None:
    """Random weights write no list: the free try is kept, and the constrained one covers all."""
    said = sw.explain(roomy, REVIEW, kind="scores", max_tokens=8, progress=False)
    assert said.guided
    assert said.free is not None
    assert said.label in (1, -1)
    assert said.words == ["a", "bad", "cab", ",", "the", "dad's", "bat"]
    assert not np.isnan(said.scores).any()
    assert said.alignment is not None
    assert said.alignment.covered == 1
    assert "constrained" in repr(said)
    assert "constrained" in dict(said.card.about)["form"]
    parsed = sw.parse_scores(said.text)
    assert [word for word, _ in parsed.pairs] == said.words
    assert parsed.label == said.label


def test_a_model_that_is_lent_comes_back_as_it_was(tiny_model: Any) -> None:
    """Also after a greedy answer, a sampled one, and constrained decoding; and the user's random numbers go on."""
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    for settings in ({}, {"temperature": 0.9, "seed": 3}, {"temperature": 0.9}):
        sw.explain(tiny_model, "a", prompt=SHORT, max_tokens=6, progress=False, **settings)
    sw.explain(tiny_model, "a", kind="scores", prompt=SHORT, max_tokens=6, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_a_seed_gives_the_same_answer_and_another_one_another() -> None:
    texts = [
        sw.explain(made("llama"), "a", prompt=SHORT, temperature=1.5, seed=seed, max_tokens=20, progress=False).text
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


# ── placing ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("review", [REVIEW, "電影很好看。", "a 👩‍👩‍👧 b", 'say "the cab" - the cab!', "x\n\ny  z"])
@pytest.mark.parametrize("family", ["llama", "bert", "marian"])
def test_every_word_of_a_review_finds_its_tokens(review: str, family: str) -> None:
    """Inside a chat, a source, and a classifier's text; the tokens of a word spell it."""
    model = made(family)
    around = f"Rate this: {review} !"
    prompt = asked(model, [{"role": "user", "content": around}]) if family == "llama" else check_prompt(around)
    encoded = model.encode(prompt)
    document = model.document(encoded, [1])
    words = words_of(review)
    groups = place(review, words, document.tokens)
    assert groups is not None
    text, at = text_of(document.tokens), 0
    assert review in text
    for word, group in zip(words, groups, strict=True):
        spans = [document.tokens[i].span for i in group]
        covered = text[min(a for a, _ in spans) : max(b for _, b in spans)]
        assert word.text in covered
        assert covered.strip() in text
        assert group[0] >= at
        at = group[0]


def test_a_review_that_is_not_there_has_no_place() -> None:
    model = made("llama")
    tokens = model.document(model.encode(check_prompt("the cab")), [5]).tokens
    assert place("the bus", words_of("the bus"), tokens) is None


def test_the_text_of_a_widget_is_what_it_was_given() -> None:
    """A plain text; of a chat the last message, without the template."""
    model = made("llama")
    plain = model.document(model.encode(check_prompt("the cab and", target=" the bat")), [1, 2])
    assert review_of(plain.tokens) == "the cab and"
    chat = [{"role": "system", "content": "be good"}, {"role": "user", "content": "the cab?"}]
    assert review_of(model.document(model.encode(check_prompt(None, messages=chat)), [1]).tokens) == "the cab?"


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_is_asked_for_json_and_its_json_is_read() -> None:
    client = Parrot('{"words": [{"word": "good", "importance": 0.9}, {"word": "film", "importance": -2}], "class": 1}')
    said = sw.explain(client, "good film", kind="scores", progress=False)
    ((messages, schema),) = client.heard
    assert schema["required"] == ["words", "class"]
    assert messages[0]["content"] == prompts.fill(prompts.SCORES.text, review="good film")
    assert said.guided
    assert said.label == 1
    np.testing.assert_allclose(said.scores, [0.9, -1])
    assert said.summary == "2 of 2 words scored · 1 out of range (clipped)"
    assert said.to_dataframe()["fate"].tolist() == ["aligned", "out of range"]
    assert (said.prompt_tokens, said.completion_tokens, said.seconds) == (3, 4, 0.5)


@pytest.mark.parametrize(
    ("prompt", "names"), [(None, ["words", "class"]), (prompts.PREDICT_FIRST.text, ["class", "words"])]
)
def test_the_form_has_the_class_where_the_prompt_asks_for_it(prompt: Any, names: list[str]) -> None:
    client = Parrot('{"words": [{"word": "good", "importance": 0.9}], "class": 1}')
    sw.explain(client, "good film", kind="scores", prompt=prompt, progress=False)
    assert list(client.heard[0][1]["properties"]) == names


def test_an_answer_that_cannot_be_read_is_asked_for_once_more_with_the_reason() -> None:
    client = Parrot("It is a good film.", '[("good", 0.5), ("bus", 1)]\n-1')
    said = sw.explain(client, "good film", kind="scores", progress=False)
    messages, schema = client.heard[1]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert "There is no list of pairs" in messages[2]["content"]
    assert schema is None
    assert said.free == "It is a good film."
    assert said.label == -1
    np.testing.assert_allclose(said.scores, [0.5, np.nan])
    assert "1 invented" in said.summary
    assert said.to_dataframe()["fate"].tolist() == ["aligned", "missing"]


def test_what_cannot_be_read_twice_is_shown_and_is_no_map() -> None:
    said = sw.explain(Parrot("Good.", "Very good.", finished=False), "good film", kind="scores", progress=False)
    assert said.text == "Good."
    assert "cut the answer off" in said.problems[0]
    assert "Asked once more" in said.problems[-1]
    assert "0 of 2 words scored" in repr(said)
    with pytest.raises(InputError, match="scored no word"):
        _ = said.attribution
    assert "Good." in said._repr_html_()


def test_news_tell_the_text_as_it_grows_and_may_stop_it() -> None:
    heard: list[str] = []

    def on_news(news: News) -> None:
        heard.append(news.text)
        if len(heard) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(Parrot("positive"), Inquiry(review="x"), on_news)
    assert heard == ["p", "po", "pos"]


def test_prose_has_a_class_and_no_scores() -> None:
    said = sw.explain(Parrot("The review is negative, because it bores."), "dull", progress=False)
    assert (said.label, said.class_name, said.kind) == (-1, "negative", "answer")
    with pytest.raises(InputError, match="prose"):
        _ = said.scores
    with pytest.raises(InputError, match="prose"):
        _ = said.attribution


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        ("llama", {"text": "  "}, InputError, "no text"),
        ("llama", {"text": 3}, InputError, "no text"),
        ("llama", {"text": "a\ud800"}, InputError, "The text holds half a character at 1: U\\+D800"),
        ("llama", {"text": "a", "prompt": "{review}\udc80"}, InputError, "The prompt holds half a character at 1"),
        ("llama", {"text": "x", "kind": "scroes"}, UnknownName, "scroes"),
        ("llama", {"text": "x", "temperature": 3}, InputError, "temperature"),
        ("llama", {"text": "x", "max_tokens": 0}, InputError, "max_tokens"),
        ("bert", {"text": "x"}, UnsupportedMethod, "cannot answer a question in words"),
        ("marian", {"text": "x"}, UnsupportedMethod, "cannot answer a question in words"),
    ],
)
def test_bad_input_is_an_error_with_a_cure(model: str, arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        sw.explain(made(model), progress=False, **arguments)
    assert caught.value.cure


# ── as a map ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_said_is_an_attribution_like_any_other(tmp_path: Any) -> None:
    """It answers, normalises, aggregates, saves, shows itself, and has a card."""
    said = sw.explain(
        Parrot('[("good", 0.5), ("bad", -1)]\n1'), "good and bad", kind="scores", guided=False, progress=False
    )
    a = said.attribution
    assert (a.method, a.label, a.signed, a.objective) == ("llm", "LLM says", True, None)
    assert [t.text for t in a.rows] == ["good", " and", " bad"]
    assert [t.text for t in a.cols] == ["positive"]
    assert a["bad", "positive"] == -1
    np.testing.assert_allclose(a.normalized()[:, 0], [1 / 3, np.nan, -2 / 3], rtol=1e-6)
    assert a.top("positive", 1)[0].text == " bad"
    np.testing.assert_allclose(a.aggregate("word").scores, a.scores)
    a.save(tmp_path / "said.safetensors")
    np.testing.assert_array_equal(sw.Attribution.load(tmp_path / "said.safetensors").scores, a.scores)
    assert "LLM says" in repr(a)
    assert "LLM says" in a.to_html()


def test_llm_is_listed_with_its_card_and_cannot_be_computed() -> None:
    entry = next(entry for entry in sw.methods(made("llama")) if entry.method.id == "llm")
    assert "explain(" in str(entry.reason)
    with pytest.raises(UnsupportedMethod, match="said, not computed"):
        sw.attribute(made("llama"), "a", method="llm", progress=False)


def test_texts_stay_text_in_the_display() -> None:
    bad = "<script>alert(1)</script>"
    client = Parrot(f'[("{bad}", 0.5)]\n1 {bad}')
    client.name = bad
    shown = sw.explain(client, bad, kind="scores", guided=False, progress=False)._repr_html_()
    assert "<script>alert" not in shown.replace("<script>(", "")
    assert "&lt;script&gt;" in shown


def test_on_the_rows_of_a_longer_text_each_token_has_what_was_said_of_its_word() -> None:
    model = made("llama")
    chat = [{"role": "user", "content": "Rate: the dad's bad cab."}]
    document = model.document(model.encode(check_prompt(None, messages=chat)), [3, 4])
    said = sw.explain(
        Parrot('[("dad\'s", -0.5), ("cab", 1)]\n1'), "the dad's bad cab", kind="scores", guided=False, progress=False
    )
    assert said.alignment is not None
    groups = place(said.review, said.alignment.words, document.rows)
    assert groups is not None
    a = said.on(document.rows, document.cols, document.segments, groups)
    assert a.scores.shape == (len(document.rows), 2)
    for i, token in enumerate(document.rows):
        mine = [word for word, group in zip(said.words, groups, strict=True) if i in group]
        expected = {"dad's": -0.5, "cab": 1.0}.get(mine[0] if mine else "", np.nan)
        np.testing.assert_array_equal(a.scores[i], [expected] * 2, err_msg=token.text)
    by_word = a.aggregate("word")
    assert by_word[" cab", 0] == 1


def test_a_local_client_can_be_stopped_while_it_reads(tiny_model: Any) -> None:
    """An exception of the listener goes on, and the model comes back as it was."""
    count = itertools.count()

    def on_text(_text: str) -> None:
        if next(count) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalClient(tiny_model).answer([{"role": "user", "content": "a"}], on_text=on_text, max_tokens=50)
