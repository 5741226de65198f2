"""Sanity checks: does a map depend on what the model learned, do its numbers hold, does spelling change it?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...aside import aside
from ...attribution import pipeline
from ...attribution.engine import Schedule
from ...attribution.memory import check_budget as check_memory
from ...attribution.memory import free
from ...attribution.methods import BRIDGED, METHODS, card_named
from ...attribution.problem import Chunk, Progress
from ...attribution.result import Attribution
from ...checks import whole_number
from ...errors import BadScores, InputError, OutOfMemory
from ...models.inside.shuffled import bytes_of, parts_of, shuffle, untie
from ...models.loading.load import load_model
from ...types import Target, Token
from ..agreement import HasAttribution, labels_of, map_of
from ..common_text import Given, common_text
from .respelling import SPELLINGS, Respelled, respelled
from .soundness import Check, Finding, Sanity, alike, mean_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...attribution.pipeline import Question
    from ...models.base import Model
    from ...models.text.document import Document

_COLUMNS = 8  # of a map with more, as many are looked at


class _Map(NamedTuple):
    """A map that can be computed again: its question on its document, for some of its columns."""

    name: str
    map: Attribution
    question: Question
    document: Document
    cols: list[int]


class _Shuffled(NamedTuple):
    """A map beside that of the model whose weights are shuffled as far as `of` says; one of `stages` depths."""

    map: _Map
    of: str
    finding: Finding
    is_last: bool  # of its shuffle
    stages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request for checks. `positions`: of the targets to look at; None for all, eight of more than that."""

    shuffles: int
    stages: int
    seed: int = 0
    memory_budget: int | None = None
    positions: frozenset[int] | None = None

    @property
    def each(self) -> int:
        """Return how often a map is computed again, at most."""
        return self.shuffles * self.stages + len(SPELLINGS)


def sanity(
    model: Any,
    maps: Attribution | HasAttribution | Sequence[Attribution | HasAttribution],
    *,
    shuffles: int = 3,
    stages: int = 5,
    seed: int = 0,
    targets: Sequence[Any] | None = None,
    memory_budget: int | None = None,
    progress: bool = True,
) -> Sanity:
    """Check whether maps of a model depend on its weights, on the spelling of the text, and how exact they are.

    Weights are shuffled from the top of the model down, in a copy of it, which takes as much memory again; a map that
    stays as it was says nothing about what the model learned. Of a map with more than eight columns eight are looked
    at. A map that was not computed here (what an LLM said, scores from elsewhere) has no checks but those it brings.

    Args:
        model: the model that the maps are of: anything that `load_model` accepts.
        maps: a map of tokens, as `attribute` makes it, or several.
        shuffles: how often the weights are shuffled anew; the figures are means.
        stages: at how many depths each map is computed again, from the head alone to all weights.
        seed: of the shuffles.
        targets: the columns to look at, by text, index or token; None for all of each map.
        memory_budget: bytes of the device's memory that the work may use; default: half of the free memory.
        progress: whether to show a progress bar. Cost: shuffles × stages + 4 maps for each one.

    Raises:
        InputError: there is no map, it is of another model, or an argument is invalid.
        TokenNotFound, AmbiguousToken: a target is no column of the first map, or several of them.
        UnsupportedMethod: the weights cannot be shuffled, as those of a quantised model.
        OutOfMemory: there is no room for a copy of the model, which is known before anything is computed.
    """
    from tqdm.auto import tqdm

    check_memory(memory_budget)
    several = list(maps) if isinstance(maps, list | tuple) else [maps]
    if not several:
        raise InputError("There is no map to check.", cure="Give at least one attribution.")
    found = [map_of(item) for item in several]
    asked = check_asked(found, targets, shuffles=shuffles, stages=stages, seed=seed, memory_budget=memory_budget)
    given = [Given(name, one, source) for name, one, source in zip(labels_of(found), found, several, strict=True)]
    at = Progress(0, 1)

    def work(check: Callable[[], None]) -> Sanity:
        nonlocal at
        for part in checking(load_model(model), given, asked, check):
            check()
            if isinstance(part, Progress):
                at = part
            elif part.complete:
                return part
        raise AssertionError("the last part is the result")

    with tqdm(total=at.total, desc="checking", unit="map", disable=not progress, leave=False) as bar:

        def draw() -> None:
            bar.total = at.total
            bar.update(max(0, at.done - bar.n))

        return aside(work, draw)


