"""The evaluation of a target's maps for the page's drawer, and its message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import exp
from typing import TYPE_CHECKING

from ..attribution import masking
from ..attribution.operators import OPERATORS
from ..errors import InputError
from ..evaluation.agreement import labels_of
from ..evaluation.common_text import Given
from ..evaluation.faithfulness.curves import kept_steps
from ..evaluation.faithfulness.displays import beside
from ..evaluation.faithfulness.evaluation import Evaluation
from ..evaluation.faithfulness.figures import METRICS
from ..evaluation.faithfulness.judging import Asked, Setting, check_asked, judge_setting, problem_for, setting_of
from ..evaluation.faithfulness.verdicts import figure_number, orders_of, sentence, warnings
from ..evaluation.measures import figures
from .messages import status

if TYPE_CHECKING:
    from ..attribution.problem import Progress
    from ..attribution.result import Attribution
    from ..evaluation.faithfulness.figures import Figure
    from ..evaluation.faithfulness.findings import Band, Floor, Judgement
    from ..models.base import Model
    from ..models.text.document import Document
    from ..protocol import to_page
    from .sender import Sender

_OPERATORS = ("mask", "delete")


class Trust:
    """Judges the maps of one target. Only the worker's thread uses it.

    An interrupted evaluation goes on where it stopped if it is asked for again, unless text, target or maps are others.
    """

    def __init__(self, sender: Sender, memory_budget: int | None) -> None:
        self._sender = sender
        self._memory_budget = memory_budget
        self._under_way: tuple[tuple[object, ...], Setting, Iterator[Evaluation | Progress]] | None = None

    def forget(self) -> None:
        """Forget what is under way: another text is on show."""
        self._under_way = None

    def judge(
        self,
        model: Model,
        document: Document,
        cols: Sequence[int],
        maps: Sequence[tuple[str, Attribution, object]],
        check: Callable[[], None],
    ) -> None:
        """Judge these maps, and tell the pages what was found so far after each part of the work.

        Of each map its id, itself, and where it came from: an explanation, or itself.

        `model` is a shadow whose own check only cancels; `check` may raise to stop between two parts.
        Raises: InputError where there is no map, or nothing can be taken away; OutOfMemory, WeightsChanged.
        """
        if not maps:
            raise InputError("No map of this target is there yet.", cure="Click a word, and wait for its own colours.")
        names = labels_of([found for _, found, _ in maps])
        asked = _asked(document, cols)
        key = (self._sender.doc, tuple(cols), tuple(name for name, *_ in maps), model.fingerprint())
        if self._under_way is None or self._under_way[0] != key:
            self._sender.tell(status("attributing", "Trust", unit="rows"))
            given = [Given(name, found, source) for name, (_, found, source) in zip(names, maps, strict=True)]
            setting = setting_of(model, given, asked, self._memory_budget)
            self._under_way = key, setting, judge_setting(setting, asked)
        _, setting, parts = self._under_way
        while (part := self._next(parts)) is not None:
            if isinstance(part, Evaluation):
                self._sender.tell(
                    evaluation_message(self._sender.doc, cols, setting, part, [name for name, *_ in maps])
                )
            else:
                self._sender.tell(status("attributing", "Trust", part.done, part.total, unit="rows"))
            check()
        self._under_way = None
        model.check_weights()

    def prepare(self, model: Model, document: Document, cols: Sequence[int]) -> None:
        """Find out once for each model how it reads texts without some words, which takes longer than to read them.

        `model` is a shadow. Cost: a few dozen passes over short texts the first time, else nothing.
        """
        targets = tuple(document.targets[col] for col in cols if col < len(document.targets))
        if targets:
            problem = problem_for(model, replace(document, targets=targets), self._memory_budget)
            for operator in masking.operators_of(problem):
                problem.access.tree(operator)

    def _next(self, parts: Iterator[Evaluation | Progress]) -> Evaluation | Progress | None:
        """Return the next part of the work, or None at its end; work that failed does not go on."""
        try:
            return next(parts, None)
        except BaseException:
            self._under_way = None
            raise


def _asked(document: Document, cols: Sequence[int]) -> Asked:
    n = len(document.cols)
    if not cols or not all(col < n for col in cols):
        raise InputError("There is no such target.", cure=f"Name some of the {n} columns, from 0 on.")
    return check_asked(_OPERATORS, "word", 50, [tuple(document.cols[col] for col in cols)], None)


# ── the message ──────────────────────────────────────────────────────────────────────────────────────────────────


def evaluation_message(
    doc: int, cols: Sequence[int], setting: Setting, found: Evaluation, map_ids: Sequence[str]
) -> to_page.Evaluation:
    """Return the message with what was found of one target; `map_ids`: the ids of the setting's maps."""
    (target,) = found.targets
    return {
        "type": "evaluation",
        "doc": doc,
        "key": f"{min(cols)}-{max(cols)}",
        "cols": list(cols),
        "target": target,
        "complete": found.complete,
        "unit": found.unit,
        "units": list(found.units),
        "steps": list(found.steps),
        "kept": list(kept_steps(len(found.units), found.steps)),
        "orders": orders_of(found),
        "maps": [
            {
                "map": map_id,
                "method": method,
                "label": name,
                "warnings": warnings(found, name, target),
                "is_chance": found.complete and found.is_chance(name),
                "judgements": [_judgement(found, judged) for judged in found.judgements if judged.map == name],
            }
            for map_id, method, name in zip(map_ids, found.methods, found.maps, strict=True)
        ],
        "floors": [_floor(found, floor) for floor in found.floors],
        "agreement": _agreement(setting),
        "given_up": list(found.given_up),
        "seconds": found.seconds,
    }


