"""From maps of a text to judgements: which masks are read, in which order, and what is told while it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ...attribution import masking
from ...attribution.operators import OPERATORS
from ...attribution.pipeline import problem_of
from ...attribution.problem import Problem, Progress
from ...checks import one_of
from ...errors import InputError
from ...models.text.document import joined
from ...types import Objective, Request
from ..common_text import Given, common_text
from ..rankings import BREAKINGS, EVERY, antithetic, every_order, ranked
from .budget import DEFAULT_RUNS, Budget, Plan, Size, check_budget, check_random, exact_plan, in_seconds, plan
from .curves import Curves, curves_of, masks_of, without
from .evaluation import Evaluation
from .figures import Case, half_masks, lds, of_curves
from .findings import Band, Floor, Judgement
from .unit_scores import Aim, aims_of, scores_of, units
from .values import Values

if TYPE_CHECKING:
    from ...models.base import Model
    from ...models.text.document import Document
    from ..rankings import Floats, Ints
    from .curves import Keep

_Found: TypeAlias = tuple[tuple[Floor, ...], tuple[Judgement, ...]]  # those of one operator
UNITS = ("token", "word", "sentence", "segment")
_ORDERS = 20_000  # random rankings where every subset is known but the orders are too many to look at all
_BLOCK = 10  # random rankings between two looks at what was found
_TRIED = 800  # rows of masks of half of the units by which the time of a row is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request for an evaluation, checked for itself but not yet against maps and model."""

    operators: tuple[str, ...]
    unit: str
    random: int
    targets: Any
    budget: Budget


def check_asked(operators: Any, unit: str, random: Any, targets: Any, budget: Any) -> Asked:
    """Return what is asked. Raises: InputError, UnknownName."""
    names = (operators,) if isinstance(operators, str) else tuple(operators)
    for name in names:
        one_of("operator", name, OPERATORS)
    if not names or len(set(names)) != len(names):
        raise InputError(
            "There is no operator, or one of them twice.", cure=f"Name some of {', '.join(OPERATORS)}, each once."
        )
    one_of("unit", unit, UNITS)
    return Asked(operators=names, unit=unit, random=check_random(random), targets=targets, budget=check_budget(budget))


class Setting(NamedTuple):
    """A case to judge: t targets and m maps on one problem, whose objective is the value.

    `targets`: of each, its name and the columns of the problem whose objectives are added. `rows`: those of each of the
    n units that may go, and `units` their texts. `scores`: of each map and target, [n] each.
    """

    problem: Problem
    targets: tuple[Aim, ...]
    rows: list[tuple[int, ...]]
    units: tuple[str, ...]
    maps: tuple[str, ...]
    methods: tuple[str, ...]
    signed: tuple[bool, ...]
    scores: list[list[Floats]]
    notes: Mapping[str, str] = MappingProxyType({})
    model_name: str = ""


def judge(
    model: Model, maps: Sequence[Given], asked: Asked, memory_budget: int | None = None
) -> Iterator[Evaluation | Progress]:
    """Judge these maps as `judge_setting` does. `model` is a shadow.

    Raises: InputError, OutOfMemory, WeightsChanged.
    """
    yield from judge_setting(setting_of(model, maps, asked, memory_budget), asked)
    model.check_weights()


def judge_setting(setting: Setting, asked: Asked) -> Iterator[Evaluation | Progress]:
    """Yield how far the work is (in rows), and after each block of it what was found so far; the last one is complete.

    Stop iterating to cancel: what was yielded is valid.
    """
    started = time.perf_counter()
    n, size = len(setting.rows), _size(setting, asked)
    values = [
        Values(setting.problem, setting.rows, [aim.targets for aim in setting.targets], operator)
        for operator in asked.operators
    ]
    problem = setting.problem
    every_subset = exact_plan(size, setting.rows, asked.random, shares=problem.causal and not problem.n_source)
    exact = every_subset is not None
    chosen = every_subset or _planned(size, asked, values[0])
    total = max(1, round(chosen.rows))
    found: list[_Found] = []
    every = _rankings(n, chosen.random, exact=exact)
    for of_operator in values:
        blocks = [len(every)] if exact else [*range(_BLOCK, chosen.random, _BLOCK), chosen.random]
        for count in blocks:
            random, whole = every[:count], count == blocks[-1]
            if exact:
                of_operator.fill_all(chosen.rows / len(values))
            else:
                for _ in of_operator.fill(_masks(setting, chosen, random, whole=whole)):
                    yield Progress(min(total - 1, round(sum(each.rows for each in values))), total)
            judged = _judged(setting, of_operator, chosen, random, whole=whole)
            spent = sum(each.rows for each in values)
            now = _evaluation(setting, asked, chosen, [*found, judged], exact=exact)
            yield replace(
                now,
                complete=whole and of_operator is values[-1],
                rows=spent,
                runs=spent / size.run if size.run else 0.0,
                seconds=time.perf_counter() - started,
            )
        found.append(judged)


