"""The catalogue lists the methods, what each costs and how to read it, and shows itself as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from ..characters import in_a_cell, plain
from ..models.loading.load import load_model
from .cards import LLM, OF_INSEQ, OURS, Card
from .methods import why_not

if TYPE_CHECKING:
    import pandas as pd


class Entry(NamedTuple):
    """The card of a method, and the reason why it cannot run on the model in question; None if it can."""

    method: Card
    reason: str | None


class Catalogue(Sequence[Entry]):
    """The result of `methods()`: a list of entries that prints as a table, and shows as one in a notebook."""

    def __init__(self, entries: Sequence[Entry], model_name: str | None) -> None:
        self._entries = tuple(entries)
        self._model_name = model_name

    def __getitem__(self, at: Any) -> Any:
        return self._entries[at]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line for each method: id, label, family, signed, cost, reads, caveats, reference, reason."""
        import pandas as pd

        names = ("id", "label", "family", "signed", "cost", "reads", "caveats", "reference")
        lines = (
            {name: getattr(card, name) for name in names} | {"reason": reason and in_a_cell(reason)}
            for card, reason in self
        )
        return pd.DataFrame({**line, "caveats": " ".join(line["caveats"])} for line in lines)

    def __repr__(self) -> str:
        id_width = max(len(method.id) for method, _ in self)
        lines = [f"{method.id:<{id_width}}  {plain(reason or method.cost)}" for method, reason in self]
        return "\n".join([self._title, "", *lines])

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("method", "how to read it", "cost"))
        return (
            f"<p>{escape(self._title)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, self))}</tbody></table>"
        )

    @property
    def _title(self) -> str:
        if self._model_name is None:
            return f"{len(self)} methods; methods(model) says which of them a model allows."
        able = sum(reason is None for _, reason in self)
        return f"{able} of {len(self)} methods apply to {plain(self._model_name)}."


def methods(model: Any = None) -> Catalogue:
    """Return all methods: how to read each, its cost, and what it does not prove.

    `model`: anything that `load_model` accepts; each entry then has the reason if its method cannot run on it.
    """
    every = [*OURS.values(), LLM, *OF_INSEQ.values()]
    if model is None:
        return Catalogue([Entry(card, None) for card in every], None)
    loaded = load_model(model)
    return Catalogue([Entry(card, why_not(card, loaded)) for card in every], loaded.name)


def _row(entry: Entry) -> str:
    method, reason = entry
    sign = "signed" if method.signed else "not signed"
    caveats = "".join(f"<li>{escape(caveat)}</li>" for caveat in method.caveats)
    reads = f"{escape(method.reads)}<ul>{caveats}</ul><small>{escape(method.reference)}</small>"
    if reason is not None:
        reads = f"<b>Not here:</b> {escape(plain(reason))}"
    cells = (
        f"<b>{escape(method.label)}</b><br><code>{escape(method.id)}</code><br><small>{method.family}, {sign}</small>",
        reads,
        escape(method.cost),
    )
    return "<tr>" + "".join(f"<td style='text-align:left;vertical-align:top'>{cell}</td>" for cell in cells) + "</tr>"
