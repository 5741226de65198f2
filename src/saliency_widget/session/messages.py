"""What goes into messages, made of tokens, steps and the cards of methods."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from ..characters import sign_of
from ..checks import SURROGATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..attribution.cards import Card
    from ..protocol import to_page
    from ..types import Alternative, Phase, Token


def wire_token(token: Token) -> to_page.WireToken:
    """A token without its position, which is its place in the list, and its length, which is 1."""
    about = asdict(token)
    del about["position"], about["length"]
    return cast("to_page.WireToken", about)


def encodable(content: Any) -> Any:
    """A message with a sign (U+D800) for each lone surrogate: tokens may hold one, and the wire is UTF-8."""
    if isinstance(content, str):
        return content if content.isascii() else SURROGATE.sub(lambda half: sign_of(half[0]), content)
    if isinstance(content, dict):
        return {name: encodable(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(encodable(value) for value in content)
    return content


def growth(answer: to_page.Answer, told: str | None) -> to_page.Answer:
    """The answer without the beginning of its text that was told; whole where it did not grow from there."""
    if not told or answer["state"] != "writing" or not answer["text"].startswith(told):
        return answer
    start = len(encodable(told).encode("utf-16-le")) // 2
    return {**answer, "start": start, "text": answer["text"][len(told) :], "free": None}


def wire_method(card: Card, reason: str | None) -> to_page.WireMethod:
    """A card for the menu. `reason`: why it cannot be used here, or None."""
    about = asdict(card)
    del about["pool"]  # the page pools as its reader says
    return cast("to_page.WireMethod", {**about, "caveats": list(card.caveats), "reason": reason})


def status_message(
    phase: Phase,
    what: str = "",
    done: int = 0,
    total: int | None = None,
    seconds_left: float | None = None,
    unit: str = "tokens",
) -> to_page.Status:
    """What is going on."""
    return {
        "type": "status",
        "phase": phase,
        "what": what,
        "done": done,
        "total": total,
        "seconds_left": seconds_left,
        "unit": unit,
    }


def wire_step(probability: float, value: float | None, alternatives: Sequence[Alternative]) -> to_page.WireStep:
    """The probability of a target, or the value that the model gives, and the alternatives."""
    wire = [cast("to_page.WireAlternative", asdict(a)) for a in alternatives]
    return {"probability": probability if value is None else None, "value": value, "alternatives": wire}


def runs(cols: Iterable[int]) -> Iterator[range]:
    """The columns as ranges without gaps, ascending."""
    start = end = -1
    for col in sorted(cols):
        if col != end:
            if end > start:
                yield range(start, end)
            start = col
        end = col + 1
    if end > start:
        yield range(start, end)
