"""What if the model had read another text? The probabilities of the same targets, before and after a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..attribution.pipeline import target_steps
from ..errors import InputError
from ..models.text.changes import changed
from ..protocol import to_page
from .messages import wire_alternative

if TYPE_CHECKING:
    from ..models.base import Model
    from ..models.steps import Step
    from ..models.text.changes import Change, Text
    from .sender import Sender


class WhatIf:
    """Used by the worker alone, with a shadow of the model."""

    def __init__(self, sender: Sender, memory_budget: int | None) -> None:
        self._sender = sender
        self._memory_budget = memory_budget
        self._before: tuple[int, list[Step]] | None = None  # fingerprint of the weights, and what they gave

    def forget(self) -> None:
        """Forget the probabilities: another text is on show."""
        self._before = None

    def consider(self, model: Model, text: Text, change: Change, request: int) -> None:
        """Reply with the targets' probabilities after the change; without a change, with those before it.

        Raises: InputError, TextTooLong.
        """
        if not change:
            self._reply(model, request, change, [], [])
            return
        if model.raw:
            raise InputError(
                f"{model.name} gives numbers and no probabilities, and what a change does is told in probabilities.",
                cure="Set two texts side by side: sw.compare(a, b).",
            )
        other, cols = changed(model, text, change)
        before = self._steps(model, text)
        left = dict(zip(cols, target_steps(model, other.document, self._memory_budget), strict=True))
        # A target before the first struck token keeps its probability; only the last digits of another sum differ.
        first = min(change.rows, default=0)
        targets = text.document.targets
        after = [before[col] if t.position < first else left.get(col) for col, t in enumerate(targets)]
        self._reply(model, request, change, before, after)

    def _reply(self, model: Model, request: int, change: Change, before: list[Step], after: list[Step | None]) -> None:
        about = to_page.WhatIf(
            type="what_if",
            request=request,
            doc=self._sender.doc,
            rows=sorted(set(change.rows)),
            text=change.text,
            before=[step.probability for step in before],
            after=[step and step.probability for step in after],
            others=[
                [] if step is None else [wire_alternative(other) for other in model.alternatives(step)]
                for step in after
            ],
        )
        self._sender.tell(about)

    def _steps(self, model: Model, text: Text) -> list[Step]:
        """The targets' probabilities before any change, computed once for each text."""
        fingerprint = model.fingerprint()
        if self._before is None or self._before[0] != fingerprint:
            self._before = fingerprint, target_steps(model, text.document, self._memory_budget)
        return self._before[1]
