"""One cell of the sweep: a method on a model, and its outcome."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

import saliency_widget as sw
from saliency_widget.errors import SaliencyError

from . import building, references, sizes
from .building import Architecture
from .references import Column, NoReference, NoSuchMap, Plain, Truth

Outcome = Literal["right", "unchecked", "refused", "random", "slow", "wrong", "crash"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_TEXT = tuple((i * 7 + 5) % 190 + 40 for i in range(40))  # no id twice, none of them special
_TARGETS = (50, 60, 70)
_SETTINGS: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": references.STEPS},
    "shapley": {"calls": 160},
}

# By method, the plain way to it. Of the others only the probability beside the map is checked.
_REFERENCES: dict[str, Callable[[Plain, Column], Truth]] = {
    "saliency": Plain.saliency,
    "input_x_gradient": Plain.input_x_gradient,
    "integrated_gradients": Plain.integrated_gradients,
    "occlusion": Plain.occlusion,
    "attention": Plain.attention,
    "attention_rollout": Plain.attention_rollout,
    "value_zeroing": Plain.value_zeroing,
}
_DEAR = ("value_zeroing",)  # a pass a row and layer: the last column is enough

# The largest difference, by the largest score of the column. Families compute rotary angles, a softmax or a state in
# float32 whatever the weights are; what is wrong was never below .01 so far.
TOLERANCE = 2e-3

# What is left of a sum whose parts take each other away is rounding: so much of the parts counts as a score.
_LEFT = 0.01


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The outcome of a method on a model. `detail`: the sentence of a refusal, the error, or the place of a crash.

    `error`: the largest difference of a checked map, as `TOLERANCE`.
    """

    method: str
    outcome: Outcome
    detail: str = ""
    error: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the cell as plain data; one digit of the error, the others are another machine's."""
        error = None if self.error is None else float(f"{self.error:.0e}")
        return {name: value for name, value in (asdict(self) | {"error": error}).items() if value not in ("", None)}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A tiny model that is ready for maps. `note`: its peculiarity."""

    architecture: Architecture
    model: Any
    tokenizer: Any
    dtype: str
    n_parameters: int
    note: str = ""
    is_random: bool = False
    answers: bool = True  # whether a plain pass over ids is possible

    @property
    def facts(self) -> dict[str, Any]:
        """Return what is told of it beside its cells."""
        network = type(self.model).__name__
        return {"network": network, "dtype": self.dtype, "n_parameters": self.n_parameters, "note": self.note}

    @property
    def task(self) -> building.Task:
        """Return what it does: some that hear and write are in the mapping of seq2seq, and have no encoder for text."""
        task = self.architecture.task
        return "causal" if task == "seq2seq" and not self.model.config.is_encoder_decoder else task

    @property
    def columns(self) -> list[Column]:
        """Return the columns that a map of it should have."""
        if self.task == "classify":
            return [Column((), _TEXT, i) for i in range(self.model.config.num_labels)]
        source, start = (), _TEXT
        if self.task == "seq2seq":
            source, start = _TEXT, (self.model.config.decoder_start_token_id,)
        return [Column(source, start + _TARGETS[:i], target) for i, target in enumerate(_TARGETS)]

    def plain(self) -> Plain:
        """A copy of the model as it was built, for the references of one column: some remember longer texts."""
        several = self.model.config.problem_type == "multi_label_classification"
        return Plain(copy.deepcopy(self.model), self.task, self.tokenizer.unk_token_id, several, self._eager)

    def _eager(self) -> Any:
        return building.build(self.architecture, getattr(torch, self.dtype), "eager")


def subject_of(architecture: Architecture) -> Subject:
    """The model, in float64 if a plain pass works in it, else in float32. Raises: CannotBuild."""
    troubles = []
    for dtype in (torch.float64, torch.float32)[architecture.model_type in sizes.FLOAT32 :]:
        model = building.build(architecture, dtype)
        subject = Subject(
            architecture=architecture,
            model=model,
            tokenizer=building.tokenizer(),
            dtype=str(dtype).removeprefix("torch."),
            n_parameters=sum(p.numel() for p in model.parameters()),
        )
        try:
            return _tried(subject)
        except Exception as error:  # noqa: BLE001 (whatever transformers raises: it is told)
            troubles.append(f"A plain pass over ids fails: {type(error).__name__}: {error}")
    return replace(subject, note=troubles[-1], answers=False)


def _tried(subject: Subject) -> Subject:
    """The subject, after two plain passes over each of its texts."""
    with torch.no_grad():
        first, second = ([subject.plain().logits(column) for column in subject.columns] for _ in range(2))
    if not all(logits.isfinite().all() for logits in first):
        raise ArithmeticError("the logits are not finite")
    if all(map(torch.equal, first, second)):
        return subject
    return replace(subject, note="Two plain passes over one text differ.", is_random=True)


# ── the cell ─────────────────────────────────────────────────────────────────────────────────────────────────────


def judge(subject: Subject, method: str) -> Cell:
    """Compute a map of a copy of the model, and compare it with the reference."""
    lent = copy.deepcopy(subject.model)
    asked: dict[str, Any] = {"input_ids": list(_TEXT)}
    if subject.task != "classify":
        asked["target_ids"] = list(_TARGETS)
    try:
        found = sw.attribute(
            (lent, subject.tokenizer), method=method, progress=False, **asked, **_SETTINGS.get(method, {})
        )
    except SaliencyError as refusal:
        return Cell(method=method, outcome="refused", detail=str(refusal))
    except Exception as error:  # noqa: BLE001 (that is what is looked for)
        return Cell(method=method, outcome="crash", detail=_where(error))
    if not subject.answers:
        return Cell(method=method, outcome="wrong", detail=f"There is a map, but: {subject.note}")
    if subject.is_random:
        return Cell(method=method, outcome="random")
    return compare(subject, method, found, lent)


def compare(subject: Subject, method: str, found: Any, lent: Any = None) -> Cell:
    """Compare a map with the reference. `lent`: the model that the map was made with."""
    columns = subject.columns
    if [token.id for token in found.rows] != [*columns[-1].rows]:
        return Cell(method=method, outcome="wrong", detail="The rows of the map are other tokens.")
    with torch.no_grad():
        truth = np.array([float(subject.plain().probability(column)) for column in columns])
    off = float(np.abs(found.step_scores["probability"] / truth - 1).max())
    if not off < TOLERANCE:
        return Cell(method=method, outcome="wrong", error=off, detail="The probability beside the map is another.")
    if lent is not None and not _answers_as_before(subject, lent):
        return Cell(method=method, outcome="wrong", detail="Afterwards the model answers otherwise than before.")
    return _compare_scores(subject, method, found.scores)


def _compare_scores(subject: Subject, method: str, scores: Any) -> Cell:
    outcome: Outcome = "right"
    detail, error = "", None
    try:
        error = _error(subject, method, scores)
        if not error < TOLERANCE:
            outcome, detail = "wrong", "The scores are others."
    except NoSuchMap as reason:
        outcome, detail = "wrong", str(reason)
    except NoReference as reason:
        outcome, detail = "unchecked", str(reason)
    except Exception as trouble:  # noqa: BLE001 (whatever transformers raises: it is told)
        outcome, detail = "unchecked", f"The plain way fails: {type(trouble).__name__}: {trouble}"
    return Cell(method=method, outcome=outcome, detail=detail, error=error)


def _error(subject: Subject, method: str, scores: Any) -> float:
    """The largest difference of the columns. Raises: NoSuchMap, NoReference."""
    columns = subject.columns
    if not all(_sees(scores[:, j], len(column.rows)) for j, column in enumerate(columns)):
        raise NoSuchMap("A column has scores of other rows than it sees.")
    if method not in _REFERENCES:
        raise NoReference("There is no reference for this method.")
    checked = list(enumerate(columns))[-1 if method in _DEAR else 0 :]
    return max(_difference(scores[: len(c.rows), j], _REFERENCES[method](subject.plain(), c)) for j, c in checked)


def _sees(scores: Any, n: int) -> bool:
    """Return whether the first n rows have a score, and no other."""
    return np.isfinite(scores).tolist() == [row < n for row in range(len(scores))]


def _difference(scores: Any, truth: Truth) -> float:
    """The largest difference, by the largest score."""
    expected = truth.scores.detach().double().numpy()
    return float(np.abs(scores - expected).max() / (np.abs(expected).max() + _LEFT * truth.size))


def _answers_as_before(subject: Subject, lent: Any) -> bool:
    column = subject.columns[-1]
    before = subject.plain()
    after = Plain(lent, before.task, before.blank)
    with torch.no_grad():
        return torch.equal(before.logits(column), after.logits(column))


def _where(error: Exception) -> str:
    """Type and message of an error, and the last function of the package that it came through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "saliency_widget" in f.filename]
    place = f" ({Path(frames[-1].filename).stem}.{frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{place}"
