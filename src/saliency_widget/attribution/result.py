"""The result: one matrix, the tokens of its rows and columns, and the question it answers. Immutable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ..checks import one_of
from ..errors import AmbiguousToken, InputError, TokenNotFound
from ..export.html import to_html
from ..export.reading import first_target
from ..export.table import to_dataframe, to_text
from ..models.text.document import joined
from ..models.text.units import units_of
from ..types import Alternative, Role, Segment, Token
from . import map_file
from .aggregate import UNITS, pooled, pooled_errors
from .cards import card_of
from .hops import Hop, check_shapes, hop_of, hops_pooled, said_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

Key: TypeAlias = int | str | Token


class Top(NamedTuple):
    """An input that mattered: its text and position, its raw score, its share of the column's L1 norm in [-1, 1]."""

    text: str
    position: int
    score: float
    share: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Attribution:
    """A saliency map: the score of each input token (row) for each target token (column).

    `scores`: float32 [n_rows, n_cols] as the method defines them, un-normalised; NaN where the target cannot see the
    row, and only there. `errors`: the standard errors of the scores, in their shape, where the method has them, else
    None; 0 where a score is exact, NaN where its error is not known. `step_scores`: float32 [n_cols] each,
    `probability` among them. `alternatives`: for each column the most probable tokens. `foil`: the token that each
    target was set against. `seconds`: the computing time. `diagnostics`: by name, mostly a number a column:
    `completeness_error` of integrated gradients, for one. `hops`: the steps back by way of a stretch of the text, where
    they were asked for (`through=`), nearest first; they are no part of `scores`, and `hop` returns each as a map.
    """

    scores: NDArray[np.float32]
    errors: NDArray[np.float32] | None = None
    rows: tuple[Token, ...]
    cols: tuple[Token, ...]
    segments: tuple[Segment, ...] = ()
    step_scores: Mapping[str, NDArray[np.float32]]
    alternatives: tuple[tuple[Alternative, ...], ...] = ()
    method: str
    objective: str | None
    foil: str | None = None
    signed: bool
    unit: str
    model_name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    hops: tuple[Hop, ...] = ()

    def __post_init__(self) -> None:
        scores = np.array(self.scores, dtype=np.float32)
        if scores.shape != (len(self.rows), len(self.cols)):
            raise InputError(
                f"The scores have the shape {scores.shape}, but {len(self.rows)} rows and {len(self.cols)} columns.",
                cure="Give one row of scores an input token and one column a target token.",
            )
        if np.isinf(scores).any():
            raise InputError(
                "There is an infinite score.", cure="A score is finite, or NaN where the target cannot see."
            )
        scores.flags.writeable = False
        check_shapes(self.hops, scores.shape)
        errors = None if self.errors is None else _errors_of(scores, self.errors)
        steps = {name: np.array(values, dtype=np.float32) for name, values in self.step_scores.items()}
        for values in steps.values():
            values.flags.writeable = False
        for name, value in (
            ("scores", scores),
            ("errors", errors),
            ("step_scores", MappingProxyType(steps)),
            ("settings", MappingProxyType(dict(self.settings))),
            ("diagnostics", MappingProxyType(dict(self.diagnostics))),
        ):
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle, `copy.copy` and `copy.deepcopy` rebuild the result from, so that a copy is immutable too.

        The read-only mappings cannot be pickled, and a pickled array loses its read-only flag.
        """
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        given |= {name: dict(value) for name, value in given.items() if isinstance(value, MappingProxyType)}
        return _rebuilt, (type(self), given)

    # ── made from elsewhere ───────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike,
        rows: Sequence[str | Token],
        cols: Sequence[str | Token],
        *,
        method: str,
        signed: bool | None = None,
        unit: str = "score",
        model_name: str = "",
        errors: ArrayLike | None = None,
    ) -> Attribution:
        """Return an Attribution of given scores, from a paper or another library.

        `signed`: None for True if any score is below 0. `errors`: the standard errors of the scores, in their shape.
        Raises: InputError if shape and labels do not fit, if a score is infinite, or an error infinite or below 0.
        """
        array = np.asarray(scores, dtype=np.float32)
        row_tokens = _tokens(rows, 0, "prompt")
        return cls(
            scores=array,
            errors=None if errors is None else np.asarray(errors, dtype=np.float32),
            rows=row_tokens,
            cols=_tokens(cols, len(row_tokens), "generated"),
            step_scores={},
            method=method,
            objective=None,
            signed=bool((array < 0).any()) if signed is None else signed,
            unit=unit,
            model_name=model_name,
        )

    # ── questions in one line ─────────────────────────────────────────────────────────────────────────────────────

    def row(self, key: Key) -> int:
        """Return the index of a row, given its index, token or text (without regard to spaces around it).

        Raises: AmbiguousToken, TokenNotFound.
        """
        return _find(self.rows, key, "row")

    def col(self, key: Key) -> int:
        """Return the index of a column, as `row` does."""
        return _find(self.cols, key, "column")

    def __getitem__(self, keys: tuple[Key, Key]) -> float:
        """Return the raw score of one input for one target: `a["George", "Washington"]`."""
        row, col = keys
        return float(self.scores[self.row(row), self.col(col)])

    def top(self, target: Key, k: int = 3) -> list[Top]:
        """Return the k inputs with the largest absolute score for one target, in descending order."""
        col = self.col(target)
        column, shares = self.scores[:, col], self.normalized()[:, col]
        visible = np.flatnonzero(~np.isnan(column))
        order = visible[np.argsort(-np.abs(column[visible]), kind="stable")][:k]
        return [
            Top(self.rows[i].text, self.rows[i].position, float(column[i]), float(shares[i])) for i in order.tolist()
        ]

    def normalized(self) -> NDArray[np.float32]:
        """Return the scores with each column divided by its L1 norm: shares in [-1, 1]. A column of zeros is NaN."""
        norms = np.nansum(np.abs(self.scores, dtype=np.float64), axis=0)
        norms[norms == 0] = np.nan
        shares: NDArray[np.float32] = (self.scores / norms).astype(np.float32)
        return shares

    def hop(self, number: int) -> Attribution:
        """Return a hop as a map of its own, which can be shown, saved and aggregated like any other.

        `number`: 1 for the map of what the target read in the stretch, 2 for one step further back; 0 for the direct
        map, without hops. `diagnostics["handed_on"]` has the hop's share for each column.
        Raises: InputError for a hop that there is not.
        """
        return replace(self, **hop_of(self.hops, number, self.settings))

    def aggregate(self, unit: str, pool: str | None = None) -> Attribution:
        """Return the map of words, sentences or segments ("word", "sentence", "segment"), as the widget does.

        `pool`: "sum", "mean" or "max" over the tokens of a unit; None for that of the method: the sum if its scores
        are additive. A sum of norms favours long words, so report the pool that you used; `settings` keeps it. By
        words, columns are pooled too: their scores by the mean, their probabilities by the product. Scores of such a
        target's own tokens are NaN. Standard errors are added up (averaged in a mean), which is the most that those of
        a sum can be, and exact for the tokens of one unit of `shapley`.
        Raises: UnknownName; InputError for a sum of Banzhaf values, but for those of the tokens of one unit.
        """
        one_of("unit", unit, UNITS)
        chosen = pool or card_of(self.method, signed=self.signed, unit=self.unit).pool
        if chosen == "sum" and self.settings.get("estimand") == "banzhaf" and self.settings.get("unit") != unit:
            raise InputError(
                f"Banzhaf values must not be added up, so the {unit}s have none.",
                cure=f'Compute those of {unit}s, unit="{unit}", or give pool="mean" or "max".',
            )
        begin = first_target(self)
        rows = units_of(self.rows, unit, begin)
        cols = units_of(self.cols, "word" if unit == "word" else "token", begin)
        scores = pooled(self.scores, cols, "mean", axis=1)
        errors = None if self.errors is None else pooled_errors(self.errors, self.scores, cols, "mean", axis=1)
        place = {token.position: row for row, token in enumerate(self.rows)}
        for col, group in enumerate(cols):
            own = [self.cols[i].position for i in group] if len(group) > 1 else []
            scores[[place[position] for position in own if position in place], col] = np.nan
        return replace(
            self,
            scores=pooled(scores, rows, chosen, axis=0),
            errors=None if errors is None else pooled_errors(errors, scores, rows, chosen, axis=0),
            rows=tuple(joined([self.rows[i] for i in group]) for group in rows),
            cols=tuple(joined([self.cols[i] for i in group]) for group in cols),
            step_scores={
                name: np.array([np.prod(values[group]) for group in cols]) for name, values in self.step_scores.items()
            },
            alternatives=tuple(self.alternatives[group[0]] if len(group) == 1 else () for group in cols)
            if self.alternatives
            else (),
            settings={**self.settings, "unit": unit, "pool": chosen},
            diagnostics={},
            hops=hops_pooled(self.hops, rows, cols, chosen),
        )

    # ── taken away ────────────────────────────────────────────────────────────────────────────────────────────────

    def to_dataframe(self) -> pd.DataFrame:
        """Return a line for each visible cell: row, row_token, row_position, the same of col, score, share.

        A map with standard errors has them as `error`. Characters that control a terminal are replaced by signs
        ("ESC") in tokens. The CSV that the page saves has an apostrophe before tokens that a spreadsheet would
        execute ("=1+1"); `export.table.to_dataframe` documents how to remove it.
        """
        return to_dataframe(self)

    def to_html(self, *, col: int | None = None) -> str:
        """Return the static map as HTML; targets can be hovered if scripts run. `col`: the target shown first."""
        return to_html(self, col=col)

    def save(self, path: str | Path) -> None:
        """Write everything to one safetensors file, lossless and with a checksum.

        If that fails, an existing file is unchanged. A symbolic link is kept, and its target replaced; a new file gets
        the permissions of the umask.
        Raises: FileError if the file cannot be written; InputError if a field has the wrong type or range.
        """
        map_file.write({field.name: getattr(self, field.name) for field in fields(self)}, path)

    @classmethod
    def load(cls, path: str | Path) -> Attribution:
        """Read a map that `save` wrote.

        Raises: DamagedFile for any other content, by checksum, types, shapes and ranges, and for a file of a newer
        version; NoSuchFile, FileError if the file cannot be read.
        """
        return cls(**map_file.read(path))

    # ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def label(self) -> str:
        """Return the label of the method."""
        return card_of(self.method, signed=self.signed, unit=self.unit).label

    def __repr__(self) -> str:
        return "\n\n".join([to_text(self), *said_of(self.hops)])

    def _repr_html_(self) -> str:
        return self.to_html()


def _errors_of(scores: NDArray[np.float32], given: ArrayLike) -> NDArray[np.float32]:
    """Return standard errors as a read-only float32 array, NaN where the score is. Raises: InputError."""
    errors = np.array(given, dtype=np.float32)
    if errors.shape != scores.shape:
        raise InputError(
            f"The standard errors have the shape {errors.shape}, and the scores {scores.shape}.",
            cure="Give one error for each score; NaN where it is not known.",
        )
    if (np.isinf(errors) | (errors < 0)).any():
        raise InputError(
            "There is a standard error that is infinite or below 0.",
            cure="A standard error is finite and at least 0, or NaN where it is not known.",
        )
    errors[np.isnan(scores)] = np.nan
    errors.flags.writeable = False
    return errors


def _rebuilt(kind: type[Attribution], given: dict[str, Any]) -> Attribution:
    """Return the result with these fields. pickle requires a function of a module."""
    return kind(**given)


def _tokens(given: Sequence[str | Token], first: int, role: Role) -> tuple[Token, ...]:
    tokens = []
    for i, item in enumerate(given):
        if isinstance(item, Token):
            tokens.append(item)
        else:
            tokens.append(
                Token(id=-1, position=first + i, text=item, role=role, span=None, word=first + i, sentence=0, segment=0)
            )
    return tuple(tokens)


def _find(tokens: Sequence[Token], key: Key, kind: str) -> int:
    if isinstance(key, Token):
        key = next((i for i, t in enumerate(tokens) if t.position == key.position), key.text)
    if isinstance(key, int):
        if not -len(tokens) <= key < len(tokens):
            raise TokenNotFound(f"There is no {kind} {key}.", cure=f"There are {len(tokens)}: 0 … {len(tokens) - 1}.")
        return key % len(tokens)
    assert isinstance(key, str)
    exact = [i for i, t in enumerate(tokens) if t.text == key]
    found = exact if len(exact) == 1 else [i for i, t in enumerate(tokens) if t.text.strip() == key.strip()]
    if not found:
        raise TokenNotFound(
            f"No {kind} has the token {key!r}.",
            cure=f"The {kind}s are: {' | '.join(t.text for t in tokens[:40])}{' | …' if len(tokens) > 40 else ''}.",
        )
    if len(found) > 1:
        raise AmbiguousToken(
            f"{key!r} occurs {len(found)} times.",
            cure=f"Use one of the {kind}s {', '.join(map(str, found))}.",
            positions=found,
        )
    return found[0]