def check_asked(
    maps: Sequence[Attribution],
    targets: Sequence[Any] | None = None,
    *,
    shuffles: int = 3,
    stages: int = 5,
    seed: int = 0,
    memory_budget: int | None = None,
) -> Asked:
    """Return what is asked, of these targets of the first map that can be checked.

    Raises: InputError, TokenNotFound, AmbiguousToken.
    """
    first = next((one for one in maps if can_be_checked(one)), None)
    return Asked(
        shuffles=whole_number("shuffles", shuffles, least=1, cure="Three are usual."),
        stages=whole_number("stages", stages, least=1, cure="Five are usual."),
        seed=whole_number("seed", seed, least=0, cure="Leave it out for 0."),
        memory_budget=memory_budget,
        positions=None if first is None else _positions(first, targets),
    )


def _positions(found: Attribution, targets: Sequence[Any] | None) -> frozenset[int] | None:
    """Return the positions of these columns, or None for all. Raises: InputError, TokenNotFound, AmbiguousToken."""
    if targets is None:
        return None
    several = [targets] if isinstance(targets, str | int | Token) else list(targets)
    keys = [key for one in several for key in (one if isinstance(one, tuple | range | list) else [one])]
    if not keys:
        raise InputError("There is no target to look at.", cure="Leave targets= out, or name at least one column.")
    return frozenset(found.cols[found.col(key)].position for key in keys)


def checking(
    model: Model, given: Sequence[Given], asked: Asked, check: Callable[[], None] | None = None
) -> Iterator[Progress | Sanity]:
    """Yield how many maps are done, of how many, and what was found after each shuffle and after each map's spellings.

    `model` is none of the shadows. The last part is the whole; stop iterating to cancel: what was yielded is valid.
    Raises: see `sanity`.
    """
    started = time.perf_counter()
    inside = model.shadow(check)
    maps = [found for one in given if (found := _again(inside, one, asked.positions)) is not None]
    again = {found.name for found in maps}
    own = [each for one in given for each in brought(one, computed=one.name in again)]
    likeness: dict[tuple[str, str], list[Finding]] = {}
    spelled: list[Check] = []

    def so_far(*, complete: bool = False) -> Sanity:
        weights = (
            Check(map=name, check="weights", of=part, found=mean_of(results))
            for (name, part), results in likeness.items()
        )
        order = [one.name for one in given]
        return Sanity(
            checks=tuple(sorted([*own, *weights, *spelled], key=lambda each: order.index(each.map))),
            methods={one.name: one.map.method for one in given},
            model_name=model.name,
            shuffles=asked.shuffles,
            seconds=time.perf_counter() - started,
            complete=complete,
        )

    done, total = 0, len(maps) * asked.each
    if maps:
        _check_room(model)
    for one in _shuffled(model, maps, asked, check):
        likeness.setdefault((one.map.name, one.of), []).append(one.finding)
        done, total = done + 1, len(maps) * replace(asked, stages=one.stages).each
        yield Progress(done, total)
        if one.is_last:
            yield so_far()
    for found in maps:
        for spelling in SPELLINGS:
            finding = _respelled(inside, found, spelling, asked)
            spelled.append(Check(map=found.name, check="spelling", of=spelling, found=finding))
            done += 1
            yield Progress(done, total)
        if found is not maps[-1]:
            yield so_far()
    inside.check_weights()
    yield so_far(complete=True)


def _check_room(model: Model) -> None:
    """Raise OutOfMemory if a copy of the weights does not fit beside them."""
    for device, need in bytes_of(model.model).items():
        unused = free(device)
        if need > unused:
            raise OutOfMemory(
                f"The copy of {model.name} whose weights are shuffled needs {need / 1e9:.1f} GB, and "
                f"{unused / 1e9:.1f} GB are free.",
                cure="Free memory, or load the model in a smaller dtype.",
            )


# ── a map again ──────────────────────────────────────────────────────────────────────────────────────────────────


def can_be_checked(found: Attribution) -> bool:
    """Return whether a map can be computed again: not what an LLM said, or scores from elsewhere."""
    return found.method in METHODS or found.method in BRIDGED


