"""The sanity checks of a target's maps for the page's drawer, and their message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..characters import plain
from ..errors import InputError, UnsupportedMethod
from ..evaluation.agreement import labels_of
from ..evaluation.common_text import Given
from ..evaluation.sanity.checks import Asked, brought, can_be_checked, checking
from ..evaluation.sanity.soundness import Sanity, beside, label_of, value_of
from ..models.inside.shuffled import bytes_of, seconds_to_shuffle
from .messages import status

if TYPE_CHECKING:
    from ..attribution.problem import Progress
    from ..attribution.result import Attribution
    from ..evaluation.sanity.soundness import Check
    from ..models.base import Model
    from ..models.text.document import Document
    from ..protocol import to_page
    from .sender import Sender

SHUFFLES, _STAGES = 2, 3  # fewer than in Python, so that a reader does not wait long
AGAIN = Asked(shuffles=SHUFFLES, stages=_STAGES).each


class Mapped(NamedTuple):
    """A map of the target. `seconds`: about how long it takes to compute its columns `AGAIN` times, or None."""

    map_id: str
    map: Attribution
    source: object
    seconds: float | None


class Checks:
    """Checks the maps of one target. Only the worker's thread uses it.

    What was interrupted goes on where it stopped when it is asked for again, unless text, target or maps are others.
    What was found is kept until another text is on show.
    """

    def __init__(self, sender: Sender, memory_budget: int | None) -> None:
        self._sender = sender
        self._memory_budget = memory_budget
        self._found: dict[tuple[str, str], tuple[Sanity, str]] = {}  # by target and map: the checks, and the map's name
        self._under_way: tuple[tuple[object, ...], Iterator[Sanity | Progress]] | None = None
        self._setup: tuple[int, float, str | None] | None = None  # the model's fingerprint, and what shuffles cost

    def forget(self) -> None:
        """Forget everything: another text is on show."""
        self._found.clear()
        self._under_way = None

    def announce(self, model: Model, document: Document, cols: Sequence[int], maps: Sequence[Mapped]) -> None:
        """Tell the pages which maps of this target can be checked, at which price, and what is known of each.

        `model` is no shadow. Cost: the shuffle of a million numbers, once for each model. Raises: InputError.
        """
        _check_cols(document, cols)
        self._tell(model, cols, maps)

    def check(
        self,
        model: Model,
        document: Document,
        cols: Sequence[int],
        maps: Sequence[Mapped],
        wanted: Sequence[str],
        check: Callable[[], None],
        cancelled: Callable[[], None],
    ) -> None:
        """Check the wanted maps (their ids), and tell the pages what was found so far after each part of the work.

        `model` is no shadow. `check` may raise to stop between two parts, `cancelled` within one.
        Raises: InputError where there is no such map; UnsupportedMethod, OutOfMemory, WeightsChanged.
        """
        _check_cols(document, cols)
        chosen = [one for one in maps if one.map_id in wanted and can_be_checked(one.map)]
        if not chosen:
            raise InputError(
                "There is no map of this target that can be computed again.",
                cure="Click a word, and wait for its own colours.",
            )
        names = _names(maps)
        key = (self._sender.doc, tuple(cols), tuple(one.map_id for one in chosen), model.fingerprint())
        if self._under_way is None or self._under_way[0] != key:
            self._sender.tell(status("attributing", "Sanity", unit="maps"))
            asked = Asked(
                shuffles=SHUFFLES,
                stages=_STAGES,
                memory_budget=self._memory_budget,
                positions=frozenset(document.cols[col].position for col in cols),
            )
            given = [Given(names[one.map_id], one.map, one.source) for one in chosen]
            self._under_way = key, checking(model, given, asked, cancelled)
        _, parts = self._under_way
        while (part := self._next(parts)) is not None:
            if isinstance(part, Sanity):
                for one in chosen:
                    self._found[_key(cols), one.map_id] = part, names[one.map_id]
                self._tell(model, cols, maps)
            else:
                self._sender.tell(status("attributing", "Sanity", part.done, part.total, unit="maps"))
            check()
        self._under_way = None

    def _next(self, parts: Iterator[Sanity | Progress]) -> Sanity | Progress | None:
        """Return the next part of the work, or None at its end; work that failed does not go on."""
        try:
            return next(parts, None)
        except BaseException:
            self._under_way = None
            raise

    def _tell(self, model: Model, cols: Sequence[int], maps: Sequence[Mapped]) -> None:
        names, key = _names(maps), _key(cols)
        setup, why_not = self._price_of_shuffles(model)
        self._sender.tell(
            {
                "type": "sanity",
                "doc": self._sender.doc,
                "key": key,
                "cols": list(cols),
                "again": AGAIN,
                "setup": setup,
                "memory": sum(bytes_of(model.model).values()),
                "maps": [_line(one, names[one.map_id], self._found.get((key, one.map_id)), why_not) for one in maps],
            }
        )

    def _price_of_shuffles(self, model: Model) -> tuple[float, str | None]:
        """Return about how many seconds all shuffles take, and the reason why the weights cannot be shuffled."""
        fingerprint = model.fingerprint()
        if self._setup is None or self._setup[0] != fingerprint:
            try:
                self._setup = fingerprint, SHUFFLES * seconds_to_shuffle(model.model), None
            except UnsupportedMethod as error:
                self._setup = fingerprint, 0.0, error.message
        return self._setup[1:]


def _check_cols(document: Document, cols: Sequence[int]) -> None:
    n = len(document.cols)
    if not cols or not all(col < n for col in cols):
        raise InputError("There is no such target.", cure=f"Name some of the {n} columns, from 0 on.")


def _key(cols: Sequence[int]) -> str:
    return f"{min(cols)}-{max(cols)}"


def _names(maps: Sequence[Mapped]) -> dict[str, str]:
    """Return the name of each map by its id."""
    names = labels_of([one.map for one in maps])
    return {one.map_id: name for one, name in zip(maps, names, strict=True)}


def _line(one: Mapped, name: str, found: tuple[Sanity, str] | None, why_not: str | None) -> to_page.WireCheckedMap:
    """Return the line of a map; before it was checked with nothing but the figures that it was made with."""
    again = can_be_checked(one.map)
    checks: Sequence[Check] = list(brought(Given(name, one.map, one.source), computed=again))
    said: list[str] = []
    notices, complete = None, False
    if found is not None:
        sanity, own = found
        checks = [each for each in sanity.checks if each.map == own]
        said = [f"{each[0].upper()}{each[1:]}" for each in sanity.said(own)]
        notices, complete = sanity.notices(own), sanity.complete
    return {
        "map": one.map_id,
        "method": one.map.method,
        "label": plain(name),
        "seconds": one.seconds,
        "reason": why_not if again else "It was not computed by this model, so it cannot be computed again.",
        "complete": complete,
        "said": said,
        "notices": notices,
        "figures": [
            {"label": label_of(each), "value": value_of(each), "beside": beside(each)} for each in checks if again
        ],
    }
