"""The result of `evaluate`: how far maps can be believed, as sentences, figures, a data frame and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...characters import in_a_cell
from ..sanity.soundness import label_of
from . import file as evaluation_file
from .displays import to_html, to_text
from .findings import Findings
from .picture import plot
from .verdicts import is_chance, sentence, warnings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Plot

_COLUMNS = ("value", "random_mean", "random_low", "random_high", "p", "low", "high")


@dataclass(frozen=True, kw_only=True, repr=False)
class Evaluation(Findings):
    """The figures of how faithful maps of one text are, each beside those of random orders of the units. Immutable.

    With P the units that may go and v the log-probability of the target given the units that are kept: see `METRICS` in
    `evaluation.faithfulness` for each figure. It prints as sentences and figures, and is displayed as them.
    """

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return a sentence for each map, target and operator: "Without its 3 top words the probability falls …"."""
        return tuple(sentence(self, each) for each in self.judgements)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what a reader must be warned of.

        Maps no better than chance, operators that disagree, and maps that do not notice shuffled weights.
        """
        said = tuple(said for target in self.targets for name in self.maps for said in warnings(self, name, target))
        return said if self.sanity is None else said + self.sanity.warnings

    def is_chance(self, name: str, target: str | None = None) -> bool:
        """Return whether a map was found no better than chance under any operator, for the first target by default."""
        return is_chance(self, name, self.targets[0] if target is None else target)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a line for each map, target, operator and metric.

        map, target, operator, metric, value, random_mean (of "words_to_flip" the median), random_low, random_high, p;
        and low, high (the interval of a value that is an estimate) and reason (why there is no value). Sanity checks,
        where they were asked for, have neither target nor operator, and a metric such as "weights: all weights".
        """
        import pandas as pd

        checks = () if self.sanity is None else self.sanity.checks
        return pd.DataFrame(
            [
                {
                    "map": in_a_cell(each.map),
                    "target": in_a_cell(each.target),
                    "operator": each.operator,
                    "metric": figure.metric,
                    **{name: getattr(figure, name) for name in _COLUMNS},
                    "reason": figure.reason,
                }
                for each in self.judgements
                for figure in each.figures
            ]
            + [
                {
                    "map": in_a_cell(each.map),
                    "target": "",
                    "operator": "",
                    "metric": label_of(each),
                    **{name: getattr(each.found, name, None) for name in _COLUMNS},
                    "reason": each.found.reason,
                }
                for each in checks
            ]
        ).astype(dict.fromkeys(_COLUMNS, "float64"))

    def plot(self) -> Plot:
        """Return the curves of all maps with the band of random orders, as a matplotlib figure."""
        return plot(self)

    def save(self, path: str | Path) -> None:
        """Write everything to one JSON file with a checksum; if that fails, an existing file is unchanged.

        Raises: FileError.
        """
        evaluation_file.write(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read an evaluation that `save` wrote. Raises: DamagedFile, NoSuchFile, FileError."""
        return cls(**evaluation_file.read(path))

    def __repr__(self) -> str:
        return to_text(self)

    def _repr_html_(self) -> str:
        return to_html(self)
