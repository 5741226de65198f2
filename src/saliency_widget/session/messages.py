"""Functions that build the messages of tokens, steps and cards."""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from ..characters import sign_of
from ..checks import SURROGATE
from ..export.notes import notes
from ..protocol import to_kernel, to_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..attribution.cards import Card
    from ..attribution.result import Attribution
    from ..types import Alternative, Objective, Phase, Segment, Token


def wire_token(token: Token) -> to_page.WireToken:
    """Return a token without its position, which is its index in the list, and its length, which is 1."""
    about = asdict(token)
    del about["position"], about["length"]
    return cast("to_page.WireToken", about)


def encodable(content: Any) -> Any:
    """Return a message with a sign (U+D800) for each lone surrogate, which UTF-8 cannot encode."""
    if isinstance(content, str):
        return content if content.isascii() else SURROGATE.sub(lambda half: sign_of(half[0]), content)
    if isinstance(content, dict):
        return {name: encodable(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(encodable(value) for value in content)
    return content


def growth(answer: dict[str, Any], told: dict[str, Any] | None) -> dict[str, Any]:
    """Return the answer without the beginning of its text that the page has; all of it if the text did not grow."""
    before = told["text"] if told and told["state"] == answer["state"] == "writing" else ""
    if not before or not answer["text"].startswith(before):
        return answer
    start = len(encodable(before).encode("utf-16-le")) // 2
    return {**answer, "start": start, "text": answer["text"][len(before) :], "free": None}


def tokens_message(doc: int, tokens: Sequence[Token], segments: Sequence[Segment]) -> to_page.Tokens:
    """Return the message with all tokens of a text so far."""
    named = [cast("to_page.WireSegment", asdict(segment)) for segment in segments]
    return {"type": "tokens", "doc": doc, "start": 0, "tokens": [wire_token(t) for t in tokens], "segments": named}


def wire_alternative(other: Alternative) -> to_page.WireAlternative:
    """Return a token that might have stood in the place of a target."""
    return cast("to_page.WireAlternative", asdict(other))


def step_message(
    doc: int, col: int, probability: float, value: float | None, alternatives: Sequence[Alternative]
) -> to_page.Steps:
    """Return the message of one target: its probability, or the value that the model gives, and the alternatives."""
    return {"type": "steps", "doc": doc, "start": col, "steps": [wire_step(probability, value, alternatives)]}


def wire_step(
    probability: float | None, value: float | None = None, alternatives: Sequence[Alternative] = ()
) -> to_page.WireStep:
    """Return one target: its probability, or the value that the model gives in its place; and the alternatives."""
    others = [wire_alternative(other) for other in alternatives]
    return {"probability": probability if value is None else None, "value": value, "alternatives": others}


def menu_message(
    methods: Mapping[Card, str | None],
    objectives: Mapping[Objective, str],
    means: Mapping[Objective, str] = MappingProxyType({}),
    seconds: Mapping[str, float] = MappingProxyType({}),
) -> to_page.Menu:
    """Return the menu of a model: methods, each with a reason if it cannot run, and labelled objectives.

    `means`: a description of each objective. `seconds`: the estimated seconds of a method's map, where known.
    """
    cards = [wire_method(card, reason, seconds.get(card.id)) for card, reason in methods.items()]
    asked: list[to_page.WireObjective] = [
        {"id": k, "label": label, "means": means.get(k, "")} for k, label in objectives.items()
    ]
    return {"type": "menu", "methods": cards, "objectives": asked}


def heads_message(request: int, doc: int, col: int, layers: Sequence[int], shape: tuple[int, ...]) -> to_page.Heads:
    """Return the header of the attention weights of all heads. `shape` of the weights: (layers, heads, n_rows)."""
    _, n_heads, n_rows = shape
    return to_page.Heads(
        type="heads", request=request, doc=doc, col=col, layers=list(layers), n_heads=n_heads, n_rows=n_rows
    )


def failed(kind: str, message: str, cure: str) -> to_page.Failed:
    """Return the message of an error: its type, cause and cure."""
    return {"type": "failed", "kind": kind, "message": message, "cure": cure}


def refusal(asked: to_kernel.ToKernel) -> tuple[to_page.Unanswered, ...]:
    """Return the message that no reply will come, if the page's message waits for one."""
    return ({"type": "unanswered", "request": asked["request"]},) if asked["type"] in ("try", "heads") else ()


def wire_method(card: Card, reason: str | None, seconds: float | None = None) -> to_page.WireMethod:
    """Return a card for the menu. `reason`: why the method cannot run on this model, or None. `seconds`: see above."""
    about = asdict(card)
    del about["pool"], about["work"]  # the reader of the page chooses how scores are pooled
    return cast("to_page.WireMethod", {**about, "caveats": list(card.caveats), "reason": reason, "seconds": seconds})


def notes_message(name: str, attribution: Attribution, first_target: int) -> to_page.Notes:
    """Return the notes of a method about its own result, with columns numbered as on the page."""
    at = [token.position - first_target for token in attribution.cols]
    return {"type": "notes", "map": name, "notes": wire_notes(attribution, at)}


def wire_notes(attribution: Attribution, at: Sequence[int]) -> list[to_page.WireNote]:
    """Return the notes of a method about its own result. `at`: each of its columns as the page counts them.

    Of a step back they tell how much of the step before each target hands on to it.
    """
    told: list[to_page.WireNote] = [
        {"text": note.text, "cols": None if note.cols is None else [at[col] for col in note.cols]}
        for note in notes(attribution)
    ]
    handed = [f"{share:.0%}" for share in attribution.diagnostics.get("handed_on") or []]
    for share in dict.fromkeys(handed):
        cols = [col for col, own in zip(at, handed, strict=True) if own == share]
        told.append({"text": f"Of this word: {share}.", "cols": cols})
    return told


def status(
    phase: Phase,
    what: str = "",
    done: int = 0,
    total: int | None = None,
    seconds_left: float | None = None,
    unit: str = "tokens",
) -> to_page.Status:
    """Return the message of the current phase and its progress."""
    return to_page.Status(
        type="status", phase=phase, what=what, done=done, total=total, seconds_left=seconds_left, unit=unit
    )