def _again(model: Model, given: Given, positions: frozenset[int] | None) -> _Map | None:
    """Return what it takes to compute a map again; None for one that nothing here computes.

    Raises: InputError for a map of another model, or of words, and for one without any target at these `positions`.
    """
    found = given.map
    if not can_be_checked(found):
        return None
    if any(token.length != 1 for token in found.rows) or not found.cols:
        raise InputError(
            f"{given.name} is a map of units of several tokens, which cannot be computed again as they stand.",
            cure="Give the map as attribute() made it, before aggregate().",
        )
    if "hop" in found.settings:
        raise InputError(
            f"{given.name} is a step back by way of a stretch of the text, which has no check.",
            cure="Give the direct map, as attribute() makes it: hop(0).",
        )
    text = common_text(model, [given])
    targets = tuple(
        Target(text.document.targets[places[0]].position, tuple(text.document.targets[at].ids[0] for at in places))
        for places in text.columns[0]
    )
    question = pipeline.check_question(found.method, found.objective, found.settings, found.foil)
    wanted = [at for at, col in enumerate(found.cols) if positions is None or col.position in positions]
    if not wanted:
        raise InputError(
            f"{given.name} has no column for these targets.", cure="Name targets that all of the maps have."
        )
    n = len(wanted)
    cols = sorted({wanted[round(at)] for at in np.linspace(0, n - 1, min(n, _COLUMNS))})
    return _Map(given.name, found, question, replace(text.document, targets=targets), cols)


def _scores(model: Model, question: Question, document: Document, cols: Sequence[int], asked: Asked) -> NDArray[Any]:
    """Return the scores [n_rows, k] of some columns, without a spot check. `model` is a shadow. Raises: BadScores."""
    parts = pipeline.columns(model, question, document, Schedule(cols), asked.memory_budget, checked=True)
    chunks = [part for part in parts if isinstance(part, Chunk)]
    columns = {col: chunk.scores[:, j] for chunk in chunks for j, col in enumerate(chunk.cols)}
    return np.stack([columns[col] for col in cols], axis=1)


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _shuffled(
    model: Model, maps: Sequence[_Map], asked: Asked, check: Callable[[], None] | None
) -> Iterator[_Shuffled]:
    """Yield for each shuffle and stage how alike each map is to that of the shuffled model."""
    for shuffled in range(asked.shuffles if maps else 0):
        made = model.copied()
        untie(made.head, made.embeddings)
        parts = parts_of(made.model, made.head, made.embeddings)
        stages = {round(at) for at in np.linspace(0, len(parts) - 1, min(asked.stages, len(parts)))}
        for at, part in enumerate(parts):
            if check is not None:
                check()
            shuffle(part.weights, int(np.random.default_rng([asked.seed, shuffled, at]).integers(1 << 31)))
            if at not in stages:
                continue
            inside, of = made.shadow(check), _down_to(part.name, at, len(parts))
            for found in maps:
                is_last = at == max(stages) and found is maps[-1]
                yield _Shuffled(found, of, _against(inside, found, asked), is_last, len(stages))


def _down_to(name: str, at: int, n: int) -> str:
    """Return which weights are shuffled when those of this part are."""
    return "all weights" if at == n - 1 else name if at == 0 else f"down to {name}"


def _against(model: Model, found: _Map, asked: Asked) -> Finding:
    try:
        scores = _scores(model, found.question, found.document, found.cols, asked)
    except BadScores as error:  # a shuffled model may compute nothing of use
        return Finding(reason=str(error))
    return alike(found.map.scores[:, found.cols], scores)


# ── spelling, and what the map brings ────────────────────────────────────────────────────────────────────────────


def _respelled(model: Model, found: _Map, spelling: str, asked: Asked) -> Finding:
    """Return how alike the words' scores are when the text is spelled in another way."""
    other = respelled(model, found.document, spelling)
    if not isinstance(other, Respelled):
        return Finding(reason=other)
    try:
        scores = _scores(model, found.question, other.document, found.cols, asked)
    except BadScores as error:
        return Finding(reason=str(error))
    mine, theirs = other.words(found.map.scores[:, found.cols], scores, card_named(found.map.method).pool)
    return alike(mine, theirs)


def brought(given: Given, *, computed: bool) -> Iterator[Check]:
    """Yield the checks that a map was made with: its spot check, and what is missing to completeness."""
    found = given.map
    spot = found.diagnostics.get("spot_check")
    if spot is not None:
        yield Check(map=given.name, check="spot check", of="", found=Finding(float(spot), n=1))
    missing = found.diagnostics.get("completeness_error")
    if missing is not None:
        errors = np.asarray(missing, dtype=np.float64)
        whole = np.nansum(found.scores, axis=0, dtype=np.float64) + errors
        share = np.abs(errors) / np.maximum(np.abs(whole), np.finfo(np.float64).tiny)
        yield Check(map=given.name, check="completeness", of="", found=Finding(float(share.max()), n=len(errors)))
    if not computed:
        reason = "Nothing here computes it, so it cannot be computed again."
        yield Check(map=given.name, check="weights", of="", found=Finding(reason=reason))
