"""Functions that build the messages of explanations and comparisons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from ..explanation.prompts import CHOOSE, CHOOSE_SCORES, TEMPLATES, WHY, label_of

if TYPE_CHECKING:
    from ..evaluation.measures import Figure
    from ..evaluation.say_versus_do.result import SayVersusDo
    from ..explanation.clients import Client
    from ..explanation.result import Explanation, ExplanationCard
    from ..protocol import to_page
    from .talk import Talk

_PROMPTS = (WHY, CHOOSE, CHOOSE_SCORES, *TEMPLATES.values())
_MAX_THINKING = 50_000  # characters that the page shows
THE_MODEL, THE_OTHER = "model", "explainer"  # the explainers: the model on show, show()'s client


def explainers_message(
    model: Client | None, other: Client | None, review: str, reason: str | None
) -> to_page.Explainers:
    """Return the message that lists the explainers. `reason`: why the model itself is none of them."""
    found: list[to_page.WireExplainer] = []
    for known, client in ((THE_MODEL, model), (THE_OTHER, other)):
        if client is not None:
            own = known == THE_MODEL
            found.append(
                {"id": known, "name": client.name, "where": client.where, "is_model": own, "guided": own,
                 "compares": own or computes(client)}
            )  # fmt: skip
    return {
        "type": "explainers",
        "explainers": found,
        "prompts": [{"id": t.id, "label": t.label, "kind": t.kind, "text": t.text} for t in _PROMPTS],
        "review": review,
        "reason": None if found else reason,
    }


def computes(client: Client) -> bool:
    """Return whether a client can make a map of its own: a server's, by taking words out."""
    return hasattr(client, "attribute_text")


def answer_message(talk: Talk) -> to_page.Answer:
    """Return the message with all of an answer so far."""
    said, news = talk.explanation, talk.news
    scored = said is not None and said.alignment is not None
    return {
        "type": "answer",
        "id": talk.id,
        "explainer": talk.name or talk.explainer,
        "prompt": label_of(talk.request.template),
        "kind": talk.request.kind,
        "guided": said.guided if said else False,
        "state": talk.state,
        "start": 0,
        "text": said.text if said else news.text if news else "",
        "free": said.free if said else news.free if news else None,
        "decides": bool(talk.request.decides.options),
        "label": said.class_name if said and said.label is not None else None,
        "leans": _leaning(said) if said else 0,
        "ends": list((said.choice if said else talk.request.decides).ends(said.label if said else None)),
        "thinking": said.thinking[:_MAX_THINKING] or None if said else None,
        "label_probability": said.label_probability if said else None,
        "prompt_tokens": said.prompt_tokens if said else None,
        "completion_tokens": said.completion_tokens if said else None,
        "seconds": said.seconds if said else talk.seconds,
        "words": _words(said) if said and scored else None,
        "pairs": _pairs(said) if said and scored else None,
        "problems": list(said.problems) if said else [],
        "mapped": talk.mapped,
        "card": _card(said.card) if said else {"about": [], "reads": "", "caveats": [], "reference": ""},
        "failure": None if talk.error is None else {"message": talk.error.message, "cure": talk.error.cure},
    }


def comparison_message(result: SayVersusDo) -> to_page.Comparison:
    """Return the message with the scores of an answer beside those of methods."""
    said = result.explanation
    return {
        "type": "comparison",
        "words": said.words,
        "said": [_finite(score) for score in said.scores],
        "spread": [_finite(score) for score in result.spread],
        "label": said.class_name,
        "ends": list(said.choice.ends(said.label)),
        "label_probability": said.label_probability,
        "levels": result.levels,
        "zeros": result.zeros,
        "stability": result.stability,
        "askings": len(result.askings),
        "sides": [
            {
                "method": side.map.method,
                "label": side.map.label,
                "signed": side.map.signed,
                "scores": [_finite(score) for score in side.map.scores[:, 0]],
                "figures": [_figure(figure) for figure in side.figures if figure.value is not None],
            }
            for side in result.sides
        ],
        "card": _card(result.card),
    }


def _leaning(said: Explanation) -> Literal[-1, 0, 1]:
    """Return the end of its scale that the label is, -1 or 1; 0 where the labels are no scale."""
    if not said.choice.is_scale or said.label is None:
        return 0
    return 1 if said.choice.towards(said.label) == 1 else -1


def _words(said: Explanation) -> list[to_page.WireWord]:
    unsure = said.uncertainties or (None,) * len(said.words)
    return [
        {"text": word, "score": _finite(score), "uncertainty": uncertainty}
        for word, score, uncertainty in zip(said.words, said.scores, unsure, strict=True)
    ]


def _pairs(said: Explanation) -> list[to_page.WirePair]:
    assert said.alignment is not None, "scores have an alignment"
    return [{"word": p.word, "value": p.value, "fate": p.fate, "at": p.at} for p in said.alignment.pairs]


def _card(card: ExplanationCard) -> to_page.WireCard:
    return {
        "about": list(card.about),
        "reads": card.reads,
        "caveats": list(card.caveats),
        "reference": card.reference,
    }


def _figure(figure: Figure) -> to_page.WireFigure:
    return {
        "id": figure.measure,
        "label": figure.label,
        "value": figure.value,
        "random_mean": figure.random_mean or 0.0,
        "random_low": figure.random_low or 0.0,
        "random_high": figure.random_high or 0.0,
    }


def _finite(score: float) -> float | None:
    """Return None in place of NaN, which JSON lacks."""
    return None if math.isnan(score) else float(score)
