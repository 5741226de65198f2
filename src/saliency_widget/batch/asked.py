"""The question that every text of a run is asked, and its hash, which goes into each text's key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from ..attribution.memory import check_budget
from ..attribution.pipeline import Question, check_question
from ..checks import one_of
from ..errors import InputError
from ..evaluation.faithfulness.judging import Asked as AskedOfEvaluation
from ..evaluation.faithfulness.judging import check_asked
from ..evaluation.say_versus_do.compare import wordings_of
from ..explanation.choice import HOMEWORK, Choice, choice_of
from ..models.inside.digest import digest
from ..models.text.document import check_span
from ..models.text.prompting import check_max_new_tokens

if TYPE_CHECKING:
    from ..models.base import Model

_OF_EVALUATION: Mapping[str, Any] = {"operators": ("mask", "delete"), "unit": "word", "random": 50, "budget": None}
_OF_COMPARISON: Mapping[str, Any] = {"labels": None, "askings": 3}


class Comparison(NamedTuple):
    """A comparison of what a model says of each text with what it computes: the labels, and how often it is asked."""

    choice: Choice
    askings: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The arguments of `attribute` that all texts share, checked.

    `evaluate`, `say_versus_do`: the options of these functions, or None. `memory_budget` changes no number, and so is
    not described.
    """

    method: str
    objective: str | None = None
    foil: str | int | None = None
    span: tuple[int, int] | None = None
    through: str | None = None
    max_new_tokens: int = 32
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] | None = None
    say_versus_do: Mapping[str, Any] | None = None
    memory_budget: int | None = None

    def question(self) -> Question:
        """Return the question of each text. Raises: InputError, UnknownName."""
        return check_question(self.method, self.objective, self.settings, self.foil, through=self.through)

    def evaluation(self, targets: Any = None) -> AskedOfEvaluation:
        """Return what is asked of each evaluation. Raises: InputError, UnknownName."""
        options = {**_OF_EVALUATION, **(self.evaluate or {})}
        return check_asked(options["operators"], options["unit"], options["random"], targets, options["budget"])

    def comparison(self) -> Comparison | None:
        """Return what each text's model is asked in words, or None. Raises: InputError."""
        if self.say_versus_do is None:
            return None
        options = {**_OF_COMPARISON, **self.say_versus_do}
        choice = HOMEWORK if options["labels"] is None else choice_of(options["labels"])
        return Comparison(choice, len(wordings_of(choice, options["askings"])))

    def described(self) -> dict[str, Any]:
        """Return everything that changes a number, as JSON has it, the method's usual settings included."""
        evaluation = None if self.evaluate is None else asdict(self.evaluation())
        comparison = self.comparison()
        # Names of later versions are left out where they are not used: the texts of older folders keep their keys.
        later = {"through": self.through, "say_versus_do": None if comparison is None else _plain(comparison)}
        found = {
            "method": self.method,
            "objective": self.objective,
            "foil": self.foil,
            "span": self.span,
            "max_new_tokens": self.max_new_tokens,
            "settings": asdict(self.question().settings),
            "evaluate": evaluation,
            **{name: value for name, value in later.items() if value is not None},
        }
        plain: dict[str, Any] = json.loads(json.dumps(found))
        return plain


def check(
    method: str,
    *,
    objective: str | None,
    foil: str | int | None,
    span: tuple[int, int] | None,
    through: str | None,
    max_new_tokens: int,
    settings: Mapping[str, Any],
    evaluate: bool | Mapping[str, Any],
    say_versus_do: bool | Mapping[str, Any],
    memory_budget: int | None,
) -> Asked:
    """Return what is asked. Raises: InputError, UnknownName."""
    check_max_new_tokens(max_new_tokens)
    check_budget(memory_budget)
    asked = Asked(
        method=method,
        objective=objective,
        foil=foil,
        span=None if span is None else check_span(span),
        through=through,
        max_new_tokens=max_new_tokens,
        settings=settings,
        evaluate=_options("evaluate", evaluate, _OF_EVALUATION, '{"operators": "mask"}'),
        say_versus_do=_options("say_versus_do", say_versus_do, _OF_COMPARISON, '{"labels": ["sport", "cooking"]}'),
        memory_budget=memory_budget,
    )
    asked.described()  # raises for what does not exist
    return asked


def _options(function: str, given: object, known: Mapping[str, Any], example: str) -> Mapping[str, Any] | None:
    """Return the options of a function that is called for each text, or None if it is not. Raises: InputError."""
    if not isinstance(given, bool | Mapping):
        raise InputError(f"{function} is {given!r}.", cure=f"Give True, or options of {function}(): {example}.")
    options = given if isinstance(given, Mapping) else {} if given else None
    for name in options or ():
        one_of(f"option of {function}", name, known)
    return options


def _plain(comparison: Comparison) -> dict[str, Any]:
    """Return what is asked of each text as JSON has it."""
    labels = [[option.label, option.name, option.written] for option in comparison.choice.options]
    return {"labels": labels, "is_scale": comparison.choice.is_scale, "askings": comparison.askings}


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
