"""An answer and its explanation as one forced text, whose tokens are the targets of `self_consistency`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ...attribution import pipeline
from ...attribution.result import Attribution
from ...errors import InputError
from ...explanation.alignment import words_of
from ...explanation.choice import HOMEWORK, choice_of
from ...explanation.guided import chosen
from ...explanation.local import asked
from ...explanation.placing import place, text_of
from ...explanation.prompts import ONE_WORD, fill
from ...explanation.result import word_tokens
from ...models.text.prompting import continuation
from ...types import Target, Token
from .self_consistency import SelfConsistency, consistency, contributions, shares

if TYPE_CHECKING:
    from ...explanation.choice import Choice
    from ...explanation.clients import Message
    from ...explanation.result import Explanation
    from ...models.causal import CausalModel
    from ...models.text.document import Document
    from .self_consistency import Floats, Said

WHY, BECAUSE = "Why?", "Because"  # as the authors ask, and how they let the reasons begin
MOST_TOKENS = 100  # of the reasons, as the authors'
_NUMBER = re.compile(r",\s*(-?\d+(?:\.\d+)?)\)")


class Spoken(NamedTuple):
    """A forced text: the position of the token that decides the answer, and those of the explanation's own tokens.

    `given`: how many tokens stand before the answer; `label`: the answer in words; `text`: the explanation.
    """

    document: Document
    given: int
    answer: int
    explanation: list[int]
    label: str
    text: str


def of_scores(
    model: CausalModel,
    said: Explanation,
    tell: Callable[[int, int], None],
    memory_budget: int | None = None,
) -> SelfConsistency:
    """Compute CC-SHAP of the numbers that a model wrote for words, after its answer. `model` is a shadow.

    The explanation's own tokens are those of the numbers: the words between them are copied from the text.
    `tell`: as in `contributions`. Raises: InputError for an explanation whose answer is not written first.
    """
    return _measured(model, "scores", said.review, _spoken_scores(model, said), tell, memory_budget)


def of_prose(
    model: CausalModel,
    review: str,
    choice: Choice,
    tell: Callable[[int, int], None],
    memory_budget: int | None = None,
) -> SelfConsistency:
    """Ask a model for a label, and then why, and compute CC-SHAP of its reasons. `model` is a shadow.

    The label is the most probable of the choice, as the authors' code takes it. `tell`: as in `contributions`.
    Raises: InputError, TextTooLong.
    """
    return _measured(model, "prose", review, _spoken_prose(model, review, choice, tell), tell, memory_budget)


# ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────


def _spoken_scores(model: CausalModel, said: Explanation) -> Spoken:
    encoded = model.encode(asked(model, [{"role": "user", "content": said.prompt}]))
    ids = list(encoded.inputs.ids)
    stated = {option.label: option.written for option in said.choice.options}
    mine = "" if said.label is None else stated[said.label]
    if not mine or not said.text.startswith(mine):
        raise InputError(
            "The answer does not stand before the numbers, so they may have decided it.",
            cure="Ask for the class first, as say_versus_do does.",
        )
    label = list(continuation(model.tokenizer, None, ids, mine) or ())
    others = [list(continuation(model.tokenizer, None, ids, text) or ()) for text in stated.values() if text != mine]
    rest = list(continuation(model.tokenizer, mine, label, said.text.removeprefix(mine)) or ())
    document = model.document(encoded, [*label, *rest])
    written = [token for token in document.tokens[len(ids) + len(label) :] if token.span is not None]
    whole = text_of(document.tokens)
    start = written[0].span[0] if written and written[0].span else 0
    spans = [(start + found.start(1), start + found.end(1)) for found in _NUMBER.finditer(whole[start:])]
    own = [
        token.position
        for token in written
        if any(token.span and token.span[0] < end and token.span[1] > begin for begin, end in spans)
    ]
    if not own:
        raise InputError("The explanation has no numbers.", cure='Ask for scores, or take cc_shap=("prose",).')
    return Spoken(document, len(ids), len(ids) + _parting(label, others), own, said.class_name, said.text)


def _parting(label: Sequence[int], others: Sequence[Sequence[int]]) -> int:
    """Return the place of the first token of a label by which it differs from all others that begin as it does."""
    same = [next((i for i, (a, b) in enumerate(zip(label, o, strict=False)) if a != b), None) for o in others]
    if None in same:
        raise InputError(
            "One label begins with the whole of another.", cure="Write the labels so that none begins another."
        )
    return max((at for at in same if at is not None), default=0)


def _spoken_prose(model: CausalModel, review: str, choice: Choice, tell: Callable[[int, int], None]) -> Spoken:
    if len(choice.options) < 2:
        raise InputError("There is nothing to decide.", cure="Give labels=[…].")
    # "1" and "-1" say little to a reader who is asked why: their names do.
    named = choice_of([option.name.capitalize() for option in choice.options]) if choice == HOMEWORK else choice
    question = fill(ONE_WORD, review=review, labels=" or ".join(named.written))
    first: list[Message] = [{"role": "user", "content": question}]
    ids = list(model.encode(asked(model, first)).inputs.ids)
    answer = chosen(model, ids, named.written)
    labels = [list(continuation(model.tokenizer, None, ids, text) or ()) for text in named.written]
    label = labels[answer]
    said: Message = {"role": "assistant", "content": named.written[answer]}
    encoded = model.encode(asked(model, [*first, said, {"role": "user", "content": WHY}]))
    if list(encoded.inputs.ids[: len(ids) + len(label)]) != [*ids, *label]:
        raise InputError(
            f"The chat template of {model.name} writes an earlier answer in another way than a new one.",
            cure='Take cc_shap=("scores",).',
        )
    begun = list(continuation(model.tokenizer, None, list(encoded.inputs.ids), BECAUSE) or ())
    document = pipeline.go_on(model, encoded, begun, MOST_TOKENS, lambda *_: tell(0, 1))
    written = document.tokens[len(encoded.inputs.ids) + len(begun) :]
    own = [token.position for token in written if token.role != "special"]
    if not own:
        raise InputError(f"{model.name} gave no reasons.", cure='Take cc_shap=("scores",), or another model.')
    at = len(ids) + _parting(label, [other for other in labels if other != label])
    text = BECAUSE + model.tokenizer.decode([document.tokens[position].id for position in own])
    return Spoken(document, len(ids), at, own, named.options[answer].name, text)


# ── what it depends on ───────────────────────────────────────────────────────────────────────────────────────────


def _measured(
    model: CausalModel,
    kind: Said,
    review: str,
    spoken: Spoken,
    tell: Callable[[int, int], None],
    memory_budget: int | None,
) -> SelfConsistency:
    words = words_of(review)
    units = place(review, words, spoken.document.tokens[: spoken.given])
    if units is None:
        raise InputError(
            "The review cannot be found in what the model reads.",
            cure="Look for characters that its tokenizer changes, and write them another way.",
        )
    tokens = spoken.document.tokens
    targets = tuple(Target(at, (tokens[at].id,)) for at in (spoken.answer, *spoken.explanation))
    document = replace(spoken.document, targets=targets)
    question = pipeline.check_question("shapley", "log_probability", {})
    problem = pipeline.problem_of(model, question.request(model, document), document, memory_budget)
    found = contributions(problem, units, tell)
    answer, explanation = shares(found.values[:, :1]), shares(found.values[:, 1:])
    rows = word_tokens(review, words)

    def shown(shared: Floats, of: str, text: str) -> Attribution:
        n, scores = len(rows), shared[:, None]
        col = Token(id=-1, position=n, text=text, role="class", span=None, word=n, sentence=1, segment=1)
        return Attribution.from_scores(
            scores, rows, [col], method=f"contributions to the {of}", signed=True, unit="share", model_name=model.name
        )

    return SelfConsistency(
        kind=kind,
        text=spoken.text,
        answer=shown(answer, "answer", spoken.label),
        explanation=shown(explanation, "numbers" if kind == "scores" else "reasons", "its explanation"),
        figure=consistency(answer, explanation),
        n_tokens=len(spoken.explanation),
        calls=found.calls,
        is_exact=found.is_exact,
        operator=found.operator,
    )


def check_kinds(kinds: object) -> tuple[Said, ...]:
    """Return the kinds of explanations whose CC-SHAP is asked for. Raises: InputError."""
    given = (kinds,) if isinstance(kinds, str) else tuple(kinds) if isinstance(kinds, list | tuple) else (kinds,)
    for kind in given:
        if kind not in ("scores", "prose"):
            raise InputError(
                f"cc_shap={kinds!r} is none.", cure='Give "scores", "prose", or both: ("scores", "prose").'
            )
    return given
