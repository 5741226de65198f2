"""A language model that answers what it is told to."""

from __future__ import annotations

from typing import Any

from saliency_widget.explanation.clients import Reply


class Parrot:
    """A client that gives these answers, or raises these errors, one after the other. `heard`: what it was asked."""

    name, where = "parrot", "nowhere"

    def __init__(self, *answers: str | Exception, finished: bool = True) -> None:
        self.answers = list(answers)
        self.finished = finished
        self.heard: list[tuple[list[dict[str, str]], Any]] = []

    def answer(self, messages: Any, *, on_text: Any, schema: Any = None, **_: Any) -> Reply:
        self.heard.append((list(messages), schema))
        text = self.answers.pop(0)
        if isinstance(text, Exception):
            raise text
        for end in range(1, len(text) + 1):
            on_text(text[:end])
        return Reply(text, self.finished, 3, 4, 0.5)