def _judgement(found: Evaluation, judged: Judgement) -> to_page.WireJudgement:
    return {
        "operator": judged.operator,
        "sentence": sentence(found, judged),
        "without": [_shown(found, value) for value in judged.without],
        "only": [_shown(found, value) for value in judged.only],
        "figures": [_figure(figure) for figure in judged.figures],
    }


def _figure(figure: Figure) -> to_page.WireTrustFigure:
    metric = METRICS[figure.metric]
    return {
        "label": metric.label,
        "reads": metric.reads,
        "value": figure_number(figure.metric, figure.value),
        "beside": figure.reason or beside(figure),
        "better": figure.is_better,
    }


def _floor(found: Evaluation, floor: Floor) -> to_page.WireFloor:
    return {
        "operator": floor.operator,
        "says": OPERATORS[floor.operator].says,
        "whole": _shown(found, floor.whole),
        "empty": _shown(found, floor.empty),
        "without": _band(found, floor.without),
        "only": _band(found, floor.only),
        "random": floor.random,
    }


def _band(found: Evaluation, band: Band) -> to_page.WireBand:
    return {
        "middle": [_shown(found, value) for value in band.middle],
        "low": [_shown(found, value) for value in band.low],
        "high": [_shown(found, value) for value in band.high],
    }


def _shown(found: Evaluation, value: float) -> float:
    """Return a probability for its logarithm, or a raw score as it is."""
    return value if found.raw else exp(min(value, 0.0))


def _agreement(setting: Setting) -> list[to_page.WireAgreement]:
    """Return how each pair of maps ranks the units: Spearman's correlation, of sizes where one of them has no sign."""
    pairs: list[to_page.WireAgreement] = []
    for a, (one, *_) in enumerate(setting.scores):
        for b in range(a + 1, len(setting.scores)):
            signed = setting.signed[a] and setting.signed[b]
            ranks = next(f for f in figures(one, setting.scores[b][0], signed=signed) if f.measure == "spearman")
            pairs.append({"a": a, "b": b, "value": ranks.value, "outside": ranks.outside})
    return pairs
