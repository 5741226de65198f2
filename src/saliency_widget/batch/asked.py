"""The question that every text of a run is asked, and its hash, which goes into each text's key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ..attribution.memory import check_budget
from ..attribution.pipeline import Question, check_question
from ..checks import one_of
from ..errors import InputError
from ..evaluation.faithfulness.judging import Asked as AskedOfEvaluation
from ..evaluation.faithfulness.judging import check_asked
from ..models.inside.digest import digest
from ..models.text.document import check_span
from ..models.text.prompting import check_max_new_tokens

if TYPE_CHECKING:
    from ..models.base import Model

_OF_EVALUATION: Mapping[str, Any] = {"operators": ("mask", "delete"), "unit": "word", "random": 50, "budget": None}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The arguments of `attribute` that all texts share, checked. `evaluate`: the options of `evaluate`, or None.

    `memory_budget` changes no number, and so is not described.
    """

    method: str
    objective: str | None = None
    foil: str | int | None = None
    span: tuple[int, int] | None = None
    max_new_tokens: int = 32
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] | None = None
    memory_budget: int | None = None

    def question(self) -> Question:
        """Return the question of each text. Raises: InputError, UnknownName."""
        return check_question(self.method, self.objective, self.settings, self.foil)

    def evaluation(self, targets: Any = None) -> AskedOfEvaluation:
        """Return what is asked of each evaluation. Raises: InputError, UnknownName."""
        options = {**_OF_EVALUATION, **(self.evaluate or {})}
        return check_asked(options["operators"], options["unit"], options["random"], targets, options["budget"])

    @property
    def operators(self) -> tuple[str, ...]:
        """Return the operators whose figures are columns; none if nothing is evaluated."""
        return () if self.evaluate is None else self.evaluation().operators

    def described(self) -> dict[str, Any]:
        """Return everything that changes a number, as JSON has it, the method's usual settings included."""
        evaluation = None if self.evaluate is None else asdict(self.evaluation())
        found = {
            "method": self.method,
            "objective": self.objective,
            "foil": self.foil,
            "span": self.span,
            "max_new_tokens": self.max_new_tokens,
            "settings": asdict(self.question().settings),
            "evaluate": evaluation,
        }
        plain: dict[str, Any] = json.loads(json.dumps(found))
        return plain


def check(
    method: str,
    *,
    objective: str | None,
    foil: str | int | None,
    span: tuple[int, int] | None,
    max_new_tokens: int,
    settings: Mapping[str, Any],
    evaluate: bool | Mapping[str, Any],
    memory_budget: int | None,
) -> Asked:
    """Return what is asked. Raises: InputError, UnknownName."""
    check_max_new_tokens(max_new_tokens)
    check_budget(memory_budget)
    if not isinstance(evaluate, bool | Mapping):
        raise InputError(
            f"evaluate is {evaluate!r}.", cure='Give True, or options of evaluate(): {"operators": "mask"}.'
        )
    options = evaluate if isinstance(evaluate, Mapping) else {} if evaluate else None
    for name in options or ():
        one_of("option of evaluate", name, _OF_EVALUATION)
    asked = Asked(
        method=method,
        objective=objective,
        foil=foil,
        span=None if span is None else check_span(span),
        max_new_tokens=max_new_tokens,
        settings=settings,
        evaluate=options,
        memory_budget=memory_budget,
    )
    asked.described()  # raises for what does not exist
    return asked


def hash_of(described: Mapping[str, Any], fingerprint: str) -> str:
    """Return the hash of what is asked of which model: a part of each text's key."""
    return sha256(json.dumps([described, fingerprint], sort_keys=True).encode()).hexdigest()


def model_described(model: Model, source: Any) -> dict[str, Any]:
    """Return the name, revision and fingerprint of a model, as JSON has them. `source`: what the user called it."""
    return {
        "source": source if isinstance(source, str) else model.name,
        "name": model.name,
        "class": type(model.model).__name__,
        "revision": getattr(model.model.config, "_commit_hash", None),
        "fingerprint": digest(model.model, model.tokenizer),
        "dtype": model.dtype_name,
    }