# ── the setting ──────────────────────────────────────────────────────────────────────────────────────────────────


def setting_of(model: Model, maps: Sequence[Given], asked: Asked, memory_budget: int | None = None) -> Setting:
    """Return what is judged, from maps and the model (a shadow). Raises: InputError, TokenNotFound, AmbiguousToken."""
    text = common_text(model, maps)
    aims = aims_of(text, asked.targets)
    used = sorted({at for aim in aims for at in aim.targets})
    document = replace(text.document, targets=tuple(text.document.targets[at] for at in used))
    problem = problem_for(model, document, memory_budget)
    for operator in asked.operators:
        reason = masking.why_not(problem, operator)
        if reason is not None:
            raise InputError(reason, cure=f"Take operators={masking.operators_of(problem)!r}, or some of them.")
    first = min(target.position for target in document.targets)
    rows = units(document, asked.unit, masking.may_go(problem), first)
    if not rows:
        raise InputError(
            f"Nothing can be taken away before {aims[0].name!r}: the first token and those of a template always stay.",
            cure='Give a longer text, or take unit="token".',
        )
    scores, notes = [], {}
    for at, given in enumerate(text.maps):
        of_aims = [scores_of(text, at, aim, rows) for aim in aims]
        if missing := max(int(np.isnan(column).sum()) for column in of_aims):
            notes[given.name] = f"{missing} of {len(rows)} {asked.unit}s have no score and count as 0."
        scores.append([np.nan_to_num(column) for column in of_aims])
        if len(rows) > 1 and all(len(np.unique(column)) == 1 for column in scores[-1]):
            notes[given.name] = "all of its scores are equal, so it is as good as random orders, and no better."
    return Setting(
        problem=problem,
        targets=tuple(Aim(aim.name, tuple(used.index(at) for at in aim.targets)) for aim in aims),
        rows=rows,
        units=tuple(joined([document.rows[row] for row in unit]).text.strip() for unit in rows),
        maps=tuple(given.name for given in text.maps),
        methods=tuple(given.map.method for given in text.maps),
        signed=tuple(given.map.signed for given in text.maps),
        scores=scores,
        notes=notes,
        model_name=model.name,
    )


def problem_for(model: Model, document: Document, memory_budget: int | None) -> Problem:
    """Return the problem whose objectives are the values of the document's targets. `model` is a shadow."""
    objective: Objective = "logit" if model.raw else "log_probability"
    request = Request(
        inputs=document.inputs, targets=document.targets, method="evaluation", objective=objective, settings=None
    )
    return problem_of(model, request, document, memory_budget)


def _size(setting: Setting, asked: Asked) -> Size:
    moving = sum(map(len, setting.rows))
    return Size(
        len(setting.rows),
        setting.problem.n_rows - moving,
        moving,
        tuple(not OPERATORS[operator].shortens for operator in asked.operators),
        len(setting.maps) * len(setting.targets),
    )


