"""Counters of work, which give the same number on every machine, unlike a clock.

`lines_of` counts the lines of Python that run. What `re` does inside one call it cannot see, so `counted` has the
patterns of a package matched a second time, by a plain backtracking matcher that counts its steps.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Go = Callable[[int], int]  # from a place in the text to the end of the match, or -1

_tree: Any = re._parser  # type: ignore[attr-defined]
_codes: Any = re._compiler  # type: ignore[attr-defined]


def lines_of(work: Callable[[], object], package: str = "saliency_widget") -> int:
    """Return the number of executed lines of the package's own code in `work`, each as often as it runs."""
    lines = 0

    def line(_frame: Any, event: str, _arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return line

    def call(frame: Any, _event: str, _arg: Any) -> Any:
        return line if frame.f_globals.get("__name__", "").startswith(package) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


# ── a matcher that counts ────────────────────────────────────────────────────────────────────────────────────────

_ONE_CHARACTER = frozenset({"LITERAL", "NOT_LITERAL", "IN", "ANY"})
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


class Matcher:
    """A pattern of `re`, tried at one place after the other by backtracking, without any shortcut.

    `steps` grows by one for each character looked at and each way tried.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        tree = _tree.parse(pattern.pattern, pattern.flags)
        self._state, self._flags = tree.state, tree.state.flags
        self._text, self._whole = "", False
        self._groups: dict[int, tuple[int, int]] = {}
        self.steps = 0
        self._go = self._sequence(tree, self._flags, self._accept)

    def end(self, text: str, start: int, *, whole: bool = False) -> int:
        """Return the end of the match that begins at `start`, or -1; `whole`: it has to end with the text."""
        self._text, self._whole = text, whole
        self._groups.clear()
        return self._go(start)

    def _accept(self, at: int) -> int:
        return -1 if self._whole and at < len(self._text) else at

    def _sequence(self, nodes: Any, flags: int, then: Go) -> Go:
        for kind, given in reversed(list(nodes)):
            then = self._node(str(kind), given, (kind, given), flags, then)
        return then

    def _node(self, kind: str, given: Any, node: Any, flags: int, then: Go) -> Go:
        if kind in _ONE_CHARACTER:
            return self._character(self._test(node, flags), then)
        if kind in _REPEATS:
            return self._repeat(kind, *given, flags, then)
        return getattr(self, f"_{kind.lower()}")(given, node, flags, then)

    def _test(self, node: Any, flags: int) -> Callable[[str], bool]:
        """Return whether a character fits, as `re` itself says."""
        alone = _codes.compile(_tree.SubPattern(self._state, [node]), flags & ~re.VERBOSE)

        @cache
        def fits(character: str) -> bool:
            return alone.match(character) is not None

        return fits

    def _character(self, fits: Callable[[str], bool], then: Go) -> Go:
        def go(at: int) -> int:
            self.steps += 1
            return then(at + 1) if at < len(self._text) and fits(self._text[at]) else -1

        return go

    def _at(self, _given: Any, node: Any, flags: int, then: Go) -> Go:
        place = _codes.compile(_tree.SubPattern(self._state, [node]), flags & ~re.VERBOSE)

        def go(at: int) -> int:
            self.steps += 1
            return then(at) if place.match(self._text, at) else -1

        return go

    def _branch(self, given: Any, _node: Any, flags: int, then: Go) -> Go:
        ways = [self._sequence(way, flags, then) for way in given[1]]

        def go(at: int) -> int:
            for way in ways:
                self.steps += 1
                end = way(at)
                if end >= 0:
                    return end
            return -1

        return go

    def _subpattern(self, given: Any, _node: Any, flags: int, then: Go) -> Go:
        group, on, off, nodes = given
        flags = (flags | on) & ~off
        if group is None:
            return self._sequence(nodes, flags, then)
        begun: list[int] = []

        def close(at: int) -> int:
            before = self._groups.get(group)
            begin = begun.pop()
            self._groups[group] = (begin, at)
            end = then(at)
            begun.append(begin)
            if end < 0:
                self._put_back(group, before)
            return end

        inside = self._sequence(nodes, flags, close)

        def go(at: int) -> int:
            begun.append(at)
            end = inside(at)
            begun.pop()
            return end

        return go

    def _put_back(self, group: int, before: tuple[int, int] | None) -> None:
        if before is None:
            self._groups.pop(group, None)
        else:
            self._groups[group] = before

    def _repeat(self, kind: str, least: int, most: Any, nodes: Any, flags: int, then: Go) -> Go:
        most = sys.maxsize if most is _tree.MAXREPEAT else most
        if len(nodes) == 1 and str(nodes[0][0]) in _ONE_CHARACTER:
            return self._run(kind, least, most, self._test(nodes[0], flags), then)
        if kind == "POSSESSIVE_REPEAT":
            return self._possessive(least, most, self._sequence(nodes, flags, lambda at: at), then)
        return self._groups_again(kind == "MIN_REPEAT", least, most, nodes, flags, then)

    def _run(self, kind: str, least: int, most: int, fits: Callable[[str], bool], then: Go) -> Go:
        """A character again and again: [a-z]*."""

        def go(at: int) -> int:
            last = min(len(self._text), at + most)
            stop = at
            if kind == "MIN_REPEAT":
                while True:
                    self.steps += 1
                    if stop >= at + least and (end := then(stop)) >= 0:
                        return end
                    if stop >= last or not fits(self._text[stop]):
                        return -1
                    stop += 1
            while stop < last and fits(self._text[stop]):
                stop += 1
            self.steps += stop - at + 1
            for back in range(stop, at + least - 1, -1) if kind == "MAX_REPEAT" else (stop,) * (stop >= at + least):
                self.steps += 1
                end = then(back)
                if end >= 0:
                    return end
            return -1

        return go

    def _possessive(self, least: int, most: int, inside: Go, then: Go) -> Go:
        assert least <= 1, "with more, one time round might have to give something back to the next"

        def go(at: int) -> int:
            times = 0
            while times < most:
                self.steps += 1
                end = inside(at)
                if end < 0 or end == at:
                    times += end == at
                    break
                at, times = end, times + 1
            return then(at) if times >= least else -1

        return go

    def _groups_again(self, lazy: bool, least: int, most: int, nodes: Any, flags: int, then: Go) -> Go:
        """Several nodes again and again, with a way back into each time round."""
        rounds: list[tuple[int, int]] = []  # where each began, and how many were before it

        def again(at: int) -> int:
            begin, times = rounds.pop()
            end = -1 if at == begin and times >= least else go_on(at, times + 1)
            rounds.append((begin, times))
            return end

        inside = self._sequence(nodes, flags, again)

        def once_more(at: int, times: int) -> int:
            if times >= most:
                return -1
            rounds.append((at, times))
            end = inside(at)
            rounds.pop()
            return end

        def go_on(at: int, times: int) -> int:
            self.steps += 1
            if lazy:
                end = then(at) if times >= least else -1
                return end if end >= 0 else once_more(at, times)
            end = once_more(at, times)
            return end if end >= 0 or times < least else then(at)

        return lambda at: go_on(at, 0)

    def _atomic_group(self, given: Any, _node: Any, flags: int, then: Go) -> Go:
        inside = self._sequence(given, flags, lambda at: at)

        def go(at: int) -> int:
            end = inside(at)
            return then(end) if end >= 0 else -1

        return go

    def _assert(self, given: Any, _node: Any, flags: int, then: Go, *, wanted: bool = True) -> Go:
        direction, nodes = given
        inside = self._sequence(nodes, flags, lambda at: at)
        back = nodes.getwidth()[0] if direction < 0 else 0

        def go(at: int) -> int:
            found = at >= back and inside(at - back) >= 0
            return then(at) if found is wanted else -1

        return go

    def _assert_not(self, given: Any, node: Any, flags: int, then: Go) -> Go:
        return self._assert(given, node, flags, then, wanted=False)

    def _groupref(self, given: Any, _node: Any, _flags: int, then: Go) -> Go:
        def go(at: int) -> int:
            begin, end = self._groups.get(given, (0, -1))
            self.steps += max(end - begin, 0) + 1
            return then(at + end - begin) if end >= 0 and self._text.startswith(self._text[begin:end], at) else -1

        return go

    def _groupref_exists(self, given: Any, _node: Any, flags: int, then: Go) -> Go:
        group, yes, no = given
        if_so, if_not = self._sequence(yes, flags, then), self._sequence(no or [], flags, then)
        return lambda at: if_so(at) if group in self._groups else if_not(at)


# ── patterns that count ──────────────────────────────────────────────────────────────────────────────────────────


class Pattern:
    """A pattern of `re` that counts the steps of a `Matcher`, which must find the same."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._matcher = Matcher(pattern)
        self.pattern, self.flags = pattern.pattern, pattern.flags

    @property
    def steps(self) -> int:
        return self._matcher.steps

    def match(self, text: str, pos: int = 0) -> re.Match[str] | None:
        return self._same(self._pattern.match(text, pos), self._matcher.end(text, pos))

    def fullmatch(self, text: str, pos: int = 0) -> re.Match[str] | None:
        return self._same(self._pattern.fullmatch(text, pos), self._matcher.end(text, pos, whole=True))

    def _same(self, found: re.Match[str] | None, end: int) -> re.Match[str] | None:
        assert (found.end() if found else -1) == end, (self.pattern, end)
        return found

    def search(self, text: str, pos: int = 0) -> re.Match[str] | None:
        found = self._pattern.search(text, pos)
        self._go_to(text, pos, found, -1)
        return found

    def finditer(self, text: str, pos: int = 0) -> Iterator[re.Match[str]]:
        at, before = pos, -1
        for found in self._pattern.finditer(text, pos):
            self._go_to(text, at, found, before)
            yield found
            at = before = found.end()
        self._go_to(text, at, None, before)

    def _go_to(self, text: str, at: int, found: re.Match[str] | None, before: int) -> None:
        """Try every place up to where it is found. Right behind a match `before`, an empty one does not count."""
        for start in range(at, found.start() if found else len(text) + 1):
            assert self._matcher.end(text, start) in (-1, before), (self.pattern, start)
        if found:
            assert self._matcher.end(text, found.start()) in (found.end(), before), (self.pattern, found)

    def findall(self, text: str) -> list[Any]:
        list(self.finditer(text))
        return self._pattern.findall(text)

    def split(self, text: str) -> list[Any]:
        list(self.finditer(text))
        return self._pattern.split(text)

    def sub(self, new: Any, text: str) -> str:
        list(self.finditer(text))
        return self._pattern.sub(new, text)


@cache
def _pattern(pattern: re.Pattern[str]) -> Pattern:
    """One for all tests: making a matcher takes longer than most matches."""
    return Pattern(pattern)


@contextmanager
def counted(package: str) -> Iterator[Callable[[], int]]:
    """Enter a context in which the patterns of the package count steps, also those compiled meanwhile.

    What it gives says how many steps there were so far.
    """
    begun: dict[Pattern, int] = {}  # how many steps each had taken before
    before: list[tuple[dict[str, Any], str, re.Pattern[str]]] = []
    plain = re._compile  # type: ignore[attr-defined]

    def counting(pattern: re.Pattern[str]) -> Pattern:
        found = _pattern(pattern)
        begun.setdefault(found, found.steps)
        return found

    for name, module in list(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            for attribute, value in list(vars(module).items()):
                if isinstance(value, re.Pattern):
                    before.append((vars(module), attribute, value))
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        re._compile = lambda pattern, flags: counting(plain(pattern, flags))  # type: ignore[attr-defined]
        for names, attribute, value in before:
            names[attribute] = counting(value)
        yield lambda: sum(pattern.steps - first for pattern, first in begun.items())
    finally:
        sys.setrecursionlimit(depth)
        for names, attribute, value in before:
            names[attribute] = value
        re._compile = plain  # type: ignore[attr-defined]
