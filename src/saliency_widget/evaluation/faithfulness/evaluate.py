"""`evaluate`: how far can these maps be believed?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from ...aside import aside
from ...attribution.memory import check_budget as check_memory
from ...attribution.problem import Progress
from ...attribution.result import Attribution
from ...errors import InputError
from ...models.loading.load import load_model
from ..agreement import HasAttribution, labels_of, map_of
from ..common_text import Given
from ..sanity.checks import check_asked as check_sanity
from ..sanity.checks import checking
from ..sanity.soundness import Sanity
from .evaluation import Evaluation
from .judging import check_asked, judge


def evaluate(
    model: Any,
    maps: Attribution | HasAttribution | Sequence[Attribution | HasAttribution],
    *,
    operators: str | Sequence[str] = ("mask", "delete"),
    unit: str = "word",
    random: int = 50,
    targets: Sequence[Any] | None = None,
    budget: float | str | None = None,
    sanity: bool = False,
    memory_budget: int | None = None,
    progress: bool = True,
) -> Evaluation:
    """Compute how faithful maps of one text are to the model, beside what random orders of its words reach.

    Words are taken away in the order of a map, and the model reads what is left. All maps of a text share the random
    orders. The first token and a template's always stay. Ctrl-C returns what was found so far.

    Args:
        model: the model that the maps are of: anything that `load_model` accepts.
        maps: an attribution, an explanation with scores, or several of them, also from `Attribution.from_scores`.
        operators: how words are taken away: "mask", "delete", "replace", "resample". No way is beyond dispute, so two
            are taken, and it is said where they disagree.
        unit: what is taken away at a time: "token", "word", "sentence", "segment".
        random: the number of random orders, from 20 on. Up to 8 units all orders are looked at, up to 10 thousands.
        targets: the columns to evaluate, by text, index or token; several in a tuple are one target, whose
            log-probabilities are added. None: all of a written text as one, or each class.
        budget: what may be spent: a number of occlusion runs, or seconds as "20 s". None: three runs, or ten seconds
            below 60 units. `.given_up` says what is left out for it. Up to 10 units every subset is read.
        sanity: also find out whether the maps depend on the weights and on the spelling of the text; see
            `evaluation.sanity.sanity` for what that costs.
        memory_budget: bytes of the device's memory that the work may use; default: half of the free memory.
        progress: whether to show a progress bar.

    Raises:
        InputError: the maps are of different texts, nothing can be taken away, or an argument is invalid.
        OutOfMemory, WeightsChanged: the evaluation cannot be computed.
        UnsupportedMethod: with `sanity`, where the weights cannot be shuffled.
    """
    from tqdm.auto import tqdm

    asked = check_asked(operators, unit, random, targets, budget)
    check_memory(memory_budget)
    several = list(maps) if isinstance(maps, list | tuple) else [maps]
    if not several:
        raise InputError("There is no map to evaluate.", cure="Give at least one attribution or explanation.")
    if hasattr(model, "attribute_text"):
        raise InputError(
            "A model behind a server cannot be evaluated here: words would have to be taken away thousands of times.",
            cure="Evaluate maps of a model that is loaded here.",
        )
    found = [map_of(item) for item in several]
    given = [Given(name, one, source) for name, one, source in zip(labels_of(found), found, several, strict=True)]
    so_far: list[Evaluation] = []
    at = (0, 1)

    checks = check_sanity(found, targets, memory_budget=memory_budget) if sanity else None

    def work(check: Callable[[], None]) -> Evaluation:
        nonlocal at
        loaded = load_model(model)
        sane: Sanity | None = None
        first = () if checks is None else checking(loaded, given, checks, check)
        for part in chain(first, judge(loaded.shadow(check), given, asked, memory_budget)):
            check()
            match part:
                case Progress():
                    at = part
                case Sanity():
                    sane = part
                case _:
                    so_far.append(replace(part, sanity=sane))
        return so_far[-1]

    with tqdm(total=at[1], desc="evaluating", unit="part", disable=not progress, leave=False) as bar:

        def draw() -> None:
            bar.total, bar.n = at[1], at[0]
            bar.refresh()

        try:
            return aside(work, draw)
        except KeyboardInterrupt:
            if not so_far:
                raise
            return replace(so_far[-1], given_up=(*so_far[-1].given_up, "It was interrupted: this is what was found."))
