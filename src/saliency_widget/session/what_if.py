"""The what-if: the probabilities of the same targets before and after a change of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..attribution.pipeline import steps_without, target_steps
from ..models.text.changes import Rewriting, changed, rewriting
from ..protocol import to_page
from .messages import wire_alternative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models.base import Model
    from ..models.steps import Step
    from ..models.text.changes import Change, Text
    from .sender import Sender


class WhatIf:
    """Computes the effect of a change. Only the worker's thread uses it, with a shadow of the model."""

    def __init__(self, sender: Sender, memory_budget: int | None) -> None:
        self._sender = sender
        self._memory_budget = memory_budget
        self._before: tuple[int, list[Step]] | None = None  # the weights' fingerprint, and the targets' steps

    def forget(self) -> None:
        """Forget the probabilities: another text is on show."""
        self._before = None

    def consider(self, model: Model, text: Text, change: Change, request: int) -> None:
        """Reply with the targets' probabilities (or values) after the change; without a change, clear the last.

        Raises: InputError, TextTooLong.
        """
        if not change:
            self._reply(model, request, change, Rewriting(), [], [])
            return
        other, _ = changed(model, text, change)
        before = self._steps(model, text)
        if change.text is not None:
            told = rewriting(text.document, other.document)
            after = target_steps(model, other.document, self._memory_budget)
            self._reply(model, request, change, told, before, after)
            return
        gone = set(change.rows)
        left, operator, reason = steps_without(model, text.document, gone, self._memory_budget)
        # A target before the first struck token keeps its probability; only the last digits of another sum differ.
        targets = zip(text.document.targets, before, left, strict=True)
        stays = [was if target.position < min(gone) else now for target, was, now in targets]
        self._reply(model, request, change, Rewriting(tuple(sorted(gone))), before, stays, operator, reason)

    def _reply(
        self,
        model: Model,
        request: int,
        change: Change,
        told: Rewriting,
        before: Sequence[Step],
        after: Sequence[Step | None],
        operator: str | None = None,
        reason: str | None = None,
    ) -> None:
        about = to_page.WhatIf(
            type="what_if",
            request=request,
            doc=self._sender.doc,
            rows=list(told.gone),
            text=change.text,
            written=list(told.written),
            operator=operator,
            reason=reason,
            before=[_number(step) for step in before],
            after=[step and _number(step) for step in after],
            others=[
                [] if step is None else [wire_alternative(other) for other in model.alternatives(step)]
                for step in after
            ],
        )
        self._sender.tell(about)

    def _steps(self, model: Model, text: Text) -> list[Step]:
        """Return the targets' steps before any change, computed once for each text."""
        fingerprint = model.fingerprint()
        if self._before is None or self._before[0] != fingerprint:
            self._before = fingerprint, target_steps(model, text.document, self._memory_budget)
        return self._before[1]


def _number(step: Step) -> float:
    """Return a target's probability, or the value that a model gives in its place."""
    return step.probability if step.value is None else step.value
