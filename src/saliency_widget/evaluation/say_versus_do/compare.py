"""Say versus do: the reasons that a model gives, compared with what its own computation shows.

The model is asked for the class first and for the importance of each word after it, so that the class is decided on
the review alone. That class is the target of the maps: why this class and not the other one? Both speak of the words
of the review, and are compared word by word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...aside import aside
from ...attribution import pipeline
from ...attribution.aggregate import pooled, pooled_errors
from ...attribution.cards import Card
from ...attribution.engine import Schedule
from ...attribution.methods import card_named, why_not
from ...attribution.problem import Chunk
from ...attribution.result import Attribution
from ...characters import bar_name
from ...checks import whole_number
from ...errors import InputError, UnsupportedMethod
from ...explanation.asking import Inquiry, ask
from ...explanation.black_box import map_of
from ...explanation.choice import HOMEWORK, Choice, Label, choice_of
from ...explanation.local import LocalClient, asked, every
from ...explanation.placing import place
from ...explanation.prompts import paraphrases
from ...explanation.remote_question import RemoteQuestion
from ...explanation.result import Explanation
from ...models.loading.load import load_model
from ...models.text.prompting import continuation
from ..measures import figures
from .cc_shap import check_kinds, of_prose, of_scores
from .result import SayVersusDo, Side, Survey

if TYPE_CHECKING:
    from ...explanation.many import HowFar
    from ...explanation.server import OpenAIClient
    from ...models.causal import CausalModel
    from ...models.text.document import Document
    from .self_consistency import Said, SelfConsistency

DEFAULT_METHODS = ("saliency", "input_x_gradient", "occlusion", "attention")

# Hears what is being done, and how many steps of how many are; may raise to stop.
OnProgress = Callable[[str, int, int], None]


def say_versus_do(
    model: Any,
    review: str | Sequence[str],
    *,
    labels: Iterable[Label] | Mapping[Label, float | str] | None = None,
    methods: Sequence[str] | None = None,
    askings: int = 3,
    cc_shap: str | Sequence[str] = (),
    progress: bool = True,
) -> SayVersusDo | Survey:
    """Compare what a model says of each word of a review with what its computation shows for the class it answers.

    Args:
        model: whatever `load_model` takes and goes on with a text; or an `OpenAIClient`, whose own map is made by
            taking words out (see `server_map`).
        review: one text, or several: then the result holds one comparison each, and figures with intervals.
        labels: what it decides, as in `explain`; None: whether the review is positive or negative.
        methods: the maps it is compared with, by their ids. One that the model does not allow is an error. None:
            gradient, input × gradient, occlusion and attention; of a server occlusion.
        askings: how many wordings of the question are tried, 1 to 3, to see how stable what it says is.
        cc_shap: of which explanations to compute CC-SHAP (see `self_consistency`): of the numbers for words ("scores"),
            of reasons that it is asked for ("prose"), or both. At least eight passes for each word of the review.
        progress: show a progress bar.

    Definitions follow Huang et al. 2023 (arXiv:2310.11207) for agreement at k and ranks, and Parcalabescu & Frank 2024
    (arXiv:2311.07466) for the cosine, and for CC-SHAP; every figure stands beside what shuffled words reach.

    Raises:
        UnsupportedMethod: the model cannot answer in words, or does not allow a method.
        InputError, TextTooLong: what was asked cannot be asked.
    """
    from tqdm.auto import tqdm

    reviews = [review] if isinstance(review, str) else list(review)
    if not reviews:
        raise InputError("There is no review.", cure="Give at least one text.")
    choice = HOMEWORK if labels is None else choice_of(labels)
    names = tuple((("occlusion",) if _is_server(model) else DEFAULT_METHODS) if methods is None else methods)
    kinds = check_kinds(cc_shap)
    if kinds and _is_server(model):
        raise UnsupportedMethod(
            "A server does not tell how probable a given explanation is, so it has no CC-SHAP.",
            cure="Leave cc_shap= out, or take a model that is loaded here.",
        )
    steps = askings + len(names) + len(kinds)
    total = len(reviews) * steps
    stage, reached = "", 0  # set by the thread that works, drawn by this one

    def work(check: Callable[[], None]) -> list[SayVersusDo]:
        client = None if _is_server(model) else LocalClient(load_model(model))
        results: list[SayVersusDo] = []

        def on_progress(what: str, done: int, _total: int) -> None:
            nonlocal stage, reached
            check()
            stage, reached = what, len(results) * steps + done

        for text in reviews:
            if client is None:
                done = compare_server(model, text, on_progress, choice=choice, methods=names, askings=askings)
            else:
                done = compare(client, text, on_progress, choice=choice, methods=names, askings=askings, kinds=kinds)
            results.append(done)  # which is what tells how far it is
        return results

    with tqdm(total=total, disable=not progress, leave=False) as bar:

        def draw() -> None:
            bar.set_description(bar_name(stage), refresh=False)
            bar.update(max(0, reached - bar.n))

        results = aside(work, draw)
    return results[0] if isinstance(review, str) else Survey(tuple(results))


def compare(
    client: LocalClient,
    review: str,
    on_progress: OnProgress,
    *,
    choice: Choice = HOMEWORK,
    methods: Sequence[str] = DEFAULT_METHODS,
    askings: int = 3,
    kinds: Sequence[Said] = (),
    memory_budget: int | None = None,
) -> SayVersusDo:
    """Do `say_versus_do` for one review; `on_progress` hears of askings and maps, and may raise to stop."""
    cards = [card_named(name) for name in methods]
    for card in cards:
        reason = why_not(card, client.model)
        if reason is not None:
            raise UnsupportedMethod(reason, cure="Leave it out of methods=.")
    wordings = wordings_of(choice, askings)
    started, total = time.perf_counter(), askings + len(cards) + len(kinds)
    said: list[Explanation] = []
    sides: list[Side] = []
    consistent: list[SelfConsistency] = []
    what = ""

    def tell(*_: int) -> None:
        on_progress(what, len(said) + len(sides) + len(consistent), total)

    inside = client.model.shadow(every(0.1, tell))
    for prompt in wordings:
        what = "Asking for the importance of each word"
        request = Inquiry(review=review, kind="scores", prompt=prompt, choice=choice, guided=True)
        said.append(ask(client, request, lambda _news: tell()))
    for card in cards:
        what = card.label
        tell()
        done = _map(inside, card, said[0], memory_budget)
        sides.append(Side(done, tuple(figures(said[0].scores, done.scores[:, 0], signed=card.signed))))
    for kind in kinds:
        what = f"CC-SHAP of its {'numbers' if kind == 'scores' else 'reasons'}"
        tell()
        if kind == "scores":
            consistent.append(of_scores(inside, said[0], tell, memory_budget))
        else:
            consistent.append(of_prose(inside, review, choice, tell, memory_budget))
    tell()
    inside.check_weights()
    return SayVersusDo(tuple(said), tuple(sides), time.perf_counter() - started, tuple(consistent))


def compare_server(
    client: OpenAIClient,
    review: str,
    on_progress: OnProgress,
    *,
    choice: Choice = HOMEWORK,
    methods: Sequence[str] = ("occlusion",),
    askings: int = 3,
) -> SayVersusDo:
    """Compute `say_versus_do` for one review of a server's model.

    Its map is of the label that it answered to the first wording: the label decided on before any word was scored.
    Raises: UnsupportedMethod for other methods, InputError where it decides on no label; see `server_map`.
    """
    if others := [name for name in methods if name != "occlusion"]:
        raise UnsupportedMethod(f"A server shows no {others[0]}.", cure='Take methods=["occlusion"].')
    wordings = wordings_of(choice, askings)
    started, total = time.perf_counter(), askings + 1
    said: list[Explanation] = []

    def tell() -> None:
        on_progress("Asking for the importance of each word", len(said), total)

    for prompt in wordings:
        request = Inquiry(review=review, kind="scores", prompt=prompt, choice=choice)
        said.append(ask(client, request, lambda _news: tell()))
    first = said[0]
    if first.label is None:
        raise InputError(
            f"{client.name} decided on no label: it wrote {first.text[:80]!r}.",
            cure="Ask another model, or for labels that it can tell apart.",
        )
    # "1" and "-1" have little of a first token's probability: their names have much.
    named = choice_of([option.name.capitalize() for option in choice.options]) if choice == HOMEWORK else choice
    question = RemoteQuestion(text=review, choice=named)

    def far(now: HowFar) -> None:
        on_progress(f"Taking words out ({now.price or f'{now.total:,} requests'})", askings, total)

    whole = map_of(client, question, far)
    col = [option.label for option in choice.options].index(first.label)
    scores = whole.scores[:, [col]] * choice.towards(first.label)
    one = {name: value[[col]] for name, value in whole.step_scores.items()}
    numbers = {name: [value[col]] if isinstance(value, list) else value for name, value in whole.diagnostics.items()}
    done = replace(
        whole, scores=scores, errors=None, rows=first.attribution.rows, cols=first.attribution.cols, step_scores=one,
        diagnostics=numbers,
    )  # fmt: skip
    side = Side(done, tuple(figures(first.scores, done.scores[:, 0], signed=True)))
    return SayVersusDo(tuple(said), (side,), time.perf_counter() - started)


def _is_server(model: object) -> bool:
    return hasattr(model, "attribute_text")


def wordings_of(choice: Choice, askings: int) -> tuple[str, ...]:
    """Return as many wordings of the question. Raises: InputError if there are fewer."""
    whole_number("askings", askings, least=1, cure="Ask once, or up to three times.")
    wordings = paraphrases(choice)
    if askings > len(wordings):
        raise InputError(f"There are {len(wordings)} wordings.", cure=f"Ask at most {len(wordings)} times.")
    return wordings[:askings]


def _map(model: CausalModel, card: Card, said: Explanation, memory_budget: int | None) -> Attribution:
    """Return the map of the answered label against the next probable one: a row a word, signed as scores of words are.

    Both are told apart by the first token in which they differ: that is the target, and the foil.
    """
    prompt = asked(model, [{"role": "user", "content": said.prompt}])
    encoded = model.encode(prompt)
    other = _next_probable(said)
    written, foil_id = _where_they_part(model, encoded.inputs.ids, said, other)
    document, groups = _by_words(model.document(encoded, written), said)
    col = len(written) - 1
    settings = {"unit": "word"} if card.family == "perturbation" else {}
    foil = foil_id if card.uses_objective else None
    question = pipeline.check_question(card.id, "logit" if foil is not None else None, settings, foil, col=col)
    started = time.perf_counter()
    parts = pipeline.columns(model, question, document, Schedule([col]), memory_budget)
    chunks = [part for part in parts if isinstance(part, Chunk)]
    whole = pipeline.assemble(model, question, document, chunks, time.perf_counter() - started)
    scores = pooled(whole.scores, groups, card.pool, axis=0)
    errors = None if whole.errors is None else pooled_errors(whole.errors, whole.scores, groups, card.pool, axis=0)
    if whole.signed:
        scores = scores * said.choice.towards(said.label)
    return replace(
        whole,
        scores=scores,
        errors=errors,
        rows=said.attribution.rows,
        cols=said.attribution.cols,
        segments=(),
        foil=said.choice.name_of(other) if whole.foil is not None else None,
        settings={**whole.settings, "unit": "word", "pool": card.pool},
        diagnostics={},
    )


def _by_words(document: Document, said: Explanation) -> tuple[Document, list[list[int]]]:
    """Return the document with the words of the review as its words, all else as one, and the tokens of each word.

    So what takes away words takes away these, and the prompt around them once instead of token by token.
    """
    assert said.alignment is not None, "scores have an alignment"
    groups = place(said.review, said.alignment.words, document.rows)
    if groups is None:
        raise InputError(
            "The review cannot be found in what the model reads.",
            cure="Look for characters that its tokenizer changes, and write them another way.",
        )
    word_of = {at: number for number, group in enumerate(groups, start=1) for at in group}
    tokens = tuple(replace(token, word=word_of.get(at, 0)) for at, token in enumerate(document.tokens))
    return replace(document, tokens=tokens), groups


def _next_probable(said: Explanation) -> Label:
    """Return the most probable label but the one that was answered."""
    assert said.label_probabilities is not None, "constrained decoding gives them"
    others = {label: p for label, p in said.label_probabilities.items() if label != said.label}
    return max(others, key=lambda label: others[label])


def _where_they_part(model: CausalModel, ids: Sequence[int], said: Explanation, other: Label) -> tuple[list[int], int]:
    """Return the tokens of the answered label up to the first that another label has not, and the other's there.

    Raises: InputError where one label begins with the whole of the other.
    """
    text = {option.label: option.written for option in said.choice.options}
    assert said.label is not None, "constrained decoding always decides"
    mine, others = (continuation(model.tokenizer, None, list(ids), text[label]) or () for label in (said.label, other))
    for at, (one, two) in enumerate(zip(mine, others, strict=False)):
        if one != two:
            return list(mine[: at + 1]), two
    raise InputError(
        f"In tokens of {model.name}, {text[said.label]!r} and {text[other]!r} begin alike, and one ends there.",
        cure="Write the labels in another way: no label may be the beginning of another.",
    )