def _planned(size: Size, asked: Asked, values: Values) -> Plan:
    seconds = in_seconds(asked.budget, size.n)
    if seconds is None:
        runs = DEFAULT_RUNS if asked.budget.runs is None else asked.budget.runs
        named = f"{runs:g} occlusion run{'' if runs == 1 else 's'}"
        return plan(size, asked.random, runs * size.run, named)
    assert values.texts, "reading the text once is no part of what is measured"
    halves = without(antithetic(size.n, asked.random, seed=0), ((size.n + 1) // 2,))[:, 0]
    count = int(np.clip(_TRIED // (size.base + size.moving // 2), 4, len(halves)))
    started = time.perf_counter()
    list(values.fill(halves[:count]))
    spent = time.perf_counter() - started
    rows = values.rows * seconds / max(spent, 1e-9)
    return plan(size, asked.random, rows, f"{seconds:g} seconds")


def _rankings(n: int, random: int, *, exact: bool) -> Ints:
    if not exact:
        return antithetic(n, random, seed=0)
    return every_order(n) if n <= EVERY else antithetic(n, _ORDERS, seed=0)


# ── which masks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _masks(setting: Setting, chosen: Plan, random: Ints, *, whole: bool) -> Keep:
    """Return the masks that are needed for so many random rankings; at last also all halves."""
    n = len(setting.rows)
    parts = [np.ones((1, n), dtype=bool), np.zeros((1, n), dtype=bool), masks_of(random, chosen.steps)]
    for orders in (ranked(column, random) for columns in setting.scores for column in columns):
        parts += [masks_of(orders, chosen.steps)] + ([without(orders, (1,))[:, 0]] if chosen.singles else [])
    return np.concatenate([*parts, _halves(n, chosen, random)] if whole else parts)


def _halves(n: int, chosen: Plan, random: Ints) -> Keep:
    """Return masks of half of the units: those of the random rankings' 50 % points, and more up to 64."""
    own = without(random, ((n + 1) // 2,))[:, 0]
    return np.concatenate([own, half_masks(n, max(0, chosen.half_masks - len(own)), seed=1)])


# ── what they say ────────────────────────────────────────────────────────────────────────────────────────────────


def _judged(setting: Setting, values: Values, chosen: Plan, random: Ints, *, whole: bool) -> _Found:
    """Return floors and judgements under one operator from what was read so far."""
    n = len(setting.rows)
    exact = values.exact
    exhaustive = exact and n <= EVERY
    of_random = curves_of(random, chosen.steps, values.read)
    (full, margin), (empty, _) = (values.read(np.full((1, n), kept)) for kept in (True, False))
    breakers = antithetic(n, chosen.random, seed=0) if exact else random
    if exact:
        halves = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool)
        halves = halves[halves.sum(axis=1) == n // 2]
    else:
        halves = _halves(n, chosen, random) if whole else without(random, ((n + 1) // 2,))[:, 0]
    of_halves, _ = values.read(halves)
    floors, judged = [], []
    for at, aim in enumerate(setting.targets):
        case = Case(n, chosen.steps, float(full[0, at]), float(empty[0, at]), float(margin[0, at]), exhaustive)
        here = Curves(*(part[..., [at]] for part in of_random))
        floors.append(
            Floor(aim.name, values.operator, case.whole, case.empty, _band(here.without), _band(here.only), len(random))
        )
        for name, signed, columns in zip(setting.maps, setting.signed, setting.scores, strict=True):
            scores = columns[at]
            constant = len(np.unique(scores)) == 1
            orders = ranked(scores, random if constant else breakers, len(breakers) if exact else BREAKINGS)
            ours = Curves(*(part[..., [at]] for part in curves_of(orders, chosen.steps, values.read)))
            first = values.read(without(orders, (1,))[:, 0])[1][:, at] if chosen.singles else None
            figures = of_curves(case, ours, here, first)
            figures.append(lds(scores, halves, of_halves[:, at], breakers, signed=signed))
            judged.append(
                Judgement(
                    name,
                    aim.name,
                    values.operator,
                    _mean(ours.without),
                    _mean(ours.only),
                    _mean(ours.reverse),
                    tuple(figures),
                    tuple(orders[0].tolist()) if len(orders) == 1 else (),
                )
            )
    return tuple(floors), tuple(judged)


def _mean(curves: Floats) -> tuple[float, ...]:
    return tuple(curves[..., 0].mean(axis=0).tolist())


def _band(curves: Floats) -> Band:
    low, middle, high = np.percentile(curves[..., 0], (2.5, 50, 97.5), axis=0).tolist()
    return Band(tuple(middle), tuple(low), tuple(high))


def _evaluation(setting: Setting, asked: Asked, chosen: Plan, found: Sequence[_Found], *, exact: bool) -> Evaluation:
    n = len(setting.rows)
    return Evaluation(
        maps=setting.maps,
        methods=setting.methods,
        targets=tuple(aim.name for aim in setting.targets),
        operators=tuple(floors[0].operator for floors, _ in found),
        unit=asked.unit,
        units=setting.units,
        steps=chosen.steps,
        exact=exact,
        exhaustive=exact and n <= EVERY,
        judgements=tuple(judged for _, of_operator in found for judged in of_operator),
        floors=tuple(floor for floors, _ in found for floor in floors),
        given_up=chosen.given_up,
        notes=setting.notes,
        raw=setting.problem.raw,
        model_name=setting.model_name,
    )
